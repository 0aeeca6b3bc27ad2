//! What the controller serves (7.10, 7.11).

use vfio_user_examples::Disk;

use crate::spec::{Outcome, Status};

/// A namespace and its index.
pub(crate) type Namespace<'a> = (usize, &'a Disk);

/// The NVM subsystem: a serial number, and namespaces, which are counted from 1.
#[derive(Debug, Default)]
pub(crate) struct Subsystem {
    pub(crate) serial: String,
    pub(crate) disks: Vec<Disk>,
}

impl Subsystem {
    /// Returns a namespace.
    pub(crate) fn namespace(&self, nsid: u32) -> Outcome<Namespace<'_>> {
        let index = (nsid as usize).wrapping_sub(1);
        Ok((index, self.disks.get(index).ok_or(Status::INVALID_NAMESPACE)?))
    }

    /// Makes everything durable that has been written.
    pub(crate) fn flush(&self) -> Outcome<()> {
        Ok(self.disks.iter().try_for_each(Disk::flush)?)
    }

    /// Returns the number of namespaces.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.disks.len()).unwrap_or(u32::MAX)
    }

    /// Returns the UUID of a namespace: version 8 of RFC 9562, a hash of serial number and
    /// namespace number (FNV-1a), so that both ends of a migration have the same one.
    pub(crate) fn uuid(&self, nsid: u32) -> u128 {
        let bytes = self.serial.bytes().chain(nsid.to_le_bytes());
        let hash = bytes.fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash: u128, byte| {
            (hash ^ u128::from(byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b)
        });
        hash & !(0xf << 76 | 0b11 << 62) | 8 << 76 | 0b10 << 62
    }
}
