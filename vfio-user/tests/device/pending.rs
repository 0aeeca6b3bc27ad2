//! What pends: shown, held back, taken back when its cause is over, and delivered once.

use vfio_user::declaration::{Capability, Descriptor, Msi};
use vfio_user::pci::spec::{capability_id, cfg};
use vfio_user::{Bench, Cx, Device, PciDevice, Result, Virtual};

/// A card with one status register that composes interrupt 0, and what raises interrupt 1 by hand.
macro_rules! card {
    ($name:ident, $($irq:tt)*) => {
        #[derive(Default, PciDevice)]
        #[pci(vendor = 0x1234, device = 0xcafe)]
        #[bar(0: mem32, size = 0x1000)]
        #[irq($($irq)*)]
        struct $name {
            #[reg(0x00, w1c, on_write = Self::acknowledged)]
            #[intr(status, test = test)]
            status: u32,
            #[reg(0x04, wo)]
            test: Virtual<u32>,
            #[reg(0x08, wo, write_with = Self::raise)]
            raise: Virtual<u16>,
            #[reg(0x0c, wo, write_with = Self::withdraw)]
            withdraw: Virtual<u16>,
            #[reg(0x10, wo, write_with = Self::set_level)]
            level: Virtual<u32>,
            /// Events that are there already, and show as soon as there is room for them.
            #[reg(0x14)]
            next: u32,
        }

        impl Device for $name {
            type Event = ();

            fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
                if descriptor.msi_vectors() > 0 {
                    descriptor.add_capability(Capability::msi_with(Msi::new().with_maskable()));
                }
                Ok(())
            }
        }

        impl $name {
            fn acknowledged(&mut self, _: &mut Cx<'_, Self>, _: u32, _: u32) {
                self.status |= std::mem::take(&mut self.next);
            }

            fn raise(&mut self, cx: &mut Cx<'_, Self>, source: u16) {
                cx.irq(source).raise();
            }

            fn withdraw(&mut self, cx: &mut Cx<'_, Self>, source: u16) {
                cx.irq(source).withdraw();
            }

            fn set_level(&mut self, cx: &mut Cx<'_, Self>, value: u32) {
                cx.irq((value & 0xffff) as u16).set(value >> 16 != 0);
            }
        }
    };
}

card!(Msix, msix = 4, bar = 2, table = 0, pba = 0x800);
card!(WithMsi, msi = 4);
card!(Line, intx);

const STATUS: u64 = 0x00;
const TEST: u64 = 0x04;
const RAISE: u64 = 0x08;
const WITHDRAW: u64 = 0x0c;
const LEVEL: u64 = 0x10;
const NEXT: u64 = 0x14;

/// What begins and ends a cause of interrupt `n`.
struct Way {
    n: u16,
    begin: (u64, u32),
    end: (u64, u32),
}

const WAYS: [Way; 3] = [
    Way { n: 0, begin: (TEST, 0b101), end: (STATUS, 0b101) },
    Way { n: 2, begin: (LEVEL, 1 << 16 | 2), end: (LEVEL, 2) },
    Way { n: 3, begin: (RAISE, 3), end: (WITHDRAW, 3) },
];

/// What holds messages back: by MSI-X and by MSI.
fn config(bench: &mut Bench<impl PciDevice>, id: u8) -> u64 {
    bench.function().descriptor().find_capability(id).expect("the capability").into()
}

/// Checks that nothing is sent of what is over, and all of what is not.
fn check<D: PciDevice>(
    mut bench: Bench<D>,
    hold: impl Fn(&mut Bench<D>, bool),
    pending: impl Fn(&mut Bench<D>) -> u32,
) {
    for Way { n, begin, end } in WAYS {
        for is_over in [true, false] {
            hold(&mut bench, true);
            bench.write(0, begin.0, begin.1);
            assert_eq!(bench.take_irq(n), 0, "{n} is held back");
            assert_eq!(pending(&mut bench), 1 << n, "{n} pends");
            if is_over {
                bench.write(0, end.0, end.1);
                assert_eq!(pending(&mut bench), 0, "{n} is over");
            }
            hold(&mut bench, false);
            assert_eq!(bench.take_irq(n), u64::from(!is_over), "{n}, over: {is_over}");
            assert_eq!(pending(&mut bench), 0);
            bench.write(0, end.0, end.1);
            bench.write(0, begin.0, begin.1);
            assert_eq!(bench.take_irq(n), 1, "{n} is what it was before");
            bench.write(0, end.0, end.1);
        }
    }
}

fn msix() -> (Bench<Msix>, u64) {
    let mut bench = Bench::new(Msix::default()).unwrap();
    let at = config(&mut bench, capability_id::MSIX);
    bench.write_config(at + 2, 0x8000_u16);
    for vector in 0..4 {
        bench.write(2, vector * 16 + 12, 0_u32);
    }
    (bench, at)
}

fn pba(bench: &mut Bench<Msix>) -> u32 {
    bench.read(2, 0x800)
}

#[test]
fn a_message_of_msix_is_sent_only_while_its_cause_lasts() {
    let mask_vectors = |bench: &mut Bench<Msix>, on: bool| {
        (0..4).for_each(|vector| bench.write(2, vector * 16 + 12, u32::from(on)));
    };
    check(msix().0, mask_vectors, pba);
    let (bench, at) = msix();
    let mask_function = move |bench: &mut Bench<Msix>, on: bool| {
        bench.write_config(at + 2, if on { 0xc000_u16 } else { 0x8000 });
    };
    check(bench, mask_function, pba);
    let (mut bench, _) = msix();
    bench.write_config(cfg::COMMAND as u64, 6_u16);
    let close_bus_master = |bench: &mut Bench<Msix>, on: bool| {
        bench.write_config(cfg::COMMAND as u64, if on { 2_u16 } else { 6 });
    };
    check(bench, close_bus_master, pba);
}

#[test]
fn a_message_of_msi_is_sent_only_while_its_cause_lasts() {
    let mut bench = Bench::new(WithMsi::default()).unwrap();
    let at = config(&mut bench, capability_id::MSI);
    bench.write_config(at + 2, 1_u16 | 2 << 4);
    let mask = move |bench: &mut Bench<WithMsi>, on: bool| {
        bench.write_config(at + 16, if on { 0xf_u32 } else { 0 });
    };
    check(bench, mask, move |bench| bench.read_config(at + 20));
}

/// What pends when the guest switches messages off is not sent when it switches them on again.
#[test]
fn what_is_switched_off_is_forgotten() {
    for Way { n, begin, end } in WAYS {
        let (mut bench, at) = msix();
        bench.write_config(at + 2, 0xc000_u16);
        bench.write(0, begin.0, begin.1);
        bench.write_config(at + 2, 0_u16);
        bench.write(0, end.0, end.1);
        bench.write_config(at + 2, 0x8000_u16);
        assert_eq!(bench.take_irq(n), 0);
    }
}

#[test]
fn of_two_events_the_second_pends_until_it_is_acknowledged_though_the_first_is_not() {
    let (mut bench, at) = msix();
    bench.write(0, TEST, 0b01_u32);
    assert_eq!(bench.take_irq(0), 1);
    bench.write_config(at + 2, 0xc000_u16);
    bench.write(0, TEST, 0b10_u32);
    assert_eq!(pba(&mut bench), 1);
    bench.write(0, STATUS, 0b10_u32);
    assert_eq!(pba(&mut bench), 0, "the first has been delivered");
    bench.write(0, TEST, 0b110_u32);
    bench.write(0, STATUS, 0b010_u32);
    assert_eq!(pba(&mut bench), 1, "one of them is left");
    bench.write_config(at + 2, 0x8000_u16);
    assert_eq!(bench.take_irq(0), 1);
}

#[test]
fn an_event_that_comes_again_while_it_is_acknowledged_is_another() {
    let (mut bench, at) = msix();
    for again in [0b01_u32, 0b10, 0b11] {
        bench.write(0, TEST, 0b01_u32);
        assert_eq!(bench.take_irq(0), 1);
        bench.write(0, NEXT, again);
        bench.write(0, STATUS, 0b01_u32);
        assert_eq!((bench.take_irq(0), bench.peek("status")), (1, again.into()));
        bench.write(0, STATUS, again);
        assert_eq!((bench.take_irq(0), bench.peek("status")), (0, 0));
    }
    bench.write(0, TEST, 0b01_u32);
    bench.take_irq(0);
    bench.write(0, STATUS, 0b10_u32);
    assert_eq!(bench.take_irq(0), 0, "nothing was acknowledged");
    bench.write_config(at + 2, 0xc000_u16);
    bench.write(0, NEXT, 0b01_u32);
    bench.write(0, STATUS, 0b01_u32);
    assert_eq!(pba(&mut bench), 1, "and pends like others");
    bench.write(0, STATUS, 0b01_u32);
    assert_eq!(pba(&mut bench), 0);
}

/// The destination ends causes as the source would have.
#[test]
fn what_pends_is_taken_back_after_a_migration() {
    for Way { n, begin, end } in WAYS {
        for is_over in [true, false] {
            let (mut source, at) = msix();
            source.write_config(at + 2, 0xc000_u16);
            source.write(0, begin.0, begin.1);
            let mut bench = Bench::new(Msix::default()).unwrap();
            bench.load(&source.save()).unwrap();
            assert_eq!(pba(&mut bench), 1 << n);
            if is_over {
                bench.write(0, end.0, end.1);
                assert_eq!(pba(&mut bench), 0, "{n} is over");
            }
            bench.write_config(at + 2, 0x8000_u16);
            assert_eq!(bench.take_irq(n), u64::from(!is_over), "{n}, over: {is_over}");
        }
    }
    let mut source = Bench::new(Line::default()).unwrap();
    source.write_config(cfg::COMMAND as u64, INTERRUPT_DISABLE);
    source.write(0, RAISE, 0_u16);
    let mut bench = Bench::new(Line::default()).unwrap();
    bench.load(&source.save()).unwrap();
    assert!(shows(&mut bench));
    bench.write(0, WITHDRAW, 0_u16);
    assert!(!shows(&mut bench));
}

const INTERRUPT_DISABLE: u16 = 1 << 10;
const INTERRUPT_STATUS: u16 = 1 << 3;

fn shows(bench: &mut Bench<Line>) -> bool {
    bench.read_config::<u16>(cfg::STATUS as u64) & INTERRUPT_STATUS != 0
}

/// As a driver sees it that asks configuration space whether the interrupt is its own.
#[test]
fn a_pulse_of_the_line_shows_until_it_has_been_served() {
    let mut bench = Bench::new(Line::default()).unwrap();
    for _ in 0..3 {
        assert!(!shows(&mut bench));
        bench.write(0, RAISE, 0_u16);
        assert!(shows(&mut bench));
        assert!(shows(&mut bench), "a read changes nothing");
        assert_eq!(bench.take_irq(0), 1);
        assert!(!shows(&mut bench), "the end of the interrupt");
        assert_eq!(bench.take_irq(0), 0, "and no storm");
    }
}

#[test]
fn a_pulse_under_interrupt_disable_shows_and_is_delivered_afterwards() {
    let mut bench = Bench::new(Line::default()).unwrap();
    bench.write_config(cfg::COMMAND as u64, INTERRUPT_DISABLE);
    bench.write(0, RAISE, 0_u16);
    bench.write(0, RAISE, 0_u16);
    assert!(shows(&mut bench));
    assert_eq!(bench.take_irq(0), 0);
    assert!(shows(&mut bench));
    bench.write_config(cfg::COMMAND as u64, 0_u16);
    assert!(shows(&mut bench));
    assert_eq!((bench.take_irq(0), bench.take_irq(0)), (1, 0));
    bench.write_config(cfg::COMMAND as u64, INTERRUPT_DISABLE);
    bench.write(0, RAISE, 0_u16);
    bench.write(0, WITHDRAW, 0_u16);
    assert!(!shows(&mut bench));
    bench.write_config(cfg::COMMAND as u64, 0_u16);
    assert_eq!(bench.take_irq(0), 0);
    bench.write_config(cfg::COMMAND as u64, INTERRUPT_DISABLE);
    bench.write(0, TEST, 1_u32);
    assert!(shows(&mut bench));
    bench.write(0, STATUS, 1_u32);
    bench.write_config(cfg::COMMAND as u64, 0_u16);
    assert_eq!(bench.take_irq(0), 0, "a status that was acknowledged meanwhile");
}

#[test]
fn a_reset_forgets_a_pulse_and_a_migration_does_not() {
    let mut bench = Bench::new(Line::default()).unwrap();
    bench.write(0, RAISE, 0_u16);
    bench.reset();
    assert!(!shows(&mut bench));
    bench.write_config(cfg::COMMAND as u64, INTERRUPT_DISABLE);
    bench.write(0, RAISE, 0_u16);
    let state = bench.save();
    let mut other = Bench::new(Line::default()).unwrap();
    other.load(&state).unwrap();
    assert!(shows(&mut other));
    assert_eq!(other.take_irq(0), 0);
    other.write_config(cfg::COMMAND as u64, 0_u16);
    assert_eq!(other.take_irq(0), 1);
}
