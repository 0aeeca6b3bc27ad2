//! Random accesses and resets, against a model of configuration space written from the
//! specifications.

use proptest::prelude::*;
use vfio_user::declaration::{Capability, ExpressPort};
use vfio_user::pci::{BusErrors, CorrectableError, UncorrectableError};
use vfio_user_tests::config_script::{self, Report, Script, Shape, Step};

fn power() -> impl Strategy<Value = Capability> {
    (any::<[bool; 3]>(), 0u8..32).prop_map(|([d1, d2, no_soft_reset], wakes)| {
        config_script::power(d1, d2, no_soft_reset, wakes)
    })
}

fn express() -> impl Strategy<Value = Capability> {
    let ports = prop::sample::select(vec![
        ExpressPort::Endpoint,
        ExpressPort::Legacy,
        ExpressPort::Integrated,
    ]);
    let widths = prop::sample::select(vec![1, 2, 4, 8, 12, 16, 32]);
    (ports, any::<[bool; 2]>(), 1u8..7, widths, 7u32..13).prop_map(
        |(port, [flr, tags], speed, width, payload)| {
            let mut express = config_script::express(port, (speed, width), 1 << payload);
            if tags {
                express = express.with_extended_tags();
            }
            Capability::express_with(if flr { express.with_flr() } else { express })
        },
    )
}

/// Any function that we can declare.
fn shape() -> impl Strategy<Value = Shape> {
    let msi = any::<[bool; 2]>()
        .prop_map(|[is_short, is_maskable]| config_script::msi(is_short, is_maskable));
    let plain = (prop::option::of(power()), prop::option::of(express()), msi, any::<bool>());
    let numbers = (any::<bool>(), 0u32..7, 0u16..20, 0usize..5000);
    (plain, any::<[bool; 4]>(), any::<bool>(), numbers).prop_map(
        |(plain, extended, has_vpd, numbers)| {
            let (power, express, message, has_vendor) = plain;
            let (has_intx, msi, msix, rom) = numbers;
            let capabilities = power.into_iter().chain(express).collect();
            let mut shape = Shape { capabilities, has_intx, msi: (1 << msi) >> 1, msix, rom };
            shape.capabilities.extend((msi > 0).then_some(message));
            if has_vendor {
                shape.add_vendor();
            }
            if has_vpd {
                shape.add_vpd();
            }
            if express.is_some() && extended[0] {
                shape.add_extended(extended);
            }
            shape
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = prop::collection::vec(any::<u8>(), 1..9);
    prop_oneof![
        4 => (0usize..0x108, bytes.clone()).prop_map(|(at, data)| Step::Write(at, data)),
        1 => (0usize..4096, prop::collection::vec(any::<u8>(), 1..300))
            .prop_map(|(at, data)| Step::Write(at, data)),
        8 => (any::<usize>(), any::<u32>()).prop_map(|(place, value)| Step::Poke(place, value)),
        4 => (0u16..12, any::<Option<u32>>()).prop_map(|(place, data)| Step::Vpd(place, data)),
        2 => (0usize..4096, 1usize..64).prop_map(|(at, len)| Step::Read(at, len)),
        1 => Just(Step::ResetFunction),
        2 => (0u8..4).prop_map(Step::Power),
        1 => Just(Step::Reset),
        2 => Just(Step::Report(Report::Wake)),
        2 => any::<u16>()
            .prop_map(|bits| Step::Report(Report::Bus(BusErrors::from_bits_truncate(bits)))),
        4 => error().prop_map(Step::Report),
        1 => Just(Step::Migrate),
    ]
}

fn error() -> impl Strategy<Value = Report> {
    use UncorrectableError as U;
    let uncorrectable = prop::sample::select(vec![
        U::DataLinkProtocol,
        U::SurpriseDown,
        U::PoisonedPacket,
        U::CompleterAbort,
        U::MalformedPacket,
        U::UnsupportedRequest,
        U::Internal,
        U::PrefixBlocked,
    ]);
    let correctable = prop::sample::select(vec![
        CorrectableError::Receiver,
        CorrectableError::BadLinkPacket,
        CorrectableError::AdvisoryNonFatal,
        CorrectableError::HeaderLogOverflow,
    ]);
    prop_oneof![
        3 => (uncorrectable, any::<[u32; 4]>())
            .prop_map(|(error, header)| Report::Uncorrectable(error, header)),
        1 => correctable.prop_map(Report::Correctable),
    ]
}
proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_bit_is_as_the_specification_says(
        shape in shape(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut script = Script::new(&shape);
        for step in &steps {
            script.step(step);
        }
    }
}

/// A function with all that there is.
fn everything() -> Shape {
    let express = config_script::express(ExpressPort::Endpoint, (1, 1), 128).with_flr();
    let capabilities = vec![
        config_script::power(true, true, false, u8::MAX),
        Capability::express_with(express),
        config_script::msi(false, true),
    ];
    let mut shape = Shape { capabilities, has_intx: true, msi: 8, msix: 16, rom: 3000 };
    shape.add_vendor();
    shape.add_vpd();
    shape.add_extended([true; 4]);
    shape
}

/// Windows writes ids, class and the heads of capabilities when it enumerates.
#[test]
fn what_is_read_only_stays_whatever_is_written() {
    let mut script = Script::new(&everything());
    let before = script.space();
    for width in [1, 2, 4, 8] {
        for at in 0..before.len() - width {
            if !(at..at + width).all(|at| script.model().is_read_only(at)) {
                continue;
            }
            for value in [0xff, 0x00, 0x55] {
                script.write(at, &[value; 8][..width]);
            }
        }
        assert_eq!(script.space(), before, "{width} bytes");
    }
    assert_eq!(script.resets(), []);
}
