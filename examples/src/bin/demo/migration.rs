//! Moves the device to another process, as a VMM does.

use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use vfio_user::client::Client;
use vfio_user::client::RegionMap;
use vfio_user::protocol::{IrqIndex, MigrationState, RegionIndex};
use vfio_user::{EventFd, SharedError};

use crate::device::{ALARM, MEMORY, regs};
use crate::{Result, expect, say};

/// Moves the state of one device to another one while a guest writes its memory, and waits on the
/// destination for an interrupt that was programmed on the source.
pub(crate) fn run(from: &Client, to: &Client) -> Result<()> {
    let [here, there] = [EventFd::new()?, EventFd::new()?];
    from.set_irqs(IrqIndex::Msix, ALARM, &[Some(&here)])?;
    copy_while_it_runs(from, to)?;

    from.region(RegionIndex::Bar0).write(regs::ALARM, 1000_u32)?;
    // Set up before the device runs there: it may raise at once.
    to.set_irqs(IrqIndex::Msix, ALARM, &[Some(&there)])?;
    let begin = Instant::now();
    from.set_migration_state(MigrationState::StopCopy)?;
    let bytes = copy(from, to)?;
    to.set_migration_state(MigrationState::Running)?;
    let downtime = begin.elapsed();
    from.set_migration_state(MigrationState::Stop)?;
    let sums = [checksum(from)?, checksum(to)?];
    say(&format!(
        "It stops, {bytes} bytes follow, and {downtime:.1?} later the other one runs. The memory's \
         checksums are {:08x} and {:08x}.",
        sums[0], sums[1]
    ));
    expect(sums[0] == sums[1], "memory arrives as it was")?;

    there.wait(Duration::from_secs(5))?.ok_or("no interrupt came")?;
    let scratch = to.region(RegionIndex::Bar0).read::<u32>(regs::SCRATCH)?;
    say(&format!(
        "SCRATCH reads {scratch:#010x} there, and the interrupt that was programmed before comes from there."
    ));
    expect(scratch == 0x1234_ff78 && here.take().is_none(), "the device is there, and not here")
}

/// Copies the memory ahead, round by round.
fn copy_while_it_runs(from: &Client, to: &Client) -> Result<()> {
    let memory = from.region_details(RegionIndex::Bar2)?.map()?;
    memory.write(0, &vec![0x5a; MEMORY])?;
    say("A second process is to take over; a guest goes on writing the device's memory meanwhile:");
    from.set_migration_state(MigrationState::PreCopy)?;
    to.set_migration_state(MigrationState::Resuming)?;
    thread::scope(|scope| {
        let (stop, stopped) = channel();
        let guest = scope.spawn(move || write_until(&memory, &stopped));
        for round in 1..=3 {
            println!("    round {round}: {} bytes", copy(from, to)?);
        }
        drop(stop);
        Ok(guest.join().map_err(|_| "the guest panicked")??)
    })
}

/// Writes a few pages again and again, with different bytes each time.
fn write_until(memory: &RegionMap, stopped: &Receiver<()>) -> Result<(), SharedError> {
    let mut count = 0_u64;
    while stopped.try_recv() == Err(TryRecvError::Empty) {
        memory.store(count % 8 * 0x1000, count)?;
        count += 1;
    }
    Ok(())
}

/// Moves the bytes that are available now.
fn copy(from: &Client, to: &Client) -> Result<u64> {
    let mut state = Vec::new();
    let bytes = from.save(&mut state)?;
    to.write_migration_data(&state)?;
    Ok(bytes)
}

fn checksum(client: &Client) -> Result<u32> {
    let mut bytes = vec![0; MEMORY];
    client.region(RegionIndex::Bar2).read_bytes(0, &mut bytes)?;
    Ok(crc32c::crc32c(&bytes))
}
