//! Memory that is reached by messages, at a client that answers as it likes: whatever is said to
//! have been done has been done, and no request waits for ever.

use std::collections::VecDeque;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use vfio_user::{DmaError, SessionDma};
use vfio_user_tests::PATIENCE;
use vfio_user_tests::actor::{Actor, Report};
use vfio_user_tests::raw::{Answer, RawClient};
use vfio_user_tests::scripted::{refuse, reply};
use vfio_user_tests::serve;
use vfio_user_tests::wire::{self, command, dma, errno, flag};

/// What each thread has of the memory: enough for all that it writes.
const PART: usize = 0x8_0000;
const THREADS: usize = 3;

/// What a client does when it is asked.
#[derive(Clone, Debug)]
enum Manner {
    Good,
    /// At most so many bytes of it.
    Short(usize),
    /// After those that are asked later.
    Late,
    Refuse,
    Malformed(Vec<u8>),
    Twice,
    /// First with other ids.
    WrongIds,
    /// With a request of its own in front.
    Ask,
    Reset,
}

fn manner() -> impl Strategy<Value = Manner> {
    prop_oneof![
        10 => Just(Manner::Good),
        4 => (1usize..5000).prop_map(Manner::Short),
        4 => Just(Manner::Late),
        1 => Just(Manner::Refuse),
        1 => vec(any::<u8>(), 1..40).prop_map(Manner::Malformed),
        2 => Just(Manner::Twice),
        1 => Just(Manner::WrongIds),
        3 => Just(Manner::Ask),
        1 => Just(Manner::Reset),
    ]
}

struct Client {
    raw: RawClient,
    memory: Vec<u8>,
    late: VecDeque<Answer>,
    /// Requests of its own that are not answered yet.
    open: usize,
}

impl Client {
    fn hear(&mut self, message: Answer, manner: &Manner) {
        if message.flags & flag::REPLY != 0 {
            assert_eq!((message.id, message.errno()), (7, None));
            self.open -= 1;
            return;
        }
        match manner {
            Manner::Good => self.serve(&message, usize::MAX),
            Manner::Short(most) => self.serve(&message, *most),
            Manner::Late => return self.late.push_back(message),
            Manner::Refuse => refuse(&self.raw, &message, errno::EFAULT),
            Manner::Malformed(payload) => reply(&self.raw, &message, payload),
            Manner::Twice => (0..2).for_each(|_| self.serve(&message, usize::MAX)),
            Manner::WrongIds => {
                let payload = wire::dma_access(0, 8, b"nonsense");
                for id in [message.id.wrapping_add(100), 0, 7] {
                    let nonsense = wire::message(id, message.command, flag::REPLY, &payload);
                    self.raw.send(&nonsense, &[]);
                }
                self.serve(&message, usize::MAX);
            }
            Manner::Ask => {
                let read = wire::access(0, Actor::SCRATCH, 4);
                self.ask(command::REGION_READ, &read);
                self.serve(&message, usize::MAX);
            }
            Manner::Reset => {
                self.ask(command::RESET, &[]);
                self.serve(&message, usize::MAX);
            }
        }
        self.catch_up();
    }

    fn ask(&mut self, command: u16, payload: &[u8]) {
        self.raw.send(&wire::message(7, command, 0, payload), &[]);
        self.open += 1;
    }

    fn catch_up(&mut self) {
        while let Some(late) = self.late.pop_back() {
            self.serve(&late, usize::MAX);
        }
    }

    fn serve(&mut self, request: &Answer, most: usize) {
        let iova = wire::u64_at(&request.payload, 0);
        let at = usize::try_from(iova).unwrap();
        let count = usize::try_from(wire::u64_at(&request.payload, 8)).unwrap().min(most);
        let memory = &mut self.memory[at..at + count];
        let data = match request.command {
            command::DMA_READ => &*memory,
            command::DMA_WRITE => {
                memory.copy_from_slice(&request.payload[16..16 + count]);
                &[]
            }
            command => panic!("command {command}"),
        };
        reply(&self.raw, request, &wire::dma_access(iova, count as u64, data));
    }
}

/// Writes its memory and reads it again. No two writes overlap: the client may still carry out
/// pieces of one that has failed.
fn work(dma: SessionDma, number: usize) -> JoinHandle<()> {
    let is_honest = |error: &DmaError| {
        let expected = [
            matches!(error, DmaError::Refused { .. }),
            matches!(error, DmaError::Malformed { .. }),
            error.is_interruption(),
        ];
        assert!(expected.contains(&true), "{error:?}");
    };
    thread::spawn(move || {
        let mut next = number * PART;
        for round in 0..12 {
            let len = [1, 4096, 40_000, 200_000, 7][round % 5] + round;
            let at = next;
            next += len;
            let data: Vec<u8> =
                (0..len).map(|n| (n * 31 + round + number).to_le_bytes()[0]).collect();
            let mut read = vec![0; len];
            let iova = at as u64;
            if let Err(error) = dma.write(iova, &data) {
                is_honest(&error);
                continue;
            }
            match dma.read(iova, &mut read) {
                Ok(()) => assert!(read == data, "{len} bytes at {iova:#x}"),
                Err(error) => is_honest(&error),
            }
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_is_done_is_done_and_no_request_waits_for_ever(manners in vec(manner(), 1..60)) {
        let (factory, reports) = Actor::factory(|cx, _| cx.post(Report::Memory(Box::new(cx.dma().for_session()))));
        let (_running, mut raw) = serve::over_pair(factory);
        raw.negotiate();
        let size = THREADS * PART;
        raw.dma_map(dma::BOTH, 0, 0, size as u64, None).ok();
        raw.write(0, Actor::ACT, &[0; 4]);
        let Ok(Report::Memory(dma)) = reports.recv_timeout(PATIENCE) else { panic!("no memory") };
        let threads: Vec<_> = (0..THREADS).map(|number| work((*dma).clone(), number)).collect();
        let mut client = Client { raw, memory: vec![0; size], late: VecDeque::new(), open: 0 };
        let (mut manners, start) = (manners.iter().cycle(), Instant::now());
        while client.open > 0 || !threads.iter().all(JoinHandle::is_finished) {
            prop_assert!(start.elapsed() < 3 * PATIENCE);
            if client.raw.has_message(Duration::from_millis(1)) {
                let message = client.raw.receive();
                client.hear(message, manners.next().unwrap());
            } else {
                client.catch_up();
            }
        }
        for thread in threads {
            thread.join().unwrap();
        }
        client.raw.sync();
    }
}
