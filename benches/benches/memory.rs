//! Measures a memory of a BAR beside shared memory and beside a copy, by messages without a socket,
//! in one run.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use vfio_user::function::{Function, PciFunction};
use vfio_user::protocol::RegionIndex;
use vfio_user::{Device, PciDevice};

const SIZE: usize = 0x4000;
/// The bytes of a message.
const LEN: usize = 0x3000;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x8000, shared(0x4000..0x8000))]
struct Card {
    #[memory(0x0..0x4000)]
    memory: Box<[u8]>,
}

impl Device for Card {
    type Event = ();
}

fn memory(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("12 KiB of 16 KiB");
    group.throughput(Throughput::Bytes(2 * LEN as u64));
    let mut card = PciFunction::new(Card::default()).expect("the device is served");
    let mut data = vec![0x5a; LEN];
    for (name, offset) in [("memory", 0x800), ("shared", 0x4800)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let offset = black_box(offset);
                card.write(RegionIndex::Bar0, offset, black_box(&data)).expect("a write");
                card.read(RegionIndex::Bar0, offset, black_box(&mut data)).expect("a read");
            });
        });
    }
    let mut copy = vec![0; SIZE];
    group.bench_function("a copy", |bencher| {
        bencher.iter(|| {
            black_box(&mut copy)[0x800..0x800 + LEN].copy_from_slice(black_box(&data));
            data.copy_from_slice(black_box(&copy[0x800..0x800 + LEN]));
        });
    });
    group.finish();
}

criterion_group!(benches, memory);
criterion_main!(benches);
