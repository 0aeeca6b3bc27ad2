//! The BARs of a function: sized, assigned to addresses, mapped.

use super::sizing::{SizedBar, SizingResult, size_bar, size_rom};
use crate::client::{Client, ClientRegion, RegionMap};
use crate::error::{PciError, Result};
use crate::layout::BarKind;

/// A BAR of a function, or its expansion ROM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BarDetails {
    /// Memory of 32 or 64 bits, or I/O ports.
    pub kind: BarKind,
    /// Whether reads have no side effects.
    pub prefetchable: bool,
    /// The number of bytes that it decodes, a power of two.
    pub size: u64,
    /// The number of bytes that can be accessed, from its start on.
    pub region: u64,
    /// The address that was assigned to it.
    pub address: u64,
}

/// A BAR that was assigned.
#[derive(Debug)]
struct AssignedBar {
    register: u64,
    details: BarDetails,
    map: Option<RegionMap>,
}

/// The BARs and the ROM of a function, each with what is wrong with it.
#[derive(Debug)]
pub(super) struct Bars {
    bars: Vec<Result<AssignedBar, PciError>>,
    rom: Result<Option<AssignedBar>, PciError>,
}

impl Bars {
    /// Sizes and assigns all BARs. Memory and I/O space must be disabled.
    pub(super) fn assign(client: &Client, config: ClientRegion<'_>) -> Result<Self> {
        let mut free = FreeAddresses::default();
        let mut bars: Vec<Result<AssignedBar, PciError>> = Vec::new();
        while let Ok(bar @ 0..=5) = u8::try_from(bars.len()) {
            let (sized, registers) = size_bar(config, bar)?;
            let assigned = assign_one(client, sized, &mut free)?;
            bars.push(assigned.and_then(|assigned| assigned.ok_or(PciError::NoBar(bar))));
            bars.extend((1..registers).map(|half| Err(PciError::NoBar(bar + half))));
        }
        let rom = assign_one(client, size_rom(config)?, &mut free)?;
        let bars = Bars { bars, rom };
        bars.write_addresses(config)?;
        Ok(bars)
    }

    /// Writes the assigned addresses to their registers.
    pub(super) fn write_addresses(&self, config: ClientRegion<'_>) -> Result<()> {
        let rom = self.rom.iter().flatten();
        for AssignedBar { register, details, .. } in self.bars.iter().flatten().chain(rom) {
            let BarDetails { address, kind, .. } = *details;
            let low = u32::try_from(address & u64::from(u32::MAX)).unwrap_or(0);
            config.write(*register, low)?;
            if kind == BarKind::Mem64 {
                config.write(register + 4, u32::try_from(address >> 32).unwrap_or(0))?;
            }
        }
        Ok(())
    }

    pub(super) fn details(&self, bar: u8) -> Result<BarDetails, PciError> {
        self.bar(bar).map(|assigned| assigned.details)
    }

    pub(super) fn map(&self, bar: u8) -> Result<Option<&RegionMap>, PciError> {
        self.bar(bar).map(|assigned| assigned.map.as_ref())
    }

    pub(super) fn rom(&self) -> Result<Option<BarDetails>, PciError> {
        self.rom.as_ref().map(|rom| rom.as_ref().map(|rom| rom.details)).map_err(|error| *error)
    }

    fn bar(&self, bar: u8) -> Result<&AssignedBar, PciError> {
        let entry = self.bars.get(usize::from(bar)).ok_or(PciError::NoBar(bar))?;
        entry.as_ref().map_err(|error| *error)
    }
}

/// Assigns addresses to a BAR, and maps its region as far as possible.
fn assign_one(
    client: &Client,
    sized: SizingResult,
    free: &mut FreeAddresses,
) -> Result<Result<Option<AssignedBar>, PciError>> {
    let bar = match sized {
        Ok(Some(bar)) => bar,
        Ok(None) => return Ok(Ok(None)),
        Err(problem) => return Ok(Err(problem)),
    };
    let SizedBar { index, register, kind, prefetchable, size } = bar;
    let region = client.region_details(index)?;
    if region.size == 0 || region.size > size {
        return Ok(Err(PciError::BarRegion { index, size, region: region.size }));
    }
    let Some(address) = free.take(kind, size) else {
        return Ok(Err(PciError::NoAddress { index, size }));
    };
    let map = region.map_if_allowed()?;
    let details = BarDetails { kind, prefetchable, size, region: region.size, address };
    Ok(Ok(Some(AssignedBar { register, details, map })))
}

/// The addresses that are free, as the start and the end of each kind's range.
#[derive(Debug)]
struct FreeAddresses {
    io: (u64, u64),
    low: (u64, u64),
    high: (u64, u64),
}

impl Default for FreeAddresses {
    fn default() -> Self {
        FreeAddresses {
            io: (0x1000, 0x1_0000),
            low: (0x8000_0000, 0xfec0_0000),
            high: (1 << 40, 1 << 46),
        }
    }
}

impl FreeAddresses {
    /// Takes a range that is aligned to its size, which is a power of two.
    fn take(&mut self, kind: BarKind, size: u64) -> Option<u64> {
        let (next, end) = match kind {
            BarKind::Io => &mut self.io,
            BarKind::Mem32 => &mut self.low,
            BarKind::Mem64 => &mut self.high,
        };
        let start = next.checked_next_multiple_of(size)?;
        *next = start.checked_add(size).filter(|after| *after <= *end)?;
        Some(start)
    }
}
