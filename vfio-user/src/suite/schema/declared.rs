//! The schema of a declaration.

use super::text::{Entry, Fact, REMOVED, Schema, Section, TIMER};
use crate::device::PciDevice;
use crate::migration::{Part, StateField, StateLayout, WireType, parts};
use crate::model::{Bar, Block, DeclaredTimer, Descriptor, Field, Register};
use crate::pci::ConfigSpace;

/// Of a device that migrates.
pub(super) fn schema<D: PciDevice>() -> Option<Schema> {
    let descriptor = D::DESCRIPTOR;
    let state = descriptor.state()?;
    let timers = timers(descriptor.timers(), None);
    let removed = state.removed.iter().map(|name| Entry::new(*name, REMOVED));
    let of = |id: &str, entries| Section {
        id: id.into(),
        version: state.version,
        min: state.min,
        converts: id == "device" && D::CONVERTS,
        entries,
        ..Section::default()
    };
    let mut sections = vec![
        of("layout", layout(&descriptor)),
        of("device", private(state.fields, &D::state_types(), None).chain(removed).collect()),
        of("registers", registers(descriptor.registers(), None)),
    ];
    for (place, one) in descriptor.blocks().iter().enumerate() {
        let types = D::block_state_types(place);
        sections.extend(one.parts().filter_map(|part| block(one, &part, &types)));
    }
    if !timers.is_empty() {
        sections.push(of("timers", timers));
    }
    Some(Schema { name: descriptor.name().to_owned(), sections })
}

/// Elements of a block, which are a section.
fn block(block: &Block, part: &Part, types: &[WireType]) -> Option<Section> {
    let StateLayout { version, min, fields, removed } = *block.state()?;
    let elements = Some((block, part));
    let mut entries = registers(block.registers(), elements);
    entries.extend(private(fields, types, Some(part.len())));
    entries.extend(timers(block.timers(), Some(part.len())));
    entries.extend(removed.iter().map(|name| Entry::new(*name, REMOVED)));
    let mut ids = block.paths().into_iter().map(|path| format!("block.{}", part.name(&path)));
    let id = ids.next().unwrap_or_default();
    let was = ids.collect();
    let since = block.since().unwrap_or(0);
    Some(Section { id, was, version, min, since, converts: false, entries })
}

/// Timers, of the device or of so many elements of a block.
fn timers(timers: &[DeclaredTimer], blocks: Option<usize>) -> Vec<Entry> {
    let timer = |timer: &DeclaredTimer| {
        let count = Some(timer.count() as usize).filter(|count| *count > 1);
        let old = timer.old_names();
        Entry::new(timer.name(), TIMER)
            .with(Fact::Elements, elements(blocks, count))
            .with(Fact::Was, Some(old.join(", ")).filter(|old| !old.is_empty()))
    };
    timers.iter().map(timer).collect()
}

/// Private fields, of the device or of so many elements of a block.
fn private(
    fields: &[StateField],
    types: &[WireType],
    count: Option<usize>,
) -> impl Iterator<Item = Entry> {
    fields.iter().zip(types).flat_map(move |(field, ty)| {
        let parts = field.parts();
        parts.into_iter().map(move |part| private_part(field, *ty, &part, count))
    })
}

fn private_part(field: &StateField, ty: WireType, part: &Part, count: Option<usize>) -> Entry {
    let with = field.ty.split_once(" with ").map(|(_, with)| with);
    let since = Some(field.since).filter(|since| *since > 0);
    let elements = elements(count, field.elements.map(|_| part.len()));
    Entry::new(part.name(field.name), ty.accepted().to_string())
        .with(Fact::Elements, elements)
        .with(Fact::AtMost, at_most(field))
        .with(Fact::With, with)
        .with(Fact::Since, since)
        .with(Fact::Default, field.default)
        .with(Fact::Was, was(field.renamed_from, part))
}

/// The most elements of a collection, and of those in it.
fn at_most(field: &StateField) -> Option<String> {
    let lens = field.max_len.iter().chain(field.inner_max_len);
    let lens: Vec<_> = lens.map(u64::to_string).collect();
    (!lens.is_empty()).then(|| lens.join(", "))
}

fn was(names: &[&str], part: &Part) -> Option<String> {
    let names: Vec<_> = names.iter().map(|name| part.name(name)).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn registers(registers: &[Register], block: Option<(&Block, &Part)>) -> Vec<Entry> {
    let migrating = registers.iter().filter(|register| register.migrates());
    let of_register = |one: &Register| {
        let parts = parts(one.count() as usize, one.grown_from());
        parts.map(|part| register(one, &part, block)).collect::<Vec<_>>()
    };
    migrating.flat_map(of_register).collect()
}

fn register(register: &Register, part: &Part, block: Option<(&Block, &Part)>) -> Entry {
    // What has been added is a list, whatever its length.
    let is_list = part.len() > 1 || (block.is_none() && !part.is_first());
    let count = Some(part.len()).filter(|_| is_list);
    let elements = elements(block.map(|(_, elements)| elements.len()), count);
    let extent = register.extent();
    let step = count.map(|_| match register.selector() {
        Some(_) => " selected".to_owned(),
        None => format!(" step {:#x}", extent.stride),
    });
    let stride = step.unwrap_or_default();
    let bar = register.bar();
    let place = match block {
        Some((block, _)) => format!("{} +{:#x}{stride}", block_place(block), extent.offset),
        None => format!("{bar}:{:#x}{stride}", extent.offset),
    };
    let added = register.since();
    let fields: Vec<_> = register.fields().iter().map(field).collect();
    Entry::new(part.name(register.name()), format!("bits {:#x}", register.implemented()))
        .with(Fact::Elements, elements)
        .with(Fact::At, Some(format!("{place} width {}", register.width())))
        .with(Fact::Policy, Some(format!("{:?}", register.policy()).to_lowercase()))
        .with(Fact::Reset, register.reset().map(|reset| format!("{reset:#x}")))
        .with(Fact::Fields, Some(fields.join(", ")).filter(|text| !text.is_empty()))
        .with(Fact::Since, added.map(|added| added.since))
        .with(Fact::Default, added.map(|added| format!("{:#x}", added.default)))
        .with(Fact::Was, was(register.old_names(), part))
}

/// Of a block, and of an array in it.
fn elements(blocks: Option<usize>, count: Option<usize>) -> Option<String> {
    match (blocks, count) {
        (Some(blocks), Some(count)) => Some(format!("{blocks} x {count}")),
        (blocks, count) => blocks.or(count).map(|count| count.to_string()),
    }
}

fn block_place(block: &Block) -> String {
    let extent = block.extent();
    let place = format!("{}:{:#x}", block.bar(), extent.offset);
    match block.selector() {
        Some(_) => format!("{place} selected"),
        None => format!("{place} step {:#x}", extent.stride),
    }
}

/// A field of a register: its bits, its policy, and what it can be. A field that refuses all other
/// values has a `!`.
fn field(field: &Field) -> String {
    let last = u16::from(field.shift) + u16::from(field.width).saturating_sub(1);
    let policy = field.policy.map(|policy| format!(" {policy:?}").to_lowercase());
    let names = field.values.names().iter();
    let mut values: Vec<_> = names.map(|(value, name)| format!("{name}={value:#x}")).collect();
    values.sort();
    let sign = match (values.is_empty(), field.is_rejecting) {
        (true, _) => "",
        (false, true) => "!",
        (false, false) => " ",
    };
    let (name, policy) = (field.name, policy.unwrap_or_default());
    format!("{name}[{last}:{}]{policy}{sign}{}", field.shift, values.join("/"))
}

/// What guests see, and no state can change.
fn layout(descriptor: &Descriptor) -> Vec<Entry> {
    let ids = descriptor.ids();
    let mut entries = vec![Entry::new("ids", format!("{:04x}:{:04x}", ids.vendor, ids.device))];
    let bars = (0..).zip(descriptor.bars()).filter_map(|(n, bar)| bar.map(|bar| (n, bar)));
    entries.extend(bars.map(|(index, bar): (u8, Bar)| {
        let kind = format!("{:?}", bar.kind()).to_lowercase();
        let prefetchable = if bar.is_prefetchable() { " prefetchable" } else { "" };
        let mirror = bar.mirrored().map(|bar| format!(" mirrors bar{bar}")).unwrap_or_default();
        let text = format!("{kind} {:#x}{prefetchable}{mirror}", bar.size());
        Entry::new(format!("bar{index}"), text)
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
