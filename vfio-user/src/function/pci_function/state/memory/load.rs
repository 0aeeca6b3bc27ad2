//! Loading of shared memory: in place, with a roll-back if the state is refused, which is done in
//! slices as well.
//!
//! The cost of a frame is proportional to the data that it carries. A run of zeros may be as long
//! as the BAR and carries no data: it is noted, and [`MemoryLoad::clear_some`] keeps and clears
//! what the file holds there, a slice at a time. Each byte of the file is kept once and cleared
//! once.

use std::ops::Range;

use super::ranges::Ranges;
use super::{PAGE, PAGE_SIZE};
use crate::migration::{Content, Memory, StateError};
use crate::shared::{DataRuns, Shared, SharedError};

/// The data that is kept and cleared in one slice, in bytes.
const SLICE: u64 = 4 << 20;

/// The overwritten contents of shared memory, as they were before the load.
#[derive(Debug, Default)]
pub(in super::super) struct MemoryLoad {
    areas: Vec<Area>,
}

#[derive(Debug)]
struct Area {
    bar: u8,
    range: Range<u64>,
    /// Pages that have been overwritten.
    touched: Ranges,
    /// The contents of those pages that were not zero.
    before: Vec<(u64, Box<[u8]>)>,
    /// The ranges that have been cleared and not written since.
    cleared: Ranges,
    /// The ranges that are zeros in the stream and not cleared yet.
    to_clear: Ranges,
    runs: DataRuns,
}

impl MemoryLoad {
    pub(in super::super) fn new(shared: &[Shared]) -> Self {
        let of = |(bar, shared): (u8, &Shared)| {
            shared.areas().to_vec().into_iter().map(move |range| Area::new(bar, range))
        };
        MemoryLoad { areas: (0..).zip(shared).flat_map(of).collect() }
    }

    /// Loads a part of the memory; later parts overwrite earlier ones. Zeros are noted, and written
    /// by [`clear_some`](Self::clear_some).
    ///
    /// # Errors
    ///
    /// If the part is not wholly inside shared memory, or if the memory is lost.
    pub(in super::super) fn add(
        &mut self,
        shared: &[Shared],
        part: &Memory<'_>,
    ) -> Result<(), StateError> {
        let Memory { bar, offset, content } = *part;
        let len = match content {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Zeros(len) => len,
        };
        let end = offset.saturating_add(len);
        let is_inside =
            |area: &Area| area.bar == bar && area.range.start <= offset && end <= area.range.end;
        let outside = StateError::MemoryOutside { bar, offset, len };
        let area = self.areas.iter_mut().find(|area| is_inside(area)).ok_or(outside)?;
        let shared = &shared[usize::from(bar)];
        match content {
            Content::Bytes(bytes) => area.write(shared, offset, bytes).map_err(lost),
            Content::Zeros(_) => {
                area.note_zeros(offset..end);
                Ok(())
            }
        }
    }

    /// Writes a slice of the zeros that are noted; returns whether more are left.
    ///
    /// # Errors
    ///
    /// If the memory is lost.
    pub(in super::super) fn clear_some(&mut self, shared: &[Shared]) -> Result<bool, StateError> {
        let mut budget = SLICE;
        for area in &mut self.areas {
            area.clear_some(&shared[usize::from(area.bar)], &mut budget).map_err(lost)?;
        }
        Ok(self.areas.iter().any(|area| area.to_clear.first().is_some()))
    }

    /// Restores the memory to what it was before the load, instead of loading more.
    pub(in super::super) fn take_back(mut self) -> MemoryRestore {
        // The file has changed since the runs were looked up.
        self.areas.iter_mut().for_each(|area| area.runs = DataRuns::default());
        MemoryRestore { areas: self.areas }
    }
}

/// Shared memory that is being restored after a load.
#[derive(Debug)]
pub(in super::super::super) struct MemoryRestore {
    areas: Vec<Area>,
}

impl MemoryRestore {
    /// Restores a slice; returns whether more is left.
    pub(in super::super::super) fn restore_some(&mut self, shared: &[Shared]) -> bool {
        let mut budget = SLICE;
        self.areas.retain_mut(|area| {
            let bar = area.bar;
            area.restore_some(&shared[usize::from(bar)], &mut budget).unwrap_or_else(|error| {
                tracing::error!(bar, %error, "shared memory cannot be restored");
                false
            })
        });
        !self.areas.is_empty()
    }
}

fn lost(error: SharedError) -> StateError {
    StateError::Memory(Box::new(error))
}

impl Area {
    fn new(bar: u8, range: Range<u64>) -> Self {
        let [touched, cleared, to_clear] = [(); 3].map(|()| Ranges::default());
        let runs = DataRuns::default();
        Area { bar, range, touched, before: Vec::new(), cleared, to_clear, runs }
    }

    fn write(&mut self, shared: &Shared, offset: u64, bytes: &[u8]) -> Result<(), SharedError> {
        let range = offset..offset + bytes.len() as u64;
        self.keep(shared, range.clone())?;
        self.cleared.remove(range.clone());
        self.to_clear.remove(range);
        shared.write(offset, bytes)
    }

    fn note_zeros(&mut self, range: Range<u64>) {
        self.cleared.gaps(range).into_iter().for_each(|gap| self.to_clear.add(gap));
    }

    /// Clears ranges that are noted until the budget of data is used up.
    fn clear_some(&mut self, shared: &Shared, budget: &mut u64) -> Result<(), SharedError> {
        while *budget > 0
            && let Some(range) = self.to_clear.first()
        {
            // A range costs something even where it holds nothing.
            *budget = budget.saturating_sub(PAGE_SIZE);
            let slice = range.start..self.slice_end(shared, &range, budget);
            self.keep(shared, slice.clone())?;
            shared.clear_range(slice.clone())?;
            self.cleared.add(slice.clone());
            self.to_clear.remove(slice);
        }
        Ok(())
    }

    /// Returns where a slice of a range ends, and takes the data in it from the budget. A run of
    /// data costs a page at least, so the number of runs is bounded, too.
    fn slice_end(&mut self, shared: &Shared, range: &Range<u64>, budget: &mut u64) -> u64 {
        let mut at = range.start;
        while at < range.end {
            let run = self.runs.next(shared, at);
            let (start, end) = (run.start.max(at), run.end.min(range.end));
            if start >= range.end {
                return range.end;
            }
            let data = (end - start).max(PAGE_SIZE);
            if data >= *budget {
                return start.saturating_add(std::mem::take(budget)).min(end);
            }
            *budget -= data;
            at = end;
        }
        range.end
    }

    /// Keeps the contents of the pages of a range, unless they have been kept.
    fn keep(&mut self, shared: &Shared, range: Range<u64>) -> Result<(), SharedError> {
        let pages = self.pages(&range);
        for gap in self.touched.gaps(pages.clone()) {
            self.keep_data(shared, gap)?;
        }
        self.touched.add(pages);
        Ok(())
    }

    /// Keeps the pages of a range that the file holds.
    fn keep_data(&mut self, shared: &Shared, range: Range<u64>) -> Result<(), SharedError> {
        let mut at = range.start;
        while at < range.end {
            let run = self.runs.next(shared, at);
            let data = self.pages(&(run.start.max(at)..run.end.min(range.end)));
            let mut page = data.start;
            while page < data.end {
                self.keep_page(shared, page)?;
                page += PAGE_SIZE;
            }
            at = run.end.max(data.end);
        }
        Ok(())
    }

    fn keep_page(&mut self, shared: &Shared, start: u64) -> Result<(), SharedError> {
        let len = (self.range.end - start).min(PAGE_SIZE);
        let mut bytes = [0; PAGE];
        let bytes = &mut bytes[..usize::try_from(len).unwrap_or(PAGE)];
        shared.read(start, bytes)?;
        if bytes.iter().any(|byte| *byte != 0) {
            self.before.push((start, (&*bytes).into()));
        }
        Ok(())
    }

    /// Restores pages until the budget is used up; returns whether more are left. All are cleared
    /// before the first is written.
    fn restore_some(&mut self, shared: &Shared, budget: &mut u64) -> Result<bool, SharedError> {
        while *budget > 0
            && let Some(range) = self.touched.first()
        {
            *budget = budget.saturating_sub(PAGE_SIZE);
            let slice = range.start..self.slice_end(shared, &range, budget);
            shared.clear_range(slice.clone())?;
            self.touched.remove(slice);
        }
        while *budget > 0
            && let Some((offset, bytes)) = self.before.pop()
        {
            *budget = budget.saturating_sub(PAGE_SIZE);
            shared.write(offset, &bytes)?;
        }
        Ok(self.touched.first().is_some() || !self.before.is_empty())
    }

    /// Returns the whole pages that a range touches, within the area.
    fn pages(&self, range: &Range<u64>) -> Range<u64> {
        if range.is_empty() {
            return range.start..range.start;
        }
        let (start, end) = (range.start - self.range.start, range.end - self.range.start);
        let last = end.div_ceil(PAGE_SIZE).saturating_mul(PAGE_SIZE);
        let end = self.range.start.saturating_add(last).min(self.range.end);
        self.range.start + (start - start % PAGE_SIZE)..end
    }
}
