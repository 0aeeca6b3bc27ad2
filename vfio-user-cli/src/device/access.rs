//! `vfu read`, `vfu write` and `vfu dump`: accesses to registers.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use vfio_user::client::Client;
use vfio_user::protocol::RegionIndex;

use super::Target;
use super::decode::enabled;
use crate::description::{Description, wrong};
use crate::error::Error;
use crate::hex::{self, Hex};
use crate::place::{Offset, Place, number, parse_region};

/// Where to access, and how many bytes.
#[derive(Debug, Args)]
struct Access {
    #[command(flatten)]
    target: Target,
    // Not a doc comment, in which brackets are links.
    #[arg(
        help = "A region and an offset (bar0+0x10, config+4), or the name of a register, which \
                  needs --describe (status, data[3], queues[2].tail)"
    )]
    place: Place,
    /// Output of the device program's --describe=json, to find registers by name
    #[arg(long, value_name = "FILE")]
    describe: Option<PathBuf>,
    /// Width of the access in bytes [default: that of the named register, otherwise 4]
    #[arg(long, value_name = "BYTES", value_parser = ["1", "2", "4", "8"])]
    width: Option<String>,
}

/// Read a register
///
/// The device acts as if a guest had read it. `vfu` sets the memory and I/O enable bits of the
/// command register for the access, and restores them afterwards.
#[derive(Debug, Args)]
pub(crate) struct Read {
    #[command(flatten)]
    access: Access,
}

/// Write a register
///
/// The device acts as if a guest had written it. `vfu` sets the memory and I/O enable bits of the
/// command register for the access, and restores them afterwards.
#[derive(Debug, Args)]
pub(crate) struct Write {
    #[command(flatten)]
    access: Access,
    /// Value to write, such as 16 or 0x10
    #[arg(value_parser = number)]
    value: u64,
}

/// Print the bytes of a region
///
/// The device acts as if a guest had read them: this may clear status bits and take data from
/// FIFOs.
#[derive(Debug, Args)]
pub(crate) struct Dump {
    #[command(flatten)]
    target: Target,
    /// Region: bar0 to bar5, rom, config, vga, or region9 onwards
    #[arg(value_parser = parse_region)]
    region: RegionIndex,
    /// Offset of the first byte
    #[arg(long, value_name = "OFFSET", value_parser = number, default_value = "0")]
    offset: u64,
    /// Number of bytes [default: up to the end of the region, at most 1 MiB]
    #[arg(long, value_name = "BYTES", value_parser = number)]
    len: Option<u64>,
}

impl Access {
    /// Returns the region, the offset in it, and the number of bytes.
    fn locate(&self) -> Result<(Offset, u8), Error> {
        let width = self.width.as_ref().and_then(|width| width.parse().ok());
        let name = match &self.place {
            Place::At(offset) => return Ok((*offset, width.unwrap_or(4))),
            Place::Named(name) => name,
        };
        let path = self.describe.as_ref().ok_or_else(|| Error::Unnamed(name.clone()))?;
        let description = Description::open(path)?;
        let problem = || wrong(path, format!("it has no register `{name}`"));
        let found = description.find(name).ok_or_else(problem)?;
        Ok((found.place, width.unwrap_or(found.register.bytes)))
    }
}

impl Read {
    pub(crate) fn run(self) -> Result<(), Error> {
        let (place, width) = self.access.locate()?;
        let target = &self.access.target;
        let client = target.attach()?;
        let mut bytes = [0; 8];
        enabled(&client, place.region, || {
            client.region(place.region).read_bytes(place.offset, &mut bytes[..usize::from(width)])
        })
        .map_err(target.failed())?;
        target.print(&Value { value: Hex(u64::from_le_bytes(bytes)), width })
    }
}

impl Write {
    pub(crate) fn run(self) -> Result<(), Error> {
        let (place, width) = self.access.locate()?;
        let width = usize::from(width);
        if width < 8 && self.value >> (width * 8) != 0 {
            return Err(Error::TooWide { value: self.value, width });
        }
        let client = self.access.target.attach()?;
        let bytes = self.value.to_le_bytes();
        enabled(&client, place.region, || {
            client.region(place.region).write_bytes(place.offset, &bytes[..width])
        })
        .map_err(self.access.target.failed())
    }
}

impl Dump {
    /// The most bytes that are printed without `--len`.
    const MOST: u64 = 1 << 20;

    pub(crate) fn run(self) -> Result<(), Error> {
        let client = self.target.attach()?;
        let bytes = self.read(&client).map_err(self.target.failed())?;
        self.target.print(&Bytes { offset: self.offset, bytes })
    }

    fn read(&self, client: &Client) -> vfio_user::Result<Vec<u8>> {
        let size = client.region_details(self.region)?.size;
        let rest = size.saturating_sub(self.offset);
        let len = self.len.unwrap_or(rest.min(Self::MOST)).min(rest);
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        enabled(client, self.region, || {
            client.region(self.region).read_bytes(self.offset, &mut bytes)
        })?;
        Ok(bytes)
    }
}

/// The value of a register.
#[derive(Serialize)]
struct Value {
    value: Hex,
    width: u8,
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:#0width$x}", self.value.0, width = usize::from(self.width) * 2 + 2)
    }
}

#[derive(Serialize)]
struct Bytes {
    offset: u64,
    bytes: Vec<u8>,
}

impl Display for Bytes {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::lines(self.offset, &self.bytes, 8))
    }
}
