//! A worker whose transfers are under way between its turns.

use std::fs::File;
use std::mem;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use vfio_user::serde::{Deserialize, Serialize};
use vfio_user::{
    Cx, Device, DmaGuard, FileQueue, PciDevice, ResetKind, Resumed, Virtual, Work, WorkCx, Worker,
};
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve::{self, Running};
use vfio_user_tests::wire::{self, command, dma};
use vfio_user_tests::{PATIENCE, files};

const PAGE: u64 = 0x1000;
/// Bytes of a chunk of the disk: so many that its transfer does not end at once.
const CHUNK: u64 = 2 << 20;
const CHUNKS: u32 = 16;
const MEMORY: u64 = PAGE + CHUNK * CHUNKS as u64;

/// Copies chunks of a disk to the memory after the first page, and counts them in that page: each
/// word is how often its chunk was loaded.
#[derive(Default, Serialize, Deserialize)]
#[serde(crate = "vfio_user::serde")]
struct Chunks {
    next: u32,
    end: u32,
    #[serde(skip)]
    under_way: u32,
    /// Whether the next drain takes nothing, as if everything were still under way.
    #[serde(skip)]
    drains_late: bool,
    #[serde(skip)]
    queue: Option<FileQueue<(u32, DmaGuard)>>,
}

impl Chunks {
    /// Returns whether there was anything.
    fn take_finished(&mut self, cx: &WorkCx) -> bool {
        let Some(queue) = &mut self.queue else { return false };
        let mut count = 0;
        while let Some(((chunk, counts), done)) = queue.take_finished() {
            count += 1;
            let at = 4 * u64::from(chunk);
            let counted = done.map_err(|error| error.is_interruption()).and_then(|()| {
                let count = counts.load::<u32>(at).map_err(|error| error.is_interruption())?;
                counts.store(at, count + 1).map_err(|error| error.is_interruption())
            });
            assert!(matches!(counted, Ok(()) | Err(true)), "{counted:?}");
        }
        self.under_way -= count;
        if count > 0 {
            cx.irq(0).raise();
        }
        count > 0
    }
}

impl Work for Chunks {
    fn turn(&mut self, cx: &WorkCx) -> bool {
        let any = self.take_finished(cx);
        let Some(queue) = &mut self.queue else { return false };
        let first = self.next;
        while self.next < self.end && queue.room() > 0 {
            let position = u64::from(self.next) * CHUNK;
            let len = usize::try_from(CHUNK).unwrap();
            let held = cx
                .dma()
                .map(0, 0x1000)
                .and_then(|counts| Ok((counts, cx.dma().map_writable(PAGE + position, len)?)));
            let Ok((counts, held)) = held else { break };
            queue.read(0, position, held, (self.next, counts)).unwrap();
            self.next += 1;
        }
        queue.submit().unwrap();
        self.under_way += self.next - first;
        any || self.next > first
    }

    fn drain(&mut self, cx: &WorkCx) -> bool {
        if mem::take(&mut self.drains_late) {
            return true;
        }
        self.take_finished(cx);
        self.under_way > 0
    }
}

#[derive(PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f9)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 1)]
struct Loader {
    /// Loads chunks below this one.
    #[reg(0, wo, write_with = Self::load)]
    end: Virtual<u32>,
    #[reg(4, ro, read_with = Self::under_way)]
    under_way: Virtual<u32>,
    chunks: Worker<Chunks>,
    #[migrate(skip)]
    disk: Arc<File>,
    /// Whether the worker polls, and nothing wakes it.
    #[migrate(skip)]
    polls: bool,
}

impl Loader {
    fn new(disk: &Arc<File>, polls: bool) -> Self {
        Loader {
            end: Virtual::default(),
            under_way: Virtual::default(),
            chunks: Worker::default(),
            disk: Arc::clone(disk),
            polls,
        }
    }

    fn load(&mut self, cx: &mut Cx<'_, Self>, end: u32) {
        self.chunks.state().end = end;
        self.run(cx);
    }

    fn run(&mut self, cx: &mut Cx<'_, Self>) {
        let mut state = self.chunks.state();
        let queue = state.queue.get_or_insert_with(|| FileQueue::new(&[&*self.disk], 4).unwrap());
        if self.polls {
            state.drains_late = true;
            drop(state);
            return self.chunks.run_polling(cx).unwrap();
        }
        self.chunks.wake_by(&*queue).unwrap();
        drop(state);
        self.chunks.run(cx).unwrap();
    }

    fn under_way(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        self.chunks.state().under_way
    }
}

impl Device for Loader {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        let mut state = self.chunks.state();
        (state.next, state.end) = (0, 0);
    }

    fn resume(&mut self, cx: &mut Cx<'_, Self>, _: Resumed) {
        self.run(cx);
    }
}

/// A disk that is not cached, whose chunks start with their numbers.
fn disk() -> Arc<File> {
    let disk = tempfile::tempfile().unwrap();
    for chunk in 0..CHUNKS {
        let number = (chunk + 1).to_le_bytes();
        disk.write_all_at(&number.repeat(1 << 19), u64::from(chunk) * CHUNK).unwrap();
    }
    disk.sync_all().unwrap();
    posix_fadvise(&disk, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).unwrap();
    Arc::new(disk)
}

fn setup() -> (Running, RawClient, File) {
    setup_with(false)
}

fn setup_with(polls: bool) -> (Running, RawClient, File) {
    let disk = disk();
    let (running, mut client) = serve::over_pair(move || Loader::new(&disk, polls));
    client.negotiate();
    client.write(wire::region::CONFIG, 4, &[6, 0]);
    let memory = files::memory(MEMORY);
    client.dma_map(dma::BOTH, 0, 0, MEMORY, Some(memory.as_fd())).ok();
    (running, client, memory)
}

/// States of a migration.
const STOP: u32 = 1;
const RUNNING: u32 = 2;

fn set_state(client: &mut RawClient, state: u32) {
    client.request(command::FEATURE, &wire::words(&[16, 0x2_0002, state, 0]), &[]).ok();
}

fn load(client: &mut RawClient, end: u32) {
    client.write(0, 0, &end.to_le_bytes());
}

fn words(memory: &File, at: u64, step: u64) -> Vec<u32> {
    let words = (0..CHUNKS).map(|chunk| {
        let mut word = [0; 4];
        memory.read_exact_at(&mut word, at + step * u64::from(chunk)).unwrap();
        u32::from_le_bytes(word)
    });
    words.collect()
}

#[track_caller]
fn wait_for_all(memory: &File) {
    let deadline = Instant::now() + PATIENCE;
    while words(memory, 0, 4).contains(&0) {
        assert!(Instant::now() < deadline, "{:?}", words(memory, 0, 4));
        thread::yield_now();
    }
    assert_eq!(words(memory, 0, 4), [1; CHUNKS as usize], "each chunk once");
    assert_eq!(words(memory, PAGE, CHUNK), (1..=CHUNKS).collect::<Vec<_>>());
}

#[test]
fn transfers_that_finish_wake_the_worker() {
    let (_running, mut client, memory) = setup();
    load(&mut client, CHUNKS);
    wait_for_all(&memory);
    assert_eq!(client.number(0, 4, 4), 0);
}

#[test]
fn a_stop_waits_for_transfers_under_way_which_are_completed() {
    let (_running, mut client, memory) = setup();
    for end in 1..=CHUNKS {
        load(&mut client, end);
        set_state(&mut client, STOP);
        let loaded = words(&memory, 0, 4);
        assert!(loaded.iter().all(|count| *count <= 1), "{loaded:?}");
        // Nothing is under way, and memory does not change any more.
        assert_eq!(client.number(0, 4, 4), 0);
        thread::yield_now();
        assert_eq!(words(&memory, 0, 4), loaded);
        set_state(&mut client, RUNNING);
    }
    wait_for_all(&memory);
}

/// The first drain after each stop leaves everything, and nothing wakes the worker later.
#[test]
fn a_stop_waits_for_transfers_of_a_worker_that_polls() {
    let (_running, mut client, memory) = setup_with(true);
    load(&mut client, CHUNKS);
    for _ in 0..4 {
        set_state(&mut client, STOP);
        assert_eq!(client.number(0, 4, 4), 0);
        set_state(&mut client, RUNNING);
    }
    wait_for_all(&memory);
}

#[test]
fn a_reset_waits_for_transfers_under_way() {
    let (_running, mut client, memory) = setup();
    for _ in 0..8 {
        load(&mut client, CHUNKS);
        client.request(command::RESET, &[], &[]).ok();
        let loaded = words(&memory, 0, 4);
        thread::yield_now();
        assert_eq!(words(&memory, 0, 4), loaded);
        client.write(wire::region::CONFIG, 4, &[6, 0]);
    }
    memory.write_all_at(&[0; 4 * CHUNKS as usize], 0).unwrap();
    load(&mut client, CHUNKS);
    wait_for_all(&memory);
}

#[test]
fn an_unmap_waits_for_transfers_under_way() {
    let (_running, mut client, memory) = setup();
    for _ in 0..8 {
        load(&mut client, CHUNKS);
        client.dma_unmap(0, 0, MEMORY).unwrap();
        let loaded = words(&memory, 0, 4);
        thread::yield_now();
        assert_eq!(words(&memory, 0, 4), loaded);
        client.dma_map(dma::BOTH, 0, 0, MEMORY, Some(memory.as_fd())).ok();
    }
    load(&mut client, CHUNKS);
    wait_for_all(&memory);
}

#[test]
fn a_client_that_leaves_and_one_that_comes_meanwhile() {
    let disk = disk();
    let running = Running::at_path(move || Loader::new(&disk, false));
    for turn in 0..4 {
        let mut client = running.client();
        client.request(command::RESET, &[], &[]).ok();
        client.write(wire::region::CONFIG, 4, &[6, 0]);
        let memory = files::memory(MEMORY);
        client.dma_map(dma::BOTH, 0, 0, MEMORY, Some(memory.as_fd())).ok();
        load(&mut client, CHUNKS);
        if turn == 3 {
            wait_for_all(&memory);
        }
    }
}
