//! What enters a device besides accesses to registers.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use vfio_user::client::{DmaMapping, PciView};
use vfio_user::protocol::DmaMapFlags;
use vfio_user::record::Unrecorded;
use vfio_user::{Bench, Cx, Device, PciDevice, SessionDma, Virtual};
use vfio_user_tests::recording::record;
use vfio_user_tests::{PATIENCE, files};

use crate::device::{Flaw, Panel, recorded, reg};

const IOVA: u64 = 0x8000_0000;

/// Copies, and fetches what was copied.
fn copy_and_fetch(panel: &PciView) {
    let (bar, irqs) = (panel.bar(0).unwrap(), panel.enable_msix(2).unwrap());
    bar.write(reg::SOURCE, IOVA).unwrap();
    bar.write(reg::COPY, IOVA + 0x100).unwrap();
    bar.write(reg::FETCH, 0_u32).unwrap();
    assert_eq!(irqs[1].wait(PATIENCE).unwrap(), Some(1));
    bar.read::<u32>(reg::EVENTS).unwrap();
    bar.read::<u32>(reg::SUM).unwrap();
}

#[test]
fn memory_by_messages_is_replayed_with_its_replies() {
    let (_folder, path) = recorded(Flaw::None, |panel| {
        let memory = Arc::new(Mutex::new(vec![3; 0x1000]));
        let rights = DmaMapFlags::READ | DmaMapFlags::WRITE;
        panel.client().dma_map_memory(IOVA, 0x1000, memory, rights).unwrap();
        copy_and_fetch(panel);
    });
    let replay = Bench::replay(Panel::new(Flaw::None), &path).unwrap();
    assert_eq!(replay.unrecorded, []);
}

#[test]
fn memory_by_file_io_and_its_end_are_replayed() {
    let (_folder, path) = recorded(Flaw::None, |panel| {
        let file = files::memory(0x1000);
        let mapping = DmaMapping {
            iova: IOVA,
            size: 0x1000,
            file: file.as_fd(),
            offset: 0,
            rights: DmaMapFlags::READ | DmaMapFlags::WRITE | DmaMapFlags::FILE_IO,
        };
        panel.client().dma_map(mapping).unwrap();
        copy_and_fetch(panel);
        panel.client().dma_unmap(IOVA, 0x1000).unwrap();
        copy_and_fetch(panel);
    });
    let replay = Bench::replay(Panel::new(Flaw::None), &path).unwrap();
    assert_eq!(replay.unrecorded, []);
}

/// Adds to a word of memory, which the guest changes at the same time.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
struct Adder {
    #[reg(0x00, wo, write_with = Self::add)]
    add: Virtual<u64>,
    /// What the word had before.
    #[reg(0x08, ro)]
    before: u32,
}

impl Device for Adder {
    type Event = ();
}

impl Adder {
    fn add(&mut self, cx: &mut Cx<'_, Self>, iova: u64) {
        let add = |word: &AtomicU32| word.fetch_add(1, Ordering::SeqCst);
        self.before = cx.dma().atomic(iova, add).unwrap();
    }
}

/// The recording has the value that each operation has found, and the sum is that of all.
#[test]
fn atomic_operations_are_replayed_while_the_guest_changes_the_word() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adder.rec");
    record(Adder::default(), &path, |adder| {
        let (bar, memory) = (adder.bar(0).unwrap(), adder.allocate(0x1000).unwrap());
        let mut added = 0;
        thread::scope(|scope| {
            let device = scope.spawn(|| {
                for _ in 0..2000 {
                    bar.write(0, memory.iova()).unwrap();
                    bar.read::<u32>(8).unwrap();
                }
            });
            while !device.is_finished() {
                memory.atomic(0, |word: &AtomicU32| word.fetch_add(1, Ordering::SeqCst)).unwrap();
                added += 1;
                // What a guest changes without a pause is not recorded.
                thread::sleep(Duration::from_micros(10));
            }
        });
        assert_eq!(memory.load::<u32>(0).unwrap(), added + 2000);
    });
    let replay = Bench::replay(Adder::default(), &path).unwrap();
    assert_eq!(replay.unrecorded, []);
}

/// Its events cannot be recorded, and a thread of its own accesses memory.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 1)]
struct Opaque {
    #[reg(0x00, wo, write_with = Self::go)]
    go: Virtual<u32>,
    #[migrate(skip)]
    threads: Vec<thread::JoinHandle<()>>,
}

struct Done;

impl Device for Opaque {
    type Event = Done;

    fn event(&mut self, cx: &mut Cx<'_, Self>, _: Done) {
        cx.irq(0).raise();
    }
}

impl Opaque {
    fn go(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        let (remote, dma) = (cx.remote(), cx.dma().for_session());
        self.threads.push(thread::spawn(move || {
            touch(&dma);
            drop(remote.post(Done));
        }));
    }
}

fn touch(dma: &SessionDma) {
    let held = dma.map(IOVA, 16).unwrap();
    held.write(0, b"from the thread!").unwrap();
    assert!(held.segments()[0].address().is_some());
}

#[test]
fn a_recording_says_what_is_not_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("opaque.rec");
    record(Opaque::default(), &path, |opaque| {
        let file = files::memory(0x1000);
        let (size, file) = (0x1000, file.as_fd());
        let rights = DmaMapFlags::READ | DmaMapFlags::WRITE;
        let mapping = DmaMapping { iova: IOVA, size, file, offset: 0, rights };
        opaque.client().dma_map(mapping).unwrap();
        let irqs = opaque.enable_msix(1).unwrap();
        opaque.bar(0).unwrap().write(0, 1_u32).unwrap();
        assert_eq!(irqs[0].wait(PATIENCE).unwrap(), Some(1));
    });
    let replayed = Bench::replay(Opaque::default(), &path).map(|replay| replay.unrecorded);
    let kinds = [Unrecorded::Threads, Unrecorded::DirectMemory, Unrecorded::Events];
    match replayed {
        Ok(unrecorded) => assert_eq!(unrecorded, kinds),
        Err(error) => {
            let text = error.to_string();
            assert!(kinds.iter().all(|kind| text.contains(&kind.to_string())), "{text}");
        }
    }
}
