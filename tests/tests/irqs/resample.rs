//! The eventfd by which a hypervisor unmasks INTx.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;

use nix::sys::eventfd::{EfdFlags, EventFd as NixEventFd};
use vfio_user::{Cx, Device, EventFd, Irq, PciDevice, Result, Server, Socket, Virtual};
use vfio_user_tests::irqs::{none, set_level};
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::stepped::{has_work, serve_while, settle};
use vfio_user_tests::wire::irq::{EVENTFD, INTX, MASK, UNMASK};
use vfio_user_tests::zoo::{Kit, Zoo};
use vfio_user_tests::{PATIENCE, serve};

/// A client that has set up INTx as for KVM, and its device in the test's own loop.
struct Kvm {
    server: Server,
    client: RawClient,
    line: EventFd,
    resample: EventFd,
}

impl Kvm {
    fn new() -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut server = Server::new().unwrap();
        let socket = Socket::from_stream(theirs).unwrap();
        server.add(socket, Zoo::factory(&Kit::default())).unwrap();
        let [line, resample] = [0, 0].map(|_| EventFd::new().unwrap());
        let client = serve_while(&mut server, || {
            let mut client = RawClient::new(ours);
            client.negotiate();
            client.assign(INTX, 0, &[line.as_fd()]);
            client.set_irqs(EVENTFD | UNMASK, INTX, 0, 1, &[resample.as_fd()]).ok();
            client
        });
        Kvm { server, client, line, resample }
    }

    fn serve(&mut self, client: impl FnOnce(&mut RawClient) + Send) {
        serve_while(&mut self.server, || client(&mut self.client));
    }

    /// Signals the eventfd; whether that gives the server something to do.
    fn resample_wakes(&self) -> bool {
        self.resample.signal();
        has_work(&self.server, 0)
    }
}

#[test]
fn what_comes_while_the_line_is_not_masked_wakes_nothing_and_unmasks_nothing_later() {
    let mut kvm = Kvm::new();
    assert!((0..3).all(|_| !kvm.resample_wakes()), "nothing was raised yet");
    kvm.serve(|client| set_level(client, 0, true));
    assert_eq!(kvm.line.take(), Some(1), "what came before does not unmask");
    kvm.serve(|client| {
        set_level(client, 0, false);
        none(client, UNMASK, INTX, 0, 1);
    });
    assert!(!kvm.resample_wakes(), "unmasked by message");
    kvm.serve(|client| set_level(client, 0, true));
    assert_eq!(kvm.line.take(), Some(1));
    kvm.serve(|client| set_level(client, 0, false));
    assert!(kvm.resample_wakes(), "masked by itself");
    settle(&mut kvm.server);
    assert!(!kvm.resample_wakes(), "unmasked by the eventfd");
    kvm.serve(|client| none(client, MASK, INTX, 0, 1));
    assert!(kvm.resample_wakes(), "masked by message");
}

#[test]
fn a_level_that_stays_fires_after_each_resample_and_after_an_unmask_by_message() {
    let mut kvm = Kvm::new();
    kvm.serve(|client| set_level(client, 0, true));
    for round in 0..5 {
        assert_eq!(kvm.line.take(), Some(1), "round {round}");
        assert!(kvm.resample_wakes());
        settle(&mut kvm.server);
    }
    assert_eq!(kvm.line.take(), Some(1));
    kvm.serve(|client| none(client, UNMASK, INTX, 0, 1));
    assert_eq!(kvm.line.take(), Some(1));
    kvm.serve(|client| set_level(client, 0, false));
    assert!(kvm.resample_wakes());
    settle(&mut kvm.server);
    assert_eq!(kvm.line.take(), None);
    assert_eq!(kvm.resample.take(), None, "read");
}

#[test]
fn an_eventfd_that_is_taken_away_or_replaced_is_not_looked_at() {
    let mut kvm = Kvm::new();
    kvm.serve(|client| set_level(client, 0, true));
    let other = EventFd::new().unwrap();
    kvm.serve(|client| {
        client.set_irqs(EVENTFD | UNMASK, INTX, 0, 1, &[other.as_fd()]).ok();
    });
    assert!(!kvm.resample_wakes());
    other.signal();
    settle(&mut kvm.server);
    assert_eq!(kvm.line.take(), Some(2), "the line was masked already when it came");
    kvm.serve(|client| {
        client.set_irqs(EVENTFD | UNMASK, INTX, 0, 1, &[]).ok();
    });
    other.signal();
    assert!(!has_work(&kvm.server, 0));
}

/// As a semaphore each read takes one alone.
#[test]
fn a_counter_that_cannot_be_emptied_unmasks_when_it_is_written_and_keeps_no_thread_busy() {
    let flags = EfdFlags::EFD_SEMAPHORE | EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
    let counter = NixEventFd::from_value_and_flags(1000, flags).unwrap();
    let mut kvm = Kvm::new();
    kvm.serve(|client| {
        client.set_irqs(EVENTFD | UNMASK, INTX, 0, 1, &[counter.as_fd()]).ok();
        set_level(client, 0, true);
    });
    for round in 0..5 {
        assert_eq!(kvm.line.take(), Some(1), "round {round}");
        counter.write(1).unwrap();
        settle(&mut kvm.server);
    }
}

/// Its worker raises INTx while the device's own thread sleeps.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f6)]
#[bar(0: mem32, size = 0x1000)]
#[irq(intx)]
struct Worker {
    #[reg(0x00, wo, write_with = Self::work)]
    rounds: Virtual<u32>,
    #[migrate(skip)]
    irq: Option<Irq>,
}

impl Device for Worker {
    type Event = ();

    fn start(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        self.irq = Some(cx.irq(0));
        Ok(())
    }
}

impl Worker {
    fn work(&mut self, _: &mut Cx<'_, Self>, rounds: u32) {
        let irq = self.irq.clone().expect("it has started");
        thread::spawn(move || (0..rounds).for_each(|_| irq.raise()));
    }
}

#[test]
fn what_a_thread_raises_is_unmasked_while_the_device_sleeps() {
    let (_running, mut client) = serve::over_pair(Worker::default);
    client.negotiate();
    let [line, resample] = [0, 0].map(|_| EventFd::new().unwrap());
    client.assign(INTX, 0, &[line.as_fd()]);
    client.set_irqs(EVENTFD | UNMASK, INTX, 0, 1, &[resample.as_fd()]).ok();
    for _ in 0..100 {
        // The second one pends, at the latest.
        client.write(0, 0, &2u32.to_le_bytes());
        for _ in 0..2 {
            assert_eq!(line.wait(PATIENCE).unwrap(), Some(1));
            resample.signal();
        }
    }
}
