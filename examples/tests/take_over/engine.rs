//! The DMA engine is handed over while it copies.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use vfio_user::EventFd;
use vfio_user::client::{AttachOptions, Client};
use vfio_user::protocol::{IrqIndex, RegionIndex};
use vfio_user_tests::PATIENCE;
use vfio_user_tests::nvme::Memory;

use vfio_user_tests::generations::Generations;

const ENGINE: &str = env!("CARGO_BIN_EXE_dma-engine");
const UPGRADES: u32 = 100;

/// Registers of the engine.
const RING: u64 = 0x00;
const ENTRIES: u64 = 0x08;
const TAIL: u64 = 0x0c;
const HEAD: u64 = 0x10;
const FAILURES: u64 = 0x14;

const COMMAND: u64 = 0x04;
const BUS_MASTER: u16 = 6;
const DESCRIPTOR: u64 = 24;
const COUNT: u32 = 16;
const LEN: u32 = 8 << 10;

/// A driver of the engine: it copies blocks, and checks each copy.
struct Driver {
    client: Arc<Client>,
    memory: Memory,
    interrupt: EventFd,
    ring: u64,
    /// The source and the target of each descriptor.
    blocks: Vec<[u64; 2]>,
    submitted: u64,
    interrupts: u64,
}

impl Driver {
    fn attach(socket: &Path) -> Self {
        let options = AttachOptions { timeout: PATIENCE, patience: PATIENCE };
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
    fn round(&mut self) {
        let client = Arc::clone(&self.client);
        let bar = client.region(RegionIndex::Bar0);
        let first = bar.read::<u32>(HEAD).unwrap();
        let numbers: Vec<_> = (0..COUNT - 1).map(|n| (first + n) % COUNT).collect();
        for number in &numbers {
            self.prepare(*number);
        }
        let tail = (first + COUNT - 1) % COUNT;
        bar.write(TAIL, tail).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while bar.read::<u32>(HEAD).unwrap() != tail {
            assert!(Instant::now() < deadline, "the engine has stopped");
            let waited = self.interrupt.wait(Duration::from_millis(1)).unwrap();
            self.interrupts += waited.unwrap_or(0);
        }
        for number in numbers {
            self.check(number);
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
    fn finish(mut self) {
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

/// Reads a register again and again, and returns the longest times, in the end.
fn poll(client: &Client, is_over: &AtomicBool, longest: &AtomicU64) {
    while !is_over.load(Ordering::Relaxed) {
        let start = Instant::now();
        client.region(RegionIndex::Bar0).read::<u32>(ENTRIES).unwrap();
        let micros = u64::try_from(start.elapsed().as_micros()).unwrap();
        longest.fetch_max(micros, Ordering::Relaxed);
    }
}

/// Ends the threads of a test, also if it fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn an_engine_that_copies_is_handed_over_100_times() {
    let mut programs = Generations::start(ENGINE, &[]);
    let mut driver = Driver::attach(&programs.socket());
    let (is_over, longest) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut pauses = Vec::new();
    let client = Arc::clone(&driver.client);
    thread::scope(|scope| {
        let _over = Over(&is_over);
        scope.spawn(|| poll(&client, &is_over, &longest));
        let load = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                driver.round();
            }
        });
        for _ in 0..UPGRADES {
            longest.store(0, Ordering::Relaxed);
            programs.upgrade();
            pauses.push(longest.load(Ordering::Relaxed));
            assert!(!load.is_finished());
        }
    });
    pauses.sort_unstable();
    let at = |percent: usize| pauses[(pauses.len() - 1) * percent / 100];
    println!(
        "{} copies; longest read of a register, in us: {} at least, {} median, {} at most",
        driver.submitted,
        at(0),
        at(50),
        at(100)
    );
    drop(client);
    driver.finish();
    // Others reach the program that listens now.
    drop(Driver::attach(&programs.socket()));
}

#[test]
fn programs_that_are_killed_while_they_take_over_leave_the_engine_where_it_is() {
    let mut programs = Generations::start(ENGINE, &[]);
    let mut driver = Driver::attach(&programs.socket());
    let (mut before, mut after) = (0, 0);
    for delay in (0..60).map(Duration::from_millis) {
        let mut successor = programs.spawn();
        let start = Instant::now();
        while start.elapsed() < delay {
            driver.round();
        }
        successor.kill().unwrap();
        successor.wait().unwrap();
        if driver.client.region(RegionIndex::Bar0).read::<u32>(HEAD).is_ok() {
            driver.round();
            before += 1;
        } else {
            // It had taken over, so the client was its own.
            programs.expect_end();
            programs = Generations::start(ENGINE, &[]);
            driver = Driver::attach(&programs.socket());
            after += 1;
        }
    }
    println!("{before} programs were killed before they had taken over, {after} after that");
    programs.upgrade();
    driver.round();
    driver.finish();
    assert!(before > 0);
}
