//! Guests that read one register again and again, and wait for a value that never comes.
//!
//! Comparing each read with the last one would slow down all of them. So the first reads are only
//! counted, the next two are compared, and only while these are equal, the following ones are, too.

use super::place_name::AccessedPlace;
use super::{PciDevice, PciFunction};
use crate::bus::AccessKind;
use crate::protocol::RegionIndex;

/// The number of reads that are not compared.
const UNCOMPARED: u32 = 1 << 14;
/// The number of equal reads that is logged.
const MANY: u64 = 1 << 16;
/// The most places that are logged.
const MOST: usize = 64;

/// Reads of the same value from the same place.
#[derive(Debug)]
pub(super) struct Spin {
    /// The number of reads until they are compared.
    left: u32,
    /// The read that the next ones are compared with.
    last: Option<Read>,
    /// The number of equal reads.
    count: u64,
    /// Whether there was an access of another kind since the last comparison.
    is_interrupted: bool,
    /// The places that have been logged: each is logged once.
    logged: Vec<(usize, u64)>,
}

/// A read of a BAR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Read {
    bar: usize,
    offset: u64,
    len: usize,
    value: u64,
}

impl Default for Spin {
    fn default() -> Self {
        Spin { left: UNCOMPARED, last: None, count: 0, is_interrupted: false, logged: Vec::new() }
    }
}

impl Spin {
    /// Counts a read; returns whether it has to be compared.
    #[inline]
    pub(super) fn is_due(&mut self) -> bool {
        let (left, is_due) = self.left.overflowing_sub(1);
        self.left = left;
        is_due
    }

    /// Notes an access that is no read of a BAR.
    #[inline]
    pub(super) fn interrupt(&mut self) {
        self.is_interrupted = true;
    }

    /// Compares a read with the last one. Returns the number of equal reads when they are many.
    fn compare(&mut self, read: Read) -> Option<u64> {
        self.left = 0;
        if std::mem::take(&mut self.is_interrupted) || self.last.is_none() {
            (self.last, self.count) = (Some(read), 1);
            return None;
        }
        self.count += 1;
        if self.last == Some(read) && self.count < MANY {
            return None;
        }
        let is_spinning = self.last == Some(read);
        (self.left, self.last) = (UNCOMPARED, None);
        let place = (read.bar, read.offset);
        if !is_spinning || self.logged.len() >= MOST || self.logged.contains(&place) {
            return None;
        }
        self.logged.push(place);
        Some(self.count)
    }
}

impl<D: PciDevice> PciFunction<D> {
    /// Compares what a read of a BAR has returned with the last read.
    pub(super) fn compare_read(&mut self, bar: usize, offset: u64, data: &[u8]) {
        let mut value = [0; 8];
        let Some(head) = value.get_mut(..data.len()) else { return self.spin.interrupt() };
        head.copy_from_slice(data);
        let read = Read { bar, offset, len: data.len(), value: u64::from_le_bytes(value) };
        if let Some(count) = self.spin.compare(read) {
            let value = read.value;
            let region = RegionIndex::ALL[bar];
            let access = AccessKind { is_write: false, size: data.len() };
            let place = AccessedPlace { function: self, region, offset, access };
            tracing::warn!("the guest polls {place}: {value:#x}, {count} reads without a change");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: Read = Read { bar: 0, offset: 0x20, len: 4, value: 0x80 };

    /// Reads as a guest does; returns what is logged.
    fn read(spin: &mut Spin, read: Read) -> Option<u64> {
        if spin.is_due() { spin.compare(read) } else { None }
    }

    fn spin_for(spin: &mut Spin, reads: u64) -> Vec<u64> {
        (0..reads).filter_map(|_| read(spin, STATUS)).collect()
    }

    const ALL: u64 = UNCOMPARED as u64 + MANY;
    const NONE: [u64; 0] = [];

    #[test]
    fn equal_reads_are_logged_once() {
        let mut spin = Spin::default();
        assert_eq!(spin_for(&mut spin, ALL - 1), NONE);
        assert_eq!(spin_for(&mut spin, 1), [MANY]);
        assert_eq!(spin_for(&mut spin, 3 * ALL), NONE);
    }

    #[test]
    fn another_value_or_access_starts_again() {
        let mut spin = Spin::default();
        spin_for(&mut spin, ALL - 1);
        assert_eq!(read(&mut spin, Read { value: 0, ..STATUS }), None);
        assert_eq!(spin_for(&mut spin, ALL - 1), NONE);
        spin.interrupt();
        assert_eq!(spin_for(&mut spin, MANY - 1), NONE);
        assert_eq!(spin_for(&mut spin, 1), [MANY]);
    }

    #[test]
    fn a_guest_cannot_fill_the_log() {
        let mut spin = Spin::default();
        let mut logged = 0;
        for offset in 0..2 * MOST as u64 {
            let place = Read { offset, ..STATUS };
            logged += (0..ALL).filter_map(|_| read(&mut spin, place)).count();
        }
        assert_eq!(logged, MOST);
    }
}
