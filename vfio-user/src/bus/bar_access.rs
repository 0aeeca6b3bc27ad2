//! Accesses to a BAR, split where its areas begin and end: memory is copied as bytes, all else is
//! left to registers.

use std::ops::Range;

use super::areas::{Area, Contents};
use super::rules::Piece;
use super::{Bus, Refusal, trace};
use crate::device::PciDevice;
use crate::monitor::Elsewhere;
use crate::protocol::Errno;
use crate::shared::{Shared, SharedError};

impl<D: PciDevice> Bus<'_, '_, D> {
    /// # Errors
    ///
    /// `EINVAL` if the BAR refuses the access, and nothing has been read then; `EIO` if shared
    /// memory cannot be accessed; the author's error.
    pub(crate) fn read_bar(&mut self, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        let map = self.map;
        if map.areas().is_empty() {
            return self.read_outside_areas(offset, data);
        }
        let range = offset..offset + data.len() as u64;
        if map.areas().part(offset, &range).0 != range {
            self.check_accepted_parts(false, &range)?;
        }
        let (mut at, mut rest) = (offset, data);
        while at < range.end {
            let (part, area) = map.areas().part(at, &range);
            let (head, tail) = rest.split_at_mut(length(&part));
            match area {
                Some(area) => self.read_area(area, at, head)?,
                None => self.read_outside_areas(at, head)?,
            }
            (at, rest) = (part.end, tail);
        }
        Ok(())
    }

    /// # Errors
    ///
    /// Same as [`read_bar`](Self::read_bar).
    pub(crate) fn write_bar(&mut self, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let map = self.map;
        if map.areas().is_empty() {
            return self.write_outside_areas(offset, data);
        }
        let range = offset..offset + data.len() as u64;
        if map.areas().part(offset, &range).0 != range {
            self.check_accepted_parts(true, &range)?;
        }
        let (mut at, mut rest) = (offset, data);
        while at < range.end {
            let (part, area) = map.areas().part(at, &range);
            let (head, tail) = rest.split_at(length(&part));
            match area {
                Some(area) => self.write_area(area, at, head)?,
                None => self.write_outside_areas(at, head)?,
            }
            (at, rest) = (part.end, tail);
        }
        Ok(())
    }

    /// Refuses an access as a whole, before any part of it is performed.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the BAR refuses a part of it.
    pub(crate) fn check_accepted_parts(
        &mut self,
        is_write: bool,
        range: &Range<u64>,
    ) -> Result<(), Errno> {
        let (map, mut at) = (self.map, range.start);
        while at < range.end {
            let (part, area) = map.areas().part(at, range);
            if area.is_none() {
                self.check_accepted(is_write, part.start, length(&part))?;
            }
            at = part.end;
        }
        Ok(())
    }

    fn read_area(&mut self, area: &Area, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        self.read_area_now(area, offset, data)?;
        self.note_area(area, offset, false, data);
        Ok(())
    }

    fn read_area_now(&mut self, area: &Area, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        match area.contents {
            Contents::Shared => self.shared().read(offset, data).map_err(lost),
            Contents::Memory(index) => {
                self.read_memory(index, offset - area.range.start, data);
                Ok(())
            }
            Contents::Unmodelled(index) => {
                self.read_unmodelled(index, offset - area.range.start, data);
                Ok(())
            }
            Contents::Raw => self.read_unregistered(offset, data),
        }
    }

    fn write_area(&mut self, area: &Area, offset: u64, data: &[u8]) -> Result<(), Errno> {
        self.note_area(area, offset, true, data);
        match area.contents {
            Contents::Shared => self.shared().write(offset, data).map_err(lost),
            Contents::Memory(index) => {
                self.write_memory(index, offset - area.range.start, data);
                Ok(())
            }
            Contents::Unmodelled(index) => {
                self.write_unmodelled(index, offset - area.range.start, data);
                Ok(())
            }
            Contents::Raw => self.write_unregistered(offset, data),
        }
    }

    /// Counts an access to an area, except to what the author serves.
    fn note_area(&self, area: &Area, offset: u64, is_write: bool, data: &[u8]) {
        let Some(observer) = self.observer() else { return };
        let what = match area.contents {
            Contents::Shared => Elsewhere::Shared,
            Contents::Memory(_) => Elsewhere::Memory,
            Contents::Unmodelled(_) => Elsewhere::Unmodelled,
            Contents::Raw => return,
        };
        observer.elsewhere(what, (self.bar_index, offset), is_write, data);
    }

    fn shared(&self) -> &Shared {
        self.cx.shared(u8::try_from(self.bar_index).unwrap_or(u8::MAX))
    }

    /// Copies bytes of a memory, `start` bytes from its first one.
    fn read_memory(&mut self, index: usize, start: u64, data: &mut [u8]) {
        let Some(range) = bytes(start, data.len(), self.device.memory(index).len()) else {
            data.fill(0);
            return self.log_memory(false, index, start, data.len());
        };
        data.copy_from_slice(&self.device.memory(index)[range.clone()]);
        if trace::is_on() {
            trace::memory(self.descriptor, index, &range, "read");
        }
    }

    fn write_memory(&mut self, index: usize, start: u64, data: &[u8]) {
        let memory = self.device.memory_mut(index);
        let Some(range) = bytes(start, data.len(), memory.len()) else {
            return self.log_memory(true, index, start, data.len());
        };
        memory[range.clone()].copy_from_slice(data);
        if self.descriptor.memories()[index].has_hook() {
            let entered = self.cx.enter_memory_hook(index);
            self.device.memory_written(self.cx, index, range.clone());
            drop(entered);
            self.follow_resets();
        }
        if trace::is_on() {
            trace::memory(self.descriptor, index, &range, "written");
        }
    }

    /// Logs an access to bytes of a memory that its device no longer has.
    fn log_memory(&mut self, is_write: bool, index: usize, start: u64, len: usize) {
        let offset = self.descriptor.memories()[index].start() + start;
        self.log_refusal(Refusal::MemoryLength, is_write, Piece { offset, len });
    }
}

/// Returns the range of `len` bytes from `start` on, if a memory of `size` bytes has all of them.
fn bytes(start: u64, len: usize, size: usize) -> Option<Range<usize>> {
    let start = usize::try_from(start).ok()?;
    let end = start.checked_add(len).filter(|end| *end <= size)?;
    Some(start..end)
}

/// The length of a part of an access.
fn length(part: &Range<u64>) -> usize {
    usize::try_from(part.end - part.start).unwrap_or(usize::MAX)
}

fn lost(error: SharedError) -> Errno {
    tracing::error!(%error, "shared memory cannot be accessed");
    Errno::EIO
}
