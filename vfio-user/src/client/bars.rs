//! Drivers over a socket.

use super::{Client, PciView, RegionMap};
use crate::driver::{Bars, Width};
use crate::error::{Error, Result};
use crate::model::RegisterValue as _;
use crate::protocol::RegionIndex;

/// A typed driver runs over a client, with a message for each access.
impl Bars for &Client {
    type Error = Error;

    fn read(&mut self, bar: u8, offset: u64, width: Width) -> Result<u64> {
        let mut bytes = [0; 8];
        let len = usize::from(width.bytes());
        self.region(region(bar)).read_bytes(offset, &mut bytes[..len])?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn write(&mut self, bar: u8, offset: u64, width: Width, value: u64) -> Result<()> {
        let len = usize::from(width.bytes());
        self.region(region(bar)).write_bytes(offset, &value.to_le_bytes()[..len])
    }
}

/// A typed driver runs over a view, which accesses BARs directly where they are mapped.
impl Bars for &PciView {
    type Error = Error;

    fn read(&mut self, bar: u8, offset: u64, width: Width) -> Result<u64> {
        let mut bytes = [0; 8];
        let len = usize::from(width.bytes());
        self.bar(bar)?.read_bytes(offset, &mut bytes[..len])?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn write(&mut self, bar: u8, offset: u64, width: Width, value: u64) -> Result<()> {
        let len = usize::from(width.bytes());
        self.bar(bar)?.write_bytes(offset, &value.to_le_bytes()[..len])
    }
}

/// The BARs of a device with all their mappings: accesses to a mapped part take no message.
#[derive(Clone, Debug)]
pub struct MappedBars<'a> {
    client: &'a Client,
    maps: Vec<Option<RegionMap>>,
}

impl<'a> MappedBars<'a> {
    /// Maps all parts of all BARs that the server allows to map. Messages access a BAR whose file
    /// is not in memory, because a server could make accesses to such a file hang, and one that
    /// exceeds [`ClientLimits`](super::ClientLimits).
    ///
    /// # Errors
    ///
    /// Those of [`Client::region_details`], and all but [`Error::FileNotInMemory`] and
    /// [`Error::MapLimit`] of [`RegionDetails::map`](super::RegionDetails::map).
    pub fn new(client: &'a Client) -> Result<Self> {
        let maps = (0..6).map(|bar| client.region_details(region(bar))?.map_if_allowed());
        Ok(MappedBars { client, maps: maps.collect::<Result<_>>()? })
    }

    /// Returns the map of a BAR, if all of an access lies in it.
    fn map(&self, bar: u8, offset: u64, width: Width) -> Option<&RegionMap> {
        let map = self.maps.get(usize::from(bar))?.as_ref()?;
        map.contains(offset, usize::from(width.bytes())).then_some(map)
    }
}

impl Bars for MappedBars<'_> {
    type Error = Error;

    fn read(&mut self, bar: u8, offset: u64, width: Width) -> Result<u64> {
        let Some(map) = self.map(bar, offset, width) else {
            return self.client.read(bar, offset, width);
        };
        Ok(match width {
            Width::U8 => map.load::<u8>(offset)?.into(),
            Width::U16 => map.load::<u16>(offset)?.into(),
            Width::U32 => map.load::<u32>(offset)?.into(),
            Width::U64 => map.load::<u64>(offset)?,
        })
    }

    fn write(&mut self, bar: u8, offset: u64, width: Width, value: u64) -> Result<()> {
        let Some(map) = self.map(bar, offset, width).filter(|map| map.is_writable()) else {
            return self.client.write(bar, offset, width, value);
        };
        Ok(match width {
            Width::U8 => map.store(offset, u8::from_bits(value)),
            Width::U16 => map.store(offset, u16::from_bits(value)),
            Width::U32 => map.store(offset, u32::from_bits(value)),
            Width::U64 => map.store(offset, value),
        }?)
    }
}

/// Returns the region of a BAR. There is none for a number above 5: the device refuses others.
fn region(bar: u8) -> RegionIndex {
    RegionIndex::from(u32::from(bar))
}
