//! Shared memory, round by round: what guests have changed since it was sent.

use std::cell::Cell;
use std::num::NonZero;
use std::ops::Range;

use super::PAGE;
use super::digest::{Known, NEVER, ZEROS, digest};
use super::estimate::{Part, estimate};
use crate::migration::{Content, MAX_MEMORY, Memory, StateError, StreamWriter};
use crate::shared::{DataRuns, Shared, SharedError};

/// As much is read at a time.
const CHUNK: u64 = MAX_MEMORY as u64;
/// As many bytes are looked at for one message. If nothing has changed in them, a page is sent again,
/// because a client takes an empty reply for the end of the round.
const PATIENCE: u64 = 32 * CHUNK;

/// Fewer chunks than these are not worth a thread.
const FEW: usize = 16;

/// Shared memory, as far as it has been sent.
///
/// A guest writes memory that it has mapped without telling anybody. So every round looks at all of
/// it, by the digests of its pages; what has no pages in the file is not touched.
#[derive(Debug)]
pub(in super::super) struct MemorySave {
    areas: Vec<Area>,
    /// Where the round goes on.
    area: usize,
    offset: u64,
    runs: DataRuns,
    buffer: Vec<u8>,
    /// How often what is left was estimated.
    estimates: Cell<u64>,
}

/// How far a round got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Step {
    /// There is as much as was asked for.
    Enough,
    /// There is something, and finding more would take too long for one message.
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
    /// What has been found to be changed of them since the device stopped; empty before.
    changed: Vec<Changed>,
}

/// A bit a page of a chunk.
type Changed = [u64; MAX_MEMORY / PAGE / 64];
const ALL: Changed = [u64::MAX; MAX_MEMORY / PAGE / 64];
const NONE: Changed = [0; MAX_MEMORY / PAGE / 64];

/// What has been sent of a chunk.
#[derive(Debug)]
enum Sent {
    Nothing,
    Zeros,
    /// Digests of its pages.
    Pages(Box<[u64]>),
}

impl MemorySave {
    /// Nothing has been sent yet.
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

    /// A new round begins.
    pub(in super::super) fn rewind(&mut self) {
        self.area = 0;
        self.offset = self.areas.first().map_or(0, |area| area.range.start);
        self.runs = DataRuns::default();
    }

    /// The last round begins: the device stands still. What has not changed is found by as many threads
    /// as there are processors, because the guest waits.
    pub(in super::super) fn begin_last_round(&mut self, shared: &[Shared]) {
        self.rewind();
        for area in &mut self.areas {
            area.changed = area.look_ahead(&shared[usize::from(area.bar)]);
        }
    }

    /// Estimates how much is to be sent, in bytes: of all memory, or only of what the round has not come to
    /// yet.
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

    /// Goes on with the round: adds what has changed, at least `enough` bytes unless the round ends or
    /// takes too long. After its end the next one begins.
    ///
    /// # Errors
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
            // Where the file has nothing, zeros are what it would read as.
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
                    // The device runs: its thread has other things to do.
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

    /// Where the last chunk ends that ends at `offset` or before.
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

    /// The chunk at an offset, or the first page of it, is sent again.
    fn forget(&mut self, offset: u64) {
        let chunk = self.chunk_at(offset);
        match &mut self.chunks[chunk] {
            Sent::Pages(pages) => pages[0] = NEVER,
            sent => *sent = Sent::Nothing,
        }
    }

    /// What is not as it was sent.
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

    /// What is not as it was sent of a chunk, or cannot be read.
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

    /// Adds what has become zeros of whole chunks that are nothing else.
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

    /// Adds what has changed of a chunk.
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

    /// Adds a run of a chunk, and begins the next one.
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

/// Neighbouring pages that have changed, from the start of a chunk.
struct Run {
    bytes: Range<usize>,
    is_zero: bool,
}

/// What reads pages, those that there are.
struct Reader<'a> {
    shared: &'a Shared,
    runs: &'a mut DataRuns,
}

impl Reader<'_> {
    /// Reads a page, unless it is a hole, and tells its digest.
    fn digest(&mut self, offset: u64, page: &mut [u8]) -> Result<u64, SharedError> {
        let is_data = self.runs.read(self.shared, offset, page)?;
        Ok(if is_data { digest(page) } else { ZEROS })
    }
}
