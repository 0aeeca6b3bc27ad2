//! Capabilities that hold registers of the device's own.

use std::error::Error as _;

use vfio_user::declaration::{Capability, Descriptor};
use vfio_user::{Bench, Cx, Device, PciDevice, RegisterBlock, ResetKind, Result, Virtual};

/// Where a driver leaves messages.
#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
#[block(host = MailboxHost)]
struct Mailbox {
    #[reg(0x00, ro, reset = 0x0102)]
    version: u16,
    #[reg(0x04, on_write = written)]
    message: u32,
    #[reg(0x08, wo, write_with = post)]
    post: Virtual<u8>,
}

/// Bytes need no alignment.
#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
struct Bytes {
    #[reg(0)]
    first: u8,
    #[reg(1, w1c, reset = 0xff)]
    second: u8,
}

#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
struct Wide {
    #[reg(0)]
    word: u64,
}

#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msi = 1)]
#[capability(pm, express(at = 0xa0))]
struct Card {
    #[reg(0)]
    scratch: u32,
    #[capability(vendor)]
    mailbox: Mailbox,
    #[capability(vendor(at = Self::BYTES))]
    bytes: Bytes,
    #[capability(custom(id = 0x07))]
    wide: Wide,
    #[capability(vsec(id = 0xabcd, revision = 2))]
    mailboxes: [Mailbox; 2],
    #[capability(dvsec(vendor = 0x1af4, id = 7))]
    odd: Bytes,
    #[capability(extended(id = 0xee, version = 3, at = 0x800, first = 2))]
    far: Mailbox,
    #[migrate(skip)]
    posted: Vec<(usize, u8)>,
    #[migrate(skip)]
    extra: Option<Capability>,
}

impl Card {
    const BYTES: u32 = 0x80;
}

impl Device for Card {
    type Event = ();

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        if let Some(capability) = self.extra {
            descriptor.add_capability(capability);
        }
        Ok(())
    }
}

impl MailboxHost for Card {
    fn written(&mut self, _: &mut Cx<'_, Self>, index: usize, _: u32, new: u32) {
        self.posted.push((index, new.to_le_bytes()[0]));
    }

    fn post(&mut self, _: &mut Cx<'_, Self>, index: usize, value: u8) {
        self.posted.push((index, value));
    }
}

fn bench() -> Bench<Card> {
    Bench::new(Card::default()).unwrap()
}

#[test]
fn a_block_lies_behind_the_header_of_its_capability() {
    let mut bench = bench();
    let places: Vec<_> = bench
        .function()
        .descriptor()
        .capabilities_at()
        .map(|(one, offset)| (one.name(), offset))
        .collect();
    let expected = [
        ("pm", 0x40),
        ("express", 0xa0),
        ("vendor", 0x48),
        ("vendor", 0x80),
        ("custom", 0x58),
        ("vsec", 0x100),
        ("dvsec", 0x120),
        ("extended", 0x800),
        ("msi", 0x68),
    ];
    assert_eq!(places, expected);
    let mut read = |offset: u64| bench.read_config::<u32>(offset);
    assert_eq!(read(0x48) & 0xffff_00ff, 0x000d_0009, "13 bytes, the header and one that it pads");
    assert_eq!((read(0x4c), read(0x50)), (0x0102, 0));
    assert_eq!(read(0x80) & 0xffff_00ff, 0x0005_0009, "bytes follow at once");
    assert_eq!(read(0x84) & 0xff, 0xff);
    assert_eq!((read(0x100), read(0x104)), (0x1201_000b, 0x01d2_abcd), "VSEC of 29 bytes");
    assert_eq!((read(0x108), read(0x114)), (0x0102, 0x0102), "two of them");
    assert_eq!((read(0x124), read(0x128)), (0x00c0_1af4, 0xff00_0007), "DVSEC of 12 bytes");
    assert_eq!((read(0x800), read(0x804)), (0x0003_00ee, 0x0102));
}

#[test]
fn its_registers_have_policies_hooks_and_resets() {
    let mut bench = bench();
    bench.write_config(0x4c, u32::MAX);
    bench.write_config(0x50, 0x1111_2233_u32);
    bench.write_config(0x51, 0x44_u8);
    bench.write_config(0x54, 7_u8);
    bench.write_config(0x11c, 8_u8);
    bench.write_config(0x808, 9_u32);
    assert_eq!(bench.device().posted, [(0, 0x33), (0, 0x33), (0, 7), (1, 8), (2, 9)]);
    assert_eq!(bench.read_config::<u64>(0x4c), 0x1111_4433_0000_0102);
    bench.write_config(0x83, 0x0f55_u16);
    assert_eq!(bench.read_config::<u16>(0x83), 0xf055);
    bench.write_config(0x60, 0x0123_4567_89ab_cdef_u64);
    assert_eq!(bench.device().wide.word, 0x0123_4567_89ab_cdef, "aligned to its 8 bytes");
    bench.write_config(0x48, u32::MAX);
    assert_eq!(bench.read_config::<u32>(0x48) & 0xffff_00ff, 0x000d_0009, "the header stays");
    bench.reset_by(ResetKind::Device);
    assert_eq!((bench.read_config::<u32>(0x50), bench.read_config::<u8>(0x84)), (0, 0xff));
}

/// Where the blocks lie has been decided when the device was compiled.
#[test]
fn what_configure_adds_moves_nothing() {
    let extra = Some(Capability::vendor(b"more").with_offset(0xe0));
    let bench = Bench::new(Card { extra, ..Card::default() }).unwrap();
    assert_eq!(bench.function().descriptor().find_capability(0x09), Some(0x48));
    let extra = Some(Capability::vendor(b"more").with_offset(0x50));
    let error = Bench::new(Card { extra, ..Card::default() }).map(drop).unwrap_err();
    let text = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    assert!(
        text.contains("`vendor` at 0x50..0x57 overlaps capability `vendor` at 0x48..0x55"),
        "{text}"
    );
}

mod suite {
    vfio_user::device_tests!(super::Card, super::Card::default);
}
