//! The states of a migration and their transitions (`VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE` of
//! Linux, without peer-to-peer).

use MigrationState::{PreCopy, Resuming, Running, Stop, StopCopy};

use crate::protocol::MigrationState;

/// Returns the first state on the shortest path; `None` if there is no path, or the state does not
/// change.
pub const fn next(current: MigrationState, target: MigrationState) -> Option<MigrationState> {
    Some(match (current, target) {
        (Running, PreCopy) => PreCopy,
        (Stop | PreCopy, StopCopy) => StopCopy,
        (Stop, Resuming) => Resuming,
        (Stop, Running | PreCopy) | (PreCopy, Stop | Running | Resuming) => Running,
        (Running, Stop | StopCopy | Resuming)
        | (StopCopy, Stop | Running | Resuming)
        | (Resuming, Stop | Running | StopCopy | PreCopy) => Stop,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [MigrationState; 5] = [Stop, Running, StopCopy, Resuming, PreCopy];
    /// The transitions that a device implements; all others are composed of these.
    const ARCS: [(MigrationState, MigrationState); 9] = [
        (Running, Stop),
        (Stop, Running),
        (Stop, StopCopy),
        (StopCopy, Stop),
        (Running, PreCopy),
        (PreCopy, Running),
        (PreCopy, StopCopy),
        (Stop, Resuming),
        (Resuming, Stop),
    ];

    /// Returns the least number of arcs, without passing through a state that saves.
    fn distance(from: MigrationState, to: MigrationState) -> Option<usize> {
        let mut reached = vec![from];
        for length in 0..STATES.len() {
            if reached.contains(&to) {
                return Some(length);
            }
            let steps = ARCS.iter().filter(|(start, end)| {
                let saves = |state| matches!(state, StopCopy | PreCopy);
                reached.contains(start)
                    && (*start == from || !saves(*start))
                    && (*end == to || !saves(*end))
            });
            let ends: Vec<_> = steps.map(|(_, end)| *end).collect();
            reached.extend(ends);
        }
        None
    }

    #[test]
    fn every_way_is_the_shortest_and_made_of_arcs() {
        for from in STATES {
            for to in STATES {
                let (mut state, mut length) = (from, 0);
                while let Some(hop) = next(state, to) {
                    assert!(ARCS.contains(&(state, hop)), "{state:?} to {hop:?}");
                    (state, length) = (hop, length + 1);
                }
                let expected = match (from, to) {
                    // The protocol forbids it.
                    (StopCopy, PreCopy) => None,
                    _ => distance(from, to),
                };
                let walked = (state == to).then_some(length);
                assert_eq!(walked, expected, "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn nothing_leads_to_what_there_is_not_or_out_of_an_error() {
        use MigrationState::{Error, PreCopyP2p, RunningP2p};
        for state in STATES {
            for other in [Error, RunningP2p, PreCopyP2p] {
                assert_eq!(next(state, other), None);
                assert_eq!(next(other, state), None);
            }
            assert_eq!(next(state, state), None);
        }
    }
}
