//! One register against all others.

use super::element::Element;
use super::elements::Elements;
use super::random::Random;
use crate::bench::Bench;
use crate::device::{PciDevice, Slot};

pub(super) fn check<D: PciDevice>(bench: &mut Bench<D>, elements: &Elements) {
    let mut random = Random::new(0);
    for element in elements.tested().filter(|element| !element.has_hooks()) {
        let before = elements.peek_all(bench);
        for value in [u64::MAX, random.bits()] {
            for lane in element.whole() {
                element.write(bench, lane, value);
                element.read(bench, lane);
            }
        }
        compare(bench, elements, element, &before);
    }
}

fn compare<D: PciDevice>(
    bench: &Bench<D>,
    elements: &Elements,
    accessed: &Element,
    before: &[u64],
) {
    for (element, before) in elements.all().iter().zip(before) {
        let after = element.peek(bench);
        assert!(
            after == *before || is_meant(element, accessed),
            "accesses to {accessed} change {element} from {before:#x} to {after:#x}"
        );
    }
}

/// It is the register itself, or the one whose bits this test or clear register changes.
fn is_meant(element: &Element, accessed: &Element) -> bool {
    let Element { register, slot, .. } = accessed;
    let status = [register.declared_sets(), register.declared_clears()].into_iter().flatten();
    element.slot == *slot || status.map(|place| Slot::new(place, 0)).any(|it| it == element.slot)
}
