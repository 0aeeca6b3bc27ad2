//! A description of a device as text, for people.

use std::fmt::{self, Display, Formatter};

use super::{Family, capability, phrases};
use crate::layout::CONFIG;
use crate::model::{Block, Descriptor, Field, MemoryRange, Register, UnmodelledRange};

/// A descriptor as text.
pub(super) struct Text<'a>(pub(super) &'a Descriptor);

/// The lines about the registers of one BAR.
struct Lines<'f, 'a> {
    f: &'f mut Formatter<'a>,
    /// The number of characters of the largest offset.
    width: usize,
    /// The indentation before the offsets of registers in blocks.
    indent: String,
}

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Text(descriptor) = self;
        identity(descriptor, f)?;
        for (index, bar) in (0..).zip(descriptor.bars()) {
            if let Some(bar) = bar {
                writeln!(f, "\nBAR {index}: {}", phrases::bar(bar))?;
                phrases::bus_rules(descriptor, index, bar)
                    .iter()
                    .try_for_each(|rule| writeln!(f, "  {rule}"))?;
                contents(descriptor, index, bar.size(), f)?;
            }
        }
        if super::has_config(descriptor) {
            writeln!(f, "\nConfiguration space")?;
            contents(descriptor, CONFIG, 0x1000, f)?;
        }
        if descriptor.rom().is_some() {
            writeln!(f, "\nROM: {}", phrases::Size(descriptor.rom_size()))?;
        }
        phrases::regions(descriptor).iter().try_for_each(|region| writeln!(f, "\n{region}"))
    }
}

fn identity(descriptor: &Descriptor, f: &mut Formatter<'_>) -> fmt::Result {
    let (ids, bus) = (descriptor.ids(), phrases::bus(descriptor));
    writeln!(f, "{}: {:04x}:{:04x}, {bus}", descriptor.name(), ids.vendor, ids.device)?;
    if !descriptor.doc().is_empty() {
        writeln!(f, "  {}", phrases::summary(descriptor.doc()))?;
    }
    writeln!(f, "  class         {:06x}, revision {:02x}", ids.class, ids.revision)?;
    writeln!(f, "  subsystem     {:04x}:{:04x}", ids.subsystem_vendor, ids.subsystem)?;
    writeln!(f, "  interrupts    {}", phrases::interrupts(descriptor))?;
    if let Some(timers) = phrases::timers(descriptor) {
        writeln!(f, "  timers        {timers}")?;
    }
    capabilities(descriptor, f)
}

/// Writes a line for each capability.
fn capabilities(descriptor: &Descriptor, f: &mut Formatter<'_>) -> fmt::Result {
    let mut label = "capabilities";
    let all = capability::all(descriptor);
    for (offset, words) in &all {
        writeln!(f, "  {label:<12}  {offset:#06x} {words}")?;
        label = "";
    }
    if all.is_empty() { writeln!(f, "  {label}  none") } else { Ok(()) }
}

fn contents(descriptor: &Descriptor, index: u8, size: u64, f: &mut Formatter<'_>) -> fmt::Result {
    let width = format!("{:#x}", size.saturating_sub(1)).len().max(6);
    let mut lines = Lines { f, width, indent: String::new() };
    for register in super::registers(descriptor, index) {
        lines.register(register, Family::of(descriptor))?;
    }
    for block in super::blocks(descriptor, index) {
        lines.block(descriptor, block)?;
    }
    super::memories(descriptor, index).into_iter().try_for_each(|memory| lines.memory(memory))?;
    super::unmodelled(descriptor, index).into_iter().try_for_each(|place| lines.unmodelled(place))
}

impl Lines<'_, '_> {
    /// Writes a block, and the blocks in it.
    fn block(&mut self, descriptor: &Descriptor, block: &'static Block) -> fmt::Result {
        let Lines { width, ref indent, .. } = *self;
        let name = phrases::block_elements(block, super::registers_around(descriptor, block));
        writeln!(self.f, "  {indent}{:#0width$x}  block {name}", block.extent().offset)?;
        let indent = format!("{indent}+ ");
        self.doc(block.doc())?;
        let mut inner = Lines { f: &mut *self.f, width, indent };
        for register in super::registers_in(descriptor, block) {
            inner.register(register, Family::of_block(block))?;
        }
        let blocks = super::blocks_in(descriptor, block);
        blocks.into_iter().try_for_each(|block| inner.block(descriptor, block))
    }

    fn memory(&mut self, memory: &MemoryRange) -> fmt::Result {
        let width = self.width;
        write!(self.f, "  {:#0width$x}  memory {}", memory.start(), memory.name())?;
        self.end(None, phrases::memory_notes(memory))?;
        self.doc(memory.doc())
    }

    fn unmodelled(&mut self, place: &UnmodelledRange) -> fmt::Result {
        let width = self.width;
        write!(self.f, "  {:#0width$x}  unmodelled {}", place.start(), place.name())?;
        self.end(None, phrases::unmodelled_notes(place))
    }

    fn register(&mut self, register: &Register, family: Family) -> fmt::Result {
        let Lines { width, ref indent, .. } = *self;
        let (extent, bits) = (register.extent(), register.width() * 8);
        let policy = register.policy().name();
        let name = phrases::register_elements(register, family);
        write!(self.f, "  {indent}{:#0width$x}  u{bits:<3} {policy:<5} {name}", extent.offset)?;
        self.end(register.reset(), phrases::notes(register, family))?;
        self.doc(register.doc())?;
        let fields = register.fields();
        fields.iter().try_for_each(|field| self.field(field, register))
    }

    fn field(&mut self, field: &Field, register: &Register) -> fmt::Result {
        let Lines { width, ref indent, .. } = *self;
        let policy = field.policy.unwrap_or(register.policy()).name();
        let bits = phrases::bits(field);
        write!(self.f, "  {indent}{:width$}{bits:>6} {policy:<5}   {}", "", field.name)?;
        self.end(field.reset, phrases::field_notes(field))?;
        self.doc(field.doc)
    }

    /// Writes the rest of a line.
    fn end(&mut self, reset: Option<u64>, notes: Vec<String>) -> fmt::Result {
        let reset = reset.map(|reset| format!("reset {reset:#x}"));
        reset.into_iter().chain(notes).try_for_each(|note| write!(self.f, ", {note}"))?;
        writeln!(self.f)
    }

    fn doc(&mut self, doc: &str) -> fmt::Result {
        if doc.is_empty() {
            return Ok(());
        }
        let Lines { width, ref indent, .. } = *self;
        writeln!(self.f, "  {indent}{:width$}               {}", "", phrases::summary(doc))
    }
}
