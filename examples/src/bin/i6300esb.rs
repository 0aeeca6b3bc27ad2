//! The watchdog of Intel's 6300ESB hub: two stages, of which the first can raise an interrupt and
//! the second resets the machine. Linux drives it with `i6300esb`.
//!
//! A function cannot reset its machine, so the program prints a line instead.

use std::io::{self, Write};
use std::time::Duration;

use vfio_user::{Cx, Device, PciDevice, Register, ResetKind, Timer};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x8086, device = 0x25ab, class = 0x08_8000)]
#[bar(0: mem32, size = 0x1000)]
#[irq(intx)]
struct Watchdog {
    /// What each stage counts down from. A write takes effect after the two keys.
    #[reg(0x00, reset = 0xf_ffff, mask = 0xf_ffff, lock_with = Self::takes_no_write)]
    preload: [u32; 2],
    /// The first stage has expired.
    #[reg(0x08, w1c, mask = 1, volatile)]
    #[intr(status)]
    interrupt: u16,
    #[reg(0x0c, sticky, write_with = Self::reload)]
    reload: Reload,
    #[reg(0x60, bar = config)]
    config: Config,
    #[reg(0x68, bar = config, lock = lock.locked, on_write = Self::enable)]
    lock: Lock,
    #[timer(Self::expired)]
    timer: Timer,
    /// The second stage counts.
    is_second: bool,
    /// How many of the keys have been written.
    keys: u8,
}

#[derive(Clone, Copy, Default, Register)]
#[register(u16)]
struct Reload {
    /// Takes a key.
    #[field(bits = 0..=7, wo)]
    key: u8,
    /// Starts the first stage again.
    #[field(bit = 8, wo)]
    restart: bool,
    /// The second stage has expired since this was cleared.
    #[field(bit = 9, w1c, volatile)]
    expired: bool,
}

#[derive(Clone, Copy, Default, Register)]
#[register(u16)]
struct Config {
    #[field(bits = 0..=1)]
    interrupt: Interrupt,
    /// Counts in 1 µs instead of 1 ms.
    #[field(bit = 2)]
    fast: bool,
    #[field(bit = 5)]
    reset_disabled: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Register)]
enum Interrupt {
    #[default]
    Line,
    Reserved,
    Smi,
    Disabled,
}

#[derive(Clone, Copy, Default, Register)]
#[register(u8)]
struct Lock {
    /// Nothing changes this register until a reset.
    #[field(bit = 0)]
    locked: bool,
    #[field(bit = 1)]
    enabled: bool,
    /// The stages start again when the second one has expired.
    #[field(bit = 2)]
    free_running: bool,
}

const KEYS: [u8; 2] = [0x80, 0x86];
/// The clock of the PCI bus, of which a count is 2^15 or 2^5 cycles.
const HERTZ: u64 = 33_000_000;

impl Device for Watchdog {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        (self.is_second, self.keys) = (false, 0);
    }
}

impl Watchdog {
    /// The keys open the registers for one write.
    fn takes_no_write(&mut self, _: &mut Cx<'_, Self>, _stage: usize) -> bool {
        usize::from(std::mem::take(&mut self.keys)) != KEYS.len()
    }

    fn reload(&mut self, cx: &mut Cx<'_, Self>, written: Reload) {
        if KEYS.get(usize::from(self.keys)) == Some(&written.key) {
            self.keys += 1;
        } else if !self.takes_no_write(cx, 0) {
            self.reload.expired &= !written.expired;
            if written.restart {
                self.count(cx, false);
            }
        }
    }

    fn enable(&mut self, cx: &mut Cx<'_, Self>, old: Lock, new: Lock) {
        if new.enabled != old.enabled {
            self.count(cx, false);
        }
    }

    /// Starts a stage, if the watchdog is enabled.
    fn count(&mut self, cx: &Cx<'_, Self>, is_second: bool) {
        self.is_second = is_second;
        self.timer.cancel();
        if self.lock.enabled {
            let cycles = if self.config.fast { 1 << 5 } else { 1 << 15 };
            let cycles = u64::from(self.preload[usize::from(is_second)]) * cycles;
            self.timer.arm(cx, Duration::from_nanos(cycles * 1000 / (HERTZ / 1_000_000)));
        }
    }

    fn expired(&mut self, cx: &mut Cx<'_, Self>) {
        if !self.is_second {
            self.interrupt |= u16::from(self.config.interrupt == Interrupt::Line);
            return self.count(cx, true);
        }
        self.reload.expired = true;
        if !self.config.reset_disabled {
            // The output may have no reader.
            let _ = writeln!(io::stdout(), "the watchdog has expired: reset the machine");
        } else if self.lock.free_running {
            self.count(cx, false);
        }
    }
}

fn main() -> vfio_user::Result<()> {
    vfio_user::main(Watchdog::default)
}

#[cfg(test)]
mod tests {
    vfio_user::device_tests!(super::Watchdog, super::Watchdog::default);

    #[test]
    fn most_registers_are_accessed() {
        let coverage = device_suite().coverage();
        assert!(coverage.accessed * 5 >= coverage.registers_total * 4, "{coverage}");
    }
}
