use vfio_user::declaration::{Field, RegisterValue};
use vfio_user::{Device, PciDevice};

#[derive(Clone, Copy, Default)]
struct Ctrl(u32);

impl RegisterValue for Ctrl {
    const WIDTH: u8 = 4;
    const FIELDS: &'static [Field] = &[Field::new("wlock", 4, 2)];

    fn to_bits(self) -> u64 {
        self.0.into()
    }

    fn from_bits(bits: u64) -> Self {
        Ctrl(u32::from_bits(bits))
    }
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x11e8)]
#[bar(0: mem32, size = 0x1000)]
struct Edu {
    #[reg(0x00)]
    ctrl: Ctrl,
    #[reg(0x04, lock = ctrl.wlok)]
    limit: u32,
    #[reg(0x08, lock = ctrl.wlock)]
    other: u32,
}

impl Device for Edu {
    type Event = ();
}

fn main() {}
