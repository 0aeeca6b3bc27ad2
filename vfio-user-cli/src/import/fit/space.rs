//! The bytes of a space that are taken.

use std::collections::BTreeMap;

use super::super::map::{Array, Group, Node, Register};
use super::block::Block;

/// The taken bytes: the end of each run, by its start.
#[derive(Debug, Default)]
pub(super) struct Taken(BTreeMap<u64, u64>);

/// The most elements of an array.
pub(super) const ELEMENTS: u64 = 65_536;
/// The most registers that are repeated because they are arrays in arrays.
pub(super) const REPEATED: u64 = 10_000;

impl Taken {
    /// Takes the bytes of a register, or says why it cannot lie there.
    pub(super) fn register(&mut self, register: &Register) -> Result<(), String> {
        self.array(register.offset, register.bits / 8, register.array)
    }

    /// Takes all bytes of a block, between its registers as well.
    pub(super) fn block(&mut self, block: &Block) -> Result<(), String> {
        let alignment = block.alignment();
        let stride = block.array.map_or(0, |array| array.stride);
        if !block.offset.is_multiple_of(alignment) || !stride.is_multiple_of(alignment) {
            return Err(format!("it is not aligned to {alignment} bytes"));
        }
        self.array(block.offset, block.size(), block.array)
    }

    fn array(&mut self, offset: u64, size: u64, array: Option<Array>) -> Result<(), String> {
        let Array { count, stride } = array.unwrap_or(Array { count: 1, stride: size });
        if count > ELEMENTS {
            return Err(format!("an array has {count} elements, more than {ELEMENTS}"));
        }
        if count > 1 && stride < size {
            return Err(format!("its elements overlap: {size} bytes, every {stride}"));
        }
        let far = || "it lies behind the end of all addresses".to_owned();
        let last = (count - 1).checked_mul(stride).and_then(|last| last.checked_add(offset));
        let end = last.and_then(|last| last.checked_add(size)).ok_or_else(far)?;
        // Elements without gaps are one run.
        let (runs, step, length) =
            if stride == size || count == 1 { (1, 0, end - offset) } else { (count, stride, size) };
        for run in 0..runs {
            let start = offset + run * step;
            if self.is_taken(start, start + length) {
                return Err(format!("{start:#x} belongs to another register already"));
            }
        }
        for run in 0..runs {
            let start = offset + run * step;
            self.0.insert(start, start + length);
        }
        Ok(())
    }

    fn is_taken(&self, start: u64, end: u64) -> bool {
        let before = self.0.range(..end).next_back();
        before.is_some_and(|(_, taken)| *taken > start)
    }
}

/// Returns the registers of a group, with its name in front of theirs. An array of groups becomes
/// arrays of registers, and those that are arrays already are repeated, at most `left` times in
/// all. A group that is returned could not be repeated.
pub(super) fn flatten(group: Group, left: &mut u64) -> Vec<Node> {
    let Group { name, offset, array, nodes, .. } = group;
    let mut flat = Vec::new();
    for node in nodes {
        let inner = match node {
            Node::Register(register) => vec![Node::Register(register)],
            Node::Group(group) => flatten(group, left),
        };
        for node in inner {
            match node {
                Node::Register(register) => match (array, register.array) {
                    (Some(array), Some(_)) => {
                        repeat(&register, &name, offset, array, left, &mut flat);
                    }
                    (outer, inner) => {
                        let array = outer.or(inner);
                        flat.push(Node::Register(moved(&register, &name, offset, array)));
                    }
                },
                Node::Group(mut group) => {
                    group.name = format!("{name}_{}", group.name);
                    flat.push(Node::Group(group));
                }
            }
        }
    }
    flat
}

/// Adds an array for each group of an array of groups.
fn repeat(
    register: &Register,
    name: &str,
    offset: u64,
    array: Array,
    left: &mut u64,
    flat: &mut Vec<Node>,
) {
    let Some(rest) = left.checked_sub(array.count) else {
        let name = format!("{name}_{}", register.name);
        flat.push(Node::Group(Group {
            name,
            doc: String::new(),
            offset,
            array: Some(array),
            nodes: Vec::new(),
            notes: Vec::new(),
        }));
        return;
    };
    *left = rest;
    flat.extend((0..array.count).map(|index| {
        let start = offset.saturating_add(index.saturating_mul(array.stride));
        Node::Register(moved(register, &format!("{name}{index}"), start, register.array))
    }));
}

fn moved(register: &Register, name: &str, offset: u64, array: Option<Array>) -> Register {
    let offset = register.offset.saturating_add(offset);
    let name = format!("{name}_{}", register.name);
    Register { name, offset, array, ..register.clone() }
}
