//! Registers that share bytes, of which one answers an access.

use super::element::{AccessKind, Element, Found, Gap, Silence, Silent, Target};
use crate::model::{BlockElement, Descriptor, RegisterBits, Slot};

/// Bytes that several registers share, or that belong to a register that does not always answer.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) start: u64,
    pub(super) end: u64,
    candidates: Box<[Candidate]>,
}

/// A run of elements of a register that answers some accesses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Element 0 of the register.
    pub(super) slot: Slot,
    /// The width of an element, as a power of two.
    pub(super) shift: u32,
    /// The index of the element at `start`.
    pub(super) first_index: u64,
}

impl Choice {
    /// Groups candidates that share bytes. Where elements of all candidates end, a group ends as
    /// well, so that groups are small.
    pub(super) fn all(mut candidates: Vec<Candidate>) -> Vec<Choice> {
        candidates.sort_by_key(|candidate| candidate.start);
        let (mut choices, mut rest) = (Vec::new(), &candidates[..]);
        while let Some(first) = rest.first() {
            let mut end = first.end;
            let mut len = 0;
            while let Some(next) = rest.get(len).filter(|next| next.start < end) {
                end = end.max(next.end);
                len += 1;
            }
            choices.extend(cut(&rest[..len]));
            rest = &rest[len..];
        }
        choices
    }

    /// Returns a register of the choice, for messages.
    pub(super) fn first(&self) -> Slot {
        self.candidates[0].slot
    }

    /// Returns the element that answers at an offset.
    #[inline(never)]
    pub(super) fn find(
        &self,
        offset: u64,
        access: AccessKind,
        descriptor: &Descriptor,
        load: impl Fn(Slot) -> u64,
    ) -> Found {
        let (mut end, mut silent) = (self.end, None::<Silent>);
        for candidate in self.candidates.iter().filter(|candidate| offset < candidate.end) {
            if offset < candidate.start {
                end = end.min(candidate.start);
                continue;
            }
            let (slot, answer) = candidate.answer(offset, access, descriptor, &load);
            let (element_start, element_end) = candidate.element(offset);
            let Err(reason) = answer else {
                let (target, index) = (Target::Register(slot), slot.element);
                return Ok(Element { target, index, start: element_start, end: element_end });
            };
            end = end.min(element_end);
            if silent.is_none_or(|silent| silent.reason < reason) {
                silent = Some(Silent { slot, reason });
            }
        }
        Err(Gap { end: Some(end), silent })
    }
}

impl Candidate {
    /// Returns the start and the end of the element at an offset.
    fn element(&self, offset: u64) -> (u64, u64) {
        let start = self.start + ((offset - self.start) >> self.shift << self.shift);
        (start, start + (1 << self.shift))
    }

    /// Returns the slot at an offset, and whether it answers an access.
    fn answer(
        &self,
        offset: u64,
        access: AccessKind,
        descriptor: &Descriptor,
        load: &impl Fn(Slot) -> u64,
    ) -> (Slot, Result<(), Silence>) {
        let element = self.first_index + ((offset - self.start) >> self.shift);
        let mut slot =
            Slot { element: usize::try_from(element).unwrap_or(usize::MAX), ..self.slot };
        let answer = select(&mut slot, access, descriptor, load);
        (slot, answer)
    }

    /// Returns the elements that lie in a range, whose ends are ends of elements.
    fn within(&self, start: u64, end: u64) -> Option<Self> {
        let clipped = (self.start.max(start), self.end.min(end));
        let first_index = self.first_index + ((clipped.0.saturating_sub(self.start)) >> self.shift);
        let (start, end) = clipped;
        (start < end).then_some(Candidate { start, end, first_index, ..*self })
    }
}

/// Checks whether a register answers an access, and moves the slot to the selected element.
fn select(
    slot: &mut Slot,
    access: AccessKind,
    descriptor: &Descriptor,
    load: &impl Fn(Slot) -> u64,
) -> Result<(), Silence> {
    let register = descriptor.register(*slot);
    if !register.answers(access.is_write) {
        return Err(Silence::Direction);
    }
    if !register.answers_size(access.size) {
        return Err(Silence::Size);
    }
    if let Some(at) = slot.block
        && descriptor.blocks()[at.block].is_selected()
    {
        slot.block = Some(selected_element(at, descriptor, load)?);
    }
    let beside = |bits: RegisterBits| Slot { register: bits.register, element: 0, ..*slot };
    if let Some(condition) = register.condition() {
        let value = load(beside(condition.bits));
        if !condition.holds(value) {
            return Err(Silence::Condition(condition.bits.of(value)));
        }
    }
    if !descriptor.is_present(*slot) {
        return Err(Silence::Absent);
    }
    if let Some(selector) = register.selector() {
        let chosen = index(load, selector, beside(selector), register.count());
        slot.element = chosen.map_err(Silence::Index)?;
    }
    Ok(())
}

/// Returns the element of a block that selectors choose: its own, and those of the blocks around
/// it.
fn selected_element(
    at: BlockElement,
    descriptor: &Descriptor,
    load: &impl Fn(Slot) -> u64,
) -> Result<BlockElement, Silence> {
    let block = &descriptor.blocks()[at.block];
    let around = descriptor.around(at);
    let around = around.map(|around| selected_element(around, descriptor, load)).transpose()?;
    let own = match block.selector() {
        Some(selector) => {
            let selecting = Slot { block: around, register: selector.register, element: 0 };
            let chosen = index(load, selector, selecting, block.own_count());
            chosen.map_err(|index| Silence::BlockIndex(at.block, index))?
        }
        None => at.element % block.own_count() as usize,
    };
    let before = around.map_or(0, |around| around.element * block.own_count() as usize);
    Ok(BlockElement { element: before + own, ..at })
}

/// Returns the index that a selector holds; one without element is an error.
fn index(
    load: &impl Fn(Slot) -> u64,
    selector: RegisterBits,
    slot: Slot,
    count: u32,
) -> Result<usize, u64> {
    let index = selector.of(load(slot));
    let element = usize::try_from(index).ok().filter(|_| index < count.into());
    element.ok_or(index)
}

/// Cuts a group of candidates at the offsets where no element of any of them is cut.
fn cut(group: &[Candidate]) -> Vec<Choice> {
    let ends = group.iter().flat_map(|candidate| [candidate.start, candidate.end]);
    let mut ends: Vec<_> = ends.filter(|at| !group.iter().any(|one| one.is_cut_at(*at))).collect();
    ends.sort_unstable();
    ends.dedup();
    let parts = ends.iter().zip(&ends[1..]);
    let choice = |(start, end): (&u64, &u64)| {
        let within = group.iter().filter_map(|candidate| candidate.within(*start, *end));
        Choice { start: *start, end: *end, candidates: within.collect() }
    };
    parts.map(choice).collect()
}

impl Candidate {
    /// Returns whether an offset lies inside an element.
    fn is_cut_at(&self, offset: u64) -> bool {
        let is_inside = self.start < offset && offset < self.end;
        is_inside && !(offset - self.start).is_multiple_of(1 << self.shift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Ids, Register};

    const PAGE: RegisterBits = RegisterBits::register(0);
    const REGISTERS: &[Register] = &[
        Register::new::<u8>("page", 0x20),
        Register::new::<u8>("bytes", 0x00).with_count(8).with_condition(PAGE, &[(0, 0)]),
        Register::new::<u16>("words", 0x00).with_count(4).with_condition(PAGE, &[(1, 1)]),
        Register::new::<u32>("long", 0x04).with_condition(PAGE, &[(2, 3)]),
        Register::new::<u16>("window", 0x08).with_count(5).with_selector(PAGE),
    ];
    const DESCRIPTOR: Descriptor = Descriptor::new(
        "test",
        Ids { vendor: 1, device: 1, class: 0, revision: 0, subsystem_vendor: 0, subsystem: 0 },
    )
    .with_registers(REGISTERS);

    fn candidate(register: usize, start: u64, end: u64, shift: u32) -> Candidate {
        Candidate { start, end, slot: Slot::new(register, 0), shift, first_index: 0 }
    }

    fn choices() -> Vec<Choice> {
        Choice::all(vec![
            candidate(1, 0, 8, 0),
            candidate(2, 0, 8, 1),
            candidate(3, 4, 8, 2),
            candidate(4, 8, 10, 1),
        ])
    }

    fn find(offset: u64, page: u64) -> Found {
        let choices = choices();
        let choice = choices.iter().find(|one| (one.start..one.end).contains(&offset));
        let read = AccessKind { is_write: false, size: 1 };
        choice.expect("there is one").find(offset, read, &DESCRIPTOR, |_| page)
    }

    #[test]
    fn groups_are_cut_where_no_element_is() {
        let ends: Vec<_> = choices().iter().map(|choice| (choice.start, choice.end)).collect();
        assert_eq!(ends, [(0, 4), (4, 8), (8, 10)]);
        let lens: Vec<_> = choices().iter().map(|choice| choice.candidates.len()).collect();
        assert_eq!(lens, [2, 3, 1]);
    }

    #[test]
    fn one_register_answers() {
        let found = |offset, page| {
            let element = find(offset, page).expect("one answers");
            let Target::Register(slot) = element.target else { panic!("{element:?}") };
            (slot.register, slot.element, element.start..element.end)
        };
        assert_eq!(found(5, 0), (1, 5, 5..6));
        assert_eq!(found(5, 1), (2, 2, 4..6));
        assert_eq!(found(5, 3), (3, 0, 4..8));
        assert_eq!(found(9, 4), (4, 4, 8..10));
    }

    #[test]
    fn a_gap_ends_where_something_may_answer() {
        let gap = |offset, page| {
            let gap = find(offset, page).expect_err("none answers");
            (gap.end, gap.silent.map(|silent| (silent.slot.register, silent.reason)))
        };
        assert_eq!(gap(3, 2), (Some(4), Some((1, Silence::Condition(2)))));
        assert_eq!(gap(4, 9), (Some(5), Some((1, Silence::Condition(9)))));
        assert_eq!(gap(8, 5), (Some(10), Some((4, Silence::Index(5)))));
    }
}
