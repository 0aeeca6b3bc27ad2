//! Making a recording smaller.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::steps::is_request;
use crate::tape::{Entry, Header, RecordingError, TapeReader, TapeWriter, Timed};

/// The result of [`shrink`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shrunk {
    /// The number of calls and changes in the recording.
    pub before: usize,
    /// The number of those that are left.
    pub after: usize,
    /// The number of recordings that were tried.
    pub runs: u32,
    /// Whether each of those that are left is needed. Otherwise the limit of runs was reached.
    pub is_minimal: bool,
}

/// `3 of 412 calls are left, after 96 runs`.
impl fmt::Display for Shrunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shrunk { before, after, runs, is_minimal } = self;
        let note = if *is_minimal { "" } else { "; more runs may remove more" };
        write!(f, "{after} of {before} calls are left, after {runs} runs{note}")
    }
}

/// Writes the smallest recording to `out` that `shows` accepts: calls of the device and changes by
/// its client are left out, with what belongs to them, as long as `shows` accepts the rest.
///
/// `shows` receives the path of each recording that is tried, next to `out`, and returns whether a
/// device differs from it in the expected way; it is called `max_runs` times at most. The whole
/// recording is in memory meanwhile.
///
/// ```no_run
/// use std::path::Path;
///
/// use vfio_user::Bench;
/// use vfio_user::record::{RecordingError, ReplayError, shrink};
/// # use vfio_user::{Device, PciDevice};
/// # #[derive(Default, PciDevice)]
/// # #[pci(vendor = 0x1234, device = 0xcafe)]
/// # struct Edu {}
/// # impl Device for Edu { type Event = (); }
///
/// let differs = |recording: &Path| match Bench::replay(Edu::default(), recording) {
///     Err(ReplayError::Differs(difference)) => Some(difference),
///     _ => None,
/// };
/// let first = differs("boot.rec".as_ref()).expect("a difference");
/// let shrunk = shrink("boot.rec", "small.rec", 1000, |tried| {
///     Ok::<_, RecordingError>(differs(tried).is_some_and(|one| one.is_same(&first)))
/// })?;
/// println!("{shrunk}");
/// # Ok::<(), RecordingError>(())
/// ```
///
/// # Errors
///
/// When the recording cannot be read, or another one cannot be written; those of `shows`.
pub fn shrink<E: From<RecordingError>>(
    recording: impl AsRef<Path>,
    out: impl AsRef<Path>,
    max_runs: u32,
    mut shows: impl FnMut(&Path) -> Result<bool, E>,
) -> Result<Shrunk, E> {
    let parts = Parts::read(recording.as_ref())?;
    let candidate = Candidate::new(out.as_ref());
    let before = parts.steps.len();
    let mut search = Search { kept: (0..before).collect(), runs: 0, max_runs };
    let is_minimal = search.run(|kept| {
        parts.write(&candidate.0, kept)?;
        shows(&candidate.0)
    })?;
    let Search { kept, runs, .. } = search;
    parts.write(&candidate.0, &kept)?;
    fs::rename(&candidate.0, out).map_err(RecordingError::from)?;
    Ok(Shrunk { before, after: kept.len(), runs, is_minimal })
}

/// The file of the recording that is tried, removed at the end.
struct Candidate(PathBuf);

impl Candidate {
    fn new(out: &Path) -> Self {
        let mut path = OsString::from(out);
        path.push(".part");
        Candidate(path.into())
    }
}

impl Drop for Candidate {
    fn drop(&mut self) {
        // It is gone after a rename.
        let _ = fs::remove_file(&self.0);
    }
}

/// A recording in memory.
struct Parts {
    header: Header,
    /// The state, and what is not recorded.
    head: Vec<Timed>,
    /// The calls and changes, each with what belongs to it.
    steps: Vec<Vec<Timed>>,
}

impl Parts {
    fn read(path: &Path) -> Result<Self, RecordingError> {
        let mut tape = TapeReader::new(BufReader::new(File::open(path)?))?;
        let header = tape.header().clone();
        let mut parts = Parts { header, head: Vec::new(), steps: Vec::new() };
        while let Some(next) = tape.next()? {
            parts.add(next);
        }
        Ok(parts)
    }

    fn add(&mut self, next: Timed) {
        let begins =
            matches!(next.entry, Entry::Call(_) | Entry::Act(_)) || is_request(&next.entry);
        match &next.entry {
            Entry::End => {}
            Entry::State(_) | Entry::Unrecorded(_) => self.head.push(next),
            _ => match self.steps.last_mut() {
                Some(step) if !begins => step.push(next),
                _ => self.steps.push(vec![next]),
            },
        }
    }

    /// Writes a recording of these steps.
    fn write(&self, path: &Path, kept: &[usize]) -> Result<(), RecordingError> {
        let mut tape = TapeWriter::create(path, &self.header)?;
        let mut last = Duration::ZERO;
        let steps = kept.iter().flat_map(|step| &self.steps[*step]);
        for Timed { time, entry, .. } in self.head.iter().chain(steps) {
            last = last.max(*time);
            tape.entry(*time, entry)?;
        }
        tape.entry(last, &Entry::End)?;
        Ok(tape.flush()?)
    }
}

/// The search for the fewest steps: those of large parts are left out first, then those of smaller
/// ones, until no single step can be left out.
struct Search {
    kept: Vec<usize>,
    runs: u32,
    max_runs: u32,
}

impl Search {
    /// Searches, and returns whether every step that is left is needed.
    fn run<E>(&mut self, mut shows: impl FnMut(&[usize]) -> Result<bool, E>) -> Result<bool, E> {
        let mut size = self.kept.len();
        loop {
            let has_removed = self.pass(size, &mut shows)?;
            if self.runs == self.max_runs {
                return Ok(false);
            }
            if size <= 1 && !has_removed {
                return Ok(true);
            }
            size = (size / 2).max(1);
        }
    }

    /// Tries to leave out each part of `size` steps, the last first. Returns whether one can be.
    fn pass<E>(
        &mut self,
        size: usize,
        shows: &mut impl FnMut(&[usize]) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let before = self.kept.len();
        let mut end = before;
        while end > 0 && self.runs < self.max_runs {
            let start = end.saturating_sub(size);
            let mut rest = self.kept.clone();
            rest.drain(start..end);
            self.runs += 1;
            if shows(&rest)? {
                self.kept = rest;
            }
            end = start;
        }
        Ok(self.kept.len() < before)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn search(steps: usize, max_runs: u32, needed: &[usize]) -> (Search, bool) {
        let mut search = Search { kept: (0..steps).collect(), runs: 0, max_runs };
        let shows = |kept: &[usize]| {
            let has = |step: &usize| kept.contains(step);
            Ok::<_, std::convert::Infallible>(needed.iter().all(has))
        };
        let Ok(is_minimal) = search.run(shows);
        (search, is_minimal)
    }

    proptest! {
        #[test]
        fn only_the_needed_steps_are_left(
            steps in 1_usize..300,
            needed in prop::collection::btree_set(0_usize..300, 0..6),
        ) {
            let needed: Vec<_> = needed.into_iter().filter(|step| *step < steps).collect();
            let (search, is_minimal) = search(steps, u32::MAX, &needed);
            prop_assert!(is_minimal);
            prop_assert_eq!(&search.kept, &needed);
            // Each needed step costs two runs for each size; the rest is cut away in large parts.
            let runs = usize::try_from(search.runs).unwrap();
            prop_assert!(runs <= 12 * 2 * (needed.len() + 1), "{runs} runs");
        }

        #[test]
        fn the_limit_of_runs_is_kept(steps in 1_usize..300, max_runs in 0_u32..40) {
            let (search, is_minimal) = search(steps, max_runs, &[0, steps / 2]);
            prop_assert!(search.runs <= max_runs);
            prop_assert!(search.kept.contains(&0) && search.kept.contains(&(steps / 2)));
            prop_assert!(!is_minimal || search.kept.len() <= 2);
        }
    }
}
