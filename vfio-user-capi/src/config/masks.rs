//! Which bits of configuration space a client writes.

use super::capability::Capability;
use super::{Config, Kind};
use crate::abi::region_flag;
use crate::context::Context;
use crate::region::decoded;

/// The offset of Device Control in the PCI Express capability.
pub(super) const DEVICE_CONTROL: usize = 8;

/// What writes do to a byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mask {
    /// Bits that store what is written.
    pub(super) store: u8,
    /// Bits that a written 1 clears.
    pub(super) clear: u8,
}

impl Mask {
    const NONE: Self = Mask { store: 0, clear: 0 };

    const fn store(store: u8) -> Self {
        Mask { store, clear: 0 }
    }

    /// Returns a byte after a write.
    pub(super) fn apply(self, old: u8, written: u8) -> u8 {
        let cleared = old & !(written & self.clear);
        cleared & !self.store | written & self.store
    }
}

/// Returns a byte of a register of several bytes.
fn byte(value: u32, index: usize) -> u8 {
    value.to_le_bytes()[index % 4]
}

/// Returns the mask of a byte of the header.
pub(super) fn of_header(context: &Context, offset: usize) -> Mask {
    match offset {
        // I/O, memory, bus master, write and invalidate, parity; SERR, INTx disable.
        0x04 => Mask::store(0x57),
        0x05 => Mask::store(0x05),
        0x07 => Mask { store: 0, clear: 0xf9 },
        0x0c | 0x0d | 0x3c => Mask::store(0xff),
        0x10..0x28 => Mask::store(byte(of_bar(context, (offset - 0x10) / 4), offset)),
        0x30..0x34 => Mask::store(byte(of_rom(context), offset)),
        _ => Mask::NONE,
    }
}

/// Returns the address bits of a BAR: all above its size.
fn of_bar(context: &Context, index: usize) -> u32 {
    let regions = context.all_regions();
    let address = |size: u64, low: u64| match size {
        0 => 0,
        size => !(size - 1) & !low,
    };
    let is_wide = |index: usize| regions[index].flags & region_flag::BITS_64 != 0;
    if index % 2 == 1 && is_wide(index - 1) {
        return (address(decoded(index - 1, regions[index - 1].size), 0) >> 32) as u32;
    }
    let low = if regions[index].flags & region_flag::MEMORY == 0 { 0x3 } else { 0xf };
    #[expect(clippy::cast_possible_truncation, reason = "the upper half has a register of its own")]
    let lower = address(decoded(index, regions[index].size), low) as u32;
    lower
}

/// Returns the address bits of the ROM, and its enable bit.
fn of_rom(context: &Context) -> u32 {
    let size = context.region(6).map_or(0, |region| region.size);
    match u32::try_from(size.next_power_of_two()) {
        Ok(rounded) if size > 0 => !(rounded.max(0x800) - 1) | 1,
        _ => 0,
    }
}

impl Config {
    /// Returns the mask of a byte of a capability.
    pub(super) fn mask_of(&self, capability: &Capability, offset: usize) -> Mask {
        let at = offset - capability.offset;
        if capability.is_read_only() || at < capability.kind.header_size() {
            return Mask::NONE;
        }
        match capability.kind {
            Kind::PowerManagement => match at {
                4 => Mask::store(0x03),
                5 => Mask { store: 0x1f, clear: 0x80 },
                _ => Mask::NONE,
            },
            Kind::Msi => self.of_msi(capability, at),
            Kind::MsiX if at == 3 => Mask::store(0xc0),
            Kind::Express => of_express(at),
            Kind::Vendor | Kind::ExtendedVendor => Mask::store(0xff),
            Kind::MsiX | Kind::SerialNumber => Mask::NONE,
        }
    }

    fn of_msi(&self, capability: &Capability, at: usize) -> Mask {
        let has_64_bits = self.memory.get(capability.offset + 2) & 0x80 != 0;
        let pending = if has_64_bits { 20 } else { 16 };
        match at {
            2 => Mask::store(0x71),
            4 => Mask::store(0xfc),
            5.. if at < pending => Mask::store(0xff),
            _ => Mask::NONE,
        }
    }
}

fn of_express(at: usize) -> Mask {
    match at {
        // The reset bit reads as 0.
        9 => Mask::store(0x7f),
        10 => Mask { store: 0, clear: 0x0f },
        DEVICE_CONTROL | 16 | 24 | 28 | 40 | 41 | 48 | 49 => Mask::store(0xff),
        17 => Mask::store(0x0f),
        25 => Mask::store(0x1f),
        _ => Mask::NONE,
    }
}
