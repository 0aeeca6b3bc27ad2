//! What the corpora hold, and random inputs, as many as take seconds. One test, because targets
//! count what the process has open.

use std::fs;
use std::path::Path;

use vfio_user_fuzz::{TARGETS, Target};

/// Random inputs of a target.
const INPUTS: u64 = 100;
/// The size of the largest of them, in bytes.
const LONGEST: u64 = 600;

#[test]
fn every_input_of_the_corpora_and_random_ones_are_survived() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for target in TARGETS {
        replay(target, &corpora.join(target.0));
        play_random(target);
    }
}

fn replay((name, run): &Target, corpus: &Path) {
    let mut inputs: Vec<_> = fs::read_dir(corpus)
        .expect("a corpus")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "{name} has no corpus");
    for path in inputs {
        eprintln!("{name}: {}", path.display());
        run(&fs::read(path).expect("an input"));
    }
}

/// Plays inputs of random bytes: the seed is always the same.
fn play_random((name, run): &Target) {
    let mut state = 1_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    for number in 0..INPUTS {
        let len = next() % LONGEST;
        let input: Vec<u8> = (0..len).map(|_| next().to_le_bytes()[0]).collect();
        eprintln!("{name}: random input {number}");
        run(&input);
    }
}
