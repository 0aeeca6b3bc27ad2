//! Any function that can be declared, and what a guest does to its configuration space, against a
//! model of the specifications.

use arbitrary::{Arbitrary, Result, Unstructured};
use vfio_user::declaration::{Capability, ExpressPort};
use vfio_user::pci::{BusErrors, CorrectableError, UncorrectableError};
use vfio_user_tests::config_model::{capabilities, extended_capabilities};
use vfio_user_tests::config_script::{self, Report, Script, Shape, Step};

struct Input {
    shape: Shape,
    steps: Vec<Step>,
}

/// The most steps: each compares the whole space.
const MOST_STEPS: usize = 64;

/// Runs a script.
pub fn run(input: &[u8]) {
    let Some(input) = super::parse::<Input>(input) else { return };
    let mut script = Script::new(&input.shape);
    let before = script.space();
    for step in &input.steps {
        script.step(step);
    }
    let after = script.space();
    assert_eq!(capabilities(&after), capabilities(&before));
    assert_eq!(extended_capabilities(&after), extended_capabilities(&before));
}

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let shape = shape(u)?;
        let mut steps = Vec::new();
        while !u.is_empty() && steps.len() < MOST_STEPS {
            steps.push(step(u)?);
        }
        Ok(Input { shape, steps })
    }
}

fn express(u: &mut Unstructured<'_>) -> Result<Capability> {
    let port = *u.choose(&[ExpressPort::Endpoint, ExpressPort::Legacy, ExpressPort::Integrated])?;
    let link = (u.int_in_range(1..=6)?, *u.choose(&[1, 2, 4, 8, 12, 16, 32])?);
    let mut express = config_script::express(port, link, 1 << u.int_in_range(7..=12)?);
    if u.arbitrary()? {
        express = express.with_extended_tags();
    }
    Ok(Capability::express_with(if u.arbitrary()? { express.with_flr() } else { express }))
}

fn shape(u: &mut Unstructured<'_>) -> Result<Shape> {
    let messages = u.int_in_range(0..=6)?;
    let mut shape = Shape {
        capabilities: Vec::new(),
        has_intx: u.arbitrary()?,
        msi: (1 << messages) >> 1,
        msix: u.int_in_range(0..=19)?,
        rom: u.int_in_range(0..=5000)?,
    };
    if u.arbitrary()? {
        let power =
            config_script::power(u.arbitrary()?, u.arbitrary()?, u.arbitrary()?, u.arbitrary()?);
        shape.capabilities.push(power);
    }
    if shape.msi > 0 {
        shape.capabilities.push(config_script::msi(u.arbitrary()?, u.arbitrary()?));
    }
    if u.arbitrary()? {
        shape.add_vendor();
    }
    if u.arbitrary()? {
        shape.add_vpd();
    }
    if u.arbitrary()? {
        shape.capabilities.push(express(u)?);
        if u.arbitrary()? {
            // The serial number lies at the start of the list, which has to begin there.
            shape.add_extended([true, u.arbitrary()?, u.arbitrary()?, u.arbitrary()?]);
        }
    }
    Ok(shape)
}

fn bytes(u: &mut Unstructured<'_>, most: usize) -> Result<Vec<u8>> {
    let len = u.int_in_range(1..=most)?;
    (0..len).map(|_| u.arbitrary()).collect()
}

fn step(u: &mut Unstructured<'_>) -> Result<Step> {
    Ok(match u.int_in_range(0..=10)? {
        0 | 1 => Step::Write(u.int_in_range(0..=0x108)?, bytes(u, 8)?),
        2 => Step::Write(u.int_in_range(0..=4096)?, bytes(u, 300)?),
        3 | 4 => Step::Poke(u.arbitrary::<u16>()?.into(), u.arbitrary()?),
        5 => Step::Vpd(u.int_in_range(0..=11)?, u.arbitrary()?),
        6 => Step::Read(u.int_in_range(0..=4095)?, u.int_in_range(1..=64)?),
        7 => Step::Power(u.int_in_range(0..=3)?),
        8 => Step::Report(report(u)?),
        9 if u.arbitrary()? => Step::ResetFunction,
        9 => Step::Reset,
        _ => Step::Migrate,
    })
}

fn report(u: &mut Unstructured<'_>) -> Result<Report> {
    use {CorrectableError as C, UncorrectableError as U};
    Ok(match u.int_in_range(0..=3)? {
        0 => Report::Wake,
        1 => Report::Bus(BusErrors::from_bits_truncate(u.arbitrary()?)),
        2 => {
            let all = [C::Receiver, C::BadLinkPacket, C::AdvisoryNonFatal, C::HeaderLogOverflow];
            Report::Correctable(*u.choose(&all)?)
        }
        _ => {
            let all = [
                U::DataLinkProtocol,
                U::SurpriseDown,
                U::PoisonedPacket,
                U::CompleterAbort,
                U::MalformedPacket,
                U::UnsupportedRequest,
                U::Internal,
                U::PrefixBlocked,
            ];
            Report::Uncorrectable(*u.choose(&all)?, u.arbitrary()?)
        }
    })
}
