//! Hundreds of clients of many devices leave nothing behind. A test of its own process: it counts
//! what that has open.

use std::os::fd::{AsFd, OwnedFd};
use std::thread;
use std::time::Duration;

use vfio_user::{EventFd, Server, Socket};
use vfio_user_tests::files;
use vfio_user_tests::puppet::{self, Puppet};
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve::Running;
use vfio_user_tests::wire::{dma, irq};
use vfio_user_tests::zoo::{Kit, Zoo, reg};

/// What is counted once it has stayed the same for a while: the server closes what was its clients'
/// on a thread of its own.
fn settled<T: PartialEq>(count: impl Fn() -> T) -> T {
    let (mut last, mut times) = (count(), 0);
    while times < 10 {
        thread::sleep(Duration::from_millis(10));
        let now = count();
        times = if now == last { times + 1 } else { 0 };
        last = now;
    }
    last
}

#[test]
fn hundreds_of_clients_of_many_devices_leave_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let path = |device: usize| dir.path().join(device.to_string());
    let server = Server::new().unwrap();
    let kit = Kit::default();
    for device in 0..8 {
        server.add(Socket::bind(path(device)).unwrap(), Zoo::factory(&kit)).unwrap();
    }
    let handle = server.handle();
    let _running = Running::start(server, Server::run);
    let memory = files::memory(0x1000);
    let interrupt = EventFd::new().unwrap();
    let visit = |device: usize| {
        let mut client = RawClient::connect(&path(device));
        client.negotiate();
        client.dma_map(dma::BOTH, 0, 0, 0x1000, Some(memory.as_fd())).ok();
        client.assign(irq::MSIX, 0, &[interrupt.as_fd()]);
        let unmask = irq::EVENTFD | irq::UNMASK;
        let eventfd = OwnedFd::from(EventFd::new().unwrap());
        client.set_irqs(unmask, irq::INTX, 0, 1, &[eventfd.as_fd()]).ok();
        client.write(0, reg::KEEP, &[u8::from(device.is_multiple_of(2)), 0, 0, 0]);
        client
    };
    let idle = || {
        (0..8).for_each(|device| visit(device).sync());
        // What comes in between is gone as well.
        let (id, mut client) = puppet::add(&handle, Puppet::factory(|_| {}));
        client.negotiate();
        handle.remove(id);
        client.drain_to_end();
        (0..8).for_each(|device| visit(device).sync());
        (0..8).for_each(|device| RawClient::connect(&path(device)).negotiate().clear());
        settled(|| (files::count_open(), files::count_memory_mappings()))
    };
    let before = idle();
    for round in 0..50 {
        let clients: Vec<_> = (0..8).map(visit).collect();
        if round % 3 == 0 {
            for client in &clients {
                client.send(&[0; 9], &[]);
            }
        }
    }
    assert_eq!(idle(), before);
    assert_eq!(files::count_mappings(&memory), 0);
    assert_eq!(files::count_eventfd(&interrupt), 1);
}
