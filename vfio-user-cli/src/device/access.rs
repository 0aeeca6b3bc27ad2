//! `vfu read`, `vfu write` and `vfu dump`: accesses to registers.

use std::fmt::{self, Display, Formatter};

use clap::Args;
use serde::Serialize;
use vfio_user::client::Client;
use vfio_user::protocol::RegionIndex;

use super::Target;
use super::decode::enabled;
use super::register::{Access, Register};
use crate::error::Error;
use crate::hex::{self, Hex};
use crate::place::{number, parse_region};

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

impl Read {
    pub(crate) fn run(self) -> Result<(), Error> {
        let register = self.access.locate()?;
        let target = &self.access.target;
        let client = target.attach()?;
        let read = enabled(&client, register.place.region, || register.read(&client));
        let value = read.map_err(target.failed())?;
        target.print(&Content::of(&register, value))
    }
}

impl Write {
    pub(crate) fn run(self) -> Result<(), Error> {
        let register = self.access.locate()?;
        register.holds(self.value)?;
        let client = self.access.target.attach()?;
        enabled(&client, register.place.region, || register.write(&client, self.value))
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
struct Content {
    value: Hex,
    width: u8,
    /// The named bits that are set.
    #[serde(skip_serializing_if = "Option::is_none")]
    bits: Option<String>,
}

impl Content {
    fn of(register: &Register, value: u64) -> Self {
        Content { value: Hex(value), width: register.width, bits: register.bits(value) }
    }
}

impl Display for Content {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Content { value, width, bits } = self;
        write!(f, "{:#0digits$x}", value.0, digits = usize::from(*width) * 2 + 2)?;
        match bits {
            Some(bits) => writeln!(f, " ({bits})"),
            None => writeln!(f),
        }
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
