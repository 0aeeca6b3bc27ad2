//! The client's memory: what can be mapped, and what the device may do with it.

use std::os::fd::AsFd;

use vfio_user_tests::driver::{Driver, PAGE, at, numbers, tagged};
use vfio_user_tests::wire::{self, command, dma, errno};
use vfio_user_tests::zoo::dma_status;
use vfio_user_tests::{files, serve};

/// Of the last page of the address space.
const TOP: u64 = u64::MAX - 0xfff;

#[test]
fn memory_is_read_and_written_where_it_is_mapped() {
    let (_running, mut client, _kit) = serve::zoo();
    let file = numbers(4 * PAGE, 7);
    for mode in [0, dma::MMAP, dma::FILE_IO] {
        let flags = dma::BOTH | mode;
        assert_eq!(client.map(flags, PAGE, 0x10_0000, 2 * PAGE, &file), None);
        assert_eq!(client.load(0x10_0000), Ok(tagged(PAGE, 7)));
        assert_eq!(client.load(0x10_1ff8), Ok(tagged(3 * PAGE - 8, 7)));
        assert_eq!(client.load(0x0f_fff8), Err(dma_status::UNMAPPED));
        assert_eq!(client.load(0x10_1ff9), Err(dma_status::UNMAPPED), "the end is outside");
        assert_eq!(client.store(0x10_0008, 42), dma_status::DONE);
        assert_eq!(at(&file, PAGE + 8), 42);
        assert_eq!(
            (at(&file, PAGE - 8), at(&file, 3 * PAGE)),
            (tagged(PAGE - 8, 7), tagged(3 * PAGE, 7))
        );
        assert_eq!(client.store(0x10_1ffc, 1), dma_status::UNMAPPED);
        assert_eq!(at(&file, 3 * PAGE - 8), tagged(3 * PAGE - 8, 7), "nothing is half written");
        assert_eq!(client.dma_unmap(0, 0x10_0000, 2 * PAGE), Ok(()));
        assert_eq!(client.load(0x10_0000), Err(dma_status::UNMAPPED));
    }
}

#[test]
fn an_access_may_span_adjacent_regions_of_any_kind() {
    let (_running, mut client, _kit) = serve::zoo();
    let [first, second, third, target] = [1, 2, 3, 4].map(|tag| numbers(PAGE, tag));
    assert_eq!(client.map(dma::READ, 0, 0, PAGE, &first), None);
    assert_eq!(client.map(dma::BOTH | dma::FILE_IO, 0, PAGE, PAGE, &second), None);
    assert_eq!(client.map(dma::READ | dma::MMAP, 0, 2 * PAGE, PAGE, &third), None);
    assert_eq!(client.map(dma::WRITE, 0, 0x8_0000, PAGE, &target), None);
    assert_eq!(client.copy(PAGE - 8, 0x8_0000, 0xff0 + 32), dma_status::UNMAPPED);
    assert_eq!(client.copy(PAGE - 8, 0x8_0000, 16), dma_status::DONE);
    assert_eq!((at(&target, 0), at(&target, 8)), (tagged(PAGE - 8, 1), 2 << 32));
    assert_eq!(client.copy(2 * PAGE - 8, 0x8_0ff0, 16), dma_status::DONE);
    assert_eq!((at(&target, 0xff0), at(&target, 0xff8)), (tagged(PAGE - 8, 2), 3 << 32));
    assert_eq!(client.copy(3 * PAGE - 8, 0x8_0000, 16), dma_status::UNMAPPED, "behind the last");
    assert_eq!(client.copy(0x5_0000, 0x6_0000, 0), dma_status::DONE, "nothing, from nowhere");
}

#[test]
fn rights_are_enforced() {
    let (_running, mut client, _kit) = serve::zoo();
    let file = numbers(4 * PAGE, 0);
    for mode in [0, dma::MMAP, dma::FILE_IO] {
        assert_eq!(client.map(dma::READ | mode, 0, 0, PAGE, &file), None);
        assert_eq!(client.map(dma::WRITE | mode, PAGE, PAGE, PAGE, &file), None);
        assert_eq!(client.load(8), Ok(8));
        assert_eq!(client.store(8, 1), dma_status::NOT_WRITABLE);
        assert_eq!(client.store(PAGE + 8, 1), dma_status::DONE);
        assert_eq!(client.load(PAGE + 8), Err(dma_status::NOT_READABLE));
        assert_eq!(client.load(PAGE - 4), Err(dma_status::NOT_READABLE), "across");
        assert_eq!(client.store(PAGE - 4, 1), dma_status::NOT_WRITABLE, "across");
        assert_eq!((at(&file, 8), at(&file, PAGE - 8)), (8, PAGE - 8), "unharmed");
        assert_eq!(client.dma_unmap(0, 0, u64::MAX), Ok(()));
    }
}

#[test]
fn flags_that_make_no_sense_are_refused() {
    let (_running, mut client, _kit) = serve::zoo();
    let file = files::memory(PAGE);
    for flags in [0, dma::MMAP, 0x13, 0x8000_0003, dma::BOTH | dma::MMAP | dma::FILE_IO] {
        assert_eq!(client.map(flags, 0, 0, PAGE, &file), Some(errno::EINVAL), "{flags:#x}");
    }
    for mode in [dma::MMAP, dma::FILE_IO] {
        client.dma_map(dma::BOTH | mode, 0, 0, PAGE, None).fails_with(errno::EINVAL);
    }
    let mut short = wire::dma_map(dma::BOTH, 0, 0, PAGE);
    short[0] = 31;
    client.request(command::DMA_MAP, &short, &[file.as_fd()]).fails_with(errno::EINVAL);
    let map = wire::dma_map(dma::BOTH, 0, 0, PAGE);
    let two = [file.as_fd(), file.as_fd()];
    client.request(command::DMA_MAP, &map, &two).fails_with(errno::EINVAL);
    assert_eq!(client.load(0), Err(dma_status::UNMAPPED));
}

#[test]
fn ranges_of_nothing_or_beyond_the_address_space_are_refused() {
    let (_running, mut client, _kit) = serve::zoo();
    let file = files::memory(2 * PAGE);
    for (iova, size) in [(0, 0), (PAGE, 0), (TOP, 0x1001), (u64::MAX, 2), (TOP + 1, 0x1000)] {
        assert_eq!(client.map(dma::BOTH, 0, iova, size, &file), Some(errno::EINVAL));
        client.dma_map(dma::BOTH, 0, iova, size, None).fails_with(errno::EINVAL);
        assert_eq!(client.dma_unmap(0, iova, size), Err(errno::EINVAL));
    }
}

#[test]
fn a_range_may_end_at_the_end_of_the_address_space() {
    let (_running, mut client, _kit) = serve::zoo();
    let file = numbers(PAGE, 5);
    assert_eq!(client.map(dma::BOTH, 0, TOP, PAGE, &file), None);
    assert_eq!(client.load(u64::MAX - 7), Ok(tagged(PAGE - 8, 5)));
    assert_eq!(client.load(u64::MAX - 6), Err(dma_status::WRAPS));
    assert_eq!(client.store(u64::MAX, 1), dma_status::WRAPS);
    assert_eq!(client.store(u64::MAX - 7, 1), dma_status::DONE);
    assert_eq!(at(&file, PAGE - 8), 1);
    assert_eq!(client.dma_unmap(0, TOP, PAGE), Ok(()));
    assert_eq!(client.load(TOP), Err(dma_status::UNMAPPED));
}

#[test]
fn overlaps_are_refused_and_exact_duplicates_accepted() {
    let (_running, mut client, _kit) = serve::zoo();
    let (file, other) = (numbers(8 * PAGE, 0), numbers(8 * PAGE, 1));
    assert_eq!(client.map(dma::BOTH, PAGE, 4 * PAGE, 2 * PAGE, &file), None);
    assert_eq!(client.map(dma::BOTH, PAGE, 4 * PAGE, 2 * PAGE, &file), None, "a duplicate");
    let again = file.try_clone().unwrap();
    assert_eq!(client.map(dma::BOTH, PAGE, 4 * PAGE, 2 * PAGE, &again), None, "of the same file");
    let overlaps = [
        (dma::BOTH, PAGE, 4 * PAGE, PAGE, &file),
        (dma::BOTH, PAGE, 4 * PAGE, 3 * PAGE, &file),
        (dma::BOTH, PAGE, 5 * PAGE, PAGE, &file),
        (dma::BOTH, 0, 3 * PAGE, 2 * PAGE, &file),
        (dma::BOTH, 0, 0, 8 * PAGE, &file),
        (dma::BOTH, 0, 4 * PAGE, 2 * PAGE, &file),
        (dma::READ, PAGE, 4 * PAGE, 2 * PAGE, &file),
        (dma::BOTH, PAGE, 4 * PAGE, 2 * PAGE, &other),
        (dma::BOTH, 0, 6 * PAGE - 1, 1, &file),
    ];
    for (flags, offset, iova, size, file) in overlaps {
        let answer = client.map(flags, offset, iova, size, file);
        assert_eq!(answer, Some(errno::EEXIST), "{iova:#x}+{size:#x}");
    }
    client.dma_map(dma::BOTH, 0, 4 * PAGE, 2 * PAGE, None).fails_with(errno::EEXIST);
    assert_eq!(client.load(4 * PAGE), Ok(PAGE), "as it was");
    assert_eq!(client.map(dma::BOTH, 0, 3 * PAGE, PAGE, &file), None, "up to it");
    assert_eq!(client.map(dma::BOTH, 0, 6 * PAGE, PAGE, &file), None, "behind it");
    assert_eq!(client.dma_unmap(0, 4 * PAGE, 2 * PAGE), Ok(()));
    assert_eq!(client.load(4 * PAGE), Err(dma_status::UNMAPPED), "duplicates count once");
    assert_eq!(files::count_mappings(&file), 1, "of what is left");
}

#[test]
fn an_unmap_takes_what_it_contains_and_refuses_to_cut() {
    let (_running, mut client, _kit) = serve::zoo();
    let file = numbers(PAGE, 0);
    for page in [1, 2, 3, 8] {
        assert_eq!(client.map(dma::BOTH, 0, page * PAGE, PAGE, &file), None);
    }
    for (iova, size) in [(PAGE, PAGE - 1), (PAGE + 1, PAGE), (0, PAGE + 1), (0, 8 * PAGE + 1)] {
        assert_eq!(client.dma_unmap(0, iova, size), Err(errno::EINVAL), "{iova:#x}+{size:#x}");
    }
    let loads = [1, 2, 3, 8].map(|page| client.load(page * PAGE).is_ok());
    assert_eq!(loads, [true; 4], "nothing was taken");
    assert_eq!(client.dma_unmap(0, 0, 3 * PAGE), Ok(()));
    let loads = [1, 2, 3, 8].map(|page| client.load(page * PAGE).is_ok());
    assert_eq!(loads, [false, false, true, true]);
    assert_eq!(files::count_mappings(&file), 1);
    assert_eq!(client.dma_unmap(dma::UNMAP_ALL, 0, 0), Ok(()));
    assert_eq!(files::count_mappings(&file), 0, "unmapped before the reply");
    assert_eq!(client.dma_unmap(dma::UNMAP_ALL, 0, 0), Ok(()), "all of nothing");
}

#[test]
fn flags_of_an_unmap_are_checked() {
    let (_running, mut client, _kit) = serve::zoo();
    for (flags, iova, size) in [
        (dma::UNMAP_ALL, 0, PAGE),
        (dma::UNMAP_ALL, PAGE, 0),
        (4, 0, PAGE),
        (0x8000_0000, 0, PAGE),
        (0, 0, 0),
    ] {
        assert_eq!(client.dma_unmap(flags, iova, size), Err(errno::EINVAL));
    }
    let mut short = wire::dma_unmap(0, 0, PAGE);
    short[0] = 23;
    client.request(command::DMA_UNMAP, &short, &[]).fails_with(errno::EINVAL);
}

/// What QEMU does with a virtual IOMMU.
#[test]
fn huge_unmaps_of_nothing_succeed() {
    let (_running, mut client, _kit) = serve::zoo();
    let file = numbers(PAGE, 0);
    assert_eq!(client.map(dma::BOTH, 0, 0xfee0_0000, PAGE, &file), None);
    for (iova, size) in [
        (0x8000_0000_0000, 0x8000_0000_0000),
        (0xfef0_0000, 0xffff_ffff_0110_0000),
        (0, 0xfee0_0000),
        (0, 1),
        (u64::MAX, 1),
    ] {
        assert_eq!(client.dma_unmap(0, iova, size), Ok(()), "{iova:#x}+{size:#x}");
    }
    assert_eq!(client.load(0xfee0_0000), Ok(0), "untouched");
    assert_eq!(client.dma_unmap(0, 0, u64::MAX), Ok(()), "all but the last byte");
    assert_eq!(client.load(0xfee0_0000), Err(dma_status::UNMAPPED));
}

#[test]
fn an_unmap_is_answered_with_all_of_the_request_and_closes_a_descriptor() {
    let (_running, mut client, _kit) = serve::zoo();
    let (mut reader, writer) = files::new_pipe();
    let unmap = wire::dma_unmap(0, 0, PAGE);
    let answer = client.request(command::DMA_UNMAP, &unmap, &[writer.as_fd()]);
    assert_eq!((answer.size, answer.ok()), (40, unmap));
    drop(writer);
    files::assert_closed(&mut reader);
}

#[test]
fn memory_without_descriptor_is_accepted_and_cannot_be_read_in_a_hook() {
    let (_running, mut client, _kit) = serve::zoo();
    let file = numbers(PAGE, 0);
    client.dma_map(dma::BOTH, 0, PAGE, PAGE, None).ok();
    client.dma_map(dma::READ, 0, 0xfffc_0000, 0x4_0000, None).ok();
    assert_eq!(client.map(dma::BOTH, 0, 0, PAGE, &file), None);
    assert_eq!(client.load(PAGE), Err(dma_status::MESSAGE_MODE));
    assert_eq!(client.copy(PAGE - 4, 0, 8), dma_status::MESSAGE_MODE, "across");
    assert_eq!(client.store(0xfffc_0000, 1), dma_status::NOT_WRITABLE);
    assert_eq!(at(&file, 0), 0, "nothing was copied");
    assert!(!client.has_message(std::time::Duration::ZERO), "no message to the client");
    client.dma_map(dma::BOTH, 0, PAGE, PAGE, None).ok();
    assert_eq!(client.dma_unmap(0, PAGE, PAGE), Ok(()));
    assert_eq!(client.load(PAGE), Err(dma_status::UNMAPPED));
}

#[test]
fn as_many_regions_as_promised_and_no_more() {
    let (_running, mut client, _kit) = serve::zoo();
    for chunk in (0..65535u64).collect::<Vec<_>>().chunks(64) {
        let maps = chunk.iter().flat_map(|page| {
            let map = wire::dma_map(dma::BOTH, 0, page * 2 * PAGE, PAGE);
            wire::message(1, command::DMA_MAP, 0, &map)
        });
        client.send(&maps.collect::<Vec<u8>>(), &[]);
        for _ in chunk {
            assert_eq!(client.answer_to(1, command::DMA_MAP).errno(), None);
        }
    }
    client.dma_map(dma::BOTH, 0, 1 << 40, PAGE, None).fails_with(errno::ENOSPC);
    client.dma_map(dma::BOTH, 0, 0, PAGE, None).ok();
    assert_eq!(client.load(65534 * 2 * PAGE), Err(dma_status::MESSAGE_MODE));
    assert_eq!(client.dma_unmap(0, 65534 * 2 * PAGE, PAGE), Ok(()));
    client.dma_map(dma::BOTH, 0, 1 << 40, PAGE, None).ok();
    assert_eq!(client.dma_unmap(0, 0, u64::MAX), Ok(()));
    assert_eq!(client.load(0), Err(dma_status::UNMAPPED));
}

#[test]
fn a_reset_keeps_the_memory() {
    let (_running, mut client, _kit) = serve::zoo();
    let file = numbers(PAGE, 0);
    assert_eq!(client.map(dma::BOTH, 0, 0, PAGE, &file), None);
    client.request(command::RESET, &[], &[]).ok();
    assert_eq!(client.load(16), Ok(16));
}
