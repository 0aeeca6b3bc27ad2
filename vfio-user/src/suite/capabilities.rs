//! Walks the capability list as an operating system does (PCI Local Bus Specification 3.0, 6.7).

use std::collections::BTreeSet;
use std::ops::Range;

use crate::bench::Bench;
use crate::device::PciDevice;
use crate::function::Function;
use crate::model::Descriptor;
use crate::model::spec::{capability_id, cfg, status};
use crate::protocol::RegionIndex;

/// Where capabilities lie.
const SPACE: Range<u64> = cfg::FIRST_CAPABILITY as u64..cfg::CONVENTIONAL_SIZE as u64;

pub(super) fn check<D: PciDevice>(bench: &mut Bench<D>) {
    check_ids(bench);
    let capabilities = walk(bench);
    let descriptor = bench.function().descriptor().clone();
    let declared = descriptor.capabilities_at().filter(|(one, _)| !one.is_extended());
    let declared: BTreeSet<_> = declared.map(|(one, offset)| (one.id(), offset.into())).collect();
    let found = capabilities.iter().map(|(id, offset)| (u16::from(*id), *offset)).collect();
    assert_eq!(declared, found, "ids and offsets of the capability list");
    let at = |id| capabilities.iter().find(|capability| capability.0 == id).map(|found| found.1);
    check_msi(bench, at(capability_id::MSI), descriptor.msi_vectors());
    check_msix(bench, at(capability_id::MSIX), &descriptor);
    assert_eq!(at(capability_id::EXPRESS).is_some(), descriptor.is_express(), "PCI Express");
    if descriptor.is_express() {
        check_extended(bench, &descriptor);
    }
}

/// Checks that the ids cannot change.
fn check_ids<D: PciDevice>(bench: &mut Bench<D>) {
    let ids = bench.function().descriptor().ids();
    let id = u32::from(ids.device) << 16 | u32::from(ids.vendor);
    let class = ids.class << 8 | u32::from(ids.revision);
    let subsystem = u32::from(ids.subsystem) << 16 | u32::from(ids.subsystem_vendor);
    let expected =
        [(cfg::VENDOR_ID, id), (cfg::REVISION_ID, class), (cfg::SUBSYSTEM_VENDOR_ID, subsystem)];
    for (offset, value) in expected {
        bench.write_config(offset as u64, !value);
        let found: u32 = bench.read_config(offset as u64);
        assert_eq!(found, value, "configuration space at {offset:#x}");
    }
}

/// Returns the ids and the offsets of all capabilities.
fn walk<D: PciDevice>(bench: &mut Bench<D>) -> Vec<(u8, u64)> {
    let mut capabilities = Vec::new();
    let status: u16 = bench.read_config(cfg::STATUS as u64);
    let has_list = status & status::CAPABILITIES_LIST != 0;
    let mut next: u8 = bench.read_config(cfg::CAPABILITIES_POINTER as u64);
    assert_eq!(next != 0, has_list, "the status register announces a capability list");
    while next != 0 {
        let offset = u64::from(next);
        assert!(SPACE.contains(&offset), "a capability at {offset:#x}");
        assert!(offset.is_multiple_of(4), "a capability at {offset:#x}");
        let is_new = capabilities.iter().all(|(_, earlier)| *earlier != offset);
        assert!(is_new, "the capability list comes back to {offset:#x}");
        capabilities.push((bench.read_config(offset), offset));
        next = bench.read_config(offset + 1);
    }
    capabilities
}

fn check_msi<D: PciDevice>(bench: &mut Bench<D>, offset: Option<u64>, vectors: u16) {
    let Some(offset) = offset else { return assert_eq!(vectors, 0, "no MSI capability") };
    let control: u16 = bench.read_config(offset + 2);
    assert_eq!(1 << (control >> 1 & 0b111), vectors, "vectors of MSI");
    assert_eq!(control & 1, 0, "MSI is disabled at first");
}

fn check_msix<D: PciDevice>(bench: &mut Bench<D>, offset: Option<u64>, descriptor: &Descriptor) {
    let Some(offset) = offset else {
        return assert_eq!(descriptor.msix_layout(), None, "no MSI-X capability");
    };
    let control: u16 = bench.read_config(offset + 2);
    assert_eq!(control >> 14, 0, "MSI-X is disabled at first");
    let vectors = u64::from(control & 0x7ff) + 1;
    let declared = descriptor.msix_layout().map(|msix| msix.vectors.into());
    assert_eq!(Some(vectors), declared, "vectors of MSI-X");
    let table = structure(bench, offset + 4, vectors * 16);
    let pba = structure(bench, offset + 8, vectors.div_ceil(64) * 8);
    let are_apart = table.1.end <= pba.1.start || pba.1.end <= table.1.start;
    assert!(table.0 != pba.0 || are_apart, "the MSI-X table and the PBA overlap");
}

/// Returns the BAR of an MSI-X structure of `size` bytes, and its range there.
fn structure<D: PciDevice>(bench: &mut Bench<D>, offset: u64, size: u64) -> (usize, Range<u64>) {
    let place: u32 = bench.read_config(offset);
    let (bar, start) = ((place & 0b111) as usize, u64::from(place & !0b111));
    let bars = bench.function().descriptor().bars();
    let room = bars.get(bar).copied().flatten().map_or(0, |bar| bar.size());
    assert!(start + size <= room, "an MSI-X structure of {size} bytes at {start:#x} of BAR {bar}");
    (bar, start..start + size)
}

/// PCI Express Base Specification 3.0, 7.9.
fn check_extended<D: PciDevice>(bench: &mut Bench<D>, descriptor: &Descriptor) {
    let size = bench.function().region(RegionIndex::Config).size;
    assert_eq!(size, cfg::EXPRESS_SIZE as u64, "the configuration space of an Express function");
    let declared = descriptor.capabilities_at().filter(|(one, _)| one.is_extended());
    let declared: BTreeSet<_> = declared.map(|(one, at)| (one.id(), u64::from(at))).collect();
    let mut found = BTreeSet::new();
    let mut next = SPACE.end;
    while next != 0 {
        assert!((SPACE.end..size - 3).contains(&next), "an extended capability at {next:#x}");
        let header: u32 = bench.read_config(next);
        if header == 0 {
            break;
        }
        let [low, high, ..] = header.to_le_bytes();
        let is_new = found.insert((u16::from_le_bytes([low, high]), next));
        assert!(is_new, "the extended list comes back to {next:#x}");
        next = u64::from(header >> 20 & !0b11);
    }
    assert_eq!(declared, found, "ids and offsets of the extended list");
}
