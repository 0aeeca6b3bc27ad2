//! A device that acts: it reaches memory, holds it, raises interrupts, reports errors, uses time.

use std::time::Duration;

use vfio_user::pci::{BusErrors, CorrectableError, UncorrectableError};
use vfio_user::{Cx, Device, DmaError, DmaGuard, PciDevice, ResetKind, Timer, Virtual};

/// The most memory that one command reaches, in bytes.
const LONGEST: u32 = 1 << 14;
/// The most guards that it holds.
const MOST_GUARDS: usize = 8;

/// The device.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xf022, class = 0x12_0000, revision = 1)]
#[bar(0: mem32, size = 0x1000)]
#[bar(2: mem64, size = 0x4000, prefetchable, shared)]
#[irq(intx, msi = 4, msix = 8, bar = 4)]
#[capability(pm(d1, wakes_from(d0, d3hot)), express(endpoint, flr), aer, msi(maskable))]
#[capability(serial = 1, vpd(b"\x82\x06\x00active\x78", writable = &[0, 0, 0, 0xff]))]
pub(crate) struct Active {
    #[reg(0x00)]
    source: u64,
    #[reg(0x08)]
    target: u64,
    /// Fetches as many bytes from `source`, and writes them to `target`.
    #[reg(0x10, wo, write_with = Self::copy)]
    copy: Virtual<u32>,
    /// Holds as many bytes of `target`.
    #[reg(0x14, wo, write_with = Self::hold)]
    hold: Virtual<u32>,
    /// Does not release them when it has to.
    #[reg(0x18, mask = 1)]
    stubborn: u32,
    /// Writes through what it holds.
    #[reg(0x1c, wo, write_with = Self::write_held)]
    write_held: Virtual<u32>,
    #[reg(0x20, wo, write_with = Self::raise)]
    raise: Virtual<u32>,
    #[reg(0x24, on_write = Self::set_levels, mask = 0xff)]
    levels: u32,
    #[reg(0x28, wo, write_with = Self::report)]
    report: Virtual<u32>,
    /// Arms the timer, in microseconds.
    #[reg(0x2c, wo, write_with = Self::arm)]
    delay: Virtual<u32>,
    #[reg(0x30, kick = Self::kicked)]
    doorbell: u32,
    #[reg(0x34, rc)]
    kicks: u32,
    #[reg(0x38, w1c)]
    #[intr(status, enable = enable, vector = 7)]
    status: u32,
    #[reg(0x3c)]
    enable: u32,
    /// Writes one of the client's bytes as a message would.
    #[reg(0x40, wo, write_with = Self::publish)]
    publish: Virtual<u32>,
    #[timer(Self::expired)]
    timer: Timer,
    #[migrate(max_len = 16)]
    lengths: Vec<u32>,
    #[migrate(skip)]
    held: Vec<DmaGuard>,
}

/// What has been fetched.
pub(crate) type Fetched = Result<Vec<u8>, DmaError>;

impl Device for Active {
    type Event = Fetched;

    fn event(&mut self, cx: &mut Cx<'_, Self>, fetched: Fetched) {
        let written = fetched.and_then(|bytes| cx.dma().write(self.target, &bytes));
        self.status |= if written.is_ok() { 1 } else { 2 };
    }

    fn quiesce(&mut self, _: &mut Cx<'_, Self>) {
        if self.stubborn == 0 {
            self.held.clear();
        }
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        self.held.clear();
        self.lengths.clear();
    }

    fn disconnected(&mut self, _: &mut Cx<'_, Self>) {
        self.held.clear();
    }
}

impl Active {
    fn copy(&mut self, cx: &mut Cx<'_, Self>, len: u32) {
        let len = len.min(LONGEST);
        if self.lengths.len() < 16 {
            self.lengths.push(len);
        }
        cx.fetch(self.source, len as usize, |fetched| fetched);
    }

    fn hold(&mut self, cx: &mut Cx<'_, Self>, len: u32) {
        if self.held.len() < MOST_GUARDS
            && let Ok(guard) = cx.dma().map(self.target, len.min(LONGEST) as usize)
        {
            self.held.push(guard);
        }
    }

    fn write_held(&mut self, _: &mut Cx<'_, Self>, value: u32) {
        for guard in &self.held {
            if guard.write(u64::from(value % 64), &value.to_le_bytes()).is_err() {
                self.status |= 4;
            }
        }
    }

    fn publish(&mut self, cx: &mut Cx<'_, Self>, value: u32) {
        let published = cx.dma().publish(self.target, &value.to_le_bytes());
        self.status |= if published.is_ok() { 8 } else { 16 };
    }

    #[expect(clippy::unused_self, reason = "a hook")]
    fn raise(&mut self, cx: &mut Cx<'_, Self>, vector: u32) {
        cx.irq((vector % 8) as u16).raise();
    }

    #[expect(clippy::unused_self, reason = "a hook")]
    fn set_levels(&mut self, cx: &mut Cx<'_, Self>, _: u32, levels: u32) {
        for source in 0..7 {
            cx.irq(source).set(levels >> source & 1 == 1);
        }
    }

    #[expect(clippy::unused_self, reason = "a hook")]
    #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
    fn report(&mut self, cx: &mut Cx<'_, Self>, what: u32) {
        match what % 6 {
            0 => cx.correctable_error(CorrectableError::Receiver),
            1 => cx.uncorrectable_error(UncorrectableError::PoisonedPacket, [what; 4]),
            2 => cx.bus_errors(BusErrors::from_bits_truncate(what as u16)),
            3 => cx.signal_pme(),
            4 => cx.signal_err(),
            _ => cx.request_release(),
        }
    }

    fn arm(&mut self, cx: &mut Cx<'_, Self>, delay: u32) {
        let delay = Duration::from_micros(u64::from(delay));
        if delay.is_zero() {
            self.timer.cancel();
        } else {
            self.timer.arm(cx, delay);
        }
    }

    fn expired(&mut self, _: &mut Cx<'_, Self>) {
        self.status |= 32;
    }

    fn kicked(&mut self, _: &mut Cx<'_, Self>) {
        self.kicks = self.kicks.wrapping_add(1);
    }
}
