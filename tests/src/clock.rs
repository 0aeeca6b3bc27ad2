//! The classic pair's server with derived state: its code does not mention migration.

use std::time::Duration;

use vfio_user::{Cx, Device, PciDevice, Timer};

/// Bytes of BAR 1.
pub const BAR1: usize = 0x4000;

/// A clock that wakes its client, and memory of which a client may map the first and the last page.
#[derive(Debug, PciDevice)]
#[pci(vendor = 0xdead, device = 0xbeef, subsystem = (0xcafe, 0xbabe))]
#[bar(0: io, size = 8, access = 8, unmapped = refuse)]
#[bar(1: mem32, size = 0x4000, shared(0..0x1000, 0x3000..0x4000))]
#[irq(intx)]
pub struct Clock {
    /// Milliseconds from when it is written to an interrupt, and its own value at IOVA 0.
    #[reg(0, on_write = Self::set_alarm)]
    alarm: u64,
    #[reg(0x1000, bar = 1)]
    middle: [u32; 0x800],
    #[timer(Self::wake)]
    timer: Timer,
}

impl Default for Clock {
    fn default() -> Self {
        Clock { alarm: 0, middle: [0; 0x800], timer: Timer::default() }
    }
}

impl Clock {
    fn set_alarm(&mut self, cx: &mut Cx<'_, Self>, _: u64, alarm: u64) {
        self.timer.arm(cx, Duration::from_millis(alarm));
    }

    fn wake(&mut self, cx: &mut Cx<'_, Self>) {
        if let Err(error) = cx.dma().write(0, &self.alarm.to_le_bytes()) {
            eprintln!("clock: {error}");
        }
        cx.irq(0).raise();
    }
}

impl Device for Clock {
    type Event = ();
}
