//! Devices that have to let go of memory before a request is answered, and what goes on meanwhile.

use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use vfio_user::{
    Cx, Device, DmaError, DmaGuard, PciDevice, Remote, ResetKind, Resumed, Server, SessionDma,
    Virtual,
};
use vfio_user_tests::puppet;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve::Running;
use vfio_user_tests::wire::{self, command, dma, errno, flag};
use vfio_user_tests::{PATIENCE, files};

const PAGE: u64 = 0x1000;
const CONFIG: u32 = wire::region::CONFIG;
/// Long enough for an answer that should not come.
const MOMENT: Duration = Duration::from_millis(50);

/// What a test sees of a [`Holder`], and holds for it.
struct Outside {
    guards: Arc<Mutex<Vec<DmaGuard>>>,
    remote: Remote<u32>,
    memory: SessionDma,
    received: Receiver<Call>,
}

impl Outside {
    fn let_go(&self) {
        self.guards.lock().unwrap().clear();
    }

    #[track_caller]
    fn expect(&self, call: &Call) {
        assert_eq!(self.received.recv_timeout(PATIENCE).as_ref(), Ok(call));
    }

    #[track_caller]
    fn expect_nothing(&self) {
        assert!(self.received.try_recv().is_err());
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Call {
    Unmapped(u64),
    Quiesce,
    Resumed,
    Reset,
    Event(u32),
}

/// Holds the first page of its memory, in hands that do not let go by themselves.
#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f8)]
#[bar(0: mem32, size = 0x1000)]
#[capability(express(endpoint, flr))]
struct Holder {
    #[reg(0, wo, write_with = Self::hold)]
    hold: Virtual<u32>,
    #[reg(4, reset = 7)]
    scratch: u32,
    #[reg(8, ro, read_with = Self::first_byte)]
    first_byte: Virtual<u32>,
    #[migrate(skip)]
    guards: Arc<Mutex<Vec<DmaGuard>>>,
    #[migrate(skip)]
    calls: Sender<Call>,
    #[migrate(skip)]
    handles: Sender<(Remote<u32>, SessionDma)>,
}

impl Holder {
    fn hold(&mut self, cx: &mut Cx<'_, Self>, iova: u32) {
        self.guards.lock().unwrap().push(cx.dma().map(iova.into(), 8).unwrap());
    }

    fn first_byte(_: &mut Self, cx: &mut Cx<'_, Self>) -> u32 {
        cx.dma().read_obj::<u8>(0).unwrap().into()
    }

    fn report(&self, what: Call) {
        // A test that has ended listens no more.
        let _ = self.calls.send(what);
    }
}

impl Device for Holder {
    type Event = u32;

    fn start(&mut self, cx: &mut Cx<'_, Self>) -> vfio_user::Result<()> {
        let _ = self.handles.send((cx.remote(), cx.dma().for_session()));
        Ok(())
    }

    fn event(&mut self, _: &mut Cx<'_, Self>, event: u32) {
        self.report(Call::Event(event));
    }

    fn quiesce(&mut self, cx: &mut Cx<'_, Self>) {
        assert!(cx.dma().regions().len() < 2 || cx.dma().read(0, &mut [0]).is_ok());
        self.report(Call::Quiesce);
        cx.post(100);
    }

    fn resume(&mut self, _: &mut Cx<'_, Self>, resumed: Resumed) {
        assert_eq!(resumed, Resumed::Continued);
        self.report(Call::Resumed);
    }

    fn reset(&mut self, cx: &mut Cx<'_, Self>, _: ResetKind) {
        if !cx.dma().regions().is_empty() {
            cx.dma().read(PAGE, &mut [0]).expect("its own thread is not kept from memory");
        }
        self.report(Call::Reset);
    }

    fn dma_unmapped(&mut self, _: &mut Cx<'_, Self>, range: std::ops::RangeInclusive<u64>) {
        self.report(Call::Unmapped(*range.start()));
    }
}

/// A device with two pages of memory, of which it holds the first, and a neighbour on the same
/// thread.
fn setup() -> (Running, RawClient, Outside, RawClient) {
    let (calls, received) = channel();
    let (handles, handed) = channel();
    let guards = Arc::new(Mutex::new(Vec::new()));
    let server = Server::new().unwrap();
    let handle = server.handle();
    let held = Arc::clone(&guards);
    let (_, mut client) = puppet::add(&handle, move || Holder {
        hold: Virtual::default(),
        scratch: 0,
        first_byte: Virtual::default(),
        guards: Arc::clone(&held),
        calls: calls.clone(),
        handles: handles.clone(),
    });
    let (_, mut neighbour) = puppet::add(&handle, puppet::Puppet::factory(|_| {}));
    let running = Running::start(server, Server::run);
    client.negotiate();
    neighbour.negotiate();
    let file = files::memory(2 * PAGE);
    client.dma_map(dma::BOTH, 0, 0, PAGE, Some(file.as_fd())).ok();
    client.dma_map(dma::BOTH, PAGE, PAGE, PAGE, Some(file.as_fd())).ok();
    client.write(0, 0, &0u32.to_le_bytes());
    let (remote, memory) = handed.recv().unwrap();
    (running, client, Outside { guards, remote, memory, received }, neighbour)
}

/// Sends a request, which is not answered yet.
#[track_caller]
fn begin(client: &RawClient, command: u16, payload: &[u8]) {
    client.send(&wire::message(7, command, 0, payload), &[]);
    assert!(!client.has_message(MOMENT));
}

fn begin_unmap(client: &RawClient) {
    begin(client, command::DMA_UNMAP, &wire::dma_unmap(0, 0, PAGE));
}

#[test]
fn a_device_that_holds_memory_holds_up_no_other() {
    let (_running, client, outside, mut neighbour) = setup();
    begin_unmap(&client);
    for value in 0..200u32 {
        neighbour.write(0, puppet::Puppet::SCRATCH, &value.to_le_bytes());
        assert_eq!(neighbour.number(0, puppet::Puppet::SCRATCH, 4), u64::from(value));
    }
    assert!(!client.has_message(MOMENT));
    outside.let_go();
    assert_eq!(client.answer_to(7, command::DMA_UNMAP).errno(), None);
}

#[test]
fn events_arrive_while_memory_is_held_and_later_requests_wait() {
    let (_running, client, outside, _) = setup();
    begin_unmap(&client);
    outside.expect(&Call::Unmapped(0));
    client.send(&wire::message(8, command::REGION_READ, 0, &wire::access(0, 4, 4)), &[]);
    client.send(&wire::message(9, command::RESET, 0, &[]), &[]);
    for event in 0..3 {
        outside.remote.post(event).unwrap();
        outside.expect(&Call::Event(event));
    }
    assert!(!client.has_message(MOMENT));
    outside.expect_nothing();
    outside.let_go();
    assert_eq!(client.answer_to(7, command::DMA_UNMAP).errno(), None);
    assert_eq!(client.answer_to(8, command::REGION_READ).errno(), None);
    assert_eq!(client.answer_to(9, command::RESET).errno(), None);
    outside.expect(&Call::Quiesce);
}

#[test]
fn a_request_that_wants_no_reply_waits_as_well() {
    let (_running, mut client, outside, _) = setup();
    let unmap = wire::dma_unmap(0, 0, PAGE);
    client.send(&wire::message(7, command::DMA_UNMAP, flag::NO_REPLY, &unmap), &[]);
    outside.expect(&Call::Unmapped(0));
    begin(&client, command::REGION_READ, &wire::access(0, 4, 4));
    outside.let_go();
    assert_eq!(client.answer_to(7, command::REGION_READ).errno(), None);
    assert_eq!(client.dma_unmap(0, PAGE, PAGE), Ok(()));
}

#[test]
fn a_client_may_leave_while_it_waits() {
    let (running, client, outside, mut neighbour) = setup();
    begin_unmap(&client);
    drop(client);
    outside.let_go();
    neighbour.write(0, puppet::Puppet::SCRATCH, &[1; 4]);
    drop(neighbour);
    running.join().unwrap();
}

#[test]
fn a_reset_waits_for_all_memory_and_keeps_it() {
    let (_running, mut client, outside, mut neighbour) = setup();
    client.write(0, 4, &9u32.to_le_bytes());
    begin(&client, command::RESET, &[]);
    outside.expect(&Call::Quiesce);
    outside.expect(&Call::Event(100));
    neighbour.sync();
    outside.expect_nothing();
    let stopped = outside.memory.read(PAGE, &mut [0]);
    assert!(matches!(stopped, Err(DmaError::Stopped { iova: PAGE })), "{stopped:?}");
    assert!(matches!(outside.memory.map(0, 1), Err(DmaError::Stopped { .. })));
    outside.guards.lock().unwrap()[0].write(0, &[5]).expect("what it has it keeps");
    outside.let_go();
    assert_eq!(client.answer_to(7, command::RESET).errno(), None);
    outside.expect(&Call::Reset);
    assert_eq!(client.number(0, 4, 4), 7);
    let ended = outside.memory.read(0, &mut [0]);
    assert!(matches!(ended, Err(DmaError::SessionEnded { .. })), "{ended:?}");
    assert_eq!(client.number(0, 8, 4), 5, "the memory is there");
    assert_eq!(client.dma_unmap(dma::UNMAP_ALL, 0, 0), Ok(()));
}

#[test]
fn a_device_that_does_not_release_memory_does_not_stop() {
    let (_running, mut client, outside, _) = setup();
    let stop = wire::words(&[16, 0x2_0002, 1, 0]);
    client.request(command::DEVICE_FEATURE, &stop, &[]).fails_with(errno::EBUSY);
    outside.expect(&Call::Quiesce);
    outside.expect(&Call::Event(100));
    outside.expect(&Call::Resumed);
    let state = client.request(command::DEVICE_FEATURE, &wire::words(&[16, 0x1_0002]), &[]).ok();
    assert_eq!(wire::u32_at(&state, 8), 2, "it runs");
    outside.let_go();
    client.request(command::DEVICE_FEATURE, &stop, &[]).ok();
}

#[test]
fn a_device_that_does_not_release_memory_is_not_reset() {
    let (_running, mut client, outside, _) = setup();
    client.write(0, 4, &9u32.to_le_bytes());
    client.request(command::RESET, &[], &[]).fails_with(errno::EBUSY);
    outside.expect(&Call::Quiesce);
    outside.expect(&Call::Event(100));
    outside.expect(&Call::Resumed);
    outside.expect_nothing();
    assert_eq!(client.number(0, 4, 4), 9, "as it was");
    outside.memory.read(0, &mut [0]).expect("it goes on");
    // What it has held all the time is still waited for.
    begin_unmap(&client);
    outside.let_go();
    assert_eq!(client.answer_to(7, command::DMA_UNMAP).errno(), None);
    client.request(command::RESET, &[], &[]).ok();
}

/// Where device control of the only capability is.
fn device_control(client: &mut RawClient) -> u64 {
    client.number(CONFIG, 0x34, 1) + 8
}

/// Whether it answers as a device that is not ready: with ones, whatever is written.
fn is_not_ready(client: &mut RawClient) -> bool {
    client.write(0, 4, &0x55u32.to_le_bytes());
    client.write(CONFIG, 0x3c, &[0x55]);
    let answers =
        [client.number(0, 4, 4), client.number(CONFIG, 0, 4), client.number(CONFIG, 0xffc, 4)];
    assert!(answers[0] != 0x55 && client.number(CONFIG, 0x3c, 1) != 0x55);
    answers.iter().all(|answer| *answer == 0xffff_ffff)
}

#[track_caller]
fn expect_ready(client: &mut RawClient) {
    let start = std::time::Instant::now();
    while client.number(CONFIG, 0, 4) == 0xffff_ffff {
        assert!(start.elapsed() < PATIENCE, "the reset is lost");
    }
}

#[test]
fn a_guest_that_resets_a_function_finds_it_not_ready_while_memory_is_held() {
    let (_running, mut client, outside, mut neighbour) = setup();
    let control = device_control(&mut client);
    client.write(0, 4, &9u32.to_le_bytes());
    assert_eq!(client.number(CONFIG, control + 2, 2), 1 << 5, "transactions are pending");
    client.write(CONFIG, control, &0x8000u16.to_le_bytes());
    outside.expect(&Call::Quiesce);
    outside.expect(&Call::Event(100));
    let ended = outside.memory.read(0, &mut [0]);
    assert!(matches!(ended, Err(DmaError::SessionEnded { .. })), "{ended:?}");
    assert!(is_not_ready(&mut client));
    outside.remote.post(5).unwrap();
    outside.expect(&Call::Event(5));
    neighbour.sync();
    std::thread::sleep(MOMENT);
    outside.expect_nothing();
    assert!(is_not_ready(&mut client), "for as long as memory is held");
    outside.let_go();
    outside.expect(&Call::Reset);
    expect_ready(&mut client);
    assert_eq!((client.number(0, 4, 4), client.number(CONFIG, 0x3c, 1)), (7, 0));
    assert_eq!(client.number(CONFIG, control, 4) & 0x0020_8000, 0, "and nothing is pending");
    assert_eq!(client.number(0, 8, 4), 0, "the memory is there");
    client.write(0, 4, &9u32.to_le_bytes());
    assert_eq!(client.number(0, 4, 4), 9);
}

/// Memory that stays held keeps the function from being reset, and the client from nothing.
#[test]
fn no_reset_of_a_guest_is_lost() {
    let (_running, mut client, outside, _) = setup();
    let control = device_control(&mut client);
    let reset = 0x8000u16.to_le_bytes();
    client.write(CONFIG, control, &reset);
    std::thread::sleep(Duration::from_millis(4500));
    assert!(is_not_ready(&mut client));
    client.write(CONFIG, control, &reset);
    begin_unmap(&client);
    outside.let_go();
    client.answer_to(7, command::DMA_UNMAP).ok();
    expect_ready(&mut client);
    assert_eq!(client.number(0, 4, 4), 7);
}

/// What else ends the wait: a reset of the client's, and its leaving.
#[test]
fn a_client_may_reset_a_function_that_waits_for_its_reset_and_leave_it() {
    let (_running, mut client, outside, _) = setup();
    let control = device_control(&mut client);
    client.write(CONFIG, control, &0x8000u16.to_le_bytes());
    assert!(is_not_ready(&mut client));
    begin(&client, command::RESET, &[]);
    assert!(!client.has_message(MOMENT), "it waits for the memory");
    outside.let_go();
    assert_eq!(client.answer_to(7, command::RESET).errno(), None);
    assert_eq!(client.number(0, 4, 4), 7);
    assert_eq!(outside.received.try_iter().last(), Some(Call::Reset));
    client.write(0, 0, &0u32.to_le_bytes());
    client.write(0, 4, &9u32.to_le_bytes());
    client.write(CONFIG, control, &0x8000u16.to_le_bytes());
    assert!(is_not_ready(&mut client));
    drop(client);
    for call in [Call::Quiesce, Call::Event(100), Call::Unmapped(0), Call::Reset] {
        outside.expect(&call);
    }
}

/// The guest's first write in the message resets the function, which holds memory.
#[test]
fn writes_behind_a_reset_in_one_message_find_the_function_not_ready() {
    let (_running, mut client, outside, mut neighbour) = setup();
    let control = device_control(&mut client);
    client.write(0, 4, &9u32.to_le_bytes());
    let reset = 0x8000u16.to_le_bytes();
    let writes: [(u32, u64, &[u8]); 2] = [(CONFIG, control, &reset), (CONFIG, 0x3c, &[11])];
    let message = wire::message(7, command::REGION_WRITE_MULTI, 0, &wire::write_multi(&writes));
    client.send(&message, &[]);
    outside.expect(&Call::Quiesce);
    outside.expect(&Call::Event(100));
    neighbour.sync();
    let answer = client.answer_to(7, command::REGION_WRITE_MULTI).ok();
    assert_eq!(wire::number(&answer), 2);
    outside.expect_nothing();
    outside.let_go();
    outside.expect(&Call::Reset);
    expect_ready(&mut client);
    assert_eq!((client.number(0, 4, 4), client.number(CONFIG, 0x3c, 1)), (7, 0), "reset");
}

#[test]
fn thousands_of_resets_in_one_message_reset_the_function_once() {
    let (_running, mut client, outside, _) = setup();
    let control = device_control(&mut client);
    outside.let_go();
    let reset = 0x8000u16.to_le_bytes();
    let writes: Vec<(u32, u64, &[u8])> = vec![(CONFIG, control, &reset); 2000];
    let message = wire::message(7, command::REGION_WRITE_MULTI, 0, &wire::write_multi(&writes));
    client.send(&message, &[]);
    let answer = client.answer_to(7, command::REGION_WRITE_MULTI).ok();
    assert_eq!(wire::number(&answer), 2000);
    client.sync();
    let calls: Vec<_> = outside.received.try_iter().collect();
    assert_eq!(calls, [Call::Quiesce, Call::Event(100), Call::Reset]);
    client.write(CONFIG, control, &reset);
    client.sync();
    assert!(outside.received.try_iter().any(|call| call == Call::Reset), "the next message's");
}
