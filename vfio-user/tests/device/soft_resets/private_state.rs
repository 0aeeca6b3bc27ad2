//! Private fields that a device forgets to reset: not declared, but used, so the tests of every
//! device find them.

use vfio_user::suite::Suite;
use vfio_user::{Cx, Device, PciDevice, ResetKind, Virtual};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Forgetful {
    #[reg(0x00, wo, write_with = Self::command)]
    command: Virtual<u8>,
    writes: u32,
    #[migrate(skip)]
    forgets: bool,
}

impl Device for Forgetful {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, kind: ResetKind) {
        if kind != ResetKind::Soft(5) || !self.forgets {
            self.writes = 0;
        }
    }
}

impl Forgetful {
    fn command(&mut self, cx: &mut Cx<'_, Self>, command: u8) {
        self.writes += 1;
        if command & 3 == 3 {
            cx.soft_reset(self, 5);
        }
    }
}

fn forgetful() -> Forgetful {
    Forgetful { forgets: true, ..Forgetful::default() }
}

#[test]
fn a_device_that_resets_it_passes() {
    Suite::new(Forgetful::default).scripts();
}

#[test]
#[should_panic = "a script leaves something else in `writes` after a reset"]
fn what_a_soft_reset_does_not_clear_is_found() {
    Suite::new(forgetful).scripts();
}

#[test]
fn what_survives_is_named() {
    Suite::new(forgetful).keep_on_soft(&["writes"]).scripts();
}
