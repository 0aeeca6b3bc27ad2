//! Shared memory in rounds: the pages that guests have changed since they were sent.

use std::cell::Cell;
use std::num::NonZero;
use std::ops::Range;

use super::PAGE;
use super::digest::{Known, NEVER, ZEROS, digest};
use super::estimate::{Part, estimate};
use crate::migration::{Content, MAX_MEMORY, Memory, StateError, StreamWriter};
use crate::shared::{DataRuns, Shared, SharedError};

/// The number of bytes that are read at a time.
const CHUNK: u64 = MAX_MEMORY as u64;
/// The number of bytes that are compared for one message. If none of them has changed, a page is
/// sent again, because a client takes an empty reply for the end of the round.
const PATIENCE: u64 = 32 * CHUNK;

/// The least number of chunks that is worth a thread.
const FEW: usize = 16;

/// Shared memory, and how much of it has been sent.
///
/// A guest writes mapped memory without a notification. So every round compares all of it, by the
/// digests of its pages; holes of the file are not touched.
#[derive(Debug)]
pub(in super::super) struct MemorySave {
    areas: Vec<Area>,
    /// The position at which the round continues.
    area: usize,
    offset: u64,
    runs: DataRuns,
    buffer: Vec<u8>,
    /// The number of estimates so far.
    estimates: Cell<u64>,
}

/// The progress of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Step {
    /// As many bytes as requested are ready.
    Enough,
    /// Some bytes are ready, and finding more would take too long for one message.
    Paused,
    /// The round has ended.
    RoundOver,
}

/// A part of a BAR.
#[derive(Debug)]
struct Area {
    bar: u8,
    range: Range<u64>,
    chunks: Vec<Sent>,
    /// The changes found since the device stopped; empty before.
    changed: Vec<Changed>,
}

/// A bit for each page of a chunk.
type Changed = [u64; MAX_MEMORY / PAGE / 64];
const ALL: Changed = [u64::MAX; MAX_MEMORY / PAGE / 64];
const NONE: Changed = [0; MAX_MEMORY / PAGE / 64];

/// The part of a chunk that has been sent.
#[derive(Debug)]
enum Sent {
    Nothing,
    Zeros,
    /// Digests of the chunk's pages.
    Pages(Box<[u64]>),
}

impl MemorySave {
    /// Starts with nothing sent.
    pub(in super::super) fn new(shared: &[Shared]) -> Self {
        let of = |(bar, shared): (u8, &Shared)| {
            let areas = shared.areas().to_vec();
            areas.into_iter().map(move |range| Area::new(bar, range))
        };
        let areas = (0..).zip(shared).flat_map(of).collect();
        let mut save = MemorySave {
            areas,
            area: 0,
            offset: 0,
            runs: DataRuns::default(),
            buffer: Vec::new(),
            estimates: Cell::new(0),
        };
        save.rewind();
        save
    }

    /// Starts a new round.
    pub(in super::super) fn rewind(&mut self) {
        self.area = 0;
        self.offset = self.areas.first().map_or(0, |area| area.range.start);
        self.runs = DataRuns::default();
    }

    /// Starts the last round, after the device has stopped. Unchanged pages are found by as many
    /// threads as there are processors, because the guest waits.
    pub(in super::super) fn begin_last_round(&mut self, shared: &[Shared]) {
        self.rewind();
        for area in &mut self.areas {
            area.changed = area.look_ahead(&shared[usize::from(area.bar)]);
        }
    }

    /// Estimates how much is to be sent, in bytes: of all memory, or only of the part that the
    /// round has not reached yet.
    pub(in super::super) fn estimate(&self, shared: &[Shared], only_rest: bool) -> u64 {
        let first = if only_rest { self.area } else { 0 };
        let parts = self.areas.iter().enumerate().skip(first).map(|(place, area)| {
            let is_begun = only_rest && place == self.area;
            let start = if is_begun { self.offset.min(area.range.end) } else { area.range.start };
            Part {
                shared: &shared[usize::from(area.bar)],
                range: start..area.range.end,
                sent: move |offset| area.known(offset),
            }
        });
        estimate(&parts.collect::<Vec<_>>(), &self.estimates)
    }

    /// Continues the round: adds changes, at least `enough` bytes unless the round ends or takes
    /// too long. After the end of a round the next one starts.
    ///
    /// # Errors
    ///
    /// If the memory cannot be read.
    ///
    /// If the memory cannot be read.
    pub(in super::super) fn go_on(
        &mut self,
        shared: &[Shared],
        writer: &mut StreamWriter,
        enough: usize,
    ) -> Result<Step, StateError> {
        let (before, mut looked_at) = (writer.len(), 0);
        while let Some(area) = self.areas.get_mut(self.area) {
            if self.offset >= area.range.end {
                self.area += 1;
                self.offset = self.areas.get(self.area).map_or(0, |next| next.range.start);
                self.runs = DataRuns::default();
                continue;
            }
            if writer.len() >= enough {
                return Ok(Step::Enough);
            }
            let shared = &shared[usize::from(area.bar)];
            let chunk = self.offset..area.range.end.min(self.offset + CHUNK);
            // Holes of the file read as zeros.
            let data = self.runs.next(shared, chunk.start).start;
            if data >= chunk.end {
                self.offset = area.last_boundary(data);
                area.send_hole(chunk.start..self.offset, writer);
                continue;
            }
            if area.changed.get(area.chunk_at(chunk.start)) == Some(&NONE) {
                self.offset = chunk.end;
                continue;
            }
            if looked_at >= PATIENCE {
                if writer.len() == before {
                    area.forget(chunk.start);
                } else if area.changed.is_empty() {
                    // The device runs, and its thread has other work.
                    return Ok(Step::Paused);
                }
            }
            looked_at += CHUNK;
            self.offset = chunk.end;
            let reader = Reader { shared, runs: &mut self.runs };
            area.send(reader, chunk, &mut self.buffer, writer)?;
        }
        self.rewind();
        Ok(Step::RoundOver)
    }
}

impl Area {
    fn new(bar: u8, range: Range<u64>) -> Self {
        let count = (range.end - range.start).div_ceil(CHUNK);
        let chunks = (0..count).map(|_| Sent::Nothing).collect();
        Area { bar, range, chunks, changed: Vec::new() }
    }

    /// Returns the end of the last chunk that ends at `offset` or before.
    fn last_boundary(&self, offset: u64) -> u64 {
        match self.range.end.checked_sub(offset) {
            None | Some(0) => self.range.end,
            Some(_) => offset - (offset - self.range.start) % CHUNK,
        }
    }

    fn chunk_at(&self, offset: u64) -> usize {
        usize::try_from((offset - self.range.start) / CHUNK).unwrap_or(usize::MAX)
    }

    fn known(&self, offset: u64) -> Known {
        let page = usize::try_from((offset - self.range.start) % CHUNK).unwrap_or(0) / PAGE;
        Known::of(match self.chunks.get(self.chunk_at(offset)) {
            Some(Sent::Pages(pages)) => pages.get(page).copied().unwrap_or(NEVER),
            Some(Sent::Zeros) => ZEROS,
            Some(Sent::Nothing) | None => NEVER,
        })
    }

    /// Marks the chunk at an offset, or its first page, to be sent again.
    fn forget(&mut self, offset: u64) {
        let chunk = self.chunk_at(offset);
        match &mut self.chunks[chunk] {
            Sent::Pages(pages) => pages[0] = NEVER,
            sent => *sent = Sent::Nothing,
        }
    }

    /// Returns the pages that differ from what was sent.
    fn look_ahead(&self, shared: &Shared) -> Vec<Changed> {
        let sent: Vec<_> = self.chunks.iter().enumerate().collect();
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        std::thread::scope(|scope| {
            let part = sent.len().div_ceil(threads).max(FEW);
            let look = |part: &[(usize, &Sent)]| -> Vec<Changed> {
                let mut reader = Reader { shared, runs: &mut DataRuns::default() };
                part.iter().map(|(place, sent)| self.changes(&mut reader, *place, sent)).collect()
            };
            let (mine, others) = sent.split_at(part.min(sent.len()));
            let spawn = |part| {
                let thread = std::thread::Builder::new().spawn_scoped(scope, move || look(part));
                (part, thread.ok())
            };
            let others: Vec<_> = others.chunks(part).map(spawn).collect();
            let mut changed = look(mine);
            for (part, thread) in others {
                let found = thread.and_then(|thread| thread.join().ok());
                changed.extend(found.unwrap_or_else(|| vec![ALL; part.len()]));
            }
            changed
        })
    }

    /// Returns the pages of a chunk that differ from what was sent, or cannot be read.
    fn changes(&self, reader: &mut Reader<'_>, place: usize, sent: &Sent) -> Changed {
        let Sent::Pages(pages) = sent else { return ALL };
        let start = self.range.start + place as u64 * CHUNK;
        let (mut changed, mut buffer) = (NONE, [0; PAGE]);
        for (page, sent) in pages.iter().enumerate() {
            let start = start + (page * PAGE) as u64;
            let len = usize::try_from(self.range.end - start).map_or(PAGE, |left| left.min(PAGE));
            if reader.digest(start, &mut buffer[..len]).ok() != Some(*sent) {
                changed[page / 64] |= 1 << (page % 64);
            }
        }
        changed
    }

    /// Adds the zeros of whole chunks in a hole that were not zero before.
    fn send_hole(&mut self, hole: Range<u64>, writer: &mut StreamWriter) {
        let mut run = hole.start..hole.start;
        for start in hole.clone().step_by(MAX_MEMORY) {
            let chunk = self.chunk_at(start);
            if matches!(self.chunks[chunk], Sent::Zeros) {
                self.write_zeros(run, writer);
                run = start + CHUNK..start + CHUNK;
            } else {
                self.chunks[chunk] = Sent::Zeros;
                run.end = hole.end.min(start + CHUNK);
            }
        }
        self.write_zeros(run, writer);
    }

    /// Adds the changes of a chunk.
    fn send(
        &mut self,
        mut reader: Reader<'_>,
        chunk: Range<u64>,
        buffer: &mut Vec<u8>,
        writer: &mut StreamWriter,
    ) -> Result<(), StateError> {
        buffer.resize(usize::try_from(chunk.end - chunk.start).unwrap_or(0), 0);
        let (place, count) = (self.chunk_at(chunk.start), buffer.len().div_ceil(PAGE));
        let mut sent = match std::mem::replace(&mut self.chunks[place], Sent::Nothing) {
            Sent::Nothing => vec![NEVER; count].into(),
            Sent::Zeros => vec![ZEROS; count].into(),
            Sent::Pages(pages) => pages,
        };
        let changed = self.changed.get(place).copied().unwrap_or(ALL);
        let mut run = Run { bytes: 0..0, is_zero: false };
        for (page, sent) in sent.iter_mut().enumerate() {
            let end = buffer.len().min(run.bytes.end + PAGE);
            let found = if changed[page / 64] >> (page % 64) & 1 == 0 {
                *sent
            } else {
                let bytes = &mut buffer[run.bytes.end..end];
                let found = reader.digest(chunk.start + run.bytes.end as u64, bytes);
                found.map_err(|error| StateError::Memory(Box::new(error)))?
            };
            let is_zero = found == ZEROS;
            let is_sent = std::mem::replace(sent, found) == found;
            if is_sent || run.is_zero != is_zero {
                self.write(&mut run, chunk.start, buffer, writer);
                run.is_zero = is_zero;
            }
            run.bytes.end = end;
            if is_sent {
                run.bytes.start = end;
            }
        }
        self.write(&mut run, chunk.start, buffer, writer);
        let is_zero = sent.iter().all(|digest| *digest == ZEROS);
        self.chunks[place] = if is_zero { Sent::Zeros } else { Sent::Pages(sent) };
        Ok(())
    }

    /// Adds a run of a chunk, and starts the next one.
    fn write(&self, run: &mut Run, chunk: u64, buffer: &[u8], writer: &mut StreamWriter) {
        let end = run.bytes.end;
        let bytes = std::mem::replace(&mut run.bytes, end..end);
        let offset = chunk + bytes.start as u64;
        if run.is_zero {
            self.write_zeros(offset..chunk + end as u64, writer);
        } else if !bytes.is_empty() {
            let content = Content::Bytes(&buffer[bytes]);
            writer.memory(&Memory { bar: self.bar, offset, content });
        }
    }

    fn write_zeros(&self, range: Range<u64>, writer: &mut StreamWriter) {
        if !range.is_empty() {
            let content = Content::Zeros(range.end - range.start);
            writer.memory(&Memory { bar: self.bar, offset: range.start, content });
        }
    }
}

/// Adjacent pages that have changed, from the start of a chunk.
struct Run {
    bytes: Range<usize>,
    is_zero: bool,
}

/// A reader of pages that skips holes.
struct Reader<'a> {
    shared: &'a Shared,
    runs: &'a mut DataRuns,
}

impl Reader<'_> {
    /// Reads a page unless it is a hole, and returns its digest.
    fn digest(&mut self, offset: u64, page: &mut [u8]) -> Result<u64, SharedError> {
        let is_data = self.runs.read(self.shared, offset, page)?;
        Ok(if is_data { digest(page) } else { ZEROS })
    }
}
