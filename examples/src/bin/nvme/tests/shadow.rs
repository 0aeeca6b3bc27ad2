//! Doorbells in memory of the guest.

use super::*;
use crate::queues::Kind;

/// The pages of Doorbell Buffer Config.
const BELLS: u64 = 0x6000;
const EVENTS: u64 = 0x7000;

impl Driver {
    fn configure(&mut self, admin: &mut Queue) {
        let mut configure = command(admin::DOORBELL_BUFFER_CONFIG, 0, BELLS);
        configure.prp2 = EVENTS.into();
        self.succeed(admin, &configure);
    }

    fn word(&self, address: u64) -> u32 {
        let mut word = [0; 4];
        self.nvme.read_memory(address, &mut word);
        u32::from_le_bytes(word)
    }

    /// Rings as 7.13 describes it. Returns whether the register was written.
    fn ring_in_memory(&mut self, index: u16, value: u16) -> bool {
        let offset = 4 * u64::from(index);
        let before = self.word(BELLS + offset);
        self.nvme.write_memory(BELLS + offset, &u32::from(value).to_le_bytes());
        let event = self.word(EVENTS + offset);
        let distance = |from: u32| u32::from(value).wrapping_sub(from) & 0xffff;
        let passes = distance(event.wrapping_add(1)) < distance(before);
        if passes {
            self.ring(index, value);
        }
        passes
    }

    /// Flushes through an I/O queue. Returns whether it was rung by the register.
    fn flush(&mut self, queue: &mut Queue) -> bool {
        let flush = command(nvm::FLUSH, 1, 0);
        self.nvme.write_memory(IO[0] + 64 * u64::from(queue.tail), flush.as_bytes());
        queue.tail = (queue.tail + 1) % SIZE;
        let rung = self.ring_in_memory(2, queue.tail);
        let deadline = Instant::now() + PATIENCE;
        let entry = IO[1] + 16 * u64::from(queue.head);
        while self.word(entry + 12) >> 16 & 1 == u32::from(queue.phase) {
            assert!(Instant::now() < deadline, "not completed");
        }
        queue.head = (queue.head + 1) % SIZE;
        queue.phase ^= queue.head == 0;
        self.ring_in_memory(3, queue.head);
        rung
    }

    /// Waits until the controller expects the next ring of the I/O queue.
    fn rest(&self, queue: &Queue) {
        let deadline = Instant::now() + PATIENCE;
        while self.word(EVENTS + 8) != u32::from(queue.tail) {
            assert!(Instant::now() < deadline, "the event index is {}", self.word(EVENTS + 8));
        }
    }
}

#[test]
fn a_controller_that_sleeps_is_rung_by_messages_that_pass_the_event_index() {
    let mut driver = Driver::new(false);
    let mut admin = Queue::default();
    driver.configure(&mut admin);
    let mut io = driver.create_io_queue(&mut admin);
    // Three times around: the index wraps at the size of the queue, not of a word.
    for _ in 0..3 * SIZE {
        driver.rest(&io);
        assert!(driver.flush(&mut io), "the controller sleeps");
    }
    // A late message has an old value, which counts for nothing.
    driver.ring(2, io.tail.wrapping_sub(3) % SIZE);
    driver.rest(&io);
    driver.flush(&mut io);
    assert_eq!(
        driver.nvme.device().queues().queue(1, Kind::Submission).unwrap().ring.device_index(),
        u32::from(io.tail)
    );
}

#[test]
fn a_controller_that_polls_wants_no_register() {
    let mut driver = Driver::new(true);
    let mut admin = Queue::default();
    driver.configure(&mut admin);
    let mut io = driver.create_io_queue(&mut admin);
    // Only what passes 0, where the guest has left the event index.
    let rung = (0..3 * SIZE).filter(|_| driver.flush(&mut io)).count();
    assert!(rung <= 4, "{rung} rings");
    assert_eq!([8, 12].map(|bell| driver.word(EVENTS + bell)), [0, 0]);
}

#[test]
fn queues_that_exist_move_their_doorbells() {
    let mut driver = Driver::new(false);
    let mut admin = Queue::default();
    let mut io = driver.create_io_queue(&mut admin);
    for _ in 0..3 {
        driver.succeed(&mut io, &command(nvm::FLUSH, 1, 0));
    }
    driver.configure(&mut admin);
    assert_eq!([8, 12].map(|bell| driver.word(BELLS + bell)), [3, 3]);
    for _ in 0..SIZE {
        driver.rest(&io);
        driver.flush(&mut io);
    }
    // A queue of the same number starts at 0, whatever the last one has left.
    for opcode in [admin::DELETE_SQ, admin::DELETE_CQ] {
        let mut delete = command(opcode, 0, 0);
        delete.cdw10 = 1.into();
        driver.succeed(&mut admin, &delete);
    }
    driver.nvme.write_memory(IO[1], &[0; 0x100]);
    let mut io = driver.create_io_queue(&mut admin);
    assert_eq!([8, 12].map(|bell| driver.word(BELLS + bell)), [0, 0]);
    driver.rest(&io);
    driver.flush(&mut io);
}

#[test]
fn doorbells_in_memory_migrate_and_end_with_a_reset() {
    let mut source = Driver::new(false);
    let mut admin = Queue::default();
    source.configure(&mut admin);
    let mut io = source.create_io_queue(&mut admin);
    source.rest(&io);
    source.flush(&mut io);
    source.rest(&io);
    let state = source.nvme.save();
    // The guest rings while the device moves.
    source.nvme.write_memory(BELLS + 8, &2_u32.to_le_bytes());
    let flush = command(nvm::FLUSH, 1, 0);
    source.nvme.write_memory(IO[0] + 64, flush.as_bytes());
    let nvme = Bench::new(Nvme::new(subsystem(), false)).unwrap();
    let mut target = Driver { nvme, polls: false };
    for address in (0..0x2_0000).step_by(0x1000) {
        let mut page = [0; 0x1000];
        source.nvme.read_memory(address, &mut page);
        target.nvme.write_memory(address, &page);
    }
    target.nvme.load(&state).unwrap();
    io.tail = 2;
    target.rest(&io);
    target.nvme.write(0, 0x14, 0x0046_0000_u32);
    target.nvme.write_memory(BELLS, &[0; 0x1000]);
    target.enable();
    let mut io = target.create_io_queue(&mut Queue::default());
    target.succeed(&mut io, &flush);
}

#[test]
fn a_state_with_buffers_that_are_not_aligned_is_refused() {
    let mut source = Driver::new(false);
    source.configure(&mut Queue::default());
    let mut target = Bench::new(Nvme::new(subsystem(), false)).unwrap();
    target.load(&source.nvme.save()).unwrap();
    // The buffers were checked against smaller pages.
    source.nvme.device().queues().page = 0x4000;
    assert!(target.load(&source.nvme.save()).is_err());
}

#[test]
fn buffers_outside_memory_or_not_aligned_are_refused() {
    let mut driver = Driver::new(false);
    let mut admin = Queue::default();
    for (bells, events) in
        [(BELLS + 8, EVENTS), (BELLS, EVENTS + 4), (1 << 50, EVENTS), (BELLS, 1 << 50)]
    {
        let mut configure = command(admin::DOORBELL_BUFFER_CONFIG, 0, bells);
        configure.prp2 = events.into();
        driver.fail(&mut admin, &configure, Status::INVALID_FIELD);
    }
    let mut io = driver.create_io_queue(&mut admin);
    driver.succeed(&mut io, &command(nvm::FLUSH, 1, 0));
    let mut identify = command(admin::IDENTIFY, 0, DATA);
    identify.cdw10 = 1.into();
    driver.succeed(&mut admin, &identify);
    assert_eq!(driver.word(DATA + 256) & 0x100, 0x100, "OACS");
}
