//! The rules of a layout, written once. The derive applies them to literals, constant evaluation
//! applies them to constants, and the runtime to the changes of `Device::configure`.
//!
//! This crate is not meant for device authors: the crate `vfio-user` exports the items that they
//! need. It uses only `core`, and every rule is a `const fn`.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![expect(
    clippy::missing_errors_doc,
    reason = "a rule returns the error that says it: the variant of its name"
)]

mod bar;
mod behaviour;
mod capability;
mod capability_name;
mod crowd;
pub mod driver;
mod error;
mod express;
mod field;
mod hook;
mod intr;
mod memory;
mod message;
mod mirror;
pub mod policy;
mod raw;
mod region;
mod shared;
mod sharing;
mod text;
mod window;

pub use bar::{BarKind, bar_index, bar_pair, bar_size, prefetchable};
pub use behaviour::{
    SOFT_DOMAINS, access_apart, access_range, access_sizes, doorbell_value, growth, lock_elements,
    not_torn, pulse_reset, soft_domain, wide,
};
pub use capability::{
    CAPABILITIES, EXTENDED, capability_bytes, capability_fits, capability_place, extended_allowed,
    extended_start, vpd_size,
};
pub use capability_name::{CapabilityName, capability_id, extended_id};
pub use crowd::{Reach, mark_crowded};
pub use error::LayoutError;
pub use express::{link_exists, link_speed, link_width, max_payload, on_parallel_bus};
pub use field::{
    Values, bit_mask, field_inside, field_reset, field_total, field_type, fields_disjoint,
    register_payload, register_total, register_variant,
};
pub use hook::HookKind;
pub use intr::{intr_event, intr_level, intr_vector, intr_width};
pub use memory::{memory_length, memory_range, nonempty_range};
pub use mirror::{Mirrored, mirror_depth, mirror_size, mirror_target};
pub use policy::Policy;
pub use raw::{outside_raw, raw_apart, raw_range};
pub use region::{specific_region, specific_regions};
pub use shared::{is_within, nothing_to_watch, shareable, shared_apart, shared_area, unshared};
pub use sharing::{
    Answers, Clash, When, apart, condition_values, contains, overlay, selector_width,
};
pub use text::{is_same, is_same_bytes};
pub use window::window_reach;

/// The most blocks around a block.
pub const MAX_LEVELS: usize = 3;

/// The kind of thing at an extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A register.
    Register,
    /// A block of registers.
    Block,
    /// A structure that the runtime implements.
    Structure,
    /// A capability.
    Capability,
    /// Memory that messages access.
    Memory,
    /// A place without a model.
    Unmodelled,
}

/// Where a register, a block or an array of them lies in its BAR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent<'a> {
    /// The kind of thing there.
    pub kind: Kind,
    /// The field's name.
    pub name: &'a str,
    /// Offset of the first element, in bytes from the start of the BAR.
    pub offset: u64,
    /// Width of one element, in bytes.
    pub width: u64,
    /// Number of elements; 1 for a plain register.
    pub count: u64,
    /// Distance from one element to the next, in bytes.
    pub stride: u64,
}

impl<'a> Extent<'a> {
    /// A single range of bytes.
    pub const fn single(name: &'a str, offset: u64, width: u64) -> Self {
        Extent { kind: Kind::Register, name, offset, width, count: 1, stride: width }
    }

    /// Returns the same extent with another kind.
    #[must_use]
    pub const fn of(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Returns the end of the last element (exclusive), or `None` past 2^64.
    pub const fn end(&self) -> Option<u64> {
        let Some(last) = self.count.saturating_sub(1).checked_mul(self.stride) else { return None };
        let Some(last) = self.offset.checked_add(last) else { return None };
        last.checked_add(self.width)
    }

    const fn element(&self, index: u64) -> Self {
        Extent::single(self.name, self.offset + index * self.stride, self.width).of(self.kind)
    }

    /// Returns an element of `self` that shares a byte with `[start, end)`.
    const fn element_within(&self, start: u64, end: u64) -> Option<u64> {
        if end <= self.offset {
            return None;
        }
        let mut index = (end - 1 - self.offset) / self.stride;
        if index >= self.count {
            index = self.count - 1;
        }
        if self.offset + index * self.stride + self.width > start { Some(index) } else { None }
    }
}

/// Where an MSI-X table and its pending bits lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MsixLayout {
    /// Number of vectors in the table.
    pub vectors: u16,
    /// The BAR that holds the table and the pending bits.
    pub bar: u8,
    /// Offset of the table in the BAR.
    pub table: u64,
    /// Offset of the pending bit array in the BAR.
    pub pba: u64,
}

impl MsixLayout {
    /// Returns the extent of the table: 16 bytes for each vector.
    pub const fn table_extent(&self) -> Extent<'static> {
        Extent::single("MSI-X table", self.table, self.vectors as u64 * 16).of(Kind::Structure)
    }

    /// Returns the extent of the pending bits: a quadword for every 64 vectors.
    pub const fn pba_extent(&self) -> Extent<'static> {
        let width = (self.vectors as u64).div_ceil(64) * 8;
        Extent::single("MSI-X PBA", self.pba, width).of(Kind::Structure)
    }

    /// Returns the size of a BAR for this table alone: a power of two of at least 4 KiB.
    pub const fn exclusive_bar_size(&self) -> u64 {
        let (Some(table), Some(pba)) = (self.table_extent().end(), self.pba_extent().end()) else {
            return 1 << 63;
        };
        let end = if table > pba { table } else { pba };
        match end.checked_next_power_of_two() {
            Some(size) if size > 0x1000 => size,
            Some(_) => 0x1000,
            None => 1 << 63,
        }
    }

    /// Returns the default offset of the pending bits: behind the table, at the middle of a 4 KiB
    /// BAR.
    pub const fn pba_after(table: u64, vectors: u16) -> u64 {
        let end = table.saturating_add(vectors as u64 * 16);
        if table == 0 && end < 0x800 { 0x800 } else { end }
    }
}

/// The number of configuration space where a register names its BAR: VFIO's region number.
pub const CONFIG: u8 = 7;

/// The result of a rule.
pub type Check<'a> = Result<(), LayoutError<'a>>;

/// R02: an element's offset is a multiple of its width.
pub const fn aligned<'a>(extent: &Extent<'a>) -> Check<'a> {
    let Extent { name: register, offset, width, .. } = *extent;
    if offset.is_multiple_of(width) {
        return Ok(());
    }
    Err(LayoutError::Misaligned { register, width, offset })
}

/// R04: an array's elements neither overlap nor lose their alignment.
pub const fn spaced<'a>(extent: &Extent<'a>) -> Check<'a> {
    let Extent { name: register, width, count, stride, .. } = *extent;
    if count == 0 {
        return Err(LayoutError::EmptyArray { register });
    }
    if width == 0 {
        return Err(LayoutError::EmptyBlock { block: register });
    }
    if stride < width {
        return Err(LayoutError::StrideTooSmall { register, stride, width });
    }
    if matches!(extent.kind, Kind::Register) && !stride.is_multiple_of(width) {
        return Err(LayoutError::StrideMisaligned { register, stride, width });
    }
    Ok(())
}

/// R02 for a block: its registers are aligned if it is aligned like the widest.
pub const fn block_aligned<'a>(extent: &Extent<'a>, alignment: u64) -> Check<'a> {
    let Extent { name: block, offset, .. } = *extent;
    if offset.is_multiple_of(alignment) {
        return Ok(());
    }
    Err(LayoutError::BlockMisaligned { block, alignment, offset })
}

/// R04 for a block: the registers of its other elements are aligned, too.
pub const fn block_spaced<'a>(extent: &Extent<'a>, alignment: u64) -> Check<'a> {
    let Extent { name: block, stride, .. } = *extent;
    if stride.is_multiple_of(alignment) {
        return Ok(());
    }
    Err(LayoutError::BlockStrideMisaligned { block, alignment, stride })
}

/// R03, R05: every element lies in the BAR.
pub const fn inside<'a>(extent: &Extent<'a>, bar: u8, size: u64) -> Check<'a> {
    let Extent { kind, name: register, offset: start, width, count, .. } = *extent;
    let end = extent.end();
    if let Some(end) = end
        && end <= size
    {
        return Ok(());
    }
    if count > 1 {
        return Err(LayoutError::ArrayOutsideBar { register, last: count - 1, end, bar, size });
    }
    let end = start.saturating_add(width);
    Err(LayoutError::OutsideBar { kind, register, start, end, bar, size })
}

/// R01, R06: no byte belongs to both. Does not check extents that break another rule: elements that
/// are not `spaced`, or end past 2^64.
pub const fn disjoint<'a>(one: &Extent<'a>, other: &Extent<'a>) -> Check<'a> {
    let (Some(one_end), Some(other_end)) = (one.end(), other.end()) else { return Ok(()) };
    if one_end <= other.offset || other_end <= one.offset {
        return Ok(());
    }
    if spaced(one).is_err() || spaced(other).is_err() || alternate(one, other) {
        return Ok(());
    }
    let mut index = 0;
    while index < one.count {
        let element = one.element(index);
        let end = element.offset + element.width;
        if let Some(hit) = other.element_within(element.offset, end) {
            let hit = other.element(hit);
            return Err(LayoutError::Overlap {
                kinds: (one.kind, other.kind),
                one: one.name,
                at: (element.offset, end),
                other: other.name,
                other_at: (hit.offset, hit.offset + hit.width),
                clash: Clash::Never,
            });
        }
        index += 1;
    }
    Ok(())
}

/// Whether the elements of two arrays with the same stride lie in each other's gaps, like the
/// columns of a table. Saves a walk over all elements.
const fn alternate(one: &Extent<'_>, other: &Extent<'_>) -> bool {
    let stride = one.stride;
    if stride != other.stride {
        return false;
    }
    let (first, second) = (one.offset % stride, other.offset % stride);
    if first <= second {
        let between = second - first;
        one.width <= between && other.width <= stride - between
    } else {
        let between = first - second;
        other.width <= between && one.width <= stride - between
    }
}

/// C06: the device's own registers lie behind the header, inside configuration space.
pub const fn in_config<'a>(extent: &Extent<'a>, size: u64) -> Check<'a> {
    let Extent { kind, name: register, offset, .. } = *extent;
    if offset < 0x40 {
        return Err(LayoutError::ConfigHeader { kind, register, offset });
    }
    match extent.end() {
        Some(end) if end <= size => {}
        end => return Err(LayoutError::OutsideConfig { kind, register, end, size }),
    }
    // Guests look here for the first extended capability; zeros mean that there is none.
    if disjoint(extent, &Extent::single("", 0x100, 4)).is_err() {
        return Err(LayoutError::ConfigExtended { kind, register });
    }
    Ok(())
}

/// Returns a mask of all bits of a register `width` bytes wide.
pub const fn width_mask(width: u64) -> u64 {
    if width >= 8 { u64::MAX } else { (1 << (width * 8)) - 1 }
}

/// V01, V02: a reset value sets implemented bits only.
pub const fn reset(register: &str, width: u64, reset: u64, mask: u64) -> Check<'_> {
    if reset & !width_mask(width) != 0 {
        return Err(LayoutError::ResetTooWide { register, reset, width });
    }
    if reset & !mask != 0 {
        return Err(LayoutError::ResetReserved { register, reset, mask });
    }
    Ok(())
}

/// The value of a register that older state lacks is one that the register can hold.
pub const fn default(register: &str, width: u64, default: u64, mask: u64) -> Check<'_> {
    if default & !width_mask(width) != 0 {
        return Err(LayoutError::DefaultTooWide { register, default, width });
    }
    if default & !mask != 0 {
        return Err(LayoutError::DefaultReserved { register, default, mask });
    }
    Ok(())
}

/// A register's masks: the implemented bits, and the writable bits among them.
pub const fn masks(register: &str, width: u64, mask: u64, writable: u64) -> Check<'_> {
    if mask & !width_mask(width) != 0 {
        return Err(LayoutError::MaskTooWide { register, mask, width });
    }
    if writable & !mask != 0 {
        return Err(LayoutError::WritableReserved { register, writable, mask });
    }
    Ok(())
}

/// P10: the vendor id.
///
/// # Errors
///
/// If the id means that no device is present or has more than 16 bits.
pub const fn vendor(vendor: u64) -> Check<'static> {
    if vendor == 0xffff { Err(LayoutError::NoVendor) } else { id("vendor id", vendor, 16) }
}

/// P10: the class code.
///
/// # Errors
///
/// If the class code has more than 24 bits.
pub const fn class(class: u64) -> Check<'static> {
    if class > 0xff_ffff { Err(LayoutError::ClassTooWide { class }) } else { Ok(()) }
}

/// P10: any other id.
pub const fn id(what: &str, value: u64, bits: u32) -> Check<'_> {
    if value >> bits == 0 { Ok(()) } else { Err(LayoutError::IdTooWide { what, value, bits }) }
}

/// X06: the numbers of vectors that MSI can enable.
pub const fn msi_vectors(vectors: u64) -> Check<'static> {
    if vectors.is_power_of_two() && vectors <= 32 {
        return Ok(());
    }
    Err(LayoutError::MsiVectors { vectors })
}

/// X01: the numbers of vectors that an MSI-X table can hold.
pub const fn msix_vectors(vectors: u64) -> Check<'static> {
    if vectors == 0 || vectors > 2048 {
        return Err(LayoutError::MsixVectors { vectors });
    }
    Ok(())
}

/// X02, X03: one MSI-X structure in its BAR.
pub const fn msix_structure<'a>(extent: &Extent<'a>, bar: u8, size: u64) -> Check<'a> {
    let Extent { name: what, offset, .. } = *extent;
    if !offset.is_multiple_of(8) {
        return Err(LayoutError::MsixAlignment { what, offset });
    }
    match extent.end() {
        Some(end) if end <= size => Ok(()),
        end => Err(LayoutError::MsixOutsideBar {
            what,
            end: match end {
                Some(end) => end,
                None => u64::MAX,
            },
            bar,
            size,
        }),
    }
}

/// X03, X04: nothing else lies in an MSI-X structure, nor in a naturally aligned 4 KiB page with
/// it, unless pages are shared on purpose. A guest with such a page mapped would reach the vectors.
pub const fn own_pages<'a>(
    structure: &Extent<'a>,
    other: &Extent<'a>,
    may_share: bool,
) -> Check<'a> {
    const PAGE: u64 = 0x1000;
    if let Err(error) = disjoint(structure, other) {
        return Err(error);
    }
    if may_share {
        return Ok(());
    }
    let (Some(end), Some(_)) = (structure.end(), other.end()) else { return Ok(()) };
    let first = structure.offset - structure.offset % PAGE;
    let Some(last) = end.checked_next_multiple_of(PAGE) else { return Ok(()) };
    match other.element_within(first, last) {
        Some(index) => Err(LayoutError::MsixSharesPage {
            what: structure.name,
            at: (structure.offset, end),
            kind: other.kind,
            other: other.name,
            other_at: other.element(index).offset,
        }),
        None => Ok(()),
    }
}

/// P09: the size of an expansion ROM.
pub const fn rom_size(size: u64) -> Check<'static> {
    if size.is_power_of_two() && size >= 0x800 && size <= 0x100_0000 {
        return Ok(());
    }
    Err(LayoutError::RomSize { size })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RING: Extent<'_> =
        Extent { kind: Kind::Register, name: "ring", offset: 0x10, width: 4, count: 4, stride: 8 };

    #[test]
    fn elements_may_interleave() {
        assert_eq!(disjoint(&RING, &Extent { name: "odd", offset: 0x14, ..RING }), Ok(()));
        assert!(disjoint(&RING, &Extent::single("element", 0x28, 4)).is_err());
        assert_eq!(disjoint(&RING, &Extent::single("gap", 0x2c, 4)), Ok(()));
    }

    #[test]
    fn what_breaks_another_rule_overlaps_nothing() {
        let other = Extent::single("other", 0x10, 4);
        for broken in [
            Extent { stride: 0, ..RING },
            Extent { count: 0, ..RING },
            Extent { stride: u64::MAX, ..RING },
        ] {
            assert_eq!(disjoint(&broken, &other), Ok(()));
            assert_eq!(disjoint(&other, &broken), Ok(()));
        }
    }

    #[test]
    fn a_created_bar_holds_both_msix_structures() {
        let layout = |table, pba| MsixLayout { vectors: 4, bar: 0, table, pba };
        assert_eq!(layout(0, 0x800).exclusive_bar_size(), 0x1000);
        assert_eq!(layout(0x1000, 0).exclusive_bar_size(), 0x2000);
        assert_eq!(layout(0, 0x8000).exclusive_bar_size(), 0x1_0000);
        assert_eq!(layout(u64::MAX - 7, 0).exclusive_bar_size(), 1 << 63);
    }
}
