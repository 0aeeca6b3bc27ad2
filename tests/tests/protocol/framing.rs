//! Any split and any pipelining of a stream of messages means the same.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use vfio_user::{EventFd, Server};
use vfio_user_tests::raw::{Answer, RawClient};
use vfio_user_tests::serve::Running;
use vfio_user_tests::wire::{self, command, dma, irq};
use vfio_user_tests::zoo::{Kit, Zoo, dma_go, reg};
use vfio_user_tests::{PATIENCE, files, serve};

const SECRET: u64 = 0x1122_3344_5566_7788;

/// A message, and what goes along.
struct Step {
    bytes: Vec<u8>,
    fd: Option<OwnedFd>,
}

/// A session whose outcome depends on every byte, and on every descriptor being where it belongs.
fn script(interrupt: &EventFd) -> Vec<Step> {
    let file = files::memory(0x2000);
    file.write_all_at(&SECRET.to_le_bytes(), 0x1010).unwrap();
    let write = |offset, data: &[u8]| (command::REGION_WRITE, wire::write(0, offset, data), None);
    let eventfd = OwnedFd::from(interrupt.try_clone().unwrap());
    let assign = wire::set_irqs(irq::EVENTFD | irq::TRIGGER, irq::MSIX, 3, 1);
    let steps = [
        (command::VERSION, wire::version(0, "{}"), None),
        (command::GET_INFO, wire::words(&[16, 0, 0, 0]), None),
        (command::DMA_MAP, wire::dma_map(dma::BOTH, 0x1000, 0x8000, 0x1000), Some(file.into())),
        write(reg::DMA_SOURCE, &0x8010u64.to_le_bytes()),
        (command::SET_IRQS, assign, Some(eventfd)),
        write(reg::DMA_GO, &dma_go::READ.to_le_bytes()),
        write(reg::RAISE, &[3, 0, 0, 0]),
        (command::REGION_READ, wire::access(0, reg::DMA_DATA, 8), None),
        (command::DMA_UNMAP, wire::dma_unmap(0, 0x8000, 0x1000), None),
    ];
    let messages = (1u16..).zip(steps);
    messages
        .map(|(id, (command, payload, fd))| Step {
            bytes: wire::message(id, command, 0, &payload),
            fd,
        })
        .collect()
}

/// Sends the script with a cut at each of `cuts`, and in front of and behind each message with a
/// descriptor; each part arrives alone. Returns the replies.
fn run(cuts: &[usize]) -> Vec<(u16, u16, u32, Vec<u8>)> {
    let interrupt = EventFd::new().unwrap();
    let script = script(&interrupt);
    let (ours, theirs) = UnixStream::pair().unwrap();
    let watched = theirs.try_clone().unwrap();
    let server = Server::from_stream(theirs).unwrap();
    let mut factory = Zoo::factory(&Kit::default());
    let _running = Running::start(server, move |server| server.serve(&mut factory));
    let client = RawClient::new(ours);
    for part in parts(&script, cuts) {
        client.send(&part.0, &files::borrow(part.1.as_slice()));
        wait_until_received(&watched);
    }
    let replies = script.iter().map(|_| client.receive());
    let replies =
        replies.map(|Answer { id, command, flags, payload, .. }| (id, command, flags, payload));
    let replies = replies.collect();
    assert_eq!(interrupt.take(), Some(1), "the interrupt");
    replies
}

fn parts<'a>(script: &'a [Step], cuts: &[usize]) -> Vec<(Vec<u8>, Option<&'a OwnedFd>)> {
    let mut parts: Vec<(Vec<u8>, Option<&OwnedFd>)> = vec![];
    let (mut at, mut alone) = (0, true);
    for step in script {
        let mut fd = step.fd.as_ref();
        alone |= fd.is_some();
        for byte in &step.bytes {
            match parts.last_mut() {
                Some((bytes, _)) if !alone && !cuts.contains(&at) => bytes.push(*byte),
                _ => parts.push((vec![*byte], fd.take())),
            }
            alone = false;
            at += 1;
        }
        alone = step.fd.is_some();
    }
    parts
}

fn wait_until_received(server_end: &UnixStream) {
    let deadline = Instant::now() + PATIENCE;
    while rustix::io::ioctl_fionread(server_end).unwrap() > 0 {
        assert!(Instant::now() < deadline, "the server does not receive");
        std::thread::yield_now();
    }
}

fn length() -> usize {
    script(&EventFd::new().unwrap()).iter().map(|step| step.bytes.len()).sum()
}

#[test]
fn the_script_does_what_it_should() {
    let replies = run(&[]);
    assert!(replies.iter().all(|(_, _, flags, _)| *flags == 1), "{replies:?}");
    assert_eq!(replies[7].3[16..], SECRET.to_le_bytes());
}

#[test]
fn a_split_at_any_byte_changes_nothing() {
    let whole = run(&[]);
    for cut in 1..length() {
        assert_eq!(run(&[cut]), whole, "cut at {cut}");
    }
}

#[test]
fn byte_by_byte_is_understood() {
    let cuts: Vec<_> = (1..length()).collect();
    assert_eq!(run(&cuts), run(&[]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn any_number_of_splits_changes_nothing(
        cuts in proptest::collection::vec(1..length(), 0..40),
    ) {
        prop_assert_eq!(run(&cuts), run(&[]));
    }
}

#[test]
fn descriptors_land_at_their_message_among_pipelined_ones() {
    let (_running, mut client, kit) = serve::zoo();
    client.posted_write(0, reg::HOLD, &[0; 4]);
    kit.gate.wait_until_held();
    let interrupts: Vec<_> = (0..6).map(|_| EventFd::new().unwrap()).collect();
    for (number, interrupt) in (0u64..).zip(&interrupts) {
        let file = files::memory(0x1000);
        file.write_all_at(&(SECRET + number).to_le_bytes(), 0).unwrap();
        let map = wire::dma_map(dma::BOTH, 0, number << 12, 0x1000);
        for _ in 0..number {
            client.posted_write(0, reg::SCRATCH, &[1; 4]);
        }
        client.post(command::DMA_MAP, &map, &[file.as_fd()]);
        if number % 2 == 0 {
            client.posted_write(0, reg::SCRATCH, &[2; 4]);
        }
        let vector = u32::try_from(number).unwrap();
        let assign = wire::set_irqs(irq::EVENTFD | irq::TRIGGER, irq::MSIX, vector, 1);
        client.post(command::SET_IRQS, &assign, &[interrupt.as_fd()]);
    }
    kit.gate.open();
    for number in 0..6u32 {
        client.write(0, reg::DMA_SOURCE, &u64::from(number << 12).to_le_bytes());
        client.write(0, reg::DMA_GO, &dma_go::READ.to_le_bytes());
        assert_eq!(client.number(0, reg::DMA_DATA, 8), SECRET + u64::from(number));
        client.write(0, reg::RAISE, &number.to_le_bytes());
        let counts: Vec<_> = interrupts.iter().map(EventFd::take).collect();
        assert_eq!(counts[number as usize], Some(1), "{counts:?}");
        assert_eq!(counts.iter().flatten().count(), 1, "{counts:?}");
    }
}

#[test]
fn hundreds_of_pipelined_requests_are_answered_in_order() {
    let (_running, mut client, _kit) = serve::zoo();
    let ids: Vec<u16> = (0..500).map(|_| client.id()).collect();
    let mut bytes = Vec::new();
    for id in &ids {
        let payload = wire::write(0, reg::SCRATCH, &u32::from(*id).to_le_bytes());
        bytes.extend(wire::message(*id, command::REGION_WRITE, 0, &payload));
        let read = wire::access(0, reg::SCRATCH, 4);
        bytes.extend(wire::message(*id, command::REGION_READ, 0, &read));
    }
    client.send(&bytes, &[]);
    for id in ids {
        assert_eq!(client.answer_to(id, command::REGION_WRITE).errno(), None);
        let read = client.answer_to(id, command::REGION_READ).ok();
        assert_eq!(wire::u32_at(&read, 16), u32::from(id));
    }
}

#[test]
fn ids_may_repeat_and_are_echoed() {
    let (_running, client, _kit) = serve::zoo();
    let info = |id| wire::message(id, command::GET_INFO, 0, &wire::words(&[16, 0, 0, 0]));
    for id in [0, 0, 1, 0xffff, 0xffff] {
        client.send(&info(id), &[]);
    }
    for id in [0, 0, 1, 0xffff, 0xffff] {
        assert_eq!(client.answer_to(id, command::GET_INFO).errno(), None);
    }
}

#[test]
fn a_posted_write_is_seen_by_the_next_read() {
    let (_running, mut client, _kit) = serve::zoo();
    for value in 0..200u32 {
        client.posted_write(0, reg::SCRATCH, &value.to_le_bytes());
        assert_eq!(client.number(0, reg::SCRATCH, 4), u64::from(value));
    }
    assert!(!client.has_message(Duration::ZERO), "an answer without a request");
}
