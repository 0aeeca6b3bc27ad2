//! Memory that the load of a refused state has overwritten.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use vfio_user::{Bench, Cx, Device, Error, PciDevice, ResetKind, Server, Shared};
use vfio_user_tests::journal::Gate;
use vfio_user_tests::puppet::{self, Puppet};
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve::Running;
use vfio_user_tests::wire::{self, command, errno};

const SIZE: u64 = 16 << 20;
const PAGE: u64 = 4096;
const OLD: u64 = 0x0123_4567_89ab_cdef;

/// Memory that is full, and a state that can be refused.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10fa)]
#[bar(0: mem64, size = SIZE, shared)]
#[bar(2: mem32, size = 0x1000)]
struct Full {
    /// What the memory held when the device was reset or left.
    #[reg(0x0, bar = 2)]
    first_word: u64,
    #[migrate(skip)]
    outside: Outside,
}

#[derive(Clone, Debug, Default)]
struct Outside {
    memory: Arc<OnceLock<Shared>>,
    /// Held when the device refuses its state; without one, it does not refuse.
    gate: Option<Gate>,
    /// Word 0 when the client has left.
    left: Arc<AtomicU64>,
}

impl Outside {
    fn word(&self, offset: u64) -> u64 {
        self.memory.get().unwrap().load(offset).unwrap()
    }
}

impl Device for Full {
    type Event = ();

    fn start(&mut self, cx: &mut Cx<'_, Self>) -> Result<(), Error> {
        let memory = cx.shared(0);
        for page in (0..SIZE).step_by(4096) {
            memory.store(page, OLD).unwrap();
        }
        let _ = self.outside.memory.set(memory.clone());
        Ok(())
    }

    fn loaded(&mut self, _: &mut Cx<'_, Self>) -> Result<(), Error> {
        match &self.outside.gate {
            Some(gate) => {
                gate.pass();
                Err(Error::device("no such state"))
            }
            None => Ok(()),
        }
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        self.first_word = self.outside.word(0);
    }

    fn disconnected(&mut self, _: &mut Cx<'_, Self>) {
        self.outside.left.store(self.outside.word(0), Ordering::Relaxed);
    }
}

/// The state of a device whose memory is zeros but for one word.
fn stream() -> Vec<u8> {
    let mut bench = Bench::new(Full::default()).unwrap();
    bench.shared(0).fill(0..SIZE, 0).unwrap();
    bench.shared(0).store(PAGE, 1_u64).unwrap();
    bench.save()
}

fn set_state(state: u32) -> Vec<u8> {
    wire::words(&[16, 0x2_0002, state, 0])
}

const STOP: u32 = 1;
const RESUMING: u32 = 4;

/// Starts to load a state.
fn load(client: &mut RawClient) {
    client.request(command::DEVICE_FEATURE, &set_state(RESUMING), &[]).ok();
    for piece in stream().chunks(1 << 19) {
        let len = u32::try_from(piece.len()).unwrap();
        let data = [wire::words(&[8 + len, len]), piece.to_vec()].concat();
        client.request(command::MIG_DATA_WRITE, &data, &[]).ok();
    }
}

struct Place {
    _running: Running,
    /// The client of the device that loads.
    client: RawClient,
    other: RawClient,
    outside: Outside,
    /// The word 0 of that device's memory when the other device had a turn.
    noted: Arc<AtomicU64>,
}

impl Place {
    /// Two devices on one thread.
    fn new(gate: Option<Gate>) -> Self {
        let server = Server::new().unwrap();
        let handle = server.handle();
        let outside = Outside { gate, ..Outside::default() };
        let (of_full, of_other) = (outside.clone(), outside.clone());
        let noted = Arc::new(AtomicU64::new(u64::MAX));
        let note = Arc::clone(&noted);
        let full = move || Full { outside: of_full.clone(), ..Full::default() };
        let (_, mut client) = puppet::add(&handle, full);
        let act = move |_| note.store(of_other.word(0), Ordering::Relaxed);
        let (_, mut other) = puppet::add(&handle, Puppet::factory(act));
        let running = Running::start(server, Server::run);
        client.negotiate();
        other.negotiate();
        Place { _running: running, client, other, outside, noted }
    }

    fn expect_restored(&self) {
        for page in (0..SIZE).step_by(4096) {
            assert_eq!(self.outside.word(page), OLD, "{page:#x}");
        }
    }
}

#[test]
fn other_sessions_are_served_before_the_memory_of_a_refused_state_is_restored() {
    let gate = Gate::default();
    let mut place = Place::new(Some(gate.clone()));
    load(&mut place.client);
    let id = place.client.id();
    let stop = wire::message(id, command::DEVICE_FEATURE, 0, &set_state(STOP));
    place.client.send(&stop, &[]);
    gate.wait_until_held();
    place.other.posted_write(0, Puppet::ACT, &[0; 4]);
    gate.open();
    place.other.sync();
    assert_eq!(place.noted.load(Ordering::Relaxed), 0, "not restored yet");
    place.client.answer_to(id, command::DEVICE_FEATURE).fails_with(errno::EINVAL);
    place.expect_restored();
    place.client.request(command::RESET, &[], &[]).ok();
    place.client.sync();
}

#[test]
fn a_reset_sees_the_memory_from_before_the_load() {
    let mut place = Place::new(None);
    load(&mut place.client);
    assert_eq!(place.outside.word(0), 0);
    place.client.request(command::RESET, &[], &[]).ok();
    assert_eq!(place.client.number(2, 0, 8), OLD);
    place.expect_restored();
}

#[test]
fn the_memory_is_restored_before_a_client_that_leaves_is_gone() {
    for is_refused in [true, false] {
        let gate = is_refused.then(Gate::default);
        let mut place = Place::new(gate.clone());
        load(&mut place.client);
        if let Some(gate) = gate {
            place.client.post(command::DEVICE_FEATURE, &set_state(STOP), &[]);
            gate.wait_until_held();
            gate.open();
        }
        drop(place.client);
        place.other.sync();
        let start = std::time::Instant::now();
        while place.outside.left.load(Ordering::Relaxed) == 0 {
            assert!(start.elapsed() < vfio_user_tests::PATIENCE);
            std::thread::yield_now();
        }
        assert_eq!(place.outside.left.load(Ordering::Relaxed), OLD);
    }
}
