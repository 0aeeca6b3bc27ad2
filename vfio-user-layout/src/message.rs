//! The messages of layout errors.

use core::fmt;

use super::text::Arg::{self, Bits, Dec, Hex, Str};
use super::text::Text;
use super::{Kind, LayoutError};

impl LayoutError<'_> {
    /// Returns the message, for constant evaluation and `Display` alike.
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
            _ => self.overlap_text(),
        }
    }

    const fn overlap_text(&self) -> Text {
        match *self {
            Self::Overlap { kinds: (kind, other_kind), one, at, other, other_at, clash } => {
                let reason = clash.text();
                Text::format(
                    "{}{}{} at {}..{} overlaps {}{}{} at {}..{}{}",
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
                        Str(reason.as_str()),
                    ],
                )
            }
            _ => self.block_text(),
        }
    }

    const fn block_text(&self) -> Text {
        match *self {
            Self::EmptyBlock { block } => {
                Text::format("block `{}` has no registers", &[Str(block)])
            }
            Self::BlockMisaligned { block, alignment, offset } => Text::format(
                "block `{}` has {}-byte registers, so its offset must be a multiple of {}; {} is not",
                &[Str(block), Dec(alignment), Dec(alignment), Hex(offset)],
            ),
            Self::NoSuchRegister { register } => {
                Text::format("the device declares no register `{}`", &[Str(register)])
            }
            Self::AbsentWatch { register } => Text::format(
                "watched register `{}` lies in memory that clients map, so it always exists",
                &[Str(register)],
            ),
            Self::NoSuchBlock { block } => {
                Text::format("the device declares no block `{}`", &[Str(block)])
            }
            Self::BlockCount { block, count, declared } => Text::format(
                "block `{}` has up to {} elements, not {}",
                &[Str(block), Dec(declared), Dec(count)],
            ),
            Self::InnerBlockCount { block } => Text::format(
                "block `{}` lies in another one, so all of its elements exist; only the number of \
                 the block around all others may be set",
                &[Str(block)],
            ),
            Self::BlockDepth { block, most } => {
                Text::format("more than {} blocks lie around block `{}`", &[Dec(most), Str(block)])
            }
            Self::BlockIndices { block, indices, needed } => Text::format(
                "the number of levels of blocks down to block `{}` is {}, and that of the indices \
                 that its hooks take is {}: see `levels` in `#[block(host = .., levels = 2)]`",
                &[Str(block), Dec(needed), Dec(indices)],
            ),
            Self::BlockPath { block, len, most } => Text::format(
                "block `{}` and the blocks around it have names of {} letters in a stream, which \
                 takes {}",
                &[Str(block), Dec(len), Dec(most)],
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
            Self::DefaultTooWide { register, default, width } => Text::format(
                "default {} does not fit in the {}-bit register `{}`",
                &[Hex(default), Dec(width * 8), Str(register)],
            ),
            Self::DefaultReserved { register, default, mask } => Text::format(
                "default {} of `{}` sets bits outside its mask {}",
                &[Hex(default), Str(register), Hex(mask)],
            ),
            Self::DefaultUnknownValue { default, field, value } => Text::format(
                "default {} sets field `{}` to {}, for which its type has no variant",
                &[Hex(default), Str(field), Dec(value)],
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
            Self::RegisterVariantTooWide { width, ty, name, value } => Text::format(
                "a register of {} bits cannot hold `{}::{}` = {}",
                &[Dec(width), Str(ty), Str(name), Dec(value)],
            ),
            Self::RegisterPayload { width, name, bits } => Text::format(
                "`{}` has {} bits, too few for all other values of a register of {}",
                &[Str(name), Dec(bits), Dec(width)],
            ),
            Self::RegisterNoVariant { width, ty, value } => Text::format(
                "a register of {} bits can be {}, for which `{}` has no variant; add one with a payload, such as `Other(u{})`, or `reserved = reject`",
                &[Dec(width), Dec(value), Str(ty), Dec(width)],
            ),
            _ => self.reset_text(),
        }
    }

    const fn reset_text(&self) -> Text {
        match *self {
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
            Self::NothingStored { register, field } => Text::format(
                "register `{}` has no storage and reads as 0, for which its field `{}` has no variant; give it `reset = ..` or `read_with = ..`",
                &[Str(register), Str(field)],
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
            Self::ConfigHeader { kind, register, offset } => Text::format(
                "{}{}` at {} lies in the header of configuration space; registers of the device start at 0x40",
                &[Str(before(kind)), Str(register), Hex(offset)],
            ),
            Self::ConfigExtended { kind, register } => Text::format(
                "{}{}` lies at 0x100..0x104 of configuration space, where guests look for the first \
                 extended capability; registers of the device lie elsewhere",
                &[Str(before(kind)), Str(register)],
            ),
            Self::OutsideConfig { kind, register, end: Some(end), size } => Text::format(
                "{}{}` ends at {}, past the end of configuration space ({}{})",
                &[Str(before(kind)), Str(register), Hex(end), Hex(size), without_express(size)],
            ),
            Self::OutsideConfig { kind, register, end: None, size } => Text::format(
                "{}{}` ends past 2^64, past the end of configuration space ({}{})",
                &[Str(before(kind)), Str(register), Hex(size), without_express(size)],
            ),
            _ => self.intr_text(),
        }
    }

    const fn intr_text(&self) -> Text {
        match *self {
            Self::IntrMissing { register_index } => Text::format(
                "a composed interrupt needs register {}, which does not exist",
                &[Dec(register_index)],
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
            Self::MsixSharesPage { what, at, kind, other, other_at } => Text::format(
                "the {} at {}..{} must not share a naturally aligned 4 KiB page with {}{}` at {}, \
                 unless `#[irq(allow(msix_page))]` lets them",
                &[Str(what), Hex(at.0), Hex(at.1), Str(before(kind)), Str(other), Hex(other_at)],
            ),
            Self::MsixInIoBar { bar } => Text::format(
                "the MSI-X table cannot lie in I/O BAR {}; name a memory BAR",
                &[Dec(bar as u64)],
            ),
            Self::MsixNeedsTable { bar } => Text::format(
                "BAR {} is declared, so say where in it the MSI-X table lies: `table = ..`",
                &[Dec(bar as u64)],
            ),
            Self::MsixNoFreeBar => {
                Text::format("no BAR is free for the MSI-X table; name one with `bar = ..`", &[])
            }
            Self::MsixUndeclared => {
                Text::format("the device declares no MSI-X: `#[irq(msix = 1)]`", &[])
            }
            _ => self.capability_text(),
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

/// The text before and after the name of a thing in a BAR. The author's names are quoted, those of
/// the runtime's own structures are not.
pub(super) const fn before(kind: Kind) -> &'static str {
    match kind {
        Kind::Register => "register `",
        Kind::Block => "block `",
        Kind::Structure => "the ",
        Kind::Capability => "capability `",
        Kind::Memory => "memory `",
        Kind::Unmodelled => "unmodelled `",
    }
}

pub(super) const fn after(kind: Kind) -> &'static str {
    match kind {
        Kind::Register | Kind::Block | Kind::Capability | Kind::Memory | Kind::Unmodelled => "`",
        Kind::Structure => "",
    }
}

impl fmt::Display for LayoutError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

impl core::error::Error for LayoutError<'_> {}
