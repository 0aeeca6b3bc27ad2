//! Lookup of the region that contains an address.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::guard::{DmaGuard, DmaSegment};
use super::region::{Region, Span};
use super::rights::Rights;
use super::status::{Holding, Session};
use super::{DmaError, SHORT};
use crate::protocol::{Errno, MAX_DMA_MAPS, PAGE_SIZE};

/// The maximum number of regions in a chunk.
const CHUNK: usize = 128;

/// Disjoint regions, in the order of their addresses.
///
/// A table is immutable: a change makes a new one, which shares all chunks but one with the old
/// one. So readers need no lock, and a change costs about the square root of the number of regions.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    /// The first address of each chunk, to search without touching the chunks.
    firsts: Vec<u64>,
    chunks: Vec<Arc<Chunk>>,
    len: usize,
    /// The session whose handles may use it.
    session: Session,
    /// A clone is held by each access in progress, and by each snapshot.
    holding: Holding,
    /// Whether it is empty because the device is stopped.
    is_paused: bool,
}

/// Neighbouring regions; never empty.
#[derive(Clone, Debug, Default)]
struct Chunk {
    firsts: Vec<u64>,
    regions: Vec<Arc<Region>>,
}

/// Where regions were found before, to try these first: devices use few pages at a time, such as
/// rings and buffers. The entries are guesses, and may refer to another table.
#[derive(Debug, Default)]
pub(super) struct Hint([AtomicU64; 32]);

impl Hint {
    /// Returns the guess for a page.
    #[inline]
    fn of(&self, iova: u64) -> &AtomicU64 {
        // Fibonacci hashing: neighbours do not collide.
        let hash = (iova / PAGE_SIZE).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        &self.0[(hash >> 59) as usize]
    }
}

impl Clone for Hint {
    fn clone(&self) -> Self {
        Hint(self.0.each_ref().map(|place| AtomicU64::new(place.load(Ordering::Relaxed))))
    }
}

/// The part of an access that lies in one region.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) region: &'a Arc<Region>,
    /// From the start of the region.
    pub(super) offset: u64,
    pub(super) len: usize,
}

impl Table {
    /// Returns the empty table of a stopped device.
    pub(super) fn paused(session: Session) -> Table {
        Table { session, is_paused: true, ..Table::default() }
    }

    /// Returns a table in which every region is replaced by another one of the same addresses.
    pub(super) fn renewed(&self) -> Table {
        let renewed: Vec<_> = self.regions().map(|region| Arc::new(region.renewed())).collect();
        let (session, holding) = (self.session, self.holding.clone());
        let mut table = Table { session, holding, len: renewed.len(), ..Table::default() };
        table.replace(0..0, &renewed);
        table
    }

    /// Returns a table of the same regions for another session.
    pub(super) fn in_session(&self, session: Session) -> Table {
        Table { session, ..self.clone() }
    }

    /// Returns a table of the same regions for another client: earlier holders no longer count.
    pub(super) fn unheld(&self) -> Table {
        Table { holding: Holding::default(), ..self.clone() }
    }

    #[inline]
    pub(super) fn session(&self) -> Session {
        self.session
    }

    /// Checks whether a region may be added; `false` if it exists already.
    ///
    /// # Errors
    ///
    /// EEXIST if it overlaps another one, ENOSPC if there are too many.
    pub(super) fn check_new(&self, span: &Span) -> Result<bool, Errno> {
        match self.overlapping(span.first, span.last).next() {
            Some(other) if other.span() == span => Ok(false),
            Some(_) => Err(Errno::EEXIST),
            None if self.len >= MAX_DMA_MAPS => Err(Errno::ENOSPC),
            None => Ok(true),
        }
    }

    /// Returns a table with one more region, which was admitted.
    pub(super) fn with(&self, region: Arc<Region>) -> Table {
        let mut table = self.clone();
        let at = self.chunk_of(region.first());
        let mut regions = self.chunks.get(at).map_or_else(Vec::new, |chunk| chunk.regions.clone());
        let place = regions.partition_point(|other| other.first() < region.first());
        regions.insert(place, region);
        table.replace(at..self.chunks.len().min(at + 1), &regions);
        table.len += 1;
        table
    }

    /// Returns the regions inside `[first, last]`.
    ///
    /// # Errors
    ///
    /// EINVAL if a region is only partly inside.
    pub(super) fn inside(&self, first: u64, last: u64) -> Result<Vec<Arc<Region>>, Errno> {
        let whole = |region: &Arc<Region>| first <= region.first() && region.last() <= last;
        let regions = self.overlapping(first, last);
        regions
            .map(|region| whole(region).then(|| Arc::clone(region)).ok_or(Errno::EINVAL))
            .collect()
    }

    /// Returns a table without these regions, which are all regions inside `[first, last]`.
    pub(super) fn without(&self, first: u64, last: u64, removed: &[Arc<Region>]) -> Table {
        let mut table = self.clone();
        let mut range = self.chunk_of(first)..self.firsts.partition_point(|first| *first <= last);
        // Chunks that have become small are joined with a neighbour.
        let small = |range: &Range<usize>| {
            let len: usize =
                self.chunks[range.clone()].iter().map(|chunk| chunk.regions.len()).sum();
            len - removed.len() < CHUNK / 4
        };
        if small(&range) && range.start > 0 {
            range.start -= 1;
        }
        if small(&range) && range.end < self.chunks.len() {
            range.end += 1;
        }
        let regions = self.chunks[range.clone()].iter().flat_map(|chunk| &chunk.regions);
        let stays = |region: &&Arc<Region>| region.first() < first || region.first() > last;
        let kept: Vec<_> = regions.filter(stays).cloned().collect();
        table.replace(range, &kept);
        table.len -= removed.len();
        table
    }

    /// Replaces chunks by others, with these regions.
    fn replace(&mut self, range: Range<usize>, regions: &[Arc<Region>]) {
        let size = regions.len().div_ceil(regions.len().div_ceil(CHUNK).max(1)).max(1);
        let chunks = regions.chunks(size);
        self.firsts.splice(range.clone(), chunks.clone().map(|regions| regions[0].first()));
        self.chunks.splice(range, chunks.map(|regions| Arc::new(Chunk::new(regions))));
    }

    /// Returns the region of a short access to mapped memory that lies in one region, which most
    /// accesses are.
    #[inline]
    pub(super) fn short(&self, iova: u64, len: usize, hint: &Hint) -> Option<(&Arc<Region>, u64)> {
        let rest = len.checked_sub(1).filter(|rest| *rest < SHORT)? as u64;
        let region = self.find(iova, hint)?;
        let inside = rest <= region.last() - iova;
        (inside && region.is_mapped()).then(|| (region, iova - region.first()))
    }

    /// Holds the memory of an access, if all of it is allowed.
    ///
    /// # Errors
    ///
    /// Every [`DmaError`] except those that only the access itself detects.
    pub(super) fn hold(&self, iova: u64, len: usize, wanted: Rights) -> Result<DmaGuard, DmaError> {
        let pieces = self.pieces(iova, len)?.map(|piece| {
            let Piece { region, offset, len } = piece?;
            region.check(offset, wanted)?;
            Ok(DmaSegment::new(region, self.held(), wanted, offset, len as u64))
        });
        pieces.collect::<Result<_, _>>().map(DmaGuard::new)
    }

    /// Returns the regions of an access, in order.
    ///
    /// # Errors
    ///
    /// [`DmaError::Wraps`]; and [`DmaError::Unmapped`] where memory is missing.
    pub(super) fn pieces(
        &self,
        iova: u64,
        len: usize,
    ) -> Result<impl Iterator<Item = Result<Piece<'_>, DmaError>>, DmaError> {
        let wraps = DmaError::Wraps { iova, len };
        let last = iova.checked_add(len.saturating_sub(1) as u64).ok_or(wraps)?;
        let mut regions = self.overlapping(iova, last);
        let (mut at, mut rest) = (iova, len);
        Ok(std::iter::from_fn(move || {
            if rest == 0 {
                return None;
            }
            let Some(region) = regions.next().filter(|region| region.first() <= at) else {
                rest = 0;
                return Some(Err(self.missing(at)));
            };
            let after = usize::try_from(region.last() - at).unwrap_or(usize::MAX);
            let len = rest.min(after.saturating_add(1));
            let piece = Piece { region, offset: at - region.first(), len };
            rest -= len;
            at = at.wrapping_add(len as u64);
            Some(Ok(piece))
        }))
    }

    #[inline]
    pub(super) fn holding(&self) -> &Holding {
        &self.holding
    }

    /// Returns what a segment keeps of the table.
    pub(super) fn held(&self) -> (Session, &Holding) {
        (self.session, &self.holding)
    }

    /// Returns whether it is empty because the device is stopped.
    #[inline]
    pub(super) fn is_paused(&self) -> bool {
        self.is_paused
    }

    fn missing(&self, iova: u64) -> DmaError {
        if self.is_paused { DmaError::Stopped { iova } } else { DmaError::Unmapped { iova } }
    }

    #[inline]
    pub(super) fn find(&self, iova: u64, hint: &Hint) -> Option<&Arc<Region>> {
        let hint = hint.of(iova);
        if let Some(region) = self.at(hint.load(Ordering::Relaxed))
            && region.contains(iova)
        {
            return Some(region);
        }
        let (place, region) = self.search(iova)?;
        hint.store(place, Ordering::Relaxed);
        Some(region)
    }

    /// Returns all regions.
    pub(super) fn regions(&self) -> impl Iterator<Item = &Arc<Region>> {
        self.chunks.iter().flat_map(|chunk| &chunk.regions)
    }

    /// Returns the region at a place: the chunk in its upper half and the index in its lower half.
    #[inline]
    fn at(&self, place: u64) -> Option<&Arc<Region>> {
        self.chunks.get((place >> 32) as usize)?.regions.get((place & 0xffff_ffff) as usize)
    }

    #[inline]
    fn search(&self, iova: u64) -> Option<(u64, &Arc<Region>)> {
        let at = self.firsts.partition_point(|first| *first <= iova).checked_sub(1)?;
        let chunk = &self.chunks[at];
        let index = chunk.firsts.partition_point(|first| *first <= iova).checked_sub(1)?;
        let region = &chunk.regions[index];
        region.contains(iova).then_some(((at as u64) << 32 | index as u64, region))
    }

    /// Returns the chunk that an address belongs to.
    fn chunk_of(&self, iova: u64) -> usize {
        self.firsts.partition_point(|first| *first <= iova).saturating_sub(1)
    }

    /// Returns the regions that share an address with `[first, last]`, in order.
    pub(super) fn overlapping(&self, first: u64, last: u64) -> impl Iterator<Item = &Arc<Region>> {
        let at = self.chunk_of(first);
        let head = self.chunks.get(at).map_or(&[][..], |chunk| {
            let index = chunk.firsts.partition_point(|other| *other <= first).saturating_sub(1);
            &chunk.regions[index..]
        });
        let tail = self.chunks.iter().skip(at + 1).flat_map(|chunk| &chunk.regions);
        head.iter()
            .chain(tail)
            .skip_while(move |region| region.last() < first)
            .take_while(move |region| region.first() <= last)
    }
}

impl Chunk {
    fn new(regions: &[Arc<Region>]) -> Self {
        let firsts = regions.iter().map(|region| region.first()).collect();
        Chunk { firsts, regions: regions.to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dma::file::Files;
    use crate::dma::region::NewRegion;
    use proptest::prelude::*;

    /// Changed as `Dma` does it.
    #[derive(Default)]
    struct Changing(Table);

    impl Changing {
        fn new(regions: &[(u64, u64)]) -> Self {
            let mut table = Changing::default();
            for &(first, size) in regions {
                table.insert(first, size).unwrap();
            }
            table
        }

        fn insert(&mut self, first: u64, size: u64) -> Result<bool, Errno> {
            let region = NewRegion::messages(first, size, Rights::all())?;
            let new = self.0.check_new(region.span())?;
            if new {
                self.0 = self.0.with(Arc::new(region.open(
                    &mut Files::default(),
                    &Arc::default(),
                    &Arc::default(),
                )?));
            }
            Ok(new)
        }

        fn remove(&mut self, first: u64, last: u64) -> Result<usize, Errno> {
            let removed = self.0.inside(first, last)?;
            self.0 = self.0.without(first, last, &removed);
            Ok(removed.len())
        }

        fn firsts(&self) -> Vec<u64> {
            self.0.regions().map(|region| region.first()).collect()
        }

        fn find(&self, iova: u64) -> Option<u64> {
            self.0.find(iova, &Hint::default()).map(|region| region.first())
        }

        /// Chunks are filled, sorted, and found by their first addresses.
        fn assert_sound(&self) {
            let Table { firsts, chunks, len, .. } = &self.0;
            assert_eq!(chunks.iter().map(|chunk| chunk.regions.len()).sum::<usize>(), *len);
            assert!(self.firsts().is_sorted());
            assert_eq!(firsts.len(), chunks.len());
            for (first, chunk) in firsts.iter().zip(chunks) {
                let firsts: Vec<_> = chunk.regions.iter().map(|region| region.first()).collect();
                assert_eq!(firsts, chunk.firsts);
                assert_eq!(chunk.firsts.first(), Some(first));
                assert!(chunk.firsts.len() <= CHUNK);
            }
        }
    }

    #[test]
    fn overlap_is_refused_and_an_exact_duplicate_accepted() {
        let mut table = Changing::new(&[(0x1000, 0x1000)]);
        assert_eq!(table.insert(0x1000, 0x1000), Ok(false));
        for (first, size) in [(0x1000, 0x800), (0x1fff, 1), (0, 0x1001), (0, 0x8000)] {
            assert_eq!(table.insert(first, size), Err(Errno::EEXIST), "{first:#x}");
        }
        assert_eq!(table.insert(0x2000, 0x1000), Ok(true));
    }

    #[test]
    fn an_unmap_takes_what_it_contains_and_nothing_if_it_cuts() {
        let mut table = Changing::new(&[(0, 0x1000), (0x1000, 0x1000), (0x4000, 0x1000)]);
        assert_eq!(table.remove(0x800, u64::MAX), Err(Errno::EINVAL));
        assert_eq!(table.firsts(), [0, 0x1000, 0x4000]);
        assert_eq!(table.remove(0x1000, u64::MAX), Ok(2));
        assert_eq!(table.remove(0xfee0_0000, u64::MAX), Ok(0));
        assert_eq!(table.firsts(), [0]);
    }

    #[test]
    fn a_region_may_end_at_the_end_of_the_address_space() {
        let mut table = Changing::new(&[(u64::MAX - 0xfff, 0x1000)]);
        assert_eq!(table.find(u64::MAX), Some(u64::MAX - 0xfff));
        let beyond = table.0.hold(u64::MAX, 2, Rights::READ);
        assert!(matches!(beyond, Err(DmaError::Wraps { .. })));
        assert_eq!(table.remove(0, u64::MAX), Ok(1));
        assert!(table.insert(u64::MAX - 0xfff, 0x1001).is_err());
        assert!(table.insert(0x1000, 0).is_err());
    }

    #[test]
    fn a_hint_of_another_table_is_no_harm() {
        let hint = Hint::default();
        let many: Vec<_> = (0..1000).map(|n| (n * 16, 16)).collect();
        let table = Changing::new(&many);
        assert_eq!(table.0.find(15999, &hint).map(|region| region.first()), Some(15984));
        assert_eq!(table.0.find(15985, &hint).map(|region| region.first()), Some(15984));
        let small = Changing::new(&[(0, 16), (32, 16)]);
        assert_eq!(small.0.find(40, &hint).map(|region| region.first()), Some(32));
        assert!(small.0.find(20, &hint).is_none());
        assert!(Changing::default().0.find(0, &hint).is_none());
    }

    /// In any order, with everything in between taken away and put back.
    #[test]
    fn many_regions_come_and_go() {
        let mut table = Changing::default();
        let scattered = |n: u64| n.wrapping_mul(0x9e37_79b9) % 10_007 * 16;
        for n in 0..10_007 {
            assert_eq!(table.insert(scattered(n), 16), Ok(true));
        }
        table.assert_sound();
        assert_eq!(table.remove(16 * 16, 10_000 * 16 - 1), Ok(9984));
        table.assert_sound();
        assert_eq!(table.0.chunks.len(), 1, "few regions, few chunks");
        for n in 0..10_007 {
            assert_eq!(table.insert(n * 16, 16), Ok((16..10_000).contains(&n)));
        }
        for n in (0..10_007).filter(|n| n % 128 != 5) {
            assert_eq!(table.remove(n * 16, n * 16 + 15), Ok(1));
        }
        table.assert_sound();
        assert_eq!(table.firsts().len(), 79);
        assert!(table.0.chunks.len() <= 6, "{} chunks", table.0.chunks.len());
    }

    proptest! {
        /// A naive model: one entry an address of a small space.
        #[test]
        fn the_table_agrees_with_an_array_of_addresses(
            steps in proptest::collection::vec((any::<bool>(), 0u64..64, 1u64..16), 0..64),
        ) {
            let mut table = Changing::default();
            let mut model = [None::<u64>; 96];
            for (insert, first, size) in steps {
                let range = usize::try_from(first).unwrap()..usize::try_from(first + size).unwrap();
                if insert {
                    let free = model[range.clone()].iter().all(Option::is_none);
                    let done = table.insert(first, size).is_ok();
                    let twice = model[range.clone()].iter().all(|owner| *owner == Some(first))
                        && model.iter().filter(|owner| **owner == Some(first)).count() == range.len();
                    prop_assert_eq!(done, free || twice);
                    if free {
                        model[range].fill(Some(first));
                    }
                } else {
                    let cut = model[range.clone()].iter().flatten().any(|owner| {
                        model.iter().enumerate().any(|(at, other)| {
                            *other == Some(*owner) && !range.contains(&at)
                        })
                    });
                    prop_assert_eq!(table.remove(first, first + size - 1).is_err(), cut);
                    if !cut {
                        model[range].fill(None);
                    }
                }
                table.assert_sound();
                for (address, owner) in model.iter().enumerate() {
                    prop_assert_eq!(table.find(address as u64), *owner);
                }
            }
        }

        /// As above, with so many regions that there are several chunks.
        #[test]
        fn large_tables_agree_with_a_map(
            steps in proptest::collection::vec((0u8..8, 0u64..2000, 1u64..40), 0..40),
        ) {
            let mut table = Changing::default();
            let mut model = std::collections::BTreeSet::new();
            for (kind, first, count) in steps {
                if kind < 6 {
                    for n in (first..first + count * 8).step_by(1 + usize::from(kind)) {
                        prop_assert_eq!(table.insert(n * 16, 16), Ok(model.insert(n)));
                    }
                } else {
                    let count = count * 16;
                    let before = model.len();
                    model.retain(|n| !(first..first + count).contains(n));
                    let removed = before - model.len();
                    prop_assert_eq!(table.remove(first * 16, (first + count) * 16 - 1), Ok(removed));
                }
                table.assert_sound();
            }
            let expected: Vec<_> = model.iter().map(|n| n * 16).collect();
            prop_assert_eq!(table.firsts(), expected);
        }

        /// An access is split where regions meet, and is held whole or not at all.
        #[test]
        fn an_access_is_held_piece_by_piece(start in 0u64..64, len in 1usize..64) {
            let table = Changing::new(&[(8, 8), (16, 16), (32, 1), (40, 8)]);
            // Of each address that is mapped, where its region ends.
            let end = |at: u64| match at {
                8..16 => Some(16), 16..32 => Some(32), 32 => Some(33), 40..48 => Some(48), _ => None,
            };
            let mut expected = Ok(Vec::new());
            let (mut at, last) = (start, start + len as u64);
            while at < last {
                let (Some(end), Ok(pieces)) = (end(at), &mut expected) else {
                    expected = Err(at);
                    break;
                };
                pieces.push((at, end.min(last) - at));
                at = end.min(last);
            }
            let pieces = table.0.pieces(start, len).unwrap().map(|piece| match piece {
                Ok(piece) => Ok((piece.region.first() + piece.offset, piece.len as u64)),
                Err(DmaError::Unmapped { iova }) => Err(iova),
                Err(error) => panic!("{error}"),
            });
            prop_assert_eq!(pieces.collect::<Result<Vec<_>, _>>(), expected);
        }
    }
}
