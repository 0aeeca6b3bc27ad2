//! The device of the demonstration: it copies guest memory, and has memory and an alarm.

use std::time::Duration;

use vfio_user::{Cx, Device, DmaError, PciDevice, Timer, Virtual};

/// Offsets of its registers.
pub(crate) mod regs {
    pub(crate) const ID: u64 = 0x00;
    pub(crate) const SCRATCH: u64 = 0x04;
    pub(crate) const STATUS: u64 = 0x08;
    pub(crate) const SOURCE: u64 = 0x10;
    pub(crate) const TARGET: u64 = 0x18;
    pub(crate) const LENGTH: u64 = 0x20;
    pub(crate) const START: u64 = 0x24;
    pub(crate) const ALARM: u64 = 0x28;
}

/// The value of ID.
pub(crate) const COPY: u32 = 0x636f_7079;

/// STATUS: a copy succeeded.
pub(crate) const DONE: u32 = 1 << 0;
/// STATUS: a copy failed.
pub(crate) const FAILED: u32 = 1 << 1;

/// Bytes of BAR 2.
pub(crate) const MEMORY: usize = 0x10_0000;
/// The vector of the alarm.
pub(crate) const ALARM: u32 = 1;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xc0b1, class = 0x12_0000, revision = 1)]
#[bar(0: mem32, size = 0x1000)]
#[bar(2: mem32, size = MEMORY, shared)]
#[irq(msix = 2)]
#[capability(pm, express)]
pub(crate) struct Copier {
    #[reg(regs::ID, ro, reset = COPY)]
    id: Virtual<u32>,
    #[reg(regs::SCRATCH)]
    scratch: u32,
    #[reg(regs::STATUS, w1c, mask = DONE | FAILED)]
    status: u32,
    #[reg(regs::SOURCE)]
    source: u64,
    #[reg(regs::TARGET)]
    target: u64,
    #[reg(regs::LENGTH, mask = 0xffff)]
    length: u32,
    #[reg(regs::START, wo, write_with = Self::start)]
    start: Virtual<u32>,
    /// In milliseconds.
    #[reg(regs::ALARM, wo, write_with = Self::set_alarm)]
    alarm: Virtual<u32>,
    #[timer(Self::wake)]
    timer: Timer,
}

impl Device for Copier {
    type Event = ();
}

impl Copier {
    fn start(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        self.status |= match self.copy(cx) {
            Ok(()) => DONE,
            Err(error) => {
                eprintln!("copier: {error}");
                FAILED
            }
        };
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
