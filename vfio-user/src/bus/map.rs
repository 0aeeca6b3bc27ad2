//! The map from offsets of a BAR to registers.

use std::ops::Range;

use super::areas::Areas;
use super::choice::{Candidate, Choice};
use super::element::{AccessKind, Element, Found, Gap, Target};
use super::fast_run::{FastAccess, FastRun};
use crate::layout::{CONFIG, Extent};
use crate::model::{Block, Descriptor, Register, RegisterFlags, Slot};

/// A run of elements without a gap.
#[derive(Clone, Copy, Debug)]
struct Run {
    start: u64,
    end: u64,
    content: Content,
    /// The width of an element, as a power of two.
    shift: u32,
    /// The index of the element at `start`.
    first_index: u64,
    /// The fast path to the registers, if they have one.
    fast: Option<FastRun>,
}

/// The content of a run.
#[derive(Clone, Copy, Debug)]
enum Content {
    /// A target that answers every access.
    Target(Target),
    /// The index of a choice between registers.
    Choice(usize),
}

/// A part of a BAR.
#[derive(Clone, Copy, Debug)]
struct Cell {
    /// The number of runs that start at its first byte or before.
    first: u32,
    /// The number of runs that start before its end.
    end: u32,
}

/// The registers of a BAR, in address order.
///
/// A table lists for each cell of the BAR the runs that may start in it, so that a search covers
/// few runs. There are about as many cells as runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct BarMap {
    runs: Box<[Run]>,
    /// The registers that answer some accesses only.
    choices: Box<[Choice]>,
    cells: Box<[Cell]>,
    /// The fast path of the last run in each cell: most cells have no other.
    fast_runs: Box<[FastRun]>,
    /// The size of a cell, as a power of two.
    cell_shift: u32,
    areas: Areas,
}

impl BarMap {
    /// Creates the map of BAR `bar`.
    pub(crate) fn new(descriptor: &Descriptor, bar: u8) -> Self {
        let declared = descriptor.bars().get(usize::from(bar)).copied().flatten();
        let has_memory = declared.is_some_and(|bar| bar.is_shared());
        let mut parts = Parts { has_memory, ..Parts::default() };
        for (register_index, register) in descriptor.registers().iter().enumerate() {
            if register.bar() == bar {
                parts.push_register(descriptor, register, Slot::new(register_index, 0), 0);
            }
        }
        for (block_index, block) in descriptor.blocks().iter().enumerate() {
            if block.bar() == bar {
                parts.push_block(descriptor, block, block_index);
            }
        }
        if let Some(msix) = descriptor.msix_layout()
            && msix.bar == bar
        {
            parts.runs.push(Run::quadwords(&msix.table_extent(), Target::MsixTable));
            parts.runs.push(Run::quadwords(&msix.pba_extent(), Target::MsixPba));
        }
        let Parts { mut runs, candidates, .. } = parts;
        let choices = Choice::all(candidates);
        runs.extend(
            choices.iter().enumerate().map(|(index, choice)| Run::of_choice(choice, index)),
        );
        runs.sort_unstable_by_key(|run| run.start);
        let rules = descriptor.bars().get(usize::from(bar)).copied().flatten();
        if rules.is_some_and(|bar| bar.accepts_all() && !bar.is_big_endian()) {
            for run in &mut runs {
                run.fast = run.find_fast_run(descriptor);
            }
        }
        let (cells, cell_shift) = cells(&runs);
        let last = |cell: &Cell| runs.get((cell.end as usize).checked_sub(1)?)?.fast;
        let fast_runs = cells.iter().map(|cell| last(cell).unwrap_or(FastRun::NONE)).collect();
        BarMap {
            runs: runs.into(),
            choices: choices.into(),
            cells,
            fast_runs,
            cell_shift,
            areas: Areas::new(descriptor, bar),
        }
    }

    /// Returns the parts of the BAR that are not made of registers.
    #[inline]
    pub(crate) fn areas(&self) -> &Areas {
        &self.areas
    }

    /// Returns whether the author serves the BAR outside its areas: it has neither registers nor
    /// MSI-X structures, and no range of it is declared as raw.
    pub(crate) fn is_unregistered(&self) -> bool {
        self.runs.is_empty() && !self.areas.has_raw()
    }

    /// Returns the number of runs that start at `offset` or before.
    #[inline]
    fn before(&self, offset: u64) -> usize {
        let cell = usize::try_from(offset >> self.cell_shift).ok();
        let Some(cell) = cell.and_then(|cell| self.cells.get(cell)) else {
            return self.runs.len();
        };
        let (first, end) = (cell.first as usize, cell.end as usize);
        if first == end {
            return first;
        }
        first + self.runs[first..end].partition_point(|run| run.start <= offset)
    }

    /// Returns the fast path of an access, if there is one: most accesses have one.
    #[inline]
    pub(crate) fn fast_access(&self, offset: u64, len: usize) -> Option<FastAccess<'_>> {
        let cell = usize::try_from(offset >> self.cell_shift).ok()?;
        let fast_run = self.fast_runs.get(cell).filter(|fast_run| fast_run.contains(offset));
        let fast_run =
            if let Some(fast_run) = fast_run { fast_run } else { self.search_fast_run(offset)? };
        fast_run.fast_access(offset, len)
    }

    #[inline(never)]
    fn search_fast_run(&self, offset: u64) -> Option<&FastRun> {
        let run = self.runs.get(self.before(offset).wrapping_sub(1))?;
        run.fast.as_ref().filter(|fast_run| fast_run.contains(offset))
    }

    /// Returns the element that answers an access at `offset`; `load` returns the stored value of a
    /// register.
    #[inline]
    pub(crate) fn find(
        &self,
        offset: u64,
        access: AccessKind,
        descriptor: &Descriptor,
        load: impl Fn(Slot) -> u64,
    ) -> Found {
        let run = self.run(offset).map_err(|end| Gap { end, silent: None })?;
        match run.content {
            Content::Target(target) => Ok(run.element(target, offset)),
            Content::Choice(choice) => self.choices[choice].find(offset, access, descriptor, load),
        }
    }

    /// Returns the run at `offset`, or else the start of the next one.
    #[inline]
    fn run(&self, offset: u64) -> Result<&Run, Option<u64>> {
        let after = self.before(offset);
        match after.checked_sub(1).map(|before| &self.runs[before]) {
            Some(run) if offset < run.end => Ok(run),
            _ => Err(self.runs.get(after).map(|run| run.start)),
        }
    }

    /// Returns the target nearest to `offset`, and its start.
    pub(crate) fn nearest(&self, offset: u64) -> Option<(Target, u64)> {
        let after = self.before(offset);
        let before = after.checked_sub(1).map(|before| &self.runs[before]);
        let next = self.runs.get(after);
        let run = match (before, next) {
            (Some(before), Some(next)) => {
                let behind = offset.saturating_sub(before.end);
                if behind <= next.start - offset { before } else { next }
            }
            (before, next) => before.or(next)?,
        };
        let target = match run.content {
            Content::Target(target) => target,
            Content::Choice(choice) => Target::Register(self.choices[choice].first()),
        };
        Some((target, run.start))
    }

    /// Returns the first part of a range that belongs to a target, up to the end of the element.
    pub(crate) fn first_part(&self, range: Range<usize>) -> Option<Range<usize>> {
        let (start, end) = (range.start as u64, range.end as u64);
        let start = match self.run(start) {
            Ok(_) => start,
            Err(next) => next.filter(|next| *next < end)?,
        };
        let run = self.run(start).ok()?;
        let own_end = match run.content {
            Content::Target(target) => run.element(target, start).end,
            Content::Choice(_) => run.end,
        };
        let narrow = |at: u64| usize::try_from(at).ok();
        (start < end).then_some(narrow(start)?..narrow(own_end.min(end))?)
    }
}

impl Run {
    fn quadwords(extent: &Extent<'_>, target: Target) -> Self {
        let (start, end) = (extent.offset, extent.offset + extent.width);
        let content = Content::Target(target);
        Run { start, end, content, shift: 3, first_index: 0, fast: None }
    }

    fn of_choice(choice: &Choice, index: usize) -> Self {
        let (start, end, content) = (choice.start, choice.end, Content::Choice(index));
        Run { start, end, content, shift: 0, first_index: 0, fast: None }
    }

    fn find_fast_run(&self, descriptor: &Descriptor) -> Option<FastRun> {
        let Content::Target(Target::Register(first)) = self.content else { return None };
        let register = descriptor.register(first);
        let store_only = register.store_only().filter(|_| !register.is_big(false))?;
        let first = Slot { element: usize::try_from(self.first_index).ok()?, ..first };
        FastRun::new(self.start..self.end, self.shift, first, store_only)
    }

    fn candidate(&self, slot: Slot) -> Candidate {
        let Run { start, end, shift, first_index, .. } = *self;
        Candidate { start, end, slot, shift, first_index }
    }

    fn element(&self, target: Target, offset: u64) -> Element {
        let index = (offset - self.start) >> self.shift;
        let start = self.start + (index << self.shift);
        Element {
            target,
            index: usize::try_from(self.first_index + index).unwrap_or(usize::MAX),
            start,
            end: start + (1 << self.shift),
        }
    }
}

/// Divides the BAR into as many cells as runs, or up to twice as many, from the start of the BAR to
/// the last run. Cells are no smaller than a doubleword.
fn cells(runs: &[Run]) -> (Box<[Cell]>, u32) {
    let Some(last) = runs.last() else { return (Box::default(), 0) };
    let per_run = last.start / runs.len() as u64;
    let shift = per_run.checked_ilog2().unwrap_or(0).max(2);
    let count = |start: u64| {
        let runs = runs.partition_point(|run| run.start < start);
        u32::try_from(runs).expect("the runs of a BAR fit in memory")
    };
    let cells = (0..=last.start >> shift).map(|cell| {
        let (start, end) = (cell << shift, (cell + 1) << shift);
        Cell { first: count(start + 1), end: count(end) }
    });
    (cells.collect(), shift)
}

/// The parts of a map before they are in order.
#[derive(Default)]
struct Parts {
    runs: Vec<Run>,
    candidates: Vec<Candidate>,
    /// Whether accesses to watched registers reach memory.
    has_memory: bool,
}

impl Parts {
    fn push_block(&mut self, descriptor: &Descriptor, block: &Block, block_index: usize) {
        let elements = 0..block.count() as usize;
        // Of elements that share bytes, the first one stands for all.
        for element in elements.filter(|element| block.is_first_selected(*element)) {
            let start = block.offset_of(element);
            for (register_index, register) in block.registers().iter().enumerate() {
                let slot = Slot::new(register_index, 0).in_block(block_index, element);
                self.push_register(descriptor, register, slot, start);
            }
        }
    }

    /// Returns the elements of a register that accesses reach.
    fn runs_of(
        &self,
        register: &Register,
        slot: Slot,
        start: u64,
    ) -> impl Iterator<Item = Run> + use<> {
        let is_memory = self.has_memory && register.is(RegisterFlags::WATCH);
        runs(register, slot, start).filter(move |_| !is_memory)
    }

    /// Adds the elements of a register, whose offset counts from `start`.
    fn push_register(
        &mut self,
        descriptor: &Descriptor,
        register: &Register,
        slot: Slot,
        start: u64,
    ) {
        let is_present = descriptor.is_present(slot);
        // Configuration space has bytes everywhere: what is missing there reads zero.
        if !is_present && descriptor.locate(slot).0 == CONFIG {
            return;
        }
        let runs = self.runs_of(register, slot, start);
        let block = slot.block.map(|at| &descriptor.blocks()[at.block]);
        let is_selected = block.is_some_and(Block::is_selected);
        if is_selected || !is_present || register.is_conditional() {
            self.candidates.extend(runs.map(|run| run.candidate(slot)));
        } else {
            self.runs.extend(runs);
        }
    }
}

/// Returns the elements of a register, whose offset counts from `start`.
fn runs(register: &Register, slot: Slot, start: u64) -> impl Iterator<Item = Run> + use<> {
    let Extent { offset, width, count, stride, .. } = register.extent();
    let shift = register.width().ilog2();
    let (runs, elements) = if stride == width && count > 0 { (1, count) } else { (count, 1) };
    (0..runs).map(move |index| {
        let start = start + offset + index * stride;
        let (end, content) = (start + elements * width, Content::Target(Target::Register(slot)));
        Run { start, end, content, shift, first_index: index, fast: None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::BarKind;
    use crate::model::{Bar, Ids, Policy};

    const REGISTERS: &[Register] = &[
        Register::new::<u32>("tail", 0x104).with_count(4).with_stride(8),
        Register::new::<u32>("head", 0x100).with_count(4).with_stride(8),
        Register::new::<u16>("ring", 0x10).with_count(3),
    ];

    const DESCRIPTOR: Descriptor = Descriptor::new(
        "test",
        Ids { vendor: 1, device: 1, class: 0, revision: 0, subsystem_vendor: 0, subsystem: 0 },
    )
    .with_bar(0, Bar::new(BarKind::Mem32, 0x1000))
    .with_registers(REGISTERS);

    #[test]
    fn offsets_find_their_elements_and_gaps_their_ends() {
        let map = BarMap::new(&DESCRIPTOR, 0);
        let found = |offset| find(&map, &DESCRIPTOR, offset);
        assert_eq!(found(0x0), Err(Some(0x10)));
        let register = |index| Target::Register(Slot::new(index, 0));
        assert_eq!(found(0x13), Ok((register(2), 1)));
        assert_eq!(found(0x16), Err(Some(0x100)));
        assert_eq!(found(0x10a), Ok((register(1), 1)));
        assert_eq!(found(0x10c), Ok((register(0), 1)));
        assert_eq!(found(0x120), Err(None));
        assert_eq!(found(u64::MAX), Err(None));
    }

    /// Finds the target and the index at an offset, or the next target.
    fn find(
        map: &BarMap,
        descriptor: &Descriptor,
        offset: u64,
    ) -> Result<(Target, usize), Option<u64>> {
        let found = element(map, descriptor, offset).map_err(|gap| gap.end)?;
        Ok((found.target, found.index))
    }

    fn element(map: &BarMap, descriptor: &Descriptor, offset: u64) -> Found {
        map.find(offset, AccessKind { is_write: false, size: 1 }, descriptor, |_| 0)
    }

    /// Dense registers, a gap, a register without a fast path, and one that crosses cells.
    #[test]
    fn the_short_way_leads_to_the_same_register() {
        const MIXED: &[Register] = &[
            Register::new::<u32>("a", 0x00),
            Register::new::<u32>("b", 0x04),
            Register::new::<u8>("c", 0x08).with_count(4),
            Register::new::<u32>("status", 0x0c).with_policy(Policy::W1c),
            Register::new::<u64>("d", 0x10).with_count(2),
            Register::new::<u16>("e", 0x22),
            Register::new::<u16>("ring", 0x40).with_count(8).with_stride(4),
        ];
        let descriptor = DESCRIPTOR.with_registers(MIXED);
        let map = BarMap::new(&descriptor, 0);
        for (offset, len) in (0..0x80).flat_map(|at| [1, 2, 4, 8].map(|len| (at, len))) {
            let found = element(&map, &descriptor, offset).ok();
            let inside = found.filter(|found| offset + len <= found.end);
            let expected = inside.and_then(|found| {
                let Target::Register(first) = found.target else { return None };
                let slot = Slot { element: found.index, ..first };
                descriptor.register(slot).store_only()?;
                let is_whole = offset == found.start && offset + len == found.end;
                Some((slot, (offset - found.start) * 8, is_whole))
            });
            let short = map.fast_access(offset, usize::try_from(len).unwrap());
            let short = short.map(|short| (short.slot, short.shift, short.is_whole));
            assert_eq!(short, expected, "{len} bytes at {offset:#x}");
        }
    }

    /// Registers for which the table of cells helps little: many at the far end.
    #[test]
    fn crowded_cells_are_searched() {
        const CROWD: &[Register] = &[
            Register::new::<u8>("first", 0),
            Register::new::<u8>("crowd", 0xf00).with_count(64).with_stride(2),
        ];
        let descriptor = DESCRIPTOR.with_registers(CROWD);
        let map = BarMap::new(&descriptor, 0);
        let find = |offset| find(&map, &descriptor, offset).map(|(_, index)| index);
        assert_eq!(find(1), Err(Some(0xf00)));
        for index in 0..64 {
            let at = 0xf00 + 2 * index as u64;
            assert_eq!(find(at), Ok(index));
            assert_eq!(find(at + 1), Err((index < 63).then_some(at + 2)));
        }
        assert_eq!(map.nearest(0xeff), Some((Target::Register(Slot::new(1, 0)), 0xf00)));
        assert_eq!(map.nearest(0x10), Some((Target::Register(Slot::new(0, 0)), 0)));
    }
}
