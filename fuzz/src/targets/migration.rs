//! States that have been changed and sealed again: a device loads them, or stays as it is.

use std::sync::OnceLock;

use arbitrary::Arbitrary;
use vfio_user::{Bench, PciDevice};
use vfio_user_tests::language::Language;

use crate::active::Active;
use crate::sealed::{self, Edit};
use crate::stream;

#[derive(Arbitrary, Debug)]
enum Input {
    Language(Vec<Edit>),
    Active(Vec<Edit>),
    /// A stream that is no state of a device, after the first bytes of one.
    Stream {
        keep: u16,
        rest: Vec<u8>,
    },
}

/// Loads a state.
pub fn run(input: &[u8]) {
    static STATES: [OnceLock<Vec<u8>>; 2] = [OnceLock::new(), OnceLock::new()];
    let Some(input) = super::parse::<Input>(input) else { return };
    let language = STATES[0].get_or_init(used_language);
    let active = STATES[1].get_or_init(used_active);
    match input {
        Input::Language(edits) => load(Language::constructed, &changed(language, &edits)),
        Input::Active(edits) => load(Active::default, &changed(active, &edits)),
        Input::Stream { keep, rest } => {
            let keep = usize::from(keep).min(active.len());
            load(Active::default, &[&active[..keep], &rest].concat());
        }
    }
}

/// The state of a device all of whose registers have been written.
fn used_language() -> Vec<u8> {
    let mut bench = Bench::new(Language::constructed()).expect("a device");
    for (bar, bytes) in [(0, 0x2000), (1, 0x100), (5, 0x1000)] {
        for offset in (0..bytes).step_by(4) {
            // Not every register takes it.
            let index = vfio_user::protocol::RegionIndex::ALL[bar];
            let _ = bench.try_write(index, offset, &[1, 0, 1, 0]);
        }
    }
    bench.handle_events();
    bench.save()
}

fn used_active() -> Vec<u8> {
    let mut bench = Bench::new(Active::default()).expect("a device");
    bench.write_memory(0x1000, &[7; 64]);
    for (offset, value) in [(0x00, 0x1000), (0x08, 0x2000), (0x10, 64), (0x2c, 1 << 30), (0x24, 3)]
    {
        bench.write::<u32>(0, offset, value);
    }
    bench.handle_events();
    bench.shared(2).write(0x1ff0, &[9; 32]).expect("shared memory");
    bench.save()
}

fn changed(state: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut frames = stream::frames(state);
    sealed::apply(&mut frames, edits);
    stream::seal(state, &frames)
}

fn load<D: PciDevice>(construct: fn() -> D, stream: &[u8]) {
    let new = || Bench::new(construct()).expect("a device");
    let mut bench = new();
    let before = bench.save();
    if bench.load(stream).is_err() {
        let after = bench.save();
        assert_same(&after, &before, "a state that is refused changes nothing");
        return;
    }
    let loaded = bench.save();
    let mut other = new();
    other.load(&loaded).expect("what a device saves can be loaded");
    assert_same(&other.save(), &loaded, "what is loaded is what is saved");
}

#[track_caller]
fn assert_same(left: &[u8], right: &[u8], rule: &str) {
    assert_eq!(stream::contents(left), stream::contents(right), "{rule}");
}
