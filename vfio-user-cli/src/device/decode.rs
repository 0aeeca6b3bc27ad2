//! The enable bits of BARs: a function answers accesses to them only while they are set.

use vfio_user::Result;
use vfio_user::client::Client;
use vfio_user::pci::spec::{cfg, command};
use vfio_user::protocol::RegionIndex;

/// Runs an access to a region while the function decodes it: a BAR needs the memory space or I/O
/// space bit of the command register. The register is written only if a bit is missing, and again
/// afterwards.
pub(super) fn enabled<T>(
    client: &Client,
    region: RegionIndex,
    access: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let config = client.region(RegionIndex::Config);
    let needed =
        if region == RegionIndex::Config { 0 } else { command::IO_SPACE | command::MEMORY_SPACE };
    let before: u16 = config.read(cfg::COMMAND as u64)?;
    if before & needed == needed {
        return access();
    }
    config.write(cfg::COMMAND as u64, before | needed)?;
    let done = access();
    config.write(cfg::COMMAND as u64, before)?;
    done
}
