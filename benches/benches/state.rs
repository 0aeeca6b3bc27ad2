//! The state of a device with 1,024 registers, saved and loaded.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use vfio_user::Bench;
use vfio_user_benches::large;

fn state(criterion: &mut Criterion) {
    let mut bench = Bench::new(large::Derived::default()).expect("the device is served");
    for (number, offset) in (0..4096).step_by(4).enumerate() {
        bench.write(0, offset, u32::try_from(number).unwrap_or(0).wrapping_mul(0x9e37_79b9));
    }
    let stream = bench.save();
    let mut group = criterion.benchmark_group("state of 1024 registers");
    group.bench_function("save", |bencher| bencher.iter(|| black_box(&bench).hosted().save()));
    group.bench_function("load", |bencher| {
        bencher.iter(|| bench.hosted_mut().load(black_box(&stream)).expect("its own state"));
    });
    group.finish();
}

criterion_group!(benches, state);
criterion_main!(benches);
