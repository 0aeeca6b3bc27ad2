//! Accesses to the configuration space of any function that can be declared, and resets, against
//! the [model](crate::config_model).

use vfio_user::declaration::{
    Capability, Descriptor, Express, ExpressPort, Msi, PowerManagement, PowerStates,
};
use vfio_user::pci::{BusErrors, CorrectableError, UncorrectableError};
use vfio_user::protocol::RegionIndex;
use vfio_user::{Bench, Cx, Device, PciDevice, ResetKind, Result};

use crate::config_model::{Author, Model, Reset, capabilities};

/// Declares nothing by itself.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe, class = 0x05_8001, subsystem = (0x5678, 0x9abc))]
#[bar(0: mem32, size = 0x1000)]
#[bar(1: io, size = 0x20)]
#[bar(2: mem64, size = 0x2_0000_0000, prefetchable)]
pub struct Card {
    #[reg(0x00)]
    scratch: u32,
    #[migrate(skip)]
    shape: Shape,
    #[migrate(skip)]
    resets: Vec<ResetKind>,
}

/// What a [`Card`] declares.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// Its capabilities.
    pub capabilities: Vec<Capability>,
    /// Whether it has an interrupt line.
    pub has_intx: bool,
    /// Messages of MSI, a power of two, or none.
    pub msi: u16,
    /// Vectors of MSI-X.
    pub msix: u16,
    /// Bytes of the expansion ROM.
    pub rom: usize,
}

/// What a card reports to its guest.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "named as what the device does")]
pub enum Report {
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

/// Power management, with wakes from these states, as far as they exist.
pub fn power(d1: bool, d2: bool, no_soft_reset: bool, wakes: u8) -> Capability {
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
}

/// A port of PCI Express, the link of which has this speed and number of lanes, if it has one.
pub fn express(port: ExpressPort, (speed, width): (u8, u8), payload: u16) -> Express {
    let express = Express::new(port).with_payload(payload);
    if port == ExpressPort::Integrated {
        express
    } else {
        express.with_speed(speed).with_width(width)
    }
}

/// Message signalled interrupts of either address size.
pub fn msi(is_short: bool, is_maskable: bool) -> Capability {
    let msi = if is_short { Msi::new().with_address_32() } else { Msi::new() };
    Capability::msi_with(if is_maskable { msi.with_maskable() } else { msi })
}

impl Shape {
    /// Adds those extended capabilities that `chosen` says, in this order: a serial number, latency
    /// tolerance, bytes of a vendor, advanced error reporting.
    pub fn add_extended(&mut self, chosen: [bool; 4]) {
        let all = [SERIAL, Capability::ltr(), VSEC, Capability::aer()];
        let all = all.into_iter().zip(chosen);
        self.capabilities.extend(all.filter(|(_, is_chosen)| *is_chosen).map(|(all, _)| all));
    }

    /// Adds bytes of a vendor.
    pub fn add_vendor(&mut self) {
        self.capabilities.push(VENDOR);
    }

    /// Adds vital product data.
    pub fn add_vpd(&mut self) {
        self.capabilities.push(VPD);
    }
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
/// What a guest, its VMM or the card does.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "named as what is done")]
pub enum Step {
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

/// A card, and its model.
#[derive(Debug)]
pub struct Script {
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
    /// Creates both.
    ///
    /// # Panics
    ///
    /// If the shape cannot be declared.
    pub fn new(shape: &Shape) -> Self {
        let mut bench = card(shape);
        let model = Model::new(&space(&mut bench), &author(shape));
        Script { bench, notified: 0, model, shape: shape.clone(), resets: Vec::new() }
    }

    /// Returns all of configuration space.
    pub fn space(&mut self) -> Vec<u8> {
        space(&mut self.bench)
    }

    /// Returns the model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Returns the resets of the card since it was created or loaded.
    pub fn resets(&self) -> &[ResetKind] {
        &self.bench.device().resets
    }

    /// Writes bytes of configuration space, with both.
    ///
    /// # Panics
    ///
    /// If the card refuses what is inside, or accepts what is not.
    pub fn write(&mut self, at: usize, data: &[u8]) {
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

    /// Does the step with both, and checks that they are the same afterwards.
    ///
    /// # Panics
    ///
    /// If they are not.
    pub fn step(&mut self, step: &Step) {
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
                    assert_eq!(&data[..], &self.model.bytes[*at..*at + len]);
                }
            }
            Step::Reset => {
                self.bench.reset();
                self.model.reset(Reset::Device);
                self.resets.push(ResetKind::Device);
            }
            Step::Report(report) => self.report(report),
            Step::Migrate => self.migrate(),
        }
        self.check(step);
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

    fn migrate(&mut self) {
        let state = self.bench.save();
        let resets = self.bench.device().resets.clone();
        self.bench = card(&self.shape);
        self.bench.load(&state).expect("a state of the same device");
        assert_eq!(self.bench.device().resets.len(), 0);
        assert_eq!(&resets, &self.resets);
        self.resets.clear();
    }

    fn check(&mut self, step: &Step) {
        let space = space(&mut self.bench);
        for (at, (found, expected)) in space.iter().zip(&self.model.bytes).enumerate() {
            assert_eq!(found, expected, "at {at:#x} after {step:x?}");
        }
        assert_eq!(&self.bench.device().resets, &self.resets);
        assert_eq!(self.bench.take_errors(), std::mem::take(&mut self.notified), "{step:x?}");
    }
}
