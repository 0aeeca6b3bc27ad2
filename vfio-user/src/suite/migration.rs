//! State that leaves a device and becomes another's.

use super::elements::Elements;
use super::random::Random;
use super::script::{Script, Snapshot};
use crate::bench::Bench;
use crate::device::PciDevice;

/// Accesses before the state is saved.
const STEPS: u64 = 500;
/// The most bits that are flipped, and the most lengths that a stream is cut to.
const MOST: usize = 1 << 11;
/// As much is read again and again of a long stream, in bytes: then there are fewer.
const PATIENCE: usize = 1 << 24;

/// A device that is used, and its state.
fn used<D: PciDevice>(bench: &mut Bench<D>, elements: &Elements, seed: u64) -> Vec<u8> {
    let mut script = Script::new(bench, elements, seed);
    (0..STEPS).for_each(|_| script.step(bench));
    bench.save()
}

/// Whatever a guest has done to a device, another one that loads its state cannot be told from it, then and
/// whatever is done to both.
pub(super) fn check_round_trip<D: PciDevice>(
    source: &mut Bench<D>,
    target: &mut Bench<D>,
    elements: &Elements,
    seed: u64,
) {
    let stream = used(source, elements, seed);
    load(target, &stream);
    assert_same(source, target, elements, "after its state was loaded");
    assert!(target.save() == stream, "what was loaded is saved as something else");
    let mut scripts = [&*source, &*target].map(|bench| Script::new(bench, elements, !seed));
    for _ in 0..STEPS {
        scripts[0].step(source);
        scripts[1].step(target);
    }
    assert_same(source, target, elements, "when a guest uses it after its state was loaded");
}

/// What stays as it is unless a guest changes it is the same.
fn assert_same<D: PciDevice>(
    source: &mut Bench<D>,
    target: &mut Bench<D>,
    elements: &Elements,
    when: &str,
) {
    for element in elements.all() {
        let (expected, found) = (element.peek(source), element.peek(target));
        assert!(
            (found ^ expected) & element.settled == 0 || !element.register.migrates(),
            "{element} is {found:#x} {when}, where its source has {expected:#x}"
        );
    }
    let [before, after] = [Snapshot::take(source, elements), Snapshot::take(target, elements)];
    assert_eq!(after.config, before.config, "configuration space {when}");
}

/// A stream that is damaged is refused, and the device that it was for is what it was.
pub(super) fn check_damage<D: PciDevice>(
    source: &mut Bench<D>,
    target: &mut Bench<D>,
    elements: &Elements,
) {
    let mut stream = used(source, elements, 0);
    // One that has been used as well, in another way.
    let before = used(target, elements, 1);
    let len = stream.len();
    let most = (PATIENCE / len).clamp(32, MOST);
    for len in (0..len).step_by(len / most + 1) {
        let loaded = target.load(&stream[..len]);
        assert!(loaded.is_err(), "the first {len} bytes of a state are taken for one");
    }
    let bits = len * 8;
    let mut random = Random::new(2);
    for bit in (0..bits).step_by(bits / most + 1) {
        // Of a long stream any bit in between.
        let any = usize::try_from(random.bits() >> 1).unwrap_or(0);
        let bit = (bit + any % (bits / most + 1)).min(bits - 1);
        stream[bit / 8] ^= 1 << (bit % 8);
        assert!(target.load(&stream).is_err(), "bit {bit} of a state is flipped without notice");
        stream[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(target.save() == before, "a state that was refused has changed the device");
    load(target, &stream);
}

fn load<D: PciDevice>(bench: &mut Bench<D>, stream: &[u8]) {
    if let Err(error) = bench.load(stream) {
        panic!("the device does not load its own state: {error}");
    }
}
