//! The generated tests reach registers that answer under a condition.

use vfio_user::suite::Suite;
use vfio_user::{Cx, Device, PciDevice, Virtual};

/// A register that answers for one of 65,536 pages, over a private field that resets forget.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Paged {
    #[reg(0x00)]
    page: u16,
    #[reg(0x04, when(page = 0x1234), read_with = Self::hidden, write_with = Self::set_hidden)]
    hidden: Virtual<u32>,
    #[reg(0x04, when(page = 0x4321))]
    plain: u32,
    private: u32,
}

impl Device for Paged {
    type Event = ();
}

impl Paged {
    fn hidden(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        self.private
    }

    fn set_hidden(&mut self, _: &mut Cx<'_, Self>, value: u32) {
        self.private = value;
    }
}

#[test]
#[should_panic(expected = "in `private` after a reset")]
fn what_a_register_with_a_condition_leaves_is_found() {
    Suite::new(Paged::default).scripts();
}
