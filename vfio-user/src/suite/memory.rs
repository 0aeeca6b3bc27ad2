//! Tests that memories hold what is written, whatever the length and the alignment.

use std::ops::Range;

use super::random::Random;
use crate::bench::Bench;
use crate::device::PciDevice;
use crate::model::MemoryRange;
use crate::protocol::RegionIndex;

/// Number of writes to a memory.
const WRITES: u64 = 64;

pub(super) fn check<D: PciDevice>(bench: &mut Bench<D>) {
    for memory in bench.function().descriptor().memories() {
        let mut random = Random::new(memory.start());
        let len = usize::try_from(memory.size()).unwrap_or(usize::MAX);
        let mut expected = random.bytes(len);
        write(bench, memory, 0, &expected);
        for _ in 0..WRITES {
            let range = any_range(&mut random, len);
            let data = random.bytes(range.len());
            write(bench, memory, range.start, &data);
            expected[range.clone()].copy_from_slice(&data);
            // A hook may change what was written.
            let found = read(bench, memory, range.clone());
            assert!(
                memory.has_hook() || found == expected[range.clone()],
                "bytes {range:#x?} of `{}` are not those that were written",
                memory.name()
            );
        }
        let found = read(bench, memory, 0..len);
        let is_same = memory.has_hook() || found == expected;
        assert!(is_same, "writes to parts of `{}` have changed other bytes", memory.name());
    }
}

/// Returns a short or a long range, which is not empty.
fn any_range(random: &mut Random, len: usize) -> Range<usize> {
    let below =
        |random: &mut Random, end: usize| usize::try_from(random.below(end as u64)).unwrap_or(0);
    let start = below(random, len);
    let most = if random.below(2) == 0 { 16 } else { len };
    start..start + 1 + below(random, most.min(len - start))
}

fn write<D: PciDevice>(bench: &mut Bench<D>, memory: &MemoryRange, start: usize, data: &[u8]) {
    let (region, offset) = place(memory, start);
    let written = bench.try_write(region, offset, data);
    assert_eq!(written, Ok(()), "write of {} bytes of `{}`", data.len(), memory.name());
    bench.handle_events();
}

fn read<D: PciDevice>(bench: &mut Bench<D>, memory: &MemoryRange, range: Range<usize>) -> Vec<u8> {
    let (region, offset) = place(memory, range.start);
    let mut data = vec![0xa5; range.len()];
    let read = bench.try_read(region, offset, &mut data);
    assert_eq!(read, Ok(()), "read of {} bytes of `{}`", data.len(), memory.name());
    data
}

fn place(memory: &MemoryRange, start: usize) -> (RegionIndex, u64) {
    (RegionIndex::ALL[usize::from(memory.bar())], memory.start() + start as u64)
}
