//! Which descriptors are memory, and what is done with each kind.

use std::fs::{self, File};
use std::io::{Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::net::UnixStream;

use nix::sys::memfd::{MFdFlags, memfd_create};
use vfio_user::Server;
use vfio_user_tests::driver::{Driver, PAGE, numbers};
use vfio_user_tests::files;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve::{self, Running};
use vfio_user_tests::wire::{dma, errno};
use vfio_user_tests::zoo::{Kit, Zoo, dma_status};

/// A client of a device that takes any file.
fn trusting() -> (Running, RawClient) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = Server::from_stream(theirs).unwrap().any_memory_file();
    let running = Running::start(server, |server| server.serve(Zoo::factory(&Kit::default())));
    let mut client = RawClient::new(ours);
    client.negotiate();
    (running, client)
}

/// A file on a disk, of numbers.
fn on_disk(pages: u64) -> File {
    let mut file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for n in 0..pages * PAGE / 8 {
        file.write_all(&(n * 8).to_le_bytes()).unwrap();
    }
    file.rewind().unwrap();
    file
}

fn open(path: &str) -> File {
    File::options().read(true).write(true).open(path).unwrap()
}

fn in_huge_pages(len: u64) -> File {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_HUGETLB;
    let file = File::from(memfd_create(c"huge", flags).unwrap());
    file.set_len(len).unwrap();
    file
}

#[test]
fn files_that_do_not_live_in_memory_are_refused_unless_they_are_asked_for() {
    let (_running, mut client, _kit) = serve::zoo();
    let shared = tempfile::tempfile_in("/dev/shm").unwrap();
    shared.set_len(2 * PAGE).unwrap();
    assert_eq!(client.map(dma::BOTH, 0, 0, PAGE, &shared), None);
    assert_eq!(client.map(dma::BOTH | dma::FILE_IO, 0, PAGE, PAGE, &shared), None);
    assert_eq!(client.map(dma::BOTH, 0, 2 * PAGE, PAGE, &files::memory(PAGE)), None);
    let refused = [on_disk(1), open("/proc/self/mem"), open("/dev/zero"), open("/dev/null")];
    for file in &refused {
        for mode in [0, dma::MMAP, dma::FILE_IO] {
            let answer = client.map(dma::BOTH | mode, 0, 0x10_0000, PAGE, file);
            assert_eq!(answer, Some(errno::EPERM), "{file:?}, mode {mode}");
        }
    }
    let (_running, mut client) = trusting();
    for mode in [0, dma::MMAP, dma::FILE_IO] {
        assert_eq!(client.map(dma::BOTH | mode, 0, 0, PAGE, &refused[0]), None);
        assert_eq!(client.load(8), Ok(8));
        assert_eq!(client.dma_unmap(0, 0, PAGE), Ok(()));
    }
}

/// The memory of a process, as a debugger sees it.
#[test]
fn files_without_a_size_are_read_and_written_as_they_can_be() {
    let (_running, mut client) = trusting();
    let memory = open("/proc/self/mem");
    let words = vec![0x1111_u64; 1024].into_boxed_slice();
    let at = words.as_ptr().expose_provenance() as u64;
    assert_eq!(client.map(dma::BOTH | dma::FILE_IO, at, 0, 8192, &memory), None);
    assert_eq!(client.load(16), Ok(0x1111));
    assert_eq!(client.store(24, 0x2222), dma_status::DONE);
    let mut back = [0; 8];
    memory.read_exact_at(&mut back, at + 24).unwrap();
    assert_eq!(u64::from_le_bytes(back), 0x2222);
    assert_eq!(
        client.map(dma::BOTH | dma::MMAP, at, 0x10_0000, PAGE, &memory),
        Some(errno::ENODEV)
    );
    assert_eq!(client.map(dma::BOTH, at, 0x10_0000, PAGE, &memory), None, "as it can be");
    let nowhere = client.map(dma::READ | dma::FILE_IO, 0, 0x20_0000, PAGE, &memory);
    assert_eq!(nowhere, Some(errno::EINVAL), "nothing is there");
    let zero = open("/dev/zero");
    assert_eq!(client.map(dma::BOTH | dma::FILE_IO, 0, 0x30_0000, PAGE, &zero), None);
    assert_eq!(client.load(0x30_0000), Ok(0));
    drop(words);
}

#[test]
fn files_that_hold_nothing_are_refused_however_many_are_accepted() {
    let (_running, mut client) = trusting();
    let empty = on_disk(0);
    for file in [&open("/dev/null"), &empty] {
        for mode in [dma::MMAP, dma::FILE_IO] {
            for rights in [dma::READ, dma::WRITE, dma::BOTH] {
                let answer = client.map(rights | mode, 0, 0, PAGE, file);
                let is_write_only = rights == dma::WRITE && file.metadata().unwrap().rdev() != 0;
                assert!(answer.is_some() || is_write_only, "{file:?} {rights} {mode}");
                assert_eq!(client.dma_unmap(dma::UNMAP_ALL, 0, 0), Ok(()));
            }
        }
    }
}

/// Without any huge page: the memory is there, and nothing behind it.
#[test]
fn huge_pages_are_not_reserved_and_not_written_as_files() {
    let huge = 2 << 20;
    let (file, before) = (in_huge_pages(64 * huge), reserved());
    let (_running, mut client, _kit) = serve::zoo();
    assert_eq!(client.map(dma::BOTH, 8 * huge, 0, huge, &file), None);
    assert_eq!(files::count_mappings(&file), 1, "no file I/O");
    assert_eq!(mapped_bytes(&file), huge, "of a part");
    assert_eq!(reserved(), before);
    if fs::read_to_string("/proc/sys/vm/nr_hugepages").unwrap().trim() == "0" {
        assert_eq!(client.load(0), Err(dma_status::LOST), "an error and no signal");
        assert_eq!(client.store(8, 1), dma_status::LOST);
    }
    for rights in [dma::WRITE, dma::BOTH] {
        let answer = client.map(rights | dma::FILE_IO, 0, 4 * huge, huge, &file);
        assert_eq!(answer, Some(errno::ENODEV), "hugetlbfs has no write");
    }
    assert_eq!(client.map(dma::READ | dma::FILE_IO, 0, 4 * huge, huge, &file), None);
    assert_eq!(client.load(4 * huge), Ok(0));
}

fn reserved() -> String {
    let info = fs::read_to_string("/proc/meminfo").unwrap();
    info.lines().find(|line| line.starts_with("HugePages_Rsvd")).unwrap().to_owned()
}

/// The entries of `/proc/self/smaps` for a file.
fn mappings(file: &File) -> Vec<String> {
    let inode = format!(" {} ", file.metadata().unwrap().ino());
    let all = fs::read_to_string("/proc/self/smaps").unwrap();
    let mut entries: Vec<String> = Vec::new();
    for line in all.lines() {
        let is_head = line.split(' ').next().is_some_and(|range| range.contains('-'));
        match (is_head, entries.last_mut()) {
            (false, Some(entry)) => entry.extend(["\n", line]),
            _ => entries.push(line.to_owned()),
        }
    }
    entries.retain(|entry| entry.lines().next().is_some_and(|head| head.contains(&inode)));
    entries
}

fn mapped_bytes(file: &File) -> u64 {
    let bytes = |entry: &String| {
        let range = entry.split(' ').next().unwrap();
        let (first, end) = range.split_once('-').unwrap();
        u64::from_str_radix(end, 16).unwrap() - u64::from_str_radix(first, 16).unwrap()
    };
    mappings(file).iter().map(bytes).sum()
}

#[test]
fn no_mapping_of_a_client_is_dumped() {
    let (_running, mut client) = trusting();
    let disk = on_disk(2);
    let kinds = [numbers(2 * PAGE, 0), in_huge_pages(4 << 20), disk];
    for file in &kinds {
        for rights in [dma::READ, dma::BOTH] {
            assert_eq!(client.map(rights, 0, 0, 2 * PAGE, file), None, "{file:?}");
            let mappings = mappings(file);
            assert_eq!(mappings.len(), 1, "{file:?}");
            let flags = mappings[0].lines().find(|line| line.starts_with("VmFlags")).unwrap();
            assert!(flags.split(' ').any(|flag| flag == "dd"), "{file:?}: {flags}");
            assert_eq!(client.dma_unmap(dma::UNMAP_ALL, 0, 0), Ok(()));
        }
    }
    assert!(kinds[0].as_raw_fd() >= 0);
}
