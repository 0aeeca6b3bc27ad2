//! A controller: from attaching to an I/O queue pair.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use vfio_user::Result;
use vfio_user::client::{AttachOptions, Client};
use vfio_user::protocol::RegionIndex;

use super::command::Command;
use super::memory::Memory;
use super::queue::{Doorbells, QueuePair, Shadow};
use super::{PAGE, failed};
use crate::PATIENCE;

const ADMIN_ENTRIES: u16 = 32;
/// Registers of BAR 0 (3.1).
const CC: u64 = 0x14;
const CSTS: u64 = 0x1c;
const AQA: u64 = 0x24;
const ASQ: u64 = 0x28;
const ACQ: u64 = 0x30;
/// CC: entries of 64 and 16 bytes, and the controller enabled.
const ENABLED: u32 = 6 << 16 | 4 << 20 | 1;
/// The command register of configuration space, with memory space and bus master.
const PCI_COMMAND: u64 = 0x04;
const PCI_ENABLED: u16 = 0b110;
/// Admin commands (5).
const CREATE_SQ: u8 = 0x01;
const CREATE_CQ: u8 = 0x05;
const IDENTIFY: u8 = 0x06;
const DOORBELL_BUFFER_CONFIG: u8 = 0x7c;

/// A controller that is enabled.
#[derive(Debug)]
pub struct Controller {
    client: Arc<Client>,
    bells: Doorbells,
    admin: QueuePair,
    /// A page for the data of admin commands.
    data: u64,
}

/// The size of a namespace.
#[derive(Clone, Copy, Debug)]
pub struct Namespace {
    /// Its number.
    pub nsid: u32,
    /// The number of its blocks.
    pub blocks: u64,
    /// Bytes of a block.
    pub block: u64,
}

impl Controller {
    /// Attaches to a controller and enables it.
    ///
    /// # Errors
    ///
    /// Those of the client; if the controller does not become ready.
    pub fn attach(path: &Path, memory: &Arc<Memory>) -> Result<Self> {
        let options =
            AttachOptions { timeout: PATIENCE, patience: PATIENCE, ..AttachOptions::default() };
        let client = Arc::new(Client::attach_with(path, options)?);
        client.region(RegionIndex::Config).write(PCI_COMMAND, PCI_ENABLED)?;
        memory.share(&client)?;
        let bells = Doorbells::of(&client)?;
        let admin = QueuePair::new(memory, bells.clone(), 0, ADMIN_ENTRIES);
        let data = memory.allocate(PAGE);
        let controller = Controller { client, bells, admin, data };
        controller.enable()?;
        Ok(controller)
    }

    fn enable(&self) -> Result<()> {
        let [submission, completion] = self.admin.addresses();
        let bar = self.client.region(RegionIndex::Bar0);
        bar.write(CC, 0_u32)?;
        self.expect_ready(false)?;
        let last = u32::from(ADMIN_ENTRIES) - 1;
        bar.write(AQA, last << 16 | last)?;
        bar.write(ASQ, submission)?;
        bar.write(ACQ, completion)?;
        bar.write(CC, ENABLED)?;
        self.expect_ready(true)
    }

    /// Waits for CSTS.RDY.
    fn expect_ready(&self, ready: bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.client.region(RegionIndex::Bar0).read::<u32>(CSTS)? & 1 != u32::from(ready) {
            if Instant::now() > deadline {
                return Err(failed("the controller does not become ready"));
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Returns the client that has attached to it.
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Returns whether doorbells are rung in memory of the device.
    pub fn has_mapped_doorbells(&self) -> bool {
        matches!(self.bells, Doorbells::Mapped(..))
    }

    /// Performs an admin command. Returns its result.
    ///
    /// # Errors
    ///
    /// If the command fails, or is not completed.
    pub fn perform(&mut self, command: &Command) -> Result<u32> {
        self.admin.perform(command)
    }

    /// Moves the doorbells of queues that are created later to memory that both share (5.7).
    ///
    /// # Errors
    ///
    /// As [`perform`](Self::perform).
    pub fn share_doorbells(&mut self) -> Result<Arc<Shadow>> {
        let shadow = Arc::new(Shadow::new(self.admin.memory(), self.bells.clone()));
        let [bells, events] = shadow.pages();
        let mut configure = Command::new(DOORBELL_BUFFER_CONFIG, 0, bells);
        configure.prp2 = events.into();
        self.perform(&configure)?;
        self.bells = Doorbells::Shadow(Arc::clone(&shadow));
        Ok(shadow)
    }

    /// Performs an Identify command (5.15), for the structure `cns`.
    ///
    /// # Errors
    ///
    /// As [`perform`](Self::perform).
    pub fn identify(&mut self, cns: u32, nsid: u32) -> Result<Vec<u8>> {
        self.perform(&Command::new(IDENTIFY, nsid, self.data).with(10, cns))?;
        let mut page = vec![0; 4096];
        self.admin.memory().read(self.data, &mut page);
        Ok(page)
    }

    /// Returns the size of a namespace.
    ///
    /// # Errors
    ///
    /// As [`perform`](Self::perform).
    pub fn namespace(&mut self, nsid: u32) -> Result<Namespace> {
        let page = self.identify(0, nsid)?;
        let blocks = page[..8].iter().rev().fold(0, |blocks, byte| blocks << 8 | u64::from(*byte));
        // The format in use: its LBA data size.
        let format = usize::from(page[26] & 0xf);
        Ok(Namespace { nsid, blocks, block: 1 << page[128 + 4 * format + 2] })
    }

    /// Creates an I/O queue pair of `size` entries.
    ///
    /// # Errors
    ///
    /// As [`perform`](Self::perform).
    pub fn create_queues(&mut self, id: u16, size: u16) -> Result<QueuePair> {
        let queues = QueuePair::new(self.admin.memory(), self.bells.clone(), id, size);
        let [submission, completion] = queues.addresses();
        let place = u32::from(size - 1) << 16 | u32::from(id);
        // Contiguous, without interrupts.
        self.perform(&Command::new(CREATE_CQ, 0, completion).with(10, place).with(11, 1))?;
        let with_cq = u32::from(id) << 16 | 1;
        self.perform(&Command::new(CREATE_SQ, 0, submission).with(10, place).with(11, with_cq))?;
        Ok(queues)
    }
}
