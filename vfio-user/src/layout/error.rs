//! What is wrong with a layout, and how it is said.

use core::fmt;

use super::text::Text;

/// A layout that cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are the values that the message names")]
pub enum LayoutError<'a> {
    /// A register is not naturally aligned.
    Misaligned { register: &'a str, width: u64, offset: u64 },
    /// A register ends behind its BAR.
    OutsideBar { register: &'a str, start: u64, end: u64, bar: u8, size: u64 },
    /// The last element of an array ends behind its BAR, or behind the address space.
    ArrayOutsideBar { register: &'a str, last: u64, end: Option<u64>, bar: u8, size: u64 },
    /// Two things in a BAR share bytes.
    Overlap { one: &'a str, at: (u64, u64), other: &'a str, other_at: (u64, u64) },
    /// An array's elements are closer than they are wide.
    StrideTooSmall { register: &'a str, stride: u64, width: u64 },
    /// An array's elements are not all naturally aligned.
    StrideMisaligned { register: &'a str, stride: u64, width: u64 },
    /// An array without elements.
    EmptyArray { register: &'a str },
    /// A register lies in a BAR that nobody declared.
    MissingBar { register: &'a str, bar: u8 },
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
    /// The expansion ROM's size is out of range.
    RomSize { size: u64 },
}

impl LayoutError<'_> {
    /// The message, for constant evaluation and `Display` alike.
    pub const fn text(&self) -> Text {
        let text = Text::new();
        match *self {
            Self::Misaligned { register, width, offset } => text
                .register(register)
                .push(" is ")
                .bytes(width)
                .push(" wide, so its offset must be a multiple of ")
                .decimal(width)
                .push("; ")
                .hex(offset)
                .push(" is not"),
            Self::OutsideBar { register, start, end, bar, size } => text
                .register(register)
                .push(" at ")
                .range(start, end)
                .push(" does not fit in BAR ")
                .decimal(bar as u64)
                .push(" (size ")
                .hex(size)
                .push(")"),
            Self::ArrayOutsideBar { register, last, end, bar, size } => {
                let text = text
                    .push("the last element of `")
                    .push(register)
                    .push("` (index ")
                    .decimal(last)
                    .push(") ends ");
                let text = match end {
                    Some(end) => text.push("at ").hex(end),
                    None => text.push("past 2^64"),
                };
                text.push(", past the end of BAR ")
                    .decimal(bar as u64)
                    .push(" (")
                    .hex(size)
                    .push(")")
            }
            Self::Overlap { one, at, other, other_at } => text
                .thing(one)
                .push(" at ")
                .range(at.0, at.1)
                .push(" overlaps ")
                .thing(other)
                .push(" at ")
                .range(other_at.0, other_at.1),
            Self::StrideTooSmall { register, stride, width } => text
                .push("stride ")
                .hex(stride)
                .push(" is smaller than the ")
                .decimal(width)
                .push("-byte element of `")
                .push(register)
                .push("`"),
            Self::StrideMisaligned { register, stride, width } => text
                .push("stride ")
                .hex(stride)
                .push(" of `")
                .push(register)
                .push("` must be a multiple of its ")
                .decimal(width)
                .push("-byte element"),
            Self::EmptyArray { register } => {
                text.push("array `").push(register).push("` has no elements")
            }
            Self::MissingBar { register, bar } => text
                .register(register)
                .push(" lies in BAR ")
                .decimal(bar as u64)
                .push(", which is not declared; add `#[bar(")
                .decimal(bar as u64)
                .push(": mem32, size = ..)]`"),
            Self::ResetTooWide { register, reset, width } => text
                .push("reset value ")
                .hex(reset)
                .push(" does not fit in the ")
                .decimal(width * 8)
                .push("-bit register `")
                .push(register)
                .push("`"),
            Self::ResetReserved { register, reset, mask } => text
                .push("reset value ")
                .hex(reset)
                .push(" of `")
                .push(register)
                .push("` sets bits outside its mask ")
                .hex(mask),
            Self::MaskTooWide { register, mask, width } => text
                .push("mask ")
                .hex(mask)
                .push(" has bits that the ")
                .decimal(width * 8)
                .push("-bit register `")
                .push(register)
                .push("` lacks"),
            Self::WritableReserved { register, writable, mask } => text
                .push("writable bits ")
                .hex(writable)
                .push(" of `")
                .push(register)
                .push("` are not all in its mask ")
                .hex(mask),
            _ => self.pci_text(text),
        }
    }

    const fn pci_text(&self, text: Text) -> Text {
        match *self {
            Self::BarSize { bar, size } => {
                let text = text.bar(bar).push(" size ").hex(size).push(" is not a power of two");
                match size.checked_next_power_of_two() {
                    Some(next) => text.push("; use ").hex(next),
                    None => text,
                }
            }
            Self::MemoryBarTooSmall { bar, size, express } => text
                .push("memory ")
                .bar(bar)
                .push(" must be at least ")
                .push(if express { "128 bytes on PCI Express" } else { "16 bytes" })
                .push("; ")
                .hex(size)
                .push(" is too small"),
            Self::IoBarSize { bar, size } => text
                .push("I/O ")
                .bar(bar)
                .push(" must be 4 to 256 bytes; ")
                .hex(size)
                .push(" is not"),
            Self::Mem32TooLarge { bar, size } => text
                .push("32-bit ")
                .bar(bar)
                .push(" cannot be larger than 2 GiB; ")
                .hex(size)
                .push(" needs `mem64`"),
            Self::Mem64TooLarge { bar, size } => text
                .push("64-bit ")
                .bar(bar)
                .push(" cannot be larger than 2^62 bytes; ")
                .hex(size)
                .push(" is"),
            Self::BarIndex { bar } => {
                text.push("there is no BAR ").decimal(bar).push("; BARs are 0 to 5")
            }
            Self::NoUpperHalf { bar } => text
                .bar(bar)
                .push(" cannot be 64-bit: there is no BAR ")
                .decimal(bar as u64 + 1)
                .push(" for its upper half"),
            Self::UpperHalf { bar, lower } => text
                .bar(bar)
                .push(" is used by the upper half of 64-bit BAR ")
                .decimal(lower as u64),
            Self::PrefetchableIo { bar } => {
                text.push("I/O ").bar(bar).push(" cannot be prefetchable; only memory can")
            }
            Self::NoVendor => text.push("vendor id 0xffff means \"no device\""),
            Self::ClassTooWide { class } => {
                text.push("class code ").hex(class).push(" has more than 24 bits")
            }
            Self::IdTooWide { what, value, bits } => text
                .push(what)
                .push(" ")
                .hex(value)
                .push(" has more than ")
                .decimal(bits as u64)
                .push(" bits"),
            Self::MsiVectors { vectors } => {
                let text = text
                    .push("MSI vector count must be a power of two up to 32; ")
                    .decimal(vectors)
                    .push(" is not");
                if vectors > 32 {
                    return text.push(" (MSI-X supports 1 to 2048)");
                }
                text.push(" (use ").decimal(vectors.next_power_of_two()).push(")")
            }
            Self::MsixVectors { vectors } => {
                text.push("MSI-X supports 1 to 2048 vectors, not ").decimal(vectors)
            }
            Self::MsixAlignment { what, offset } => text
                .push(what)
                .push(" offset must be a multiple of 8; ")
                .hex(offset)
                .push(" is not"),
            Self::MsixOutsideBar { what, end, bar, size } => text
                .push(what)
                .push(" ends at ")
                .hex(end)
                .push(", past the end of BAR ")
                .decimal(bar as u64)
                .push(" (size ")
                .hex(size)
                .push(")"),
            Self::MsixInIoBar { bar } => text
                .push("the MSI-X table cannot lie in I/O BAR ")
                .decimal(bar as u64)
                .push("; name a memory BAR"),
            Self::MsixNeedsTable { bar } => text
                .push("BAR ")
                .decimal(bar as u64)
                .push(" is declared, so say where in it the MSI-X table lies: `table = ..`"),
            Self::MsixNoFreeBar => {
                text.push("no BAR is free for the MSI-X table; name one with `bar = ..`")
            }
            Self::RomSize { size } => text
                .push("expansion ROM must be a power of two between 2 KiB and 16 MiB; ")
                .hex(size)
                .push(" is not"),
            _ => text,
        }
    }
}

impl fmt::Display for LayoutError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

impl core::error::Error for LayoutError<'_> {}
