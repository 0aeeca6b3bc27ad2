//! A process that can map nothing more, because other code has taken the mappings. Alone, because
//! the limit is that of the process.

use memmap2::{MmapOptions, MmapRaw};
use vfio_user_tests::driver::{Driver, PAGE};
use vfio_user_tests::wire::{dma, errno};
use vfio_user_tests::zoo::dma_status;
use vfio_user_tests::{files, serve};

#[test]
fn requests_fail_alone_and_memory_is_reached_without_a_mapping() {
    let (_running, mut client, _kit) = serve::zoo();
    let memory = files::memory(4 * PAGE);
    assert_eq!(client.map(dma::BOTH, 0, 0, PAGE, &files::memory(PAGE)), None);
    let mappings = fill();
    assert!(!mappings.is_empty());
    let refused = client.map(dma::BOTH | dma::MMAP, 0, 2 * PAGE, PAGE, &memory);
    assert_eq!(refused, Some(errno::ENOMEM), "the session goes on");
    assert_eq!(client.map(dma::BOTH, 0, 2 * PAGE, PAGE, &memory), None);
    assert_eq!(files::count_mappings(&memory), 0);
    for at in [0, 2 * PAGE] {
        assert_eq!(client.store(at + 8, at + 1), dma_status::DONE);
        assert_eq!(client.load(at + 8), Ok(at + 1), "mapped or not");
    }
    drop(mappings);
    assert_eq!(client.map(dma::BOTH | dma::MMAP, PAGE, 4 * PAGE, PAGE, &memory), None);
    assert_eq!(files::count_mappings(&memory), 1);
    assert_eq!(client.store(4 * PAGE, 7), dma_status::DONE);
    assert_eq!(client.load(4 * PAGE), Ok(7));
}

/// Maps the same page until the kernel refuses (`vm.max_map_count`).
fn fill() -> Vec<MmapRaw> {
    let page = files::memory(PAGE);
    // Not allocated meanwhile: that may need a mapping, too.
    let mut mappings = Vec::with_capacity(1 << 20);
    while let Ok(mapping) = MmapOptions::new().len(4096).map_raw(&page) {
        assert!(mappings.len() < mappings.capacity(), "the kernel has no limit");
        mappings.push(mapping);
    }
    mappings
}
