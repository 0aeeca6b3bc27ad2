#![allow(unused_imports)]
use vfio_user::{Cx, Device, PciDevice, Register, RegisterBlock, Virtual};


use vfio_user::serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(crate = "vfio_user::serde")]
struct Job {
    count: u32,
}

#[derive(PciDevice)]
#[pci(vendor = 1, device = 2)]
struct Card {
    #[migrate(max_len = 4)]
    job: Job,
}

impl Device for Card {
    type Event = ();
}

fn main() {}
