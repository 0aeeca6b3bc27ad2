//! One test of the teaching device, for wherever its BAR is.

use vfio_user::driver::Bars;

use super::edu::{Command, Direction, EduDriver, Status};

/// Drives the device through its registers. `wait` runs while the device works.
pub(crate) fn exercise<B: Bars>(bars: B, mut wait: impl FnMut(&mut B)) -> Result<(), B::Error> {
    let mut edu = EduDriver::new(bars);
    assert_eq!(edu.id()?, 0x0100_00ed);
    edu.set_liveness(0x1234_5678)?;
    assert_eq!(edu.liveness()?, !0x1234_5678);

    edu.set_status(Status { irq_when_done: true, computing: false })?;
    edu.set_factorial(10)?;
    while edu.status()?.computing {
        wait(edu.bars());
    }
    assert_eq!(edu.factorial()?, 3_628_800);
    edu.update_status(|status| status.irq_when_done = false)?;
    assert!(!edu.status()?.irq_when_done);

    edu.set_raise(0x30)?;
    assert_eq!(edu.irq_status()?, 0x31);
    edu.set_acknowledge(0x11)?;
    assert_eq!(edu.irq_status()?, 0x20);
    edu.set_acknowledge(0x20)?;

    // The buffer has no such place, so nothing is copied.
    edu.set_source(u64::MAX - 1)?;
    assert_eq!(edu.source()?, u64::MAX - 1);
    let (start, direction) = (true, Direction::ToMemory);
    edu.set_command(Command { start, direction, irq_when_done: true })?;
    while edu.command()?.start {
        wait(edu.bars());
    }
    assert_eq!((edu.command()?.direction, edu.irq_status()?), (Direction::ToMemory, 0x100));
    edu.set_acknowledge(0x100)
}
