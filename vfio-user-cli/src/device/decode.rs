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
    with_command(client, bits(region), access)
}

/// Runs accesses while the function decodes its BARs and may access memory.
pub(super) fn as_bus_master<T>(client: &Client, accesses: impl FnOnce() -> Result<T>) -> Result<T> {
    with_command(client, bits(RegionIndex::Bar0) | command::BUS_MASTER, accesses)
}

fn bits(region: RegionIndex) -> u16 {
    if region == RegionIndex::Config { 0 } else { command::IO_SPACE | command::MEMORY_SPACE }
}

/// Runs something while bits of the command register are set.
fn with_command<T>(client: &Client, bits: u16, run: impl FnOnce() -> Result<T>) -> Result<T> {
    let config = client.region(RegionIndex::Config);
    let before: u16 = config.read(cfg::COMMAND as u64)?;
    if before & bits == bits {
        return run();
    }
    config.write(cfg::COMMAND as u64, before | bits)?;
    let done = run();
    config.write(cfg::COMMAND as u64, before)?;
    done
}
