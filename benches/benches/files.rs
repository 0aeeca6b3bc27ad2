//! Measures reads of a disk to the client's memory: by one system call each, and all under way.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nix::libc;
use vfio_user::FileQueue;
use vfio_user::function::Function;
use vfio_user_tests::ram::Ram;
use vfio_user_tests::wire::dma;
use vfio_user_tests::{files, serve};

const PAGE: u64 = 0x1000;
const DISK_PAGES: u64 = 1 << 16;
/// Number of reads in an iteration.
const DEPTH: u16 = 32;

/// A file of `DISK_PAGES` pages that are stored.
fn disk(flags: i32) -> File {
    let file = tempfile::NamedTempFile::new().expect("a file");
    for _ in 0..DISK_PAGES / 256 {
        file.as_file().write_all(&vec![7; 256 * 4096]).expect("space");
    }
    file.as_file().sync_all().expect("storage");
    File::options().read(true).custom_flags(flags).open(file.path()).expect("a file")
}

/// Returns the positions of pages in an order that no read-ahead learns.
fn positions() -> impl FnMut() -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % DISK_PAGES * PAGE
    }
}

/// Goal: at least twice as fast where the storage is read, and not slower by more than a quarter
/// where the system has the pages, which are copied one after the other in both cases.
fn reads(criterion: &mut Criterion) {
    let ram = Ram::new();
    let memory = ram.dma().for_session();
    let (_running, mut client) = serve::function(ram);
    let pages = u64::from(DEPTH) * PAGE;
    client.dma_map(dma::BOTH, 0, 0, pages, Some(files::memory(pages).as_fd())).ok();
    let held = |n: u16| memory.map_writable(u64::from(n) * PAGE, 0x1000).expect("memory");
    for (name, flags) in [("cached", 0), ("storage", libc::O_DIRECT)] {
        let disk = disk(flags);
        let mut group = criterion.benchmark_group(format!("32 random reads of 4 KiB, {name}"));
        group.throughput(Throughput::Elements(DEPTH.into()));
        let mut next = positions();
        group.bench_function("preadv", |bencher| {
            let mut read = |n| held(n).read_from(&disk, next()).expect("a page");
            bencher.iter(|| (0..DEPTH).for_each(&mut read));
        });
        let (mut next, mut queue) = (positions(), FileQueue::new(&[&disk], DEPTH).expect("a ring"));
        group.bench_function("io_uring", |bencher| {
            bencher.iter(|| {
                (0..DEPTH).for_each(|n| queue.read(0, next(), held(n), ()).expect("room"));
                while let Some(((), read)) = queue.wait().expect("a wait") {
                    read.expect("a page");
                }
            });
        });
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = reads
}
criterion_main!(benches);
