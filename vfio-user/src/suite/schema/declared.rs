//! What a declaration says of a state.

use super::text::{Entry, REMOVED, Schema, Section};
use crate::device::{Bar, Descriptor, PciDevice};
use crate::migration::{StateField, StateLayout};
use crate::pci::ConfigSpace;
use crate::register::{Block, Register};

/// Of a device that migrates.
pub(super) fn schema<D: PciDevice>() -> Option<Schema> {
    let descriptor = D::DESCRIPTOR;
    let state = descriptor.state()?;
    let timers = D::TIMERS.iter().map(|name| Entry::new(*name, "timer"));
    let removed = state.removed.iter().map(|name| Entry::new(*name, REMOVED));
    let of = |id: &str, entries| Section {
        id: id.into(),
        version: state.version,
        min: state.min,
        entries,
    };
    let mut sections = vec![
        of("layout", layout(&descriptor)),
        of(
            "device",
            state.fields.iter().map(|field| private(field, None)).chain(removed).collect(),
        ),
        of("registers", registers(descriptor.declared_registers(), None)),
    ];
    sections.extend(descriptor.declared_blocks().iter().filter_map(block));
    if !D::TIMERS.is_empty() {
        sections.push(of("timers", timers.collect()));
    }
    Some(Schema { name: descriptor.name().to_owned(), sections })
}

fn block(block: &Block) -> Option<Section> {
    let StateLayout { version, min, fields, removed } = *block.declared_state()?;
    let count = Some(block.count());
    let mut entries = registers(block.declared_registers(), count);
    entries.extend(fields.iter().map(|field| private(field, count)));
    entries.extend(removed.iter().map(|name| Entry::new(*name, REMOVED)));
    Some(Section { id: format!("block.{}", block.name()), version, min, entries })
}

/// A private field, of the device or of so many elements of a block.
fn private(field: &StateField, count: Option<u32>) -> Entry {
    let StateField { name, ty, since, renamed_from, max_len } = *field;
    let most = max_len.map(|most| format!(", at most {most}"));
    let ty = array(format!("{ty}{}", most.unwrap_or_default()), count);
    Entry { name: name.to_owned(), ty, since, was: renamed_from.map(str::to_owned) }
}

fn registers(registers: &[Register], count: Option<u32>) -> Vec<Entry> {
    let migrating = registers.iter().filter(|register| register.migrates());
    migrating.map(|one| register(one, count)).collect()
}

fn register(register: &Register, count: Option<u32>) -> Entry {
    let (width, bits) = (register.width(), register.implemented());
    let is_whole = bits == crate::layout::width_mask(width.into());
    let mask = if is_whole { String::new() } else { format!(" & {bits:#x}") };
    let ty =
        array(format!("u{}{mask}", width * 8), Some(register.count()).filter(|count| *count > 1));
    Entry {
        name: register.name().to_owned(),
        ty: array(ty, count),
        since: register.declared_since().map_or(0, |added| added.since),
        was: register.declared_old_name().map(str::to_owned),
    }
}

fn array(ty: String, count: Option<u32>) -> String {
    match count {
        Some(count) => format!("[{ty}; {count}]"),
        None => ty,
    }
}

/// What guests see, and no state can change.
fn layout(descriptor: &Descriptor) -> Vec<Entry> {
    let ids = descriptor.ids();
    let mut entries = vec![Entry::new("ids", format!("{:04x}:{:04x}", ids.vendor, ids.device))];
    let bars = (0..).zip(descriptor.bars()).filter_map(|(n, bar)| bar.map(|bar| (n, bar)));
    entries.extend(bars.map(|(index, bar): (u8, Bar)| {
        let kind = format!("{:?}", bar.kind()).to_lowercase();
        let prefetchable = if bar.is_prefetchable() { " prefetchable" } else { "" };
        Entry::new(format!("bar{index}"), format!("{kind} {:#x}{prefetchable}", bar.size()))
    }));
    entries.extend(descriptor.capabilities_at().map(|(capability, offset)| {
        Entry::new(format!("capability.{offset:#x}"), capability.name())
    }));
    if descriptor.msi_vectors() > 0 {
        entries.push(Entry::new("msi", format!("{} vectors", descriptor.msi_vectors())));
    }
    entries.extend(
        descriptor.msix_layout().map(|msix| {
            Entry::new("msix", format!("{} vectors in BAR {}", msix.vectors, msix.bar))
        }),
    );
    let digest = ConfigSpace::new(descriptor).layout_digest();
    entries.push(Entry::new("all", format!("{digest:#010x}")));
    entries
}
