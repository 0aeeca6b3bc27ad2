//! Accesses of guests to what has no model: the work that is left, for someone who writes a model
//! of existing hardware.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{Descriptor, UnmodelledRange};

/// The most places that are counted one by one. A guest chooses what it accesses.
const MOST: usize = 4096;

/// The accesses of a guest to places without a model: those that are declared as
/// `#[unmodelled(..)]`, and those of a BAR where nothing is declared.
///
/// [`PciFunction::burndown`](crate::function::PciFunction::burndown) returns it. It counts from the
/// construction of the device on, over resets and clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Burndown {
    /// The places, those with the most accesses first.
    pub places: Vec<TouchedPlace>,
    /// The number of accesses to further places. At most 4096 places are counted one by one.
    pub others: u64,
}

/// A place without a model that a guest has accessed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TouchedPlace {
    /// The index of the BAR.
    pub bar: u8,
    /// The offset of the access in the BAR.
    pub offset: u64,
    /// The name, if the place has one, and the offset in what is named.
    pub name: Option<(&'static str, u64)>,
    /// The number of reads.
    pub reads: u64,
    /// The number of writes.
    pub writes: u64,
    /// The first value that was written, and the last one; of a write of more than 8 bytes, the
    /// first 8 bytes.
    pub written: Option<(u64, u64)>,
}

/// Reads the burndown of a running device, from any thread.
///
/// [`PciFunction::burndown_handle`](crate::function::PciFunction::burndown_handle) returns it. It
/// waits for no hook, so it also shows what a guest did before a hook that does not return.
#[derive(Clone, Debug)]
pub struct BurndownHandle {
    counts: Arc<Mutex<Counts>>,
    declared: &'static [UnmodelledRange],
}

/// The accesses so far.
#[derive(Debug)]
pub(crate) struct Touches {
    handle: BurndownHandle,
    /// Whether each declared place has been accessed.
    met: Box<[bool]>,
}

#[derive(Debug, Default)]
struct Counts {
    /// By BAR and offset.
    places: BTreeMap<(u8, u64), Touch>,
    others: u64,
}

/// The accesses to one place.
#[derive(Clone, Debug, Default)]
struct Touch {
    /// The index of the declared place.
    declared: Option<usize>,
    reads: u64,
    writes: u64,
    written: Option<(u64, u64)>,
}

impl Touches {
    pub(crate) fn new(descriptor: &Descriptor) -> Self {
        let declared = descriptor.unmodelled();
        let handle = BurndownHandle { counts: Arc::default(), declared };
        Touches { handle, met: vec![false; declared.len()].into() }
    }

    pub(crate) fn handle(&self) -> &BurndownHandle {
        &self.handle
    }

    /// Returns whether a declared place has been accessed.
    pub(super) fn has_met(&self, place: usize) -> bool {
        self.met[place]
    }

    /// Counts an access to a declared place: a write of some bytes, or a read.
    pub(super) fn note_place(&mut self, place: usize, at: (usize, u64), written: Option<&[u8]>) {
        self.met[place] = true;
        self.handle.counts().note(Some(place), at, written);
    }

    /// Counts an access to a place where nothing is declared.
    pub(super) fn note_unmapped(&mut self, at: (usize, u64), written: Option<&[u8]>) {
        self.handle.counts().note(None, at, written);
    }
}

impl BurndownHandle {
    /// Returns what the guest has accessed so far.
    pub fn read(&self) -> Burndown {
        let counts = self.counts();
        let places = counts.places.iter().map(|(at, touch)| touch.at(*at, self.declared));
        let mut places: Vec<_> = places.collect();
        places.sort_by_key(|place| Reverse(place.reads.saturating_add(place.writes)));
        Burndown { places, others: counts.others }
    }

    /// Returns at most `most` places from one on, in the order of their addresses.
    pub(crate) fn part(&self, from: u64, most: usize) -> Vec<TouchedPlace> {
        let counts = self.counts();
        let skipped = usize::try_from(from).unwrap_or(usize::MAX);
        let places = counts.places.iter().skip(skipped).take(most);
        places.map(|(at, touch)| touch.at(*at, self.declared)).collect()
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn note(
        &mut self,
        declared: Option<usize>,
        (bar, offset): (usize, u64),
        written: Option<&[u8]>,
    ) {
        let at = (u8::try_from(bar).unwrap_or(u8::MAX), offset);
        if self.places.len() >= MOST && !self.places.contains_key(&at) {
            self.others = self.others.saturating_add(1);
            return;
        }
        let touch = self.places.entry(at).or_default();
        touch.declared = declared.or(touch.declared);
        touch.note(written);
    }
}

impl Touch {
    fn at(&self, (bar, offset): (u8, u64), declared: &[UnmodelledRange]) -> TouchedPlace {
        let Touch { reads, writes, written, .. } = *self;
        let declared = self.declared.map(|index| &declared[index]);
        let name = declared.map(|place| (place.name(), offset - place.start()));
        TouchedPlace { bar, offset, name, reads, writes, written }
    }

    fn note(&mut self, written: Option<&[u8]>) {
        let Some(data) = written else {
            self.reads = self.reads.saturating_add(1);
            return;
        };
        self.writes = self.writes.saturating_add(1);
        let mut value = [0; 8];
        for (to, from) in value.iter_mut().zip(data) {
            *to = *from;
        }
        let value = u64::from_le_bytes(value);
        let first = self.written.map_or(value, |(first, _)| first);
        self.written = Some((first, value));
    }
}

impl Burndown {
    /// Returns whether the guest has accessed nothing without a model.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

/// `BAR 0 at 0x44 (PHYCTL): 3 reads, 2 writes, first 0x1, last 0x80`, a line for each place.
impl fmt::Display for Burndown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, place) in self.places.iter().enumerate() {
            let before = if index == 0 { "" } else { "\n" };
            write!(f, "{before}{place}")?;
        }
        match self.others {
            0 => Ok(()),
            others => write!(f, "\nother places: {}", counted(others, "access", "accesses")),
        }
    }
}

impl fmt::Display for TouchedPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BAR {} at {:#x}", self.bar, self.offset)?;
        match self.name {
            Some((name, 0)) => write!(f, " ({name})")?,
            Some((name, within)) => write!(f, " ({name} + {within:#x})")?,
            None => {}
        }
        let reads = (self.reads > 0).then(|| counted(self.reads, "read", "reads"));
        let writes = (self.writes > 0).then(|| counted(self.writes, "write", "writes"));
        let counts: Vec<_> = [reads, writes].into_iter().flatten().collect();
        write!(f, ": {}", counts.join(", "))?;
        match self.written {
            Some((first, last)) if first == last => write!(f, ", of {first:#x}"),
            Some((first, last)) => write!(f, ", first {first:#x}, last {last:#x}"),
            None => Ok(()),
        }
    }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    let noun = if count == 1 { one } else { many };
    format!("{count} {noun}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Ids, UnmodelledRange};

    const DESCRIPTOR: Descriptor = Descriptor::new(
        "test",
        Ids { vendor: 1, device: 1, class: 0, revision: 0, subsystem_vendor: 0, subsystem: 0 },
    )
    .with_unmodelled(&[UnmodelledRange::new("DEBUG", 0x100, 0x200)]);

    #[test]
    fn places_are_listed_by_their_accesses() {
        let mut touches = Touches::new(&DESCRIPTOR);
        touches.note_unmapped((2, 0x8), None);
        touches.note_place(0, (0, 0x100), Some(&[1]));
        touches.note_place(0, (0, 0x100), Some(&[0x34, 0x12]));
        touches.note_place(0, (0, 0x110), Some(&[0xff; 16]));
        for _ in 0..3 {
            touches.note_place(0, (0, 0x110), None);
        }
        let burndown = touches.handle().read();
        assert_eq!(
            burndown.to_string(),
            "BAR 0 at 0x110 (DEBUG + 0x10): 3 reads, 1 write, of 0xffffffffffffffff\n\
             BAR 0 at 0x100 (DEBUG): 2 writes, first 0x1, last 0x1234\n\
             BAR 2 at 0x8: 1 read"
        );
        assert!(!burndown.is_empty() && Burndown::default().is_empty());
    }

    #[test]
    fn a_guest_cannot_make_the_list_long() {
        let mut touches = Touches::new(&DESCRIPTOR);
        for offset in 0..2 * MOST as u64 {
            touches.note_unmapped((0, offset), None);
        }
        touches.note_unmapped((0, 0), None);
        let burndown = touches.handle().read();
        assert_eq!((burndown.places.len(), burndown.others), (MOST, MOST as u64));
        assert_eq!(burndown.places[0].reads, 2);
        assert!(burndown.to_string().ends_with("\nother places: 4096 accesses"));
    }
}
