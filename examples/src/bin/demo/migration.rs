//! Moves the device to another process, as a VMM does.

use std::ops::ControlFlow;
use std::time::Duration;

use vfio_user::client::{Migration, MigrationProgress, PciView, RegionMap, Vectors};
use vfio_user::protocol::RegionIndex;

use crate::device::{ALARM, CopierDriver, MEMORY};
use crate::rounds::Rounds;
use crate::screen::line;
use crate::{Result, expect};

/// Moves the state of one device to another one while a guest writes its memory, and waits on the
/// destination for an interrupt that was masked on the source.
pub(crate) fn run(from: &PciView, here: &Vectors, to: &PciView) -> Result<()> {
    let (memory, new_memory) = (memory_of(from)?, memory_of(to)?);
    memory.write(0, &vec![0x5a; MEMORY])?;
    // Enabled before the device runs there: it may raise at once.
    let there = to.enable_msix(2)?;
    // Its interrupt stays pending, wherever the device is when the time has passed.
    here.mask(ALARM)?;
    CopierDriver::new(from).set_alarm(1)?;

    let mut guest = Guest { memory: &memory, is_running: true, count: 0 };
    let mut rounds = Rounds::default();
    let moved = Migration::new(from.client(), to.client()).enough(0).run(|progress| {
        rounds.show(progress);
        guest.run(progress)
    });
    rounds.finish();
    let downtime = moved?.downtime;
    let sums = [checksum(&memory)?, checksum(&new_memory)?];
    line(format_args!("it was stopped for {downtime:.1?}"));
    line(format_args!("checksums of the memory: {:08x} here, {:08x} there", sums[0], sums[1]));
    expect(sums[0] == sums[1], "memory arrives as it was")?;

    there.unmask(ALARM)?;
    there[ALARM as usize].wait(Duration::from_secs(30))?.ok_or("no interrupt came")?;
    let scratch = CopierDriver::new(to).scratch()?;
    line(format_args!(
        "scratch is {scratch:#x} there, and the alarm that was set here rings there"
    ));
    expect(
        scratch == 0x1234_ff78 && here[ALARM as usize].take().is_none(),
        "the device is there, not here",
    )
}

fn memory_of(view: &PciView) -> Result<RegionMap> {
    Ok(view.client().region_details(RegionIndex::Bar2)?.map()?)
}

fn checksum(memory: &RegionMap) -> Result<u32> {
    let mut bytes = vec![0; MEMORY];
    memory.read(0, &mut bytes)?;
    Ok(crc32c::crc32c(&bytes))
}

/// A guest that writes one of a few pages whenever a part of the state has been copied, with
/// another value each time.
struct Guest<'a> {
    memory: &'a RegionMap,
    is_running: bool,
    count: u64,
}

impl Guest<'_> {
    /// Writes a page, but not once the device is stopped. Cancels the migration if that fails.
    fn run(&mut self, progress: MigrationProgress) -> ControlFlow<()> {
        if let MigrationProgress::Round { number, .. } = progress {
            self.is_running = number.is_some();
        } else if self.is_running {
            self.count += 1;
            if self.memory.store(self.count % 8 * 0x1000, self.count).is_err() {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }
}
