//! Measures bus accesses to a register, without a socket: derived and hand-written, in one run.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use vfio_user::function::Function;
use vfio_user_benches::{access, by_hand, derived, large, small};

/// Number of accesses in an iteration, a write and a read each.
const COUNT: u32 = 1000;

fn dispatch(criterion: &mut Criterion) {
    compare(
        criterion,
        "16 registers",
        64,
        [derived::<small::Derived>(), by_hand::<small::Registers>()],
    );
    compare(
        criterion,
        "1024 registers",
        4096,
        [derived::<large::Derived>(), by_hand::<large::Registers>()],
    );
}

fn compare(criterion: &mut Criterion, name: &str, size: u32, functions: [Box<dyn Function>; 2]) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(u64::from(COUNT) * 2));
    for (way, mut function) in ["derived", "by hand"].into_iter().zip(functions) {
        group.bench_function(way, |bencher| {
            bencher.iter(|| access(&mut *function, black_box(size), COUNT));
        });
    }
    group.finish();
}

criterion_group!(benches, dispatch);
criterion_main!(benches);
