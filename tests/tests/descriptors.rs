//! Nothing leaks. These tests count descriptors of the whole process, so they run one at a time and
//! in a program of their own.

use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use vfio_user::EventFd;
use vfio_user_tests::files;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve::{self, Running};
use vfio_user_tests::wire::{self, command, dma, flag, irq};
use vfio_user_tests::zoo::reg;

static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Descriptors and mappings while the server waits for a client.
fn used(running: &Running) -> (usize, usize) {
    let mut client = running.client();
    client.sync();
    // This connection has two descriptors here, and the server one more, whatever else there is.
    (files::count_open(), files::count_memory_mappings())
}

#[test]
fn hundreds_of_reconnects_leak_nothing() {
    let _alone = alone();
    let (running, _kit) = serve::zoo_at_path();
    let before = used(&running);
    for round in 0..400 {
        let mut client = running.client();
        let memory = files::memory(0x2000);
        let eventfd = EventFd::new().unwrap();
        for page in 0..4 {
            client.dma_map(dma::BOTH, 0x1000, page << 12, 0x1000, Some(memory.as_fd())).ok();
        }
        client.dma_map(dma::BOTH | dma::FILE_IO, 0, 1 << 40, 0x1000, Some(memory.as_fd())).ok();
        for index in 0..5 {
            client.assign(index, 0, &[eventfd.as_fd()]);
        }
        client.set_irqs(irq::EVENTFD | irq::UNMASK, irq::INTX, 0, 1, &[eventfd.as_fd()]).ok();
        client.assign(irq::MSIX, 0, &[eventfd.as_fd(); 64]);
        if round % 2 == 0 {
            client.write(0, reg::KEEP, &[1, 0, 0, 0]);
        }
        let half = wire::message(1, command::DMA_MAP, 0, &wire::dma_map(3, 0, 1 << 50, 0x1000));
        client.send(&half[..=round % 47], &[memory.as_fd()]);
    }
    // A remote that is kept costs no descriptor of its own, its eventfd is the device's.
    let mut client = running.client();
    client.write(0, reg::KEEP, &[0; 4]);
    drop(client);
    assert_eq!(used(&running), before);
}

#[test]
fn descriptors_that_come_with_anything_are_closed() {
    let _alone = alone();
    let (running, _kit) = serve::zoo_at_path();
    let before = used(&running);
    let memory = files::memory(0x1000);
    let payloads = [vec![], vec![0; 16], vec![0xff; 20], vec![0; 32], vec![0xff; 64]];
    for flags in [0, flag::NO_REPLY, flag::REPLY] {
        let mut client = running.client();
        for command in 0..20 {
            for payload in &payloads {
                let message = wire::message(1, command, flags, payload);
                for count in [1, 2, 16, 100] {
                    client.send(&message, &vec![memory.as_fd(); count]);
                }
            }
            if flags == 0 {
                (0..payloads.len() * 4).for_each(|_| drop(client.receive()));
            }
        }
        client.sync();
        assert_eq!((files::count_open() - 1, files::count_memory_mappings()), before);
    }
}

#[test]
fn broken_connections_leak_nothing() {
    let _alone = alone();
    let (running, _kit) = serve::zoo_at_path();
    let before = used(&running);
    let memory = files::memory(0x1000);
    for negotiated in [false, true] {
        for (size, flags) in [(3, 0), (u32::MAX, 0), (32, 5), (100, 0), (1 << 22, 0)] {
            for _ in 0..20 {
                let mut client = RawClient::connect(running.path());
                if negotiated {
                    client.negotiate();
                }
                let header = wire::header(1, command::DMA_MAP, size, flags);
                client.send(&[header, vec![0; 24]].concat(), &[memory.as_fd(); 50]);
            }
        }
    }
    drop(memory);
    assert_eq!(used(&running), before);
}

#[test]
fn failing_devices_leak_nothing() {
    let _alone = alone();
    let (running, _kit) = serve::zoo_at_path();
    let before = used(&running);
    for _ in 0..50 {
        let mut client = running.client();
        let (memory, eventfd) = (files::memory(0x1000), EventFd::new().unwrap());
        client.dma_map(dma::BOTH, 0, 0, 0x1000, Some(memory.as_fd())).ok();
        client.assign(irq::MSIX, 0, &[eventfd.as_fd(); 200]);
        client.posted_write(0, reg::PANIC, &[1, 0, 0, 0]);
        client.expect_closed();
    }
    assert_eq!(used(&running), before);
}

#[test]
fn servers_that_end_leak_nothing() {
    let _alone = alone();
    let before = (files::count_open(), files::count_memory_mappings());
    for _ in 0..50 {
        let (running, _kit) = serve::zoo_at_path();
        let mut client = running.client();
        client.write(0, reg::KEEP, &[1, 0, 0, 0]);
        let (memory, eventfd) = (files::memory(0x1000), EventFd::new().unwrap());
        client.dma_map(dma::BOTH, 0, 0, 0x1000, Some(memory.as_fd())).ok();
        client.assign(irq::INTX, 0, &[eventfd.as_fd()]);
        running.shutdown().shutdown();
        running.join().unwrap();
        let (_running, _client, _kit) = serve::zoo();
    }
    assert_eq!((files::count_open(), files::count_memory_mappings()), before);
}
