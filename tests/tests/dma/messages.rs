//! Memory that is reached by messages, of threads that wait for it.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use vfio_user::protocol::Errno;
use vfio_user::{Cx, Device, DmaError, PciDevice, SessionDma, Virtual};
use vfio_user_tests::raw::{Answer, RawClient};
use vfio_user_tests::scripted::{refuse, reply};
use vfio_user_tests::serve::{self, Running};
use vfio_user_tests::wire::{self, command, dma, errno, flag};
use vfio_user_tests::{PATIENCE, files};

const PAGE: u64 = 0x1000;
/// Long enough for a message that should not come.
const MOMENT: Duration = Duration::from_millis(50);

/// A device whose memory others use.
#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f8)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 1)]
struct Lender {
    #[reg(0)]
    scratch: u32,
    #[reg(4, ro, read_with = Self::read_now)]
    read: Virtual<u32>,
    #[migrate(skip)]
    lent: std::sync::mpsc::Sender<SessionDma>,
}

impl Device for Lender {
    type Event = ();

    fn start(&mut self, cx: &mut Cx<'_, Self>) -> vfio_user::Result<()> {
        let _ = self.lent.send(cx.dma().for_session());
        Ok(())
    }
}

impl Lender {
    /// Whether memory can be read in a hook.
    fn read_now(_: &mut Self, cx: &mut Cx<'_, Self>) -> u32 {
        match cx.dma().read(0, &mut [0]) {
            Ok(()) => 0,
            Err(DmaError::MessageMode { .. }) => 1,
            Err(_) => 2,
        }
    }
}

fn lender() -> (impl FnMut() -> Lender + Send + 'static, Receiver<SessionDma>) {
    let (lent, memory) = channel();
    (move || Lender { scratch: 0, read: Virtual::default(), lent: lent.clone() }, memory)
}

/// A device with a megabyte at address 0 that is reached by messages, and a page behind it that is
/// not.
fn setup() -> (Running, RawClient, SessionDma, File) {
    let (factory, memory) = lender();
    let (running, mut client) = serve::over_pair(factory);
    client.negotiate();
    client.dma_map(dma::BOTH, 0, 0, 0x10_0000, None).ok();
    let file = files::memory(PAGE);
    client.dma_map(dma::BOTH, 0, 0x10_0000, PAGE, Some(file.as_fd())).ok();
    (running, client, memory.recv().unwrap(), file)
}

type Reading = JoinHandle<Result<Vec<u8>, DmaError>>;

fn read(dma: &SessionDma, iova: u64, len: usize) -> Reading {
    let dma = dma.clone();
    thread::spawn(move || {
        let mut data = vec![0; len];
        dma.read(iova, &mut data).map(|()| data)
    })
}

fn write(dma: &SessionDma, iova: u64, data: &[u8]) -> JoinHandle<Result<(), DmaError>> {
    let (dma, data) = (dma.clone(), data.to_vec());
    thread::spawn(move || dma.write(iova, &data))
}

/// The range that a request is about.
#[track_caller]
fn range(request: &Answer, command: u16) -> (u64, u64) {
    assert_eq!((request.command, request.flags), (command, 0));
    assert!(request.fds.is_empty());
    (wire::u64_at(&request.payload, 0), wire::u64_at(&request.payload, 8))
}

#[test]
fn a_thread_reads_and_writes_by_asking() {
    let (_running, client, dma, _) = setup();
    let reading = read(&dma, 0x234, 5);
    let request = client.receive();
    assert_eq!(range(&request, command::DMA_READ), (0x234, 5));
    assert_eq!(request.payload.len(), 16);
    reply(&client, &request, &wire::dma_access(0x234, 5, b"hello"));
    assert_eq!(reading.join().unwrap().unwrap(), b"hello");
    let writing = write(&dma, 0x678, b"world");
    let request = client.receive();
    assert_eq!(request.payload, wire::dma_access(0x678, 5, b"world"));
    reply(&client, &request, &wire::dma_access(0x678, 5, &[]));
    writing.join().unwrap().unwrap();
}

#[test]
fn a_hook_cannot_wait_for_it_and_says_so() {
    let (_running, mut client, _dma, _) = setup();
    assert_eq!(client.number(0, 4, 4), 1);
    assert!(!client.has_message(MOMENT));
}

#[test]
fn requests_of_both_sides_cross() {
    let (_running, mut client, dma, _) = setup();
    let readings: Vec<_> = (0..8).map(|n| read(&dma, n * 0x100, 4)).collect();
    let requests: Vec<_> = readings.iter().map(|_| client.receive()).collect();
    client.write(0, 0, b"abcd");
    for request in requests.iter().rev() {
        let (iova, _) = range(request, command::DMA_READ);
        let data = &iova.to_le_bytes()[..4];
        // In one send with a request of ours.
        let answer = wire::dma_access(iova, 4, data);
        let answer = wire::message(request.id, command::DMA_READ, flag::REPLY, &answer);
        let ours = wire::message(request.id, command::REGION_READ, 0, &wire::access(0, 0, 4));
        client.send(&[answer, ours].concat(), &[]);
        assert_eq!(client.answer_to(request.id, command::REGION_READ).ok()[16..], *b"abcd");
    }
    for (n, reading) in (0u32..).zip(readings) {
        assert_eq!(reading.join().unwrap().unwrap(), (n * 0x100).to_le_bytes());
    }
}

/// From a page in front of memory that is mapped to its middle, by pieces.
#[test]
fn a_range_may_be_reached_by_both_ways() {
    let (_running, client, dma, file) = setup();
    file.write_all_at(&[7; 16], 0).unwrap();
    let len = 40_000 + 16;
    let reading = read(&dma, 0x10_0000 - 40_000, len);
    for expected in [(0x10_0000 - 40_000, 32_768), (0x10_0000 - 7_232, 7_232)] {
        let request = client.receive();
        let (iova, count) = range(&request, command::DMA_READ);
        assert_eq!((iova, count), expected);
        let data = vec![5; usize::try_from(count).unwrap()];
        reply(&client, &request, &wire::dma_access(iova, count, &data));
    }
    let data = reading.join().unwrap().unwrap();
    assert!(data == [vec![5; 40_000], vec![7; 16]].concat());
    let writing = write(&dma, 0x10_0000 - 2, b"abcd");
    let request = client.receive();
    assert_eq!(request.payload, wire::dma_access(0x10_0000 - 2, 2, b"ab"));
    reply(&client, &request, &[]);
    writing.join().unwrap().unwrap();
    let mut bytes = [0; 2];
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"cd");
}

#[test]
fn guards_and_words_of_such_memory() {
    let (_running, client, dma, _) = setup();
    let guard = dma.map(0x10_0000 - 8, 16).unwrap();
    assert!(guard.segments()[0].address().is_none() && guard.segments()[1].address().is_some());
    assert!(matches!(guard.segments()[0].load::<u32>(0), Err(DmaError::NotMapped { .. })));
    assert!(matches!(dma.store(0, 1u32), Err(DmaError::NotMapped { iova: 0 })));
    let held = guard.clone();
    let reading = thread::spawn(move || {
        let mut data = [9; 16];
        held.read(0, &mut data).map(|()| data)
    });
    let request = client.receive();
    reply(&client, &request, &wire::dma_access(0x10_0000 - 8, 8, &[1; 8]));
    assert_eq!(reading.join().unwrap().unwrap(), [1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    let filling = thread::spawn(move || dma.fill(0x10, 6, 0xaa));
    let request = client.receive();
    assert_eq!(request.payload, wire::dma_access(0x10, 6, &[0xaa; 6]));
    reply(&client, &request, &[]);
    filling.join().unwrap().unwrap();
}

#[test]
fn rights_are_checked_before_anybody_is_asked() {
    let (_running, mut client, dma, _) = setup();
    client.dma_map(dma::READ, 0, 0x20_0000, PAGE, None).ok();
    client.dma_map(dma::WRITE, 0, 0x30_0000, PAGE, None).ok();
    assert!(matches!(dma.write(0x20_0000, b"x"), Err(DmaError::NotWritable { .. })));
    assert!(matches!(dma.read(0x30_0000, &mut [0]), Err(DmaError::NotReadable { .. })));
    assert!(matches!(dma.read(0x20_0fff, &mut [0; 2]), Err(DmaError::Unmapped { .. })));
    assert!(!client.has_message(MOMENT));
}

#[test]
fn what_the_client_refuses_keeps_its_number() {
    let (_running, client, dma, _) = setup();
    for number in [errno::EFAULT, errno::EPERM] {
        let reading = read(&dma, 0, 4);
        refuse(&client, &client.receive(), number);
        let refused = reading.join().unwrap();
        let expected = Errno::from_wire(number);
        assert!(
            matches!(refused, Err(DmaError::Refused { iova: 0, errno }) if errno == expected),
            "{refused:?}"
        );
    }
}

#[test]
fn answers_that_make_no_sense_cost_their_request_only() {
    let (_running, mut client, dma, _) = setup();
    let short = wire::dma_access(0, 4, b"abc");
    let long = wire::dma_access(0, 5, b"abcde");
    let elsewhere = wire::dma_access(1, 4, b"abcd");
    let nothing = wire::dma_access(0, 0, b"");
    for payload in [&short[..], &long, &elsewhere, &nothing, &[], &[0; 7]] {
        let reading = read(&dma, 0, 4);
        reply(&client, &client.receive(), payload);
        let result = reading.join().unwrap();
        assert!(matches!(result, Err(DmaError::Malformed { iova: 0 })), "{result:?}");
    }
    // To another command; too large to be taken; without a request.
    let reading = read(&dma, 0, 4);
    let request = client.receive();
    client.send(&wire::message(request.id, command::DMA_WRITE, flag::REPLY, &[]), &[]);
    assert!(matches!(reading.join().unwrap(), Err(DmaError::Malformed { .. })));
    let reading = read(&dma, 0, 4);
    let request = client.receive();
    reply(&client, &request, &vec![0; 3 << 20]);
    assert!(matches!(reading.join().unwrap(), Err(DmaError::Malformed { .. })));
    client.send(&wire::message(request.id, command::DMA_READ, flag::REPLY, &[0; 20]), &[]);
    client.send(&wire::message(1, command::RESET, flag::REPLY, &[]), &[]);
    client.sync();
}

#[test]
fn a_short_answer_is_followed_by_the_rest_and_a_second_one_ignored() {
    let (_running, mut client, dma, _) = setup();
    let reading = read(&dma, 0, 10);
    let first = client.receive();
    reply(&client, &first, &wire::dma_access(0, 4, b"0123"));
    let second = client.receive();
    assert_eq!(range(&second, command::DMA_READ), (4, 6));
    reply(&client, &first, &wire::dma_access(0, 10, b"xxxxxxxxxx"));
    reply(&client, &second, &wire::dma_access(4, 6, b"456789"));
    reply(&client, &second, &wire::dma_access(4, 6, b"xxxxxx"));
    assert_eq!(reading.join().unwrap().unwrap(), b"0123456789");
    client.sync();
}

#[test]
fn descriptors_that_come_with_an_answer_are_closed() {
    let (_running, mut client, dma, _) = setup();
    let (mut reader, writer) = files::new_pipe();
    let reading = read(&dma, 0, 1);
    let request = client.receive();
    let answer = wire::dma_access(0, 1, b"x");
    let answer = wire::message(request.id, request.command, flag::REPLY, &answer);
    client.send(&answer, &[writer.as_fd()]);
    assert_eq!(reading.join().unwrap().unwrap(), b"x");
    client.sync();
    drop(writer);
    files::assert_closed(&mut reader);
}

#[test]
fn a_client_that_leaves_fails_what_it_was_asked() {
    let (running, client, dma, _) = setup();
    let readings = [0, 1, 2].map(|n| read(&dma, n * 0x4_0000, 0x3_0000));
    for _ in 0..3 {
        client.receive();
    }
    drop(client);
    for reading in readings {
        let result = reading.join().unwrap();
        assert!(result.as_ref().is_err_and(DmaError::is_interruption), "{result:?}");
    }
    running.join().unwrap();
    assert!(matches!(dma.read(0, &mut [0]), Err(DmaError::SessionEnded { .. })));
}

#[test]
fn a_client_may_leave_in_the_middle_of_an_answer() {
    for part in [1, 15, 16, 20, 35] {
        let (running, client, dma, _) = setup();
        let reading = read(&dma, 0, 4);
        let request = client.receive();
        let answer = wire::dma_access(0, 4, b"good");
        let answer = wire::message(request.id, request.command, flag::REPLY, &answer);
        client.send(&answer[..part], &[]);
        drop(client);
        let result = reading.join().unwrap();
        assert!(matches!(result, Err(DmaError::Disconnected { iova: 0 })), "{result:?}");
        running.join().unwrap();
    }
}

#[test]
fn an_error_may_have_a_payload() {
    let (_running, mut client, dma, _) = setup();
    let reading = read(&dma, 0, 4);
    let request = client.receive();
    let mut answer = wire::message(
        request.id,
        request.command,
        flag::REPLY | flag::ERROR,
        &wire::dma_access(0, 4, b"good"),
    );
    answer[12] = 14;
    client.send(&answer, &[]);
    let refused = reading.join().unwrap();
    assert!(matches!(refused, Err(DmaError::Refused { errno: Errno::EFAULT, .. })));
    client.sync();
}

/// QEMU before 11, which is known by its `write_multiple`, and by how it answers a write of
/// nothing.
#[test]
fn the_layout_of_older_qemu_is_found_out_and_spoken() {
    let (factory, memory) = lender();
    let (_running, mut client) = serve::over_pair(factory);
    let proposal = wire::version(0, r#"{"capabilities":{"max_msg_fds":8,"write_multiple":true}}"#);
    client.request(command::VERSION, &proposal, &[]).ok();
    client.dma_map(dma::BOTH, 0, 0, 0x1000, None).ok();
    let dma = memory.recv().unwrap();
    let reading = read(&dma, 0x10, 4);
    let probe = client.receive();
    assert_eq!((probe.command, &probe.payload), (command::DMA_WRITE, &wire::dma_access(0, 0, &[])));
    reply(&client, &probe, &[]);
    let narrow = |data: &[u8]| [&0x10u64.to_le_bytes()[..], &[4, 0, 0, 0], data, &[0; 4]].concat();
    let request = client.receive();
    assert_eq!(range(&request, command::DMA_READ), (0x10, 4));
    reply(&client, &request, &narrow(b"good"));
    assert_eq!(reading.join().unwrap().unwrap(), b"good");
    let writing = write(&dma, 0x10, b"data");
    let request = client.receive();
    assert_eq!(request.payload, narrow(b"data"));
    reply(&client, &request, &[]);
    writing.join().unwrap().unwrap();
}

#[test]
fn a_client_that_does_not_answer_is_not_waited_for() {
    let (_running, mut client, dma, _) = setup();
    let start = std::time::Instant::now();
    let reading = read(&dma, 0, 4);
    let late = client.receive();
    let result = reading.join().unwrap();
    assert!(matches!(result, Err(DmaError::Unanswered { iova: 0 })), "{result:?}");
    assert!(start.elapsed() >= Duration::from_secs(5) && start.elapsed() < PATIENCE);
    reply(&client, &late, &wire::dma_access(0, 4, b"late"));
    client.sync();
    let reading = read(&dma, 0, 4);
    reply(&client, &client.receive(), &wire::dma_access(0, 4, b"good"));
    assert_eq!(reading.join().unwrap().unwrap(), b"good");
}

/// As QEMU: it answers nothing while it waits for an answer itself.
#[test]
fn an_unmap_and_a_reset_do_not_wait_for_answers_that_wait_for_them() {
    let (_running, mut client, dma, _) = setup();
    let reading = read(&dma, 0, 4);
    client.receive();
    assert_eq!(client.dma_unmap(0, 0, 0x10_0000), Ok(()));
    assert!(matches!(reading.join().unwrap(), Err(DmaError::Unanswered { .. })));
    client.dma_map(dma::BOTH, 0, 0, 0x10_0000, None).ok();
    let reading = read(&dma, 0, 4);
    client.receive();
    client.request(command::RESET, &[], &[]).ok();
    assert!(matches!(reading.join().unwrap(), Err(DmaError::Unanswered { .. })));
}

#[test]
fn answers_are_heard_while_an_unmap_or_a_reset_waits_for_them() {
    let (_running, mut client, dma, _) = setup();
    for (iova, command, payload) in
        [(8, command::DMA_UNMAP, wire::dma_unmap(0, 0, 0x10_0000)), (0, command::RESET, vec![])]
    {
        let reading = read(&dma, iova, 4);
        let request = client.receive();
        // And whatever the client has sent in front of them.
        client.send(&wire::message(7, command, 0, &payload), &[]);
        client.send(&wire::message(8, command::REGION_READ, 0, &wire::access(0, 0, 4)), &[]);
        client.send(&wire::message(9, command::REGION_WRITE, 0, &vec![0; 3 << 20]), &[]);
        reply(&client, &request, &wire::dma_access(iova, 4, b"good"));
        assert_eq!(client.answer_to(7, command).errno(), None);
        assert_eq!(client.answer_to(8, command::REGION_READ).errno(), None);
        client.answer_to(9, command::REGION_WRITE).fails_with(errno::E2BIG);
        assert_eq!(reading.join().unwrap().unwrap(), b"good");
        client.dma_map(dma::BOTH, 0, 0, 0x10_0000, None).ok();
    }
}

#[test]
fn an_unmap_fails_what_was_not_asked_for_yet() {
    let (_running, mut client, dma, _) = setup();
    // Four pieces of the largest size fill the window.
    let reading = read(&dma, 0, 0x2_0000);
    let requests: Vec<_> = (0..4).map(|_| client.receive()).collect();
    let waiting = read(&dma, 0x4_0000, 4);
    assert!(!client.has_message(MOMENT));
    client.send(&wire::message(7, command::DMA_UNMAP, 0, &wire::dma_unmap(0, 0, 0x10_0000)), &[]);
    assert!(matches!(waiting.join().unwrap(), Err(DmaError::Unmapped { .. })));
    for request in &requests {
        let (iova, count) = range(request, command::DMA_READ);
        let data = vec![3; usize::try_from(count).unwrap()];
        reply(&client, request, &wire::dma_access(iova, count, &data));
    }
    assert_eq!(client.answer_to(7, command::DMA_UNMAP).errno(), None);
    assert_eq!(reading.join().unwrap().unwrap(), vec![3; 0x2_0000]);
    client.sync();
}

#[test]
fn a_flood_of_answers_is_no_harm() {
    let (_running, mut client, dma, _) = setup();
    let flood: Vec<u8> = (0..2000u16)
        .flat_map(|id| wire::message(id, command::DMA_READ, flag::REPLY, &[0; 20]))
        .collect();
    client.send(&flood, &[]);
    let reading = read(&dma, 0, 4);
    let request = client.receive();
    client.send(&flood, &[]);
    reply(&client, &request, &wire::dma_access(0, 4, b"good"));
    assert_eq!(reading.join().unwrap().unwrap(), b"good");
    client.sync();
}
