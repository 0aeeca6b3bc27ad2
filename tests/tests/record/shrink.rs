//! Recordings that become smaller and still show a fault.

use std::path::Path;

use vfio_user::Bench;
use vfio_user::record::{Difference, RecordingError, ReplayError, Shrunk, shrink};

use crate::device::{Flaw, Panel, drive, recorded};

fn difference(flaw: Flaw, recording: &Path) -> Option<Difference> {
    match Bench::replay(Panel::new(flaw), recording) {
        Err(ReplayError::Differs(difference)) => Some(*difference),
        _ => None,
    }
}

/// Shrinks a recording while the device without the flaw does the same, and the one with it
/// differs as at first.
fn shrunk(flaw: Flaw, recording: &Path, out: &Path) -> Shrunk {
    let first = difference(flaw, recording).unwrap();
    let shrunk = shrink(recording, out, 1000, |tried| {
        let is_good = Bench::replay(Panel::new(Flaw::None), tried).is_ok();
        let shows = difference(flaw, tried).is_some_and(|one| one.is_same(&first));
        Ok::<_, RecordingError>(is_good && shows)
    });
    let shrunk = shrunk.unwrap();
    assert!(shrunk.is_minimal, "{shrunk}");
    assert!(difference(flaw, out).unwrap().is_same(&first));
    Bench::replay(Panel::new(Flaw::None), out).unwrap();
    shrunk
}

#[test]
fn the_calls_that_a_wrong_value_needs_are_left() {
    let (folder, path) = recorded(Flaw::None, drive);
    let out = folder.path().join("small.rec");
    let first = shrunk(Flaw::Sum, &path, &out);
    // The writes of 1, 7 and 30, and the read of their sum.
    assert_eq!(first.after, 4, "{first}");
    assert!(first.before > 30 && first.runs < 200, "{first}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_smaller_recording_does_not_become_smaller_again() {
    for flaw in [Flaw::Silence, Flaw::Copy, Flaw::Panic] {
        let (folder, path) = recorded(Flaw::None, drive);
        let [once, twice] = ["once.rec", "twice.rec"].map(|name| folder.path().join(name));
        let first = shrunk(flaw, &path, &once);
        assert!(first.after < 12, "{flaw:?}: {first}");
        let second = shrunk(flaw, &once, &twice);
        assert_eq!((second.before, second.after), (first.after, first.after), "{flaw:?}");
    }
}

#[test]
fn a_limit_of_runs_and_a_damaged_recording_are_reported() {
    let (folder, path) = recorded(Flaw::None, drive);
    let out = folder.path().join("small.rec");
    let limited = shrink(&path, &out, 3, |_| Ok::<_, RecordingError>(false)).unwrap();
    assert_eq!((limited.runs, limited.after, limited.is_minimal), (3, limited.before, false));
    Bench::replay(Panel::new(Flaw::None), &out).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
    let cut = shrink(&path, &out, 3, |_| Ok(true));
    assert!(matches!(cut, Err(RecordingError::Truncated { .. })), "{cut:?}");
}
