//! BARs without registers, and raw ranges of others, which the author serves. Accesses that the
//! author leaves are ignored like any other access that meets no register.

use super::{Bus, rules};
use crate::device::{Access, PciDevice};
use crate::monitor::Elsewhere;
use crate::protocol::{Errno, RegionIndex};

impl<D: PciDevice> Bus<'_, '_, D> {
    /// Reads from a part of a BAR without areas.
    pub(super) fn read_outside_areas(&mut self, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        if self.map.is_unregistered() {
            self.read_unregistered(offset, data)
        } else {
            self.read(offset, data)
        }
    }

    /// Writes to a part of a BAR without areas.
    pub(super) fn write_outside_areas(&mut self, offset: u64, data: &[u8]) -> Result<(), Errno> {
        if self.map.is_unregistered() {
            self.write_unregistered(offset, data)
        } else {
            self.write(offset, data)
        }
    }

    /// # Errors
    ///
    /// The author's error, or `EINVAL` if the BAR refuses the access.
    pub(super) fn read_unregistered(&mut self, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        let bar = self.bar;
        if bar.accepts_all() {
            return self.read_by_author(offset, data);
        }
        let mut rest = data;
        for piece in rules::pieces(bar, offset, rest.len()) {
            let (head, tail) = rest.split_at_mut(piece.len);
            match rules::refusal(bar, piece) {
                None => self.read_by_author(piece.offset, head)?,
                Some(_) => self.read(piece.offset, head)?,
            }
            rest = tail;
        }
        Ok(())
    }

    /// # Errors
    ///
    /// Same as [`read_unregistered`](Self::read_unregistered).
    pub(super) fn write_unregistered(&mut self, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let bar = self.bar;
        if bar.accepts_all() {
            return self.write_by_author(offset, data);
        }
        let mut rest = data;
        for piece in rules::pieces(bar, offset, data.len()) {
            let (head, tail) = rest.split_at(piece.len);
            match rules::refusal(bar, piece) {
                None => self.write_by_author(piece.offset, head)?,
                Some(_) => self.write(piece.offset, head)?,
            }
            rest = tail;
        }
        Ok(())
    }

    fn read_by_author(&mut self, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        let done = self.by_author(offset, Access::Read(&mut *data));
        if done == Err(Errno::ENOSYS) {
            return self.read(offset, data);
        }
        self.note_raw(offset, false, data);
        done
    }

    fn write_by_author(&mut self, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let done = self.by_author(offset, Access::Write(data));
        if done == Err(Errno::ENOSYS) {
            return self.write(offset, data);
        }
        self.note_raw(offset, true, data);
        done
    }

    /// Counts an access that the author has served.
    fn note_raw(&self, offset: u64, is_write: bool, data: &[u8]) {
        if let Some(observer) = self.observer() {
            observer.elsewhere(Elsewhere::Raw, (self.bar_index, offset), is_write, data);
        }
    }

    fn by_author(&mut self, offset: u64, access: Access<'_>) -> Result<(), Errno> {
        let region = RegionIndex::ALL[self.bar_index];
        self.device.access(self.cx, region, offset, access)
    }
}
