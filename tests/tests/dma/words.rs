//! Words of the client's memory, which the device's threads access in one piece.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU32, AtomicU64};

use vfio_user::DmaError;
use vfio_user_tests::wire::dma;

use super::held::{PAGE, is_unmapped, map, setup};

#[test]
fn words_are_accessed_in_one_piece_where_they_are_aligned() {
    let (_running, mut client, memory, file) = setup(4);
    map(&mut client, dma::BOTH, 0, 0, PAGE, &file);
    map(&mut client, dma::BOTH, PAGE, PAGE, PAGE, &file);
    memory.store(8, 0x1234_5678_u32).unwrap();
    assert_eq!(memory.load::<u32>(8).unwrap(), 0x1234_5678);
    assert_eq!(memory.load::<u16>(10).unwrap(), 0x1234, "little-endian");
    assert_eq!(memory.load::<u8>(11).unwrap(), 0x12);
    memory.store(8, 0x1234_5678_u64).unwrap();
    let added = memory.atomic(8, |word: &AtomicU64| word.fetch_add(u64::MAX, SeqCst));
    assert_eq!(added.unwrap(), 0x1234_5678);
    let exchange = |old, new| {
        memory
            .atomic(8, |word: &AtomicU64| word.compare_exchange(old, new, SeqCst, SeqCst))
            .unwrap()
    };
    assert_eq!(exchange(7, 9), Err(0x1234_5677));
    assert_eq!(exchange(0x1234_5677, 9), Ok(0x1234_5677));
    let segment = memory.region(0).unwrap();
    assert_eq!(segment.load::<u64>(8).unwrap(), 9);
    segment.store(8, 10_u64).unwrap();
    assert_eq!(segment.atomic(8, |word: &AtomicU32| word.swap(12, SeqCst)).unwrap(), 10);
    assert!(matches!(segment.load::<u64>(PAGE - 4), Err(DmaError::Outside { .. })));
    for iova in [1, 2, 4, PAGE - 4] {
        for refused in [
            memory.load::<u64>(iova),
            memory.atomic(iova, |word: &AtomicU64| word.load(SeqCst)),
            memory.store(iova, 1_u64).map(|()| 0),
        ] {
            assert!(matches!(refused, Err(DmaError::Misaligned { .. })), "{iova:#x}");
        }
    }
    assert!(is_unmapped(&memory.load::<u64>(2 * PAGE)));
    assert!(is_unmapped(&memory.load::<u64>(2 * PAGE - 4)));
    map(&mut client, dma::BOTH, 4, 8 * PAGE, 64, &file);
    let refused = memory.load::<u64>(8 * PAGE);
    assert!(matches!(refused, Err(DmaError::Misaligned { .. })), "aligned for the guest alone");
    assert_eq!(memory.load::<u64>(8 * PAGE + 4).unwrap(), 12);
}

#[test]
fn words_need_memory_and_rights() {
    let (_running, mut client, memory, file) = setup(4);
    let swap = |iova| memory.atomic(iova, |word: &AtomicU32| word.swap(1, SeqCst));
    map(&mut client, dma::BOTH | dma::FILE_IO, 0, 9 * PAGE, PAGE, &file);
    assert!(matches!(memory.load::<u64>(9 * PAGE), Err(DmaError::NotMapped { .. })));
    assert!(matches!(swap(9 * PAGE), Err(DmaError::NotMapped { .. })));
    client.dma_map(dma::BOTH, 0, 10 * PAGE, PAGE, None).ok();
    assert!(matches!(memory.load::<u64>(10 * PAGE), Err(DmaError::NotMapped { .. })));
    map(&mut client, dma::READ, PAGE, 11 * PAGE, PAGE, &file);
    map(&mut client, dma::WRITE, 0, 12 * PAGE, PAGE, &file);
    assert_eq!(memory.load::<u16>(11 * PAGE).unwrap(), 0x0101);
    assert!(matches!(memory.store(11 * PAGE, 1_u32), Err(DmaError::NotWritable { .. })));
    assert!(matches!(swap(11 * PAGE), Err(DmaError::NotWritable { .. })));
    assert!(matches!(memory.load::<u32>(12 * PAGE), Err(DmaError::NotReadable { .. })));
    assert!(matches!(swap(12 * PAGE), Err(DmaError::NotReadable { .. })));
    memory.store(12 * PAGE, 1_u32).unwrap();
}
