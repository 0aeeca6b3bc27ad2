//! Sizes base address registers as an operating system does (PCI Local Bus Specification 3.0,
//! 6.2.5.1): writes all ones, reads, restores.

use crate::bench::Bench;
use crate::device::PciDevice;
use crate::layout::BarKind;
use crate::model::Bar;
use crate::model::spec::{bar as bits, cfg};

pub(super) fn check<D: PciDevice>(bench: &mut Bench<D>) {
    let bars = *bench.function().descriptor().bars();
    let mut index = 0;
    while index < bars.len() {
        let offset = (cfg::BAR0 + index * 4) as u64;
        match bars[index] {
            Some(bar) => check_bar(bench, index, offset, bar),
            None => check_absent(bench, index, offset),
        }
        index += if is_wide(bars[index]) { 2 } else { 1 };
    }
    check_rom(bench);
}

fn is_wide(bar: Option<Bar>) -> bool {
    bar.is_some_and(|bar| bar.kind() == BarKind::Mem64)
}

fn check_bar<D: PciDevice>(bench: &mut Bench<D>, index: usize, offset: u64, bar: Bar) {
    let (low, mask) = ask(bench, offset);
    let is_io = bar.kind() == BarKind::Io;
    assert_eq!(low & bits::IO != 0, is_io, "BAR {index} in the right space");
    let flags = if is_io { 0b11 } else { 0b1111 };
    assert_eq!(low & 0b110 == bits::MEMORY_64, is_wide(Some(bar)), "BAR {index} as wide as it is");
    assert_eq!(low, mask & flags, "BAR {index} at address 0 at first, and of one kind");
    let high = if is_wide(Some(bar)) { ask(bench, offset + 4).1 } else { u32::MAX };
    let address = u64::from(high) << 32 | u64::from(mask & !flags);
    let size = address.wrapping_neg();
    assert_eq!(size, bar.size(), "BAR {index} reports its size");
}

fn check_absent<D: PciDevice>(bench: &mut Bench<D>, index: usize, offset: u64) {
    assert_eq!(ask(bench, offset), (0, 0), "BAR {index} does not exist");
}

fn check_rom<D: PciDevice>(bench: &mut Bench<D>) {
    let size = bench.function().descriptor().rom_size();
    let (_, mask) = ask(bench, cfg::ROM_ADDRESS as u64);
    let address = mask & !0x7ff;
    assert_eq!(u64::from(address.wrapping_neg()), size, "the ROM reports its size");
    assert_eq!(mask & bits::ROM_ENABLE != 0, size != 0, "the ROM can be enabled");
}

/// Returns the value of a base address register, and its value after a write of all ones.
fn ask<D: PciDevice>(bench: &mut Bench<D>, offset: u64) -> (u32, u32) {
    let before = bench.read_config(offset);
    bench.write_config(offset, u32::MAX);
    let mask = bench.read_config(offset);
    bench.write_config(offset, before);
    assert_eq!(bench.read_config::<u32>(offset), before, "what was written back at {offset:#x}");
    (before, mask)
}
