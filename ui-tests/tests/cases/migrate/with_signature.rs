#![allow(unused_imports)]
use vfio_user::{Cx, Device, PciDevice, Register, RegisterBlock, Virtual};


mod clock {
    pub fn save(time: u32) -> u64 {
        time.into()
    }

    pub fn load(time: u64) -> Result<std::time::Instant, &'static str> {
        let _ = time;
        Err("no")
    }
}

mod pairs {
    pub fn save(time: &std::time::Instant) -> u64 {
        let _ = time;
        0
    }

    pub fn load(_: u32) -> Result<std::time::Instant, &'static str> {
        Err("no")
    }
}

#[derive(PciDevice)]
#[pci(vendor = 1, device = 2)]
struct Card {
    #[migrate(with = clock)]
    started: std::time::Instant,
    #[migrate(with = pairs)]
    ended: std::time::Instant,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
