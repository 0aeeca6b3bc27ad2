//! Tests that peeking has no effects.

use super::element::Element;
use super::elements::Elements;
use super::random::Random;
use crate::bench::Bench;
use crate::device::PciDevice;

pub(super) fn check<D: PciDevice>(bench: &mut Bench<D>, elements: &Elements) {
    check_purity(bench, elements);
    check_pokes(bench, elements);
}

fn check_purity<D: PciDevice>(bench: &Bench<D>, elements: &Elements) {
    let first = elements.peek_all(bench);
    for (element, before) in elements.all().iter().zip(first) {
        let by_name = bench.function().peek(&element.to_string()).expect("it is declared");
        let again = element.peek(bench);
        assert!(again == before, "a peek changes {element} from {before:#x} to {again:#x}");
        assert!(
            by_name.bits() == before || element.register.window().is_some(),
            "{element} is {before:#x} by place and {:#x} by name",
            by_name.bits()
        );
    }
}

fn check_pokes<D: PciDevice>(bench: &mut Bench<D>, elements: &Elements) {
    let mut random = Random::new(0);
    let pokable = elements.all().iter().filter(|element| element.register.is_stored());
    for element in pokable.filter(|element| !element.is_excluded()) {
        for value in [u64::MAX, 0, random.bits()] {
            check_poke(bench, element, value);
        }
    }
}

fn check_poke<D: PciDevice>(bench: &mut Bench<D>, element: &Element, value: u64) {
    let expected = element.poke(bench, value);
    let found = element.peek(bench);
    assert!(found == expected, "{element} holds {found:#x} after a poke of {expected:#x}");
}
