//! A PCI function as its driver sees it.

mod bars;
mod capabilities;
mod header;
mod interrupts;
mod sizing;
mod vectors;

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::{AttachOptions, Client, ClientRegion, DmaBuffer};
use crate::error::{PciError, Result};
use crate::model::spec::{capability_id, cfg, express};
use crate::model::{CommandBits, StatusBits};
use crate::protocol::{DeviceFlags, RegionIndex};
pub use bars::BarDetails;
use bars::Bars;
pub use capabilities::{ConfigCapability, ExtendedCapability};
pub use header::PciHeader;
pub use vectors::Vectors;

/// A PCI function that is ready for a driver.
///
/// It has done what firmware and the PCI core of an operating system do: its configuration space is
/// decoded, its BARs are sized, assigned to addresses and mapped where the server allows it, its
/// capabilities are listed, and it decodes memory and I/O space and may access memory.
///
/// ```no_run
/// use std::time::Duration;
/// use vfio_user::client::PciView;
///
/// let nic = PciView::attach("/run/vm/nic.sock")?;
/// let vectors = nic.enable_msix(2)?;
/// let ring = nic.allocate(0x1000)?;
/// nic.bar(0)?.write(0x10, ring.iova())?;
/// vectors[0].wait(Duration::from_secs(1))?;
/// # Ok::<(), vfio_user::Error>(())
/// ```
///
/// It may be used from several threads at the same time, as [`Client`], whose methods
/// [`client`](Self::client) makes available.
#[derive(Debug)]
pub struct PciView {
    client: Arc<Client>,
    header: PciHeader,
    capabilities: Vec<ConfigCapability>,
    extended: Vec<ExtendedCapability>,
    bars: Bars,
}

impl PciView {
    /// Attaches to the device at a path, and sets it up.
    ///
    /// # Errors
    ///
    /// Those of [`Client::attach`] and [`new`](Self::new).
    pub fn attach(path: impl AsRef<Path>) -> Result<Self> {
        Self::new(Client::attach(path)?)
    }

    /// Attaches with other timeouts, and sets the device up.
    ///
    /// # Errors
    ///
    /// As [`attach`](Self::attach).
    pub fn attach_with(path: impl AsRef<Path>, options: AttachOptions) -> Result<Self> {
        Self::new(Client::attach_with(path, options)?)
    }

    /// Sets up the device of a client, which may be shared (`Arc<Client>`).
    ///
    /// # Errors
    ///
    /// Those of any request, and [`Error::Pci`](crate::Error::Pci) if the device is no PCI
    /// endpoint, or its list of capabilities is malformed. What is wrong with a BAR is the error of
    /// [`bar`](Self::bar), so that the others can be used. After an error the function decodes its
    /// BARs as before.
    pub fn new(client: impl Into<Arc<Client>>) -> Result<Self> {
        let client = client.into();
        if !client.details().flags.contains(DeviceFlags::PCI) {
            return Err(PciError::NotPci.into());
        }
        let space = read_config(&client)?;
        let header = PciHeader::decode(&space)?;
        let capabilities = capabilities::capabilities(&space)?;
        let extended = capabilities::extended(&space)?;
        let config = client.region(RegionIndex::Config);
        let decoding = CommandBits::IO_SPACE | CommandBits::MEMORY_SPACE;
        let command: u16 = config.read(cfg::COMMAND as u64)?;
        change_command(config, decoding, CommandBits::empty())?;
        let bars = Bars::assign(&client, config).inspect_err(|_| {
            // The first error is returned. A device that is gone has no command register.
            let _ = config.write(cfg::COMMAND as u64, command);
        })?;
        change_command(config, CommandBits::empty(), decoding | CommandBits::BUS_MASTER)?;
        Ok(PciView { client, header, capabilities, extended, bars })
    }

    /// Returns the client: its regions, interrupts, memory, features and migration.
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Returns the identity of the function.
    pub fn header(&self) -> &PciHeader {
        &self.header
    }

    /// Returns configuration space.
    pub fn config(&self) -> ClientRegion<'_> {
        self.client.region(RegionIndex::Config)
    }

    /// Returns the command register.
    ///
    /// # Errors
    ///
    /// Those of any request.
    pub fn command(&self) -> Result<CommandBits> {
        Ok(CommandBits::from_bits_truncate(self.config().read(cfg::COMMAND as u64)?))
    }

    /// Changes the command register; its other bits stay as they are.
    ///
    /// # Errors
    ///
    /// Those of any request.
    pub fn set_command(&self, command: CommandBits) -> Result<()> {
        change_command(self.config(), CommandBits::all(), command)
    }

    /// Returns the status register.
    ///
    /// # Errors
    ///
    /// Those of any request.
    pub fn status(&self) -> Result<StatusBits> {
        Ok(StatusBits::from_bits_truncate(self.config().read(cfg::STATUS as u64)?))
    }

    /// Returns the capabilities, in the order of the function's list.
    pub fn capabilities(&self) -> &[ConfigCapability] {
        &self.capabilities
    }

    /// Returns the extended capabilities, in the order of the function's list.
    pub fn extended_capabilities(&self) -> &[ExtendedCapability] {
        &self.extended
    }

    /// Returns the first capability with an id (see [`capability_id`]).
    pub fn capability(&self, id: u8) -> Option<ConfigCapability> {
        self.capabilities.iter().find(|capability| capability.id == id).copied()
    }

    /// Returns a BAR: registers and memory, accessed directly where they are mapped and by messages
    /// elsewhere.
    ///
    /// # Errors
    ///
    /// [`PciError::NoBar`], and what is wrong with the BAR: [`PciError::BarMask`],
    /// [`PciError::BarType`], [`PciError::BarRegion`], [`PciError::NoAddress`].
    pub fn bar(&self, bar: u8) -> Result<ClientRegion<'_>, PciError> {
        let map = self.bars.map(bar)?;
        let region = self.client.region(RegionIndex::from(u32::from(bar)));
        Ok(map.map_or(region, |map| region.through(map)))
    }

    /// Returns the kind, size and address of a BAR.
    ///
    /// # Errors
    ///
    /// As [`bar`](Self::bar).
    pub fn bar_details(&self, bar: u8) -> Result<BarDetails, PciError> {
        self.bars.details(bar)
    }

    /// Returns the size and address of the expansion ROM, if there is one. Its contents are read
    /// from [`RegionIndex::Rom`].
    ///
    /// # Errors
    ///
    /// What is wrong with it, as [`bar`](Self::bar).
    pub fn rom_details(&self) -> Result<Option<BarDetails>, PciError> {
        self.bars.rom()
    }

    /// Allocates at least `size` bytes of zeros that the device can read and write, in whole pages
    /// of the server. The address for the device is the lowest that is free from 1 MiB on.
    ///
    /// # Errors
    ///
    /// Those of any request and of the system, and [`Error::Argument`](crate::Error::Argument) if
    /// no addresses are free, or the server accepts no more mappings.
    pub fn allocate(&self, size: u64) -> Result<DmaBuffer> {
        DmaBuffer::new(&self.client, size)
    }

    /// Resets the function: by a function-level reset if it is capable of that, otherwise by
    /// [`Client::reset`]. Waits until the function responds, which may have to release memory
    /// first, for at most [`AttachOptions::timeout`]. Then restores the command register and the
    /// addresses of the BARs. Memory stays mapped; interrupts must be enabled again.
    ///
    /// # Errors
    ///
    /// Those of any request, [`PciError::NoReset`], and [`PciError::NotReady`].
    pub fn reset(&self) -> Result<()> {
        let command = self.command()?;
        if let Some(capability) = self.function_level_reset()? {
            let control = u64::from(capability.offset) + express::DEVICE_CONTROL as u64;
            let value: u16 = self.config().read(control)?;
            self.config().write(control, value | express::INITIATE_FLR)?;
        } else if self.client.details().flags.contains(DeviceFlags::RESET) {
            self.client.reset()?;
        } else {
            return Err(PciError::NoReset.into());
        }
        self.wait_until_ready()?;
        self.bars.write_addresses(self.config())?;
        self.set_command(command)
    }

    /// Waits until the vendor id reads as itself: a function that is being reset reads as ones.
    fn wait_until_ready(&self) -> Result<()> {
        let deadline = Instant::now() + self.client.connection.timeout();
        while self.config().read::<u16>(cfg::VENDOR_ID as u64)? == u16::MAX {
            if Instant::now() >= deadline {
                return Err(PciError::NotReady.into());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Returns the PCI Express capability, if the function can be reset through it.
    fn function_level_reset(&self) -> Result<Option<ConfigCapability>> {
        let Some(capability) = self.capability(capability_id::EXPRESS) else { return Ok(None) };
        expect_len(capability, express::DEVICE_STATUS)?;
        let at = u64::from(capability.offset) + express::DEVICE_CAPABILITIES as u64;
        let capabilities: u32 = self.config().read(at)?;
        Ok((capabilities & express::FLR_CAPABLE != 0).then_some(capability))
    }
}

/// Checks that `len` bytes of a capability are inside its part of configuration space.
fn expect_len(capability: ConfigCapability, len: usize) -> Result<(), PciError> {
    let ConfigCapability { id, offset } = capability;
    if usize::from(offset) + len <= cfg::CONVENTIONAL_SIZE {
        return Ok(());
    }
    Err(PciError::CapabilityTooLong { id, offset })
}

/// Reads all of configuration space, as far as PCI defines it.
fn read_config(client: &Client) -> Result<Vec<u8>> {
    let size = client.region_details(RegionIndex::Config)?.size;
    let len = usize::try_from(size).unwrap_or(usize::MAX).min(cfg::EXPRESS_SIZE);
    if len < cfg::CONVENTIONAL_SIZE {
        return Err(PciError::ConfigSize(size).into());
    }
    let mut space = vec![0; len & !0b11];
    client.region(RegionIndex::Config).read_bytes(0, &mut space)?;
    Ok(space)
}

/// Clears and sets bits of the command register; the others stay as they are.
fn change_command(config: ClientRegion<'_>, clear: CommandBits, set: CommandBits) -> Result<()> {
    let before: u16 = config.read(cfg::COMMAND as u64)?;
    config.write(cfg::COMMAND as u64, before & !clear.bits() | set.bits())
}
