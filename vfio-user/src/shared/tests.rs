use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::*;
use crate::layout::BarKind;
use crate::model::{Bar, Ids};

const NOBODY: Ids =
    Ids { vendor: 1, device: 1, class: 0, revision: 0, subsystem_vendor: 0, subsystem: 0 };

fn descriptor(bar: Bar) -> Descriptor {
    Descriptor::new("test", NOBODY).with_bar(2, bar)
}

fn shared(size: u64, areas: &'static [(u64, u64)]) -> Shared {
    let bar = Bar::new(BarKind::Mem64, size).with_shared_areas(areas);
    Shared::new(&descriptor(bar), 2).unwrap()
}

fn file(len: u64) -> File {
    let file = File::from(memfd_create(c"test", MFdFlags::MFD_CLOEXEC).unwrap());
    file.set_len(len).unwrap();
    file
}

fn with_file(bar: Bar, file: &File, offset: u64) -> Result<Shared, SetupError> {
    let mut descriptor = descriptor(bar);
    descriptor.set_shared_file(2, file.try_clone().unwrap(), offset).unwrap();
    Shared::new(&descriptor, 2)
}

#[test]
fn what_is_outside_of_all_areas_is_refused() {
    let shared = shared(0x8000, &[(0x4000, 0x6000), (0x1000, 0x2000), (0x2000, 0x3000)]);
    assert_eq!(shared.areas(), [0x1000..0x3000, 0x4000..0x6000]);
    for (offset, len) in [(0x1000, 0x2000), (0x1ffc, 8), (0x5fff, 1), (0x3000 - 1, 1)] {
        assert_eq!(shared.write(offset, &vec![7; len]), Ok(()), "{offset:#x}");
    }
    for (offset, len) in [(0xfff, 1), (0xfff, 2), (0x2fff, 2), (0x3000, 1), (u64::MAX, 2)] {
        let outside = Err(SharedError::Outside { offset, len: len as u64 });
        assert_eq!(shared.write(offset, &vec![7; len]), outside);
        assert_eq!(shared.read(offset, &mut vec![7; len]), outside);
    }
    assert_eq!(
        shared.fill(0x1000..0x4000, 1),
        Err(SharedError::Outside { offset: 0x1000, len: 0x3000 })
    );
    let misaligned = Err(SharedError::Misaligned { offset: 0x1002, width: 4 });
    assert_eq!(shared.load::<u32>(0x1002), misaligned);
}

#[test]
fn words_are_little_endian_and_atomics_count() {
    let shared = shared(0x1000, &[]);
    shared.store(0x10, 0x1122_3344_u32).unwrap();
    let mut bytes = [0; 4];
    shared.read(0x10, &mut bytes).unwrap();
    assert_eq!(bytes, [0x44, 0x33, 0x22, 0x11]);
    assert_eq!(shared.load::<u8>(0x13), Ok(0x11));
    let threads = [(); 4].map(|()| {
        let shared = shared.clone();
        std::thread::spawn(move || {
            for _ in 0..1000 {
                let add = |word: &AtomicU64| word.fetch_add(1, Ordering::Relaxed);
                shared.atomic(0x20, add).unwrap();
            }
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(shared.load::<u64>(0x20), Ok(4000));
}

#[test]
fn an_atomic_operation_that_panics_leaves_the_memory_usable() {
    let shared = shared(0x1000, &[]);
    let panicked = std::panic::catch_unwind(|| shared.atomic(0, |_: &AtomicU16| panic!("no")));
    assert!(panicked.is_err());
    assert_eq!(shared.atomic(0, |word: &AtomicU16| word.swap(1, Ordering::SeqCst)), Ok(0));
}

#[test]
fn a_bar_of_many_gigabytes_costs_only_the_pages_that_are_touched() {
    let shared = shared(64 << 30, &[]);
    shared.store((64 << 30) - 8, 0x55_u64).unwrap();
    shared.store(32 << 30, 0xaa_u64).unwrap();
    let file = File::from(shared.mapping().unwrap().file.try_clone_to_owned().unwrap());
    let blocks = || std::os::unix::fs::MetadataExt::blocks(&file.metadata().unwrap());
    assert!(blocks() * 512 <= 4 << 20, "{} blocks", blocks());
    shared.clear().unwrap();
    assert_eq!(blocks(), 0);
    assert_eq!(shared.load::<u64>(32 << 30), Ok(0));
}

#[test]
fn no_client_can_change_the_size_of_what_it_maps() {
    let shared = shared(0x2000, &[(0x1000, 0x2000)]);
    let file = File::from(shared.mapping().unwrap().file.try_clone_to_owned().unwrap());
    assert_eq!(file.metadata().unwrap().len(), 0x2000);
    for size in [0, 0x1000, 0x3000] {
        assert!(file.set_len(size).is_err());
    }
}

#[test]
fn a_file_of_the_authors_is_mapped_where_he_says() {
    let file = file(0x5000);
    file.write_all_at(b"there", 0x3ff0).unwrap();
    let bar = Bar::new(BarKind::Mem32, 0x2000).with_shared_areas(&[(0x1000, 0x2000)]);
    let shared = with_file(bar, &file, 0x2000).unwrap();
    let mut bytes = [0; 5];
    shared.read(0x1ff0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"there");
    shared.fill(0x1000..0x2000, 0xee).unwrap();
    file.read_exact_at(&mut bytes, 0x3ffb).unwrap();
    assert_eq!(bytes, [0xee; 5]);
    file.read_exact_at(&mut bytes, 0x4000).unwrap();
    assert_eq!(bytes, [0; 5], "behind the area");
    assert_eq!(shared.mapping().unwrap().offset, 0x2000);
    file.set_len(0).unwrap();
    assert_eq!(shared.load::<u32>(0x1000), Err(SharedError::Lost));
}

#[test]
fn a_file_that_does_not_do_is_refused() {
    let bar = Bar::new(BarKind::Mem32, 0x2000).with_shared();
    let file = file(0x2000);
    assert!(with_file(bar, &file, 0).is_ok());
    for (bar, offset, why) in [
        (bar, 0x1000, SharedFileError::TooShort { bar: 2, len: 0x2000, needed: 0x3000 }),
        (bar, 0x800, SharedFileError::Misaligned { bar: 2, offset: 0x800 }),
        (Bar::new(BarKind::Mem32, 0x2000), 0, SharedFileError::NotShared { bar: 2 }),
    ] {
        match with_file(bar, &file, offset) {
            Err(SetupError::File(error)) => assert_eq!(error, why),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_bar_that_is_not_shared_has_no_memory() {
    let shared = Shared::new(&descriptor(Bar::new(BarKind::Mem32, 0x1000)), 2).unwrap();
    assert!(shared.is_absent() && shared.areas().is_empty());
    assert_eq!(shared.load::<u32>(0), Err(SharedError::Outside { offset: 0, len: 4 }));
    assert_eq!(shared.clear(), Ok(()));
}
