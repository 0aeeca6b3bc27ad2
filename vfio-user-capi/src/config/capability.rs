//! Capabilities in raw configuration space: their kinds, how they are placed and found.

use nix::errno::Errno;

use super::memory::Memory;
use super::{Config, EXTENDED_START, HEADER_SIZE};
use crate::abi::capability_flag;
use crate::boundary::Result;

/// The offset of the header's pointer to the first capability.
const FIRST: usize = 0x34;
/// The offset of the next pointer in a capability.
const NEXT: usize = 1;
/// The number of capabilities of each kind.
const MOST: usize = 128;

/// A capability that the program has added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capability {
    pub(super) kind: Kind,
    pub(super) offset: usize,
    pub(super) size: usize,
    /// `VFU_CAP_FLAG_*`.
    pub(super) flags: i32,
}

/// The capabilities whose registers the library knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    PowerManagement,
    Msi,
    Vendor,
    Express,
    MsiX,
    SerialNumber,
    ExtendedVendor,
}

impl Kind {
    fn of(id: u32, is_extended: bool) -> Result<Self> {
        Ok(match (is_extended, id) {
            (false, 0x01) => Kind::PowerManagement,
            (false, 0x05) => Kind::Msi,
            (false, 0x09) => Kind::Vendor,
            (false, 0x10) => Kind::Express,
            (false, 0x11) => Kind::MsiX,
            (true, 0x03) => Kind::SerialNumber,
            (true, 0x0b) => Kind::ExtendedVendor,
            _ => return Err(Errno::ENOTSUP),
        })
    }

    pub(super) fn is_extended(self) -> bool {
        matches!(self, Kind::SerialNumber | Kind::ExtendedVendor)
    }

    /// Returns the size of the part that no client writes.
    pub(super) fn header_size(self) -> usize {
        match self {
            Kind::Vendor => 3,
            Kind::SerialNumber => 4,
            Kind::ExtendedVendor => 8,
            _ => 2,
        }
    }

    /// Returns the number of bytes that encode the size.
    pub(super) fn prefix(is_extended: bool, id: u32) -> usize {
        match (is_extended, id) {
            (true, 0x0b) => 8,
            (true, _) => 4,
            (false, 0x09) => 3,
            (false, _) => 2,
        }
    }

    /// Returns the size of a capability that starts with these bytes.
    fn size(self, start: &[u8]) -> usize {
        match self {
            Kind::PowerManagement => 8,
            Kind::Msi => 24,
            Kind::Express => 60,
            Kind::MsiX | Kind::SerialNumber => 12,
            Kind::Vendor => start[2].into(),
            Kind::ExtendedVendor => usize::from(start[6] >> 4) | usize::from(start[7]) << 4,
        }
    }
}

/// What the first bytes of a capability say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Described {
    kind: Kind,
    pub(crate) size: usize,
}

impl Described {
    /// Reads the first bytes: as many as [`prefix`](Self::prefix) says.
    ///
    /// # Errors
    ///
    /// `ENOTSUP` for a capability that the library does not know, `EINVAL` for one that ends before
    /// its header does.
    pub(crate) fn parse(start: &[u8], is_extended: bool) -> Result<Self> {
        let kind = Kind::of(id_of(start, is_extended), is_extended)?;
        let size = kind.size(start);
        if size < kind.header_size() {
            return Err(Errno::EINVAL);
        }
        Ok(Described { kind, size })
    }

    /// Returns the number of bytes to read, by the id in the first bytes.
    pub(crate) fn prefix(id: &[u8], is_extended: bool) -> usize {
        Kind::prefix(is_extended, id_of(id, is_extended))
    }
}

fn id_of(start: &[u8], is_extended: bool) -> u32 {
    let low = start[0].into();
    if is_extended { low | u32::from(start[1]) << 8 } else { low }
}

impl Config {
    /// Adds a capability at `position`, or after the last one if that is 0; returns its offset.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a wrong place, `ENOSPC` if there is no room.
    pub(crate) fn add(
        &self,
        described: Described,
        position: usize,
        flags: i32,
        data: &[u8],
    ) -> Result<usize> {
        let Described { kind, size } = described;
        let of_kind = |all: &Capability| all.kind.is_extended() == kind.is_extended();
        if self.capabilities.borrow().iter().filter(|all| of_kind(all)).count() >= MOST {
            return Err(Errno::ENOSPC);
        }
        // The bound is libvfio-user's: no capability at the very end.
        if position.saturating_add(size) >= self.size() {
            return Err(Errno::EINVAL);
        }
        let last = self.last(kind.is_extended());
        let offset = match position {
            0 => self.place(kind, last),
            _ => self.check_place(kind, position, size, last)?,
        };
        // A pointer of 8 bits leads to capabilities that are not extended.
        let end = if kind.is_extended() { self.size() } else { EXTENDED_START };
        if offset + size > end || self.at(offset, size).is_some() {
            return Err(Errno::ENOSPC);
        }
        self.memory.write(offset, data);
        self.link(kind, last, offset);
        self.capabilities.borrow_mut().push(Capability { kind, offset, size, flags });
        Ok(offset)
    }

    fn place(&self, kind: Kind, last: Option<usize>) -> usize {
        let Some(last) = last else {
            return if kind.is_extended() { EXTENDED_START } else { HEADER_SIZE };
        };
        let size = self.at(last, 1).map_or(4, |capability| capability.size);
        (last + size).next_multiple_of(4)
    }

    fn check_place(
        &self,
        kind: Kind,
        offset: usize,
        size: usize,
        last: Option<usize>,
    ) -> Result<usize> {
        let start = if kind.is_extended() { EXTENDED_START } else { HEADER_SIZE };
        // Extended capabilities start at a fixed offset, and pointers have no lower bits.
        let is_first = !kind.is_extended() || last.is_some() || offset == start;
        let is_valid = offset >= start && is_first && offset.is_multiple_of(4);
        if is_valid && self.at(offset, size).is_none() { Ok(offset) } else { Err(Errno::EINVAL) }
    }

    /// Returns the offset of the last capability of a list.
    fn last(&self, is_extended: bool) -> Option<usize> {
        let of_kind = |all: &&Capability| all.kind.is_extended() == is_extended;
        self.capabilities.borrow().iter().rfind(of_kind).map(|capability| capability.offset)
    }

    /// Makes a capability the last one of its list.
    fn link(&self, kind: Kind, last: Option<usize>, offset: usize) {
        if kind.is_extended() {
            set_next(&self.memory, offset, 0);
            if let Some(last) = last {
                set_next(&self.memory, last, offset);
            }
        } else {
            let low = u8::try_from(offset).unwrap_or(0);
            self.memory.set(last.map_or(FIRST, |last| last + NEXT), low);
            self.memory.set(offset + NEXT, 0);
        }
    }

    /// Returns a capability that has some of these bytes.
    pub(super) fn at(&self, offset: usize, size: usize) -> Option<Capability> {
        let touches = |all: &&Capability| {
            offset < all.offset + all.size && all.offset < offset.saturating_add(size)
        };
        self.capabilities.borrow().iter().filter(touches).min_by_key(|all| all.offset).copied()
    }

    /// Returns the offset of the next capability with this id, after the one at `from`; from the
    /// start if that is 0.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is none, `EINVAL` for a place outside of configuration space.
    pub(crate) fn find(&self, is_extended: bool, from: usize, id: u32) -> Result<usize> {
        let mut offset = match (is_extended, from) {
            (false, 0) => usize::from(self.memory.get(FIRST)),
            (true, 0) => EXTENDED_START,
            (_, from) => self.next(is_extended, from)?,
        };
        // A list that the program has damaged does not lead in circles for ever.
        for _ in 0..super::memory::SIZE / 4 {
            if offset == 0 {
                break;
            }
            let next = self.next(is_extended, offset)?;
            let header = self.memory.word(offset);
            let found = if is_extended { header & 0xffff } else { header & 0xff };
            if found == id {
                return Ok(offset);
            }
            offset = next;
        }
        Err(Errno::ENOENT)
    }

    fn next(&self, is_extended: bool, offset: usize) -> Result<usize> {
        let header = if is_extended { 4 } else { NEXT };
        if offset.saturating_add(header) >= self.size() {
            return Err(Errno::EINVAL);
        }
        Ok(if is_extended {
            (self.memory.word(offset) >> 20) as usize
        } else {
            self.memory.get(offset + NEXT).into()
        })
    }
}

/// Sets the pointer of an extended capability: the upper twelve bits of its first word.
fn set_next(memory: &Memory, offset: usize, next: usize) {
    let word = memory.word(offset) & 0x000f_ffff | u32::try_from(next).unwrap_or(0) << 20;
    memory.write(offset, &word.to_le_bytes());
}

impl Capability {
    pub(super) fn is_by_callback(&self) -> bool {
        self.flags & capability_flag::CALLBACK != 0
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.flags & capability_flag::READ_ONLY != 0
    }
}
