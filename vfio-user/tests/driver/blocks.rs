//! Drivers of blocks.

use vfio_user::{Cx, Device, PciDevice, RegisterBlock, Virtual};

use crate::recorder::Recorder;

#[derive(Default, RegisterBlock)]
#[block(host = ChannelHost, levels = 2, driver = ChannelDriver)]
struct Channel {
    #[reg(0x00)]
    head: u32,
    #[reg(0x04, wo, write_with = rung)]
    doorbell: Virtual<u32>,
}

#[derive(Default, RegisterBlock)]
#[block(driver = RingDriver)]
struct Ring {
    #[reg(0x00)]
    base: u64,
    #[reg(0x08)]
    sizes: [u16; 4],
    #[block(0x20, stride = 0x10)]
    channels: [Channel; 4],
}

#[derive(Default, RegisterBlock)]
#[block(driver = PageDriver)]
struct Page {
    #[reg(0x00, big)]
    address: u64,
}

#[derive(Default, RegisterBlock)]
struct Hidden {
    #[reg(0x00)]
    secret: u32,
}

const RINGS: u64 = 0x100;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1, driver = NicDriver)]
#[migrate(none)]
#[bar(0: mem32, size = 0x1000, access = 1..=4)]
#[bar(1: mem32, size = 0x1000, access = 8)]
struct Nic {
    #[reg(0x00)]
    page: u32,
    #[block(0x10, select = page)]
    pages: [Page; 3],
    #[block(0x20, driver = skip)]
    hidden: Hidden,
    #[block(RINGS, bar = 1, stride = 0x80)]
    rings: [OnlyWords; 2],
    #[block(RINGS)]
    ring: Ring,
    rung: Vec<([usize; 2], u32)>,
}

#[derive(Clone, Copy, Default, RegisterBlock)]
#[block(driver = OnlyWordsDriver)]
struct OnlyWords {
    #[reg(0x08)]
    base: u64,
}

impl Device for Nic {
    type Event = ();
}

impl ChannelHost for Nic {
    fn rung(&mut self, _: &mut Cx<'_, Self>, index: [usize; 2], value: u32) {
        self.rung.push((index, value));
    }
}

fn nic() -> NicDriver<Recorder<Nic>> {
    NicDriver::new(Recorder::new(Nic::default()))
}

#[test]
fn elements_have_drivers() {
    let mut nic = nic();
    nic.rings(1).set_base(0x1234).unwrap();
    assert_eq!(nic.rings(1).base().unwrap(), 0x1234);
    assert_eq!(nic.rings(0).base().unwrap(), 0);
    assert_eq!(nic.bars().accesses()[0], (1, RINGS + 0x88, 8, Some(0x1234)));
    assert_eq!(nic.bars().bench.device().rings[1].base, 0x1234);
}

#[test]
fn blocks_in_blocks_have_drivers() {
    let mut nic = nic();
    let mut ring = nic.ring();
    ring.set_sizes(2, 64).unwrap();
    ring.channels(3).set_head(5).unwrap();
    ring.channels(3).set_doorbell(9).unwrap();
    assert_eq!((ring.sizes(2).unwrap(), ring.channels(3).head().unwrap()), (64, 5));
    ring.set_base(0x1_0000_0002).unwrap();
    assert_eq!(ring.base().unwrap(), 0x1_0000_0002);
    assert_eq!(nic.bars().accesses()[1], (0, RINGS + 0x50, 4, Some(5)));
    let device = nic.bars().bench.device();
    assert_eq!((device.ring.sizes[2], device.ring.channels[3].head), (64, 5));
    assert_eq!(device.rung, [([0, 3], 9)]);
}

#[test]
fn the_selected_element_answers() {
    let mut nic = nic();
    for (page, address) in [(0, 0x10), (2, 0x1122_3344_5566_7788)] {
        nic.set_page(page).unwrap();
        nic.pages().set_address(address).unwrap();
        assert_eq!(nic.pages().address().unwrap(), address);
    }
    let pages = &nic.bars().bench.device().pages;
    assert_eq!([0, 1, 2].map(|page| pages[page].address), [0x10, 0, 0x1122_3344_5566_7788]);
    assert_eq!(nic.bars().bench.device().hidden.secret, 0);
}

#[test]
#[should_panic(expected = "`channels` has 4 elements; there is no element 4")]
fn an_element_that_does_not_exist_has_no_driver() {
    let _ = nic().ring().channels(4);
}
