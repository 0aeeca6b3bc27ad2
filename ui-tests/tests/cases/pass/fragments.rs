//! Attributes whose parts are fragments of a macro.

mod framework {
    pub use vfio_user as library;
}

use framework::library::{self, Bench, Cx, Device};
use framework::library::{PciDevice, Register, RegisterBlock, Virtual};

macro_rules! device {
    ($name:literal, $size:expr, $at:literal, $bits:expr, $hook:path, $ty:ty, $count:literal, $range:expr) => {
        #[derive(Clone, Copy, Debug, Default, Register)]
        #[register(u32, crate = framework::library)]
        struct Control {
            #[field(bits = $range, reset = $bits)]
            low: u8,
            #[field(bit = 31, reset = !0)]
            high: bool,
        }

        #[derive(Clone, Copy, Debug, Default, Register)]
        #[register(crate = library)]
        enum Mode {
            #[default]
            Off,
            On,
        }

        #[derive(Clone, Copy, Debug, Default, Register)]
        #[register(u8, crate = crate::framework::library)]
        struct Modes {
            #[field(bit = 0)]
            mode: Mode,
        }

        #[derive(Clone, Copy, Debug, Default, RegisterBlock)]
        #[block(host = Host, crate = framework::library)]
        struct Group {
            #[reg($at, wo, write_with = rung)]
            bell: Virtual<$ty>,
        }

        #[derive(Default, PciDevice)]
        #[pci(vendor = $count, device = 2, name = $name, crate = framework::library)]
        #[bar(0: mem32, size = $size)]
        struct Card {
            #[reg($at, write_with = $hook, mask = !$bits)]
            command: Virtual<$ty>,
            #[reg(0x10)]
            ring: [$ty; $count],
            #[reg(0x40)]
            control: Control,
            #[reg(0x44)]
            modes: Modes,
            #[block(0x80, stride = $count)]
            groups: [Group; $count],
            #[migrate(max_len = ($count, $at + 8))]
            names: Vec<Option<String>>,
            written: u32,
        }
    };
}

device!("frag-1", 0x1000, 0, 3, Card::write, u32, 8, 0..=7);

impl Device for Card {
    type Event = ();
}

impl Host for Card {
    fn rung(&mut self, _: &mut Cx<'_, Self>, index: usize, value: u32) {
        self.written = value + u32::try_from(index).unwrap();
    }
}

impl Card {
    fn write(&mut self, _: &mut Cx<'_, Self>, value: u32) {
        self.written = value;
    }
}

fn main() {
    let mut bench = Bench::new(Card::default()).unwrap();
    bench.write(0, 0x00, 0xff_u32);
    assert_eq!(bench.device().written & 0xfc, 0xfc);
    bench.write(0, 0x88, 5_u32);
    assert_eq!(bench.device().written, 6);
    assert_eq!(bench.read::<u32>(0, 0x40), 0x8000_0003);
    let state = bench.save();
    bench.load(&state).unwrap();
}
