//! A description of a device as a Markdown page.

use std::fmt::{self, Display, Formatter};

use super::{Family, capability, phrases};
use crate::layout::{CONFIG, Extent};
use crate::model::{
    Block, Descriptor, Field, MemoryRange, Register, RegisterBits, UnmodelledRange,
};

/// A descriptor as a Markdown page, with tables in GitHub's syntax.
pub(super) struct Page<'a>(pub(super) &'a Descriptor);

/// The name of a register in the rows of a table: an array counts with `n`, the blocks around it
/// with `i`.
struct Place {
    name: String,
    offset: String,
    /// The ranges of the letters.
    ranges: Vec<String>,
}

impl Display for Page<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Page(descriptor) = self;
        writeln!(f, "# {}\n", descriptor.name())?;
        if !descriptor.doc().is_empty() {
            writeln!(f, "{}\n", descriptor.doc())?;
        }
        identity(descriptor, f)?;
        for (index, bar) in (0..).zip(descriptor.bars()) {
            if let Some(bar) = bar {
                writeln!(f, "\n## BAR {index}: {}", phrases::bar(bar))?;
                let rules = phrases::bus_rules(descriptor, index, bar);
                if !rules.is_empty() {
                    writeln!(f, "\n{}", rules.join(" "))?;
                }
                table(descriptor, index, f)?;
            }
        }
        if super::has_config(descriptor) {
            writeln!(f, "\n## Configuration space")?;
            table(descriptor, CONFIG, f)?;
        }
        if descriptor.rom().is_some() {
            writeln!(f, "\n## ROM: {}", phrases::Size(descriptor.rom_size()))?;
        }
        phrases::regions(descriptor).iter().try_for_each(|region| writeln!(f, "\n## {region}"))
    }
}

fn identity(descriptor: &Descriptor, f: &mut Formatter<'_>) -> fmt::Result {
    let ids = descriptor.ids();
    writeln!(f, "| | |\n|---|---|")?;
    writeln!(
        f,
        "| Device | `{:04x}:{:04x}`, {} |",
        ids.vendor,
        ids.device,
        phrases::bus(descriptor)
    )?;
    writeln!(f, "| Class | `{:06x}`, revision `{:02x}` |", ids.class, ids.revision)?;
    writeln!(f, "| Subsystem | `{:04x}:{:04x}` |", ids.subsystem_vendor, ids.subsystem)?;
    writeln!(f, "| Interrupts | {} |", phrases::interrupts(descriptor))?;
    if let Some(timers) = phrases::timers(descriptor) {
        writeln!(f, "| Timers | {timers} |")?;
    }
    let all = capability::all(descriptor);
    let all: Vec<_> = all.iter().map(|(offset, words)| format!("`{offset:#x}` {words}")).collect();
    let all = if all.is_empty() { "none".to_owned() } else { all.join("; ") };
    writeln!(f, "| Capabilities | {all} |")
}

fn table(descriptor: &Descriptor, index: u8, f: &mut Formatter<'_>) -> fmt::Result {
    let (registers, blocks) =
        (super::registers(descriptor, index), super::blocks(descriptor, index));
    let memories = super::memories(descriptor, index);
    let unmodelled = super::unmodelled(descriptor, index);
    if registers.is_empty() && blocks.is_empty() && memories.is_empty() && unmodelled.is_empty() {
        return Ok(());
    }
    writeln!(
        f,
        "\n| Offset | Name | Bits | Access | Reset | Description |\n|---|---|---|---|---|---|"
    )?;
    for one in registers {
        let family = Family::of(descriptor);
        register(one, family, Place::of(one, family), f)?;
    }
    blocks.into_iter().try_for_each(|one| block(descriptor, one, f))?;
    memories.into_iter().try_for_each(|one| memory(one, f))?;
    unmodelled.into_iter().try_for_each(|one| place(one, f))
}

/// Writes a block, and the blocks in it.
fn block(descriptor: &Descriptor, block: &'static Block, f: &mut Formatter<'_>) -> fmt::Result {
    let (offset, doc) = (block.offset_of(0), escaped(block.doc()));
    writeln!(f, "| `{offset:#x}` | **{}** | | | | {doc} |", block.path())?;
    for one in super::registers_in(descriptor, block) {
        let family = Family::of_block(block);
        let place = Place::of(one, family).inside_all(descriptor, block);
        register(one, family, place, f)?;
    }
    let inner = super::blocks_in(descriptor, block);
    inner.into_iter().try_for_each(|one| self::block(descriptor, one, f))
}

fn memory(memory: &MemoryRange, f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, "| `{:#x}` | `{}` | | memory |", memory.start(), memory.name())?;
    end(None, memory.doc(), &phrases::memory_notes(memory), f)
}

fn place(place: &UnmodelledRange, f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, "| `{:#x}` | `{}` | | unmodelled |", place.start(), place.name())?;
    end(None, "", &phrases::unmodelled_notes(place), f)
}

fn register(
    register: &Register,
    family: Family,
    place: Place,
    f: &mut Formatter<'_>,
) -> fmt::Result {
    let Place { name, offset, ranges } = place;
    let last = register.width() * 8 - 1;
    let policy = register.policy().name();
    write!(f, "| `{offset}` | `{name}` | {last}:0 | {policy} |")?;
    let notes: Vec<_> = ranges.into_iter().chain(phrases::notes(register, family)).collect();
    end(register.reset(), register.doc(), &notes, f)?;
    register.fields().iter().try_for_each(|one| field(one, register, f))
}

fn field(field: &Field, register: &Register, f: &mut Formatter<'_>) -> fmt::Result {
    let policy = field.policy.unwrap_or(register.policy()).name();
    write!(f, "| | `.{}` | {} | {policy} |", field.name, phrases::bits(field))?;
    end(field.reset, field.doc, &phrases::field_notes(field), f)
}

/// Writes the last two columns of a row.
fn end(reset: Option<u64>, doc: &str, notes: &[String], f: &mut Formatter<'_>) -> fmt::Result {
    let reset = reset.map(|reset| format!("`{reset:#x}`")).unwrap_or_default();
    let notes = (!notes.is_empty()).then(|| format!("*{}*", notes.join(", ").replace('|', "\\|")));
    let doc = Some(escaped(doc)).filter(|doc| !doc.is_empty());
    let description: Vec<_> = doc.into_iter().chain(notes).collect();
    writeln!(f, " {reset} | {} |", description.join(" "))
}

impl Place {
    fn of(register: &Register, family: Family) -> Self {
        let Extent { name, offset, count, stride, .. } = register.extent();
        let (name, offset) = (name.to_owned(), format!("{offset:#x}"));
        let place = Place { name, offset, ranges: Vec::new() };
        match register.selector() {
            Some(bits) => place.selected('n', register.count(), &bits, family.registers),
            None => place.counted('n', count, stride),
        }
    }

    /// Moves the place of a register into a block, and into the blocks around it.
    fn inside_all(self, descriptor: &Descriptor, block: &'static Block) -> Self {
        let around = super::blocks_around(descriptor, block);
        let inside = |place: Self, (block, letter)| place.inside(descriptor, block, letter);
        around.into_iter().rev().fold(self, inside)
    }

    fn inside(mut self, descriptor: &Descriptor, block: &Block, letter: char) -> Self {
        let Extent { name, offset, count, stride, .. } = block.extent();
        let registers = super::registers_around(descriptor, block);
        let place =
            Place { name: name.to_owned(), offset: format!("{offset:#x}"), ranges: Vec::new() };
        let mut place = match block.selector() {
            Some(bits) => place.selected(letter, block.own_count(), &bits, registers),
            None => place.counted(letter, count, stride),
        };
        place.name = format!("{}.{}", place.name, self.name);
        place.offset = format!("{} + {}", place.offset, self.offset);
        place.ranges.append(&mut self.ranges);
        place
    }

    /// Adds the index `letter` of one element among `count`, which share their bytes.
    fn selected(
        mut self,
        letter: char,
        count: u32,
        bits: &RegisterBits,
        family: &[Register],
    ) -> Self {
        self.name = format!("{}[{letter}]", self.name);
        self.ranges.push(phrases::selected_index(letter, count, bits, family));
        self
    }

    /// Adds the index `letter` of one element among `count`.
    fn counted(mut self, letter: char, count: u64, stride: u64) -> Self {
        if count > 1 {
            self.name = format!("{}[{letter}]", self.name);
            self.offset = format!("{} + {letter} * {stride:#x}", self.offset);
            self.ranges.push(format!("{letter} < {count}"));
        }
        self
    }
}

/// Returns the first paragraph, escaped for a cell of a table.
fn escaped(doc: &str) -> String {
    phrases::summary(doc).replace('|', "\\|")
}
