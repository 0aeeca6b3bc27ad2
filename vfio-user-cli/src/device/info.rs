//! `vfu info`, `vfu regions` and `vfu irqs`: what a device says about itself.

use std::fmt::{self, Display, Formatter};

use clap::Args;
use serde::Serialize;
use vfio_user::Result;
use vfio_user::client::Client;
use vfio_user::pci::spec::cfg;
use vfio_user::protocol::{
    Capabilities, DeviceFlags, IrqIndex, IrqInfoFlags, MigrationFlags, RegionFlags, RegionIndex,
};

use super::Target;
use crate::error::Error;
use crate::hex::Hex;

/// Print what a device is: its ids, what its server accepts, its regions and interrupts
#[derive(Debug, Args)]
pub(crate) struct Info {
    #[command(flatten)]
    target: Target,
}

/// Print the regions of a device: BARs, ROM, configuration space
#[derive(Debug, Args)]
pub(crate) struct Regions {
    #[command(flatten)]
    target: Target,
}

/// Print the interrupts of a device
#[derive(Debug, Args)]
pub(crate) struct Irqs {
    #[command(flatten)]
    target: Target,
}

impl Info {
    pub(crate) fn run(self) -> Result<(), Error> {
        let device = Summary::of(&self.target.attach()?).map_err(self.target.failed())?;
        self.target.print(&device)
    }
}

impl Regions {
    pub(crate) fn run(self) -> Result<(), Error> {
        let regions = Table::regions(&self.target.attach()?).map_err(self.target.failed())?;
        self.target.print(&regions)
    }
}

impl Irqs {
    pub(crate) fn run(self) -> Result<(), Error> {
        let irqs = Table::irqs(&self.target.attach()?).map_err(self.target.failed())?;
        self.target.print(&irqs)
    }
}

/// What a device says about itself.
#[derive(Serialize)]
struct Summary {
    vendor: u16,
    device: u16,
    class: u32,
    revision: u8,
    subsystem_vendor: u16,
    subsystem: u16,
    resets: bool,
    /// The names of the supported parts of migration; none if the device does not migrate.
    migration: Vec<String>,
    server: Capabilities,
    regions: Table<Region>,
    irqs: Table<Irq>,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Table<T>(Vec<T>);

#[derive(Serialize)]
struct Region {
    index: u32,
    name: String,
    size: Hex,
    readable: bool,
    writable: bool,
    /// What clients can map.
    mapped: Vec<Area>,
}

#[derive(Serialize)]
struct Area {
    start: Hex,
    end: Hex,
}

#[derive(Serialize)]
struct Irq {
    index: u32,
    name: &'static str,
    count: u32,
    maskable: bool,
    automasked: bool,
}

impl Summary {
    fn of(client: &Client) -> Result<Self> {
        let config = client.region(RegionIndex::Config);
        let word = |offset: usize| config.read::<u16>(offset as u64);
        let class: u32 = config.read(cfg::REVISION_ID as u64)?;
        let migration = client.migration_flags()?;
        Ok(Summary {
            vendor: word(cfg::VENDOR_ID)?,
            device: word(cfg::DEVICE_ID)?,
            class: class >> 8,
            revision: config.read(cfg::REVISION_ID as u64)?,
            subsystem_vendor: word(cfg::SUBSYSTEM_VENDOR_ID)?,
            subsystem: word(cfg::SUBSYSTEM_ID)?,
            resets: client.details().flags.contains(DeviceFlags::RESET),
            migration: names(migration),
            server: client.server_capabilities().clone(),
            regions: Table::regions(client)?,
            irqs: Table::irqs(client)?,
        })
    }
}

fn names(flags: MigrationFlags) -> Vec<String> {
    flags.iter_names().map(|(name, _)| name.to_lowercase().replace('_', "-")).collect()
}

impl Table<Region> {
    fn regions(client: &Client) -> Result<Self> {
        let regions = (0..client.details().regions).map(|index| Region::of(client, index));
        regions.filter(|region| !matches!(region, Ok(region) if region.size == Hex(0))).collect()
    }
}

impl Table<Irq> {
    fn irqs(client: &Client) -> Result<Self> {
        let count = usize::try_from(client.details().irqs).unwrap_or(usize::MAX);
        let irqs = IrqIndex::ALL.iter().take(count).map(|index| Irq::of(client, *index));
        irqs.filter(|irq| !matches!(irq, Ok(irq) if irq.count == 0)).collect()
    }
}

impl<T> FromIterator<T> for Table<T> {
    fn from_iter<I: IntoIterator<Item = T>>(rows: I) -> Self {
        Table(rows.into_iter().collect())
    }
}

impl Region {
    fn of(client: &Client, index: u32) -> Result<Self> {
        let details = client.region_details(index.into())?;
        let area = |start: u64, size: u64| Area { start: Hex(start), end: Hex(start + size) };
        let mapped = if details.flags.contains(RegionFlags::MMAP) {
            details.areas.iter().map(|part| area(part.offset.get(), part.size.get())).collect()
        } else {
            Vec::new()
        };
        Ok(Region {
            index,
            name: RegionIndex::from(index).to_string(),
            size: Hex(details.size),
            readable: details.flags.contains(RegionFlags::READ),
            writable: details.flags.contains(RegionFlags::WRITE),
            mapped,
        })
    }
}

impl Irq {
    fn of(client: &Client, index: IrqIndex) -> Result<Self> {
        let details = client.irq_details(index)?;
        let name = match index {
            IrqIndex::Intx => "INTx",
            IrqIndex::Msi => "MSI",
            IrqIndex::Msix => "MSI-X",
            IrqIndex::Err => "error",
            IrqIndex::Req => "release",
        };
        Ok(Irq {
            index: index.into(),
            name,
            count: details.count,
            maskable: details.flags.contains(IrqInfoFlags::MASKABLE),
            automasked: details.flags.contains(IrqInfoFlags::AUTOMASKED),
        })
    }
}

impl Display for Summary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Summary { vendor, device, class, revision, subsystem_vendor, subsystem, .. } = self;
        writeln!(
            f,
            "{vendor:04x}:{device:04x}, class {class:06x}, revision {revision:02x}, \
            subsystem {subsystem_vendor:04x}:{subsystem:04x}"
        )?;
        writeln!(f, "resets: {}", if self.resets { "yes" } else { "no" })?;
        let migration = self.migration.join(", ");
        writeln!(f, "migration: {}", if migration.is_empty() { "no" } else { &migration })?;
        let Capabilities { max_msg_fds, max_data_xfer_size, max_dma_maps, pgsizes, .. } =
            &self.server;
        writeln!(
            f,
            "server: {max_msg_fds} descriptors a message, {max_data_xfer_size} bytes a \
            transfer, {max_dma_maps} maps, page sizes {pgsizes:#x}"
        )?;
        write!(f, "\n{}\n{}", self.regions, self.irqs)
    }
}

impl Display for Table<Region> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>6}  {:14} {:>12}  {:6}  mapped", "region", "name", "size", "access")?;
        for Region { index, name, size, readable, writable, mapped } in &self.0 {
            let [read, write] = [(*readable, 'r'), (*writable, 'w')]
                .map(|(has, letter)| if has { letter } else { '-' });
            write!(f, "{index:>6}  {name:14} {size:>12}  {read}{write}")?;
            for (n, Area { start, end }) in mapped.iter().enumerate() {
                let space = if n == 0 { "    " } else { "" };
                write!(f, "{space}  {start}..{end}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl Display for Table<Irq> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>6}  {:10} {:>7}", "index", "interrupt", "vectors")?;
        for Irq { index, name, count, maskable, automasked } in &self.0 {
            write!(f, "{index:>6}  {name:10} {count:>7}")?;
            writeln!(
                f,
                "{}{}",
                if *maskable { "  maskable" } else { "" },
                if *automasked { "  masks itself" } else { "" }
            )?;
        }
        Ok(())
    }
}
