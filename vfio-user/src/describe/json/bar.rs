//! BARs, and the blocks of registers in them.

use std::ops::Range;

use serde::Serialize;

use super::register::{Bits, Register};
use super::{Composed, Hex};
use crate::describe::{self, Family, phrases};
use crate::layout::BarKind;
use crate::model::{self, Descriptor, MemoryRange, Unaligned, Unmapped, UnmodelledRange};

#[derive(Serialize)]
pub(super) struct Bar {
    index: u8,
    kind: &'static str,
    size: Hex,
    prefetchable: bool,
    mirrors: Option<u8>,
    shared: Vec<Area>,
    raw: Vec<Area>,
    big_endian: bool,
    access: Sizes,
    access_in: Vec<SizesIn>,
    unaligned: &'static str,
    unmapped: &'static str,
    registers: Vec<Register>,
    blocks: Vec<Block>,
    memories: Vec<Memory>,
    unmodelled: Vec<Unmodelled>,
}

#[derive(Serialize)]
struct Sizes {
    smallest: u8,
    largest: u8,
}

#[derive(Serialize)]
struct SizesIn {
    start: Hex,
    end: Hex,
    #[serde(flatten)]
    sizes: Sizes,
}

#[derive(Serialize)]
struct Area {
    start: Hex,
    end: Hex,
}

#[derive(Serialize)]
pub(super) struct Block {
    name: &'static str,
    doc: &'static str,
    offset: Hex,
    size: Hex,
    count: u32,
    stride: Hex,
    selected_by: Option<Bits>,
    composed: Vec<Composed>,
    vector_stride: u16,
    registers: Vec<Register>,
    blocks: Vec<Block>,
}

#[derive(Serialize)]
struct Memory {
    name: &'static str,
    doc: &'static str,
    start: Hex,
    end: Hex,
    acts_on_writes: bool,
    reset: &'static str,
}

#[derive(Serialize)]
struct Unmodelled {
    name: &'static str,
    start: Hex,
    end: Hex,
    stored: bool,
}

impl Bar {
    pub(super) fn of(descriptor: &Descriptor, index: u8, bar: &model::Bar) -> Self {
        Bar {
            index,
            kind: kind(bar.kind()),
            size: Hex(bar.size()),
            prefetchable: bar.is_prefetchable(),
            mirrors: bar.mirrored(),
            shared: bar.shared_areas().map(Area::of).collect(),
            raw: bar.raw_ranges().iter().map(|(start, end)| Area::of(*start..*end)).collect(),
            big_endian: bar.is_big_endian(),
            access: Sizes::of(bar.sizes()),
            access_in: bar.sizes_in().iter().map(SizesIn::of).collect(),
            unaligned: unaligned(bar.unaligned()),
            unmapped: unmapped(bar.unmapped()),
            registers: registers(descriptor, index),
            blocks: blocks(descriptor, index),
            memories: describe::memories(descriptor, index).into_iter().map(Memory::of).collect(),
            unmodelled: describe::unmodelled(descriptor, index)
                .into_iter()
                .map(Unmodelled::of)
                .collect(),
        }
    }
}

/// Returns the registers of a BAR outside blocks.
pub(super) fn registers(descriptor: &Descriptor, index: u8) -> Vec<Register> {
    let registers = describe::registers(descriptor, index).into_iter();
    registers.map(|one| Register::of(one, Family::of(descriptor))).collect()
}

pub(super) fn blocks(descriptor: &Descriptor, index: u8) -> Vec<Block> {
    Block::all(descriptor, describe::blocks(descriptor, index))
}

impl Block {
    fn all(descriptor: &Descriptor, blocks: Vec<&'static model::Block>) -> Vec<Self> {
        blocks.into_iter().map(|block| Block::of(descriptor, block)).collect()
    }

    fn of(descriptor: &Descriptor, block: &'static model::Block) -> Self {
        let extent = block.extent();
        let around = describe::registers_around(descriptor, block);
        let registers = describe::registers_in(descriptor, block).into_iter();
        let family = Family::of_block(block);
        let selected_by = block.selector();
        Block {
            name: block.name(),
            doc: block.doc(),
            offset: Hex(extent.offset),
            size: Hex(extent.width),
            count: block.own_count(),
            stride: Hex(extent.stride),
            selected_by: selected_by.and_then(|bits| Bits::of(bits.register, bits.mask, around)),
            composed: Composed::all(family),
            vector_stride: block.vector_stride(),
            registers: registers.map(|one| Register::of(one, family)).collect(),
            blocks: Block::all(descriptor, describe::blocks_in(descriptor, block)),
        }
    }
}

impl Memory {
    fn of(memory: &MemoryRange) -> Self {
        Memory {
            name: memory.name(),
            doc: memory.doc(),
            start: Hex(memory.start()),
            end: Hex(memory.end()),
            acts_on_writes: memory.has_hook(),
            reset: phrases::memory_reset(memory.reset()),
        }
    }
}

impl Unmodelled {
    fn of(place: &UnmodelledRange) -> Self {
        Unmodelled {
            name: place.name(),
            start: Hex(place.start()),
            end: Hex(place.end()),
            stored: place.is_stored(),
        }
    }
}

impl Sizes {
    fn of(sizes: model::Sizes) -> Self {
        Sizes { smallest: sizes.smallest(), largest: sizes.largest() }
    }
}

impl SizesIn {
    fn of(part: &model::SizesIn) -> Self {
        SizesIn { start: Hex(part.start), end: Hex(part.end), sizes: Sizes::of(part.sizes) }
    }
}

impl Area {
    fn of(area: Range<u64>) -> Self {
        Area { start: Hex(area.start), end: Hex(area.end) }
    }
}

fn kind(kind: BarKind) -> &'static str {
    match kind {
        BarKind::Mem32 => "mem32",
        BarKind::Mem64 => "mem64",
        BarKind::Io => "io",
    }
}

fn unaligned(unaligned: Unaligned) -> &'static str {
    match unaligned {
        Unaligned::Split => "split",
        Unaligned::Ignore => "ignore",
    }
}

fn unmapped(unmapped: Unmapped) -> &'static str {
    match unmapped {
        Unmapped::Zero => "zero",
        Unmapped::Ones => "ones",
        Unmapped::Refuse => "refuse",
    }
}
