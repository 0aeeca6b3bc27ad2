//! Tests the values of registers at first and after resets.

use super::element::Element;
use super::elements::Elements;
use super::random::Random;
use crate::bench::Bench;
use crate::device::PciDevice;
use crate::model::ResetKind;

pub(super) fn check<D: PciDevice>(bench: &mut Bench<D>, elements: &Elements, constructed: &D) {
    for element in settled(elements) {
        let expected = expected(element, constructed);
        let found = element.peek(bench);
        let is_expected = (found ^ expected) & element.settled == 0;
        assert!(is_expected, "{element} is constructed as {found:#x} and not {expected:#x}");
    }
    let kinds = [ResetKind::FunctionLevel, ResetKind::PowerState, ResetKind::Device];
    let soft = bench.function().descriptor().soft_domains().map(ResetKind::Soft);
    for kind in kinds.into_iter().chain(soft) {
        check_reset(bench, elements, constructed, kind);
    }
}

fn check_reset<D: PciDevice>(
    bench: &mut Bench<D>,
    elements: &Elements,
    constructed: &D,
    kind: ResetKind,
) {
    let mut random = Random::new(0);
    for element in settled(elements) {
        element.poke(bench, random.bits());
    }
    let before = elements.peek_all(bench);
    bench.reset_by(kind);
    for (element, before) in elements.all().iter().zip(before) {
        let survives = bench.function().descriptor().survives(element.slot, kind);
        let expected = if survives { before } else { expected(element, constructed) };
        let found = element.peek(bench);
        assert!(
            (found ^ expected) & element.settled == 0 || element.is_excluded(),
            "{element} is {found:#x} and not {expected:#x} after a reset ({kind:?})"
        );
    }
}

fn settled(elements: &Elements) -> impl Iterator<Item = &Element> {
    elements.all().iter().filter(|element| !element.is_excluded())
}

fn expected<D: PciDevice>(element: &Element, constructed: &D) -> u64 {
    let declared = element.register.reset();
    let bits = declared.unwrap_or_else(|| constructed.load(element.slot));
    bits & element.implemented
}
