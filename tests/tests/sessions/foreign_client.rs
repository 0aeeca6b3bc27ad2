//! The client of the crate `vfio_user`, which Cloud Hypervisor uses. It reads replies of a fixed
//! size, never looks at the error flag, and waits for ever for what a server does not send: so what
//! works here was answered without an error, and in the shape that it expects.

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use rust_vmm_vfio_user::{Client, Region};
use vfio_user::EventFd;
use vfio_user_tests::journal::Call;
use vfio_user_tests::ram::Ram;
use vfio_user_tests::serve::{Running, zoo_at_path};
use vfio_user_tests::wire::{irq, number, region};
use vfio_user_tests::zoo::{Kit, Zoo, dma_go, dma_status, reg};
use vfio_user_tests::{PATIENCE, files};

/// A client, and what ends its server, and with it its waiting, after a while.
struct Foreign {
    client: Client,
    kit: Kit,
    running: Running,
    _watchdog: Sender<()>,
}

fn watch(running: &Running) -> Sender<()> {
    let shutdown = running.shutdown().clone();
    let (alive, gone) = channel();
    thread::spawn(move || {
        // Disconnected by the end of the test, or too late.
        if gone.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            shutdown.shutdown();
        }
    });
    alive
}

impl Foreign {
    fn attach() -> Self {
        let (running, kit) = zoo_at_path();
        let watchdog = watch(&running);
        let client = Client::new(running.path()).expect("attach");
        Foreign { client, kit, running, _watchdog: watchdog }
    }

    fn read(&mut self, region: u32, offset: u64, width: usize) -> u64 {
        let mut bytes = [0; 8];
        self.client.region_read(region, offset, &mut bytes[..width]).expect("read");
        number(&bytes)
    }

    fn write(&mut self, region: u32, offset: u64, value: u32) {
        self.client.region_write(region, offset, &value.to_le_bytes()).expect("write");
    }

    fn config(&mut self, offset: u64) -> u32 {
        u32::try_from(self.read(region::CONFIG, offset, 4)).expect("four bytes")
    }

    /// Where a capability is, found by small reads.
    fn capability(&mut self, id: u64) -> u64 {
        let mut at = self.read(region::CONFIG, 0x34, 1);
        while at != 0 {
            if self.read(region::CONFIG, at, 1) == id {
                return at;
            }
            at = self.read(region::CONFIG, at + 1, 1);
        }
        panic!("no capability {id:#x}");
    }

    /// Eventfds for vectors from 0 on, as many in a message as the client always sends.
    fn enable(&mut self, index: u32, eventfds: &[EventFd]) {
        for (start, part) in (0..).step_by(16).zip(eventfds.chunks(16)) {
            let fds: Vec<RawFd> = part.iter().map(|fd| fd.as_fd().as_raw_fd()).collect();
            let count = u32::try_from(part.len()).expect("few");
            let flags = irq::EVENTFD | irq::TRIGGER;
            self.client.set_irqs(index, flags, start, count, &fds).expect("irqs");
        }
    }

    fn disable(&mut self, index: u32) {
        let flags = irq::NONE | irq::TRIGGER;
        self.client.set_irqs(index, flags, 0, 0, &[]).expect("irqs");
    }

    /// What it does after every access to a BAR while INTx is in use.
    fn unmask_intx(&mut self) {
        let flags = irq::NONE | irq::UNMASK;
        self.client.set_irqs(irq::INTX, flags, 0, 1, &[]).expect("irqs");
    }
}

fn eventfds(count: usize) -> Vec<EventFd> {
    (0..count).map(|_| EventFd::new().expect("eventfd")).collect()
}

#[track_caller]
fn fires(eventfd: &EventFd) {
    assert_eq!(eventfd.wait(PATIENCE).expect("eventfd"), Some(1));
}

#[track_caller]
fn is_quiet(eventfd: &EventFd) {
    assert_eq!(eventfd.wait(Duration::ZERO).expect("eventfd"), None);
}

/// `VERSION` 0.1; `GET_INFO` with an argsz of 32 instead of 16; `GET_REGION_INFO` of all regions,
/// VGA included, of which none may be an error.
#[test]
fn attaches_and_learns_of_every_region() {
    let foreign = Foreign::attach();
    let size = |index| foreign.client.region(index).expect("a region").size;
    assert_eq!((0..6).map(size).collect::<Vec<_>>(), [0x1000, 0x100, 2 << 32, 0, 0x100, 0x2000]);
    assert_eq!(size(region::ROM), 0x800);
    assert_eq!((size(region::CONFIG), size(region::VGA)), (4096, 0));
    assert!(foreign.client.region(9).is_none());
    assert!(foreign.kit.journal.take().contains(&Call::Connected));
}

/// It takes the flag for its opposite: it sends `RESET` if the server does not advertise it. We do,
/// so it does not; a reset works all the same.
#[test]
fn takes_the_reset_flag_for_its_opposite() {
    let mut foreign = Foreign::attach();
    assert!(!foreign.client.resettable(), "we advertise RESET");
    foreign.write(0, reg::SCRATCH, 42);
    foreign.client.reset().expect("reset");
    assert_eq!(foreign.read(0, reg::SCRATCH, 4), 0);
}

#[test]
fn reads_and_writes_of_every_size_are_answered_in_full() {
    let mut foreign = Foreign::attach();
    assert_eq!(foreign.read(0, 0x04, 4), 0xa55a_1234);
    foreign.client.region_write(0, 0x18, &0x1122_3344_5566_7788_u64.to_le_bytes()).expect("write");
    for (width, value) in [(1, 0x88), (2, 0x7788), (4, 0x5566_7788), (8, 0x1122_3344_5566_7788)] {
        assert_eq!(foreign.read(0, 0x18, width), value);
    }
    foreign.write(1, 4, 0xabcd);
    assert_eq!(foreign.read(1, 4, 4), 0xabcd);
    let mut whole = vec![0; 4096];
    foreign.client.region_read(region::CONFIG, 0, &mut whole).expect("read");
    assert_eq!(whole[..4], [0xf4, 0x1a, 0xf5, 0x10]);
}

/// The sizes come from the server's registers, into which all ones are written and left.
#[test]
fn sizes_bars_by_ones_that_it_leaves_there() {
    let mut foreign = Foreign::attach();
    let mut size = |offset: u64| {
        foreign.write(region::CONFIG, offset, u32::MAX);
        foreign.config(offset)
    };
    let bars = [0x10, 0x14, 0x18, 0x1c, 0x20, 0x24].map(&mut size);
    let (low, high) =
        ([0xffff_f000, 0xffff_ff01, 0x0000_000c], [0xffff_fffe, 0xffff_ff00, 0xffff_e000]);
    assert_eq!([low, high].concat(), bars);
    assert_eq!(size(0x30), 0xffff_f801);
    // Nothing depends on the addresses.
    foreign.write(0, reg::SCRATCH, 7);
    assert_eq!(foreign.read(0, reg::SCRATCH, 4), 7);
    // Another client sizes again.
    assert_eq!(foreign.config(0x10), 0xffff_f000);
}

/// The guest's writes to the table stay with the client, so an entry that the server has never
/// seen written must not count as masked; all descriptors come before the capability is enabled.
#[test]
fn msix_of_all_vectors_comes_sixteen_a_message_before_it_is_enabled() {
    let mut foreign = Foreign::attach();
    let info = foreign.client.get_irq_info(irq::MSIX).expect("info");
    assert_eq!((info.index, info.count), (irq::MSIX, 256));
    let vectors = eventfds(256);
    foreign.enable(irq::MSIX, &vectors);
    let capability = foreign.capability(0x11);
    foreign.write(region::CONFIG, capability, 0x8000_0000);
    for vector in [0, 15, 16, 100, 255] {
        foreign.write(0, reg::RAISE, vector);
        fires(&vectors[vector as usize]);
    }
    assert_eq!(foreign.read(5, 0x1000, 8), 0, "nothing pends");
    foreign.disable(irq::MSIX);
    foreign.write(0, reg::RAISE, 0);
    foreign.read(0, reg::SCRATCH, 4);
    is_quiet(&vectors[0]);
}

#[test]
fn msi() {
    let mut foreign = Foreign::attach();
    assert_eq!(foreign.client.get_irq_info(irq::MSI).expect("info").count, 8);
    let vectors = eventfds(8);
    foreign.enable(irq::MSI, &vectors);
    foreign.write(0, reg::RAISE, 5);
    fires(&vectors[5]);
    is_quiet(&vectors[0]);
    foreign.disable(irq::MSI);
    foreign.write(0, reg::RAISE, 5);
    foreign.read(0, reg::SCRATCH, 4);
    is_quiet(&vectors[5]);
}

#[test]
fn intx_is_unmasked_after_every_access() {
    let mut foreign = Foreign::attach();
    assert_eq!(foreign.client.get_irq_info(irq::INTX).expect("info").count, 1);
    let line = eventfds(1);
    foreign.enable(irq::INTX, &line);
    foreign.write(0, reg::LEVEL, 1 << 16);
    fires(&line[0]);
    is_quiet(&line[0]);
    foreign.unmask_intx();
    fires(&line[0]);
    foreign.write(0, reg::LEVEL, 0);
    foreign.unmask_intx();
    foreign.unmask_intx();
    is_quiet(&line[0]);
    foreign.disable(irq::INTX);
}

/// A request for an index without vectors must not be an error either.
#[test]
fn every_interrupt_index_is_described() {
    let mut foreign = Foreign::attach();
    let counts = [irq::INTX, irq::MSI, irq::MSIX, irq::ERR, irq::REQ]
        .map(|index| foreign.client.get_irq_info(index).expect("info").count);
    assert_eq!(counts, [1, 8, 256, 1, 1]);
}

#[test]
fn memory_is_mapped_used_and_unmapped() {
    let mut foreign = Foreign::attach();
    let memory = files::memory(0x4000);
    let fd = memory.as_fd().as_raw_fd();
    memory.write_all_at(b"what the device copies", 0x1000).expect("write");
    foreign.client.dma_map(0x1000, 0x10_0000, 0x1000, fd).expect("map");
    foreign.client.dma_map(0x2000, 0x20_0000, 0x2000, fd).expect("map");
    let mut copy = |target: u64| {
        let words = [(reg::DMA_SOURCE, 0x10_0000), (reg::DMA_TARGET, target)];
        for (offset, value) in words {
            foreign.client.region_write(0, offset, &value.to_le_bytes()).expect("write");
        }
        foreign.write(0, reg::DMA_LEN, 22);
        foreign.write(0, reg::DMA_GO, dma_go::COPY);
        u32::try_from(foreign.read(0, reg::DMA_STATUS, 4)).expect("four bytes")
    };
    assert_eq!(copy(0x20_1000), dma_status::DONE);
    let mut bytes = [0; 22];
    memory.read_exact_at(&mut bytes, 0x3000).expect("read");
    assert_eq!(&bytes, b"what the device copies");
    assert_eq!(copy(0x30_0000), dma_status::UNMAPPED);
    foreign.client.dma_unmap(0x20_0000, 0x2000).expect("unmap");
    let status = {
        foreign.write(0, reg::DMA_TARGET, 0x20_1000);
        foreign.write(0, reg::DMA_GO, dma_go::COPY);
        foreign.read(0, reg::DMA_STATUS, 4)
    };
    assert_eq!(status, u64::from(dma_status::UNMAPPED));
}

/// The fixed part is read in one receive, with the descriptor, and what follows it afterwards; of a
/// region that is mappable as a whole it maps what a capability says, or nothing.
#[test]
fn mappable_regions_come_with_a_file_and_areas() {
    let dir = tempfile::tempdir().expect("directory");
    let path = dir.path().join("ram.sock");
    let server = vfio_user::Server::bind(&path).expect("bind");
    let running =
        Running::start(server, |server| server.serve_functions(|| Ok(Box::new(Ram::new()))));
    let _watchdog = watch(&running);
    let mut client = Client::new(&path).expect("attach");
    let areas = |index| {
        let region = client.region(index).expect("a region");
        let areas = region.sparse_areas.iter().map(|area| (area.offset, area.size));
        (file_start(region), areas.collect::<Vec<_>>())
    };
    assert_eq!(areas(0), (Some(0), vec![(0x1000, 0x1000)]));
    assert_eq!(areas(1), (None, vec![]));
    assert_eq!(areas(2), (Some(0x1000), vec![(0, 0x2000)]));
    assert_eq!(areas(3), (Some(0x1_0000), vec![(0, 0x2000), (0x8000, 0x4000)]));

    // What is written through the file is read by message.
    let region = client.region(0).expect("a region");
    let file = region.file_offset.as_ref().expect("a file").file();
    file.write_all_at(&[1, 2, 3, 4], 0x1000).expect("write");
    let mut bytes = [0; 4];
    client.region_read(0, 0x1000, &mut bytes).expect("read");
    assert_eq!(bytes, [1, 2, 3, 4]);
}

fn file_start(region: &Region) -> Option<u64> {
    Some(region.file_offset.as_ref()?.start())
}

/// It leaves by shutting the connection down; the next one finds the device as it was.
#[test]
fn leaves_and_comes_back() {
    let mut foreign = Foreign::attach();
    foreign.write(0, reg::SCRATCH, 42);
    foreign.client.shutdown().expect("shutdown");
    foreign.kit.journal.wait_for(1, |call| *call == Call::Disconnected);
    foreign.client = Client::new(foreign.running.path()).expect("attach");
    assert_eq!(foreign.read(0, reg::SCRATCH, 4), 42);
    assert_eq!(foreign.read(0, 0x90, 4), u64::from(Zoo::CONSTRUCTED));
}
