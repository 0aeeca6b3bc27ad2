//! The resets that a function has, requested as guests, clients and hooks request them.

use std::collections::BTreeSet;

use crate::bench::Bench;
use crate::device::PciDevice;
use crate::layout::SOFT_DOMAINS;
use crate::model::spec::{express, pm};
use crate::model::{CapabilityKind, Descriptor, ResetKind};

/// D3hot in the power state field (PCI Power Management Interface Specification 1.2, 3.2.4).
const D3_HOT: u8 = 3;

/// The kinds of reset of a function, and where a guest requests them.
#[derive(Clone, Debug)]
pub(super) struct Resets {
    /// The offset of device control, if it initiates function-level resets.
    flr: Option<u64>,
    /// The offset of the power state, if leaving D3hot resets the function.
    power: Option<u64>,
    /// The domains that are declared, or that the device has been seen to reset by itself.
    soft: BTreeSet<u8>,
}

impl Resets {
    pub(super) fn of<D: PciDevice>(bench: &Bench<D>) -> Self {
        let descriptor = bench.function().descriptor();
        let flr = |kind| matches!(kind, CapabilityKind::Express(can) if can.has_flr());
        let power = |kind| matches!(kind, CapabilityKind::Pm(can) if can.is_reset_from_d3hot());
        Resets {
            flr: place(descriptor, flr).map(|at| at + express::DEVICE_CONTROL as u64),
            power: place(descriptor, power).map(|at| at + pm::CONTROL as u64),
            soft: descriptor.soft_domains().collect(),
        }
    }

    /// Adds the domains that the device has reset by itself.
    pub(super) fn add_used<D: PciDevice>(&mut self, bench: &Bench<D>) {
        let used = bench.function().soft_domains_used();
        self.soft.extend((0..SOFT_DOMAINS).filter(|domain| used & 1 << domain != 0));
    }

    /// Returns the number of kinds.
    pub(super) fn count(&self) -> u64 {
        self.kinds().count() as u64
    }

    /// Returns a kind, the same for equal numbers.
    pub(super) fn kind(&self, number: u64) -> ResetKind {
        let place = usize::try_from(number % self.count()).unwrap_or(0);
        self.kinds().nth(place).unwrap_or(ResetKind::Device)
    }

    fn kinds(&self) -> impl Iterator<Item = ResetKind> {
        let flr = self.flr.map(|_| ResetKind::FunctionLevel);
        let power = self.power.map(|_| ResetKind::PowerState);
        let soft = self.soft.iter().copied().map(ResetKind::Soft);
        flr.into_iter().chain(power).chain(soft).chain([ResetKind::Device])
    }

    /// Resets the function, by configuration space for the kinds that guests request there.
    pub(super) fn request<D: PciDevice>(&self, bench: &mut Bench<D>, kind: ResetKind) {
        match (kind, self.flr, self.power) {
            (ResetKind::FunctionLevel, Some(at), _) => {
                bench.write_config(at, express::INITIATE_FLR);
            }
            (ResetKind::PowerState, _, Some(at)) => {
                bench.write_config(at, D3_HOT);
                bench.write_config(at, 0_u8);
            }
            _ => bench.reset_by(kind),
        }
    }
}

/// Returns the offset of the first capability of a kind.
fn place(descriptor: &Descriptor, is_it: impl Fn(CapabilityKind) -> bool) -> Option<u64> {
    let mut capabilities = descriptor.capabilities_at();
    let found = capabilities.find(|(capability, _)| is_it(capability.kind()));
    found.map(|(_, at)| u64::from(at))
}
