//! Long accesses to registers, one part per turn, so that events and other sessions run in between.
//!
//! Later messages of the same client wait until the access is answered.

use super::reset_as_wanted;
use crate::function::Function;
use crate::protocol::{Errno, RegionAccess, RegionIndex};
use crate::server::pending_request::Blocked;
use crate::transport::Reply;

/// The number of bytes of a part: a page, about a thousand registers.
const PART: usize = 4096;
/// The largest access of a processor, in bytes.
const WORD: usize = 8;

/// Returns whether an access is to be divided.
pub(super) fn divides(
    function: &mut dyn Function,
    region: RegionIndex,
    is_write: bool,
    access: &RegionAccess,
    len: usize,
) -> Result<bool, Errno> {
    let start = access.offset.get();
    Ok(len > PART && function.divides(region, is_write, start..start + len as u64)?)
}

/// Returns the length of the part at an offset, of the bytes that are left. Parts end at multiples
/// of their size, where no access of a processor crosses. None is as short as such an access: it
/// would be taken for one.
fn part(offset: u64, left: usize) -> usize {
    let to_boundary = PART - usize::try_from(offset % PART as u64).unwrap_or(0);
    let len = if to_boundary <= WORD { to_boundary + PART } else { to_boundary };
    if left <= len + WORD { left } else { len }
}

/// A read, and what has been read so far.
pub(super) struct LongRead {
    pub(super) access: RegionAccess,
    pub(super) region: RegionIndex,
    pub(super) data: Vec<u8>,
    /// The number of bytes that the region has.
    pub(super) inside: usize,
    pub(super) done: usize,
}

impl LongRead {
    /// Reads a part, and continues at the next turn or answers.
    pub(super) fn proceed(
        mut self,
        function: &mut dyn Function,
        blocked: &mut Option<Blocked>,
        reply: &mut Reply<'_>,
    ) -> Result<(), Errno> {
        let offset = self.access.offset.get() + self.done as u64;
        let len = part(offset, self.inside - self.done);
        function.read(self.region, offset, &mut self.data[self.done..self.done + len])?;
        self.done += len;
        if self.done < self.inside {
            *blocked = Some(Blocked::for_turn(Box::new(|function, blocked, reply, _| {
                self.proceed(function, blocked, reply)
            })));
            return Ok(());
        }
        reply.push(&self.access);
        reply.space(self.data.len()).copy_from_slice(&self.data);
        Ok(())
    }
}

/// A write, and how much of it is done.
pub(super) struct LongWrite {
    pub(super) access: RegionAccess,
    pub(super) region: RegionIndex,
    pub(super) data: Vec<u8>,
    pub(super) done: usize,
}

impl LongWrite {
    /// Writes a part, and continues at the next turn or answers.
    pub(super) fn proceed(
        mut self,
        function: &mut dyn Function,
        blocked: &mut Option<Blocked>,
        reply: &mut Reply<'_>,
    ) -> Result<(), Errno> {
        let offset = self.access.offset.get() + self.done as u64;
        let len = part(offset, self.data.len() - self.done);
        function.write(self.region, offset, &self.data[self.done..self.done + len])?;
        reset_as_wanted(function);
        self.done += len;
        if self.done < self.data.len() {
            *blocked = Some(Blocked::for_turn(Box::new(|function, blocked, reply, _| {
                self.proceed(function, blocked, reply)
            })));
            return Ok(());
        }
        reply.push(&self.access);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_are_neither_short_nor_long_and_end_at_boundaries(
            offset in 0_u64..0x1_0000,
            len in PART + 1..0x1_0000,
        ) {
            let (mut at, mut left) = (offset, len);
            while left > 0 {
                let len = part(at, left);
                prop_assert!(WORD < len && len <= PART + 2 * WORD && len <= left);
                (at, left) = (at + len as u64, left - len);
                prop_assert!(left == 0 || at.is_multiple_of(PART as u64));
            }
            prop_assert_eq!(at, offset + len as u64);
        }
    }
}
