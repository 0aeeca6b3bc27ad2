//! Capabilities that `configure` adds: laid out, checked, found by id.

use std::error::Error as _;

use vfio_user::declaration::{
    Capability, CapabilityKind, Descriptor, Express, ExpressPort, Msi, PowerManagement, PowerStates,
};
use vfio_user::{Bench, Device, Error, PciDevice, Result};

/// Adds what its list says.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe, subsystem = (0x5678, 0x9abc))]
#[bar(0: mem32, size = 0x1000)]
#[irq(msi = 4, msix = 2)]
#[capability(pm, express)]
#[migrate(none)]
struct Card {
    #[reg(0x00)]
    scratch: u32,
    added: Vec<(Capability, Vec<u8>, Vec<u8>)>,
}

impl Device for Card {
    type Event = ();

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        for (capability, bytes, mask) in self.added.clone() {
            descriptor.add_capability(capability.with_bytes(bytes).with_writable(mask));
        }
        Ok(())
    }
}

fn card(added: &[(Capability, &[u8], &[u8])]) -> Card {
    let added = added.iter().map(|(one, bytes, mask)| (*one, bytes.to_vec(), mask.to_vec()));
    Card { added: added.collect(), ..Card::default() }
}

fn everything() -> Card {
    card(&[
        (Capability::vendor(&[]), b"first", &[0, 0xff]),
        (Capability::vendor(&[]).with_offset(0xf0), b"second", &[]),
        (Capability::subsystem(), &[], &[]),
        (Capability::custom(0x07, &[]), &[1, 2, 3], &[]),
        (Capability::ltr(), &[], &[]),
        (Capability::serial(0x0011_22ff_ff33_4455), &[], &[]),
        (Capability::vsec(0xabcd, 3, &[]), &[9; 6], &[0xf0; 6]),
        (Capability::dvsec(0x1af4, 7, 1, &[]), &[8; 2], &[]),
        (Capability::extended(0x00ee, 2, &[]).with_offset(0x800), &[7; 4], &[]),
    ])
}

/// Why the device cannot be served.
fn refusal(card: Card) -> String {
    let error: Error = Bench::new(card).map(drop).unwrap_err();
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

#[test]
fn capabilities_lie_one_behind_the_other_and_apart_from_fixed_ones() {
    let bench = Bench::new(everything()).unwrap();
    let descriptor = bench.function().descriptor();
    let places: Vec<_> =
        descriptor.capabilities_at().map(|(one, offset)| (one.name(), offset)).collect();
    let expected = [
        ("pm", 0x40),
        ("express", 0x48),
        ("vendor", 0x84),
        ("vendor", 0xf0),
        ("subsystem", 0x8c),
        ("custom", 0x94),
        ("ltr", 0x100),
        ("serial", 0x108),
        ("vsec", 0x114),
        ("dvsec", 0x124),
        ("extended", 0x800),
        ("msi", 0x9c),
        ("msix", 0xac),
    ];
    assert_eq!(places, expected);
    assert_eq!(descriptor.find_capability(0x09), Some(0x84), "the first of several");
    assert_eq!(descriptor.find_extended_capability(0x23), Some(0x124));
    assert_eq!(descriptor.find_capability(0x23), None);
}

#[test]
fn capabilities_hold_what_the_specification_says() {
    let mut bench = Bench::new(everything()).unwrap();
    let mut read = |offset: u64| bench.read_config::<u32>(offset);
    assert_eq!(read(0x84) & 0xff_00ff, 0x08_0009, "vendor specific, 8 bytes");
    assert_eq!(read(0x88).to_le_bytes(), *b"irst");
    assert_eq!((read(0x8c) & 0xff, read(0x90)), (0x0d, 0x9abc_5678), "subsystem");
    assert_eq!(read(0x94).to_le_bytes()[2..], [1, 2]);
    assert_eq!(read(0x6c) & 1 << 11, 1 << 11, "the device can report latencies");
    assert_eq!(read(0x100), 0x1081_0018, "latency tolerance");
    assert_eq!((read(0x108), read(0x10c)), (0x1141_0003, 0xff33_4455), "serial number");
    assert_eq!(read(0x110), 0x0011_22ff);
    assert_eq!((read(0x114), read(0x118)), (0x1241_000b, 0x00e3_abcd), "VSEC of 14 bytes");
    assert_eq!((read(0x124), read(0x128)), (0x8001_0023, 0x00c1_1af4), "DVSEC of 12 bytes");
    assert_eq!(read(0x12c), 0x0808_0007);
    assert_eq!((read(0x800), read(0x804)), (0x0002_00ee, 0x0707_0707), "the last one");
}

#[test]
fn software_writes_what_the_mask_lets_it() {
    let mut bench = Bench::new(everything()).unwrap();
    bench.write_config(0x84, u64::MAX);
    assert_eq!(bench.read_config::<u64>(0x84).to_le_bytes()[2..], *b"\x08f\xffrst");
    bench.write_config(0x11c, 0_u32);
    assert_eq!(bench.read_config::<u32>(0x11c), 0x0909_0909);
    bench.write_config(0x11c, u32::MAX);
    assert_eq!(bench.read_config::<u32>(0x11c), 0xf9f9_f9f9);
    bench.write_config(0x800, 0_u64);
    assert_eq!(bench.read_config::<u32>(0x804), 0x0707_0707);
}

#[test]
fn layouts_that_cannot_work_are_refused() {
    let one =
        |capability: Capability, len: usize| refusal(card(&[(capability, &vec![0; len], &[])]));
    let cases = [
        (one(Capability::pm(), 0), "`pm` is declared twice"),
        (
            one(Capability::vendor(&[]).with_offset(0x82), 1),
            "must lie at a multiple of 4; 0x82 is not",
        ),
        (one(Capability::vendor(&[]).with_offset(0xfc), 8), "0xfc..0x107 must lie in 0x40..0x100"),
        (one(Capability::vendor(&[]).with_offset(0x10), 1), "0x10..0x14 must lie in 0x40..0x100"),
        (one(Capability::vendor(&[]), 180), "are available (0x40..0x100)"),
        (one(Capability::extended(0xee, 1, &[]).with_offset(0x200), 4), "must start at 0x100"),
        (
            one(Capability::extended(0xee, 16, &[]), 4),
            "capability version 0x10 has more than 4 bits",
        ),
        (one(Capability::extended(0xee, 1, &[]), 0x1000), "are available (0x100..0x1000)"),
    ];
    for (refusal, expected) in cases {
        assert!(refusal.contains(expected), "{refusal}");
    }
    let at = |offset| Capability::vendor(&[]).with_offset(offset);
    let overlap = refusal(card(&[(at(0xc0), &[0; 5], &[]), (at(0xc4), &[0; 5], &[])]));
    assert!(overlap.contains("`vendor` at 0xc4..0xcc overlaps capability `vendor`"), "{overlap}");
    let long = refusal(card(&[(Capability::vendor(&[]), &[1], &[1, 2])]));
    assert!(long.contains("the mask of `vendor` has 2 bytes, the capability 1"), "{long}");
}

/// One that stood in for them would take their place, without a message.
#[test]
fn capabilities_that_have_a_name_are_not_custom() {
    let named = [(0x01, "pm"), (0x03, "vpd"), (0x05, "msi"), (0x09, "vendor"), (0x0d, "subsystem")];
    for (id, name) in named.into_iter().chain([(0x10, "express"), (0x11, "msix")]) {
        let refusal = refusal(card(&[(Capability::custom(id, &[]), &[0; 10], &[])]));
        let expected = format!("id {id:#x} is that of `{name}`");
        assert!(refusal.contains(&expected), "{refusal}");
    }
    for (id, name) in
        [(0x01, "aer"), (0x03, "serial"), (0x0b, "vsec"), (0x18, "ltr"), (0x23, "dvsec")]
    {
        let refusal = refusal(card(&[(Capability::extended(id, 1, &[]), &[0; 8], &[])]));
        let expected = format!("id {id:#x} is that of `{name}`");
        assert!(refusal.contains(&expected), "{refusal}");
    }
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
struct Conventional {
    #[reg(0x00)]
    scratch: u32,
}

impl Device for Conventional {
    type Event = ();

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        descriptor.add_capability(Capability::serial(1));
        Ok(())
    }
}

#[test]
fn extended_capabilities_need_express() {
    let error = Bench::new(Conventional::default()).map(drop).unwrap_err();
    let text = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    assert!(text.contains("`serial` is an extended capability"), "{text}");
}

/// Says of each capability all that can be said.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe, ignore_command)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msi = 4)]
#[capability(pm(d1, d2, no_soft_reset, wakes_from(d0, d1, d2, d3hot, d3cold)))]
#[capability(express(integrated, flr), msi(maskable, address_32))]
#[capability(vpd(b"product", writable = b"\xff", at = 0xf0), aer)]
struct Declared {
    #[reg(0x00)]
    scratch: u32,
}

impl Device for Declared {
    type Event = ();
}

#[test]
fn options_are_declared() {
    let kinds: Vec<_> =
        Declared::DESCRIPTOR.capabilities_at().map(|(one, at)| (one.kind(), at)).collect();
    let power = PowerManagement::new()
        .with_d1()
        .with_d2()
        .with_no_soft_reset()
        .with_wakes_from(PowerStates::all());
    let expected = [
        (CapabilityKind::Pm(power), 0x40),
        (CapabilityKind::Express(Express::new(ExpressPort::Integrated).with_flr()), 0x48),
        (CapabilityKind::Msi(Msi::new().with_maskable().with_address_32()), 0x84),
        (CapabilityKind::Vpd, 0xf0),
        (CapabilityKind::Aer, 0x100),
    ];
    assert_eq!(kinds, expected);
    assert!(Declared::DESCRIPTOR.ignores_command() && !Card::DESCRIPTOR.ignores_command());
    let mut bench = Bench::new(Declared::default()).unwrap();
    bench.write_config(0xf2, 4_u16);
    assert_eq!(bench.read_config::<u32>(0xf4).to_le_bytes(), *b"uct\0");
}

mod suite {
    vfio_user::device_tests!(super::Card, super::everything);
}
