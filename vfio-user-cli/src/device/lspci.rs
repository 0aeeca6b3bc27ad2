//! `vfu lspci`: the configuration space, in the format that pciutils read.

use std::fmt::{self, Display, Formatter};

use clap::Args;
use serde::{Serialize, Serializer};
use vfio_user::Result;
use vfio_user::client::Client;
use vfio_user::pci::spec::cfg;
use vfio_user::protocol::RegionIndex;

use super::Target;
use crate::error::Error;
use crate::hex;

/// Print the configuration space as `lspci -F` reads it
///
/// For example: `vfu lspci /tmp/device.sock | lspci -vv -F /dev/stdin`
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Error> {
        let space = Space::of(&self.target.attach()?).map_err(self.target.failed())?;
        self.target.print(&space)
    }
}

/// The bytes of a configuration space: 256 or more.
struct Space(Vec<u8>);

impl Space {
    /// The largest configuration space.
    const MOST: u64 = 4096;

    fn of(client: &Client) -> Result<Self> {
        let size = client.region_details(RegionIndex::Config)?.size.min(Self::MOST);
        let size = usize::try_from(size).unwrap_or(0).max(cfg::CONVENTIONAL_SIZE);
        let mut bytes = vec![0; size];
        client.region(RegionIndex::Config).read_bytes(0, &mut bytes)?;
        Ok(Space(bytes))
    }

    fn word(&self, offset: usize) -> u16 {
        u16::from_le_bytes([self.0[offset], self.0[offset + 1]])
    }
}

impl Display for Space {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let class = self.word(cfg::REVISION_ID + 2);
        let [vendor, device] = [cfg::VENDOR_ID, cfg::DEVICE_ID].map(|offset| self.word(offset));
        let revision = self.0[cfg::REVISION_ID];
        writeln!(f, "00:00.0 {class:04x}: {vendor:04x}:{device:04x} (rev {revision:02x})")?;
        // A blank line ends a device.
        writeln!(f, "{}", hex::lines(0, &self.0, 2))
    }
}

impl Serialize for Space {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
