//! Shared memory on its way: what was never touched costs nothing, here and there.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;

use vfio_user::protocol::RegionIndex;
use vfio_user::{Bench, Device, Function as _, PciDevice};

const SIZE: u64 = 1 << 30;
const PAGE: u64 = 4096;
const MIB: u64 = 1 << 20;

#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem64, size = SIZE, shared)]
struct Sparse {}

impl Device for Sparse {
    type Event = ();
}

fn sparse() -> Bench<Sparse> {
    Bench::new(Sparse::default()).unwrap()
}

/// How many pages the file behind the memory has.
fn pages(bench: &Bench<Sparse>) -> u64 {
    let mapping = bench.hosted().region(RegionIndex::Bar0).mapping.unwrap();
    let file = File::from(mapping.file.as_fd().try_clone_to_owned().unwrap());
    file.metadata().unwrap().blocks() * 512 / PAGE
}

#[test]
fn memory_with_a_page_here_and_there_stays_as_small_as_it_is() {
    let (source, mut target) = (sparse(), sparse());
    let places = (0..SIZE).step_by(usize::try_from(16 * MIB).unwrap());
    let places: Vec<_> = places.map(|place| place + 5 * PAGE).collect();
    for (place, number) in places.iter().zip(1_u64..) {
        source.shared(0).store(*place, number).unwrap();
        // What is there already, and has to be kept until the state is accepted.
        target.shared(0).store(*place + 2 * PAGE, u64::MAX - number).unwrap();
    }
    let count = places.len() as u64;
    let stream = source.save();
    assert_eq!((pages(&source), source.save().len()), (count, stream.len()));
    assert!(stream.len() as u64 <= count * (PAGE + 256), "{}", stream.len());

    let damaged = &stream[..stream.len() - 1];
    assert!(target.load(damaged).is_err());
    assert!(pages(&target) <= 2 * count, "{}", pages(&target));
    for (place, number) in places.iter().zip(1_u64..) {
        assert_eq!(target.shared(0).load(*place + 2 * PAGE), Ok(u64::MAX - number));
    }

    target.load(&stream).unwrap();
    assert!(pages(&target) <= 2 * count, "{}", pages(&target));
    for (place, number) in places.iter().zip(1_u64..) {
        assert_eq!(target.shared(0).load(*place), Ok(number));
        assert_eq!(target.shared(0).load(*place + 2 * PAGE), Ok(0_u64));
    }
}
