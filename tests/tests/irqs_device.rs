//! What a device raises past its messages, by other threads, and while it is stopped.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::channel;
use std::thread;

use vfio_user::client::{Client, Options};
use vfio_user::protocol::{IrqAction, IrqIndex, MigrationState, RegionIndex};
use vfio_user::{EventFd, Irq, Server};
use vfio_user_tests::actor::Actor;
use vfio_user_tests::irqs::{eventfds, pending, raise, taken};
use vfio_user_tests::serve::Running;
use vfio_user_tests::wire::irq::{ERR, EVENTFD, MASK, MSIX, REQ, TRIGGER, UNMASK};
use vfio_user_tests::{PATIENCE, files, serve};

#[test]
fn a_device_reports_errors_and_asks_for_its_release() {
    let (factory, _told) = Actor::factory(|cx, what| match what {
        1 => cx.error(),
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
    assert_eq!(taken(&vectors), [0, 1], "nobody looks at it any more");
}

/// A device, its client, and sources 0 and 1 for other threads.
fn with_threads() -> (Running, Client, [Irq; 2]) {
    let (give, irqs) = channel();
    let (factory, _told) = Actor::factory(move |cx, _| {
        for source in 0..2 {
            give.send(cx.irq(source)).expect("a test listens");
        }
    });
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = Server::from_stream(theirs).unwrap();
    let running = Running::start(server, |server| server.serve(factory));
    let client = Client::from_stream(ours, Options::default()).unwrap();
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
