//! A register map, regardless of the format in which it came.

use super::problem::Problem;

/// All that a file describes.
#[derive(Debug)]
pub(super) struct Map {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) spaces: Vec<Space>,
    /// What makes it a PCI function, if the file is an export of one. Its names are Rust's.
    pub(super) pci: Option<Pci>,
}

/// The PCI function that was exported.
#[derive(Debug)]
pub(super) struct Pci {
    pub(super) vendor: u64,
    pub(super) device: u64,
    pub(super) class: u64,
    pub(super) revision: u64,
    pub(super) subsystem: (u64, u64),
    pub(super) is_express: bool,
    pub(super) bars: Vec<Bar>,
    pub(super) memories: Vec<Memory>,
    pub(super) unmodelled: Vec<Unmodelled>,
}

/// Plain bytes of a BAR.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    pub(super) doc: String,
    pub(super) bytes: Bytes,
    /// What a reset leaves in it, as an attribute has it.
    pub(super) reset: Option<&'static str>,
}

/// A place of a BAR without a model.
#[derive(Clone, Debug)]
pub(super) struct Unmodelled {
    pub(super) bytes: Bytes,
    /// Whether it holds what is written.
    pub(super) is_stored: bool,
}

/// Bytes of a BAR that have a name.
#[derive(Clone, Debug)]
pub(super) struct Bytes {
    pub(super) bar: u8,
    pub(super) name: String,
    pub(super) start: u64,
    pub(super) end: u64,
}

/// A BAR.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    pub(super) index: u8,
    pub(super) kind: &'static str,
    pub(super) size: u64,
    pub(super) is_prefetchable: bool,
}

/// Registers with a base address: a peripheral, or an address block.
#[derive(Debug)]
pub(super) struct Space {
    pub(super) name: String,
    pub(super) doc: String,
    /// The bytes that belong to it, at least.
    pub(super) size: u64,
    pub(super) nodes: Vec<Node>,
}

/// What lies in a space or a group.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Register(Register),
    Group(Group),
}

/// Registers with a common name.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) offset: u64,
    pub(super) array: Option<Array>,
    pub(super) nodes: Vec<Node>,
    pub(super) notes: Vec<String>,
}

/// Several of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Array {
    pub(super) count: u64,
    pub(super) stride: u64,
}

/// A register.
#[derive(Clone, Debug)]
pub(super) struct Register {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) offset: u64,
    pub(super) bits: u64,
    pub(super) array: Option<Array>,
    pub(super) policy: &'static str,
    pub(super) reset: Option<u64>,
    pub(super) fields: Vec<Field>,
    /// Another register at its place answers the accesses of the other direction.
    pub(super) is_overlaid: bool,
    /// What the language has no words for.
    pub(super) notes: Vec<String>,
}

/// A run of bits of a register.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) first: u64,
    pub(super) width: u64,
    pub(super) policy: &'static str,
    pub(super) values: Vec<Value>,
    /// The name of all values that have none.
    pub(super) other: Option<String>,
    /// What it resets to, where the register's reset value is not enough.
    pub(super) reset: Option<u64>,
    /// Writes of values without a name are not valid.
    pub(super) is_rejecting: bool,
    pub(super) notes: Vec<String>,
}

/// A value of a field that has a name.
#[expect(clippy::struct_field_names, reason = "a value has a value")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Value {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) value: u64,
}

impl Node {
    pub(super) fn offset(&self) -> u64 {
        match self {
            Node::Register(register) => register.offset,
            Node::Group(group) => group.offset,
        }
    }
}

/// What may still be read. Files refer to their own parts, so that a small one can describe a large
/// map.
#[derive(Debug)]
pub(super) struct Budget {
    registers: u32,
    steps: u32,
}

/// How deep groups may be nested.
pub(super) const DEPTH: usize = 16;

impl Budget {
    const REGISTERS: u32 = 100_000;
    const STEPS: u32 = 2_000_000;

    pub(super) fn new() -> Self {
        Budget { registers: Self::REGISTERS, steps: Self::STEPS }
    }

    /// Takes a register, a group or a field.
    pub(super) fn take(&mut self) -> Result<(), Problem> {
        let left = self.registers.checked_sub(1).ok_or_else(|| {
            Problem::of_file(format!("the map has more than {} parts", Self::REGISTERS))
        })?;
        self.registers = left;
        Ok(())
    }

    /// Takes a step of a search.
    pub(super) fn step(&mut self) -> Result<(), Problem> {
        let left = self.steps.checked_sub(1);
        self.steps = left.ok_or_else(|| Problem::of_file("the map has too many references"))?;
        Ok(())
    }
}
