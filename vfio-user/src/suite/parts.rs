//! Compares registers that are accessed in parts with the same registers accessed as a whole.

use std::fmt;

use super::byte_lanes::ByteLanes;
use super::element::Element;
use super::elements::Elements;
use super::random::Random;
use crate::bench::Bench;
use crate::device::PciDevice;
use crate::model::{Commit, Hooks, RegisterFlags};

/// Initial values of registers, and values to write.
const VALUES: [(u64, u64); 4] = [
    (0, u64::MAX),
    (u64::MAX, 0),
    (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210),
    (0xa5c3_3c5a_0f69_96f0, 0x5a3c_c3a5_f096_690f),
];

/// Uses two devices, one of which is accessed in parts. Hooks may remember accesses to a register,
/// so the next register gets two new devices.
pub(super) fn check<D: PciDevice>(construct: impl Fn() -> Bench<D>, elements: &Elements) {
    let mut pair = [construct(), construct()];
    for element in elements.all().iter().filter(|element| is_tested(element)) {
        check_writes(&mut pair, elements, element);
        check_reads(&mut pair, element);
        if element.has_hooks() {
            pair = [construct(), construct()];
        }
    }
}

/// Whether a register can be accessed in parts, and its hooks follow the policies.
fn is_tested(element: &Element) -> bool {
    element.is_sample()
        && element.register.untested().is_none()
        && !element.register.takes_bytes()
        && !element.is_excluded()
        && !splits(element).is_empty()
}

/// Returns ways to cut a register, each in address order.
fn splits(element: &Element) -> Vec<Vec<ByteLanes>> {
    let whole = element.whole();
    let covered: u8 = whole.iter().map(|lane| lane.len).sum();
    if covered < element.register.width() {
        return Vec::new();
    }
    let of_size = |len: u8| {
        let lanes = element.lanes.iter().filter(|lane| lane.len == len && lane.first % len == 0);
        let lanes: Vec<_> = lanes.copied().collect();
        (lanes.len() * usize::from(len) == usize::from(element.register.width())).then_some(lanes)
    };
    let mut splits: Vec<_> = [4, 2, 1].into_iter().filter_map(of_size).collect();
    splits.extend(middle(element));
    splits.retain(|split| split.len() > 1);
    splits
}

/// Returns one byte at each end, and the bytes between them.
fn middle(element: &Element) -> Option<Vec<ByteLanes>> {
    let width = element.register.width();
    let is_there = |lane: &ByteLanes| element.lanes.contains(lane);
    let mut split = vec![ByteLanes { first: 0, len: 1 }];
    let mut first = 1;
    while first + 1 < width {
        let rest = width - 1 - first;
        let len = [4, 2, 1].into_iter().find(|len| {
            let lane = ByteLanes { first, len: *len };
            *len <= rest && is_there(&lane)
        })?;
        split.push(ByteLanes { first, len });
        first += len;
    }
    split.push(ByteLanes { first: width - 1, len: 1 });
    (width > 2 && split.iter().all(is_there)).then_some(split)
}

/// Returns orders of the parts: ascending, descending, and mixed.
fn orders(split: &[ByteLanes], random: &mut Random) -> Vec<Vec<ByteLanes>> {
    let backwards: Vec<_> = split.iter().rev().copied().collect();
    let mut mixed = split.to_vec();
    for place in (1..mixed.len()).rev() {
        let other = usize::try_from(random.below(place as u64 + 1)).unwrap_or(0);
        mixed.swap(place, other);
    }
    vec![split.to_vec(), backwards, mixed]
}

fn check_writes<D: PciDevice>(pair: &mut [Bench<D>; 2], elements: &Elements, element: &Element) {
    // The part that locks a register keeps later parts out.
    if is_rejecting(element) || element.locks_itself() {
        return;
    }
    let mut random = Random::new(element.offset);
    for split in splits(element) {
        for order in orders(&split, &mut random) {
            if is_committed_last(element, &order) {
                for (old, new) in VALUES {
                    check_write(pair, elements, element, &order, (old, new));
                }
            }
        }
    }
}

/// Whether parts of a valid value may be without a variant.
fn is_rejecting(element: &Element) -> bool {
    element.register.fields().iter().any(|field| field.is_rejecting)
}

/// Whether the wide register takes effect only after all parts are written.
fn is_committed_last(element: &Element, order: &[ByteLanes]) -> bool {
    let Some(last) = order.last().filter(|_| element.register.is(RegisterFlags::WIDE)) else {
        return true;
    };
    let middle = element.register.width() / 2;
    match element.register.commit() {
        Commit::Whole => true,
        Commit::High => last.first + last.len > middle,
        Commit::Low => last.first < middle,
    }
}

/// Returns the fewest lanes that cover the register, those last with which a wide one takes effect.
fn committing(element: &Element) -> Vec<ByteLanes> {
    let mut whole = element.whole();
    if element.register.commit() == Commit::Low {
        whole.reverse();
    }
    whole
}

fn check_write<D: PciDevice>(
    pair: &mut [Bench<D>; 2],
    elements: &Elements,
    element: &Element,
    order: &[ByteLanes],
    (old, new): (u64, u64),
) {
    for bench in &mut *pair {
        prepare(bench, elements, element, old);
    }
    let [whole, parts] = pair;
    write(whole, element, &committing(element), new);
    write(parts, element, order, new);
    let what = Parts { verb: "written", element, order };
    compare(element, element.peek(whole), element.peek(parts), &what, "holds");
    let [expected, found] = [whole, parts].map(|bench| read(bench, element, &element.whole()));
    compare(element, expected, found, &what, "reads");
}

/// Sets the register to `old`, through its hook if that is the only way.
fn prepare<D: PciDevice>(bench: &mut Bench<D>, elements: &Elements, element: &Element, old: u64) {
    if element.register.access().once() != 0 {
        bench.reset();
    }
    elements.set_lock(bench, element, false);
    if element.register.has(Hooks::WRITE_WITH) {
        write(bench, element, &committing(element), old);
    }
    element.poke(bench, old);
}

fn write<D: PciDevice>(bench: &mut Bench<D>, element: &Element, lanes: &[ByteLanes], value: u64) {
    for lane in lanes {
        element.write(bench, *lane, value & lane.mask());
    }
}

fn read<D: PciDevice>(bench: &mut Bench<D>, element: &Element, lanes: &[ByteLanes]) -> u64 {
    lanes.iter().fold(0, |value, lane| value | element.read(bench, *lane))
}

/// A read of one part changes the whole field, so only parts that fit together are compared.
fn check_reads<D: PciDevice>(pair: &mut [Bench<D>; 2], element: &Element) {
    let is_changed = element.register.access().changed_by_reads() != 0;
    if is_changed && !element.register.latches_reads() {
        return;
    }
    let mut random = Random::new(element.offset);
    for split in splits(element) {
        for order in orders(&split, &mut random) {
            for (old, _) in VALUES {
                check_read(pair, element, &order, old);
            }
        }
    }
}

fn check_read<D: PciDevice>(
    pair: &mut [Bench<D>; 2],
    element: &Element,
    order: &[ByteLanes],
    old: u64,
) {
    for bench in &mut *pair {
        element.poke(bench, old);
    }
    let [whole, parts] = pair;
    let expected = read(whole, element, &element.whole());
    let found = read(parts, element, order);
    let what = Parts { verb: "read", element, order };
    compare(element, expected, found, &what, "reads");
    compare(element, element.peek(whole), element.peek(parts), &what, "holds");
}

#[track_caller]
fn compare(element: &Element, whole: u64, parts: u64, what: &Parts<'_>, verb: &str) {
    let hint = if element.has_hooks() {
        "; a register whose hooks cannot take parts is `wide`, or says `test(exclude = policies)`"
    } else {
        ""
    };
    assert!(
        (whole ^ parts) & element.predictable == 0,
        "{element} {verb} {parts:#x} after it was {what}, and {whole:#x} after the same as a \
         whole{hint}"
    );
}

/// `written as bytes 4..8, bytes 0..4`.
struct Parts<'a> {
    verb: &'a str,
    element: &'a Element,
    order: &'a [ByteLanes],
}

impl fmt::Display for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as", self.verb)?;
        for (place, lane) in self.order.iter().enumerate() {
            write!(f, "{} {lane}", if place == 0 { "" } else { "," })?;
        }
        if self.element.register.is(RegisterFlags::WIDE) { f.write_str(" (wide)") } else { Ok(()) }
    }
}
