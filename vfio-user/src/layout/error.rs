//! What is wrong with a layout, and how it is said.

use core::fmt;

use super::Kind;
use super::text::Arg::{self, Bits, Dec, Hex, Str};
use super::text::Text;

/// A layout that cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are the values that the message names")]
pub enum LayoutError<'a> {
    /// A register is not naturally aligned.
    Misaligned { register: &'a str, width: u64, offset: u64 },
    /// A register ends behind its BAR.
    OutsideBar { kind: Kind, register: &'a str, start: u64, end: u64, bar: u8, size: u64 },
    /// The last element of an array ends behind its BAR, or behind the address space.
    ArrayOutsideBar { register: &'a str, last: u64, end: Option<u64>, bar: u8, size: u64 },
    /// Two things in a BAR share bytes.
    Overlap {
        kinds: (Kind, Kind),
        one: &'a str,
        at: (u64, u64),
        other: &'a str,
        other_at: (u64, u64),
    },
    /// A composed interrupt names a register that does not exist.
    IntrMissing { place: u64 },
    /// An enable or mask register is not as wide as the status register.
    IntrWidth { register: &'a str, width: u64, status: &'a str, status_width: u64 },
    /// Software cannot clear the bits of an event interrupt.
    IntrEvent { status: &'a str },
    /// Software can change the bits of a level interrupt.
    IntrLevel { status: &'a str },
    /// A composed interrupt of a device without interrupts.
    IntrNowhere { status: &'a str },
    /// A composed interrupt with a number that the device lacks.
    IntrVector { vector: u64, sources: u64 },
    /// A register in the header of configuration space.
    ConfigHeader { register: &'a str, offset: u64 },
    /// A register ends behind configuration space.
    OutsideConfig { register: &'a str, end: Option<u64>, size: u64 },
    /// A block without registers.
    EmptyBlock { block: &'a str },
    /// A block's registers would not be naturally aligned.
    BlockMisaligned { block: &'a str, alignment: u64, offset: u64 },
    /// The registers of some of a block's elements would not be naturally aligned.
    BlockStrideMisaligned { block: &'a str, alignment: u64, stride: u64 },
    /// An array's elements are closer than they are wide.
    StrideTooSmall { register: &'a str, stride: u64, width: u64 },
    /// An array's elements are not all naturally aligned.
    StrideMisaligned { register: &'a str, stride: u64, width: u64 },
    /// An array without elements.
    EmptyArray { register: &'a str },
    /// A register lies in a BAR that nobody declared.
    MissingBar { kind: Kind, register: &'a str, bar: u8 },
    /// A BAR's size is not a power of two.
    BarSize { bar: u8, size: u64 },
    /// A memory BAR is smaller than its address bits allow.
    MemoryBarTooSmall { bar: u8, size: u64, express: bool },
    /// An I/O BAR's size is out of range.
    IoBarSize { bar: u8, size: u64 },
    /// A 32-bit BAR is larger than 2 GiB.
    Mem32TooLarge { bar: u8, size: u64 },
    /// A 64-bit BAR is larger than its address bits allow.
    Mem64TooLarge { bar: u8, size: u64 },
    /// There is no such BAR.
    BarIndex { bar: u64 },
    /// A 64-bit BAR has no upper half.
    NoUpperHalf { bar: u8 },
    /// A BAR is where the upper half of a 64-bit one lies.
    UpperHalf { bar: u8, lower: u8 },
    /// An I/O BAR cannot be prefetchable.
    PrefetchableIo { bar: u8 },
    /// A reset value has more bits than its register.
    ResetTooWide { register: &'a str, reset: u64, width: u64 },
    /// A reset value sets bits that are not implemented.
    ResetReserved { register: &'a str, reset: u64, mask: u64 },
    /// A mask has more bits than its register.
    MaskTooWide { register: &'a str, mask: u64, width: u64 },
    /// Writable bits that are not implemented.
    WritableReserved { register: &'a str, writable: u64, mask: u64 },
    /// A field has bits that its register lacks.
    FieldOutside { field: &'a str, first: u64, last: u64, register_bits: u64 },
    /// Two fields share bits; the first and the last bit of each.
    FieldOverlap { field: &'a str, bits: (u64, u64), other: &'a str, other_bits: (u64, u64) },
    /// A field has more bits than its type.
    FieldTooWide { field: &'a str, width: u64, ty: &'a str, bits: u64 },
    /// A field has too few bits for a variant of its type.
    VariantTooWide { field: &'a str, width: u64, ty: &'a str, name: &'a str, value: u64 },
    /// A field can hold a value that its type has no variant for.
    NoVariant { field: &'a str, width: u64, ty: &'a str, value: u64 },
    /// A field's reset value has more bits than the field.
    FieldResetTooWide { field: &'a str, width: u64, reset: u64 },
    /// A field's reset value is none of its type's.
    ResetNoVariant { field: &'a str, ty: &'a str, reset: u64 },
    /// A register's reset value sets a bit that is in no field.
    ResetOutsideFields { reset: u64, bit: u64 },
    /// A register's reset value gives a field a value that its type cannot say.
    ResetUnknownValue { reset: u64, field: &'a str, value: u64 },
    /// A register's reset value is not that of its fields.
    ResetsDisagree { register: &'a str, reset: u64, field: &'a str, field_reset: u64 },
    /// The vendor id that means that no device is there.
    NoVendor,
    /// A class code of more than 24 bits.
    ClassTooWide { class: u64 },
    /// An id that does not fit in its register.
    IdTooWide { what: &'a str, value: u64, bits: u32 },
    /// MSI has 1, 2, 4, 8, 16 or 32 vectors.
    MsiVectors { vectors: u64 },
    /// MSI-X has 1 to 2048 vectors.
    MsixVectors { vectors: u64 },
    /// An MSI-X structure is not quadword aligned.
    MsixAlignment { what: &'a str, offset: u64 },
    /// An MSI-X structure ends behind its BAR.
    MsixOutsideBar { what: &'a str, end: u64, bar: u8, size: u64 },
    /// The MSI-X BAR decodes I/O ports, which cannot hold a table.
    MsixInIoBar { bar: u8 },
    /// The MSI-X BAR holds registers, and nobody said where the table goes.
    MsixNeedsTable { bar: u8 },
    /// No BAR is left for the MSI-X table.
    MsixNoFreeBar,
    /// A function has each capability once.
    CapabilityTwice { what: &'a str },
    /// The expansion ROM's size is out of range.
    RomSize { size: u64 },
    /// A wide register does not have 64 bits.
    WideWidth { register: &'a str, width: u64 },
    /// A read of half of a 64-bit register would change the other half.
    TornByRead { register: &'a str },
    /// A command that clears itself is set from the start.
    PulseReset { register: &'a str, reset: u64 },
    /// What locks a register is none, or the register itself.
    LockTarget { register: &'a str },
    /// What locks a register is a field that does not exist.
    LockField { target: &'a str },
    /// The elements of an array and those of its lock are not as many.
    LockElements { register: &'a str, count: u64, lock: &'a str, locks: u64 },
    /// A BAR accepts a size that no bus knows.
    AccessSize { bar: u8, size: u64 },
    /// A BAR accepts no size at all.
    AccessSizes { bar: u8, smallest: u8, largest: u8 },
    /// A part of a BAR has no bytes.
    AccessRangeEmpty { start: u64, end: u64 },
    /// A part of a BAR ends behind it.
    AccessRangeOutside { start: u64, end: u64, bar: u8, size: u64 },
    /// Two parts of a BAR share bytes.
    AccessRangesOverlap { bar: u8, one: (u64, u64), other: (u64, u64) },
}

impl LayoutError<'_> {
    /// The message, for constant evaluation and `Display` alike.
    pub const fn text(&self) -> Text {
        match *self {
            Self::Misaligned { register, width, offset } => Text::format(
                "register `{}` is {} {} wide, so its offset must be a multiple of {}; {} is not",
                &[Str(register), Dec(width), bytes(width), Dec(width), Hex(offset)],
            ),
            Self::OutsideBar { kind, register, start, end, bar, size } => Text::format(
                "{}{}` at {}..{} does not fit in BAR {} (size {})",
                &[
                    Str(before(kind)),
                    Str(register),
                    Hex(start),
                    Hex(end),
                    Dec(bar as u64),
                    Hex(size),
                ],
            ),
            Self::ArrayOutsideBar { register, last, end: Some(end), bar, size } => Text::format(
                "the last element of `{}` (index {}) ends at {}, past the end of BAR {} ({})",
                &[Str(register), Dec(last), Hex(end), Dec(bar as u64), Hex(size)],
            ),
            Self::ArrayOutsideBar { register, last, end: None, bar, size } => Text::format(
                "the last element of `{}` (index {}) ends past 2^64, past the end of BAR {} ({})",
                &[Str(register), Dec(last), Dec(bar as u64), Hex(size)],
            ),
            Self::Overlap { kinds: (kind, other_kind), one, at, other, other_at } => Text::format(
                "{}{}{} at {}..{} overlaps {}{}{} at {}..{}",
                &[
                    Str(before(kind)),
                    Str(one),
                    Str(after(kind)),
                    Hex(at.0),
                    Hex(at.1),
                    Str(before(other_kind)),
                    Str(other),
                    Str(after(other_kind)),
                    Hex(other_at.0),
                    Hex(other_at.1),
                ],
            ),
            Self::StrideTooSmall { register, stride, width } => Text::format(
                "stride {} is smaller than the {}-byte element of `{}`",
                &[Hex(stride), Dec(width), Str(register)],
            ),
            Self::StrideMisaligned { register, stride, width } => Text::format(
                "stride {} of `{}` must be a multiple of its {}-byte element",
                &[Hex(stride), Str(register), Dec(width)],
            ),
            Self::EmptyArray { register } => {
                Text::format("array `{}` has no elements", &[Str(register)])
            }
            Self::MissingBar { kind, register, bar } => Text::format(
                "{}{}` lies in BAR {}, which is not declared; add `#[bar({}: mem32, size = ..)]`",
                &[Str(before(kind)), Str(register), Dec(bar as u64), Dec(bar as u64)],
            ),
            Self::EmptyBlock { block } => {
                Text::format("block `{}` has no registers", &[Str(block)])
            }
            Self::BlockMisaligned { block, alignment, offset } => Text::format(
                "block `{}` has {}-byte registers, so its offset must be a multiple of {}; {} is not",
                &[Str(block), Dec(alignment), Dec(alignment), Hex(offset)],
            ),
            Self::BlockStrideMisaligned { block, alignment, stride } => Text::format(
                "block `{}` has {}-byte registers, so its stride must be a multiple of {}; {} is not",
                &[Str(block), Dec(alignment), Dec(alignment), Hex(stride)],
            ),
            _ => self.value_text(),
        }
    }

    const fn value_text(&self) -> Text {
        match *self {
            Self::ResetTooWide { register, reset, width } => Text::format(
                "reset value {} does not fit in the {}-bit register `{}`",
                &[Hex(reset), Dec(width * 8), Str(register)],
            ),
            Self::ResetReserved { register, reset, mask } => Text::format(
                "reset value {} of `{}` sets bits outside its mask {}",
                &[Hex(reset), Str(register), Hex(mask)],
            ),
            Self::MaskTooWide { register, mask, width } => Text::format(
                "mask {} has bits that the {}-bit register `{}` lacks",
                &[Hex(mask), Dec(width * 8), Str(register)],
            ),
            Self::WritableReserved { register, writable, mask } => Text::format(
                "writable bits {} of `{}` are not all in its mask {}",
                &[Hex(writable), Str(register), Hex(mask)],
            ),
            Self::NoVendor => Text::format("vendor id 0xffff means \"no device\"", &[]),
            Self::ClassTooWide { class } => {
                Text::format("class code {} has more than 24 bits", &[Hex(class)])
            }
            Self::IdTooWide { what, value, bits } => Text::format(
                "{} {} has more than {} bits",
                &[Str(what), Hex(value), Dec(bits as u64)],
            ),
            _ => self.field_text(),
        }
    }

    const fn field_text(&self) -> Text {
        match *self {
            Self::FieldOutside { field, first, last, register_bits } => Text::format(
                "field `{}` uses {} of a {}-bit register",
                &[Str(field), Bits(first, last), Dec(register_bits)],
            ),
            Self::FieldOverlap { field, bits, other, other_bits } => Text::format(
                "field `{}` ({}) overlaps field `{}` ({})",
                &[Str(field), Bits(bits.0, bits.1), Str(other), Bits(other_bits.0, other_bits.1)],
            ),
            Self::FieldTooWide { field, width, ty, bits } => Text::format(
                "field `{}` is {} {} wide, but `{}` has {}",
                &[Str(field), Dec(width), bits_of(width), Str(ty), Dec(bits)],
            ),
            Self::VariantTooWide { field, width, ty, name, value } => Text::format(
                "field `{}` is {} {} wide, but `{}::{}` = {} needs {}",
                &[
                    Str(field),
                    Dec(width),
                    bits_of(width),
                    Str(ty),
                    Str(name),
                    Dec(value),
                    Dec((64 - value.leading_zeros()) as u64),
                ],
            ),
            Self::NoVariant { field, width, ty, value } => Text::format(
                "{}-bit field `{}` has no variant of `{}` for {}; add one with a payload, such as `Other(u8)`, or `reserved = reject`",
                &[Dec(width), Str(field), Str(ty), Dec(value)],
            ),
            Self::FieldResetTooWide { field, width, reset } => Text::format(
                "reset value {} does not fit in the {}-bit field `{}`",
                &[Hex(reset), Dec(width), Str(field)],
            ),
            Self::ResetNoVariant { field, ty, reset } => Text::format(
                "field `{}` resets to {}, which is not a value of `{}`",
                &[Str(field), Dec(reset), Str(ty)],
            ),
            Self::ResetOutsideFields { reset, bit } => Text::format(
                "reset value {} sets bit {}, which no field covers",
                &[Hex(reset), Dec(bit)],
            ),
            Self::ResetUnknownValue { reset, field, value } => Text::format(
                "reset value {} sets field `{}` to {}, for which its type has no variant",
                &[Hex(reset), Str(field), Dec(value)],
            ),
            Self::ResetsDisagree { register, reset, field, field_reset } => Text::format(
                "reset value {} of `{}` disagrees with its field `{}`, which resets to {}",
                &[Hex(reset), Str(register), Str(field), Hex(field_reset)],
            ),
            _ => self.config_text(),
        }
    }

    const fn config_text(&self) -> Text {
        match *self {
            Self::ConfigHeader { register, offset } => Text::format(
                "register `{}` at {} lies in the header of configuration space; registers of the device start at 0x40",
                &[Str(register), Hex(offset)],
            ),
            Self::OutsideConfig { register, end: Some(end), size } => Text::format(
                "register `{}` ends at {}, past the end of configuration space ({}{})",
                &[Str(register), Hex(end), Hex(size), without_express(size)],
            ),
            Self::OutsideConfig { register, end: None, size } => Text::format(
                "register `{}` ends past 2^64, past the end of configuration space ({}{})",
                &[Str(register), Hex(size), without_express(size)],
            ),
            _ => self.intr_text(),
        }
    }

    const fn intr_text(&self) -> Text {
        match *self {
            Self::IntrMissing { place } => Text::format(
                "a composed interrupt needs register {}, which does not exist",
                &[Dec(place)],
            ),
            Self::IntrWidth { register, width, status, status_width } => Text::format(
                "`{}` is {} bits wide, the status `{}` is {}",
                &[Str(register), Dec(width * 8), Str(status), Dec(status_width * 8)],
            ),
            Self::IntrEvent { status } => Text::format(
                "event interrupt status `{}` must be clearable by software (w1c, w0c, rc, wc); a status that the device clears is `trigger = level`",
                &[Str(status)],
            ),
            Self::IntrLevel { status } => Text::format(
                "level interrupt status `{}` follows the device, so it must be `ro`; a status that software clears is `trigger = event`",
                &[Str(status)],
            ),
            Self::IntrNowhere { status } => Text::format(
                "the interrupt of `{}` has nowhere to go; add `#[irq(intx)]`, `msi` or `msix`",
                &[Str(status)],
            ),
            Self::IntrVector { vector, sources: 1 } => {
                Text::format("vector {} does not exist: the device has one, 0", &[Dec(vector)])
            }
            Self::IntrVector { vector, sources } => Text::format(
                "vector {} does not exist: the device has {} (0 to {})",
                &[Dec(vector), Dec(sources), Dec(sources.saturating_sub(1))],
            ),
            _ => self.bar_text(),
        }
    }

    const fn bar_text(&self) -> Text {
        match *self {
            Self::BarSize { bar, size } => match size.checked_next_power_of_two() {
                Some(next) => Text::format(
                    "BAR {} size {} is not a power of two; use {}",
                    &[Dec(bar as u64), Hex(size), Hex(next)],
                ),
                None => Text::format(
                    "BAR {} size {} is not a power of two",
                    &[Dec(bar as u64), Hex(size)],
                ),
            },
            Self::MemoryBarTooSmall { bar, size, express } => Text::format(
                "memory BAR {} must be at least {}; {} is too small",
                &[
                    Dec(bar as u64),
                    Str(if express { "128 bytes on PCI Express" } else { "16 bytes" }),
                    Hex(size),
                ],
            ),
            Self::IoBarSize { bar, size } => Text::format(
                "I/O BAR {} must be 4 to 256 bytes; {} is not",
                &[Dec(bar as u64), Hex(size)],
            ),
            Self::Mem32TooLarge { bar, size } => Text::format(
                "32-bit BAR {} cannot be larger than 2 GiB; {} needs `mem64`",
                &[Dec(bar as u64), Hex(size)],
            ),
            Self::Mem64TooLarge { bar, size } => Text::format(
                "64-bit BAR {} cannot be larger than 2^62 bytes; {} is",
                &[Dec(bar as u64), Hex(size)],
            ),
            Self::BarIndex { bar } => {
                Text::format("there is no BAR {}; BARs are 0 to 5", &[Dec(bar)])
            }
            Self::NoUpperHalf { bar } => Text::format(
                "BAR {} cannot be 64-bit: there is no BAR {} for its upper half",
                &[Dec(bar as u64), Dec(bar as u64 + 1)],
            ),
            Self::UpperHalf { bar, lower } => Text::format(
                "BAR {} is used by the upper half of 64-bit BAR {}",
                &[Dec(bar as u64), Dec(lower as u64)],
            ),
            Self::PrefetchableIo { bar } => Text::format(
                "I/O BAR {} cannot be prefetchable; only memory can",
                &[Dec(bar as u64)],
            ),
            Self::RomSize { size } => Text::format(
                "expansion ROM must be a power of two between 2 KiB and 16 MiB; {} is not",
                &[Hex(size)],
            ),
            _ => self.msi_text(),
        }
    }

    const fn msi_text(&self) -> Text {
        match *self {
            Self::MsiVectors { vectors } if vectors > 32 => Text::format(
                "MSI vector count must be a power of two up to 32; {} is not (MSI-X supports 1 to 2048)",
                &[Dec(vectors)],
            ),
            Self::MsiVectors { vectors } => Text::format(
                "MSI vector count must be a power of two up to 32; {} is not (use {})",
                &[Dec(vectors), Dec(vectors.next_power_of_two())],
            ),
            Self::MsixVectors { vectors } => {
                Text::format("MSI-X supports 1 to 2048 vectors, not {}", &[Dec(vectors)])
            }
            Self::MsixAlignment { what, offset } => Text::format(
                "{} offset must be a multiple of 8; {} is not",
                &[Str(what), Hex(offset)],
            ),
            Self::MsixOutsideBar { what, end, bar, size } => Text::format(
                "{} ends at {}, past the end of BAR {} (size {})",
                &[Str(what), Hex(end), Dec(bar as u64), Hex(size)],
            ),
            Self::MsixInIoBar { bar } => Text::format(
                "the MSI-X table cannot lie in I/O BAR {}; name a memory BAR",
                &[Dec(bar as u64)],
            ),
            Self::MsixNeedsTable { bar } => Text::format(
                "BAR {} is declared, so say where in it the MSI-X table lies: `table = ..`",
                &[Dec(bar as u64)],
            ),
            Self::CapabilityTwice { what } => {
                Text::format("capability `{}` is declared twice; a function has one", &[Str(what)])
            }
            Self::MsixNoFreeBar => {
                Text::format("no BAR is free for the MSI-X table; name one with `bar = ..`", &[])
            }
            _ => self.behaviour_text(),
        }
    }
}

const fn without_express(size: u64) -> Arg<'static> {
    Str(if size == 0x100 { "; `capability(express)` has 0x1000" } else { "" })
}

const fn bits_of(count: u64) -> Arg<'static> {
    Str(if count == 1 { "bit" } else { "bits" })
}

const fn bytes(count: u64) -> Arg<'static> {
    Str(if count == 1 { "byte" } else { "bytes" })
}

/// What goes before and after the name of a thing in a BAR: names of the author's are quoted, those
/// of the runtime's own structures are not.
const fn before(kind: Kind) -> &'static str {
    match kind {
        Kind::Register => "register `",
        Kind::Block => "block `",
        Kind::Structure => "the ",
        Kind::Capability => "capability `",
    }
}

const fn after(kind: Kind) -> &'static str {
    match kind {
        Kind::Register | Kind::Block | Kind::Capability => "`",
        Kind::Structure => "",
    }
}

impl fmt::Display for LayoutError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

impl core::error::Error for LayoutError<'_> {}
