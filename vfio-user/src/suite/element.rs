//! A register of a device.

use std::fmt;
use std::iter;
use std::ops::Range;

use super::Exempt;
use super::byte_lanes::{ByteLanes, accepts, lanes, rules};
use super::model::Model;
use crate::bench::Bench;
use crate::device::PciDevice;
use crate::model::{Bar, Block, Descriptor, Hooks, Register, RegisterBits, Slot, Untested};
use crate::protocol::RegionIndex;

/// Bits of a register on which it depends whether another one answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Poke {
    pub(super) slot: Slot,
    pub(super) bits: u64,
    pub(super) mask: u64,
}

/// A register, or an element of an array of them.
#[derive(Clone, Debug)]
pub(super) struct Element {
    pub(super) register: &'static Register,
    pub(super) slot: Slot,
    block: Option<&'static Block>,
    /// The BAR, or the number of configuration space.
    pub(super) bar: u8,
    pub(super) offset: u64,
    /// Whether the most significant byte is the first one.
    is_big: bool,
    pub(super) implemented: u64,
    /// The pokes after which it answers accesses: the registers, and their bits.
    pub(super) pokes: Vec<Poke>,
    /// The bits that a test may poke. Hooks rely on what software cannot change.
    pub(super) pokable: u64,
    /// Whether a read has effects, or may return another value the next time.
    pub(super) is_noisy: bool,
    /// The implemented bits that do not change by themselves.
    pub(super) settled: u64,
    /// The bits that follow their policies. On the bench nothing changes by itself, but hooks may
    /// change volatile bits.
    pub(super) predictable: u64,
    /// Whether tests do not access it.
    is_untouched: bool,
    /// The reason why its policies cannot be tested.
    pub(super) exempt: Option<Exempt>,
    /// The accesses that reach it alone.
    pub(super) lanes: Vec<ByteLanes>,
}

impl Element {
    pub(super) fn new(
        descriptor: &Descriptor,
        register: &'static Register,
        slot: Slot,
        excluded: &[&str],
    ) -> Self {
        let block = slot.block.map(|at| &descriptor.blocks()[at.block]);
        let model = Model::new(register);
        let mut element = Element {
            register,
            slot,
            block,
            bar: block.map_or(register.bar(), Block::bar),
            offset: descriptor.locate(slot).1,
            is_big: descriptor.is_big(slot),
            pokes: Vec::new(),
            implemented: model.implemented(),
            pokable: 0,
            is_noisy: register.volatile_bits() != 0
                || model.is_changed_by_reads()
                || register.depends_on_size(),
            settled: model.implemented() & !register.volatile_bits(),
            predictable: u64::MAX,
            is_untouched: false,
            exempt: None,
            lanes: Vec::new(),
        };
        if register.is_stored() {
            let has_hooks = element.has_hooks();
            element.pokable = if has_hooks { model.writable() } else { model.implemented() };
        }
        if element.has_hooks() {
            element.predictable = !register.volatile_bits();
        }
        element.is_untouched = register.untested() == Some(Untested::All)
            || excluded.iter().any(|name| element.is_called(name));
        element.is_noisy |= register.window().is_some();
        element.is_noisy |= register.has(Hooks::READ_WITH) || register.has(Hooks::ON_READ);
        if let Some(bar) = rules(descriptor, element.bar) {
            element.lanes = lanes(register.width(), |lane| {
                accepts(&bar, element.address(lane), lane.len.into())
                    && register.answers_size(lane.len.into())
            });
        }
        element.pokes = pokes(descriptor, register, slot);
        element.exempt = element.exemption();
        element
    }

    fn exemption(&self) -> Option<Exempt> {
        if self.is_untouched || self.register.untested().is_some() {
            Some(Exempt::Excluded)
        } else if self.register.window().is_some() {
            Some(Exempt::Window)
        } else if self.register.has(Hooks::READ_WITH) {
            Some(Exempt::ReadWith)
        } else if self.register.has(Hooks::WRITE_WITH) {
            Some(Exempt::WriteWith)
        } else if self.register.has(Hooks::LOCK_WITH) {
            Some(Exempt::LockWith)
        } else if self.implemented & self.predictable == 0 && self.implemented != 0 {
            Some(Exempt::Volatile)
        } else if self.whole().iter().map(|lane| lane.len).sum::<u8>() < self.register.width() {
            Some(Exempt::Unreachable)
        } else {
            None
        }
    }

    /// Returns the bits of a read that may differ on two devices: a window may show such bits.
    pub(super) fn unsettled(&self) -> u64 {
        match self.register.window() {
            Some(_) => u64::MAX,
            None => self.register.volatile_bits(),
        }
    }

    /// Returns its name without indices.
    pub(super) fn declared(&self) -> String {
        let register = self.register.name();
        self.block.map_or(register.to_owned(), |block| format!("{}.{register}", block.name()))
    }

    /// Whether this is its own name, that of its array, or that of its block.
    pub(super) fn is_called(&self, name: &str) -> bool {
        let is_block = self.block.is_some_and(|block| block.name() == name);
        is_block || self.declared() == name || self.to_string() == name
    }

    /// Returns the register as it lies in a mirror, with the accesses that both BARs accept.
    pub(super) fn in_mirror(&self, bar: u8, rules: &Bar) -> Self {
        let mut shown = Element { bar, ..self.clone() };
        shown.lanes.retain(|lane| accepts(rules, self.address(*lane), lane.len.into()));
        shown
    }

    /// Returns the offset of the first byte of a lane in the BAR.
    pub(super) fn address(&self, lane: ByteLanes) -> u64 {
        let width = self.register.width();
        let first = if self.is_big { width - lane.first - lane.len } else { lane.first };
        self.offset + u64::from(first)
    }

    /// Returns the number of the byte of the value that lies at an offset of the BAR.
    pub(super) fn byte_at(&self, at: u64) -> u64 {
        self.register.significance(self.is_big, at - self.offset)
    }

    /// Returns its bytes in the BAR.
    pub(super) fn range(&self) -> Range<u64> {
        self.offset..self.offset + u64::from(self.register.width())
    }

    /// Whether it does not answer every access to its bytes.
    pub(super) fn is_conditional(&self) -> bool {
        let is_selected = self.block.is_some_and(|block| block.selector().is_some());
        is_selected || self.register.is_conditional()
    }

    pub(super) fn is_excluded(&self) -> bool {
        self.is_untouched
    }

    /// Whether a write to the register may lock it.
    pub(super) fn locks_itself(&self) -> bool {
        let lock = self.register.lock();
        self.register.has(Hooks::LOCK_WITH)
            || lock.is_some_and(|lock| lock.register == self.slot.register)
    }

    pub(super) fn has_hooks(&self) -> bool {
        let is_window = self.register.window().is_some();
        is_window || Hooks::all().iter().any(|hook| self.register.has(hook))
    }

    /// Returns the fewest lanes that cover the register.
    pub(super) fn whole(&self) -> Vec<ByteLanes> {
        let mut whole = Vec::new();
        let mut first = 0;
        while let Some(lane) = self.lanes.iter().rfind(|lane| lane.first == first) {
            first += lane.len;
            whole.push(*lane);
        }
        whole
    }

    /// Whether it is one of the first two of its array, or the last.
    pub(super) fn is_sample(&self) -> bool {
        let is_sample = |index, count: u32| index <= 1 || index + 1 == count as usize;
        let (block, at) = (self.block, self.slot.block);
        is_sample(self.slot.element, self.register.count())
            && block.zip(at).is_none_or(|(block, at)| is_sample(at.element, block.count()))
    }
}

/// Accesses on the bench.
impl Element {
    /// Returns the value; 0 of a window, which holds none.
    pub(super) fn peek<D: PciDevice>(&self, bench: &Bench<D>) -> u64 {
        if self.register.window().is_some() {
            return 0;
        }
        bench.function().peek_slot(self.slot).bits()
    }

    /// Sets the bits that tests may change and its type can represent, and returns the new value.
    pub(super) fn poke<D: PciDevice>(&self, bench: &mut Bench<D>, bits: u64) -> u64 {
        let old = self.peek(bench);
        let new = (old & !self.pokable) | (bits & self.pokable);
        let fields = self.register.fields().iter();
        let unknown = fields.filter(|field| !field.values.contains(field.extract(new)));
        let pokable = unknown.fold(self.pokable, |pokable, field| pokable & !field.mask());
        self.poke_bits(bench, bits, pokable);
        (old & !pokable) | (bits & pokable)
    }

    /// Sets the bits of `mask` to those of `bits`.
    pub(super) fn poke_bits<D: PciDevice>(&self, bench: &mut Bench<D>, bits: u64, mask: u64) {
        // A register without storage holds nothing.
        let _ = bench.function_mut().poke_slot(self.slot, bits & mask, mask);
    }

    /// Writes all of it as a guest does, whatever the reply.
    pub(super) fn write_as_guest<D: PciDevice>(&self, bench: &mut Bench<D>, value: u64) {
        let bytes = value.to_le_bytes();
        for lane in self.whole() {
            let offset = self.offset + u64::from(lane.first);
            let _ = bench.try_write(self.region(), offset, &bytes[lane.bytes()]);
        }
    }

    /// Makes it answer accesses, by a poke of the registers on which that depends.
    pub(super) fn reach<D: PciDevice>(&self, bench: &mut Bench<D>) {
        for Poke { slot, bits, mask } in &self.pokes {
            let _ = bench.function_mut().poke_slot(*slot, *bits, *mask);
        }
    }

    /// Writes the bytes of a lane of `value`, which is that of the whole register. Does nothing if
    /// another register answers writes.
    pub(super) fn write<D: PciDevice>(&self, bench: &mut Bench<D>, lane: ByteLanes, value: u64) {
        if !self.register.answers(true) {
            return;
        }
        self.reach(bench);
        let mut bytes = value.to_le_bytes();
        let bytes = self.order(&mut bytes[lane.bytes()]);
        let written = bench.try_write(self.region(), self.address(lane), bytes);
        assert_eq!(written, Ok(()), "write of {self} at {lane}");
    }

    /// Reads the bytes of a lane, as bits of the whole register; zeros if another register answers
    /// reads.
    pub(super) fn read<D: PciDevice>(&self, bench: &mut Bench<D>, lane: ByteLanes) -> u64 {
        if !self.register.answers(false) {
            return 0;
        }
        self.reach(bench);
        let mut bytes = [0; 8];
        let read = bench.try_read(self.region(), self.address(lane), &mut bytes[lane.bytes()]);
        assert_eq!(read, Ok(()), "read of {self} at {lane}");
        self.order(&mut bytes[lane.bytes()]);
        u64::from_le_bytes(bytes)
    }

    /// Writes the first bytes of a register that takes bytes.
    pub(super) fn write_bytes<D: PciDevice>(&self, bench: &mut Bench<D>, len: u8, bytes: &[u8]) {
        self.reach(bench);
        let written = bench.try_write(self.region(), self.offset, bytes);
        assert_eq!(written, Ok(()), "write of {len} bytes of {self}");
    }

    /// Reads the first bytes of a register that takes bytes.
    pub(super) fn read_bytes<D: PciDevice>(&self, bench: &mut Bench<D>, len: u8) -> Vec<u8> {
        self.reach(bench);
        let mut bytes = vec![0; len.into()];
        let read = bench.try_read(self.region(), self.offset, &mut bytes);
        assert_eq!(read, Ok(()), "read of {len} bytes of {self}");
        bytes
    }

    /// Returns the bytes of a lane of `value` in the order of their addresses.
    pub(super) fn bytes(&self, lane: ByteLanes, value: u64) -> Vec<u8> {
        let mut bytes = value.to_le_bytes();
        self.order(&mut bytes[lane.bytes()]).to_vec()
    }

    /// Returns the bits of the register that these bytes of a lane are.
    pub(super) fn bits(&self, lane: ByteLanes, mut bytes: Vec<u8>) -> u64 {
        let mut bits = [0; 8];
        bits[lane.bytes()].copy_from_slice(self.order(&mut bytes));
        u64::from_le_bytes(bits)
    }

    /// Changes the order of bytes from little-endian to that of the register, or back.
    fn order<'a>(&self, bytes: &'a mut [u8]) -> &'a [u8] {
        if self.is_big {
            bytes.reverse();
        }
        bytes
    }

    fn region(&self) -> RegionIndex {
        RegionIndex::ALL[usize::from(self.bar)]
    }
}

/// `status`, `ring[3]`, `queues[3].doorbell`.
impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(block), Some(at)) = (self.block, self.slot.block) {
            write!(f, "{}.", block.element(at.element))?;
        }
        f.write_str(self.register.name())?;
        if self.register.count() > 1 { write!(f, "[{}]", self.slot.element) } else { Ok(()) }
    }
}

/// Returns the pokes after which a register answers accesses.
fn pokes(descriptor: &Descriptor, register: &Register, slot: Slot) -> Vec<Poke> {
    let beside = |bits: RegisterBits| Slot { register: bits.register, element: 0, ..slot };
    let condition = register.condition().and_then(|condition| {
        let (value, _) = condition.values.first()?;
        Some(Poke::new(beside(condition.bits), condition.bits, *value))
    });
    let selector = register.selector();
    let selector = selector.map(|bits| Poke::new(beside(bits), bits, slot.element as u64));
    let blocks = iter::successors(slot.block, |at| descriptor.around(*at));
    let blocks = blocks.filter_map(|at| {
        let block = &descriptor.blocks()[at.block];
        let bits = block.selector()?;
        let selecting = Slot { block: descriptor.around(at), register: bits.register, element: 0 };
        Some(Poke::new(selecting, bits, (at.element % block.own_count() as usize) as u64))
    });
    condition.into_iter().chain(selector).chain(blocks).collect()
}

impl Poke {
    fn new(slot: Slot, bits: RegisterBits, value: u64) -> Self {
        Poke { slot, bits: bits.with(value), mask: bits.mask }
    }
}
