//! Estimates of how much shared memory is to be sent, from a sample.

use std::cell::Cell;
use std::ops::Range;

use super::digest::{Known, digest};
use super::{PAGE, PAGE_SIZE};
use crate::shared::Shared;

/// The most pages that one estimate compares. Memory that holds no more is counted exactly.
const SAMPLE: u64 = 4096;
/// The most runs of data that one estimate looks for.
const RUNS: usize = 1024;
/// What a frame adds to a page, in bytes.
const FRAME: u64 = 19;

/// A part of shared memory, and the digests that were sent of it.
pub(super) struct Part<'a, F> {
    pub(super) shared: &'a Shared,
    pub(super) range: Range<u64>,
    /// The digest that was sent of the page at an offset.
    pub(super) sent: F,
}

/// Estimates how much has to be sent, in bytes, if nothing has been sent yet.
pub(in super::super::super) fn unsent(shared: &[Shared]) -> u64 {
    let parts = shared.iter().flat_map(|shared| {
        let part =
            move |range: &Range<u64>| Part { shared, range: range.clone(), sent: |_| Known::NEVER };
        shared.areas().iter().map(part)
    });
    estimate(&parts.collect::<Vec<_>>(), &Cell::new(0))
}

/// Estimates how much has to be sent, in bytes. It compares a sample of the pages that the files
/// hold with what was sent; `turn` makes each call select other pages.
pub(super) fn estimate<F: Fn(u64) -> Known>(parts: &[Part<'_, F>], turn: &Cell<u64>) -> u64 {
    let (runs, uncounted) = data(parts);
    let pages: u64 = runs.iter().map(Run::pages).sum();
    let sample = pages.min(SAMPLE);
    if sample == 0 {
        return uncounted;
    }
    let phase = turn.replace(turn.get().wrapping_add(1)).wrapping_mul(0x9e37_79b9) % pages;
    let (mut runs, mut before, mut changed) = (runs.iter(), 0, 0);
    let Some(mut run) = runs.next() else { return uncounted };
    for number in 0..sample {
        let page = (number * pages + phase) / sample;
        while page >= before + run.pages() {
            before += run.pages();
            let Some(next) = runs.next() else { break };
            run = next;
        }
        let offset = run.range.start + (page - before) * PAGE_SIZE;
        changed += u64::from(is_to_be_sent(&parts[run.part], offset));
    }
    let share = |of: u64| u64::try_from(u128::from(of) * u128::from(changed) / u128::from(sample));
    share(pages).unwrap_or(u64::MAX) * (PAGE_SIZE + FRAME) + share(uncounted).unwrap_or(u64::MAX)
}

/// A run of pages that a file holds.
struct Run {
    part: usize,
    range: Range<u64>,
}

impl Run {
    fn pages(&self) -> u64 {
        (self.range.end - self.range.start).div_ceil(PAGE_SIZE)
    }
}

/// Returns the first runs of data, and the number of bytes of data besides them.
fn data<F>(parts: &[Part<'_, F>]) -> (Vec<Run>, u64) {
    let (mut runs, mut uncounted) = (Vec::new(), 0_u64);
    for (place, part) in parts.iter().enumerate() {
        let (mut at, mut found) = (part.range.start, 0);
        while at < part.range.end && runs.len() < RUNS {
            let start = part.shared.next_data(at).unwrap_or(u64::MAX);
            if start >= part.range.end {
                at = part.range.end;
                break;
            }
            let end = part.shared.next_hole(start).unwrap_or(u64::MAX).min(part.range.end);
            found += end - start;
            runs.push(Run { part: place, range: start..end });
            at = end.max(start + 1);
        }
        let rest = part.shared.held().saturating_sub(found).min(part.range.end - at);
        uncounted = uncounted.saturating_add(rest);
    }
    (runs, uncounted)
}

fn is_to_be_sent<F: Fn(u64) -> Known>(part: &Part<'_, F>, offset: u64) -> bool {
    let len = usize::try_from(part.range.end - offset).map_or(PAGE, |left| left.min(PAGE));
    let mut page = [0; PAGE];
    let page = &mut page[..len];
    match part.shared.read(offset, page) {
        Ok(()) => !(part.sent)(offset).is_sent(digest(page)),
        Err(_) => false,
    }
}
