//! A driver without a guest.

use std::sync::Arc;
use std::time::{Duration, Instant};

use vfio_user::zerocopy::{FromBytes, FromZeros, IntoBytes};
use vfio_user::{Bench, DoorbellValues, WorkState, device_tests};
use vfio_user_examples::Disk;

use crate::controller::Nvme;
use crate::queues::{QUEUES, Queues};
use crate::spec::{Command, Completion, Status, admin, nvm};
use crate::subsystem::Subsystem;

mod health;
mod sgl;
mod shadow;
mod under_way;
mod write_cache;

mod declaration {
    use super::*;

    device_tests!(Nvme, || Nvme::new(subsystem(), false), volatile = ["queues"]);
}

const PATIENCE: Duration = Duration::from_secs(10);
/// Guest memory: queues, an I/O queue pair, a list of pages, data.
const ADMIN: [u64; 2] = [0x1000, 0x2000];
const IO: [u64; 2] = [0x3000, 0x4000];
const LIST: u64 = 0x5000;
const DATA: u64 = 0x1_0000;
const SIZE: u16 = 8;

fn subsystem() -> Arc<Subsystem> {
    let disks = [4, 1].map(|mib| Disk::memory(mib << 20).unwrap()).into();
    Arc::new(Subsystem { serial: "A7".into(), disks })
}

impl Nvme {
    /// Returns the queues, between two turns of the worker.
    fn queues(&self) -> WorkState<'_, Queues> {
        self.queues.state()
    }

    /// Returns the doorbells that were rung by messages.
    fn bells(&self) -> &DoorbellValues {
        &self.bells
    }
}

/// A queue pair as its driver sees it.
#[derive(Default)]
struct Queue {
    id: u16,
    tail: u16,
    head: u16,
    phase: bool,
}

struct Driver {
    nvme: Bench<Nvme>,
    polls: bool,
}

impl Driver {
    fn new(polls: bool) -> Self {
        Self::with(subsystem(), polls)
    }

    fn with(subsystem: Arc<Subsystem>, polls: bool) -> Self {
        let nvme = Bench::new(Nvme::new(subsystem, polls)).unwrap();
        let mut driver = Driver { nvme, polls };
        driver.enable();
        driver
    }

    fn enable(&mut self) {
        let last = u32::from(SIZE) - 1;
        self.nvme.write(0, 0x24, last << 16 | last);
        self.nvme.write(0, 0x28, ADMIN[0]);
        self.nvme.write(0, 0x30, ADMIN[1]);
        self.nvme.write(0, 0x14, 0x0046_0001_u32);
        assert_eq!(self.nvme.read::<u32>(0, 0x1c), 1, "ready");
        for address in ADMIN.into_iter().chain(IO) {
            self.nvme.write_memory(address, &[0; 0x1000]);
        }
    }

    fn ring(&mut self, index: u16, value: u16) {
        let offset = 0x1000 + 4 * u64::from(index);
        if self.polls {
            self.nvme.shared(0).store(offset, u32::from(value)).unwrap();
        } else {
            self.nvme.write(0, offset, u32::from(value));
        }
    }

    /// Submits a command and waits for its completion.
    fn run(&mut self, queue: &mut Queue, command: &Command) -> Completion {
        self.submit(queue, command);
        let entry = self.next_entry(queue);
        assert_eq!(entry.cid, command.cid, "{command:?}");
        entry
    }

    fn submit(&mut self, queue: &mut Queue, command: &Command) {
        let [sq, _] = if queue.id == 0 { ADMIN } else { IO };
        self.nvme.write_memory(sq + 64 * u64::from(queue.tail), command.as_bytes());
        queue.tail = (queue.tail + 1) % SIZE;
        self.ring(2 * queue.id, queue.tail);
    }

    /// Waits for the next completion.
    fn next_entry(&mut self, queue: &mut Queue) -> Completion {
        let [_, cq] = if queue.id == 0 { ADMIN } else { IO };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut entry = [0; 16];
            self.nvme.read_memory(cq + 16 * u64::from(queue.head), &mut entry);
            let entry = Completion::read_from_bytes(&entry).unwrap();
            if entry.status.get() & 1 != u16::from(queue.phase) {
                queue.head = (queue.head + 1) % SIZE;
                queue.phase ^= queue.head == 0;
                self.ring(2 * queue.id + 1, queue.head);
                return entry;
            }
            assert!(Instant::now() < deadline, "no completion");
        }
    }

    #[track_caller]
    fn succeed(&mut self, queue: &mut Queue, command: &Command) -> u32 {
        let entry = self.run(queue, command);
        assert_eq!(entry.status.get() >> 1, 0, "{command:?}");
        entry.result.get()
    }

    #[track_caller]
    fn fail(&mut self, queue: &mut Queue, command: &Command, status: Status) {
        assert_eq!(self.run(queue, command).status.get() >> 1, status.field(), "{command:?}");
    }

    fn create_io_queue(&mut self, admin: &mut Queue) -> Queue {
        let size = u32::from(SIZE - 1) << 16 | 1;
        let mut create = command(admin::CREATE_CQ, 0, IO[1]);
        (create.cdw10, create.cdw11) = (size.into(), 0x0001_0003.into());
        self.succeed(admin, &create);
        let mut create = command(admin::CREATE_SQ, 0, IO[0]);
        (create.cdw10, create.cdw11) = (size.into(), 0x0001_0001.into());
        self.succeed(admin, &create);
        Queue { id: 1, ..Queue::default() }
    }
}

fn command(opcode: u8, nsid: u32, prp1: u64) -> Command {
    let mut command = Command::new_zeroed();
    (command.opcode, command.nsid, command.prp1) = (opcode, nsid.into(), prp1.into());
    command.cid = u16::from(opcode).wrapping_mul(77).into();
    command
}

/// A command for `count` blocks from `first` on.
fn transfer(opcode: u8, first: u32, count: u32, prp: (u64, u64)) -> Command {
    let mut command = command(opcode, 1, prp.0);
    command.prp2 = prp.1.into();
    (command.cdw10, command.cdw12) = (first.into(), (count - 1).into());
    command
}

#[test]
fn blocks_are_written_compared_and_read_by_every_kind_of_pages() {
    for polls in [false, true] {
        let mut driver = Driver::new(polls);
        let mut io = driver.create_io_queue(&mut Queue::default());
        let pattern: Vec<u8> = (0..0x3000_u32).map(|at| (at * 7 % 251) as u8).collect();
        driver.nvme.write_memory(DATA + 0x200, &pattern);
        // One page, two of them, a list.
        let pages: Vec<u8> = [1, 2, 3].map(|page| (DATA + page * 0x1000).to_le_bytes()).concat();
        driver.nvme.write_memory(LIST + 0x10, &pages);
        for (count, second) in [(7, 0), (8, DATA + 0x1000), (24, LIST + 0x10)] {
            let prp = (DATA + 0x200, second);
            driver.succeed(&mut io, &transfer(nvm::WRITE, 100, count, prp));
            driver.succeed(&mut io, &transfer(nvm::COMPARE, 100, count, prp));
            let len = 512 * count as usize;
            driver.nvme.write_memory(DATA + 0x200, &vec![0; len]);
            driver.fail(&mut io, &transfer(nvm::COMPARE, 100, count, prp), Status::COMPARE_FAILURE);
            driver.succeed(&mut io, &transfer(nvm::READ, 100, count, prp));
            let mut back = vec![0; len];
            driver.nvme.read_memory(DATA + 0x200, &mut back);
            assert!(back == pattern[..len], "{count} blocks");
        }
        driver.succeed(&mut io, &transfer(nvm::WRITE_ZEROES, 101, 2, (0, 0)));
        driver.succeed(&mut io, &transfer(nvm::READ, 100, 4, (DATA + 0x200, 0)));
        let mut back = vec![0; 0x800];
        driver.nvme.read_memory(DATA + 0x200, &mut back);
        let zeroed = [&pattern[..0x200], &[0; 0x400], &pattern[0x600..0x800]].concat();
        assert!(back == zeroed);
        assert!(driver.nvme.wait_irq(1, PATIENCE).is_ok());
    }
}

#[test]
fn what_a_guest_gets_wrong_is_a_status() {
    let mut driver = Driver::new(false);
    let mut admin = Queue::default();
    let mut io = driver.create_io_queue(&mut admin);
    let data = (DATA, 0);
    driver.fail(&mut io, &command(0x7f, 1, 0), Status::INVALID_OPCODE);
    driver.fail(&mut io, &command(nvm::FLUSH, 3, 0), Status::INVALID_NAMESPACE);
    driver.fail(&mut io, &transfer(nvm::READ, 8192, 1, data), Status::LBA_OUT_OF_RANGE);
    driver.fail(&mut io, &transfer(nvm::READ, u32::MAX, 1, data), Status::LBA_OUT_OF_RANGE);
    driver.fail(&mut io, &transfer(nvm::READ, 0, 2049, data), Status::INVALID_FIELD);
    let nowhere = (1 << 50, 0);
    driver.fail(&mut io, &transfer(nvm::READ, 0, 1, nowhere), Status::DATA_TRANSFER_ERROR);
    let crooked = (DATA, DATA + 8);
    driver.fail(&mut io, &transfer(nvm::READ, 0, 16, crooked), Status::INVALID_PRP_OFFSET);
    driver.fail(&mut admin, &command(0x7f, 0, 0), Status::INVALID_OPCODE);
    let mut create = command(admin::CREATE_SQ, 0, IO[0]);
    (create.cdw10, create.cdw11) = (0x0007_0001.into(), 0x0001_0001.into());
    driver.fail(&mut admin, &create, Status::INVALID_QUEUE_ID);
    create.cdw10 = 0x0007_0002.into();
    create.cdw11 = 0x0009_0001.into();
    driver.fail(&mut admin, &create, Status::CQ_INVALID);
    create.cdw10 = 2.into();
    driver.fail(&mut admin, &create, Status::INVALID_QUEUE_SIZE);
    let mut delete = command(admin::DELETE_CQ, 0, 0);
    delete.cdw10 = 1.into();
    driver.fail(&mut admin, &delete, Status::INVALID_QUEUE_DELETION);
    delete.opcode = admin::DELETE_SQ;
    driver.succeed(&mut admin, &delete);
    delete.opcode = admin::DELETE_CQ;
    driver.succeed(&mut admin, &delete);
    driver.fail(&mut admin, &delete, Status::INVALID_QUEUE_ID);
}

#[test]
fn a_queue_that_is_created_again_hears_its_first_ring() {
    for polls in [false, true] {
        let mut driver = Driver::new(polls);
        let mut admin = Queue::default();
        for _ in 0..3 {
            let mut io = driver.create_io_queue(&mut admin);
            driver.nvme.write_memory(IO[1], &[0; 0x100]);
            driver.succeed(&mut io, &command(nvm::FLUSH, 1, 0));
            for opcode in [admin::DELETE_SQ, admin::DELETE_CQ] {
                let mut delete = command(opcode, 0, 0);
                delete.cdw10 = 1.into();
                driver.succeed(&mut admin, &delete);
            }
        }
    }
}

#[test]
fn the_controller_is_reset_and_keeps_where_its_admin_queues_are() {
    let mut driver = Driver::new(false);
    let mut admin = Queue::default();
    driver.create_io_queue(&mut admin);
    driver.nvme.write(0, 0x14, 0x0046_0000_u32);
    assert_eq!(driver.nvme.read::<u32>(0, 0x1c), 0, "no longer ready");
    assert_eq!(driver.nvme.read::<u64>(0, 0x28), ADMIN[0]);
    // Drivers ring after they have disabled the controller; nothing of it reaches the new queues.
    for offset in [0x1000, 0x1004, 0x1008] {
        driver.nvme.write(0, offset, 3_u32);
    }
    driver.enable();
    let bells = driver.nvme.device().bells().clone();
    assert!((0..4).all(|index| bells.take(driver.nvme.shared(0), index).is_none()));
    driver.create_io_queue(&mut Queue::default());
    driver.nvme.write(0, 0x14, 0x0046_4001_u32);
    assert_eq!(driver.nvme.read::<u32>(0, 0x1c) >> 2, 2, "shut down");
}

#[test]
fn events_wait_for_requests_and_requests_for_events() {
    let mut driver = Driver::new(false);
    let mut admin = Queue::default();
    let request = command(admin::ASYNC_EVENT_REQUEST, 0, 0);
    driver.submit(&mut admin, &request);
    // An invalid doorbell, and a command that shows that nothing else was completed.
    let mut io = driver.create_io_queue(&mut admin);
    driver.nvme.write(0, 0x1008, u32::from(SIZE));
    let event = driver.next_entry(&mut admin);
    assert_eq!((event.cid, event.result.get()), (request.cid, 0x0001_0100));
    driver.succeed(&mut io, &command(nvm::FLUSH, 1, 0));
    // A request can be aborted.
    driver.submit(&mut admin, &request);
    let mut abort = command(admin::ABORT, 0, 0);
    abort.cdw10 = (u32::from(request.cid.get()) << 16).into();
    driver.submit(&mut admin, &abort);
    for (cid, status) in [(request.cid, Status::ABORTED_BY_REQUEST.field()), (abort.cid, 0)] {
        let entry = driver.next_entry(&mut admin);
        assert_eq!((entry.cid, entry.status.get() >> 1), (cid, status));
    }
    abort.cdw10 = 1.into();
    assert_eq!(driver.succeed(&mut admin, &abort), 1, "there is nothing to abort");
}

#[test]
fn a_doorbell_of_no_queue_is_an_event() {
    for polls in [false, true] {
        let mut driver = Driver::new(polls);
        let mut admin = Queue::default();
        let request = command(admin::ASYNC_EVENT_REQUEST, 0, 0);
        let mut log = command(admin::GET_LOG_PAGE, 0, DATA);
        log.cdw10 = 1.into();
        driver.create_io_queue(&mut admin);
        let mut delete = command(admin::DELETE_SQ, 0, 0);
        delete.cdw10 = 1.into();
        driver.succeed(&mut admin, &delete);
        // One of a queue that was deleted, and one of a queue that never was.
        for doorbell in [2, 2 * QUEUES - 1] {
            driver.submit(&mut admin, &request);
            driver.ring(doorbell, 1);
            let event = driver.next_entry(&mut admin);
            assert_eq!((event.cid, event.result.get()), (request.cid, 0x0001_0000));
            driver.succeed(&mut admin, &log);
        }
    }
}

#[test]
fn io_queues_need_the_sizes_of_their_entries() {
    let mut driver = Driver::new(false);
    let mut admin = Queue::default();
    let mut create = command(admin::CREATE_CQ, 0, IO[1]);
    (create.cdw10, create.cdw11) = (0x0007_0001.into(), 0x0001_0003.into());
    for (sizes, status) in [
        (0x06, Some(Status::INVALID_QUEUE_SIZE)),
        (0x56, Some(Status::INVALID_QUEUE_SIZE)),
        (0x46, None),
    ] {
        driver.nvme.write(0, 0x14, sizes << 16 | 1_u32);
        match status {
            Some(status) => driver.fail(&mut admin, &create, status),
            None => assert_eq!(driver.succeed(&mut admin, &create), 0),
        }
    }
    create.opcode = admin::CREATE_SQ;
    create.prp1 = IO[0].into();
    driver.nvme.write(0, 0x14, 0x0047_0001_u32);
    driver.fail(&mut admin, &create, Status::INVALID_QUEUE_SIZE);
}

#[test]
fn queues_migrate_and_go_on_where_they_are_loaded() {
    for polls in [false, true] {
        let mut source = Driver::new(polls);
        let mut io = source.create_io_queue(&mut Queue::default());
        source.succeed(&mut io, &command(nvm::FLUSH, 1, 0));
        let state = source.nvme.save();
        let nvme = Bench::new(Nvme::new(subsystem(), polls)).unwrap();
        let mut target = Driver { nvme, polls };
        for address in (0..0x2_0000).step_by(0x1000) {
            let mut page = [0; 0x1000];
            source.nvme.read_memory(address, &mut page);
            target.nvme.write_memory(address, &page);
        }
        target.nvme.load(&state).unwrap();
        target.succeed(&mut io, &transfer(nvm::READ, 0, 8, (DATA, 0)));
        assert_eq!(target.nvme.device().queues().all.iter().flatten().count(), 4);
    }
}

#[test]
fn doorbells_that_were_not_looked_at_migrate() {
    let mut source = Driver::new(false);
    source.create_io_queue(&mut Queue::default());
    // The head of a completion queue, which the worker looks at when the queue is full.
    source.ring(3, 5);
    let state = source.nvme.save();
    let mut target = Bench::new(Nvme::new(subsystem(), false)).unwrap();
    target.load(&state).unwrap();
    let page = target.shared(0);
    assert_eq!(target.device().bells().take(page, 3), Some(5));
}

#[test]
fn a_list_that_leads_to_itself_is_a_status() {
    let mut driver = Driver::new(false);
    let mut io = driver.create_io_queue(&mut Queue::default());
    let list = LIST + 0xff8;
    driver.nvme.write_memory(list, &list.to_le_bytes());
    let read = transfer(nvm::READ, 0, 64, (DATA, list));
    driver.fail(&mut io, &read, Status::INVALID_PRP_OFFSET);
}

#[test]
fn an_idle_controller_is_written_by_messages_and_a_polling_one_in_memory() {
    let idle = Driver::new(false);
    assert!(idle.nvme.shared(0).is_absent());
    let polling = Driver::new(true);
    assert_eq!(polling.nvme.shared(0).load::<u32>(0x1000).unwrap(), DoorbellValues::NONE);
}

#[test]
fn queues_at_the_end_of_the_address_space_are_fatal_and_nothing_worse() {
    let mut nvme = Bench::new(Nvme::new(subsystem(), false)).unwrap();
    nvme.write(0, 0x24, 0x0fff_0fff_u32);
    nvme.write(0, 0x28, u64::MAX);
    nvme.write(0, 0x30, u64::MAX);
    nvme.write(0, 0x14, 0x0046_0001_u32);
    let deadline = Instant::now() + PATIENCE;
    for tail in (1..0x1000_u32).cycle() {
        nvme.write(0, 0x1000, tail);
        if nvme.read::<u32>(0, 0x1c) == 3 {
            break;
        }
        assert!(Instant::now() < deadline, "not fatal");
    }
}
