//! Phrases that the descriptions for people share.

use std::fmt::{self, Display, Formatter};
use std::ops::Range;

use super::Family;
use crate::layout::{BarKind, width_mask};
use crate::model::{
    Bar, BitsName, Block, Commit, ComposedInterrupt, ConditionText, DataMatch, DeclaredTimer,
    Descriptor, Field, Hooks, MemoryRange, MemoryReset, RegionType, Register, RegisterBits,
    RegisterFlags, ResetKind, ResetSet, Sizes, SizesText, Trigger, Unaligned, Unmapped,
    UnmodelledRange, Window, WindowBar, WriteLock,
};
use crate::protocol::RegionFlags;

/// A number of bytes.
pub(super) struct Size(pub(super) u64);

impl Display for Size {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
        let unit = units
            .into_iter()
            .find(|(shift, _)| self.0 >= 1 << shift && self.0.is_multiple_of(1 << shift));
        match unit {
            Some((shift, unit)) => write!(f, "{} {unit}", self.0 >> shift),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

/// `conventional PCI, self-test, silent without bus master`.
pub(super) fn bus(descriptor: &Descriptor) -> String {
    let kind = if descriptor.is_express() { "PCI Express" } else { "conventional PCI" };
    let units =
        |name, value: u8| (value > 0).then(|| format!("{name} {} ns", u32::from(value) * 250));
    let facts = [
        Some(kind.to_owned()),
        units("bursts of", descriptor.min_gnt()),
        units("needs the bus every", descriptor.max_lat()),
        descriptor.has_self_test().then(|| "self-test".to_owned()),
        descriptor.needs_bus_master().then(|| "silent without bus master".to_owned()),
    ];
    facts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

pub(super) fn interrupts(descriptor: &Descriptor) -> String {
    let intx = descriptor.has_intx().then(|| "INTA".to_owned());
    let msi = Some(descriptor.msi_vectors()).filter(|vectors| *vectors > 0);
    let msi = msi.map(|vectors| format!("MSI ({vectors})"));
    let msix = descriptor.msix_layout().map(|msix| {
        let (vectors, bar, table, pba) = (msix.vectors, msix.bar, msix.table, msix.pba);
        format!("MSI-X ({vectors}; BAR {bar}, table {table:#x}, PBA {pba:#x})")
    });
    list_or_none([intx, msi, msix].into_iter().flatten())
}

/// Returns all timers, each with the block that contains it.
pub(super) fn timers_and_blocks(
    descriptor: &Descriptor,
) -> impl Iterator<Item = (&'static DeclaredTimer, Option<&'static Block>)> + use<> {
    let own = descriptor.timers().iter().map(|timer| (timer, None));
    let blocks = descriptor.blocks().iter().filter(|block| block.count() > 0);
    own.chain(blocks.flat_map(|block| block.timers().iter().map(move |timer| (timer, Some(block)))))
}

/// `patience, ticks[4], queues[8].retry`; nothing without timers.
pub(super) fn timers(descriptor: &Descriptor) -> Option<String> {
    let element = |name: &str, count| match count {
        1 => name.to_owned(),
        count => format!("{name}[{count}]"),
    };
    let timers = timers_and_blocks(descriptor).map(|(timer, block)| {
        let block = block.map(|block| format!("{}.", block.counted_path()));
        block.unwrap_or_default() + &element(timer.name(), timer.count())
    });
    let timers: Vec<_> = timers.collect();
    (!timers.is_empty()).then(|| timers.join(", "))
}

fn list_or_none(items: impl Iterator<Item = String>) -> String {
    let items: Vec<_> = items.collect();
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

/// `Region 9: 4 KiB, type 0x80001af4, subtype 0x1, read-only`, and the VGA ranges.
pub(super) fn regions(descriptor: &Descriptor) -> Vec<String> {
    let vga = descriptor.has_vga().then(|| "VGA ranges".to_owned());
    let specific = descriptor.specific_regions().iter().zip(9..).map(|(region, index)| {
        let RegionType { ty, subtype } = region.ty;
        let access = match region.access {
            RegionFlags::READ => ", read-only",
            RegionFlags::WRITE => ", write-only",
            _ => "",
        };
        format!("Region {index}: {}, type {ty:#x}, subtype {subtype:#x}{access}", Size(region.size))
    });
    vga.into_iter().chain(specific).collect()
}

/// `4 KiB, 32-bit memory`, `256 bytes, I/O ports, mirrors BAR 0`.
pub(super) fn bar(bar: &Bar) -> String {
    let kind = match bar.kind() {
        BarKind::Mem32 => "32-bit memory",
        BarKind::Mem64 => "64-bit memory",
        BarKind::Io => "I/O ports",
    };
    let prefetchable = if bar.is_prefetchable() { ", prefetchable" } else { "" };
    let mirrors = bar.mirrored().map(|bar| format!(", mirrors BAR {bar}")).unwrap_or_default();
    format!("{}, {kind}{prefetchable}{mirrors}", Size(bar.size()))
}

/// Describes what a BAR holds besides registers, and the accesses that it accepts, a sentence each.
pub(super) fn bus_rules(descriptor: &Descriptor, index: u8, bar: &Bar) -> Vec<String> {
    let msix = descriptor.msix_layout().filter(|msix| msix.bar == index);
    let structures = msix.map(|msix| {
        format!("The MSI-X table is at {:#x}, its pending bits are at {:#x}.", msix.table, msix.pba)
    });
    let areas = bar.shared_areas().map(|area| shared(&area));
    let raw = bar.raw_ranges().iter().map(|range| raw(*range));
    let mut rules: Vec<_> = structures.into_iter().chain(areas).chain(raw).collect();
    if bar.is_big_endian() {
        rules.push("All registers are big-endian.".to_owned());
    }
    let before = rules.len();
    for part in bar.sizes_in() {
        let sizes = sizes(part.sizes);
        rules.push(format!(
            "Accesses from {:#x} to {:#x} have {sizes}.",
            part.start,
            part.end.saturating_sub(1)
        ));
    }
    if bar.sizes() != Sizes::ANY {
        let others = if rules.len() == before { "Accesses" } else { "All others" };
        rules.push(format!("{others} have {}.", sizes(bar.sizes())));
    }
    match bar.unaligned() {
        Unaligned::Split => {}
        Unaligned::Ignore => rules.push("Unaligned accesses are ignored.".to_owned()),
    }
    match bar.unmapped() {
        Unmapped::Zero => {}
        Unmapped::Ones => rules.push("Bytes without a register read ones.".to_owned()),
        Unmapped::Refuse => rules.push("Accesses without a register are refused.".to_owned()),
    }
    rules
}

fn shared(area: &Range<u64>) -> String {
    let last = area.end.saturating_sub(1);
    format!("From {:#x} to {last:#x} it is memory that clients may map.", area.start)
}

fn raw((start, end): (u64, u64)) -> String {
    let last = end.saturating_sub(1);
    format!("From {start:#x} to {last:#x} the device has no declared registers.")
}

fn sizes(sizes: Sizes) -> String {
    match (sizes.smallest(), sizes.largest()) {
        (1, 1) => "1 byte".to_owned(),
        (one, same) if one == same => format!("{one} bytes"),
        (smallest, largest) => format!("{smallest} to {largest} bytes"),
    }
}

/// Returns the size of a memory, and notes about its special properties.
pub(super) fn memory_notes(memory: &MemoryRange) -> Vec<String> {
    let reset = match memory.reset() {
        MemoryReset::Constructed => None,
        MemoryReset::Zero => Some("cleared by resets".to_owned()),
        MemoryReset::Keep => Some("kept over resets".to_owned()),
    };
    let hook = memory.has_hook().then(|| "acts on writes".to_owned());
    [Some(Size(memory.size()).to_string()), hook, reset].into_iter().flatten().collect()
}

/// The word for what a reset leaves in a memory.
pub(super) fn memory_reset(reset: MemoryReset) -> &'static str {
    match reset {
        MemoryReset::Constructed => "constructed",
        MemoryReset::Zero => "zero",
        MemoryReset::Keep => "keep",
    }
}

/// Returns the size of a place without a model, and what it reads as.
pub(super) fn unmodelled_notes(place: &UnmodelledRange) -> Vec<String> {
    let reads = if place.is_stored() { "holds what is written" } else { "reads zero" };
    vec![Size(place.size()).to_string(), reads.to_owned()]
}

/// `ring[16], every 0x8`.
fn elements(name: &str, count: u64, stride: u64) -> String {
    if count == 1 { name.to_owned() } else { format!("{name}[{count}], every {stride:#x}") }
}

/// `ring[16], every 0x8`, `sizes[8], selected by queue`: the elements of a register.
pub(super) fn register_elements(register: &Register, family: Family) -> String {
    let extent = register.extent();
    match register.selector() {
        Some(bits) => selected(extent.name, register.count(), &bits, family.registers),
        None => elements(extent.name, extent.count, extent.stride),
    }
}

/// The elements of a block; `registers` are those of the device, or of the block around it.
pub(super) fn block_elements(block: &Block, registers: &[Register]) -> String {
    let extent = block.extent();
    match block.selector() {
        Some(bits) => selected(extent.name, block.own_count(), &bits, registers),
        None => elements(extent.name, extent.count, extent.stride),
    }
}

/// `one of 8 elements, selected by queue`: of an array, or of a block of the `family`.
pub(super) fn selection(
    count: u32,
    selector: Option<RegisterBits>,
    family: &[Register],
) -> Option<String> {
    let name = BitsName { bits: &selector?, family };
    Some(format!("one of {count} elements, selected by {name}"))
}

fn selected(name: &str, count: u32, bits: &RegisterBits, family: &[Register]) -> String {
    format!("{name}[{count}], selected by {}", BitsName { bits, family })
}

/// `n = queue < 8`: the index of an element that shares its bytes with the others.
pub(super) fn selected_index(
    letter: char,
    count: u32,
    bits: &RegisterBits,
    family: &[Register],
) -> String {
    format!("{letter} = {} < {count}", BitsName { bits, family })
}

/// Returns the accesses that a register answers, if it does not answer all.
fn answers(register: &Register, family: Family) -> impl Iterator<Item = String> + use<> {
    let condition = register.condition();
    let condition = condition.map(|condition| {
        let text = ConditionText { condition: &condition, family: family.registers };
        format!("when {text}")
    });
    let direction = register.is_overlaid().then(|| {
        let direction = if register.answers(true) { "writes" } else { "reads" };
        format!("answers {direction} only")
    });
    let sizes = register.access_sizes();
    let sizes = register
        .depends_on_size()
        .then(|| format!("answers accesses of {} bytes only", SizesText(sizes)));
    condition.into_iter().chain(direction).chain(sizes)
}

/// Returns notes about the special properties of a register, a few words each.
pub(super) fn notes(register: &Register, family: Family) -> Vec<String> {
    let facts = [
        (register.is(RegisterFlags::BIG_ENDIAN), "big-endian"),
        (register.is(RegisterFlags::PORT), "port"),
        (register.has(Hooks::READ_WITH) && !register.is(RegisterFlags::PORT), "computed"),
        (register.has(Hooks::ON_READ), "acts on reads"),
        (acts_on_writes(register), "acts on writes"),
        (register.has(Hooks::LOCK_WITH), "locked by the device"),
        (is_wide_for_writes(register), wide(register.commit())),
        (register.is(RegisterFlags::VOLATILE), "volatile"),
        (register.is(RegisterFlags::WATCH), "watched"),
        (register.is(RegisterFlags::PULSE), "clears itself"),
        (register.is(RegisterFlags::STICKY), "sticky"),
    ];
    let facts = facts.into_iter().filter(|(is_so, _)| *is_so).map(|(_, words)| words.to_owned());
    let lock = register.lock().and_then(|lock| locked_by(lock, family));
    let name = |index: Option<usize>| index.and_then(|index| family.name(index));
    let mention = |index: Option<usize>| Some(family.mention(name(index)?));
    let sets = mention(register.sets()).map(|name| format!("ones set {name}"));
    let clears = mention(register.clears()).map(|name| format!("ones clear {name}"));
    let doorbell = register.doorbell().map(|value| match value {
        DataMatch::Any => "doorbell".to_owned(),
        DataMatch::Value(value) => format!("doorbell for {value:#x}"),
    });
    let relations = [lock, sets, clears, doorbell].into_iter().flatten();
    let own = family.intrs.iter().filter(|intr| name(Some(intr.status)) == Some(register.name()));
    let raises = own.map(|intr| raises(intr, family));
    let kept = kept(family.kept_over(register));
    let window = register.window().map(|window| window_to(window, family));
    let notes = answers(register, family).chain(masks(register)).chain(window).chain(facts);
    notes.chain(kept).chain(relations).chain(raises).collect()
}

/// `window to BAR 1 at index, of length bytes, then 0x4 further`.
fn window_to(window: &Window, family: Family) -> String {
    let name = |bits: RegisterBits| BitsName { bits: &bits, family: family.registers }.to_string();
    let bar = match window.bar() {
        WindowBar::Own => "its BAR".to_owned(),
        WindowBar::Number(bar) => format!("BAR {bar}"),
        WindowBar::Selected(bits) => format!("the BAR in {}", name(bits)),
    };
    let len = window.len().map(|bits| format!(", of {} bytes", name(bits)));
    let step = match window.step() {
        0 => String::new(),
        step => format!(", which moves by {step:#x}"),
    };
    format!("window to {bar} at {}{}{step}", name(window.at()), len.unwrap_or_default())
}

/// `kept over function-level resets`, `kept over soft reset 0`.
fn kept(resets: ResetSet) -> Vec<String> {
    let flr = resets.contains(ResetKind::FunctionLevel);
    let flr = flr.then(|| "kept over function-level resets".to_owned());
    let soft = resets.soft_domains().map(|domain| format!("kept over soft reset {domain}"));
    flr.into_iter().chain(soft).collect()
}

fn is_wide_for_writes(register: &Register) -> bool {
    register.is(RegisterFlags::WIDE)
        && (register.access().writable() != 0 || acts_on_writes(register))
}

const fn wide(commit: Commit) -> &'static str {
    match commit {
        Commit::Whole => "written as a whole",
        Commit::High => "written with its upper half",
        Commit::Low => "written with its lower half",
    }
}

/// `raises interrupt 0 where enable is set and mask is clear`.
fn raises(intr: &ComposedInterrupt, family: Family) -> String {
    let name = |index: Option<usize>| Some(family.mention(family.name(index?)?));
    let (enable, mask) = (name(intr.enable), name(intr.mask));
    let gates =
        [enable.map(|name| format!("{name} is set")), mask.map(|name| format!("{name} is clear"))];
    let gates: Vec<_> = gates.into_iter().flatten().collect();
    let gates =
        if gates.is_empty() { String::new() } else { format!(" where {}", gates.join(" and ")) };
    let status = family.registers.get(intr.status);
    let has = |hook| status.is_some_and(|status| status.has(hook));
    let verb = match intr.trigger {
        _ if has(Hooks::STATUS_WITH) => "identifies",
        Trigger::Event => "raises",
        Trigger::Level => "is the level of",
    };
    let observed = if has(Hooks::ON_COMPOSED) { " and follows it" } else { "" };
    let vector = family.vector(intr);
    let further = family.vector_steps().into_iter().map(|(letter, stride)| match stride {
        1 => format!(" + {letter}"),
        stride => format!(" + {letter} * {stride}"),
    });
    let further: String = further.collect();
    format!("{verb} interrupt {vector}{further}{gates}{observed}")
}

pub(super) fn acts_on_writes(register: &Register) -> bool {
    [Hooks::WRITE_WITH, Hooks::ON_WRITE, Hooks::KICK].into_iter().any(|hook| register.has(hook))
}

/// `locked by ctrl.lock`, `locked unless ctrl.open`.
fn locked_by(lock: WriteLock, family: Family) -> Option<String> {
    let register = family.registers.get(lock.register)?;
    let verb = if lock.inverted { "locked unless" } else { "locked by" };
    let mut fields = register.fields().iter();
    let name = family.mention(register.name());
    Some(match fields.find(|field| field.mask() == lock.mask) {
        Some(field) => format!("{verb} {name}.{}", field.name),
        None => format!("{verb} {name}"),
    })
}

/// Describes the implemented and the writable bits, unless these are all bits or the fields show
/// them.
fn masks(register: &Register) -> Vec<String> {
    let implemented = register.implemented();
    let is_partial = implemented != width_mask(register.width().into());
    let mask = Some(implemented).filter(|_| is_partial && register.fields().is_empty());
    let mask = mask.map(|mask| format!("bits {mask:#x}"));
    let writable = register.writable().map(|bits| format!("writable {bits:#x}"));
    mask.into_iter().chain(writable).collect()
}

/// Returns notes about the special properties of a field, a few words each.
pub(super) fn field_notes(field: &Field) -> Vec<String> {
    let names = field.values.names().iter().map(|(value, name)| format!("{value} = {name}"));
    names.chain(field_traits(field).into_iter().map(str::to_owned)).collect()
}

/// The same without the values that have a name.
pub(super) fn field_traits(field: &Field) -> Vec<&'static str> {
    let traits = [
        (field.is_rejecting, "ignores other values"),
        (field.is_pulse, "clears itself"),
        (field.is_volatile, "volatile"),
    ];
    traits.into_iter().filter(|(is_so, _)| *is_so).map(|(_, words)| words).collect()
}

/// `5:3`, `7`.
pub(super) fn bits(field: &Field) -> String {
    match last_bit(field) {
        last if last == field.shift => last.to_string(),
        last => format!("{last}:{}", field.shift),
    }
}

pub(super) fn last_bit(field: &Field) -> u8 {
    field.shift.saturating_add(field.width).saturating_sub(1)
}

/// Returns the first paragraph of the author's doc comment, on one line.
pub(super) fn summary(doc: &str) -> String {
    doc.split("\n\n").next().unwrap_or_default().replace('\n', " ")
}
