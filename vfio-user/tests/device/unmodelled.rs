//! Places without a model, and what guests do to them.

use tracing::Level;
use vfio_user::function::PeekError;
use vfio_user::protocol::{Errno, RegionIndex};
use vfio_user::{Bench, Cx, Device, PciDevice, ResetKind, Virtual, suite::Suite};

use crate::log::{leveled, logged};

const PHY: u64 = 0x40;

#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x5a5c, name = "nic")]
#[bar(0: mem32, size = 0x1000, unmapped = ones)]
#[bar(2: mem32, size = 0x1000, unmapped = refuse, access = 4)]
#[unmodelled(PHY = "PHYCTL", 0x100..0x200 = "DEBUG", PHY + 8 = "PHYSTAT")]
#[unmodelled(zero, 0x800..0x900 = "COUNTERS")]
#[unmodelled(bar = 2, 0x11..0x13 = "odd")]
struct Nic {
    #[reg(0x44)]
    control: u32,
    #[reg(0x10, bar = 2)]
    strict: u8,
    #[reg(0x50, wo, write_with = Self::restart)]
    restart: Virtual<u32>,
}

impl Device for Nic {
    type Event = ();
}

impl Nic {
    fn restart(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        cx.soft_reset(self, 0);
    }
}

fn nic() -> Bench<Nic> {
    Bench::new(Nic::default()).unwrap()
}

#[test]
fn they_hold_what_is_written_or_read_zero() {
    let mut nic = nic();
    assert_eq!(nic.read::<u32>(0, PHY), 0);
    nic.write(0, PHY, 0x1234_5678_u32);
    nic.write(0, PHY + 1, 0xff_u8);
    assert_eq!(nic.read::<u32>(0, PHY), 0x1234_ff78);
    nic.write(0, 0x1fe, 0xabcd_u16);
    assert_eq!(nic.read::<u64>(0, 0x1f8), 0xabcd_0000_0000_0000);
    nic.write(0, 0x800, u64::MAX);
    assert_eq!(nic.read::<u64>(0, 0x800), 0);
    // Beside them nothing has changed.
    assert_eq!((nic.read::<u32>(0, 0x44), nic.read::<u32>(0, 0x200)), (0, u32::MAX));
}

#[test]
fn messages_are_split_at_their_borders() {
    let mut nic = nic();
    let data: Vec<u8> = (1..=16).collect();
    nic.try_write(RegionIndex::Bar0, PHY - 2, &data).unwrap();
    let mut found = [0; 16];
    nic.try_read(RegionIndex::Bar0, PHY - 2, &mut found).unwrap();
    assert_eq!(found, [0xff, 0xff, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff, 0xff]);
    assert_eq!(nic.device().control, 0x0a09_0807);
}

#[test]
fn the_access_rules_of_the_bar_are_not_theirs() {
    let mut nic = nic();
    nic.write(2, 0x11, 0xbeef_u16);
    assert_eq!(nic.read::<u16>(2, 0x11), 0xbeef);
    let refused = nic.try_read(RegionIndex::Bar2, 0x13, &mut [0]);
    assert_eq!(refused, Err(Errno::EINVAL));
}

#[test]
fn every_reset_clears_them() {
    let mut nic = nic();
    for kind in [ResetKind::Device, ResetKind::FunctionLevel, ResetKind::Soft(3)] {
        nic.write(0, PHY, 7_u32);
        nic.reset_by(kind);
        assert_eq!(nic.read::<u32>(0, PHY), 0, "{kind:?}");
    }
    nic.write(0, PHY, 7_u32);
    nic.write(0, 0x50, 1_u32);
    assert_eq!(nic.read::<u32>(0, PHY), 0);
}

#[test]
fn they_are_peeked_and_poked_by_offset() {
    let mut nic = nic();
    nic.function_mut().poke_at(0, PHY + 8, &[1, 0, 0, 0x80]).unwrap();
    assert_eq!(nic.read::<u32>(0, PHY + 8), 0x8000_0001);
    let mut found = [0; 12];
    assert_eq!(nic.function().peek_at(0, PHY, &mut found), Ok(true));
    assert_eq!(found, [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0x80]);
    let refused = nic.function_mut().poke_at(0, 0x800, &[1]);
    assert_eq!(refused, Err(PeekError::NoStorage("COUNTERS")));
    assert!(nic.function().burndown().places.iter().all(|place| place.writes == 0));
}

/// The same device, a version later: one place is shorter, one is gone, one is a register.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x5a5c, name = "nic")]
#[bar(0: mem32, size = 0x1000, unmapped = ones)]
#[bar(2: mem32, size = 0x1000, unmapped = refuse, access = 4)]
#[unmodelled(0x100..0x110 = "DEBUG")]
#[migrate(version = 2)]
struct Grown {
    #[reg(0x44)]
    control: u32,
    #[reg(0x10, bar = 2)]
    strict: u8,
    #[reg(0x40, reset = 5)]
    #[migrate(since = 2, default = 5)]
    phy: u32,
}

impl Device for Grown {
    type Event = ();
}

#[test]
fn they_migrate_by_name() {
    let mut source = nic();
    source.write(0, PHY, 0x77_u32);
    source.write(0, 0x104, 0x1122_u16);
    let mut target = nic();
    target.write(0, 0x108, 1_u8);
    target.load(&source.save()).unwrap();
    assert_eq!((target.read::<u32>(0, PHY), target.read::<u64>(0, 0x104)), (0x77, 0x1122));

    let mut grown = Bench::new(Grown::default()).unwrap();
    grown.load(&source.save()).unwrap();
    assert_eq!((grown.read::<u32>(0, 0x104), grown.read::<u32>(0, 0x40)), (0x1122, 5));
    source.write(0, 0x110, 1_u8);
    let refused = grown.load(&source.save()).unwrap_err().to_string();
    assert!(refused.contains("`DEBUG` has 17 bytes; this version holds 16"), "{refused}");
    assert_eq!(grown.read::<u32>(0, 0x104), 0x1122);
}

#[test]
fn the_burndown_lists_what_the_guest_has_accessed() {
    let mut nic = nic();
    assert!(nic.function().burndown().is_empty());
    nic.write(0, 0x44, 1_u32);
    nic.write(0, PHY, 0x1_u32);
    nic.write(0, PHY, 0x80_u32);
    for _ in 0..4 {
        nic.read::<u32>(0, PHY);
    }
    nic.write(0, 0x110, 0xff_u8);
    nic.write(0, 0x900, 0xaa_u16);
    nic.read::<u32>(0, 0x900);
    let _ = nic.try_read(RegionIndex::Bar2, 0x20, &mut [0; 4]);
    nic.reset();
    assert_eq!(
        nic.function().burndown().to_string(),
        "BAR 0 at 0x40 (PHYCTL): 4 reads, 2 writes, first 0x1, last 0x80\n\
         BAR 0 at 0x900: 1 read, 1 write, of 0xaa\n\
         BAR 0 at 0x110 (DEBUG + 0x10): 1 write, of 0xff\n\
         BAR 2 at 0x20: 1 read"
    );
}

#[test]
fn the_first_access_to_a_place_is_logged_by_its_name() {
    let mut nic = nic();
    let lines = leveled(Level::INFO, || {
        nic.write(0, 0x110, 1_u8);
        nic.write(0, 0x110, 2_u8);
        nic.read::<u32>(0, 0x100);
        nic.read::<u32>(0, PHY);
    });
    let expected = [
        "nic.DEBUG + 0x10: written by the guest, and not modelled",
        "nic.PHYCTL: read by the guest, and not modelled",
    ];
    assert_eq!(lines, expected.map(|line| (Level::INFO, line.to_owned())));
    let lines = logged(Level::TRACE, || {
        nic.write(0, PHY, 0x1234_u32);
        nic.try_read(RegionIndex::Bar0, 0x100, &mut [0; 16]).unwrap();
    });
    assert_eq!(
        lines,
        [
            "nic.PHYCTL: written [34, 12, 00, 00]",
            "nic.DEBUG: read [00, 00, 00, 00, 00, 00, 00, 00] and 8 more"
        ]
    );
}

#[test]
fn the_generated_tests_reach_them() {
    let suite = Suite::new(Nic::default);
    suite.accesses();
    suite.resets();
    suite.scripts();
    suite.round_trips();
}
