//! Shared memory as it arrives: in place, and back if the state is refused.

use std::ops::Range;

use super::{PAGE, PAGE_SIZE};
use crate::migration::{Content, Memory, StateError};
use crate::shared::{DataRuns, Shared, SharedError};

/// What shared memory was before anything was loaded, as far as it has been overwritten.
#[derive(Debug, Default)]
pub(in super::super) struct MemoryLoad {
    areas: Vec<Area>,
}

#[derive(Debug)]
struct Area {
    bar: u8,
    range: Range<u64>,
    /// A bit a page that has been overwritten.
    touched: Vec<u64>,
    /// Of those, what was not zero.
    before: Vec<(u64, Box<[u8]>)>,
    runs: DataRuns,
}

impl MemoryLoad {
    pub(in super::super) fn new(shared: &[Shared]) -> Self {
        let of = |(bar, shared): (u8, &Shared)| {
            let areas = shared.areas().to_vec();
            areas.into_iter().map(move |range| {
                let words = (range.end - range.start).div_ceil(PAGE_SIZE * 64);
                let touched = vec![0; usize::try_from(words).unwrap_or(0)];
                Area { bar, range, touched, before: Vec::new(), runs: DataRuns::default() }
            })
        };
        MemoryLoad { areas: (0..).zip(shared).flat_map(of).collect() }
    }

    /// Takes a part of it; later ones win.
    ///
    /// # Errors
    ///
    /// If it is not all inside shared memory, or that is lost.
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
        let taken = area.keep(shared, offset..end).and_then(|()| match content {
            Content::Bytes(bytes) => shared.write(offset, bytes),
            Content::Zeros(_) => shared.clear_range(offset..end),
        });
        taken.map_err(|error| StateError::Memory(Box::new(error)))
    }

    /// Makes the memory what it was.
    pub(in super::super) fn take_back(self, shared: &[Shared]) {
        for area in self.areas {
            let bar = area.bar;
            if let Err(error) = area.take_back(&shared[usize::from(bar)]) {
                tracing::error!(bar, %error, "shared memory is not what it was before");
            }
        }
    }
}

impl Area {
    /// Keeps what is in a range, unless that has been done.
    fn keep(&mut self, shared: &Shared, range: Range<u64>) -> Result<(), SharedError> {
        if range.is_empty() {
            return Ok(());
        }
        let first = (range.start - self.range.start) / PAGE_SIZE;
        let last = (range.end - 1 - self.range.start) / PAGE_SIZE;
        let mut page = first;
        while page <= last {
            let (word, bit) = (usize::try_from(page / 64).unwrap_or(usize::MAX), 1 << (page % 64));
            // There is nothing to be kept of what the file does not have.
            let data = self.runs.next(shared, self.place(page)).start;
            if page.is_multiple_of(64) && page + 63 <= last && self.place(page + 64) <= data {
                self.touched[word] = u64::MAX;
                page += 64;
                continue;
            }
            if self.touched[word] & bit == 0 {
                self.touched[word] |= bit;
                self.keep_page(shared, page)?;
            }
            page += 1;
        }
        Ok(())
    }

    fn keep_page(&mut self, shared: &Shared, page: u64) -> Result<(), SharedError> {
        let start = self.place(page);
        let len = (self.range.end - start).min(PAGE_SIZE);
        let mut bytes = [0; PAGE];
        let bytes = &mut bytes[..usize::try_from(len).unwrap_or(PAGE)];
        if self.runs.read(shared, start, bytes)? && bytes.iter().any(|byte| *byte != 0) {
            self.before.push((start, (&*bytes).into()));
        }
        Ok(())
    }

    fn take_back(self, shared: &Shared) -> Result<(), SharedError> {
        for run in self.runs() {
            shared.clear_range(self.place(run.start)..self.range.end.min(self.place(run.end)))?;
        }
        self.before.iter().try_for_each(|(offset, bytes)| shared.write(*offset, bytes))
    }

    /// The runs of pages that have been overwritten.
    fn runs(&self) -> Vec<Range<u64>> {
        let mut runs: Vec<Range<u64>> = Vec::new();
        let mut add = |pages: Range<u64>| match runs.last_mut() {
            Some(last) if last.end == pages.start => last.end = pages.end,
            _ => runs.push(pages),
        };
        for (word, bits) in (0..).zip(&self.touched) {
            let first = word * 64;
            match *bits {
                0 => {}
                u64::MAX => add(first..first + 64),
                bits => (0..64)
                    .filter(|bit| bits >> bit & 1 != 0)
                    .for_each(|bit| add(first + bit..first + bit + 1)),
            }
        }
        runs
    }

    fn place(&self, page: u64) -> u64 {
        self.range.start + page * PAGE_SIZE
    }
}
