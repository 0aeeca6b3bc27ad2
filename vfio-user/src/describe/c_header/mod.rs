//! The registers of a device as a C header, for its driver.
//!
//! Everything is a macro: offsets, masks, shifts, values. All names begin with the device's.

mod comment;
mod names;

use std::fmt::{self, Display, Formatter, Write as _};

use super::{Family, phrases};
use crate::layout::{CONFIG, Extent};
use crate::model::{Block, ComposedInterrupt, Descriptor, Field, Register};
use comment::Comment;
use names::{Names, upper};

/// The column of values.
const COLUMN: usize = 48;

/// A descriptor as a C header.
pub(super) struct Header<'a>(pub(super) &'a Descriptor);

/// The part of the header that has been written.
struct Lines {
    text: String,
    names: Names,
    /// The device's name, in front of all names.
    prefix: String,
}

/// The macro of a place: its name, the parameters of the arrays around it, and its offset.
struct Place {
    name: String,
    parameters: Vec<char>,
    offset: String,
}

impl Display for Header<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Header(descriptor) = self;
        let prefix = names::prefix(descriptor.name());
        let guard = format!("{prefix}_REGISTERS_H");
        let mut lines = Lines { text: String::new(), names: Names::default(), prefix };
        lines.names.take(&guard);
        lines.identity(descriptor);
        for (index, bar) in (0..).zip(descriptor.bars()) {
            if let Some(bar) = bar {
                lines.title(&format!("BAR {index}: {}", phrases::bar(bar)));
                let name = format!("{}_BAR{index}_SIZE", lines.prefix);
                lines.define(&name, "", &number(bar.size()), "");
                lines.contents(descriptor, index);
            }
        }
        if super::has_config(descriptor) {
            lines.title("Configuration space");
            lines.contents(descriptor, CONFIG);
        }
        writeln!(f, "{}", Comment::new(&about(descriptor)))?;
        writeln!(f, "#ifndef {guard}\n#define {guard}\n{}\n#endif", lines.text)
    }
}

fn about(descriptor: &Descriptor) -> String {
    let ids = descriptor.ids();
    let about = format!("{}, PCI device {:04x}:{:04x}", descriptor.name(), ids.vendor, ids.device);
    match phrases::summary(descriptor.doc()) {
        doc if doc.is_empty() => about,
        doc => format!("{about}: {doc}"),
    }
}

impl Lines {
    /// The identity of the function, and macros that take fields apart.
    fn identity(&mut self, descriptor: &Descriptor) {
        let (ids, prefix) = (descriptor.ids(), self.prefix.clone());
        self.title("Get and make the value of a field: name a field without `_MASK` and `_SHIFT`.");
        self.text(&format!(
            "#define {prefix}_GET(field, value) (((value) & field##_MASK) >> field##_SHIFT)\n\
             #define {prefix}_PREP(field, value) \\\n    \
             (((field##_MASK & 0u) | (value)) << field##_SHIFT & field##_MASK)\n"
        ));
        for name in ["GET", "PREP"] {
            self.names.take(&format!("{prefix}_{name}"));
        }
        self.title("Ids");
        for (name, value) in [
            ("VENDOR_ID", ids.vendor.into()),
            ("DEVICE_ID", ids.device.into()),
            ("CLASS", u64::from(ids.class)),
        ] {
            self.define(&format!("{prefix}_{name}"), "", &number(value), "");
        }
    }

    fn contents(&mut self, descriptor: &Descriptor, index: u8) {
        let outside =
            Place { name: self.prefix.clone(), parameters: Vec::new(), offset: String::new() };
        for register in super::registers(descriptor, index) {
            self.register(register, &outside, Family::of(descriptor));
        }
        for block in super::blocks(descriptor, index) {
            self.block(descriptor, block, &outside);
        }
        for memory in super::memories(descriptor, index) {
            let notes = phrases::memory_notes(memory);
            let facts = format!("memory, {}", notes.join(", "));
            self.range(&memory.extent(), &sentence(&facts, memory.doc()));
        }
        for place in super::unmodelled(descriptor, index) {
            let facts = format!("not modelled, {}", phrases::unmodelled_notes(place).join(", "));
            self.range(&place.extent(), &facts);
        }
    }

    /// Defines the offset and the size of a range of bytes.
    fn range(&mut self, extent: &Extent<'_>, text: &str) {
        self.text("\n");
        self.comment(text);
        let wanted = format!("{}_{}", self.prefix, upper(extent.name));
        let name = self.names.free(&wanted, &["", "_SIZE"]);
        self.write(&name, "", &number(extent.offset), "");
        self.write(&format!("{name}_SIZE"), "", &number(extent.width), "");
    }

    /// Defines a block, and the blocks in it.
    fn block(&mut self, descriptor: &Descriptor, block: &'static Block, outside: &Place) {
        self.text("\n");
        let around = super::registers_around(descriptor, block);
        match phrases::selection(block.own_count(), block.selector(), around) {
            Some(selection) => self.comment(&sentence(&selection, block.doc())),
            None => self.comment(block.doc()),
        }
        let place = self.place(&block.extent(), outside.letter(), outside);
        for register in super::registers_in(descriptor, block) {
            self.register(register, &place, Family::of_block(block));
        }
        for inner in super::blocks_in(descriptor, block) {
            self.block(descriptor, inner, &place);
        }
    }

    fn register(&mut self, register: &Register, outside: &Place, family: Family) {
        let bits = u32::from(register.width()) * 8;
        let facts = [format!("{bits} bits"), register.policy().name().to_owned()];
        let selector = register.selector();
        let selection = phrases::selection(register.count(), selector, family.registers);
        let facts = facts.into_iter().chain(selection);
        let notes = facts.chain(phrases::notes(register, family));
        self.text("\n");
        self.comment(&sentence(&notes.collect::<Vec<_>>().join(", "), register.doc()));
        let place = self.place(&register.extent(), 'n', outside);
        if let Some(reset) = register.reset() {
            self.write(&format!("{}_RESET", place.name), "", &number(reset), "");
        }
        for intr in
            family.intrs.iter().filter(|intr| family.name(intr.status) == Some(register.name()))
        {
            self.vector(intr, &place, family);
        }
        register.fields().iter().for_each(|one| self.field(one, &place.name, register));
    }

    /// The interrupt that a status register raises.
    fn vector(&mut self, intr: &ComposedInterrupt, place: &Place, family: Family) {
        let name = format!("{}_VECTOR", place.name);
        let vector = number(family.vector(intr).into());
        let steps = family.vector_steps();
        if steps.is_empty() {
            return self.define(&name, "", &vector, "");
        }
        let letters: Vec<_> = steps.iter().map(|(letter, _)| letter.to_string()).collect();
        let terms = steps.iter();
        let terms =
            terms.map(|(letter, stride)| format!("{} * ({letter})", number((*stride).into())));
        let sum: Vec<_> = std::iter::once(vector).chain(terms).collect();
        self.define(
            &name,
            &format!("({})", letters.join(", ")),
            &format!("({})", sum.join(" + ")),
            "",
        );
    }

    fn field(&mut self, field: &Field, register: &str, of: &Register) {
        let policy = field.policy.unwrap_or(of.policy()).name();
        let bits = if field.width == 1 { "bit" } else { "bits" };
        let facts = format!("{bits} {}, {policy}", phrases::bits(field));
        let wanted = format!("{register}_{}", upper(field.name));
        let name = self.names.free(&wanted, &["_MASK", "_SHIFT"]);
        let note = sentence(&facts, field.doc);
        self.write(&format!("{name}_MASK"), "", &mask(field, of), &note);
        self.write(&format!("{name}_SHIFT"), "", &format!("{}u", field.shift), "");
        for (value, variant) in field.values.names() {
            self.define(&format!("{name}_{}", upper(variant)), "", &number(*value), "");
        }
    }

    /// Defines the offset of a register or block inside another place.
    fn place(&mut self, extent: &Extent<'_>, letter: char, outside: &Place) -> Place {
        let Extent { name, offset, count, stride, .. } = *extent;
        let name = self
            .names
            .free(&format!("{}_{}", outside.name, upper(name)), &["", "_COUNT", "_RESET"]);
        let mut parameters = outside.parameters.clone();
        let mut sum = vec![outside.offset.clone(), number(offset)];
        sum.retain(|part| !part.is_empty());
        if count > 1 {
            parameters.push(letter);
            let last = offset.saturating_add(stride.saturating_mul(count));
            let suffix = if last > u32::MAX.into() { "ull" } else { "u" };
            sum.push(format!("{stride:#x}{suffix} * ({letter})"));
        }
        let listed: Vec<_> = parameters.iter().map(char::to_string).collect();
        let list =
            if listed.is_empty() { String::new() } else { format!("({})", listed.join(", ")) };
        let value = if sum.len() == 1 { sum.remove(0) } else { format!("({})", sum.join(" + ")) };
        self.write(&name, &list, &value, "");
        if count > 1 {
            self.write(&format!("{name}_COUNT"), "", &format!("{count}u"), "");
        }
        let offset = format!("{name}{list}");
        Place { name, parameters, offset }
    }

    /// Defines a macro, under another name if that one is taken.
    fn define(&mut self, name: &str, list: &str, value: &str, note: &str) {
        let name = self.names.free(name, &[""]);
        self.write(&name, list, value, note);
    }

    fn write(&mut self, name: &str, list: &str, value: &str, note: &str) {
        let head = format!("#define {name}{list}");
        let _ = write!(self.text, "{head:<COLUMN$} {value}");
        match note {
            "" => self.text.push('\n'),
            note => {
                let _ = writeln!(self.text, " {}", Comment::short(note));
            }
        }
    }

    fn title(&mut self, title: &str) {
        let _ = writeln!(self.text, "\n{}", Comment::new(title));
    }

    fn comment(&mut self, text: &str) {
        let summary = phrases::summary(text);
        if !summary.is_empty() {
            let _ = writeln!(self.text, "{}", Comment::new(&summary));
        }
    }

    fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }
}

impl Place {
    /// Returns the letter of the index of a block here.
    fn letter(&self) -> char {
        super::LETTERS[self.parameters.len().min(super::LETTERS.len() - 1)]
    }
}

/// `32 bits, rw: what the author says`.
fn sentence(facts: &str, doc: &str) -> String {
    match phrases::summary(doc) {
        doc if doc.is_empty() => facts.to_owned(),
        doc => format!("{facts}: {doc}"),
    }
}

/// An unsigned constant, with as many bits as it needs.
fn number(value: u64) -> String {
    let suffix = if value > u32::MAX.into() { "ull" } else { "u" };
    if value < 10 { format!("{value}{suffix}") } else { format!("{value:#x}{suffix}") }
}

/// A mask, with as many digits as the register. The mask of a 64-bit register has 64 bits, so that
/// its complement has, too.
fn mask(field: &Field, register: &Register) -> String {
    let digits = usize::from(register.width()) * 2;
    let suffix = if register.width() > 4 { "ull" } else { "u" };
    format!("0x{:0digits$x}{suffix}", field.mask())
}
