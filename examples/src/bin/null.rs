//! An empty device: a configuration space, and nothing behind it.

use vfio_user::{Device, PciDevice};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x0000, class = 0xff_0000)]
struct Null {}

impl Device for Null {
    type Event = ();
}

fn main() -> vfio_user::Result<()> {
    vfio_user::main(Null::default)
}

#[cfg(test)]
mod tests {
    vfio_user::device_tests!(super::Null, super::Null::default);
}
