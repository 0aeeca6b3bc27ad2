//! Commands whose transfers are under way.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::thread;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use nix::libc;
use nix::sys::statfs::{FsType, TMPFS_MAGIC, fstatfs};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

use super::*;
use crate::queues::Kind;

const MIB: u64 = 1 << 20;
/// Pages that the storage has.
const COLD: u64 = 3 * MIB;
const ROUNDS: u32 = 50;
/// From `linux/magic.h`.
const RAMFS_MAGIC: i64 = 0x8584_58f6;
/// What takes the place of memory while a command could change it.
const UNTOUCHED: u8 = 0xee;

/// A namespace that is a file, beside the executable: folders for temporary files may have no
/// storage. A second one is memory.
fn with_file() -> (File, Arc<Subsystem>) {
    let folder = std::env::current_exe().unwrap();
    let file = tempfile::tempfile_in(folder.parent().unwrap()).unwrap();
    file.write_all_at(&vec![7; 4 << 20], 0).unwrap();
    file.sync_all().unwrap();
    let disks =
        vec![Disk::from_file(file.try_clone().unwrap(), 4 * MIB), Disk::memory(1 << 20).unwrap()];
    (file, Arc::new(Subsystem { serial: "A7".into(), disks }))
}

/// Checks that transfers were under way, if the file has storage: memory never lets them wait.
fn assert_seen(seen: bool, file: &File) {
    let kind = fstatfs(file).unwrap().filesystem_type();
    if [TMPFS_MAGIC, FsType(RAMFS_MAGIC)].contains(&kind) {
        eprintln!(
            "*** SKIPPED: the executable lies in memory, so no transfer is under way for long"
        );
    } else {
        assert!(seen);
    }
}

/// Makes the system read the first part of the file from the storage again.
fn chill(file: &File) {
    posix_fadvise(file, 0, COLD.cast_signed(), PosixFadviseAdvice::POSIX_FADV_DONTNEED).unwrap();
}

/// A read of 512 KiB, all of whose pages are one page of memory.
fn cold(cid: u16) -> Command {
    let mut read = transfer(nvm::READ, u32::from(cid) * 1024, 1024, (DATA, LIST));
    read.cid = cid.into();
    read
}

impl Driver {
    /// Submits commands and rings once. The queue and its completions start at its first entries.
    fn submit_all(&mut self, queue: &mut Queue, commands: &[Command]) {
        self.nvme.write_memory(IO[1], &[0; 0x100]);
        self.nvme.write_memory(IO[0], commands.as_bytes());
        queue.tail = u16::try_from(commands.len()).unwrap();
        self.ring(2, queue.tail);
    }

    /// Submits four reads of pages that the storage has, and waits until all are fetched.
    fn submit_cold(&mut self, file: &File, queue: &mut Queue) {
        chill(file);
        self.submit_all(queue, &[0, 1, 2, 3].map(cold));
        let is_fetched = |driver: &Driver| {
            let queues = driver.nvme.device().queues();
            queues.queue(1, Kind::Submission).is_some_and(|sq| sq.ring.device_index() == 4)
        };
        self.wait_until(is_fetched);
    }

    fn wait_until(&self, is_so: impl Fn(&Driver) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < deadline);
            thread::yield_now();
        }
    }

    fn under_way(&self) -> u32 {
        let queues = self.nvme.device().queues();
        queues.common.transfers.count(Kind::Submission.doorbell(1))
    }

    /// Returns the identifiers of the commands that are completed, in their order.
    fn completed(&self) -> Vec<u16> {
        let mut entries = [0; 0x80];
        self.nvme.read_memory(IO[1], &mut entries);
        let entries = <[Completion; 8]>::read_from_bytes(&entries).unwrap();
        let new = entries.iter().take_while(|entry| entry.status.get() & 1 == 1);
        assert!(new.clone().all(|entry| entry.status.get() == 1), "{entries:?}");
        new.map(|entry| entry.cid.get()).collect()
    }

    /// Checks that the controller leaves memory as it is.
    fn assert_quiet(&self) {
        let before = self.completed();
        self.nvme.write_memory(DATA, &[UNTOUCHED; 0x2000]);
        thread::sleep(Duration::from_millis(2));
        assert_eq!(self.completed(), before);
        let mut data = [0; 0x2000];
        self.nvme.read_memory(DATA, &mut data);
        assert!(data == [UNTOUCHED; 0x2000]);
    }

    fn with_list(subsystem: Arc<Subsystem>, polls: bool) -> Self {
        let driver = Driver::with(subsystem, polls);
        let pages: Vec<u8> = (0..128).flat_map(|_| (DATA + 0x1000).to_le_bytes()).collect();
        driver.nvme.write_memory(LIST, &pages);
        driver
    }

    fn delete_io_queue(&mut self, admin: &mut Queue) {
        for opcode in [admin::DELETE_SQ, admin::DELETE_CQ] {
            let mut delete = command(opcode, 0, 0);
            delete.cdw10 = 1.into();
            self.succeed(admin, &delete);
        }
    }
}

#[test]
fn a_command_that_waits_for_the_storage_holds_up_no_other_one() {
    for polls in [false, true] {
        let (file, subsystem) = with_file();
        let mut driver = Driver::with_list(subsystem, polls);
        let mut admin = Queue::default();
        let mut warm = transfer(nvm::READ, 7000, 8, (DATA, 0));
        let mut memory = Command { nsid: 2.into(), ..transfer(nvm::READ, 0, 8, (DATA, 0)) };
        (warm.cid, memory.cid) = (1.into(), 2.into());
        // The storage can be so fast that the system has its pages when it is asked for the others.
        let is_overtaken = |_| {
            let mut io = driver.create_io_queue(&mut admin);
            chill(&file);
            driver.submit_all(&mut io, &[cold(0), warm.clone(), memory.clone()]);
            driver.wait_until(|driver| driver.completed().len() == 3);
            driver.delete_io_queue(&mut admin);
            driver.completed() == [2, 1, 0]
        };
        assert_seen((0..ROUNDS).any(is_overtaken), &file);
    }
}

#[test]
fn completions_of_commands_that_are_under_way_have_room() {
    let (file, subsystem) = with_file();
    let mut driver = Driver::with_list(subsystem, false);
    let mut admin = Queue::default();
    for _ in 0..20 {
        let mut create = command(admin::CREATE_CQ, 0, IO[1]);
        (create.cdw10, create.cdw11) = (0x0002_0001.into(), 0x0001_0003.into());
        driver.succeed(&mut admin, &create);
        create.opcode = admin::CREATE_SQ;
        create.prp1 = IO[0].into();
        (create.cdw10, create.cdw11) = (0x0007_0001.into(), 0x0001_0001.into());
        driver.succeed(&mut admin, &create);
        chill(&file);
        driver.submit_all(&mut Queue::default(), &[0, 1, 2, 3, 4, 5].map(cold));
        let mut all = Vec::new();
        for (before, head) in [(0, 2), (2, 1), (1, 0)] {
            driver.wait_until(|driver| {
                let queues = driver.nvme.device().queues();
                let cq = queues.queue(1, Kind::Completion).unwrap();
                let under_way = queues.common.transfers.count(Kind::Completion.doorbell(1));
                (cq.ring.driver_index(), cq.ring.room(), under_way) == (before, 0, 0)
            });
            let mut entries = [0; 0x30];
            driver.nvme.read_memory(IO[1], &mut entries);
            let entries = <[Completion; 3]>::read_from_bytes(&entries).unwrap();
            all.extend([1, 2].map(|at| entries[usize::from(head + at) % 3].cid.get()));
            driver.ring(3, head);
        }
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4, 5]);
        driver.delete_io_queue(&mut admin);
    }
}

#[test]
fn a_queue_is_deleted_after_its_commands_are_completed() {
    let (file, subsystem) = with_file();
    let mut driver = Driver::with_list(subsystem, false);
    let mut admin = Queue::default();
    let mut busy = 0;
    for _ in 0..ROUNDS {
        let mut io = driver.create_io_queue(&mut admin);
        driver.submit_cold(&file, &mut io);
        busy += driver.under_way();
        driver.delete_io_queue(&mut admin);
        assert_eq!(driver.completed().len(), 4);
        driver.assert_quiet();
    }
    assert_seen(busy > 0, &file);
}

#[test]
fn a_controller_that_was_reset_is_ready_until_no_transfer_is_left() {
    for polls in [false, true] {
        let (file, subsystem) = with_file();
        let mut driver = Driver::with_list(subsystem, polls);
        let mut is_late = false;
        for _ in 0..ROUNDS {
            let mut io = driver.create_io_queue(&mut Queue::default());
            driver.submit_cold(&file, &mut io);
            driver.nvme.write(0, 0x14, 0x0046_0000_u32);
            let deadline = Instant::now() + PATIENCE;
            while driver.nvme.read::<u32>(0, 0x1c) == 1 {
                assert!(Instant::now() < deadline);
                is_late = true;
            }
            driver.assert_quiet();
            driver.enable();
        }
        assert_seen(is_late, &file);
        let mut io = driver.create_io_queue(&mut Queue::default());
        driver.succeed(&mut io, &transfer(nvm::READ, 0, 8, (DATA, 0)));
    }
}

#[test]
fn a_shutdown_completes_commands_first() {
    let (file, subsystem) = with_file();
    let mut driver = Driver::with_list(subsystem, false);
    for _ in 0..20 {
        let mut io = driver.create_io_queue(&mut Queue::default());
        driver.submit_cold(&file, &mut io);
        driver.nvme.write(0, 0x14, 0x0046_4001_u32);
        assert_eq!(driver.nvme.read::<u32>(0, 0x1c) >> 2, 2, "shut down");
        assert_eq!(driver.completed().len(), 4);
        assert!(driver.nvme.take_irq(1) > 0, "a stop may be next, after which none is raised");
        driver.nvme.write(0, 0x14, 0x0046_0000_u32);
        driver.enable();
    }
}

#[test]
fn commands_that_are_under_way_are_completed_before_the_state_is_saved() {
    for polls in [false, true] {
        let (file, subsystem) = with_file();
        let mut source = Driver::with_list(Arc::clone(&subsystem), polls);
        let mut target = Driver::with_list(subsystem, polls);
        let mut busy = 0;
        for _ in 0..ROUNDS {
            let mut io = source.create_io_queue(&mut Queue::default());
            source.submit_cold(&file, &mut io);
            busy += source.under_way();
            let state = source.nvme.save();
            let mut completed = source.completed();
            completed.sort_unstable();
            assert_eq!(completed, [0, 1, 2, 3]);
            target.nvme.copy_memory(&source.nvme);
            target.nvme.load(&state).unwrap();
            io.head = 4;
            target.succeed(&mut io, &transfer(nvm::READ, 0, 8, (DATA, 0)));
            for driver in [&mut source, &mut target] {
                driver.nvme.write(0, 0x14, 0x0046_0000_u32);
                driver.enable();
            }
        }
        assert_seen(busy > 0, &file);
    }
}

fn with_path(path: &str) -> Driver {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let disks = vec![Disk::from_file(file, MIB)];
    Driver::with(Arc::new(Subsystem { serial: "A7".into(), disks }), false)
}

#[test]
fn transfers_that_fail_fail_their_commands() {
    // It can be neither flushed, nor read behind its end.
    let mut driver = with_path("/proc/self/comm");
    assert!(driver.nvme.device().queues().common.transfers.has(0));
    let mut io = driver.create_io_queue(&mut Queue::default());
    driver.fail(&mut io, &command(nvm::FLUSH, 1, 0), Status::WRITE_FAULT);
    driver.fail(&mut io, &transfer(nvm::READ, 1, 1, (DATA, 0)), Status::UNRECOVERED_READ);
}

#[test]
fn writes_are_flushed_when_the_guest_wants_it() {
    // It takes every write, and cannot be flushed.
    let mut driver = with_path("/dev/zero");
    let mut admin = Queue::default();
    let mut io = driver.create_io_queue(&mut admin);
    let write = transfer(nvm::WRITE, 0, 1, (DATA, 0));
    driver.succeed(&mut io, &write);
    let mut forced = write.clone();
    forced.cdw12 = (1 << 30).into();
    driver.fail(&mut io, &forced, Status::WRITE_FAULT);
    let mut cache = command(admin::SET_FEATURES, 0, 0);
    cache.cdw10 = 6.into();
    driver.fail(&mut admin, &cache, Status::WRITE_FAULT);
    driver.fail(&mut io, &write, Status::WRITE_FAULT);
    cache.cdw11 = 1.into();
    driver.succeed(&mut admin, &cache);
    driver.succeed(&mut io, &write);
}

#[test]
fn without_io_uring_commands_wait_for_the_file() {
    let denied = thread::spawn(|| {
        let rules = [(libc::SYS_io_uring_setup, Vec::new())].into_iter().collect();
        let error = SeccompAction::Errno(libc::EPERM.cast_unsigned());
        let processor = std::env::consts::ARCH.try_into().unwrap();
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, error, processor).unwrap();
        apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
        let (_, subsystem) = with_file();
        let mut driver = Driver::with_list(subsystem, false);
        assert!(!driver.nvme.device().queues().common.transfers.has(0));
        let mut io = driver.create_io_queue(&mut Queue::default());
        driver.nvme.write_memory(DATA, &[9; 0x1000]);
        driver.succeed(&mut io, &transfer(nvm::WRITE, 0, 8, (DATA, 0)));
        driver.nvme.write_memory(DATA, &[0; 0x1000]);
        driver.succeed(&mut io, &command(nvm::FLUSH, 1, 0));
        driver.succeed(&mut io, &transfer(nvm::READ, 0, 8, (DATA, 0)));
        let mut data = [0; 0x1000];
        driver.nvme.read_memory(DATA, &mut data);
        assert_eq!(data, [9; 0x1000]);
    });
    denied.join().unwrap();
}
