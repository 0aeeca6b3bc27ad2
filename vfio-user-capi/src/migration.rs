//! The migration states of a device in C, and which requests they admit.

use std::ffi::c_int;

use vfio_user::function::Admission;
use vfio_user::migration::next;
use vfio_user::protocol::{Command, Errno, MigrationState, Version};

use crate::abi::CONFIG_REGION;
use crate::callbacks::Result;
use crate::context::Context;
use crate::quiesce::Quieted;

/// `VFIO_DEVICE_FEATURE_SET`, `VFIO_DEVICE_FEATURE_PROBE`, and
/// `VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE`.
const SET: u32 = 1 << 17;
const PROBE: u32 = 1 << 18;
const DEVICE_STATE: u32 = 2;

impl Context {
    /// Decides whether a request is done now: some need a quiet device.
    pub(crate) fn admit(&self, command: Command, payload: &[u8]) -> Admission {
        if command == Command::Version {
            let client = Version::decode(payload).map(|version| version.capabilities);
            self.max_data.set(client.map_or(0, |client| client.max_data_xfer_size));
        } else {
            self.requests.set(self.requests.get() + 1);
        }
        if let Err(errno) = self.check_request(command, payload) {
            return Admission::Refused(errno);
        }
        if !self.needs_quiet(command, payload) {
            return Admission::Now;
        }
        match self.make_quiet() {
            Quieted::Now => Admission::Now,
            Quieted::Later => Admission::Later,
            Quieted::Failed(errno) => Admission::Refused(errno),
        }
    }

    fn check_request(&self, command: Command, payload: &[u8]) -> Result<()> {
        let has_room = || match self.max_dma_regions.get() {
            Some(most) => self.dma.regions().len() < most,
            None => true,
        };
        if command == Command::DmaMap && !has_room() {
            return Err(Errno::EINVAL);
        }
        // Without the quirks a stopped device takes every request, as the specification says.
        if self.is_compatible { self.check_quirks(command, payload) } else { Ok(()) }
    }

    fn needs_quiet(&self, command: Command, payload: &[u8]) -> bool {
        if self.callbacks.quiesce.get().is_none() {
            return false;
        }
        match command {
            Command::DmaMap | Command::DmaUnmap => self.max_dma_regions.get().is_some(),
            Command::DeviceReset => true,
            Command::DeviceFeature => word(payload, 4).is_some_and(|flags| {
                flags & (SET | DEVICE_STATE) == SET | DEVICE_STATE && flags & PROBE == 0
            }),
            Command::RegionWrite => {
                let is_config = word(payload, 8) == u32::try_from(CONFIG_REGION).ok();
                is_config && word(payload, 0).is_some_and(|at| self.config.is_device_control(at))
            }
            _ => false,
        }
    }

    /// Changes the state, over all states in between.
    pub(crate) fn migrate(&self, target: MigrationState) -> Result<()> {
        while let Some(state) = next(self.migration_state.get(), target) {
            self.call_transition(number(state).ok_or(Errno::EINVAL)?)?;
            self.migration_state.set(state);
        }
        if self.migration_state.get() == target { Ok(()) } else { Err(Errno::EINVAL) }
    }

    pub(crate) fn read_state(&self, data: &mut [u8]) -> Result<usize> {
        match self.migration_state.get() {
            MigrationState::PreCopy | MigrationState::StopCopy => self.call_read_data(data),
            _ => Err(Errno::EINVAL),
        }
    }

    pub(crate) fn write_state(&self, data: &[u8]) -> Result<()> {
        match self.migration_state.get() {
            MigrationState::Resuming => self.call_write_data(data),
            _ => Err(Errno::EINVAL),
        }
    }
}

/// Returns the state in C: `vfu_migr_state_t`.
fn number(state: MigrationState) -> Option<c_int> {
    Some(match state {
        MigrationState::Stop => 0,
        MigrationState::Running => 1,
        MigrationState::StopCopy => 2,
        MigrationState::PreCopy => 3,
        MigrationState::Resuming => 4,
        _ => return None,
    })
}

/// Returns a word of a payload, in the order of the protocol.
pub(crate) fn word(payload: &[u8], offset: usize) -> Option<u32> {
    let bytes = payload.get(offset..offset + 4)?;
    bytes.try_into().ok().map(u32::from_le_bytes)
}
