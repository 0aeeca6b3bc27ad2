//! Accesses to a BAR that mirrors another one: they have to satisfy the rules of both.

use super::rules::{self, Mirror, Piece};
use super::{Bus, Refusal};
use crate::device::PciDevice;
use crate::model::{Bar, Unmapped};
use crate::protocol::Errno;

impl<D: PciDevice> Bus<'_, '_, D> {
    /// Reads from the BAR, or from the one that mirrors it.
    ///
    /// # Errors
    ///
    /// `EINVAL` if one of the BARs refuses the access; those of
    /// [`read_bar`](Self::read_bar).
    pub(crate) fn read_region(&mut self, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        let Some(Mirror { bar, .. }) = self.mirror.filter(|mirror| !mirror.bar.accepts_all())
        else {
            return self.read_bar(offset, data);
        };
        self.check_mirrored(bar, false, offset, data.len())?;
        let mut rest = data;
        for piece in rules::pieces(bar, offset, rest.len()) {
            let (head, tail) = rest.split_at_mut(piece.len);
            match rules::refusal(bar, piece) {
                None => self.read_bar(piece.offset, head)?,
                Some(refusal) => {
                    self.log_refusal(refusal, false, piece);
                    head.fill(self.filler());
                }
            }
            rest = tail;
        }
        Ok(())
    }

    /// Writes to the BAR, or to the one that mirrors it.
    ///
    /// # Errors
    ///
    /// Same as [`read_region`](Self::read_region).
    pub(crate) fn write_region(&mut self, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let Some(Mirror { bar, .. }) = self.mirror.filter(|mirror| !mirror.bar.accepts_all())
        else {
            return self.write_bar(offset, data);
        };
        self.check_mirrored(bar, true, offset, data.len())?;
        let mut rest = data;
        for piece in rules::pieces(bar, offset, data.len()) {
            let (head, tail) = rest.split_at(piece.len);
            match rules::refusal(bar, piece) {
                None => self.write_bar(piece.offset, head)?,
                Some(refusal) => self.log_refusal(refusal, true, piece),
            }
            rest = tail;
        }
        Ok(())
    }

    /// Refuses the access as a whole if the mirror does not accept all of it, and the BAR refuses
    /// such accesses.
    fn check_mirrored(
        &mut self,
        mirror: &Bar,
        is_write: bool,
        offset: u64,
        len: usize,
    ) -> Result<(), Errno> {
        if self.bar.unmapped() != Unmapped::Refuse {
            return Ok(());
        }
        let refused = |piece: Piece| Some((rules::refusal(mirror, piece)?, piece));
        let refused: Option<(Refusal, Piece)> =
            rules::pieces(mirror, offset, len).find_map(refused);
        match refused {
            Some((refusal, piece)) => {
                self.log_refusal(refusal, is_write, piece);
                Err(Errno::EINVAL)
            }
            None => Ok(()),
        }
    }
}
