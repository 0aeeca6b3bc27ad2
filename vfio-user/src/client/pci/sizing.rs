//! The sizes of BARs, by writing ones (PCI Local Bus Specification 3.0, 6.2.5.1).

use crate::client::ClientRegion;
use crate::error::{PciError, Result};
use crate::layout::BarKind;
use crate::model::spec::{bar, cfg};
use crate::protocol::RegionIndex;

/// A BAR as its register in configuration space describes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SizedBar {
    pub(super) index: RegionIndex,
    /// The offset of the register.
    pub(super) register: u64,
    pub(super) kind: BarKind,
    pub(super) prefetchable: bool,
    /// In bytes, a power of two.
    pub(super) size: u64,
}

/// The bits of the type in a register of memory or I/O.
const MEMORY_TYPE: u32 = 0b1111;
const IO_TYPE: u32 = 0b11;
/// The writable bits of the ROM's address.
const ROM_ADDRESS: u32 = 0xffff_f800;

/// `None` if there is no such BAR; the error is what is wrong with the device's values.
pub(super) type SizingResult = Result<Option<SizedBar>, PciError>;

/// Sizes the BAR whose register is number `bar`; memory and I/O space must be disabled. Returns the
/// number of registers that it occupies as well.
pub(super) fn size_bar(config: ClientRegion<'_>, bar: u8) -> Result<(SizingResult, u8)> {
    let index = RegionIndex::from(u32::from(bar));
    let register = cfg::BAR0 as u64 + 4 * u64::from(bar);
    let before = config.read::<u32>(register)?;
    let (kind, bits) = match kind(before, bar) {
        Ok(kind) => kind,
        Err(bits) => return Ok((Err(PciError::BarType { index, bits }), 1)),
    };
    let low = probe(config, register, u32::MAX, before)? & !bits;
    let mask = match kind {
        BarKind::Mem64 => {
            let high = config.read::<u32>(register + 4)?;
            u64::from(probe(config, register + 4, u32::MAX, high)?) << 32 | u64::from(low)
        }
        // The upper half of the address may be fixed at zero.
        BarKind::Io if low != 0 => u64::MAX << 16 | u64::from(low),
        _ if low != 0 => u64::MAX << 32 | u64::from(low),
        _ => 0,
    };
    let prefetchable = bits == MEMORY_TYPE && before & bar::PREFETCHABLE != 0;
    let size = mask.wrapping_neg();
    let sized = match mask {
        0 => Ok(None),
        _ if !size.is_power_of_two() => Err(PciError::BarMask { index, mask }),
        _ => Ok(Some(SizedBar { index, register, kind, prefetchable, size })),
    };
    Ok((sized, if kind == BarKind::Mem64 { 2 } else { 1 }))
}

/// Sizes the expansion ROM, as [`size_bar`].
pub(super) fn size_rom(config: ClientRegion<'_>) -> Result<SizingResult> {
    let (index, register) = (RegionIndex::Rom, cfg::ROM_ADDRESS as u64);
    let before = config.read::<u32>(register)?;
    let low = probe(config, register, ROM_ADDRESS, before)? & ROM_ADDRESS;
    let size = u64::from(low.wrapping_neg());
    Ok(match low {
        0 => Ok(None),
        _ if !size.is_power_of_two() => Err(PciError::BarMask { index, mask: low.into() }),
        _ => Ok(Some(SizedBar { index, register, kind: BarKind::Mem32, prefetchable: true, size })),
    })
}

/// Returns the kind of a BAR and the mask of its type bits; the type bits if they are not valid.
fn kind(register: u32, bar: u8) -> Result<(BarKind, u32), u8> {
    if register & bar::IO != 0 {
        return Ok((BarKind::Io, IO_TYPE));
    }
    match register & 0b110 {
        0 => Ok((BarKind::Mem32, MEMORY_TYPE)),
        bar::MEMORY_64 if bar < 5 => Ok((BarKind::Mem64, MEMORY_TYPE)),
        _ => Err((register & MEMORY_TYPE).to_le_bytes()[0]),
    }
}

/// Writes ones to a register, and returns what it then reads; restores it.
fn probe(config: ClientRegion<'_>, register: u64, ones: u32, before: u32) -> Result<u32> {
    config.write(register, ones)?;
    let mask = config.read(register)?;
    config.write(register, before)?;
    Ok(mask)
}
