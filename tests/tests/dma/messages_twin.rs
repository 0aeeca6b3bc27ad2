//! The second socket, by which a client is asked that wants it; our client wants it always.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use vfio_user::client::{self, Client};
use vfio_user::protocol::{DmaMapFlags, Errno, IrqIndex, RegionIndex};
use vfio_user::{DmaError, EventFd, SessionDma};
use vfio_user_tests::PATIENCE;
use vfio_user_tests::actor::{Actor, Report};
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::scripted::reply;
use vfio_user_tests::serve::{self, Running};
use vfio_user_tests::wire::{self, command, dma, flag};

const MIB: u64 = 0x10_0000;
/// Long enough for a message that should not come.
const MOMENT: Duration = Duration::from_millis(50);

/// An actor that writes when it receives a number, and sends its memory when it receives 0.
fn actor() -> (impl FnMut() -> Actor + Send + 'static, Receiver<Report>) {
    Actor::factory(|cx, value| match value {
        0 => cx.post(Report::Memory(Box::new(cx.dma().for_session()))),
        1 => cx.fetch(0, 64, Report::Bytes),
        _ => {
            cx.dma().write(u64::from(value), &value.to_le_bytes()).unwrap();
            cx.irq(0).raise();
        }
    })
}

#[track_caller]
fn memory(reports: &Receiver<Report>) -> SessionDma {
    match reports.recv_timeout(PATIENCE) {
        Ok(Report::Memory(memory)) => *memory,
        reports => panic!("{reports:?}"),
    }
}

/// Negotiates, and gives the socket that comes along.
#[track_caller]
fn negotiate(client: &mut RawClient, json: &str) -> (String, Option<RawClient>) {
    let answer = client.request(command::VERSION, &wire::version(0, json), &[]);
    let mut fds = answer.fds;
    assert!(fds.len() < 2);
    let twin = fds.pop().map(|fd: OwnedFd| RawClient::new(UnixStream::from(fd)));
    (String::from_utf8(answer.payload[4..].to_vec()).unwrap(), twin)
}

const WANTED: &str = r#"{"capabilities":{"max_msg_fds":8,"twin_socket":{"supported":true}}}"#;

fn setup() -> (Running, RawClient, RawClient, Receiver<Report>) {
    let (factory, reports) = actor();
    let (running, mut client) = serve::over_pair(factory);
    let (_, twin) = negotiate(&mut client, WANTED);
    client.dma_map(dma::BOTH, 0, 0, MIB, None).ok();
    (running, client, twin.expect("a socket"), reports)
}

fn act(client: &mut RawClient, value: u32) {
    client.write(0, Actor::ACT, &value.to_le_bytes());
}

#[test]
fn it_comes_to_those_who_want_it_and_can_take_it() {
    for (json, comes) in [
        (WANTED, true),
        (r#"{"capabilities":{"twin_socket":{"supported":true}}}"#, true),
        (r#"{"capabilities":{"max_msg_fds":0,"twin_socket":{"supported":true}}}"#, false),
        (r#"{"capabilities":{"max_msg_fds":8,"twin_socket":{"supported":false}}}"#, false),
        (r#"{"capabilities":{"max_msg_fds":8,"twin_socket":{}}}"#, false),
        ("{}", false),
    ] {
        let (_running, mut client) = serve::over_pair(actor().0);
        let (reports, twin) = negotiate(&mut client, json);
        assert_eq!(twin.is_some(), comes, "{json}");
        assert_eq!(reports.contains(r#""twin_socket":{"supported":true,"fd_index":0}"#), comes);
        assert_eq!(reports.contains("twin"), comes);
        client.sync();
    }
}

#[test]
fn all_that_is_asked_goes_over_it() {
    let (_running, mut client, twin, reports) = setup();
    act(&mut client, 0x20);
    let request = twin.receive();
    assert_eq!(request.payload, wire::dma_access(0x20, 4, &[0x20, 0, 0, 0]));
    reply(&twin, &request, &[]);
    act(&mut client, 1);
    let request = twin.receive();
    assert_eq!(request.payload, wire::dma_access(0, 64, &[]));
    reply(&twin, &request, &wire::dma_access(0, 64, &[9; 64]));
    assert!(
        matches!(reports.recv_timeout(PATIENCE), Ok(Report::Bytes(Ok(bytes))) if bytes == [9; 64])
    );
    act(&mut client, 0);
    let memory = memory(&reports);
    let reading = thread::spawn(move || {
        let mut data = [0; 4];
        memory.read(0, &mut data).map(|()| data)
    });
    let request = twin.receive();
    reply(&twin, &request, &wire::dma_access(0, 4, b"good"));
    assert_eq!(&reading.join().unwrap().unwrap(), b"good");
    assert!(!client.has_message(MOMENT));
}

/// The client waits for an unmap, and answers over the other socket.
#[test]
fn it_is_heard_while_a_request_waits() {
    let (_running, mut client, twin, _) = setup();
    act(&mut client, 2);
    let request = twin.receive();
    client.send(&wire::message(7, command::DMA_UNMAP, 0, &wire::dma_unmap(0, 0, MIB)), &[]);
    client.send(&wire::message(8, command::GET_INFO, 0, &wire::words(&[16, 0, 0, 0])), &[]);
    assert!(!client.has_message(MOMENT));
    reply(&twin, &request, &[]);
    assert_eq!(client.answer_to(7, command::DMA_UNMAP).errno(), None);
    assert_eq!(client.answer_to(8, command::GET_INFO).errno(), None);
}

#[test]
fn a_client_that_closes_it_or_breaks_it_can_be_asked_no_longer_and_is_served_on() {
    let broken = wire::message(1, command::DMA_WRITE, 7, &[]);
    for bytes in [None, Some(broken)] {
        let (_running, mut client, twin, reports) = setup();
        act(&mut client, 0);
        let memory = memory(&reports);
        act(&mut client, 2);
        twin.receive();
        let reading = thread::spawn(move || memory.read(0, &mut [0; 4]));
        twin.receive();
        match &bytes {
            None => drop(twin),
            Some(bytes) => twin.send(bytes, &[]),
        }
        let result = reading.join().unwrap();
        assert!(matches!(result, Err(DmaError::Disconnected { iova: 0 })), "{result:?}");
        act(&mut client, 1);
        let gone = reports.recv_timeout(PATIENCE);
        assert!(matches!(gone, Ok(Report::Bytes(Err(DmaError::Disconnected { .. })))), "{gone:?}");
        assert!(!client.has_message(MOMENT), "not asked over the other one");
    }
}

#[test]
fn requests_and_replies_to_nothing_in_it_are_ignored() {
    let (_running, mut client, twin, _) = setup();
    act(&mut client, 2);
    let request = twin.receive();
    twin.send(&wire::message(1, command::GET_INFO, 0, &wire::words(&[16, 0, 0, 0])), &[]);
    twin.send(&wire::message(request.id + 1, command::DMA_WRITE, flag::REPLY, &[]), &[]);
    reply(&twin, &request, &[]);
    act(&mut client, 3);
    reply(&twin, &twin.receive(), &[]);
    client.sync();
}

/// What our client maps for the device, and the device at the other end.
fn attached() -> (Running, Client, Arc<Mutex<Vec<u8>>>, Receiver<Report>) {
    let (factory, reports) = actor();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = vfio_user::Server::from_stream(theirs).unwrap();
    let running = Running::start(server, |server| server.serve(factory));
    let options = client::AttachOptions { timeout: PATIENCE, ..client::AttachOptions::default() };
    let client = Client::from_stream(ours, options).unwrap();
    let bytes = Arc::new(Mutex::new(vec![0; 8 << 20]));
    let rights = DmaMapFlags::READ | DmaMapFlags::WRITE;
    client.dma_map_memory(0, 8 << 20, bytes.clone(), rights).unwrap();
    (running, client, bytes, reports)
}

#[test]
fn an_honest_client_is_asked_by_hooks_and_threads_at_once() {
    let (_running, client, bytes, reports) = attached();
    let bar = client.region(RegionIndex::Bar0);
    let interrupt = EventFd::new().unwrap();
    client.set_irqs(IrqIndex::Msix, 0, &[Some(&interrupt)]).unwrap();
    bar.write(Actor::ACT, 0_u32).unwrap();
    let memory = memory(&reports);
    let threads: Vec<_> = (1..4u64)
        .map(|number| {
            let memory = memory.clone();
            thread::spawn(move || {
                let iova = number * 2 * MIB - 0x1234;
                let data: Vec<u8> =
                    (0..300_000u64).map(|n| (n * number).to_le_bytes()[0]).collect();
                let mut read = vec![0; data.len()];
                for _ in 0..10 {
                    memory.write(iova, &data).unwrap();
                    memory.read(iova, &mut read).unwrap();
                    assert!(data == read);
                }
                (usize::try_from(iova).unwrap(), data)
            })
        })
        .collect();
    for value in (0x100..0x900_u32).step_by(16) {
        bar.write(Actor::ACT, value).unwrap();
        assert!(interrupt.wait(PATIENCE).unwrap().is_some(), "{value}");
        let written = bytes.lock().unwrap()[value as usize..][..4].to_vec();
        assert_eq!(written, value.to_le_bytes(), "with its interrupt it is there");
    }
    for thread in threads {
        let (at, data) = thread.join().unwrap();
        assert!(bytes.lock().unwrap()[at..][..data.len()] == data);
    }
    client.dma_unmap(0, 8 << 20).unwrap();
    assert!(matches!(memory.read(0, &mut [0]), Err(DmaError::Unmapped { iova: 0 })));
}

#[test]
fn memory_that_an_honest_client_takes_back_fails_for_those_who_use_it() {
    let (_running, client, _bytes, reports) = attached();
    client.region(RegionIndex::Bar0).write(Actor::ACT, 0_u32).unwrap();
    let memory = memory(&reports);
    let writing = thread::spawn(move || {
        let (data, mut count) = (vec![1; 0x1_0000], 0);
        loop {
            match memory.write(0x100, &data) {
                Ok(()) => count += 1,
                Err(error) => return (count, error),
            }
        }
    });
    thread::sleep(MOMENT);
    client.dma_unmap(0, 8 << 20).unwrap();
    let (count, error) = writing.join().unwrap();
    assert!(count > 0);
    let expected = matches!(error, DmaError::Unmapped { .. })
        || matches!(error, DmaError::Refused { errno: Errno::EFAULT, .. });
    assert!(expected, "{error:?}");
}
