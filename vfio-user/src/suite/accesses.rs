//! Tests accesses of every size at every alignment.

use std::collections::BTreeSet;
use std::ops::Range;

use super::byte_lanes::{accepts, rules};
use super::element::Element;
use super::elements::Elements;
use super::random::Random;
use crate::bench::Bench;
use crate::device::PciDevice;
use crate::layout::CONFIG;
use crate::model::spec::cfg;
use crate::model::{Bar, Descriptor, Unmapped};
use crate::protocol::{Errno, RegionIndex};

/// The access sizes of processors, then sizes that only a message has.
const LENGTHS: [u64; 9] = [1, 2, 4, 8, 3, 5, 7, 12, 33];
/// The distance around registers that is tested.
const AROUND: u64 = 9;
/// The most registers of a device with tests around them.
const MOST: usize = 256;

pub(super) fn check<D: PciDevice>(bench: &mut Bench<D>, elements: &Elements) {
    let areas = areas(bench.function().descriptor(), elements);
    for area in areas.into_iter().filter(|area| !area.is_free) {
        let mut random = Random::new(area.bar.into());
        let accesses = area.accesses(elements);
        for access in &accesses {
            area.check_read(bench, elements, access);
        }
        for access in &accesses {
            area.check_write(bench, elements, access, &mut random);
        }
        // Registers hold values from the earlier accesses.
        for access in &accesses {
            area.check_read(bench, elements, access);
        }
    }
}

/// A BAR, and the offsets to try.
pub(super) struct AccessedBar {
    pub(super) bar: u8,
    /// The BAR whose registers it shows: itself, or the one that it mirrors.
    pub(super) origin: u8,
    rules: Bar,
    /// Its own rules, if it is a mirror.
    mirror: Option<Bar>,
    size: u64,
    /// The bytes of memories and of places without a model, which accept every access.
    memories: Vec<Range<u64>>,
    /// The bytes that the author serves.
    raw: Vec<Range<u64>>,
    pub(super) offsets: BTreeSet<u64>,
    /// There are no registers, so the accesses must only be harmless.
    is_free: bool,
}

/// Returns every BAR and configuration space, around registers, MSI-X structures and ends.
pub(super) fn areas(descriptor: &Descriptor, elements: &Elements) -> Vec<AccessedBar> {
    let bars = [0, 1, 2, 3, 4, 5, CONFIG].into_iter();
    bars.filter_map(|bar| AccessedBar::new(descriptor, elements, bar)).collect()
}

impl AccessedBar {
    fn new(descriptor: &Descriptor, elements: &Elements, bar: u8) -> Option<Self> {
        let own = rules(descriptor, bar)?;
        let size = if bar == CONFIG { descriptor.config_size() as u64 } else { own.size() };
        let accessed = bar;
        let bar = descriptor.origin(bar);
        let (rules, mirror) = (rules(descriptor, bar)?, (accessed != bar).then_some(own));
        let mut ranges = vec![0..0, size..size];
        if bar == CONFIG {
            ranges.push(0..cfg::CONVENTIONAL_SIZE as u64);
        }
        let has_msix = descriptor.msix_layout().is_some_and(|msix| msix.bar == bar);
        let is_free = bar != CONFIG && !has_msix && elements.all_of(bar).next().is_none();
        ranges.extend(elements.all_of(bar).step_by(elements.all().len() / MOST + 1));
        if let Some(msix) = descriptor.msix_layout().filter(|msix| msix.bar == bar) {
            ranges.extend([msix.table, msix.pba].map(|at| at..at + 16));
        }
        let memories = descriptor.memories().iter();
        let memories = memories.filter(|memory| memory.bar() == bar);
        let memories = memories.map(|memory| memory.start()..memory.end());
        let unmodelled = descriptor.unmodelled().iter();
        let unmodelled = unmodelled.filter(|place| place.bar() == bar);
        let unmodelled = unmodelled.map(|place| place.start()..place.end());
        let memories: Vec<_> = memories.chain(unmodelled).collect();
        ranges.extend(memories.iter().flat_map(|at| [at.start..at.start, at.end..at.end]));
        let raw: Vec<_> = rules.raw_ranges().iter().map(|(start, end)| *start..*end).collect();
        ranges.extend(raw.iter().flat_map(|at| [at.start..at.start, at.end..at.end]));
        let around =
            |range: Range<u64>| range.start.saturating_sub(AROUND)..(range.end + AROUND).min(size);
        let offsets: BTreeSet<_> = ranges.into_iter().flat_map(around).collect();
        let offsets = offsets.range(..=size).copied().collect();
        Some(AccessedBar {
            bar: accessed,
            origin: bar,
            rules,
            mirror,
            size,
            memories,
            raw,
            offsets,
            is_free,
        })
    }

    /// Returns the accesses that lie inside and do not touch excluded registers.
    fn accesses(&self, elements: &Elements) -> Vec<Range<u64>> {
        let at = |offset: &u64| LENGTHS.map(|len| *offset..*offset + len);
        let accesses = self.offsets.iter().flat_map(at);
        let inside = accesses.filter(|access| access.end <= self.size);
        inside.filter(|access| elements.allow(self.origin, access)).collect()
    }

    fn region(&self) -> RegionIndex {
        RegionIndex::ALL[usize::from(self.bar)]
    }

    fn check_read<D: PciDevice>(
        &self,
        bench: &mut Bench<D>,
        elements: &Elements,
        access: &Range<u64>,
    ) {
        let expected = self.expected_bytes(bench, elements, access);
        let mut found = vec![0; length(access)];
        let read = bench.try_read(self.region(), access.start, &mut found);
        self.check_answer(elements, access, "read", read);
        if let (Ok(()), Some(expected)) = (read, expected) {
            assert_eq!(found, expected, "{}", self.describe("read", access));
        }
    }

    fn check_write<D: PciDevice>(
        &self,
        bench: &mut Bench<D>,
        elements: &Elements,
        access: &Range<u64>,
        random: &mut Random,
    ) {
        let data = random.bytes(length(access));
        let written = bench.try_write(self.region(), access.start, &data);
        self.check_answer(elements, access, "write", written);
        bench.handle_events();
    }

    fn check_answer(
        &self,
        elements: &Elements,
        access: &Range<u64>,
        verb: &str,
        answer: Result<(), Errno>,
    ) {
        match self.refuses(elements, access) {
            Some(true) => assert!(answer.is_err(), "{} answered", self.describe(verb, access)),
            Some(false) => assert_eq!(answer, Ok(()), "{}", self.describe(verb, access)),
            None => {}
        }
    }

    fn describe(&self, verb: &str, access: &Range<u64>) -> String {
        let (region, len, start) = (self.region(), length(access), access.start);
        format!("{len}-byte {verb} of {region} at {start:#x}")
    }

    /// Whether the client should receive an error, if the declaration determines it.
    fn refuses(&self, elements: &Elements, access: &Range<u64>) -> Option<bool> {
        if self.rules.unmapped() != Unmapped::Refuse && !self.is_raw(access) {
            return Some(false);
        }
        if self.is_raw(access) {
            return None;
        }
        // What lies behind a mirror may accept more than the mirror.
        if let Some(mirror) = self.mirror.filter(|mirror| !mirror.accepts_all()) {
            if !is_processors(access) {
                return None;
            }
            if !accepts(&mirror, access.start, access.end - access.start) {
                return Some(true);
            }
        }
        match self.in_memory(access) {
            0 => {}
            bytes if bytes == access.end - access.start => return Some(false),
            _ => return None,
        }
        if elements.within(self.origin, access).any(Element::is_conditional) {
            return None;
        }
        let mapped: u64 = elements
            .within(self.origin, access)
            .map(Element::range)
            .map(|own| own.end.min(access.end) - own.start.max(access.start))
            .sum();
        if mapped < access.end - access.start {
            return Some(true);
        }
        is_processors(access).then(|| !self.accepts(access))
    }

    /// Returns the bytes as read one by one, or the value of an access that is not accepted;
    /// nothing if a read has effects, or touches memory.
    fn expected_bytes<D: PciDevice>(
        &self,
        bench: &mut Bench<D>,
        elements: &Elements,
        access: &Range<u64>,
    ) -> Option<Vec<u8>> {
        if self.in_memory(access) > 0 || self.is_raw(access) {
            return None;
        }
        if is_processors(access) && !self.accepts(access) {
            let is_ones = self.rules.unmapped() == Unmapped::Ones;
            return Some(vec![if is_ones { 0xff } else { 0 }; length(access)]);
        }
        if elements.within(self.origin, access).any(|element| element.is_noisy) {
            return None;
        }
        let byte = |at| {
            let mut byte = [0];
            let is_byte = self.accepts(&(at..at + 1));
            let read = is_byte && bench.try_read(self.region(), at, &mut byte).is_ok();
            read.then_some(byte[0])
        };
        access.clone().map(byte).collect()
    }

    /// Returns the number of bytes in memory, shared or not, which accepts every access.
    fn in_memory(&self, access: &Range<u64>) -> u64 {
        let areas = self.rules.shared_areas().chain(self.memories.iter().cloned());
        areas
            .map(|area| area.end.min(access.end).saturating_sub(area.start.max(access.start)))
            .sum()
    }

    /// Whether the author serves some of the bytes.
    fn is_raw(&self, access: &Range<u64>) -> bool {
        self.raw.iter().any(|raw| raw.start < access.end && access.start < raw.end)
    }

    fn accepts(&self, access: &Range<u64>) -> bool {
        let (start, len) = (access.start, access.end - access.start);
        let mut rules = std::iter::once(&self.rules).chain(&self.mirror);
        rules.all(|rules| accepts(rules, start, len))
    }
}

/// Whether a processor can make the access, and it is not split.
fn is_processors(access: &Range<u64>) -> bool {
    matches!(access.end - access.start, 1 | 2 | 4 | 8)
}

fn length(access: &Range<u64>) -> usize {
    (access.start..access.end).count()
}
