//! The built-in self-test, and the latencies of a conventional function.

use std::error::Error as _;

use vfio_user::declaration::{Capability, Descriptor, ExpressPort};
use vfio_user::pci::spec::cfg;
use vfio_user::{Bench, Cx, Device, PciDevice, ResetKind, Result};

const BURST: u8 = 8;
const START: u8 = 1 << 6;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe, min_gnt = BURST, max_lat = 32, self_test)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[reg(0x00)]
    code: u8,
    tests: u32,
    #[migrate(skip)]
    is_express: bool,
}

impl Device for Card {
    type Event = ();

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        if self.is_express {
            descriptor.add_capability(Capability::express(ExpressPort::Endpoint));
        }
        Ok(())
    }

    fn self_test(&mut self, _: &mut Cx<'_, Self>) -> u8 {
        self.tests += 1;
        self.code
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        self.tests = 0;
    }
}

/// Has no self-test.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
struct Plain {}

impl Device for Plain {
    type Event = ();

    fn self_test(&mut self, _: &mut Cx<'_, Self>) -> u8 {
        unreachable!("it is not declared")
    }
}

fn bist(bench: &mut Bench<Card>) -> u8 {
    bench.read_config(cfg::BIST as u64)
}

#[test]
fn software_starts_the_test_and_reads_its_code() {
    let mut bench = Bench::new(Card::default()).unwrap();
    assert_eq!(bist(&mut bench), 0x80, "it has one, which has not run");
    for (code, shown) in [(0_u8, 0x80), (5, 0x85), (0, 0x80), (0x10, 0x8f), (0xff, 0x8f)] {
        bench.write(0, 0, code);
        bench.write_config(cfg::BIST as u64, START);
        assert_eq!(bist(&mut bench), shown, "code {code}: it has ended");
    }
    assert_eq!(bench.device().tests, 5);
    bench.write_config(cfg::BIST as u64, !START);
    assert_eq!((bist(&mut bench), bench.device().tests), (0x8f, 5), "nothing starts it");
    bench.write_config(cfg::CACHE_LINE_SIZE as u64, u32::from(START) << 24);
    assert_eq!(bench.device().tests, 6, "an access of any size does");
}

#[test]
fn the_code_migrates_and_a_reset_clears_it() {
    let mut bench = Bench::new(Card { code: 3, ..Card::default() }).unwrap();
    bench.write_config(cfg::BIST as u64, START);
    let mut other = Bench::new(Card::default()).unwrap();
    other.load(&bench.save()).unwrap();
    assert_eq!((bist(&mut other), other.device().tests), (0x83, 1));
    other.reset();
    assert_eq!(bist(&mut other), 0x80);
}

#[test]
fn a_device_without_a_test_ignores_its_start() {
    let mut bench = Bench::new(Plain::default()).unwrap();
    bench.write_config(cfg::BIST as u64, START);
    assert_eq!(bench.read_config::<u8>(cfg::BIST as u64), 0);
}

#[test]
fn latencies_are_read_only() {
    let mut bench = Bench::new(Card::default()).unwrap();
    bench.write_config(cfg::MIN_GNT as u64, 0xffff_u16);
    assert_eq!(bench.read_config::<u16>(cfg::MIN_GNT as u64), u16::from(BURST) | 32 << 8);
    let described = vfio_user::describe::text(&Card::DESCRIPTOR);
    let line = "conventional PCI, bursts of 2000 ns, needs the bus every 8000 ns, self-test";
    assert!(described.contains(line), "{described}");
}

#[test]
fn a_function_that_becomes_express_has_no_latencies() {
    let card = Card { is_express: true, ..Card::default() };
    let error = Bench::new(card).map(drop).unwrap_err();
    let error = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    assert!(error.contains("`min_gnt` is of conventional functions"), "{error}");
}

mod suite {
    vfio_user::device_tests!(super::Card, super::Card::default);
}
