//! The volatile write cache, and the names of a subsystem.

use std::fs::OpenOptions;

use super::*;

const WRITE_CACHE: u32 = 0x06;
const FORCE_UNIT_ACCESS: u32 = 1 << 30;

/// A namespace whose flushes fail: a device that accepts every write, and has nothing to flush.
fn unflushable() -> Arc<Subsystem> {
    let file = OpenOptions::new().read(true).write(true).open("/dev/null").unwrap();
    let disks = vec![Disk::from_file(file, 1 << 20)];
    Arc::new(Subsystem { serial: String::new(), disks })
}

fn feature(opcode: u8, value: u32) -> Command {
    let mut command = command(opcode, 0, 0);
    (command.cdw10, command.cdw11) = (WRITE_CACHE.into(), value.into());
    command
}

#[test]
fn writes_are_flushed_when_the_guest_wants_it() {
    let mut driver = Driver::with(unflushable(), false);
    let mut admin = Queue::default();
    let mut io = driver.create_io_queue(&mut admin);
    let data = (DATA, 0);
    let mut manage = command(nvm::DATASET_MANAGEMENT, 1, DATA);
    manage.cdw11 = 4.into();
    let writes =
        [transfer(nvm::WRITE, 0, 1, data), transfer(nvm::WRITE_ZEROES, 0, 1, data), manage];
    assert_eq!(driver.succeed(&mut admin, &feature(admin::GET_FEATURES, 0)), 1);
    for write in &writes {
        driver.succeed(&mut io, write);
    }
    for opcode in [nvm::WRITE, nvm::WRITE_ZEROES] {
        let mut forced = transfer(opcode, 0, 1, data);
        forced.cdw12 = FORCE_UNIT_ACCESS.into();
        driver.fail(&mut io, &forced, Status::WRITE_FAULT);
    }
    // What was written before becomes durable when the cache is turned off.
    driver.fail(&mut admin, &feature(admin::SET_FEATURES, 0), Status::WRITE_FAULT);
    for write in &writes {
        driver.fail(&mut io, write, Status::WRITE_FAULT);
    }
    driver.succeed(&mut admin, &feature(admin::SET_FEATURES, 1));
    driver.succeed(&mut io, &writes[0]);
}

#[test]
fn what_is_read_by_force_has_been_flushed() {
    let mut driver = Driver::with(unflushable(), false);
    let mut io = driver.create_io_queue(&mut Queue::default());
    for opcode in [nvm::READ, nvm::COMPARE] {
        let mut read = transfer(opcode, 0, 1, (DATA, 0));
        driver.fail(&mut io, &read, Status::UNRECOVERED_READ);
        read.cdw12 = FORCE_UNIT_ACCESS.into();
        driver.fail(&mut io, &read, Status::WRITE_FAULT);
    }
}

#[test]
fn a_serial_number_names_the_subsystem_and_its_namespaces() {
    let identify = |serial: &str| {
        let subsystem = Subsystem { serial: serial.into(), disks: Vec::new() };
        (subsystem.controller(), [1, 2].map(|nsid| subsystem.uuid(nsid)))
    };
    let (page, [first, second]) = identify("A7");
    assert_eq!(page[4..24], *b"A7                  ");
    assert!(page[768..].starts_with(b"nqn.2024-01.org.example:vfio-user-nvme:A7\0"));
    assert_eq!(page[525] & 1, 1, "a volatile write cache");
    assert_eq!([first >> 76 & 0xf, first >> 62 & 0b11], [8, 0b10], "version and variant");
    let (_, others) = identify("A8");
    assert!(first != second && !others.contains(&first));
}
