//! Power states of a function (PCI Power Management Interface Specification 1.2, 5).

use crate::model::spec::pm;
use crate::model::{CapabilityKind, Descriptor, PowerManagement, PowerStates, ResetKind};

/// The power management capability: its offset, and the states of the function.
#[derive(Debug)]
pub(super) struct Power {
    /// The offset of the control and status register.
    control: usize,
    can: PowerManagement,
}

const D0: u8 = 0;
const D3_HOT: u8 = 3;

impl Power {
    pub(super) fn of(descriptor: &Descriptor) -> Option<Self> {
        descriptor.capabilities_at().find_map(|(capability, at)| match capability.kind() {
            CapabilityKind::Pm(can) => Some(Power { control: usize::from(at) + pm::CONTROL, can }),
            _ => None,
        })
    }

    /// Returns the offset of the state.
    pub(super) fn control(&self) -> usize {
        self.control
    }

    /// Returns the state: 0 for D0 to 3 for D3hot.
    pub(super) fn state(&self, bytes: &[u8]) -> u8 {
        bytes[self.control] & pm::POWER_STATE
    }

    pub(super) fn is_awake(&self, bytes: &[u8]) -> bool {
        self.state(bytes) == D0
    }

    /// Returns whether a saved space is in a state that the function has.
    pub(super) fn is_possible(&self, bytes: &[u8]) -> bool {
        self.has(self.state(bytes))
    }

    fn has(&self, state: u8) -> bool {
        self.can.states().bits() & 1 << state != 0
    }

    /// Applies a write, and returns the reset that it causes. A state that the function lacks, or
    /// that cannot be reached from the state `before`, is ignored: a sleeping function can only go
    /// to deeper sleep or to D0.
    pub(super) fn settle(&self, bytes: &mut [u8], before: u8) -> Option<ResetKind> {
        let after = self.state(bytes);
        if !self.has(after) || (after != D0 && after < before) {
            let control = &mut bytes[self.control];
            *control = (*control & !pm::POWER_STATE) | before;
            return None;
        }
        let is_reset = before == D3_HOT && after == D0 && self.can.is_reset_from_d3hot();
        is_reset.then_some(ResetKind::PowerState)
    }

    /// Signals an event, if the function does so in its state.
    pub(super) fn wake(&self, bytes: &mut [u8]) -> bool {
        let state = PowerStates::from_bits_truncate(1 << self.state(bytes));
        let can = self.can.wakes_from().contains(state);
        if can {
            let [_, status] = pm::PME_STATUS.to_le_bytes();
            bytes[self.control + 1] |= status;
        }
        can
    }
}
