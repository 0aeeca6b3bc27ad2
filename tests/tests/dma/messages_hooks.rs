//! Memory that is reached by messages, in hooks: what they write goes behind the answer, what they
//! raise waits for that, and what they want to read comes as an event.

use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use vfio_user::protocol::Errno;
use vfio_user::{Cx, DmaError, EventFd};
use vfio_user_tests::actor::{Actor, Report};
use vfio_user_tests::irqs::eventfds;
use vfio_user_tests::raw::{Answer, RawClient};
use vfio_user_tests::scripted::{refuse, reply};
use vfio_user_tests::serve::{self, Running};
use vfio_user_tests::wire::{self, command, dma, errno, irq};
use vfio_user_tests::{PATIENCE, files};

const MIB: u64 = 0x10_0000;
/// Long enough for what should not come.
const MOMENT: Duration = Duration::from_millis(50);

/// Acts with a megabyte at address 0 that is reached by messages.
fn setup(
    act: impl Fn(&Cx<'_, Actor>, u32) + Send + Sync + 'static,
) -> (Running, RawClient, Receiver<Report>) {
    let (factory, reports) = Actor::factory(act);
    let (running, mut client) = serve::over_pair(factory);
    client.negotiate();
    client.dma_map(dma::BOTH, 0, 0, MIB, None).ok();
    (running, client, reports)
}

fn act(client: &mut RawClient, value: u32) {
    client.write(0, Actor::ACT, &value.to_le_bytes());
}

fn assign(client: &mut RawClient, index: u32, count: usize) -> Vec<EventFd> {
    let eventfds = eventfds(count);
    let fds: Vec<_> = eventfds.iter().map(AsFd::as_fd).collect();
    client.assign(index, 0, &fds);
    eventfds
}

/// Receives a request to write.
#[track_caller]
fn written(client: &RawClient, iova: u64, data: &[u8]) -> Answer {
    let request = client.receive();
    assert_eq!((request.command, request.flags), (command::DMA_WRITE, 0));
    assert_eq!(request.payload, wire::dma_access(iova, data.len() as u64, data));
    request
}

#[track_caller]
fn arrives(eventfd: &EventFd) {
    assert_eq!(eventfd.wait(PATIENCE).unwrap(), Some(1));
}

#[track_caller]
fn is_quiet(eventfd: &EventFd) {
    assert_eq!(eventfd.wait(MOMENT).unwrap(), None);
}

#[track_caller]
fn bytes(reports: &Receiver<Report>) -> Result<Vec<u8>, DmaError> {
    match reports.recv_timeout(PATIENCE) {
        Ok(Report::Bytes(bytes)) => bytes,
        reports => panic!("{reports:?}"),
    }
}

#[test]
fn what_is_written_goes_behind_the_answer_and_an_interrupt_behind_that() {
    let (_running, mut client, _) = setup(|cx, value| {
        cx.dma().write(0x100, &value.to_le_bytes()).unwrap();
        cx.irq(1).raise();
    });
    let eventfds = assign(&mut client, irq::MSIX, 4);
    for posted in [false, true] {
        if posted {
            client.posted_write(0, Actor::ACT, b"abcd");
        } else {
            client.write(0, Actor::ACT, b"abcd");
        }
        let request = written(&client, 0x100, b"abcd");
        is_quiet(&eventfds[1]);
        reply(&client, &request, &wire::dma_access(0x100, 4, &[]));
        arrives(&eventfds[1]);
    }
}

/// Three writes, an interrupt after each of the first two: acknowledged in another order.
#[test]
fn an_interrupt_waits_for_all_writes_before_it_and_none_after() {
    let (_running, mut client, _) = setup(|cx, vector| {
        cx.dma().write(u64::from(vector) * 0x100, b"x").unwrap();
        cx.irq(u16::try_from(vector).unwrap()).raise();
    });
    let eventfds = assign(&mut client, irq::MSIX, 4);
    let requests = [0, 1, 2].map(|vector: u32| {
        act(&mut client, vector);
        written(&client, u64::from(vector) * 0x100, b"x")
    });
    reply(&client, &requests[1], &[]);
    eventfds.iter().for_each(is_quiet);
    reply(&client, &requests[0], &[]);
    arrives(&eventfds[0]);
    arrives(&eventfds[1]);
    is_quiet(&eventfds[2]);
    reply(&client, &requests[2], &[]);
    arrives(&eventfds[2]);
}

#[test]
fn an_interrupt_that_is_raised_again_and_again_still_arrives() {
    let (_running, mut client, _) = setup(|cx, value| {
        cx.dma().write(u64::from(value), b"x").unwrap();
        cx.irq(0).raise();
    });
    let eventfds = assign(&mut client, irq::MSIX, 1);
    let mut open = std::collections::VecDeque::new();
    for value in 0..20 {
        act(&mut client, value);
        open.push_back(written(&client, value.into(), b"x"));
        if open.len() == 5 {
            // There are always writes that are open.
            reply(&client, &open.pop_front().unwrap(), &[]);
            if value == 4 {
                arrives(&eventfds[0]);
            }
        }
    }
    for request in open {
        reply(&client, &request, &[]);
    }
    let start = Instant::now();
    let mut count = 0;
    while count < 2 {
        count += eventfds[0].wait(PATIENCE).unwrap().expect("more than one");
        assert!(start.elapsed() < PATIENCE);
    }
}

#[test]
fn without_writes_before_it_an_interrupt_waits_for_nothing() {
    let (_running, mut client, _) = setup(|cx, _| {
        cx.irq(0).raise();
        cx.dma().write(0, b"x").unwrap();
    });
    let eventfds = assign(&mut client, irq::MSIX, 1);
    act(&mut client, 0);
    arrives(&eventfds[0]);
    written(&client, 0, b"x");
}

/// A level that goes before its writes have come is none.
#[test]
fn the_line_waits_as_well() {
    let (_running, mut client, _) = setup(|cx, value| {
        if value > 0 {
            cx.dma().write(0, b"x").unwrap();
        }
        cx.irq(0).set(value > 0);
    });
    let line = assign(&mut client, irq::INTX, 1).remove(0);
    act(&mut client, 1);
    let request = written(&client, 0, b"x");
    is_quiet(&line);
    reply(&client, &request, &[]);
    arrives(&line);
    act(&mut client, 0);
    client.set_irqs(irq::NONE | irq::UNMASK, irq::INTX, 0, 1, &[]).ok();
    act(&mut client, 1);
    let request = written(&client, 0, b"x");
    act(&mut client, 0);
    reply(&client, &request, &[]);
    client.sync();
    is_quiet(&line);
}

#[test]
fn a_write_that_fails_holds_no_interrupt_up() {
    let (_running, mut client, _) = setup(|cx, _| {
        cx.dma().write(0, b"x").unwrap();
        cx.irq(0).raise();
    });
    let eventfds = assign(&mut client, irq::MSIX, 1);
    act(&mut client, 0);
    refuse(&client, &written(&client, 0, b"x"), errno::EFAULT);
    arrives(&eventfds[0]);
    act(&mut client, 0);
    let unanswered = written(&client, 0, b"x");
    let start = Instant::now();
    arrives(&eventfds[0]);
    assert!(start.elapsed() > Duration::from_secs(4));
    reply(&client, &unanswered, &[]);
    client.sync();
}

#[test]
fn events_write_and_raise_as_hooks_do() {
    let (_running, mut client, reports) = setup(|cx, _| {
        cx.fetch(0x20, 2, Report::Bytes);
        cx.dma().write(0x20, b"new").unwrap();
    });
    act(&mut client, 0);
    // In the order in which the hook has asked.
    let read = client.receive();
    assert_eq!((read.command, &read.payload), (command::DMA_READ, &wire::dma_access(0x20, 2, &[])));
    let write = written(&client, 0x20, b"new");
    reply(&client, &write, &[]);
    reply(&client, &read, &wire::dma_access(0x20, 2, b"ol"));
    assert_eq!(bytes(&reports).unwrap(), b"ol");
}

/// While the client sends nothing.
#[test]
fn what_hooks_write_past_the_client_goes_out_at_once() {
    let (_running, mut client, _) = setup(|cx, value| {
        if value == 0 {
            let remote = cx.remote();
            std::thread::spawn(move || {
                std::thread::sleep(MOMENT);
                remote.post(Report::Act(7)).expect("a device");
            });
            return;
        }
        cx.dma().write(0, &value.to_le_bytes()).unwrap();
        cx.irq(0).raise();
    });
    let eventfds = assign(&mut client, irq::MSIX, 1);
    act(&mut client, 0);
    reply(&client, &written(&client, 0, &7u32.to_le_bytes()), &[]);
    arrives(&eventfds[0]);
    let asked = wire::words(&[4096, 0, 0, 0]);
    let fds = client.request(command::GET_REGION_IO_FDS, &asked, &[]).fds;
    let bell = EventFd::from_fd(fds.into_iter().next().unwrap()).unwrap();
    bell.signal();
    reply(&client, &written(&client, 0, &Actor::KICKED.to_le_bytes()), &[]);
    arrives(&eventfds[0]);
}

#[test]
fn what_is_fetched_comes_as_an_event_from_memory_of_every_kind() {
    let (_running, mut client, reports) =
        setup(|cx, page| cx.fetch(u64::from(page) * 0x1000 - 4, 8, Report::Bytes));
    let file = files::memory(0x2000);
    file.write_all_at(&[1; 0x1000], 0).unwrap();
    file.write_all_at(&[2; 0x1000], 0x1000).unwrap();
    let by_file = dma::READ | dma::FILE_IO;
    client.dma_map(dma::READ, 0, MIB, 0x1000, Some(file.as_fd())).ok();
    client.dma_map(by_file, 0x1000, MIB + 0x1000, 0x1000, Some(file.as_fd())).ok();
    client.dma_map(dma::READ, 0, MIB + 0x2000, 0x1000, None).ok();
    let first = u32::try_from(MIB / 0x1000).unwrap();
    // Two that are reached by messages.
    act(&mut client, 1);
    let request = client.receive();
    reply(&client, &request, &wire::dma_access(0xffc, 8, b"messages"));
    assert_eq!(bytes(&reports).unwrap(), b"messages");
    act(&mut client, first);
    reply(&client, &client.receive(), &wire::dma_access(MIB - 4, 4, b"four"));
    assert_eq!(bytes(&reports).unwrap(), b"four\x01\x01\x01\x01");
    act(&mut client, first + 1);
    assert_eq!(bytes(&reports).unwrap(), [1, 1, 1, 1, 2, 2, 2, 2]);
    act(&mut client, first + 2);
    reply(&client, &client.receive(), &wire::dma_access(MIB + 0x2000, 4, b"more"));
    assert_eq!(bytes(&reports).unwrap(), b"\x02\x02\x02\x02more");
    act(&mut client, first + 3);
    assert!(matches!(bytes(&reports), Err(DmaError::Unmapped { .. })));
    assert!(!client.has_message(MOMENT));
}

#[test]
fn what_cannot_be_fetched_is_an_event_as_well() {
    let (factory, reports) = Actor::factory(|cx, len| cx.fetch(8, len as usize, Report::Bytes));
    let running = Running::at_path(factory);
    let mut client = running.client();
    client.dma_map(dma::BOTH, 0, 0, MIB, None).ok();
    client.dma_map(dma::BOTH, 0, MIB, 31 * MIB, None).ok();
    act(&mut client, 4);
    refuse(&client, &client.receive(), errno::EPERM);
    let refused = bytes(&reports);
    assert!(matches!(refused, Err(DmaError::Refused { iova: 8, errno: Errno::EPERM })));
    act(&mut client, 4);
    reply(&client, &client.receive(), &wire::dma_access(8, 4, b"xx"));
    assert!(matches!(bytes(&reports), Err(DmaError::Malformed { iova: 8 })));
    act(&mut client, 20 << 20);
    assert!(matches!(bytes(&reports), Err(DmaError::TooMuch { .. })));
    client.posted_write(0, Actor::ACT, &(10u32 << 20).to_le_bytes());
    client.posted_write(0, Actor::ACT, &(10u32 << 20).to_le_bytes());
    assert!(matches!(bytes(&reports), Err(DmaError::TooMuch { .. })), "with what waits already");
    drop(client);
    assert!(matches!(bytes(&reports), Err(DmaError::Disconnected { iova: 8 })));
}

#[test]
fn memory_cannot_be_read_in_hooks_and_events_whatever_else_is_there() {
    let (_running, mut client, reports) = setup(|cx, iova| {
        let read = cx.dma().read(iova.into(), &mut [0; 8]).map(|()| Vec::new());
        let held = cx.dma().map_readable(iova.into(), 8).and_then(|held| held.read(0, &mut [0; 8]));
        assert!(read.is_err() && held.is_err());
        cx.post(Report::Bytes(read));
    });
    let file = files::memory(0x1000);
    client.dma_map(dma::BOTH, 0, MIB, 0x1000, Some(file.as_fd())).ok();
    for (iova, first) in [(16, 16), (MIB - 4, MIB - 4)] {
        act(&mut client, u32::try_from(iova).unwrap());
        let refused = bytes(&reports);
        assert!(matches!(refused, Err(DmaError::MessageMode { iova }) if iova == first));
    }
    assert!(!client.has_message(MOMENT));
}

#[test]
fn no_more_is_queued_than_may_wait() {
    let (_running, mut client, reports) = setup(|cx, _| {
        let megabyte = vec![7; 1 << 20];
        let count = (0..100).take_while(|_| cx.dma().write(0, &megabyte).is_ok()).count();
        let refused = cx.dma().write(0, &megabyte).map(|()| Vec::new());
        cx.post(Report::Bytes(Ok(count.to_le_bytes().to_vec())));
        cx.post(Report::Bytes(refused));
    });
    act(&mut client, 0);
    assert_eq!(bytes(&reports).unwrap(), 15usize.to_le_bytes());
    assert!(matches!(bytes(&reports), Err(DmaError::TooMuch { iova: 0, len: 0x10_0000 })));
    // All of it comes, in order, and never more than a window at once.
    for piece in 0..15 * 32u64 {
        let request = client.receive();
        let iova = piece % 32 * 0x8000;
        assert_eq!(request.payload[..16], wire::dma_access(iova, 0x8000, &[]));
        reply(&client, &request, &[]);
    }
    assert!(!client.has_message(MOMENT));
    client.sync();
}

#[test]
fn an_unmap_waits_for_what_was_written_before() {
    let (_running, mut client, _) = setup(|cx, _| cx.dma().write(0, b"x").unwrap());
    act(&mut client, 0);
    let request = written(&client, 0, b"x");
    client.send(&wire::message(7, command::DMA_UNMAP, 0, &wire::dma_unmap(0, 0, MIB)), &[]);
    assert!(!client.has_message(MOMENT));
    reply(&client, &request, &[]);
    assert_eq!(client.answer_to(7, command::DMA_UNMAP).errno(), None);
}

#[test]
fn a_hook_that_makes_an_event_may_panic() {
    let (factory, _journal) = Actor::factory(|cx, _| {
        cx.fetch(0, 4, |bytes| match bytes {
            Ok(_) => panic!("as the test wants"),
            Err(_) => Report::Bytes(Ok(Vec::new())),
        });
    });
    let running = Running::at_path(factory);
    let mut client = running.client();
    client.dma_map(dma::BOTH, 0, 0, MIB, None).ok();
    act(&mut client, 0);
    reply(&client, &client.receive(), &wire::dma_access(0, 4, b"boom"));
    client.expect_closed();
    let mut client = running.client();
    client.sync();
}

#[test]
fn a_client_finds_out_that_it_was_asked_while_it_asks() {
    let (_running, mut client, reports) = setup(|cx, value| {
        if value > 0 {
            cx.fetch(u64::from(value), 4, Report::Bytes);
        }
    });
    // Requests, whose answers are mixed with what is asked of it.
    for value in 1..=8 {
        client.posted_write(0, Actor::ACT, &u32::to_le_bytes(value));
    }
    let requests: Vec<_> = (0..8).map(|_| client.receive()).collect();
    client.write(0, Actor::SCRATCH, b"good");
    for request in &requests {
        assert_eq!(request.command, command::DMA_READ);
        let iova = wire::u64_at(&request.payload, 0);
        reply(&client, request, &wire::dma_access(iova, 4, &iova.to_le_bytes()[..4]));
        assert_eq!(client.read(0, Actor::SCRATCH, 4), b"good");
    }
    for value in 1..=8u32 {
        assert_eq!(bytes(&reports).unwrap(), value.to_le_bytes());
    }
}
