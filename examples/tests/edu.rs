//! The teaching device, on the bench.

#[expect(dead_code, reason = "a test has no use for `main`")]
#[path = "../src/bin/edu.rs"]
mod edu;
#[path = "../src/bin/edu-driver/exercise.rs"]
mod exercise;

use std::thread;
use std::time::Duration;

use edu::Edu;
use vfio_user::Bench;
use vfio_user::client::{Client, MappedBars};
use vfio_user_tests::serve::Running;

const ID: u64 = 0x00;
const LIVENESS: u64 = 0x04;
const FACTORIAL: u64 = 0x08;
const STATUS: u64 = 0x20;
const IRQ_STATUS: u64 = 0x24;
const RAISE: u64 = 0x60;
const ACKNOWLEDGE: u64 = 0x64;
const SOURCE: u64 = 0x80;
const DESTINATION: u64 = 0x88;
const COUNT: u64 = 0x90;
const COMMAND: u64 = 0x98;

const BUFFER: u64 = 0x4_0000;
const START: u64 = 1;
const TO_MEMORY: u64 = 2;
const IRQ: u64 = 4;
const PATIENCE: Duration = Duration::from_secs(10);

mod generated {
    vfio_user::device_tests!(super::Edu, super::Edu::new);
}

/// `VFIO_USER_BLESS=1` records changes that old state survives.
#[test]
fn state_is_what_was_recorded() {
    vfio_user::assert_schema!(Edu, "tests/edu.schema");
}

#[test]
fn streams_of_every_version_load() {
    let mut used = edu();
    used.write(0, LIVENESS, 0x1234_5678_u32);
    used.write(0, RAISE, 5_u32);
    used.write_memory(0, b"goes along");
    transfer(&mut used, 0, BUFFER, 10, START);
    used.advance(PATIENCE);
    used.handle_events();
    vfio_user::assert_streams!(used, Edu::new, "tests/streams/edu");
}

fn edu() -> Bench<Edu> {
    Bench::new(Edu::new()).expect("a valid device")
}

fn transfer(edu: &mut Bench<Edu>, source: u64, destination: u64, count: u64, command: u64) {
    edu.write(0, SOURCE, source);
    edu.write(0, DESTINATION, destination);
    edu.write(0, COUNT, count);
    edu.write(0, COMMAND, command);
}

#[test]
fn its_driver_works_on_a_bench() {
    let done = exercise::exercise(edu(), Bench::handle_events);
    assert_eq!(done, Ok(()));
}

/// The same test, with a message for each access, and with all mappings that the server allows.
#[test]
fn its_driver_works_over_a_socket() {
    let server = Running::at_path(Edu::new);
    let client = Client::attach(server.path()).unwrap();
    exercise::exercise(&client, |_| thread::yield_now()).unwrap();
    exercise::exercise(MappedBars::new(&client).unwrap(), |_| thread::yield_now()).unwrap();
}

#[test]
fn it_is_alive() {
    let mut edu = edu();
    assert_eq!(edu.read::<u32>(0, ID), 0x0100_00ed);
    edu.write(0, LIVENESS, 0x1234_5678_u32);
    assert_eq!(edu.read::<u32>(0, LIVENESS), 0xedcb_a987);
}

#[test]
fn a_factorial_is_computed_and_signalled() {
    let mut edu = edu();
    for (of, is) in [(0, 1), (1, 1), (10, 3_628_800), (13, 1_932_053_504), (u32::MAX, 0)] {
        edu.write(0, STATUS, 0x80_u32);
        edu.write(0, FACTORIAL, of);
        assert_eq!(edu.read::<u32>(0, STATUS), 0x81);
        edu.write(0, FACTORIAL, 5_u32);
        assert_eq!(edu.wait_irq(0, PATIENCE).unwrap(), 1);
        assert_eq!((edu.read::<u32>(0, FACTORIAL), edu.read::<u32>(0, STATUS)), (is, 0x80));
        assert_eq!(edu.read::<u32>(0, IRQ_STATUS), 0x1);
        edu.write(0, ACKNOWLEDGE, 0x1_u32);
    }
}

#[test]
fn a_factorial_may_be_waited_for_without_interrupt() {
    let mut edu = edu();
    edu.write(0, FACTORIAL, 4_u32);
    while edu.read::<u32>(0, STATUS) & 1 != 0 {
        edu.handle_events();
    }
    assert_eq!((edu.read::<u32>(0, FACTORIAL), edu.take_irq(0)), (24, 0));
}

#[test]
fn a_reset_forgets_what_is_being_computed() {
    let mut edu = edu();
    edu.write(0, FACTORIAL, 4_u32);
    edu.reset();
    edu.write(0, STATUS, 0x80_u32);
    edu.write(0, FACTORIAL, 6_u32);
    edu.wait_irq(0, PATIENCE).unwrap();
    assert_eq!(edu.read::<u32>(0, FACTORIAL), 720);
}

#[test]
fn interrupts_are_raised_and_acknowledged() {
    let mut edu = edu();
    edu.write(0, RAISE, 0x30_u32);
    edu.write(0, IRQ_STATUS, 0_u32);
    edu.write(0, ACKNOWLEDGE, 0x10_u32);
    assert_eq!((edu.take_irq(0), edu.read::<u32>(0, IRQ_STATUS)), (1, 0x20));
    edu.write(0, RAISE, 0x40_u32);
    assert_eq!((edu.take_irq(0), edu.read::<u32>(0, IRQ_STATUS)), (1, 0x60));
}

#[test]
fn memory_is_copied_both_ways() {
    copies_both_ways(edu());
}

#[test]
fn memory_that_has_to_be_asked_for_is_copied_as_well() {
    copies_both_ways(Bench::with_private_memory(Edu::new()).expect("a valid device"));
}

fn copies_both_ways(mut edu: Bench<Edu>) {
    edu.write_memory(0x1000, b"hello, device");
    transfer(&mut edu, 0x1000, BUFFER + 100, 13, START | IRQ);
    assert_eq!(edu.read::<u64>(0, COMMAND), START | IRQ);
    edu.write(0, SOURCE, 0_u64);
    assert_eq!(edu.read::<u64>(0, SOURCE), 0x1000, "locked while it is busy");
    edu.wait_irq(0, PATIENCE).unwrap();
    assert_eq!((edu.read::<u64>(0, COMMAND), edu.read::<u32>(0, IRQ_STATUS)), (IRQ, 0x100));

    transfer(&mut edu, BUFFER + 99, 0x2000, 15, START | TO_MEMORY);
    edu.handle_events();
    let mut copied = [0xff; 16];
    edu.read_memory(0x2000, &mut copied);
    assert_eq!(&copied, b"\0hello, device\0\0");
    assert_eq!((edu.read::<u64>(0, COMMAND), edu.take_irq(0)), (TO_MEMORY, 0));
}

#[test]
fn nothing_outside_of_the_buffer_or_of_memory_is_copied() {
    let mut edu = edu();
    edu.write_memory(0, &[0x5a; 0x2000]);
    for (source, destination, count) in [
        (0, BUFFER - 1, 1),
        (0, BUFFER, 0x1001),
        (0, BUFFER + 0x1000, 1),
        (0, BUFFER, u64::MAX),
        (0, u64::MAX, 2),
        (u64::MAX, BUFFER, 2),
        (Bench::<Edu>::MEMORY, BUFFER, 1),
    ] {
        transfer(&mut edu, source, destination, count, START | IRQ);
        edu.wait_irq(0, PATIENCE).unwrap();
        edu.write(0, ACKNOWLEDGE, 0x100_u32);
    }
    transfer(&mut edu, BUFFER, 0x1000, 0x1000, START | TO_MEMORY);
    edu.handle_events();
    let mut buffer = [1; 0x1000];
    edu.read_memory(0x1000, &mut buffer);
    assert_eq!(buffer, [0; 0x1000]);
}

#[test]
fn accesses_have_four_bytes_and_eight_above() {
    let mut edu = edu();
    assert_eq!(edu.read::<u16>(0, ID), 0xffff);
    assert_eq!(edu.read::<u64>(0, ID), u64::MAX);
    assert_eq!(edu.read::<u32>(0, 0x02), u32::MAX);
    edu.write(0, SOURCE, 0x1122_3344_u32);
    edu.write(0, SOURCE + 4, 0x5566_7788_u32);
    edu.write(0, SOURCE, 0_u16);
    assert_eq!(edu.read::<u64>(0, SOURCE), 0x5566_7788_1122_3344);
    assert_eq!(edu.read::<u32>(0, 0xf_fffc), u32::MAX);
}

#[test]
fn a_reset_clears_the_buffer() {
    let mut edu = edu();
    edu.write_memory(0, &[0x5a; 16]);
    transfer(&mut edu, 0, BUFFER, 16, START);
    edu.handle_events();
    edu.reset();
    transfer(&mut edu, BUFFER, 0, 16, START | TO_MEMORY);
    edu.handle_events();
    let mut copied = [1; 16];
    edu.read_memory(0, &mut copied);
    assert_eq!(copied, [0; 16]);
}
