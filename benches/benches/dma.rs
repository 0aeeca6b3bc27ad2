//! Measures the client's memory: finding and copying it, logging writes, mapping and unmapping.

use std::fs::File;
use std::hint::black_box;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use vfio_user::client::{self, Client};
use vfio_user::function::Function;
use vfio_user::protocol::{DmaMapFlags, RegionIndex};
use vfio_user::{Server, SessionDma};
use vfio_user_tests::files;
use vfio_user_tests::ram::Ram;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve::{self, Running};
use vfio_user_tests::wire::{self, command, dma, feature};

const PAGE: u64 = 0x1000;
/// Number of accesses in an iteration.
const COUNT: u64 = 1000;

/// A device with memory of this many regions, a page each, all of one file. Every second page is
/// mapped.
struct Memory {
    client: RawClient,
    file: File,
    dma: SessionDma,
    regions: u64,
    _running: Running,
}

impl Memory {
    fn new(regions: u64) -> Self {
        let ram = Ram::new();
        let dma = ram.dma().for_session();
        let (running, client) = serve::function(ram);
        let file = files::memory(regions.max(1) * PAGE);
        let mut memory = Memory { client, file, dma, regions, _running: running };
        (0..regions).for_each(|n| memory.map(n, n));
        memory
    }

    fn map(&mut self, region: u64, page: u64) {
        let file = Some(self.file.as_fd());
        self.client.dma_map(dma::BOTH, page * PAGE, region * 2 * PAGE, PAGE, file).ok();
    }

    fn unmap(&mut self, region: u64) {
        self.client.dma_unmap(0, region * 2 * PAGE, PAGE).expect("an unmap");
    }

    /// Returns addresses in an order that no branch predictor learns.
    fn addresses(&self) -> Vec<u64> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        (0..COUNT).map(|_| next() % self.regions * 2 * PAGE + next() % 63 * 64).collect()
    }
}

/// Goal: at most 20 ns with 8 regions, 80 ns with 10,000.
fn lookups(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("find and read 64 bytes");
    group.throughput(Throughput::Elements(COUNT));
    for regions in [1, 8, 1000, 10_000, 65_535] {
        let memory = Memory::new(regions);
        let addresses = memory.addresses();
        read(&mut group, &format!("anywhere in {regions} regions"), &memory, &addresses);
        let same = vec![addresses[0]; addresses.len()];
        read(&mut group, &format!("in the same of {regions} regions"), &memory, &same);
    }
    group.finish();
}

fn read(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, memory: &Memory, addresses: &[u64]) {
    group.bench_function(name, |bencher| {
        let mut bytes = [0; 64];
        bencher.iter(|| {
            for address in addresses {
                memory.dma.read(black_box(*address), &mut bytes).expect("memory");
                black_box(&bytes);
            }
        });
    });
}

/// Goal: with the log, at most 1.3 times the time without it.
fn logging(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("write 4 KiB");
    group.throughput(Throughput::Elements(COUNT));
    for regions in [1, 1000] {
        let mut memory = Memory::new(regions);
        for log in ["off", "on"] {
            if log == "on" {
                let flags = feature::SET | feature::START;
                let start = [wire::words(&[24, flags]), wire::longs(&[PAGE, 0])].concat();
                memory.client.request(command::FEATURE, &start, &[]).ok();
            }
            let bytes = [1; 4096];
            group.bench_function(format!("{regions} regions, log {log}"), |bencher| {
                bencher.iter(|| {
                    for n in 0..COUNT {
                        let address = n % regions * 2 * PAGE;
                        memory.dma.write(address, black_box(&bytes)).expect("memory");
                    }
                });
            });
        }
    }
    group.finish();
}

/// Measures the requests of a virtual IOMMU, next to as many messages without effect.
fn maps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("map and unmap 4 KiB");
    group.bench_function("two empty messages", |bencher| {
        let mut memory = Memory::new(1);
        bencher.iter(|| {
            memory.client.sync();
            memory.client.sync();
        });
    });
    for regions in [0, 1, 1000, 10_000, 65_000] {
        let mut memory = Memory::new(regions);
        group.bench_function(format!("beside {regions} regions"), |bencher| {
            let mut n = regions;
            bencher.iter(|| {
                memory.map(n, 0);
                memory.unmap(n);
                n = regions + (n + 1) % 100;
            });
        });
    }
    group.bench_function("10,000 maps and one unmap of all", |bencher| {
        let mut memory = Memory::new(0);
        bencher.iter(|| {
            (0..10_000).for_each(|n| memory.map(n, 0));
            memory.client.dma_unmap(dma::UNMAP_ALL, 0, 0).expect("an unmap");
        });
    });
    group.finish();
}

/// Measures the client's work for a waiting thread, next to the device's work for the client.
fn messages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read by messages");
    let ram = Ram::new();
    let dma = ram.dma().for_session();
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    let server = Server::from_stream(theirs).expect("a server");
    let mut function = Some(ram);
    let running = Running::start(server, move |server| {
        server.serve_functions(move || Ok(Box::new(function.take().expect("no panic"))))
    });
    let client = Client::from_stream(ours, client::AttachOptions::default()).expect("a client");
    let memory = Arc::new(Mutex::new(vec![0; 1 << 20]));
    let rights = DmaMapFlags::READ | DmaMapFlags::WRITE;
    client.dma_map_memory(0, 1 << 20, memory, rights).expect("memory");
    group.bench_function("4 bytes of the device, for comparison", |bencher| {
        let bar = client.region(RegionIndex::Bar1);
        bencher.iter(|| bar.read::<u32>(0).expect("a register"));
    });
    for len in [4, 32 << 10, 1 << 20] {
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(format!("{len} bytes"), |bencher| {
            let mut bytes = vec![0; len];
            bencher.iter(|| dma.read(0, black_box(&mut bytes)).expect("memory"));
        });
    }
    group.bench_function(format!("{} bytes, a page at a time", 1 << 20), |bencher| {
        let mut bytes = vec![0; 1 << 20];
        bencher.iter(|| {
            for (iova, page) in (0..).step_by(4096).zip(bytes.chunks_mut(4096)) {
                dma.read(iova, black_box(page)).expect("memory");
            }
        });
    });
    group.finish();
    drop((client, running));
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = lookups, logging, maps, messages
}
criterion_main!(benches);
