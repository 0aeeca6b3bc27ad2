//! How much of the process's address space clients may take. Alone, because all share it.

use std::fs::File;

use nix::sys::resource::{Resource, getrlimit};
use vfio_user_tests::driver::{Driver, PAGE};
use vfio_user_tests::wire::{dma, errno};
use vfio_user_tests::zoo::dma_status;
use vfio_user_tests::{files, serve};

const TIB: u64 = 1 << 40;

#[test]
fn clients_leave_room_for_the_process() {
    clients_leave_address_space_to_the_process();
    clients_leave_mappings_to_the_process();
}

fn clients_leave_address_space_to_the_process() {
    let mut devices: Vec<_> = (0..6).map(|_| serve::zoo()).collect();
    let files: Vec<File> = (0..24).map(|_| files::memory(TIB)).collect();
    let count = || files.iter().map(files::count_mappings).sum::<usize>();
    let mut before = 0;
    for (number, (_, client, _)) in devices.iter_mut().enumerate() {
        for (n, file) in (0..).zip(&files) {
            assert_eq!(client.map(dma::BOTH, 0, n * TIB, TIB, file), None);
            assert_eq!(client.store(n * TIB + 8, n + 7), dma_status::DONE);
            assert_eq!(client.load(n * TIB + 8), Ok(n + 7), "mapped or not");
        }
        let most = if number < 4 { 16 } else { 0 };
        assert_eq!(count() - before, most, "of device {number}");
        before = count();
        let answer = client.map(dma::BOTH | dma::MMAP, 0, 100 * TIB, TIB, &files[23]);
        assert_eq!(answer, Some(errno::ENOMEM), "none without a mapping");
        assert!(Vec::<u8>::try_reserve_exact(&mut Vec::new(), 1 << 30).is_ok());
    }
    let (_, client, _) = &mut devices[0];
    assert_eq!(client.dma_unmap(0, 0, 100 * TIB), Ok(()));
    let (_, client, _) = &mut devices[5];
    assert_eq!(
        client.map(dma::BOTH | dma::MMAP, 0, 100 * TIB, TIB, &files[0]),
        None,
        "there is room"
    );
    drop(devices);
    assert_eq!(count(), 0);
}

/// A part of a file is mapped where all of it is too much, each part by itself: mappings are as few
/// as bytes, and so are the descriptors that they keep.
fn clients_leave_mappings_to_the_process() {
    let (_running, mut client, _kit) = serve::zoo();
    let file = files::memory(1 << 60);
    let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
    let limit: u64 = limit.trim().parse::<u64>().unwrap() / 4;
    let (descriptors, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let descriptors = (descriptors / 4).max(64);
    if limit.min(descriptors) > 20_000 {
        eprintln!("SKIPPED: the limits of this machine are larger than the table of a client");
        return;
    }
    for n in 0..(limit + 100).min(descriptors) {
        assert_eq!(client.map(dma::BOTH, n * 2 * PAGE, n * PAGE, PAGE, &file), None);
    }
    let mapped = limit.min(descriptors);
    assert_eq!(files::count_mappings(&file) as u64, mapped);
    if descriptors < limit {
        let answer = client.map(dma::BOTH, 0, 1 << 50, PAGE, &file);
        assert_eq!(answer, Some(errno::EMFILE));
    }
    let at = (mapped - 1) * PAGE;
    assert_eq!(client.store(at, 9), dma_status::DONE);
    assert_eq!(client.load(at), Ok(9));
}
