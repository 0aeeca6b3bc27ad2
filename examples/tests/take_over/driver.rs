//! A driver of the DMA engine.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use vfio_user::client::{AttachOptions, Client};
use vfio_user::protocol::{IrqIndex, RegionIndex};
use vfio_user::{EventFd, Result};
use vfio_user_tests::PATIENCE;
use vfio_user_tests::nvme::Memory;

/// Registers of the engine.
const RING: u64 = 0x00;
pub(crate) const ENTRIES: u64 = 0x08;
const TAIL: u64 = 0x0c;
pub(crate) const HEAD: u64 = 0x10;
const FAILURES: u64 = 0x14;

const COMMAND: u64 = 0x04;
const BUS_MASTER: u16 = 6;
const DESCRIPTOR: u64 = 24;
const COUNT: u32 = 16;
const LEN: u32 = 8 << 10;

/// A driver of the engine: it copies blocks, and checks each copy.
pub(crate) struct Driver {
    pub(crate) client: Arc<Client>,
    memory: Memory,
    interrupt: EventFd,
    ring: u64,
    /// The source and the target of each descriptor.
    blocks: Vec<[u64; 2]>,
    pub(crate) submitted: u64,
    interrupts: u64,
}

impl Driver {
    pub(crate) fn attach(socket: &Path) -> Self {
        let options =
            AttachOptions { timeout: PATIENCE, patience: PATIENCE, ..AttachOptions::default() };
        let client = Arc::new(Client::attach_with(socket, options).unwrap());
        client.region(RegionIndex::Config).write(COMMAND, BUS_MASTER).unwrap();
        let memory = Memory::new(1 << 20).unwrap();
        memory.share(&client).unwrap();
        let interrupt = EventFd::new().unwrap();
        client.set_irqs(IrqIndex::Msix, 0, &[Some(&interrupt)]).unwrap();
        let ring = memory.allocate(DESCRIPTOR * u64::from(COUNT));
        let allocate = || memory.allocate(LEN.into());
        let blocks = (0..COUNT).map(|_| [allocate(), allocate()]).collect();
        let bar = client.region(RegionIndex::Bar0);
        bar.write(RING, ring).unwrap();
        bar.write(ENTRIES, COUNT).unwrap();
        Driver { client, memory, interrupt, ring, blocks, submitted: 0, interrupts: 0 }
    }

    /// Has all blocks but one copied, and checks that each is copied once.
    pub(crate) fn round(&mut self) {
        let numbers = self.submit();
        self.complete(&numbers);
    }

    /// Submits all blocks but one. The engine has to be idle. Returns the numbers of the blocks.
    pub(crate) fn submit(&mut self) -> Vec<u32> {
        self.try_submit().unwrap()
    }

    /// As [`submit`](Self::submit), to a program that may be killed meanwhile.
    pub(crate) fn try_submit(&mut self) -> Result<Vec<u32>> {
        let client = Arc::clone(&self.client);
        let bar = client.region(RegionIndex::Bar0);
        let first = bar.read::<u32>(HEAD)?;
        let numbers: Vec<_> = (0..COUNT - 1).map(|n| (first + n) % COUNT).collect();
        for number in &numbers {
            self.prepare(*number);
        }
        bar.write(TAIL, (first + COUNT - 1) % COUNT)?;
        Ok(numbers)
    }

    /// Waits until these blocks are copied, and checks that each is copied once.
    pub(crate) fn complete(&mut self, numbers: &[u32]) {
        let client = Arc::clone(&self.client);
        let bar = client.region(RegionIndex::Bar0);
        let Some(tail) = numbers.last().map(|last| (last + 1) % COUNT) else { return };
        let deadline = Instant::now() + PATIENCE;
        while bar.read::<u32>(HEAD).unwrap() != tail {
            assert!(Instant::now() < deadline, "the engine has stopped");
            let waited = self.interrupt.wait(Duration::from_millis(1)).unwrap();
            self.interrupts += waited.unwrap_or(0);
        }
        for number in numbers {
            self.check(*number);
        }
    }

    fn prepare(&mut self, number: u32) {
        self.submitted += 1;
        let [source, target] = self.blocks[number as usize];
        self.memory.write(source, &pattern(self.submitted));
        let words = [source, target, u64::from(LEN)].map(u64::to_le_bytes);
        self.memory.write(self.ring + DESCRIPTOR * u64::from(number), words.as_flattened());
    }

    fn check(&self, number: u32) {
        let [source, target] = self.blocks[number as usize];
        let (mut sent, mut copy) = (vec![0; LEN as usize], vec![0; LEN as usize]);
        self.memory.read(source, &mut sent);
        self.memory.read(target, &mut copy);
        assert!(sent == copy, "descriptor {number}");
        let mut status = [0; 4];
        self.memory.read(self.ring + DESCRIPTOR * u64::from(number) + 20, &mut status);
        assert_eq!(u32::from_le_bytes(status), 1, "descriptor {number}");
        // A second copy would be seen in the end.
        self.memory.write(target, &vec![0xdd; LEN as usize]);
    }

    /// Checks that each descriptor was reported once, and copied once.
    pub(crate) fn finish(mut self) {
        let client = Arc::clone(&self.client);
        let bar = client.region(RegionIndex::Bar0);
        while self.interrupts < self.submitted {
            let waited = self.interrupt.wait(PATIENCE).unwrap();
            self.interrupts += waited.expect("an interrupt for each descriptor");
        }
        thread::sleep(Duration::from_millis(50));
        self.interrupts += self.interrupt.take().unwrap_or(0);
        assert_eq!(self.interrupts, self.submitted);
        assert_eq!(bar.read::<u32>(FAILURES).unwrap(), 0);
        let last = bar.read::<u32>(HEAD).unwrap();
        for number in (0..COUNT - 1).map(|n| (last + 1 + n) % COUNT) {
            let mut target = vec![0; LEN as usize];
            self.memory.read(self.blocks[number as usize][1], &mut target);
            assert!(target.iter().all(|byte| *byte == 0xdd), "{number} was copied twice");
        }
    }
}

fn pattern(number: u64) -> Vec<u8> {
    number.to_le_bytes().repeat(LEN as usize / 8)
}
