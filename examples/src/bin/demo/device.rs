//! The device of the demonstration: it copies guest memory, and has memory and an alarm.

use std::time::Duration;

use vfio_user::{Cx, Device, DmaError, PciDevice, Register, Timer, Virtual};

/// The value of `id`.
pub(crate) const COPY: u32 = 0x636f_7079;
/// Bytes of BAR 2.
pub(crate) const MEMORY: usize = 0x40_0000;
/// The vector of a copy that has ended.
pub(crate) const COPIED: usize = 0;
/// The vector of the alarm.
pub(crate) const ALARM: u32 = 1;

#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
#[register(u32)]
pub(crate) struct Status {
    /// A copy has succeeded.
    #[field(bit = 0)]
    pub(crate) done: bool,
    /// A copy has failed.
    #[field(bit = 1)]
    pub(crate) failed: bool,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xc0b1, class = 0x12_0000, revision = 1, driver = CopierDriver)]
#[bar(0: mem32, size = 0x1000)]
#[bar(2: mem32, size = MEMORY, shared)]
#[irq(msix = 2)]
#[capability(pm, express)]
pub(crate) struct Copier {
    #[reg(0x00, ro, reset = COPY)]
    id: Virtual<u32>,
    #[reg(0x04)]
    scratch: u32,
    #[reg(0x08, w1c)]
    status: Status,
    #[reg(0x10)]
    source: u64,
    #[reg(0x18)]
    target: u64,
    #[reg(0x20, mask = 0xffff)]
    length: u32,
    #[reg(0x24, wo, write_with = Self::start)]
    start: Virtual<u32>,
    /// In milliseconds.
    #[reg(0x28, wo, write_with = Self::set_alarm)]
    alarm: Virtual<u32>,
    #[timer(Self::wake)]
    timer: Timer,
}

impl Device for Copier {
    type Event = ();
}

impl Copier {
    fn start(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        match self.copy(cx) {
            Ok(()) => self.status.done = true,
            Err(error) => {
                eprintln!("copier: {error}");
                self.status.failed = true;
            }
        }
        cx.irq(0).raise();
    }

    fn set_alarm(&mut self, cx: &mut Cx<'_, Self>, milliseconds: u32) {
        self.timer.arm(cx, Duration::from_millis(milliseconds.into()));
    }

    #[expect(clippy::unused_self, reason = "a hook like any other")]
    fn wake(&mut self, cx: &mut Cx<'_, Self>) {
        cx.irq(1).raise();
    }

    fn copy(&self, cx: &Cx<'_, Self>) -> Result<(), DmaError> {
        let mut bytes = vec![0; self.length as usize];
        cx.dma().read(self.source, &mut bytes)?;
        cx.dma().write(self.target, &bytes)
    }
}

#[cfg(test)]
mod tests {
    vfio_user::device_tests!(super::Copier, super::Copier::default);
}
