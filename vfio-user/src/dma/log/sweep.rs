//! Sweeps through the logs of many regions in slices, so that other work can run in between.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{PageLog, Report};

/// The number of words of 64 granules in a slice: the marks of 1 GiB, in granules of a page.
pub(super) const SLICE: u64 = 4096;

/// The marks of a range of addresses, taken slice by slice.
///
/// A slice looks through at most [`SLICE`] words and holds no lock, however much was written and
/// however many regions there are.
#[derive(Debug)]
pub(crate) struct Sweep {
    /// Those that are not finished, in the order of their addresses, and without overlap.
    logs: VecDeque<Arc<PageLog>>,
    first: u64,
    last: u64,
}

impl Sweep {
    /// Creates a sweep of the part of these logs inside `[first, last]`.
    pub(in crate::dma) fn new(mut logs: Vec<Arc<PageLog>>, first: u64, last: u64) -> Self {
        logs.retain(|log| log.overlaps(first, last));
        logs.sort_unstable_by_key(|log| log.first);
        Sweep { logs: logs.into(), first, last }
    }

    /// Takes the marks of the next slice and adds them to a report. Returns whether more are left.
    pub(crate) fn report(&mut self, report: &mut Report) -> bool {
        self.go_on(&mut |low, high| report.mark(low, high))
    }

    /// Clears the marks of the next slice. Returns whether more are left.
    pub(crate) fn forget(&mut self) -> bool {
        self.go_on(&mut |_, _| ())
    }

    pub(super) fn go_on(&mut self, report: &mut dyn FnMut(u64, u64)) -> bool {
        let mut words = SLICE;
        while let Some(log) = self.logs.front() {
            if words == 0 {
                return true;
            }
            words -= 1;
            if let Some(at) = log.take(self.first, self.last, &mut words, report) {
                self.first = at;
                return true;
            }
            self.logs.pop_front();
        }
        false
    }
}
