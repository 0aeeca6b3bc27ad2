//! Errors of libvfio-user for writes that hardware ignores (`LIBVFIO_USER_COMPAT=1`).

use vfio_user::protocol::Errno;

use super::{Capability, Config, Kind};
use crate::callbacks::Result;

/// The registers of the header that libvfio-user lets a client write, and their sizes.
const REGISTERS: [(usize, usize); 18] = [
    (0x04, 2),
    (0x06, 2),
    (0x08, 1),
    (0x09, 3),
    (0x0c, 1),
    (0x0d, 1),
    (0x10, 4),
    (0x14, 4),
    (0x18, 4),
    (0x1c, 4),
    (0x20, 4),
    (0x24, 4),
    (0x30, 4),
    (0x3c, 1),
    (0x3d, 1),
    (0x3e, 1),
    (0x3f, 1),
    (0x40, 0),
];

impl Config {
    /// Refuses writes that do not start at a register that may be written.
    #[expect(clippy::unused_self, reason = "a check of the configuration space")]
    pub(super) fn check_header_write(&self, mut offset: usize, data: &[u8]) -> Result<()> {
        let end = offset + data.len();
        while offset < end {
            let register = REGISTERS.iter().find(|(start, _)| *start == offset);
            let (_, size) = register.ok_or(Errno::EINVAL)?;
            offset += size;
        }
        Ok(())
    }

    pub(super) fn check_capability_write(
        &self,
        capability: &Capability,
        offset: usize,
        data: &[u8],
    ) -> Result<()> {
        let at = offset - capability.offset;
        if capability.is_read_only() || at < capability.kind.header_size() {
            return Err(Errno::EPERM);
        }
        match capability.kind {
            Kind::PowerManagement => match (at, data.len()) {
                (4, 2) => Ok(()),
                (2, 2) | (6 | 7, 1) => Err(Errno::ENOTSUP),
                _ => Err(Errno::EINVAL),
            },
            Kind::Express => self.check_express_write(capability, at, data),
            Kind::Msi => self.check_msi_write(capability, at, data),
            Kind::SerialNumber => Err(Errno::EPERM),
            Kind::MsiX | Kind::Vendor | Kind::ExtendedVendor => Ok(()),
        }
    }

    /// Only whole control registers are written.
    fn check_express_write(&self, capability: &Capability, at: usize, data: &[u8]) -> Result<()> {
        let is_register = matches!(at, 8 | 16 | 24 | 28 | 40 | 48 | 56);
        let wants_reset = at == 8 && data.get(1).is_some_and(|byte| byte & 0x80 != 0);
        if data.len() != 2 || !is_register || (wants_reset && !self.offers_reset(capability)) {
            return Err(Errno::EINVAL);
        }
        Ok(())
    }

    /// A guest enables at most as many messages as there are.
    fn check_msi_write(&self, capability: &Capability, at: usize, data: &[u8]) -> Result<()> {
        let control = self.memory.get(capability.offset + 2);
        let written = 2_usize.checked_sub(at).and_then(|index| data.get(index));
        let enabled = written.map_or(control, |byte| *byte) >> 4 & 7;
        let capable = control >> 1 & 7;
        if enabled > 5 || enabled > capable { Err(Errno::EINVAL) } else { Ok(()) }
    }
}
