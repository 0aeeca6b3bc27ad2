//! One register against all others.

use super::element::Element;
use super::elements::Elements;
use super::random::Random;
use crate::bench::Bench;
use crate::device::{PciDevice, Slot};
use crate::layout;

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
        if element.slot == accessed.slot {
            continue;
        }
        let (expected, found) = (before | set_by_test(element, accessed), element.peek(bench));
        assert!(
            found == expected,
            "accesses to {accessed} change {element} from {before:#x} to {found:#x}, \
             which ought to be {expected:#x}"
        );
    }
}

/// The bits of a register that a test register sets when all of its own are written.
fn set_by_test(element: &Element, accessed: &Element) -> u64 {
    let register = accessed.register;
    let tested = register.declared_sets().map(|place| Slot::new(place, 0));
    if Some(element.slot) == tested {
        element.implemented & layout::width_mask(register.width().into())
    } else {
        0
    }
}
