//! A conversion whose types lack what a state needs is wrong where it is named.

use vfio_user::{Device, PciDevice};

/// Its saved form has no serde.
mod opaque {
    pub struct Seconds;

    pub fn save(_: &u32) -> Seconds {
        Seconds
    }

    pub fn load(_: Seconds) -> Result<u32, &'static str> {
        Ok(0)
    }
}

/// Its error is no text.
mod silent {
    pub struct Refused;

    pub fn save(minutes: &u32) -> u32 {
        *minutes
    }

    pub fn load(_: u32) -> Result<u32, Refused> {
        Err(Refused)
    }
}

#[derive(PciDevice)]
#[pci(vendor = 1, device = 2)]
struct Clock {
    #[migrate(with = opaque)]
    started: u32,
    #[migrate(with = silent)]
    ended: u32,
}

impl Device for Clock {
    type Event = ();
}

fn main() {}
