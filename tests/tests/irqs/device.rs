//! What a device raises past its messages, by other threads, and while it is stopped.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use vfio_user::client::{AttachOptions, Client};
use vfio_user::protocol::{IrqAction, IrqIndex, MigrationState, RegionIndex};
use vfio_user::{Bench, EventFd, Irq, PostError, Remote, ResetKind, Server};
use vfio_user_tests::actor::{Actor, Report};
use vfio_user_tests::irqs::{self, eventfds, pending, raise, taken};
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve::Running;
use vfio_user_tests::wire::command;
use vfio_user_tests::wire::irq::{ERR, EVENTFD, INTX, MASK, MSIX, REQ, TRIGGER, UNMASK};
use vfio_user_tests::{PATIENCE, files, serve};

#[test]
fn a_device_reports_errors_and_asks_for_its_release() {
    let (factory, _journal) = Actor::factory(|cx, what| match what {
        1 => cx.signal_err(),
        _ => cx.request_release(),
    });
    let (_running, mut client) = serve::over_pair(factory);
    client.negotiate();
    let [error, request] = [0, 0].map(|_| EventFd::new().unwrap());
    client.assign(ERR, 0, &[error.as_fd()]);
    let mut act = |what: u8| client.write(0, Actor::ACT, &[what, 0, 0, 0]);
    act(2);
    act(1);
    act(2);
    assert_eq!((error.take(), request.take()), (Some(1), None));
    client.assign(REQ, 0, &[request.as_fd()]);
    assert_eq!(request.take(), Some(1), "it waited");
    client.set_irqs(EVENTFD | TRIGGER, REQ, 0, 1, &[]).ok();
    client.write(0, Actor::ACT, &[2, 0, 0, 0]);
    assert_eq!((error.take(), request.take()), (None, None));
}

#[test]
fn eventfds_mask_messages_and_unmask_them() {
    let (_running, mut client, _kit) = serve::zoo();
    let (vectors, masks, unmasks) = (eventfds(2), eventfds(2), eventfds(2));
    client.assign(MSIX, 4, &files::borrow(&vectors));
    client.set_irqs(EVENTFD | MASK, MSIX, 4, 2, &files::borrow(&masks)).ok();
    client.set_irqs(EVENTFD | UNMASK, MSIX, 4, 2, &files::borrow(&unmasks)).ok();
    for round in 0..3 {
        masks[1].signal();
        // Eventfds are looked at before the socket.
        for source in [4, 5, 5] {
            raise(&mut client, source);
        }
        assert_eq!((taken(&vectors), pending(&mut client, 0)), (vec![1, 0], 1 << 5), "{round}");
        unmasks[1].signal();
        assert_eq!(vectors[1].wait(PATIENCE).unwrap(), Some(1), "round {round}");
        assert_eq!(pending(&mut client, 0), 0);
    }
    client.set_irqs(EVENTFD | MASK, MSIX, 5, 1, &[]).ok();
    masks[1].signal();
    raise(&mut client, 5);
    assert_eq!(taken(&vectors), [0, 1], "the vector is no longer polled");
}

/// A device, its client, and sources 0 and 1 for other threads.
fn with_threads() -> (Running, Client, [Irq; 2]) {
    let (give, irqs) = channel();
    let (factory, _journal) = Actor::factory(move |cx, _| {
        for source in 0..2 {
            give.send(cx.irq(source)).expect("a test listens");
        }
    });
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = Server::from_stream(theirs).unwrap();
    let running = Running::start(server, |server| server.serve(factory));
    let client = Client::from_stream(ours, AttachOptions::default()).unwrap();
    client.region(RegionIndex::Bar0).write(Actor::ACT, 1u32).unwrap();
    let irqs = [0, 1].map(|_| irqs.recv_timeout(PATIENCE).unwrap());
    (running, client, irqs)
}

#[test]
fn what_threads_raise_while_the_device_is_stopped_is_held_and_neither_lost_nor_doubled() {
    let (_running, client, irqs) = with_threads();
    let vectors = eventfds(2);
    client.set_irqs(IrqIndex::Msix, 0, &vectors.iter().map(Some).collect::<Vec<_>>()).unwrap();
    for _ in 0..20 {
        client.set_migration_state(MigrationState::Stop).unwrap();
        thread::scope(|scope| {
            for irq in &irqs {
                scope.spawn(|| irq.raise());
            }
        });
        assert_eq!(taken(&vectors), [0, 0]);
        client.set_migration_state(MigrationState::Running).unwrap();
        assert_eq!(taken(&vectors), [1, 1]);
    }
}

#[test]
fn a_line_that_rises_while_the_device_is_stopped_fires_when_it_goes_on_if_it_still_is() {
    let (_running, client, irqs) = with_threads();
    let line = EventFd::new().unwrap();
    client.set_irqs(IrqIndex::Intx, 0, &[Some(&line)]).unwrap();
    for stays in [true, false] {
        client.set_migration_state(MigrationState::Stop).unwrap();
        irqs[0].set(true);
        irqs[0].set(stays);
        assert_eq!(line.take(), None);
        client.set_migration_state(MigrationState::Running).unwrap();
        assert_eq!(line.take(), stays.then_some(1));
        irqs[0].set(false);
        client.act_on_irqs(IrqIndex::Intx, IrqAction::Unmask, 0..1).unwrap();
    }
}

/// Gives the handles of a session to the test.
const GIVE: u32 = 0;
/// Sets the level of source 0, and lowers it.
const SET: u32 = 1;
const LOWER: u32 = 2;

/// What threads have of one session.
#[derive(Debug)]
struct Held {
    irq: Irq,
    done: Remote<Report>,
}

/// A device at a path, what it gives to threads, and the levels that are posted to it.
fn lending() -> (Running, Receiver<Held>, Receiver<Report>) {
    let (give, held) = channel();
    let (factory, reports) = Actor::factory(move |cx, what| match what {
        GIVE => {
            give.send(Held { irq: cx.irq(0), done: cx.session_remote() }).expect("a test listens");
        }
        what => cx.irq(0).set(what == SET),
    });
    (Running::at_path(factory), held, reports)
}

fn act(client: &mut RawClient, what: u32) {
    client.write(0, Actor::ACT, &what.to_le_bytes());
}

/// A client with an eventfd of one vector, and what the device gives to threads for it.
fn attach(running: &Running, held: &Receiver<Held>, index: u32) -> (RawClient, EventFd, Held) {
    let mut client = running.client();
    let eventfd = EventFd::new().unwrap();
    client.assign(index, 0, &[eventfd.as_fd()]);
    act(&mut client, GIVE);
    (client, eventfd, held.recv_timeout(PATIENCE).unwrap())
}

/// Everything that a thread can do with what it has of a session does nothing.
#[track_caller]
fn has_ended(held: &Held) {
    for irq in [&held.irq, &held.irq.clone()] {
        assert!(irq.has_ended());
        irq.raise();
        irq.set(true);
        irq.set(false);
        irq.withdraw();
        irq.raise();
        assert!(irq.eventfd().unwrap().is_none());
    }
    let posted = held.done.clone().post(Report::Act(SET));
    assert!(matches!(posted, Err(PostError::SessionEnded(Report::Act(SET)))), "{posted:?}");
}

#[test]
fn nothing_that_is_raised_for_one_client_reaches_the_next() {
    for index in [INTX, MSIX] {
        let (running, held, _journal) = lending();
        let (first, old, late) = attach(&running, &held, index);
        late.irq.raise();
        assert_eq!(old.wait(PATIENCE).unwrap(), Some(1));
        drop(first);
        let (mut second, new, current) = attach(&running, &held, index);
        has_ended(&late);
        second.sync();
        assert_eq!((old.take(), new.take()), (None, None), "index {index}");
        assert_eq!(pending_line(&mut second), 0);
        current.irq.raise();
        assert_eq!(new.wait(PATIENCE).unwrap(), Some(1), "index {index}");
    }
}

/// Bit 3 of the status register.
fn pending_line(client: &mut RawClient) -> u64 {
    client.number(7, 6, 2) >> 3 & 1
}

#[test]
fn a_reset_ends_what_threads_raise_though_the_eventfds_stay() {
    for index in [INTX, MSIX] {
        let (running, held, _journal) = lending();
        let (mut client, eventfd, first) = attach(&running, &held, index);
        let mut late = vec![first];
        for _ in 0..3 {
            client.request(command::RESET, &[], &[]).ok();
            late.iter().for_each(has_ended);
            client.sync();
            assert_eq!(eventfd.take(), None, "index {index}");
            act(&mut client, GIVE);
            late.push(held.recv_timeout(PATIENCE).unwrap());
            late.last().unwrap().irq.raise();
            assert_eq!(eventfd.wait(PATIENCE).unwrap(), Some(1), "index {index}");
            irqs::none(&mut client, UNMASK, index, 0, 1);
        }
    }
}

/// A level is the device's: the next client gets it, and no thread of the last one changes it.
#[test]
fn a_level_outlasts_its_client_and_is_not_for_its_threads_to_change() {
    let (running, held, _journal) = lending();
    let (mut first, _, late) = attach(&running, &held, INTX);
    act(&mut first, SET);
    drop(first);
    let (mut second, line, _) = attach(&running, &held, INTX);
    assert_eq!(line.wait(PATIENCE).unwrap(), Some(1));
    late.irq.set(false);
    assert_eq!(pending_line(&mut second), 1);
    act(&mut second, LOWER);
    assert_eq!(pending_line(&mut second), 0);
    late.irq.set(true);
    assert_eq!(pending_line(&mut second), 0);
}

/// Every kind of reset, and a state that is loaded, end the work of the guest that was there.
#[test]
fn resets_of_every_kind_and_loads_end_a_session() {
    let (give, held) = channel();
    let (mut factory, _journal) = Actor::factory(move |cx, _| {
        give.send(Held { irq: cx.irq(0), done: cx.session_remote() }).expect("a test listens");
    });
    let mut bench = Bench::new(factory()).unwrap();
    let taken = |bench: &mut Bench<Actor>| {
        bench.write(0, Actor::ACT, GIVE);
        held.try_recv().unwrap()
    };
    for kind in [ResetKind::Device, ResetKind::FunctionLevel, ResetKind::PowerState] {
        let late = taken(&mut bench);
        late.irq.raise();
        assert_eq!(bench.take_irq(0), 1);
        bench.reset_by(kind);
        has_ended(&late);
        assert_eq!(bench.take_irq(0), 0, "{kind:?}");
    }
    let late = taken(&mut bench);
    let state = bench.save();
    assert!(!late.irq.has_ended(), "to save a state ends nothing");
    assert!(bench.load(&state[1..]).is_err());
    assert!(!late.irq.has_ended(), "nor does a state that is refused");
    bench.load(&state).unwrap();
    has_ended(&late);
    assert_eq!(bench.take_irq(0), 0);
    taken(&mut bench).irq.raise();
    assert_eq!(bench.take_irq(0), 1);
}

/// What is posted for a guest that is gone before it is handled is dropped with its session.
#[test]
fn events_of_a_session_do_not_outlast_it() {
    let (give, held) = channel();
    let (mut factory, reports) = Actor::factory(move |cx, _| {
        give.send((cx.session_remote(), cx.remote())).expect("a test listens");
    });
    let mut bench = Bench::new(factory()).unwrap();
    bench.write(0, Actor::ACT, GIVE);
    let (of_session, of_device) = held.try_recv().unwrap();
    for kind in [ResetKind::FunctionLevel, ResetKind::PowerState] {
        // The test is notified when the event is handled.
        of_device.post(Report::Bytes(Ok(vec![1]))).unwrap();
        let _ = of_session.post(Report::Bytes(Ok(vec![2])));
        bench.reset_by(kind);
        bench.handle_events();
        let handled: Vec<_> = reports.try_iter().collect();
        assert!(
            matches!(&handled[..], [Report::Bytes(Ok(bytes))] if bytes == &[1]),
            "{kind:?}: {handled:?}"
        );
    }
}

/// Threads of clients that left and of guests that were reset raise and lower for ever.
#[test]
fn threads_that_never_look_interrupt_no_later_session() {
    let stop = Arc::new(AtomicBool::new(false));
    let (running, held, _journal) = lending();
    let mut threads = Vec::new();
    for round in 0..20 {
        let index = if round % 4 < 2 { INTX } else { MSIX };
        let (mut client, eventfd, held_now) = attach(&running, &held, index);
        let stop = Arc::clone(&stop);
        threads.push(thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                held_now.irq.raise();
                held_now.irq.set(true);
                let _ = held_now.done.post(Report::Act(SET));
                held_now.irq.set(false);
                thread::yield_now();
            }
        }));
        assert!(eventfd.wait(PATIENCE).unwrap().is_some(), "round {round}");
        if round % 2 == 1 {
            client.request(command::RESET, &[], &[]).ok();
            eventfd.take();
            thread::sleep(Duration::from_millis(2));
            client.sync();
            assert_eq!((eventfd.take(), pending_line(&mut client)), (None, 0), "round {round}");
            drop(client);
        } else {
            // Its level may stay, and goes with a reset.
            drop(client);
            running.client().request(command::RESET, &[], &[]).ok();
        }
        let mut between = running.client();
        let quiet = EventFd::new().unwrap();
        between.assign(index, 0, &[quiet.as_fd()]);
        thread::sleep(Duration::from_millis(2));
        between.sync();
        assert_eq!((quiet.take(), pending_line(&mut between)), (None, 0), "round {round}");
    }
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
}
