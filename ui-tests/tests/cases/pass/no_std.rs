//! A driver of a device needs `core` alone.

#![no_std]
#![deny(warnings)]

use core::convert::Infallible;

use vfio_user::driver::{Bars, Width};
use vfio_user::{Device, PciDevice, Register, RegisterBlock};

#[derive(Clone, Copy, Debug, PartialEq, Register)]
#[register(u32)]
struct Control {
    #[field(bit = 0)]
    enable: bool,
    #[field(bits = 4..=7)]
    speed: u8,
}

#[derive(RegisterBlock)]
#[block(driver = QueueDriver)]
struct Queue {
    #[reg(0x00)]
    tail: u32,
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1, driver = CardDriver)]
#[bar(0: mem32, size = 0x100)]
#[migrate(none)]
struct Card {
    #[reg(0x00)]
    control: Control,
    #[reg(0x04, w1c)]
    causes: u32,
    #[block(0x10, stride = 4)]
    queues: [Queue; 2],
}

impl Device for Card {
    type Event = ();
}

/// Words of memory, in place of a BAR.
struct Words([u64; 8]);

impl Bars for Words {
    type Error = Infallible;

    fn read(&mut self, _: u8, offset: u64, _: Width) -> Result<u64, Infallible> {
        Ok(self.0[offset as usize / 4])
    }

    fn write(&mut self, _: u8, offset: u64, _: Width, value: u64) -> Result<(), Infallible> {
        self.0[offset as usize / 4] = value;
        Ok(())
    }
}

fn main() {
    let control = Control { enable: true, speed: 3 };
    let mut card = CardDriver::new(Words([0; 8]));
    let Ok(()) = card.set_control(control);
    let Ok(()) = card.update_control(|control| control.speed += 1);
    let Ok(()) = card.clear_causes(2);
    let Ok(()) = card.queues(1).set_tail(7);
    let Ok(read) = card.control();
    assert_eq!(read, Control { speed: 4, ..control });
    assert_eq!(card.into_bars().0, [0x41, 2, 0, 0, 0, 7, 0, 0]);
    let _ = Card { control, causes: 0, queues: [Queue { tail: 0 }, Queue { tail: 0 }] };
}
