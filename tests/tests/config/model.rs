//! Random accesses and resets, against a model of configuration space written from the
//! specifications.

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use vfio_user::declaration::{
    Capability, Descriptor, Express, ExpressPort, Msi, PowerManagement, PowerStates,
};
use vfio_user::pci::{BusErrors, CorrectableError, UncorrectableError};
use vfio_user::protocol::RegionIndex;
use vfio_user::{Bench, Cx, Device, PciDevice, ResetKind, Result};
use vfio_user_tests::config_model::{Author, Model, Reset, capabilities};

/// Declares nothing by itself.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe, class = 0x05_8001, subsystem = (0x5678, 0x9abc))]
#[bar(0: mem32, size = 0x1000)]
#[bar(1: io, size = 0x20)]
#[bar(2: mem64, size = 0x2_0000_0000, prefetchable)]
struct Card {
    #[reg(0x00)]
    scratch: u32,
    #[migrate(skip)]
    shape: Shape,
    #[migrate(skip)]
    resets: Vec<ResetKind>,
}

#[derive(Clone, Debug, Default)]
struct Shape {
    capabilities: Vec<Capability>,
    has_intx: bool,
    msi: u16,
    msix: u16,
    rom: usize,
}

#[derive(Clone, Debug)]
enum Report {
    Wake,
    Bus(BusErrors),
    Correctable(CorrectableError),
    Uncorrectable(UncorrectableError, [u32; 4]),
}

impl Device for Card {
    type Event = Report;

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        let mut declared = descriptor.clone();
        if self.shape.has_intx {
            declared = declared.with_intx();
        }
        if self.shape.msi > 0 {
            declared = declared.with_msi(self.shape.msi);
        }
        if self.shape.msix > 0 {
            declared = declared.with_msix_in_own_bar(self.shape.msix, Some(4));
        }
        for capability in &self.shape.capabilities {
            declared.add_capability(*capability);
        }
        if self.shape.rom > 0 {
            declared.set_rom(vec![0x55; self.shape.rom]);
        }
        *descriptor = declared;
        Ok(())
    }

    fn event(&mut self, cx: &mut Cx<'_, Self>, report: Report) {
        match report {
            Report::Wake => cx.signal_pme(),
            Report::Bus(errors) => cx.bus_errors(errors),
            Report::Correctable(error) => cx.correctable_error(error),
            Report::Uncorrectable(error, header) => cx.uncorrectable_error(error, header),
        }
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, kind: ResetKind) {
        self.resets.push(kind);
    }
}

const VENDOR: Capability =
    Capability::vendor(b"first").with_writable(&[0, 0xff, 0x0f]).with_offset(0xc0);
const VPD: Capability = Capability::vpd(VPD_BYTES).with_writable(VPD_MASK);
const VPD_BYTES: &[u8] = b"\x82\x05\0A card\x91\x08\0RW\x05hello\x78";
const VPD_MASK: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0x0f, 0xff, 0xff, 0xff];
const SERIAL: Capability = Capability::serial(0x0011_22ff_ff33_4455).with_offset(0x100);
const VSEC: Capability =
    Capability::vsec(0xabcd, 3, &[9; 6]).with_writable(&[0xf0; 6]).with_offset(0x200);

fn power() -> impl Strategy<Value = Capability> {
    (any::<[bool; 3]>(), 0u8..32).prop_map(|([d1, d2, no_soft_reset], wakes)| {
        let mut power = PowerManagement::new();
        let mut can = PowerStates::from_bits_truncate(wakes);
        if d1 {
            power = power.with_d1();
        } else {
            can.remove(PowerStates::D1);
        }
        if d2 {
            power = power.with_d2();
        } else {
            can.remove(PowerStates::D2);
        }
        if no_soft_reset {
            power = power.with_no_soft_reset();
        }
        Capability::pm_with(power.with_wakes_from(can))
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
            let mut express = Express::new(port).with_payload(1 << payload);
            if port != ExpressPort::Integrated {
                express = express.with_speed(speed).with_width(width);
            }
            if tags {
                express = express.with_extended_tags();
            }
            Capability::express_with(if flr { express.with_flr() } else { express })
        },
    )
}

fn msi() -> impl Strategy<Value = Capability> {
    any::<[bool; 2]>().prop_map(|[is_short, is_maskable]| {
        let msi = if is_short { Msi::new().with_address_32() } else { Msi::new() };
        Capability::msi_with(if is_maskable { msi.with_maskable() } else { msi })
    })
}

/// Any function that we can declare.
fn shape() -> impl Strategy<Value = Shape> {
    let plain = (prop::option::of(power()), prop::option::of(express()), msi(), any::<bool>());
    let numbers = (any::<bool>(), 0u32..7, 0u16..20, 0usize..5000);
    (plain, any::<[bool; 5]>(), numbers).prop_map(|(plain, extended, numbers)| {
        let (power, express, message, has_vendor) = plain;
        let (has_intx, msi, msix, rom) = numbers;
        let mut capabilities: Vec<_> = power.into_iter().chain(express).collect();
        capabilities.extend(has_vendor.then_some(VENDOR));
        capabilities.extend((msi > 0).then_some(message));
        capabilities.extend(extended[3].then_some(VPD));
        if express.is_some() && extended[0] {
            capabilities.push(SERIAL);
            capabilities.extend(extended[1].then_some(Capability::ltr()));
            capabilities.extend(extended[2].then_some(VSEC));
            capabilities.extend(extended[4].then_some(Capability::aer()));
        }
        Shape { capabilities, has_intx, msi: (1 << msi) >> 1, msix, rom }
    })
}

fn author(shape: &Shape) -> Author {
    let msix = if shape.msix > 0 { 0x1000 } else { 0 };
    let mut writable = Vec::new();
    for capability in &shape.capabilities {
        if *capability == VENDOR {
            writable.push((0xc3, vec![0, 0xff, 0x0f]));
        } else if *capability == VSEC {
            writable.push((0x208, vec![0xf0; 6]));
        }
    }
    let rom = if shape.rom > 0 { shape.rom.next_power_of_two().max(2048) as u64 } else { 0 };
    let bars = [0x1000, 0x20, 0x2_0000_0000, 0, msix, 0];
    let vpd = if shape.capabilities.contains(&VPD) {
        (VPD_BYTES.to_vec(), VPD_MASK.to_vec())
    } else {
        Default::default()
    };
    Author { bars, rom, writable, vpd }
}

#[derive(Clone, Debug)]
enum Step {
    /// Anywhere, anything.
    Write(usize, Vec<u8>),
    /// A doubleword of vital product data: its place, and what is written first, if anything.
    Vpd(u16, Option<u32>),
    /// At a register that does something, by its place among those there are.
    Poke(usize, u32),
    Read(usize, usize),
    /// Asks for a function level reset.
    ResetFunction,
    /// Puts the function in a power state.
    Power(u8),
    Reset,
    Report(Report),
    Migrate,
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

struct Script {
    bench: Bench<Card>,
    /// How often the client has been notified of errors.
    notified: u64,
    model: Model,
    shape: Shape,
    resets: Vec<ResetKind>,
}

fn card(shape: &Shape) -> Bench<Card> {
    Bench::new(Card { shape: shape.clone(), ..Card::default() }).expect("a function that can be")
}

fn space(bench: &mut Bench<Card>) -> Vec<u8> {
    let size = bench.function().descriptor().is_express();
    let mut space = vec![0; if size { 4096 } else { 256 }];
    bench.try_read(RegionIndex::Config, 0, &mut space).expect("all of it");
    space
}

impl Script {
    fn new(shape: &Shape) -> Self {
        let mut bench = card(shape);
        let model = Model::new(&space(&mut bench), &author(shape));
        Script { bench, notified: 0, model, shape: shape.clone(), resets: Vec::new() }
    }

    fn write(&mut self, at: usize, data: &[u8]) {
        let end = self.model.bytes.len();
        if at + data.len() > end {
            let refused = self.bench.try_write(RegionIndex::Config, at as u64, data);
            assert!(refused.is_err(), "{at:#x} and {} bytes", data.len());
            return;
        }
        self.bench.try_write(RegionIndex::Config, at as u64, data).expect("no error ever");
        let kind = match self.model.write(at, data) {
            None => return,
            Some(Reset::Device) => ResetKind::Device,
            Some(Reset::Function) => ResetKind::FunctionLevel,
            Some(Reset::Power) => ResetKind::PowerState,
        };
        self.resets.push(kind);
    }

    /// Where a capability is.
    fn find(&self, id: u8) -> Option<usize> {
        let mut list = capabilities(&self.model.bytes).into_iter();
        list.find(|(found, _)| *found == id).map(|(_, at)| at)
    }

    fn step(&mut self, step: &Step) -> TestCaseResult {
        match step {
            Step::Write(at, data) => self.write(*at, data),
            Step::Poke(place, value) => self.poke(*place, *value),
            Step::Vpd(place, data) => self.vpd(*place, *data),
            Step::ResetFunction => {
                if let Some(at) = self.find(0x10) {
                    self.write(at + 9, &[0x80]);
                }
            }
            Step::Power(state) => {
                if let Some(at) = self.find(0x01) {
                    self.write(at + 4, &[*state]);
                }
            }
            Step::Read(at, len) => {
                let len = (*len).min(self.model.bytes.len().saturating_sub(*at));
                let mut data = vec![0; len];
                if len > 0 {
                    self.bench
                        .try_read(RegionIndex::Config, *at as u64, &mut data)
                        .expect("inside");
                    prop_assert_eq!(&data[..], &self.model.bytes[*at..*at + len]);
                }
            }
            Step::Reset => {
                self.bench.reset();
                self.model.reset(Reset::Device);
                self.resets.push(ResetKind::Device);
            }
            Step::Report(report) => self.report(report),
            Step::Migrate => self.migrate()?,
        }
        Ok(())
    }

    /// Writes one of the words of which something changes.
    fn poke(&mut self, place: usize, value: u32) {
        let words = (0..self.model.bytes.len()).step_by(4);
        let changing: Vec<_> =
            words.filter(|at| (*at..*at + 4).any(|at| !self.model.is_read_only(at))).collect();
        self.write(changing[place % changing.len()], &value.to_le_bytes());
    }

    fn vpd(&mut self, place: u16, data: Option<u32>) {
        let Some(at) = self.find(0x03) else { return };
        if let Some(data) = data {
            self.write(at + 4, &data.to_le_bytes());
            self.write(at + 2, &((place * 4) | 0x8000).to_le_bytes());
        }
        self.write(at + 2, &(place * 4).to_le_bytes());
    }

    fn report(&mut self, report: &Report) {
        self.bench.post(report.clone());
        self.bench.handle_events();
        match report {
            Report::Wake => self.model.wake(),
            Report::Bus(errors) => self.model.bus_errors(errors.bits()),
            Report::Correctable(error) => self.model.correctable_error(*error as usize),
            Report::Uncorrectable(error, header) => {
                let notified = self.model.uncorrectable_error(*error as u8, *header);
                self.notified += u64::from(notified);
            }
        }
    }

    fn migrate(&mut self) -> TestCaseResult {
        let state = self.bench.save();
        let resets = self.bench.device().resets.clone();
        self.bench = card(&self.shape);
        self.bench.load(&state).expect("a state of the same device");
        prop_assert_eq!(self.bench.device().resets.len(), 0);
        prop_assert_eq!(&resets, &self.resets);
        self.resets.clear();
        Ok(())
    }

    fn check(&mut self, step: &Step) -> TestCaseResult {
        let space = space(&mut self.bench);
        for (at, (found, expected)) in space.iter().zip(&self.model.bytes).enumerate() {
            prop_assert_eq!(found, expected, "at {:#x} after {:x?}", at, step);
        }
        prop_assert_eq!(&self.bench.device().resets, &self.resets);
        prop_assert_eq!(
            self.bench.take_errors(),
            std::mem::take(&mut self.notified),
            "{:x?}",
            step
        );
        Ok(())
    }
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
            script.step(step)?;
            script.check(step)?;
        }
    }
}

/// A function with all that there is.
fn everything() -> Shape {
    let power = PowerManagement::new().with_d1().with_d2().with_wakes_from(PowerStates::all());
    let express = Express::new(ExpressPort::Endpoint).with_flr();
    let capabilities = vec![
        Capability::pm_with(power),
        Capability::express_with(express),
        Capability::msi_with(Msi::new().with_maskable()),
        VENDOR,
        VPD,
        SERIAL,
        Capability::ltr(),
        VSEC,
        Capability::aer(),
    ];
    Shape { capabilities, has_intx: true, msi: 8, msix: 16, rom: 3000 }
}

/// Windows writes ids, class and the heads of capabilities when it enumerates.
#[test]
fn what_is_read_only_stays_whatever_is_written() {
    let mut script = Script::new(&everything());
    let before = space(&mut script.bench);
    for width in [1, 2, 4, 8] {
        for at in 0..before.len() - width {
            if !(at..at + width).all(|at| script.model.is_read_only(at)) {
                continue;
            }
            for value in [0xff, 0x00, 0x55] {
                let written =
                    script.bench.try_write(RegionIndex::Config, at as u64, &[value; 8][..width]);
                assert_eq!(written, Ok(()), "{width} bytes at {at:#x}");
            }
        }
        assert_eq!(space(&mut script.bench), before, "{width} bytes");
    }
    assert_eq!(script.bench.device().resets, []);
}
