//! A device's own registers of configuration space.

use vfio_user::function::{Function, PciFunction};
use vfio_user::protocol::RegionIndex;
use vfio_user::{Cx, Device, PciDevice, RegisterBlock, Virtual};

#[derive(Clone, Copy, Default, RegisterBlock)]
#[block(host = ChannelHost)]
struct Channel {
    #[reg(0x00, reset = 0x5a)]
    control: u16,
    #[reg(0x02, w1c)]
    status: u8,
    #[reg(0x04, wo, write_with = rung)]
    doorbell: Virtual<u32>,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msi = 1)]
struct Bridge {
    #[reg(0x00)]
    plain: u32,
    #[reg(0x80, bar = config, reset = 0x1122_0044, mask = 0xffff_00ff)]
    window: u32,
    #[reg(0x84, bar = config, w1c)]
    errors: [u16; 2],
    #[reg(0x90, bar = config, read_with = Self::ticks, write_with = Self::tick)]
    ticks: Virtual<u32>,
    #[block(0xa0, bar = config, stride = 0x10)]
    channels: [Channel; 3],
    #[block(0xf8, bar = config, first = 3)]
    last: Channel,
    count: u32,
    #[migrate(skip)]
    rung: Vec<(usize, u32)>,
}

impl Device for Bridge {
    type Event = ();
}

impl Bridge {
    fn ticks(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        self.count
    }

    fn tick(&mut self, _: &mut Cx<'_, Self>, by: u32) {
        self.count = self.count.wrapping_add(by);
    }
}

impl ChannelHost for Bridge {
    fn rung(&mut self, _: &mut Cx<'_, Self>, index: usize, value: u32) {
        self.rung.push((index, value));
    }
}

const CONFIG: RegionIndex = RegionIndex::Config;

fn bridge() -> PciFunction<Bridge> {
    let bridge = Bridge { errors: [0x00ff, 0xff00], ..Bridge::default() };
    PciFunction::new(bridge).expect("a valid device")
}

fn read<const N: usize>(bridge: &mut PciFunction<Bridge>, offset: u64) -> [u8; N] {
    let mut data = [0; N];
    bridge.read(CONFIG, offset, &mut data).expect("reads succeed");
    data
}

#[test]
fn registers_lie_among_plain_bytes() {
    let mut bridge = bridge();
    assert_eq!(read(&mut bridge, 0x00), [0x34, 0x12, 0x01, 0x00]);
    assert_eq!(read(&mut bridge, 0x80), [0x44, 0, 0x22, 0x11]);
    assert_eq!(read(&mut bridge, 0x7e), [0, 0, 0x44, 0]);
    let all: [u8; 0x100] = read(&mut bridge, 0);
    assert_eq!(all[0x80..0x88], [0x44, 0, 0x22, 0x11, 0xff, 0, 0, 0xff]);
}

#[test]
fn policies_and_masks_hold() {
    let mut bridge = bridge();
    bridge.write(CONFIG, 0x7e, &[0xff; 8]).unwrap();
    assert_eq!(bridge.device().window, 0xffff_00ff);
    assert_eq!(bridge.device().errors, [0, 0xff00]);
    assert_eq!(read(&mut bridge, 0x7e), [0, 0]);
    bridge.reset();
    assert_eq!(bridge.device().window, 0x1122_0044);
    assert_eq!(bridge.device().errors, [0x00ff, 0xff00]);
}

#[test]
fn hooks_run() {
    let mut bridge = bridge();
    assert_eq!(read(&mut bridge, 0x90), [0; 4]);
    let mut sum = 0_u32;
    for by in [5, 0x0100_0000, 0, 0xffff, u32::MAX] {
        sum = sum.wrapping_add(by);
        bridge.write(CONFIG, 0x90, &by.to_le_bytes()).unwrap();
        assert_eq!(read(&mut bridge, 0x90), sum.to_le_bytes(), "by {by:#x}");
        assert_eq!(bridge.device().count, sum);
    }
    // What is written of its neighbours is no call.
    bridge.write(CONFIG, 0x8c, &[0xff; 4]).unwrap();
    bridge.write(CONFIG, 0x94, &[0xff; 4]).unwrap();
    assert_eq!(bridge.device().count, sum);
    // A part merges with what the register reads as.
    bridge.write(CONFIG, 0x91, &[1]).unwrap();
    let [first, _, third, fourth] = sum.to_le_bytes();
    sum = sum.wrapping_add(u32::from_le_bytes([first, 1, third, fourth]));
    assert_eq!(read(&mut bridge, 0x90), sum.to_le_bytes());
    // Part of the way into the register, and out of it.
    let all: [u8; 8] = read(&mut bridge, 0x8e);
    assert_eq!(all[2..6], sum.to_le_bytes());
    assert_eq!(all[6..], [0; 2]);
}

#[test]
fn header_and_capabilities_stay_the_runtimes() {
    let mut bridge = bridge();
    bridge.write(CONFIG, 0x04, &[0x02, 0]).unwrap();
    assert_eq!(read(&mut bridge, 0x04), [0x02, 0]);
    assert_eq!(read(&mut bridge, 0x34), [0x40]);
    assert_eq!(read(&mut bridge, 0x40), [0x05, 0x00]);
    bridge.write(RegionIndex::Bar0, 0x00, &[7]).unwrap();
    assert_eq!(bridge.device().plain, 7);
}

#[test]
fn blocks_lie_there_too() {
    let mut bridge = bridge();
    assert_eq!(read(&mut bridge, 0x9e), [0, 0, 0x5a, 0, 0, 0]);
    bridge.write(CONFIG, 0xb0, &[0x34, 0x12]).unwrap();
    assert_eq!(bridge.device().channels.map(|channel| channel.control), [0x5a, 0x1234, 0x5a]);
    assert_eq!(bridge.peek("channels[1].control").unwrap().bits(), 0x1234);
    bridge.poke("last.status", 0xff).unwrap();
    bridge.write(CONFIG, 0xfa, &[0x0f]).unwrap();
    assert_eq!(read(&mut bridge, 0xf8), [0x5a, 0, 0xf0]);
    // Behind the registers of an element, nothing is.
    bridge.write(CONFIG, 0xa8, &[0xff; 8]).unwrap();
    assert_eq!(read(&mut bridge, 0xa8), [0; 8]);
}

#[test]
fn blocks_have_their_hooks_and_resets() {
    let mut bridge = bridge();
    bridge.write(CONFIG, 0xc4, &7u32.to_le_bytes()).unwrap();
    bridge.write(CONFIG, 0xfc, &8u32.to_le_bytes()).unwrap();
    assert_eq!(bridge.device().rung, [(2, 7), (3, 8)]);
    bridge.write(CONFIG, 0xa0, &[0xff; 2]).unwrap();
    bridge.reset();
    assert_eq!(read(&mut bridge, 0xa0), [0x5a, 0]);
}
