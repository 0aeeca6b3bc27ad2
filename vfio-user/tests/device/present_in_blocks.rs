//! Registers of blocks that a device has or lacks, as `configure` says.

use tracing::Level;
use vfio_user::declaration::{Descriptor, LayoutError};
use vfio_user::{Bench, Cx, Device, PciDevice, RegisterBlock, Result, Virtual, describe};

use super::log::logged;

#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
#[block(host = ChannelHost, levels = 2)]
struct Channel {
    #[reg(0x00)]
    head: u32,
    #[reg(0x04, reset = 5, on_write = tuned)]
    tuning: u32,
    #[reg(0x08, wo, kick = rang, allow(unread))]
    doorbell: u32,
    #[reg(0x0c)]
    limits: [u16; 2],
}

#[derive(Debug, Default, RegisterBlock)]
struct Ring {
    #[reg(0x00)]
    base: u64,
    #[reg(0x08, w1)]
    fuse: u32,
    #[block(0x10)]
    channels: [Channel; 3],
}

#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
struct Page {
    #[reg(0x00)]
    low: u8,
    #[reg(0x01)]
    high: u8,
}

#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000, unmapped = ones)]
struct Card {
    #[block(0x100, stride = 0x80)]
    rings: [Ring; 2],
    #[reg(0x00)]
    page: u8,
    #[block(0x02, select = page)]
    pages: [Page; 2],
    #[block(0x80, bar = config)]
    vendor: Page,
    calls: u32,
    #[migrate(skip)]
    absent: &'static [&'static str],
    #[reg(0x04, wo, write_with = Self::reset_ring)]
    reset_ring: Virtual<u32>,
}

const LACKED: &[&str] = &[
    "rings.channels.tuning",
    "rings.channels.doorbell",
    "rings.channels.limits",
    "rings.fuse",
    "pages.high",
    "vendor.low",
];

impl Default for Card {
    fn default() -> Self {
        let (page, pages, vendor, calls, reset_ring) = Default::default();
        let channel = Channel { tuning: 5, ..Channel::default() };
        let rings = [(); 2].map(|()| Ring { channels: [channel; 3], ..Ring::default() });
        Card { rings, page, pages, vendor, calls, absent: LACKED, reset_ring }
    }
}

impl Device for Card {
    type Event = ();

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        Ok(self.absent.iter().try_for_each(|name| descriptor.set_present(name, false))?)
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: vfio_user::ResetKind) {
        self.calls = 0;
    }
}

impl Card {
    fn reset_ring(&mut self, cx: &mut Cx<'_, Self>, ring: u32) {
        cx.reset_block(self, const { Cx::<Self>::block_index("rings") }, ring as usize);
    }
}

impl ChannelHost for Card {
    fn tuned(&mut self, _: &mut Cx<'_, Self>, _: [usize; 2], _: u32, _: u32) {
        self.calls += 1;
    }

    fn rang(&mut self, _: &mut Cx<'_, Self>, _: [usize; 2]) {
        self.calls += 1;
    }
}

fn card(absent: &'static [&'static str]) -> Bench<Card> {
    Bench::new(Card { absent, ..Card::default() }).expect("a valid device")
}

/// The start of a channel.
fn channel(ring: u64, channel: u64) -> u64 {
    0x110 + ring * 0x80 + channel * 0x10
}

#[test]
fn all_elements_lack_it() {
    let mut bench = card(LACKED);
    let starts = (0..2).flat_map(|ring| (0..3).map(move |one| channel(ring, one)));
    for start in starts {
        for at in [start + 4, start + 8, start + 0xc] {
            bench.write(0, at, 7_u32);
            assert_eq!(bench.read::<u32>(0, at), u32::MAX, "{at:#x}");
        }
        bench.write(0, start, 0x55_u64);
        assert_eq!(bench.read::<u64>(0, start), 0xffff_ffff_0000_0055, "its neighbour is there");
    }
    bench.write(0, 0x108, 7_u32);
    assert_eq!(bench.read::<u32>(0, 0x108), u32::MAX);
    let Card { rings, calls, .. } = bench.device();
    let fields = rings.iter().flat_map(|ring| ring.channels);
    assert!(fields.clone().all(|one| (one.tuning, one.doorbell, one.limits) == (5, 0, [0; 2])));
    assert_eq!((fields.count(), rings[0].fuse, *calls), (6, 0, 0));
}

#[test]
fn selected_blocks_and_configuration_space_lack_it() {
    let mut bench = card(LACKED);
    for page in [0_u8, 1] {
        bench.write(0, 0x00, page);
        bench.write(0, 0x02, 0x1010_u16 + u16::from(page));
        assert_eq!(bench.read::<u16>(0, 0x02), 0xff10 + u16::from(page));
    }
    bench.write_config(0x80, 0x2211_u16);
    assert_eq!(bench.read_config::<u16>(0x80), 0x2200, "zeros, where a BAR has ones");
    let Card { pages, vendor, .. } = bench.device();
    assert_eq!((pages[1].low, pages[1].high, vendor.low, vendor.high), (0x11, 0, 0, 0x22));
}

#[test]
fn resets_of_an_element_leave_it() {
    let mut bench = card(LACKED);
    bench.write(0, channel(1, 2), 7_u32);
    bench.write(0, 0x04, 1_u32);
    let channel = &bench.device().rings[1].channels[2];
    assert_eq!((channel.head, channel.tuning), (0, 5));
}

#[test]
fn nothing_names_it_but_the_log() {
    let mut bench = card(LACKED);
    assert!(bench.function().peek("rings[1].channels[2].tuning").is_err());
    assert!(bench.function().peek("rings[1].channels[2].head").is_ok());
    let descriptor = bench.function().descriptor();
    assert_eq!(descriptor.slots().count(), 2 + (2 + 2 * 3) + 2 + 1);
    let all = [
        describe::text(descriptor),
        describe::markdown(descriptor),
        describe::json(descriptor),
        describe::html(descriptor),
        describe::svd(descriptor),
        describe::c_header(descriptor),
    ];
    for described in all.map(|text| text.to_lowercase()) {
        assert!(described.contains("head") && !described.contains("tuning"), "{described}");
    }
    let lines = logged(Level::WARN, || bench.write(0, channel(1, 2) + 4, 1_u32));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("card.rings[1].channels[2].tuning"), "{lines:?}");
    assert!(lines[0].contains("this device does not have it"), "{lines:?}");
}

#[test]
fn names_are_paths() {
    let mut descriptor = Card::DESCRIPTOR;
    for register in ["channels.tuning", "rings.tuning", "rings[0].base", "rings", "tuning"] {
        let refused = descriptor.set_present(register, false);
        assert_eq!(refused, Err(LayoutError::NoSuchRegister { register }));
    }
    descriptor.set_present("rings.channels.tuning", false).unwrap();
    assert_eq!(descriptor.slots().count(), Card::DESCRIPTOR.slots().count() - 6);
    descriptor.set_present("rings.channels.tuning", true).unwrap();
    assert_eq!(descriptor.slots().count(), Card::DESCRIPTOR.slots().count());
}

#[test]
fn state_is_of_a_device_with_the_same_registers() {
    let mut has = card(&[]);
    has.write(0, channel(0, 1) + 4, 0x77_u32);
    let mut lacks = card(&["rings.channels.tuning"]);
    let error = lacks.load(&has.save()).unwrap_err().to_string();
    assert!(error.contains("tuning"), "{error}");
    let error = has.load(&lacks.save()).unwrap_err().to_string();
    assert!(error.contains("tuning"), "{error}");
    lacks.write(0, channel(0, 1), 0x78_u32);
    let mut again = card(&["rings.channels.tuning"]);
    again.load(&lacks.save()).unwrap();
    assert_eq!(again.peek("rings[0].channels[1].head"), 0x78);
    assert_eq!(has.peek("rings[0].channels[1].tuning"), 0x77, "what is refused changes nothing");
}

mod lacking {
    vfio_user::device_tests!(super::Card, super::Card::default);
}

mod whole {
    fn whole() -> super::Card {
        super::Card { absent: &[], ..super::Card::default() }
    }

    vfio_user::device_tests!(super::Card, whole);
}
