//! The files of a client that are its memory.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;

use vfio_user::EventFd;
use vfio_user_tests::driver::{Driver, PAGE, at, numbers};
use vfio_user_tests::wire::{self, command, dma, errno};
use vfio_user_tests::zoo::dma_status;
use vfio_user_tests::{files, serve};

#[test]
fn a_descriptor_for_reading_is_enough_to_read_and_no_more() {
    let (_running, mut client, _kit) = serve::zoo();
    let file = numbers(PAGE, 0);
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let read_only = File::open(path).unwrap();
    assert_eq!(client.map(dma::BOTH, 0, 0, PAGE, &read_only), Some(errno::EACCES));
    assert_eq!(client.map(dma::READ, 0, 0, PAGE, &read_only), None);
    assert_eq!(client.load(8), Ok(8));
}

#[test]
fn a_file_that_ends_before_the_region_does_is_refused() {
    let (_running, mut client, _kit) = serve::zoo();
    let file = files::memory(2 * PAGE);
    for mode in [0, dma::MMAP, dma::FILE_IO] {
        for (offset, size) in [
            (0, 2 * PAGE + 1),
            (0, 3 * PAGE),
            (PAGE, PAGE + 1),
            (2 * PAGE, 1),
            (u64::MAX, PAGE),
            (u64::MAX - 0xfff, 0x1000),
            (1 << 63, PAGE),
            (0, 1 << 62),
        ] {
            let answer = client.map(dma::BOTH | mode, offset, 0, size, &file);
            assert_eq!(answer, Some(errno::EINVAL), "{offset:#x}+{size:#x}");
        }
        assert_eq!(client.map(dma::BOTH | mode, PAGE, 0, PAGE, &file), None, "to its very end");
        assert_eq!(client.dma_unmap(0, 0, PAGE), Ok(()));
    }
    let empty = files::memory(0);
    assert_eq!(client.map(dma::BOTH, 0, 0, PAGE, &empty), Some(errno::EINVAL));
}

#[test]
fn a_file_offset_needs_no_alignment() {
    let (_running, mut client, _kit) = serve::zoo();
    let file = numbers(4 * PAGE, 0);
    for mode in [0, dma::FILE_IO] {
        assert_eq!(client.map(dma::BOTH | mode, PAGE + 0x238, 0, 0x100, &file), None);
        assert_eq!(client.load(0), Ok(PAGE + 0x238));
        assert_eq!(client.load(0xf8), Ok(PAGE + 0x330));
        assert_eq!(client.load(0xf9), Err(dma_status::UNMAPPED));
        assert_eq!(client.store(0x10, 99), dma_status::DONE);
        assert_eq!(at(&file, PAGE + 0x248), 99);
        assert_eq!(client.dma_unmap(0, 0, 0x100), Ok(()));
        file.write_all_at(&(PAGE + 0x248).to_le_bytes(), PAGE + 0x248).unwrap();
    }
}

#[test]
fn descriptors_without_memory_are_refused() {
    let (_running, mut client, _kit) = serve::zoo();
    let (reader, writer) = files::new_pipe();
    let (socket, _other) = UnixStream::pair().unwrap();
    let kinds: [(&str, OwnedFd); 6] = [
        ("pipe, reading", reader.into()),
        ("pipe, writing", writer),
        ("directory", File::open("/").unwrap().into()),
        ("eventfd", EventFd::new().unwrap().into()),
        ("socket", socket.into()),
        ("null", File::options().read(true).write(true).open("/dev/null").unwrap().into()),
    ];
    for (name, fd) in kinds {
        for mode in [0, dma::MMAP, dma::FILE_IO] {
            for rights in [dma::READ, dma::BOTH] {
                let answer = client.dma_map(rights | mode, 0, 0, PAGE, Some(fd.as_fd()));
                assert!(answer.errno().is_some(), "{name}, mode {mode}");
                assert_eq!(client.load(0), Err(dma_status::UNMAPPED), "{name}, mode {mode}");
            }
        }
    }
}

#[test]
fn a_file_truncated_later_is_an_error_and_no_signal() {
    let (_running, mut client, _kit) = serve::zoo();
    let (file, other) = (numbers(4 * PAGE, 0), numbers(PAGE, 1));
    assert_eq!(client.map(dma::BOTH, 0, 0, 4 * PAGE, &file), None);
    assert_eq!(client.map(dma::BOTH | dma::FILE_IO, 0, 0x10_0000, 4 * PAGE, &file), None);
    assert_eq!(client.map(dma::BOTH, 0, 0x20_0000, PAGE, &other), None);
    file.set_len(PAGE).unwrap();
    assert_eq!(client.load(3 * PAGE), Err(dma_status::LOST));
    assert_eq!(client.store(2 * PAGE, 1), dma_status::LOST);
    assert_eq!(client.load(0x10_0000), Ok(0), "what is left of the file");
    assert_eq!(client.load(0x10_0000 + 2 * PAGE), Err(dma_status::IO));
    assert_eq!(client.load(0x20_0000), Ok(1 << 32), "others are not affected");
    assert_eq!(client.copy(3 * PAGE - 8, 0x20_0000, 0x100), dma_status::LOST);
    assert_eq!(client.dma_unmap(0, 0, 4 * PAGE), Ok(()));
    file.set_len(4 * PAGE).unwrap();
    assert_eq!(client.map(dma::BOTH, 0, 0, 4 * PAGE, &file), None);
    assert_eq!(client.load(3 * PAGE), Ok(0), "as good as new");
}

#[test]
fn a_file_has_one_descriptor_and_one_mapping_a_protection_and_loses_them_with_its_last_region() {
    let (running, mut client, _kit) = serve::zoo();
    let file = numbers(4 * PAGE, 0);
    let counts = || (files::count_descriptors(&file) - 1, files::count_mappings(&file));
    assert_eq!(client.map(dma::BOTH, 0, 0, PAGE, &file), None);
    assert_eq!(counts(), (1, 1));
    assert_eq!(client.map(dma::BOTH, 2 * PAGE, PAGE, 2 * PAGE, &file), None);
    assert_eq!(client.map(dma::WRITE | dma::MMAP, PAGE + 8, 8 * PAGE, 16, &file), None);
    assert_eq!(counts(), (1, 1), "shared");
    assert_eq!((client.load(0), client.load(3 * PAGE - 8)), (Ok(0), Ok(4 * PAGE - 8)));
    assert_eq!(client.map(dma::READ, 0, 16 * PAGE, PAGE, &file), None);
    assert_eq!(counts(), (2, 2), "to be read only");
    assert_eq!(client.map(dma::BOTH | dma::FILE_IO, 0, 17 * PAGE, PAGE, &file), None);
    assert_eq!(client.map(dma::BOTH | dma::FILE_IO, 0, 18 * PAGE, PAGE, &file), None);
    assert_eq!(counts(), (3, 2), "without a mapping");
    assert_eq!(client.dma_unmap(0, 16 * PAGE, 3 * PAGE), Ok(()));
    assert_eq!(counts(), (1, 1));
    file.set_len(8 * PAGE).unwrap();
    assert_eq!(client.map(dma::BOTH, 7 * PAGE, 16 * PAGE, PAGE, &file), None, "grown");
    assert_eq!((client.load(16 * PAGE), client.load(PAGE)), (Ok(0), Ok(2 * PAGE)));
    assert_eq!(client.dma_unmap(0, 0, 8 * PAGE), Ok(()));
    assert_eq!(client.dma_unmap(0, 8 * PAGE, 16), Ok(()));
    assert_eq!(counts(), (1, 1), "closed before the reply");
    drop(client);
    running.join().unwrap();
    assert_eq!(counts(), (0, 0));
}

/// More than the kernel's limit of mappings.
#[test]
fn as_many_regions_of_one_file_as_promised() {
    let (_running, mut client, _kit) = serve::zoo();
    let file = numbers(16 * PAGE, 0);
    for chunk in (0..65535u64).collect::<Vec<_>>().chunks(64) {
        for page in chunk {
            let map = wire::dma_map(dma::BOTH, page % 16 * PAGE, page * 2 * PAGE, PAGE);
            client.send(&wire::message(1, command::DMA_MAP, 0, &map), &[file.as_fd()]);
        }
        for _ in chunk {
            assert_eq!(client.answer_to(1, command::DMA_MAP).errno(), None);
        }
    }
    assert_eq!((files::count_descriptors(&file), files::count_mappings(&file)), (2, 1));
    assert_eq!(client.load(65534 * 2 * PAGE), Ok(14 * PAGE));
    assert_eq!(client.dma_unmap(0, 0, u64::MAX), Ok(()));
    assert_eq!((files::count_descriptors(&file), files::count_mappings(&file)), (1, 0));
}

#[test]
fn what_is_too_large_to_be_mapped_is_read_and_written() {
    let (_running, mut client, _kit) = serve::zoo();
    let file = files::memory(1 << 62);
    let size = 1 << 50;
    assert_eq!(client.map(dma::BOTH | dma::MMAP, 0, 0, size, &file), Some(errno::ENOMEM));
    assert_eq!(client.map(dma::BOTH, 1 << 60, 0, size, &file), None);
    assert_eq!(client.store(size - 8, 42), dma_status::DONE);
    assert_eq!((client.load(size - 8), client.load(8)), (Ok(42), Ok(0)));
    assert_eq!(at(&file, (1 << 60) + size - 8), 42);
    assert_eq!(client.map(dma::BOTH, 0, size, PAGE, &file), None, "a part can be");
    assert_eq!(files::count_mappings(&file), 1);
}

#[test]
fn a_descriptor_gives_no_more_than_its_own_rights_to_a_file_that_is_shared() {
    let (_running, mut client, _kit) = serve::zoo();
    let file = numbers(PAGE, 0);
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let read_only = File::open(&path).unwrap();
    let write_only = File::options().write(true).open(&path).unwrap();
    for mode in [0, dma::MMAP, dma::FILE_IO] {
        assert_eq!(client.map(dma::BOTH | mode, 0, 0, PAGE, &file), None);
        assert_eq!(client.map(dma::READ | mode, 0, PAGE, PAGE, &file), None);
        for flags in [dma::BOTH, dma::WRITE] {
            let answer = client.map(flags | mode, 0, 2 * PAGE, PAGE, &read_only);
            assert_eq!(answer, Some(errno::EACCES));
        }
        for flags in [dma::BOTH, dma::READ] {
            let answer = client.map(flags | mode, 0, 2 * PAGE, PAGE, &write_only);
            assert_eq!(answer, Some(errno::EACCES));
        }
        assert_eq!(client.map(dma::READ | mode, 0, 2 * PAGE, PAGE, &read_only), None);
        assert_eq!(client.load(2 * PAGE + 8), Ok(8));
        assert_eq!(client.dma_unmap(dma::UNMAP_ALL, 0, 0), Ok(()));
    }
    assert_eq!(client.map(dma::WRITE | dma::FILE_IO, 0, 0, PAGE, &write_only), None);
    assert_eq!((client.store(8, 7), at(&file, 8)), (dma_status::DONE, 7));
}
