//! Registers that a command line names.

use std::path::{Path, PathBuf};

use clap::Args;
use vfio_user::Result;
use vfio_user::client::Client;

use super::Target;
use crate::description::{Bits, Description, shown, wrong};
use crate::error::Error;
use crate::place::{Offset, Place};

/// Where to access, and how many bytes.
#[derive(Debug, Args)]
pub(super) struct Access {
    #[command(flatten)]
    pub(super) target: Target,
    // Not a doc comment, in which brackets are links.
    #[arg(
        help = "A region and an offset (bar0+0x10, config+4), or the name of a register, which \
                  needs --describe (status, data[3], queues[2].tail)"
    )]
    place: Place,
    /// Output of the device program's --describe=json, to find registers and bits by name
    #[arg(long, value_name = "FILE")]
    describe: Option<PathBuf>,
    /// Width of the access in bytes [default: that of the named register, otherwise 4]
    #[arg(long, value_name = "BYTES", value_parser = ["1", "2", "4", "8"])]
    width: Option<String>,
}

/// A register, or bytes that are accessed as one.
#[derive(Debug)]
pub(super) struct Register {
    pub(super) place: Offset,
    /// In bytes.
    pub(super) width: u8,
    bits: Vec<Bits>,
}

impl Access {
    pub(super) fn locate(&self) -> std::result::Result<Register, Error> {
        let width = self.width.as_ref().and_then(|width| width.parse().ok());
        Register::locate(&self.place, width, self.describe.as_deref())
    }
}

impl Register {
    /// Finds the register at a place, or of a name in a description.
    pub(super) fn locate(
        place: &Place,
        width: Option<u8>,
        describe: Option<&Path>,
    ) -> std::result::Result<Self, Error> {
        let name = match place {
            Place::At(place) => {
                return Ok(Register { place: *place, width: width.unwrap_or(4), bits: Vec::new() });
            }
            Place::Named(name) => name,
        };
        let path = describe.ok_or_else(|| Error::Unnamed(name.clone()))?;
        let description = Description::open(path)?;
        let problem = || wrong(path, format!("it has no register `{name}`"));
        let found = description.find(name).ok_or_else(problem)?;
        // Bits are those of the whole register.
        let is_whole = width.is_none_or(|width| width == found.register.bytes);
        let bits = if is_whole { found.register.fields.clone() } else { Vec::new() };
        Ok(Register { place: found.place, width: width.unwrap_or(found.register.bytes), bits })
    }

    /// Fails unless a value fits.
    pub(super) fn holds(&self, value: u64) -> std::result::Result<(), Error> {
        let width = usize::from(self.width);
        if width < 8 && value >> (width * 8) != 0 {
            return Err(Error::TooWide { value, width });
        }
        Ok(())
    }

    pub(super) fn read(&self, client: &Client) -> Result<u64> {
        let mut bytes = [0; 8];
        let Offset { region, offset } = self.place;
        client.region(region).read_bytes(offset, &mut bytes[..usize::from(self.width).min(8)])?;
        Ok(u64::from_le_bytes(bytes))
    }

    pub(super) fn write(&self, client: &Client, value: u64) -> Result<()> {
        let Offset { region, offset } = self.place;
        let bytes = &value.to_le_bytes()[..usize::from(self.width).min(8)];
        client.region(region).write_bytes(offset, bytes)
    }

    /// Returns the named bits of a value, if there are any.
    pub(super) fn bits(&self, value: u64) -> Option<String> {
        Some(shown(&self.bits, value)).filter(|bits| !bits.is_empty())
    }
}
