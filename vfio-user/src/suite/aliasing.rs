//! Tests that an access to one register changes no other.

use super::element::Element;
use super::elements::Elements;
use super::random::Random;
use crate::bench::Bench;
use crate::device::PciDevice;
use crate::layout;
use crate::model::{Hooks, Slot};

pub(super) fn check<D: PciDevice>(bench: &mut Bench<D>, elements: &Elements) {
    let mut random = Random::new(0);
    for element in elements.tested().filter(|element| !element.has_hooks()) {
        element.reach(bench);
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
        // A register that follows an interrupt changes with the registers of that.
        if element.slot == accessed.slot || element.register.has(Hooks::ON_COMPOSED) {
            continue;
        }
        let (expected, found) = (expected(element, accessed, *before), element.peek(bench));
        assert!(
            found == expected,
            "accesses to {accessed} change {element} from {before:#x} to {found:#x}, \
             which ought to be {expected:#x}"
        );
    }
}

/// Returns the expected value of a register after all bits of another one were written. The other
/// register may be one that sets or clears its bits.
fn expected(element: &Element, accessed: &Element, before: u64) -> u64 {
    let register = accessed.register;
    let written = element.implemented & layout::width_mask(register.width().into());
    let is_meant = |place: Option<usize>| {
        place.is_some_and(|at| element.slot == Slot { register: at, element: 0, ..accessed.slot })
    };
    let set = if is_meant(register.sets()) { written } else { 0 };
    let cleared = if is_meant(register.clears()) { written } else { 0 };
    (before | set) & !cleared
}
