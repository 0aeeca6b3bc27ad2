//! The rules of BARs.

use super::{Check, LayoutError};

/// How a BAR decodes (PCI Local Bus Specification 3.0, 6.2.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarKind {
    /// Memory, anywhere below 4 GiB.
    Mem32,
    /// Memory, anywhere; occupies two consecutive BARs.
    Mem64,
    /// I/O ports.
    Io,
}

/// P01 to P04: the size of a BAR.
pub const fn bar_size(bar: u8, kind: BarKind, size: u64, express: bool) -> Check<'static> {
    // Reports zero as too small, not as "no power of two".
    if size != 0 && !size.is_power_of_two() {
        return Err(LayoutError::BarSize { bar, size });
    }
    let minimum = if express { 128 } else { 16 };
    match kind {
        BarKind::Io if size < 4 || size > 256 => Err(LayoutError::IoBarSize { bar, size }),
        BarKind::Mem32 | BarKind::Mem64 if size < minimum => {
            Err(LayoutError::MemoryBarTooSmall { bar, size, express })
        }
        BarKind::Mem32 if size > 1 << 31 => Err(LayoutError::Mem32TooLarge { bar, size }),
        BarKind::Mem64 if size > 1 << 62 => Err(LayoutError::Mem64TooLarge { bar, size }),
        _ => Ok(()),
    }
}

/// P06: the index of a BAR.
pub const fn bar_index(bar: u64) -> Check<'static> {
    if bar < 6 { Ok(()) } else { Err(LayoutError::BarIndex { bar }) }
}

/// P05: the upper half of a 64-bit BAR is free, given what each slot holds.
pub const fn bar_pair(bar: u8, kinds: [Option<BarKind>; 6]) -> Check<'static> {
    if let Some(BarKind::Mem64) = kinds[bar as usize]
        && bar == 5
    {
        return Err(LayoutError::NoUpperHalf { bar });
    }
    if bar > 0
        && let Some(BarKind::Mem64) = kinds[bar as usize - 1]
        && kinds[bar as usize].is_some()
    {
        return Err(LayoutError::UpperHalf { bar, lower: bar - 1 });
    }
    Ok(())
}

/// P07: I/O ports have side effects, so an I/O BAR cannot be prefetchable.
pub const fn prefetchable(bar: u8, kind: BarKind) -> Check<'static> {
    if let BarKind::Io = kind { Err(LayoutError::PrefetchableIo { bar }) } else { Ok(()) }
}
