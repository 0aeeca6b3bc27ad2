//! The NVMe controller is handed over with commands under way.

use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;
use vfio_user_tests::PATIENCE;
use vfio_user_tests::nvme::{
    Command, Completion, Controller, Direction, Memory, QueuePair, SglDescriptor,
};

use vfio_user_tests::generations::Generations;

const NVME: &str = env!("CARGO_BIN_EXE_nvme");
const UPGRADES: u32 = 100;
const ENTRIES: u16 = 32;
/// Commands under way.
const DEPTH: u16 = ENTRIES - 1;
const LEN: u32 = 64 << 10;
/// Parts of the namespace: more than commands under way, so no two of them write the same one.
const PLACES: u64 = 37;

/// A guest that writes parts of a namespace, each with the number of its command at both ends.
struct Guest {
    memory: Arc<Memory>,
    queues: QueuePair,
    /// The data of each command identifier.
    data: Vec<u64>,
    /// The number of the command that is under way with each identifier.
    under_way: Vec<Option<u64>>,
    submitted: u64,
    completed: u64,
}

impl Guest {
    fn new(memory: &Arc<Memory>, queues: QueuePair) -> Self {
        let data = (0..DEPTH).map(|_| memory.allocate(LEN.into())).collect();
        let (memory, under_way) = (Arc::clone(memory), vec![None; DEPTH.into()]);
        Guest { memory, queues, data, under_way, submitted: 0, completed: 0 }
    }

    /// Takes the completions that there are, and submits as many commands.
    fn turn(&mut self) {
        self.take();
        let free = (0..DEPTH).filter(|id| self.under_way[usize::from(*id)].is_none());
        for id in free.collect::<Vec<_>>() {
            let (number, data) = (self.submitted, self.data[usize::from(id)]);
            for end in [data, data + u64::from(LEN) - 8] {
                self.memory.write(end, &number.to_le_bytes());
            }
            let place = (number % PLACES * u64::from(LEN / 512), LEN / 512);
            let write = Command::transfer(Direction::Write, 1, place, [0, 0]);
            self.queues.submit(&write.with_sgl(SglDescriptor::Data(data, LEN)).with_id(id));
            self.under_way[usize::from(id)] = Some(number);
            self.submitted += 1;
        }
        self.queues.ring().unwrap();
        self.queues.release().unwrap();
    }

    /// Takes the completions that there are, each of a command that is under way. Returns how many
    /// commands are left.
    fn take(&mut self) -> u64 {
        while let Some(done) = self.queues.poll() {
            let Completion { id, status, .. } = done;
            assert_eq!(status, 0, "{done:?}");
            let number = self.under_way[usize::from(id)].take();
            assert!(number.is_some(), "{id} is completed twice");
            self.completed += 1;
        }
        self.submitted - self.completed
    }

    /// Waits for the completion of every command, and checks what is written.
    fn finish(mut self, disk: &NamedTempFile) {
        let deadline = Instant::now() + PATIENCE;
        while self.take() > 0 {
            assert!(Instant::now() < deadline, "lost: {:?}", self.under_way);
        }
        thread::sleep(Duration::from_millis(50));
        assert_eq!(self.queues.poll(), None, "no other completion follows");
        for number in self.submitted - PLACES..self.submitted {
            let start = number % PLACES * u64::from(LEN);
            for end in [start, start + u64::from(LEN) - 8] {
                let mut word = [0; 8];
                disk.as_file().read_exact_at(&mut word, end).unwrap();
                assert_eq!(u64::from_le_bytes(word), number);
            }
        }
    }
}

#[test]
fn a_controller_with_commands_under_way_is_handed_over_100_times() {
    let disk = NamedTempFile::new().unwrap();
    disk.as_file().set_len(PLACES * u64::from(LEN)).unwrap();
    let mut programs = Generations::start(NVME, &[&format!("--disk={}", disk.path().display())]);
    let memory = Arc::new(Memory::new(16 << 20).unwrap());
    let mut controller = Controller::attach(&programs.socket(), &memory).unwrap();
    let queues = controller.create_queues(1, ENTRIES).unwrap();
    let mut guest = Guest::new(&memory, queues);
    for _ in 0..UPGRADES {
        let before = guest.completed;
        programs.upgrade_while(|| guest.turn());
        assert!(guest.completed > before);
    }
    println!("{} commands", guest.submitted);
    guest.finish(&disk);
}
