//! What a function decides about messages: whether a step is done now, later or not at all, and
//! what answers a message that is not a valid request.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use vfio_user::function::{
    Admission, BackgroundWork, Function, Interrupts, InvalidMessage, Migrate, Region, Step,
};
use vfio_user::protocol::{Command, Errno, RegionIndex};
use vfio_user::{Dma, EventFd, Limits, Server};
use vfio_user_tests::PATIENCE;
use vfio_user_tests::ram::Ram;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve::Running;
use vfio_user_tests::wire::{self, command, dma, errno, flag};

/// The region that the tests write to, by messages.
const BAR: u32 = 1;

/// The steps that a test decides about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guards {
    Nothing,
    Version,
    Writes,
    Cleanup,
}

/// What a test sees of its function.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// The server asks about a step.
    Asked,
    /// A thread has read memory by message, and failed.
    ReadFailed,
    Left,
}

/// The decision of a test.
struct Gate {
    admission: Mutex<Admission>,
    wake: EventFd,
}

impl Gate {
    fn decide(&self, admission: Admission) {
        *self.admission.lock().unwrap() = admission;
        self.wake.signal();
    }
}

/// Memory with a gate.
struct Gated {
    ram: Ram,
    guards: Guards,
    gate: Arc<Gate>,
    answers: Option<Errno>,
    seen: Sender<Seen>,
}

impl Gated {
    fn note(&self, seen: Seen) {
        // A test that has seen enough does not listen.
        let _ = self.seen.send(seen);
    }
}

impl Migrate for Gated {}

impl BackgroundWork for Gated {
    fn wake(&self) -> Option<BorrowedFd<'_>> {
        Some(self.gate.wake.as_fd())
    }

    fn work(&mut self) {
        self.gate.wake.take();
    }
}

impl Function for Gated {
    fn region(&self, index: RegionIndex) -> Region<'_> {
        self.ram.region(index)
    }

    fn read(&mut self, region: RegionIndex, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        self.ram.read(region, offset, data)
    }

    fn write(&mut self, region: RegionIndex, offset: u64, data: &[u8]) -> Result<(), Errno> {
        self.ram.write(region, offset, data)
    }

    fn admit(&mut self, step: Step<'_>) -> Admission {
        let guards = match step {
            Step::Request { command: Command::Version, .. } => Guards::Version,
            Step::Request { command: Command::RegionWrite, .. } => Guards::Writes,
            Step::Cleanup => Guards::Cleanup,
            _ => return Admission::Now,
        };
        if self.guards != guards {
            return Admission::Now;
        }
        self.note(Seen::Asked);
        *self.gate.admission.lock().unwrap()
    }

    fn invalid_message(&mut self, _: InvalidMessage) -> Option<Errno> {
        self.answers
    }

    fn reset(&mut self) {}

    /// Reads what the client has mapped, on a thread.
    fn dma_mapped(&mut self, range: std::ops::RangeInclusive<u64>) {
        let (dma, seen) = (self.ram.dma().for_session(), self.seen.clone());
        thread::spawn(move || {
            if dma.read(*range.start(), &mut [0; 4]).is_err() {
                let _ = seen.send(Seen::ReadFailed);
            }
        });
    }

    fn disconnected(&mut self) {
        self.note(Seen::Left);
    }

    fn interrupts(&self) -> &Arc<Interrupts> {
        self.ram.interrupts()
    }

    fn dma(&self) -> &Dma {
        self.ram.dma()
    }
}

/// A served function, and its client, which has sent nothing yet.
struct Setup {
    _running: Running,
    client: RawClient,
    gate: Arc<Gate>,
    seen: Receiver<Seen>,
}

impl Setup {
    fn new(guards: Guards, admission: Admission, answers: Option<Errno>) -> Self {
        let (sender, seen) = channel();
        let gate = Gate { admission: Mutex::new(admission), wake: EventFd::new().unwrap() };
        let gate = Arc::new(gate);
        let function =
            Gated { ram: Ram::new(), guards, gate: Arc::clone(&gate), answers, seen: sender };
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut limits = Limits::default();
        // Nothing here is to time out.
        limits.answer = Duration::from_secs(3600);
        limits.release = Duration::from_secs(3600);
        let server = Server::from_stream(theirs).unwrap().limits(limits);
        let mut function = Some(function);
        let running = Running::start(server, move |server| {
            server.serve_functions(move || Ok(Box::new(function.take().expect("no panic"))))
        });
        Setup { _running: running, client: RawClient::new(ours), gate, seen }
    }

    fn guarding(guards: Guards, admission: Admission) -> Self {
        Self::new(guards, admission, None)
    }

    #[track_caller]
    fn sees(&self, expected: &Seen) {
        assert_eq!(self.seen.recv_timeout(PATIENCE).as_ref(), Ok(expected));
    }
}

#[test]
fn a_refused_request_has_no_effect() {
    let mut setup = Setup::guarding(Guards::Writes, Admission::Refused(Errno::EACCES));
    setup.client.negotiate();
    let write = wire::write(BAR, 0, &[7; 4]);
    setup.client.request(command::REGION_WRITE, &write, &[]).fails_with(errno::EACCES);
    assert_eq!(setup.client.number(BAR, 0, 4), 0);
    setup.gate.decide(Admission::Now);
    setup.client.write(BAR, 0, &[7; 4]);
    assert_eq!(setup.client.number(BAR, 0, 4), 0x0707_0707);
}

#[test]
fn a_delayed_request_holds_up_what_follows() {
    let mut setup = Setup::guarding(Guards::Writes, Admission::Later);
    setup.client.negotiate();
    let ids = [setup.client.id(), setup.client.id()];
    let write = wire::message(ids[0], command::REGION_WRITE, 0, &wire::write(BAR, 0, &[7; 4]));
    let read = wire::message(ids[1], command::REGION_READ, 0, &wire::access(BAR, 0, 4));
    setup.client.send(&[write, read].concat(), &[]);
    setup.sees(&Seen::Asked);
    assert!(!setup.client.has_message(Duration::from_millis(50)));
    // It is asked again, and says the same.
    setup.gate.wake.signal();
    setup.sees(&Seen::Asked);
    setup.gate.decide(Admission::Now);
    setup.client.answer_to(ids[0], command::REGION_WRITE).ok();
    assert_eq!(setup.client.answer_to(ids[1], command::REGION_READ).ok()[16..], [7; 4]);
}

#[test]
fn a_delayed_request_may_be_refused() {
    let mut setup = Setup::guarding(Guards::Writes, Admission::Later);
    setup.client.negotiate();
    let id = setup.client.id();
    let write = wire::write(BAR, 0, &[7; 4]);
    setup.client.send(&wire::message(id, command::REGION_WRITE, 0, &write), &[]);
    setup.sees(&Seen::Asked);
    setup.gate.decide(Admission::Refused(Errno::EPERM));
    setup.client.answer_to(id, command::REGION_WRITE).fails_with(errno::EPERM);
    assert_eq!(setup.client.number(BAR, 0, 4), 0);
}

#[test]
fn a_version_is_refused_but_not_delayed() {
    let mut setup = Setup::guarding(Guards::Version, Admission::Later);
    setup.client.negotiate();
    let mut setup = Setup::guarding(Guards::Version, Admission::Refused(Errno::EBUSY));
    let version = wire::version(0, "{}");
    setup.client.request(command::VERSION, &version, &[]).fails_with(errno::EBUSY);
    setup.client.expect_closed();
}

/// A thread of the device that waits for the client's memory could keep the device from admitting
/// the cleanup.
#[test]
fn requests_to_the_client_fail_before_a_delayed_cleanup() {
    let mut setup = Setup::guarding(Guards::Cleanup, Admission::Later);
    setup.client.negotiate();
    let map = wire::dma_map(dma::BOTH, 0, 0x1000, 0x1000);
    setup.client.request(command::DMA_MAP, &map, &[]).ok();
    setup.client.receive();
    setup.client.stream().shutdown(std::net::Shutdown::Both).unwrap();
    setup.sees(&Seen::Asked);
    setup.sees(&Seen::ReadFailed);
    setup.gate.decide(Admission::Now);
    setup.sees(&Seen::Asked);
    setup.sees(&Seen::Left);
}

/// A header that claims 15 bytes.
fn too_small() -> Vec<u8> {
    wire::header(1, command::SET_IRQS, 15, 0)
}

/// A message that is longer than all valid ones.
fn too_large() -> Vec<u8> {
    wire::message(2, command::SET_IRQS, 0, &vec![0; 2 << 20])
}

/// A reply to nothing.
fn unexpected_reply() -> Vec<u8> {
    wire::header(3, command::SET_IRQS, 16, flag::REPLY)
}

#[test]
fn a_function_may_answer_what_is_no_request() {
    let mut setup = Setup::new(Guards::Nothing, Admission::Now, Some(Errno::ENOTTY));
    setup.client.negotiate();
    for (id, message) in [(1, too_small()), (2, too_large()), (3, unexpected_reply())] {
        setup.client.send(&message, &[]);
        setup.client.answer_to(id, command::SET_IRQS).fails_with(errno::ENOTTY);
        assert_eq!(setup.client.number(BAR, 0, 4), 0);
    }
    // Two in a row, received at once.
    setup.client.send(&[too_small(), too_small()].concat(), &[]);
    for _ in 0..2 {
        setup.client.answer_to(1, command::SET_IRQS).fails_with(errno::ENOTTY);
    }
    assert_eq!(setup.client.number(BAR, 0, 4), 0);
}

#[test]
fn otherwise_the_server_answers_only_what_it_has_to() {
    let mut setup = Setup::guarding(Guards::Nothing, Admission::Now);
    setup.client.negotiate();
    setup.client.send(&unexpected_reply(), &[]);
    setup.client.send(&too_large(), &[]);
    setup.client.answer_to(2, command::SET_IRQS).fails_with(errno::E2BIG);
    setup.client.send(&too_small(), &[]);
    setup.client.expect_closed();
}
