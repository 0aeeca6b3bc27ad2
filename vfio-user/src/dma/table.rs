//! Lookup of the region that contains an address.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::guard::DmaGuard;
use super::hint::Hint;
use super::leftovers::Leftovers;
use super::region::{Region, Span};
use super::rights::Rights;
use super::segment::DmaSegment;
use super::status::{Holding, Session};
use super::{DmaError, SHORT};
use crate::protocol::Errno;

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

    /// Returns the regions that something may hold besides the table, which has been replaced: no
    /// new access finds it.
    pub(super) fn possibly_held(self: &Arc<Self>) -> Vec<Arc<Region>> {
        let is_read = Arc::strong_count(self) > 1;
        let mut held = Vec::new();
        for chunk in &self.chunks {
            // An access to an earlier table may be in progress.
            let all = is_read || Arc::strong_count(chunk) > 1;
            let is_held = |region: &&Arc<Region>| all || Arc::strong_count(region) > 1;
            held.extend(chunk.regions.iter().filter(is_held).cloned());
        }
        // What the last holder of another region has done is done.
        fence(Ordering::Acquire);
        held
    }

    /// Returns the empty table of the next client.
    pub(super) fn of_session(session: Session) -> Table {
        Table { session, ..Table::default() }
    }

    /// Returns a table in which these regions, which are in the order of their addresses, replace
    /// all others of these addresses.
    pub(super) fn with_held(&self, held: Vec<Arc<Region>>) -> Table {
        let mut rest = held.iter().peekable();
        let stays = |region: &&Arc<Region>| {
            while rest.next_if(|held| held.last() < region.first()).is_some() {}
            rest.peek().is_none_or(|held| region.last() < held.first())
        };
        let mut regions: Vec<_> = self.regions().filter(stays).cloned().collect();
        regions.extend(held);
        regions.sort_by_key(|region| region.first());
        self.of_regions(&regions)
    }

    /// Returns a table of other regions, which are in the order of their addresses.
    fn of_regions(&self, regions: &[Arc<Region>]) -> Table {
        let (session, holding) = (self.session, self.holding.clone());
        let mut table = Table { session, holding, len: regions.len(), ..Table::default() };
        table.replace(0..0, regions);
        table
    }

    /// Returns a table of the same regions for another session.
    pub(super) fn in_session(&self, session: Session) -> Table {
        Table { session, ..self.clone() }
    }

    #[inline]
    pub(super) fn session(&self) -> Session {
        self.session
    }

    /// Checks whether a region may be added; `false` if it exists already.
    ///
    /// # Errors
    ///
    /// EEXIST if it overlaps another one, ENOSPC if there are `most` already.
    pub(super) fn check_new(&self, span: &Span, most: usize) -> Result<bool, Errno> {
        match self.overlapping(span.first, span.last).next() {
            Some(other) if other.span() == span => Ok(false),
            Some(_) => Err(Errno::EEXIST),
            None if self.len >= most => Err(Errno::ENOSPC),
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

    /// Returns whether there are regions inside `[first, last]`.
    ///
    /// # Errors
    ///
    /// EINVAL if a region is only partly inside.
    pub(super) fn check_inside(&self, first: u64, last: u64) -> Result<bool, Errno> {
        let Some(lowest) = self.overlapping(first, last).next() else { return Ok(false) };
        let cuts_highest = self.search(last).is_some_and(|(_, region)| region.last() > last);
        if lowest.first() < first || cuts_highest { Err(Errno::EINVAL) } else { Ok(true) }
    }

    /// Returns the end of a part of `[first, last]` with at most `most` regions.
    pub(super) fn end_of_part(&self, first: u64, last: u64, most: usize) -> u64 {
        let next = self.overlapping(first, last).nth(most);
        next.map_or(last, |region| region.first() - 1)
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

    /// Returns the region of a [short](SHORT) access to mapped memory that lies in one region,
    /// which most accesses are.
    #[inline]
    pub(super) fn short(&self, iova: u64, len: usize, hint: &Hint) -> Option<(&Arc<Region>, u64)> {
        if len <= SHORT { self.mapped(iova, len, hint) } else { None }
    }

    /// Returns the region of an access to mapped memory that lies in one region, and the start of
    /// the access in the region.
    #[inline]
    pub(super) fn mapped(&self, iova: u64, len: usize, hint: &Hint) -> Option<(&Arc<Region>, u64)> {
        let rest = len.checked_sub(1)? as u64;
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
        let mut pieces = self.pieces(iova, len)?.map(|piece| {
            let Piece { region, offset, len } = piece?;
            region.check(offset, wanted)?;
            Ok(DmaSegment::new(region, self.held(), wanted, offset, len as u64))
        });
        let first = pieces.next().transpose()?;
        let Some(second) = pieces.next().transpose()? else {
            return Ok(first.map_or_else(|| DmaGuard::new(Vec::new()), DmaGuard::one));
        };
        let mut segments: Vec<_> = first.into_iter().chain(Some(second)).collect();
        for piece in pieces {
            segments.push(piece?);
        }
        Ok(DmaGuard::new(segments))
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
        self.search_and_note(iova, hint)
    }

    #[cold]
    fn search_and_note(&self, iova: u64, hint: &AtomicU64) -> Option<&Arc<Region>> {
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

/// The regions of a client that has left, which take time to drop.
#[derive(Debug, Default)]
pub(crate) struct Remains {
    chunks: Vec<Arc<Chunk>>,
    leftovers: Leftovers,
}

impl Remains {
    /// The number of chunks that are dropped at a time.
    const SLICE: usize = 16;

    pub(super) fn new(table: &Table) -> Self {
        Remains { chunks: table.chunks.clone(), leftovers: Leftovers::default() }
    }

    /// Adds the large mappings that `run` drops.
    pub(crate) fn collect(&mut self, run: impl FnOnce()) {
        self.leftovers.collect(run);
    }

    /// Adds what is left of other memory.
    pub(crate) fn append(&mut self, mut other: Remains) {
        self.chunks.append(&mut other.chunks);
        self.leftovers.append(&mut other.leftovers);
    }

    /// Drops a slice. Returns whether more is left.
    pub(crate) fn drop_slice(&mut self) -> bool {
        let Remains { chunks, leftovers } = self;
        leftovers.collect(|| chunks.truncate(chunks.len().saturating_sub(Self::SLICE)));
        leftovers.unmap_slice() || !chunks.is_empty()
    }
}

impl Chunk {
    fn new(regions: &[Arc<Region>]) -> Self {
        let firsts = regions.iter().map(|region| region.first()).collect();
        Chunk { firsts, regions: regions.to_vec() }
    }
}

#[cfg(test)]
mod tests;
