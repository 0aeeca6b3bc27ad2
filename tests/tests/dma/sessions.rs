//! What belongs to a session ends with it: when the client leaves, and at a reset.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;

use vfio_user::{Bench, DmaError, DmaGuard, DmaMessages, ResetKind, SessionDma};
use vfio_user_tests::actor::{Actor, Report};
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve::Running;
use vfio_user_tests::wire::{self, command, dma, errno};
use vfio_user_tests::{PATIENCE, files};

const PAGE: u64 = 0x1000;
const PAGE_LEN: usize = 0x1000;
/// Memory by messages starts here.
const PRIVATE: u64 = 0x10_0000;
/// Memory by file I/O starts here.
const FILE_IO: u64 = 0x20_0000;
/// Long enough for a message that should not come.
const MOMENT: Duration = Duration::from_millis(50);

/// What a client may ask an [`Actor`] to do.
mod act {
    pub(super) const GIVE_MEMORY: u32 = 0;
    pub(super) const FETCH: u32 = 1;
    pub(super) const FETCH_PRIVATE: u32 = 2;
    pub(super) const WRITE: u32 = 3;
    pub(super) const WRITE_PRIVATE: u32 = 4;
}

fn device() -> (Running, Receiver<Report>) {
    let (factory, reports) = Actor::factory(|cx, value| match value {
        act::GIVE_MEMORY => cx.post(Report::Memory(Box::new(cx.dma().for_session()))),
        act::FETCH => cx.fetch(0, 8, Report::Bytes),
        act::FETCH_PRIVATE => cx.fetch(PRIVATE, 8, Report::Bytes),
        act::WRITE => cx.dma().write(0, b"hook").unwrap(),
        _ => cx.dma().write(PRIVATE, b"hook").unwrap(),
    });
    (Running::at_path(factory), reports)
}

fn act(client: &mut RawClient, what: u32) {
    client.write(0, Actor::ACT, &what.to_le_bytes());
}

/// A client with a page of each kind of memory, full of `byte`.
fn client(running: &Running, byte: u8) -> (RawClient, File, File) {
    let mut client = running.client();
    let [mapped, by_io] = [files::memory(PAGE), files::memory(PAGE)];
    for file in [&mapped, &by_io] {
        file.write_all_at(&[byte; PAGE_LEN], 0).unwrap();
    }
    client.dma_map(dma::BOTH, 0, 0, PAGE, Some(mapped.as_fd())).ok();
    client.dma_map(dma::BOTH, 0, PRIVATE, PAGE, None).ok();
    client.dma_map(dma::BOTH | dma::FILE_IO, 0, FILE_IO, PAGE, Some(by_io.as_fd())).ok();
    (client, mapped, by_io)
}

#[track_caller]
fn memory(client: &mut RawClient, reports: &Receiver<Report>) -> SessionDma {
    act(client, act::GIVE_MEMORY);
    match reports.recv_timeout(PATIENCE) {
        Ok(Report::Memory(memory)) => *memory,
        reports => panic!("{reports:?}"),
    }
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "what an access returns")]
fn has_ended<T: std::fmt::Debug>(done: Result<T, DmaError>) {
    assert!(matches!(done, Err(DmaError::SessionEnded { .. })), "{done:?}");
}

/// Everything that a thread can do with a handle fails; with a clone of it as well.
#[track_caller]
fn handle_has_ended(memory: &SessionDma) {
    for memory in [memory, &memory.clone()] {
        for iova in [0, PRIVATE, FILE_IO, 8 * PAGE] {
            has_ended(memory.read(iova, &mut [0; 8]));
            has_ended(memory.write(iova, b"from the past"));
            has_ended(memory.write(iova, &[0xee; 0x800]));
            has_ended(memory.fill(iova, 16, 0xee));
            has_ended(memory.map(iova, 8));
            has_ended(memory.read_obj::<u32>(iova));
            has_ended(memory.store(iova, 1_u32));
            has_ended(memory.load::<u32>(iova));
            has_ended(memory.atomic(iova, |word: &AtomicU32| word.swap(1, SeqCst)));
            assert!(memory.region(iova).is_none());
        }
        assert!(memory.regions().is_empty());
        memory.mark_dirty(0, PAGE);
    }
}

#[track_caller]
fn guard_has_ended(guard: &DmaGuard) {
    has_ended(guard.read(0, &mut [0; 8]));
    has_ended(guard.write(0, b"from the past"));
    for segment in guard.segments() {
        has_ended(segment.read(0, &mut [0; 8]));
        has_ended(segment.write(0, b"from the past"));
        has_ended(segment.load::<u32>(0));
        has_ended(segment.store(0, 1_u32));
        has_ended(segment.atomic(0, |word: &AtomicU32| word.swap(1, SeqCst)));
    }
}

#[track_caller]
fn is_full_of(file: &File, byte: u8) {
    let mut bytes = [0; PAGE_LEN];
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(bytes, [byte; PAGE_LEN]);
}

/// Negotiates again at the same socket; the memory of the next client is at the same addresses.
#[test]
fn nothing_of_one_client_reaches_the_memory_of_the_next() {
    let (running, reports) = device();
    let (mut first, old, old_by_io) = client(&running, 1);
    let memory = memory(&mut first, &reports);
    let guards = [0, PRIVATE, FILE_IO].map(|iova| memory.map(iova, 64).unwrap());
    let whole = memory.regions();
    let address = guards[0].segments()[0].address().unwrap();
    drop(first);
    let (mut second, new, new_by_io) = client(&running, 2);
    second.sync();
    handle_has_ended(&memory);
    guards.iter().for_each(guard_has_ended);
    for segment in &whole {
        has_ended(segment.write(0, b"from the past"));
        has_ended(segment.read(0, &mut [0; 8]));
    }
    assert!(!second.has_message(MOMENT), "it is asked for nothing");
    for file in [&new, &new_by_io] {
        is_full_of(file, 2);
    }
    for file in [&old, &old_by_io] {
        is_full_of(file, 1);
    }
    assert_eq!(
        guards[0].segments()[0].address(),
        Some(address),
        "what was mapped stays mapped while it is held"
    );
    // The device itself, and a thread that it gives a new handle, go on.
    act(&mut second, act::WRITE);
    let renewed = self::memory(&mut second, &reports);
    renewed.write(4, b"thread").unwrap();
    let mut bytes = [0; 10];
    new.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"hookthread");
    handle_has_ended(&memory);
}

#[test]
fn a_reset_ends_the_session_though_the_memory_stays() {
    let (running, reports) = device();
    let (mut client, file, by_io) = client(&running, 1);
    let mut handles = vec![memory(&mut client, &reports)];
    for _ in 0..3 {
        client.request(command::RESET, &[], &[]).ok();
        handles.iter().for_each(handle_has_ended);
        handles.push(memory(&mut client, &reports));
        let last = handles.last().unwrap();
        last.write(0, &[1]).unwrap();
        assert_eq!(last.read_obj::<u8>(FILE_IO).unwrap(), 1);
        assert_eq!(last.regions().len(), 3);
    }
    assert!(!client.has_message(MOMENT));
    is_full_of(&file, 1);
    is_full_of(&by_io, 1);
}

#[test]
fn a_reset_that_is_refused_ends_nothing() {
    let (running, reports) = device();
    let (mut client, _file, _) = client(&running, 1);
    let memory = memory(&mut client, &reports);
    let guard = memory.map(0, 8).unwrap();
    client.request(command::RESET, &[], &[]).fails_with(errno::EBUSY);
    memory.write(0, &[7]).unwrap();
    guard.write(1, &[8]).unwrap();
    drop(guard);
    client.request(command::RESET, &[], &[]).ok();
    handle_has_ended(&memory);
}

#[test]
fn a_thread_that_waits_for_a_client_is_not_answered_by_the_next() {
    let (running, reports) = device();
    let (mut first, ..) = client(&running, 1);
    let memory = memory(&mut first, &reports);
    let guard = memory.map(PRIVATE, 8).unwrap();
    let waiting = {
        let memory = memory.clone();
        thread::spawn(move || memory.read_obj::<u64>(PRIVATE))
    };
    assert_eq!(first.receive().command, command::DMA_READ);
    drop(first);
    let (second, ..) = client(&running, 2);
    let read = waiting.join().unwrap();
    assert!(read.is_err_and(|error| error.is_interruption()));
    let late = thread::spawn(move || guard.write(0, b"past"));
    has_ended(late.join().unwrap());
    assert!(!second.has_message(MOMENT));
}

#[test]
fn a_fetch_of_before_a_reset_fails_when_its_event_is_handled() {
    let (running, reports) = device();
    let (mut client, ..) = client(&running, 1);
    let bytes = || match reports.recv_timeout(PATIENCE) {
        Ok(Report::Bytes(bytes)) => bytes,
        reports => panic!("{reports:?}"),
    };
    act(&mut client, act::FETCH);
    assert_eq!(bytes().unwrap(), [1; 8]);
    client.write(0, Actor::ACT, &act::FETCH_PRIVATE.to_le_bytes());
    let request = client.receive();
    assert_eq!(request.command, command::DMA_READ);
    client.send(&wire::message(9, command::RESET, 0, &[]), &[]);
    // It was not answered for as long as a device may take to stop.
    assert!(bytes().is_err());
    client.answer_to(9, command::RESET).ok();
}

/// As a virtual machine monitor does that resets its guest, with a device that never looks.
#[test]
fn threads_that_never_look_write_nothing_into_later_sessions() {
    let (running, reports) = device();
    let mut writers = Vec::new();
    for round in 0..20_u8 {
        let (mut client, file, by_io) = client(&running, round);
        let memory = memory(&mut client, &reports);
        if round % 2 == 1 {
            client.request(command::RESET, &[], &[]).ok();
            is_full_of(&file, round);
            is_full_of(&by_io, round);
        }
        writers.push(thread::spawn(move || {
            let mut written = 0_u32;
            loop {
                match memory.write(8, &[round; 64]).and_then(|()| memory.write(FILE_IO, &[round])) {
                    Ok(()) => written += 1,
                    Err(DmaError::SessionEnded { .. }) => return written,
                    Err(DmaError::Unmapped { .. } | DmaError::Stopped { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
                thread::yield_now();
            }
        }));
        client.sync();
        is_full_of(&file, round);
        drop(client);
        let (mut between, file, _) = self::client(&running, 0xff);
        between.sync();
        thread::sleep(Duration::from_millis(2));
        is_full_of(&file, 0xff);
    }
    for writer in writers {
        writer.join().unwrap();
    }
}

/// What a thread has of a client's memory by messages alone.
#[test]
fn messages_alone_end_with_their_session_as_well() {
    use std::sync::{Arc, Mutex};
    let given: Arc<Mutex<Vec<DmaMessages>>> = Arc::default();
    let list = Arc::clone(&given);
    let (factory, _journal) = Actor::factory(move |cx, _| {
        list.lock().unwrap().push(cx.dma_messages().unwrap());
    });
    let running = Running::at_path(factory);
    let (mut first, ..) = client(&running, 1);
    act(&mut first, 0);
    drop(first);
    let (mut second, file, _) = client(&running, 2);
    act(&mut second, 0);
    second.request(command::RESET, &[], &[]).ok();
    for messages in given.lock().unwrap().iter() {
        has_ended(messages.read(0, &mut [0; 8]));
        has_ended(messages.write(PRIVATE, b"from the past"));
    }
    assert!(!second.has_message(MOMENT));
    is_full_of(&file, 2);
}

/// Whether the bytes are there already or not: what decides is when the event is handled. A reset
/// of the guest's ends the session before the events that wait are handled, one of the client's
/// after.
#[test]
fn bytes_that_wait_for_the_device_are_not_for_it_after_a_reset() {
    for is_private in [false, true] {
        let (mut factory, reports) = Actor::factory(|cx, _| cx.fetch(0, 8, Report::Bytes));
        let bench = if is_private { Bench::with_private_memory } else { Bench::new };
        let mut bench = bench(factory()).unwrap();
        bench.write(0, Actor::ACT, 0_u32);
        bench.handle_events();
        bench.handle_events();
        assert!(matches!(reports.try_recv(), Ok(Report::Bytes(Ok(_)))), "private: {is_private}");
        for kind in [ResetKind::Device, ResetKind::FunctionLevel, ResetKind::PowerState] {
            bench.write(0, Actor::ACT, 0_u32);
            bench.reset_by(kind);
            bench.handle_events();
            bench.handle_events();
            match reports.try_recv() {
                // The client's own reset waits for what was begun before it.
                Ok(Report::Bytes(bytes)) if kind == ResetKind::Device => {
                    assert_eq!(bytes.unwrap(), [0; 8], "private: {is_private}");
                }
                Ok(Report::Bytes(bytes)) => has_ended(bytes),
                reports => panic!("{reports:?}"),
            }
        }
    }
}

#[test]
fn what_a_hook_has_queued_is_dropped_by_a_reset() {
    let (running, reports) = device();
    let (mut client, ..) = client(&running, 1);
    act(&mut client, act::WRITE_PRIVATE);
    let request = client.receive();
    assert_eq!(request.command, command::DMA_WRITE);
    client.request(command::RESET, &[], &[]).ok();
    let memory = memory(&mut client, &reports);
    let writing = thread::spawn(move || memory.write(PRIVATE, b"new"));
    let request = client.receive();
    assert_eq!(request.payload, wire::dma_access(PRIVATE, 3, b"new"));
    vfio_user_tests::scripted::reply(&client, &request, &wire::dma_access(PRIVATE, 3, &[]));
    writing.join().unwrap().unwrap();
}
