//! A controller moves between two servers while commands are under way.

use std::ops::ControlFlow::Continue;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;
use vfio_user::client::{Client, Migration, MigrationProgress};
use vfio_user_tests::PATIENCE;
use vfio_user_tests::nvme::{
    Command, Completion, Controller, Direction, Doorbells, Memory, QueuePair, SglDescriptor, Shadow,
};
use vfio_user_tests::vm::Program;

use crate::{NVME, attach};

const MIGRATIONS: usize = 100;
const ENTRIES: u16 = 32;
/// Commands under way.
const DEPTH: u16 = ENTRIES - 1;
/// Bytes of a command: all that are under way take the controller more than one turn.
const LEN: u32 = 256 << 10;
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
    fn new(memory: Arc<Memory>, queues: QueuePair) -> Self {
        let data = (0..DEPTH).map(|_| memory.allocate(LEN.into())).collect();
        let under_way = vec![None; DEPTH.into()];
        Guest { memory, queues, data, under_way, submitted: 0, completed: 0 }
    }

    /// Submits a command with each identifier that is free.
    fn submit(&mut self) {
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

/// How the guest rings.
enum Bells {
    Registers,
    Shadow(Arc<Shadow>),
}

impl Bells {
    fn of(&self, client: &Arc<Client>) -> Doorbells {
        let registers = Doorbells::of(client).unwrap();
        match self {
            Bells::Registers => registers,
            Bells::Shadow(shadow) => Doorbells::Shadow(shadow.with_registers(registers).into()),
        }
    }
}

/// Moves a controller to and fro, with commands under way each time.
fn migrate(arguments: &[&str], share: impl FnOnce(&mut Controller) -> Bells) {
    let disk = NamedTempFile::new().unwrap();
    disk.as_file().set_len(PLACES * u64::from(LEN)).unwrap();
    let file = format!("--disk={}", disk.path().display());
    let arguments = [&[&file[..]], arguments].concat();
    let servers = [(); 2].map(|()| Program::start(Path::new(NVME), &arguments));
    let (memory, mut controller) = attach(&servers[0], 16 << 20);
    let bells = share(&mut controller);
    let other = Arc::new(Client::attach(servers[1].socket()).unwrap());
    memory.share(&other).unwrap();
    let clients = [Arc::clone(controller.client()), other];
    let queues = controller.create_queues(1, ENTRIES).unwrap();
    let mut guest = Guest::new(memory, queues);
    let mut moved = 0;
    for number in 0..MIGRATIONS {
        let (from, to) = (number % 2, (number + 1) % 2);
        let migration = Migration::new(&clients[from], &clients[to]).rounds(1);
        let mut is_running = true;
        let report = migration.run(|progress| {
            if matches!(progress, MigrationProgress::Round { number: None, .. }) {
                // The source is stopped, and so is the guest.
                is_running = false;
                moved += guest.take();
            } else if is_running {
                guest.take();
                guest.submit();
            }
            Continue(())
        });
        assert_eq!(report.unwrap().rounds, 1);
        guest.queues.set_doorbells(bells.of(&clients[to]));
        guest.queues.release().unwrap();
    }
    println!("{} commands, {moved} of them completed by the destination", guest.submitted);
    assert!(moved > 100);
    guest.finish(&disk);
}

#[test]
fn every_command_is_completed_once_over_100_migrations() {
    migrate(&[], |_| Bells::Registers);
}

#[test]
fn every_command_is_completed_once_over_100_migrations_of_a_controller_that_polls() {
    migrate(&["--poll"], |_| Bells::Registers);
}

#[test]
fn every_command_is_completed_once_over_100_migrations_with_doorbells_in_memory() {
    migrate(&[], |controller| Bells::Shadow(controller.share_doorbells().unwrap()));
}
