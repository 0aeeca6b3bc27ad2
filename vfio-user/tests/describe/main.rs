//! What is said of a device: compared with files that a person can read, and with the documented
//! schema.

mod header;
mod page;
mod schema;

use std::ops::Range;
use std::path::Path;
use std::{env, fs};

use schema::Schema;
use vfio_user::declaration::{Descriptor, RegionType};
use vfio_user::protocol::RegionFlags;
use vfio_user::{Cx, Device, PciDevice, Register, RegisterBlock, Result, Timer, Virtual, describe};

#[derive(Clone, Copy, Debug, Default, Register)]
enum Mode {
    #[default]
    Off,
    Slow,
    Fast = 5,
}

#[derive(Clone, Copy, Debug, Default, Register)]
#[register(u32)]
struct Control {
    /// The engine runs.
    ///
    /// Nobody knows where to.
    #[field(bit = 0)]
    enable: bool,
    #[field(bits = 4..=6, reset = 1, reserved = reject)]
    mode: Mode,
    #[field(bit = 8, singlepulse)]
    kick: bool,
    #[field(bit = 9, ro, volatile)]
    busy: bool,
    /// Major | minor.
    #[field(bits = 24..=31, ro, reset = 0x12)]
    version: u8,
}

/// Whether there is a cable.
#[derive(Clone, Copy, Debug, Default, Register)]
#[register(u8, reserved = reject)]
enum Link {
    #[default]
    Down,
    Up,
}

#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
#[block(host = QueueHost)]
struct Queue {
    /// Where its descriptors lie.
    #[reg(0x00, wide(commit = low), lock = running)]
    base: u64,
    #[reg(0x08)]
    running: u32,
    #[reg(0x0c, wo, write_with = doorbell)]
    doorbells: [Virtual<u16>; 2],
    #[reg(0x10, w1c)]
    #[intr(status, enable = enable)]
    status: u8,
    #[reg(0x11)]
    enable: u8,
    /// Sends again.
    #[timer(retry)]
    retries: [Timer; 2],
}

/// A port of the switch.
#[derive(Debug, Default, RegisterBlock)]
#[block(host = PortHost, levels = 2)]
struct Port {
    #[reg(0x00)]
    lane: u8,
    #[reg(0x01, w1c)]
    #[intr(status)]
    status: u8,
    /// The lanes of a port lie at the same place.
    #[block(0x04, select = lane)]
    lanes: [Lane; 4],
    #[timer(trained)]
    training: Timer,
}

#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
struct Lane {
    /// How strong it sends.
    #[reg(0x00, reset = 3)]
    level: u8,
    #[reg(0x02)]
    taps: [u8; 2],
}

/// Has ports, and registers of its own.
#[derive(Debug, Default, RegisterBlock)]
struct Switch {
    #[reg(0x00)]
    routes: u32,
    #[block(0x10, stride = 0x10, vector_stride = 1)]
    ports: [Port; 2],
}

/// A device that has one of everything.
///
/// It does nothing with it.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xf00d, class = 0x12_3456, revision = 7, subsystem = (0x5678, 9))]
#[bar(0: mem32, size = 0x10_0000, access = 4..=8, access(0..0x10: 4), unaligned = ignore, unmapped = ones)]
#[bar(2: mem64, size = 0x1_0000_0000, prefetchable, unmapped = refuse,
      shared(0x1000..0x2000, 0x8000_0000..0x1_0000_0000))]
#[bar(4: io, size = 0x40, raw(0x3a..0x3c), big)]
#[bar(5: io, size = 0x20, mirror = 4)]
#[unmodelled(0xa0000 = "PHYCTL", 0xb0000..0xc0000 = "DEBUG")]
#[unmodelled(bar = 4, zero, 0x3c = "COUNT")]
#[irq(intx, msi = 4, msix = 9)]
#[capability(express(legacy, flr), pm(d1, wakes_from(d1, d3hot)), msi(maskable), vpd(b"x"), aer)]
#[capability(vendor(b"card", writable = &[0xff], at = 0xf0), subsystem)]
#[capability(
    custom(b"??", id = 0x07),
    serial = 0x0011_22ff_ff33_4455,
    vsec(b"secret", id = 0xabcd, revision = 3)
)]
#[capability(
    dvsec(b"else", vendor = 0x1af4, id = 7),
    ltr,
    extended(b"more", id = 0xee, version = 2, at = 0x800)
)]
struct Everything {
    /// Starts
    /// and stops.
    #[reg(0x00, sticky, on_read = Self::seen, on_write = Self::controlled)]
    control: Control,
    #[reg(0x10, ro, volatile)]
    #[intr(status, enable = enable, mask = mask, test = test, clear = clear, vector = 2)]
    status: u32,
    #[reg(0x14, big, reset(flr = keep, soft(0) = keep, soft(3) = keep))]
    enable: u32,
    #[reg(0x18, reset = 0xff, mask = 0xff)]
    mask: u32,
    #[reg(0x1c, wo)]
    test: Virtual<u32>,
    #[reg(0x28, wo)]
    clear: Virtual<u32>,
    #[reg(0x2c, ro, window(at = enable, bar = 2, len = mask, step = 4))]
    peephole: Virtual<u32>,
    #[reg(0x34, port, ro, read_with = Self::received)]
    received: Virtual<u32>,
    #[reg(0x20, ro, read_with = Self::now)]
    now: Virtual<u64>,
    #[reg(0x30, wo, write_with = Self::ring, ioeventfd = 7)]
    bell: Virtual<u32>,
    #[reg(0x38, wo, kick = Self::kicked)]
    bells: [Virtual<u16>; 4],
    #[reg(0x1000, bar = 2, watch)]
    tail: u32,
    /// Of the port.
    #[reg(0x60, ro)]
    link: Link,
    #[reg(0x40, stride = 8, writable = 0x0f, lock = control.enable)]
    ring: [u8; 4],
    /// One per processor.
    #[block(0x80000, stride = 0x20, vector = 1, vector_stride = 1)]
    queues: [Queue; 8],
    /// Each has ports with lanes.
    #[block(0x81000, stride = 0x40, vector = 1, vector_stride = 2)]
    switches: [Switch; 3],
    #[reg(0x00, bar = 4, singlepulse, lock = !control.enable)]
    go: u8,
    /// What it shows.
    ///
    /// In colours.
    #[memory(0x90000..0xa0000, on_write = Self::drawn, reset = zero)]
    screen: Vec<u8>,
    #[memory(0x10..0x1f, bar = 4)]
    address: [u8; 15],
    #[memory(0x3000..0x3400, bar = 2, reset = keep)]
    log: Vec<u8>,
    #[reg(0x01, bar = 4)]
    page: u8,
    #[reg(0x02, bar = 4, ro, overlay, when(page = 0 | 4..=7), reset = 1)]
    identity: u8,
    #[reg(0x02, bar = 4, wo, overlay, when(page = 0), allow(unread))]
    fifo: u8,
    #[reg(0x04, bar = 4, when(size = 2 | 4))]
    data: u16,
    /// One at a time.
    #[block(0x20, bar = 4, select = page, first = 8)]
    legacy: [Queue; 2],
    #[reg(0x38, bar = 4, select = control.mode)]
    sizes: [u16; 5],
    #[reg(0xc0, bar = config)]
    extra: u32,
    #[timer(Self::expired)]
    patience: Timer,
}

impl Device for Everything {
    type Event = ();

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        descriptor.set_rom(vec![0; 3000]);
        descriptor.set_vga();
        let both = RegionFlags::READ | RegionFlags::WRITE;
        descriptor.add_region(RegionType::of_vendor(0x1234, 7), 0x1000, RegionFlags::READ);
        descriptor.add_region(RegionType { ty: 2, subtype: 0 }, 0x123, both);
        Ok(())
    }
}

#[expect(clippy::unused_self, reason = "hooks are methods")]
impl Everything {
    fn seen(&mut self, _: &mut Cx<'_, Self>, _: Control) {}

    fn controlled(&mut self, _: &mut Cx<'_, Self>, _: Control, _: Control) {}

    fn ring(&mut self, _: &mut Cx<'_, Self>, _: u32) {}

    fn received(&mut self, _: &mut Cx<'_, Self>, _: &mut [u8]) {}

    fn drawn(&mut self, _: &mut Cx<'_, Self>, _: Range<usize>) {}

    fn kicked(&mut self, _: &mut Cx<'_, Self>, _: usize) {}

    fn now(&mut self, _: &mut Cx<'_, Self>) -> u64 {
        0
    }

    fn expired(&mut self, _: &mut Cx<'_, Self>) {}
}

impl PortHost for Everything {
    fn trained(&mut self, _: &mut Cx<'_, Self>, _: [usize; 2]) {}
}

impl QueueHost for Everything {
    fn doorbell(&mut self, _: &mut Cx<'_, Self>, _: usize, _: usize, _: u16) {}

    fn retry(&mut self, _: &mut Cx<'_, Self>, _: usize, _: usize) {}
}

/// The least that a device can be.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0)]
struct Nothing {}

impl Device for Nothing {
    type Event = ();
}

fn everything() -> Descriptor {
    let mut descriptor = Everything::DESCRIPTOR;
    Everything::default().configure(&mut descriptor).unwrap();
    descriptor
}

/// `VFIO_USER_BLESS=1` records what is said now.
#[track_caller]
fn compare(name: &str, described: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/describe").join(name);
    if env::var_os("VFIO_USER_BLESS").is_some_and(|value| value == "1") {
        fs::write(&path, described).unwrap();
    }
    assert_eq!(described, fs::read_to_string(&path).unwrap(), "{}", path.display());
}

#[test]
fn everything_is_described() {
    let descriptor = everything();
    compare("everything.txt", &describe::text(&descriptor));
    compare("everything.md", &describe::markdown(&descriptor));
    compare("everything.json", &describe::json(&descriptor));
    compare("everything.html", &describe::html(&descriptor));
    compare("everything.svd", &describe::svd(&descriptor));
    compare("everything.h", &describe::c_header(&descriptor));
}

#[test]
fn nothing_is_described() {
    let nothing = Nothing::DESCRIPTOR;
    assert!(describe::text(&nothing).ends_with("interrupts    none\n  capabilities  none\n"));
    assert!(describe::markdown(&nothing).ends_with("| Capabilities | none |\n"));
}

#[test]
fn json_is_as_documented() {
    let schema = Schema::read(include_str!("../../../docs/describe.md"));
    schema.check(&describe::json(&Nothing::DESCRIPTOR));
    let json = describe::json(&everything());
    assert_eq!(schema.check(&json), schema.sections(), "everything that is documented occurs");
    assert!(schema.has_order_of(&json));
    assert!(json.starts_with(&format!("{{\n  \"version\": {},", describe::JSON_VERSION)));
}

/// A table's row is one line with as many cells as its head.
#[test]
fn markdown_tables_are_whole() {
    let page = describe::markdown(&everything());
    let mut cells = 0;
    for line in page.lines().map(|line| line.replace("\\|", "")) {
        let found = line.matches('|').count();
        assert!(found == 0 || cells == 0 || found == cells, "{line}");
        cells = found;
    }
}
