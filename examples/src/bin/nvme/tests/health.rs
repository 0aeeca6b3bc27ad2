//! Features, log pages, and events about health.

use super::*;

const POWER_MANAGEMENT: u8 = 0x02;
const TEMPERATURE_THRESHOLD: u8 = 0x04;
const ERROR_RECOVERY: u8 = 0x05;
const NUMBER_OF_QUEUES: u8 = 0x07;
const INTERRUPT_VECTOR: u8 = 0x09;
const EVENTS: u8 = 0x0b;

fn set(feature: u8, value: u32) -> Command {
    let mut command = command(admin::SET_FEATURES, 0, 0);
    (command.cdw10, command.cdw11) = (u32::from(feature).into(), value.into());
    command
}

fn get(feature: u8, which: u32) -> Command {
    Command { opcode: admin::GET_FEATURES, ..set(feature, which) }
}

/// A command for the first bytes of a log page, at `DATA`.
fn log(page: u32, retain: bool) -> Command {
    let mut command = command(admin::GET_LOG_PAGE, 0, DATA);
    command.cdw10 = (page | u32::from(retain) << 15 | 127 << 16).into();
    command
}

impl Driver {
    fn log(&mut self, admin: &mut Queue, command: &Command) -> [u8; 512] {
        self.succeed(admin, command);
        let mut page = [0; 512];
        self.nvme.read_memory(DATA, &mut page);
        page
    }
}

#[test]
fn features_have_values_of_their_own_and_refuse_what_is_not_there() {
    let mut driver = Driver::new(false);
    let mut admin = Queue::default();
    for (feature, value) in [
        (0x00, 0),
        (0x03, 0),
        (0x0c, 0),
        (POWER_MANAGEMENT, 1),
        (ERROR_RECOVERY, 1 << 16),
        (NUMBER_OF_QUEUES, 0xffff),
        (INTERRUPT_VECTOR, 65),
        (TEMPERATURE_THRESHOLD, 1 << 16),
        (TEMPERATURE_THRESHOLD, 2 << 20),
    ] {
        driver.fail(&mut admin, &set(feature, value), Status::INVALID_FIELD);
    }
    let mut saved = set(POWER_MANAGEMENT, 0);
    saved.cdw10 = (u32::from(POWER_MANAGEMENT) | 1 << 31).into();
    driver.fail(&mut admin, &saved, Status::NOT_SAVEABLE);
    // Each vector, and each threshold.
    driver.succeed(&mut admin, &set(INTERRUPT_VECTOR, 64 | 1 << 16));
    let vectors =
        [0, 63, 64].map(|vector| driver.succeed(&mut admin, &get(INTERRUPT_VECTOR, vector)));
    assert_eq!(vectors, [0, 63, 64 | 1 << 16]);
    driver.succeed(&mut admin, &set(INTERRUPT_VECTOR, 64));
    assert_eq!(driver.succeed(&mut admin, &get(INTERRUPT_VECTOR, 64)), 64);
    let low = 1 << 20;
    driver.succeed(&mut admin, &set(TEMPERATURE_THRESHOLD, low + 250));
    let thresholds =
        [0, low].map(|which| driver.succeed(&mut admin, &get(TEMPERATURE_THRESHOLD, which)));
    assert_eq!(thresholds, [343, 250]);
    // The number of queues is agreed before there are any.
    assert_eq!(driver.succeed(&mut admin, &set(NUMBER_OF_QUEUES, 7 << 16 | 7)), 63 << 16 | 63);
    driver.create_io_queue(&mut admin);
    driver.fail(&mut admin, &set(NUMBER_OF_QUEUES, 0), Status::COMMAND_SEQUENCE_ERROR);
}

#[test]
fn a_temperature_beyond_a_threshold_is_an_event_until_the_log_is_read() {
    let mut driver = Driver::new(false);
    let mut admin = Queue::default();
    let request = command(admin::ASYNC_EVENT_REQUEST, 0, 0);
    driver.submit(&mut admin, &request);
    driver.succeed(&mut admin, &set(TEMPERATURE_THRESHOLD, 290));
    assert_eq!(driver.log(&mut admin, &log(2, true))[0], 0b10);
    // The guest wants events of it: the command is completed before the event is reported.
    driver.succeed(&mut admin, &set(EVENTS, 0b10));
    let event = driver.next_entry(&mut admin);
    assert_eq!((event.cid, event.result.get()), (request.cid, 0x0002_0101));
    driver.submit(&mut admin, &request);
    driver.succeed(&mut admin, &set(TEMPERATURE_THRESHOLD, 299));
    driver.log(&mut admin, &log(2, true));
    driver.log(&mut admin, &log(1, false));
    // The page is read, so the second event is reported.
    driver.log(&mut admin, &log(2, false));
    assert_eq!(driver.next_entry(&mut admin).result.get(), 0x0002_0101);
    driver.succeed(&mut admin, &set(TEMPERATURE_THRESHOLD, 310));
    assert_eq!(driver.log(&mut admin, &log(2, false))[0], 0);
}

#[test]
fn log_pages_count_commands_blocks_and_errors() {
    let mut driver = Driver::new(false);
    let mut admin = Queue::default();
    let mut io = driver.create_io_queue(&mut admin);
    let pages: Vec<u8> = (0..256).flat_map(|_| (DATA + 0x1000_u64).to_le_bytes()).collect();
    driver.nvme.write_memory(LIST, &pages);
    for _ in 0..3 {
        driver.succeed(&mut io, &transfer(nvm::READ, 0, 2048, (DATA, LIST)));
    }
    driver.succeed(&mut io, &transfer(nvm::WRITE, 0, 1, (DATA, 0)));
    driver.succeed(&mut io, &transfer(nvm::WRITE_ZEROES, 0, 1, (0, 0)));
    driver.fail(&mut io, &transfer(nvm::WRITE, 8192, 1, (DATA, 0)), Status::LBA_OUT_OF_RANGE);
    assert_eq!(driver.log(&mut admin, &log(1, false))[..64], [0; 64]);
    driver.nvme.write(0, 0x1008, u32::from(SIZE));
    let page = driver.log(&mut admin, &log(2, false));
    let counts =
        [32, 48, 64, 80].map(|at| u64::from_le_bytes(page[at..at + 8].try_into().unwrap()));
    // 6,144 blocks in units of 1,000, and one.
    assert_eq!(counts, [7, 1, 3, 1]);
    assert_eq!(u16::from_le_bytes([page[1], page[2]]), 300);
    let deadline = Instant::now() + PATIENCE;
    while driver.log(&mut admin, &log(1, true))[0] == 0 {
        assert!(Instant::now() < deadline);
    }
    let page = driver.log(&mut admin, &log(1, false));
    assert_eq!(page[..12], [1, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    let mut beyond = log(2, false);
    beyond.cdw12 = 513.into();
    driver.fail(&mut admin, &beyond, Status::INVALID_FIELD);
    driver.fail(&mut admin, &log(0x70, false), Status::INVALID_LOG_PAGE);
}
