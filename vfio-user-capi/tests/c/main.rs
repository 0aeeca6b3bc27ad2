//! Programs in C and C++, built against the installed headers and library.

mod guest;
mod installation;
mod valgrind;

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use vfio_user::client::ClientMemory;
use vfio_user::protocol::{DmaMapFlags, Errno, MigrationState, RegionIndex};

use installation::{Installation, succeed};

/// The time for a program to do what it does at once on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The registers of the counter.
const COUNT: u64 = 0x0;
const STEP: u64 = 0x4;
const ADDRESS: u64 = 0x8;
const RESETS: u64 = 0xc;

#[test]
fn the_library_exports_the_interface_and_no_more() {
    let installation = Installation::new();
    let library = installation.path("lib/libvfio-user.so.0.0.1");
    let output = succeed(Command::new("nm").args(["-D", "--defined-only"]).arg(&library));
    let symbols = String::from_utf8(output.stdout).unwrap();
    let mut exported: Vec<_> = symbols.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    exported.sort_unstable();
    assert_eq!(exported, include_str!("symbols.txt").lines().collect::<Vec<_>>());
    let output = succeed(Command::new("readelf").arg("-d").arg(&library));
    assert!(String::from_utf8(output.stdout).unwrap().contains("[libvfio-user.so.0]"));
}

#[test]
fn a_program_in_c_plus_plus_survives_null() {
    let installation = Installation::new();
    succeed(&mut Command::new(installation.build("c++", "tests/c/header.cc")));
}

#[test]
fn misuse_fails_and_harms_nothing() {
    let installation = Installation::new();
    let program = installation.build("cc", "tests/c/misuse.c");
    succeed(Command::new(program).arg(installation.path("misuse.sock")));
}

#[test]
fn registers_memory_and_interrupts_of_a_device_in_c() {
    let installation = Installation::new();
    let program = installation.counter();
    let counter = program.attach();
    assert_eq!((counter.header().vendor, counter.header().device), (0x1234, 0xc0de));
    let vectors = counter.enable_msi(1).unwrap();
    let memory = counter.allocate(0x1000).unwrap();
    let bar = counter.bar(0).unwrap();
    bar.write(STEP, 5_u32).unwrap();
    bar.write(ADDRESS, u32::try_from(memory.iova()).unwrap() + 8).unwrap();
    for count in [5, 10] {
        bar.write(COUNT, 0_u32).unwrap();
        assert_eq!(bar.read::<u32>(COUNT).unwrap(), count);
        assert_eq!(memory.load::<u32>(8).unwrap(), count);
        assert_eq!(vectors[0].wait(PATIENCE).unwrap(), Some(1));
    }
    assert!(bar.read::<u8>(COUNT).is_err(), "the device refuses bytes");
    counter.client().reset().unwrap();
    let bar = counter.client().region(RegionIndex::Bar0);
    assert_eq!(bar.read::<u32>(COUNT).unwrap(), 0);
    assert_eq!(bar.read::<u32>(RESETS).unwrap(), 1);
    drop((memory, vectors, counter));
    program.end();
}

/// The bits behind the range that a client asks for show such pages, and it may ignore them.
#[test]
fn a_client_that_looks_at_its_range_alone_misses_no_page_with_the_quirks() {
    const PAGE: u64 = 0x1000;
    let installation = Installation::new();
    let mut command = Command::new(installation.build("cc", "examples/counter.c"));
    let program = installation.run(command.env("LIBVFIO_USER_COMPAT", "1"));
    let counter = program.attach();
    let memory = counter.allocate(64 * PAGE).unwrap();
    counter.client().start_dirty_log(PAGE, &[]).unwrap();
    let written = memory.iova() + 0x20 * PAGE;
    let bar = counter.bar(0).unwrap();
    bar.write(ADDRESS, u32::try_from(written).unwrap()).unwrap();
    bar.write(COUNT, 0_u32).unwrap();
    let client = counter.client();
    assert_eq!(client.dirty_pages(memory.iova(), 16 * PAGE, PAGE).unwrap().count(), 0);
    let pages = client.dirty_pages(memory.iova(), 64 * PAGE, PAGE).unwrap();
    assert_eq!(pages.iter().collect::<Vec<_>>(), [written]);
    assert_eq!(client.dirty_pages(memory.iova(), 64 * PAGE, PAGE).unwrap().count(), 0);
    bar.write(COUNT, 0_u32).unwrap();
    assert_eq!(client.dirty_pages(memory.iova(), 16 * PAGE, PAGE).unwrap().count(), 0);
    let pages = client.dma_unmap_dirty(memory.iova(), 64 * PAGE, PAGE).unwrap();
    assert_eq!(pages.iter().collect::<Vec<_>>(), [written]);
    drop((memory, counter));
    program.end();
}

#[test]
fn writes_to_configuration_space_obey_its_registers() {
    let installation = Installation::new();
    let program = installation.counter();
    let client = program.client();
    let config = client.region(RegionIndex::Config);
    // Read-only registers ignore writes; the command register stores its bits one by one.
    config.write(0x00, 0xffff_ffff_u32).unwrap();
    assert_eq!(config.read::<u32>(0x00).unwrap(), 0xc0de_1234);
    config.write(0x04, 0xffff_u16).unwrap();
    assert_eq!(config.read::<u16>(0x04).unwrap(), 0x0557);
    config.write(0x05, 0x00_u8).unwrap();
    assert_eq!(config.read::<u16>(0x04).unwrap(), 0x0057);
    // The BAR has 4096 bytes.
    config.write(0x10, 0xffff_ffff_u32).unwrap();
    assert_eq!(config.read::<u32>(0x10).unwrap(), 0xffff_f000);
    // The list of capabilities: PM, then MSI; its ids and pointers are read-only.
    config.write(0x40, 0xffff_u16).unwrap();
    assert_eq!(config.read::<u16>(0x40).unwrap(), 0x4801);
    assert_eq!(config.read::<u16>(0x48).unwrap(), 0x0005);
    // Behind all capabilities there is nothing.
    config.write(0x80, 0xffff_ffff_u32).unwrap();
    assert_eq!(config.read::<u32>(0x80).unwrap(), 0);
    drop(client);
    program.end();
}

#[test]
fn a_descriptor_is_known_by_its_file_and_not_by_its_number() {
    let installation = Installation::new();
    let program = installation.start("tests/c/bells.c");
    let client = program.client();
    let bells = client.ioeventfds(RegionIndex::Bar0).unwrap();
    let of = |offset| &bells.iter().find(|bell| bell.offset == offset).unwrap().eventfd;
    of(0).signal();
    assert_eq!((of(8).take(), of(0).take()), (None, Some(1)));
    of(16).signal();
    assert_eq!(of(8).take(), Some(1));
    drop(client);
    program.end();
}

/// Guests see sizes that are powers of two.
#[test]
fn a_bar_decodes_the_next_power_of_two() {
    let installation = Installation::new();
    let program = installation.start("tests/c/bells.c");
    let client = program.client();
    let config = client.region(RegionIndex::Config);
    config.write(0x10, 0xffff_ffff_u32).unwrap();
    assert_eq!(config.read::<u32>(0x10).unwrap(), 0xffff_c000);
    let details = client.region_details(RegionIndex::Bar0).unwrap();
    assert_eq!(details.size, 0x4000);
    // The device serves 3 pages; behind them there is nothing.
    let bar = client.region(RegionIndex::Bar0);
    bar.write(0x2ffc, 0x1234_5678_9abc_def0_u64).unwrap();
    assert_eq!(bar.read::<u64>(0x2ffc).unwrap() >> 32, 0);
    assert_eq!(bar.read::<u32>(0x3ffc).unwrap(), 0);
    assert!(bar.read::<u32>(0x3ffd).is_err());
    drop(client);
    program.end();
}

#[test]
fn a_signal_ends_a_call_that_blocks() {
    let installation = Installation::new();
    let program = installation.start("tests/c/signals.c");
    let client = program.client();
    let bar = client.region(RegionIndex::Bar0);
    let start = Instant::now();
    while bar.read::<u32>(0).unwrap() < 3 {
        assert!(start.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(1));
    }
    drop(client);
    program.end();
}

#[test]
fn a_quiesce_ends_later_and_memory_by_messages_is_reached_outside_of_callbacks() {
    let installation = Installation::new();
    let program = installation.start("tests/c/quiet.c");
    let client = program.client();
    let memory = Arc::new(Words::default());
    memory.0.lock().unwrap()[0] = 21;
    let rights = DmaMapFlags::READ | DmaMapFlags::WRITE;
    client.dma_map_memory(0x1000, 0x1000, Arc::clone(&memory) as _, rights).unwrap();
    let start = Instant::now();
    while memory.0.lock().unwrap()[4] != 42 {
        assert!(start.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(1));
    }
    client.reset().unwrap();
    client.dma_unmap(0x1000, 0x1000).unwrap();
    drop(client);
    program.end();
}

/// Memory of a client that is reached by messages.
struct Words(Mutex<[u8; 0x1000]>);

impl Default for Words {
    fn default() -> Self {
        Words(Mutex::new([0; 0x1000]))
    }
}

impl ClientMemory for Words {
    fn read(&self, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        let start = usize::try_from(offset).map_err(|_| Errno::EFAULT)?;
        data.copy_from_slice(&self.0.lock().unwrap()[start..start + data.len()]);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let start = usize::try_from(offset).map_err(|_| Errno::EFAULT)?;
        self.0.lock().unwrap()[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }
}

#[test]
fn a_device_in_c_migrates() {
    let installation = Installation::new();
    let source = installation.counter();
    let client = source.client();
    let bar = client.region(RegionIndex::Bar0);
    bar.write(STEP, 3_u32).unwrap();
    bar.write(COUNT, 0_u32).unwrap();
    client.set_migration_state(MigrationState::StopCopy).unwrap();
    let mut state = Vec::new();
    client.save(&mut state).unwrap();
    drop(client);
    source.end();

    let destination = installation.counter();
    let client = destination.client();
    client.set_migration_state(MigrationState::Resuming).unwrap();
    client.load(&mut state.as_slice()).unwrap();
    client.set_migration_state(MigrationState::Running).unwrap();
    let bar = client.region(RegionIndex::Bar0);
    bar.write(COUNT, 0_u32).unwrap();
    assert_eq!(bar.read::<u32>(COUNT).unwrap(), 6);
    drop(client);
    destination.end();
}
