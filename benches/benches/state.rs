//! Measures saving and loading state: 1,024 registers, and private fields next to plain bincode.

use std::hint::black_box;

use bincode::config;
use bincode::serde::{decode_from_slice, encode_to_vec};
use criterion::{Criterion, criterion_group, criterion_main};
use serde::{Deserialize, Serialize};
use vfio_user::{Bench, Device, PciDevice};
use vfio_user_benches::large;

fn state(criterion: &mut Criterion) {
    let mut bench = Bench::new(large::Derived::default()).expect("the device is served");
    for (number, offset) in (0..4096).step_by(4).enumerate() {
        bench.write(0, offset, u32::try_from(number).unwrap_or(0).wrapping_mul(0x9e37_79b9));
    }
    let stream = bench.save();
    let mut group = criterion.benchmark_group("state of 1024 registers");
    group.bench_function("save", |bencher| bencher.iter(|| black_box(&bench).function().save()));
    group.bench_function("load", |bencher| {
        bencher.iter(|| bench.function_mut().load(black_box(&stream)).expect("its own state"));
    });
    group.finish();
}

/// Private state as in devices with queues.
#[derive(Clone, Debug, Default, PartialEq, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
struct Queued {
    #[migrate(max_len = 4096)]
    commands: Vec<Command>,
    image: Image,
}

impl Device for Queued {
    type Event = ();
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Command {
    identifier: u16,
    opcode: u8,
    namespace: u32,
    source: u64,
    destination: u64,
    is_urgent: bool,
    deadline: Option<u64>,
    retries: [u8; 4],
}

/// Bytes in a struct.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Image {
    bytes: Vec<u8>,
    generation: u32,
}

fn command(number: u16) -> Command {
    let address = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Command {
        identifier: number,
        opcode: 2,
        namespace: 1,
        source: address,
        destination: !address,
        is_urgent: number.is_multiple_of(7),
        deadline: number.is_multiple_of(3).then_some(address >> 3),
        retries: number.to_be_bytes().repeat(2).try_into().unwrap_or_default(),
    }
}

fn many_structs(criterion: &mut Criterion) {
    let commands = (0..4096).map(command).collect();
    compare(criterion, "4096 structs", Queued { commands, ..Queued::default() });
}

fn bytes_in_a_struct(criterion: &mut Criterion) {
    let image = Image { bytes: vec![0xa5; 1 << 20], generation: 7 };
    compare(criterion, "1 MiB of bytes in a struct", Queued { image, ..Queued::default() });
}

/// Saves and loads private state as a stream, and with bincode alone.
fn compare(criterion: &mut Criterion, name: &str, device: Queued) {
    let plain = (device.commands.clone(), device.image.clone());
    let mut bench = Bench::new(device).expect("the device is served");
    let stream = bench.save();
    let bincode = encode_to_vec(&plain, config::standard()).expect("plain data");
    let empty = Bench::new(Queued::default()).expect("the device is served").save().len();
    println!("{name}: {} bytes, bincode {}", stream.len() - empty, bincode.len());
    let mut group = criterion.benchmark_group(name);
    group.bench_function("save", |bencher| bencher.iter(|| black_box(&bench).function().save()));
    group.bench_function("save with bincode", |bencher| {
        bencher.iter(|| encode_to_vec(black_box(&plain), config::standard()));
    });
    group.bench_function("load", |bencher| {
        bencher.iter(|| bench.function_mut().load(black_box(&stream)).expect("its own state"));
    });
    group.bench_function("load with bincode", |bencher| {
        bencher.iter(|| {
            decode_from_slice::<(Vec<Command>, Image), _>(black_box(&bincode), config::standard())
        });
    });
    group.finish();
}

criterion_group!(benches, state, many_structs, bytes_in_a_struct);
criterion_main!(benches);
