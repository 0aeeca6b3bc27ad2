//! M05: what older state does not have is a value that the register can have.

use vfio_user::{Device, PciDevice, Register, RegisterBlock};

const NARROW: u64 = 0x1ff;

#[derive(Clone, Copy, Default, Register)]
enum Mode {
    #[default]
    Off,
    Slow,
    Fast = 3,
}

#[derive(Clone, Copy, Default, Register)]
#[register(u16)]
struct Control {
    #[field(bits = 0..=1, reserved = reject)]
    mode: Mode,
    #[field(bits = 4..=7)]
    level: u8,
}

#[derive(Clone, Copy, Default, RegisterBlock)]
#[migrate(version = 2)]
struct Queue {
    #[reg(0x00, mask = 0x0f)]
    #[migrate(since = 2, default = 0x10)]
    size: u32,
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[migrate(version = 2)]
struct Edu {
    #[reg(0x00)]
    #[migrate(since = 2, default = 0x100)]
    wide: u8,
    #[reg(0x01)]
    #[migrate(since = 2, default = NARROW)]
    by_constant: [u8; 2],
    #[reg(0x04, mask = 0xff00)]
    #[migrate(since = 2, default = 0x1)]
    masked: u16,
    #[reg(0x06)]
    #[migrate(since = 2, default = 0x2)]
    without_variant: Control,
    #[reg(0x08)]
    #[migrate(since = 2, default = 0x13 | 0x100)]
    reserved: Control,
    #[reg(0x0a)]
    #[migrate(since = 2, default = 0x13)]
    right: Control,
    #[block(0x100)]
    queue: Queue,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
