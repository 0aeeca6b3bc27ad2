//! A server, and the resources that its client has set up.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use vfio_user::EventFd;
use vfio_user::client::Client;
use vfio_user::client::{AttachOptions, RegionMap};
use vfio_user::protocol::{IrqAction, IrqIndex, RegionIndex};

use crate::memory::Memory;
use crate::{PAGE, PATIENCE, Result, expect};

/// A server, and the resources that its client has set up.
pub(crate) struct End {
    pub(crate) client: Arc<Client>,
    pub(crate) bar1: Bar1,
    pub(crate) irq: EventFd,
    pub(crate) memory: Memory,
}

impl End {
    pub(crate) fn attach(path: &Path, patience: Duration) -> Result<Self> {
        let options = AttachOptions { patience, ..AttachOptions::default() };
        let client = Arc::new(Client::attach_with(path, options)?);
        let bar1 = Bar1::new(&client)?;
        Ok(End { client, bar1, irq: EventFd::new()?, memory: Memory::new()? })
    }

    /// Maps memory and requests the interrupt.
    pub(crate) fn set_up(&self) -> Result<()> {
        self.memory.map_messages(&self.client)?;
        self.memory.map_direct(&self.client)?;
        Ok(self.client.set_irqs(IrqIndex::Intx, 0, &[Some(&self.irq)])?)
    }

    /// Programs the interrupt.
    pub(crate) fn set_alarm(&self, seconds: u64) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        Ok(self.client.region(RegionIndex::Bar0).write(0, now + seconds)?)
    }

    /// Waits for the effects of an alarm at most `seconds` ahead: the interrupt, and accesses to
    /// memory.
    pub(crate) fn expect_alarm(&self, seconds: u64) -> Result<()> {
        self.expect_irq(Duration::from_secs(seconds) + PATIENCE)?;
        self.memory.expect_letters()
    }

    pub(crate) fn expect_irq(&self, timeout: Duration) -> Result<()> {
        expect(self.irq.wait(timeout)?.is_some(), "the interrupt comes")?;
        // INTx has masked itself.
        Ok(self.client.act_on_irqs(IrqIndex::Intx, IrqAction::Unmask, 0..1)?)
    }
}

/// Memory of the device, part of it mapped.
#[derive(Clone)]
pub(crate) struct Bar1 {
    client: Arc<Client>,
    pub(crate) map: RegionMap,
    pub(crate) size: usize,
}

impl Bar1 {
    fn new(client: &Arc<Client>) -> Result<Self> {
        let details = client.region_details(RegionIndex::Bar1)?;
        let (map, size) = (details.map_any_file()?, usize::try_from(details.size)?);
        Ok(Bar1 { client: Arc::clone(client), map, size })
    }

    /// Fills the memory page by page: mapped pages directly, the rest by messages.
    pub(crate) fn write(&self, bytes: &[u8]) -> vfio_user::Result<()> {
        let region = self.client.region(RegionIndex::Bar1).through(&self.map);
        let mut pages = (0..).step_by(PAGE).zip(bytes.chunks(PAGE));
        pages.try_for_each(|(offset, page)| region.write_bytes(offset, page))
    }

    /// Reads the whole memory in one message: libvfio-user's sample reads from the start, whatever
    /// the requested offset.
    pub(crate) fn read(&self) -> vfio_user::Result<Vec<u8>> {
        let mut bytes = vec![0; self.size];
        self.client.region(RegionIndex::Bar1).read_bytes(0, &mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn checksum(&self) -> vfio_user::Result<u32> {
        Ok(crc32c::crc32c(&self.read()?))
    }
}
