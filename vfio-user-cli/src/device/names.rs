//! The registers of a description, `--describe=json`, by name.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Deserializer};
use vfio_user::describe::JSON_VERSION;
use vfio_user::protocol::RegionIndex;

use super::description;
use super::place::{self, Offset, number};
use crate::error::Error;

/// The parts of a description used here; `docs/describe.md` documents all of it.
#[derive(Debug, Deserialize)]
pub(crate) struct Description {
    version: u32,
    bars: Vec<Bar>,
    config: Area,
}

#[derive(Debug, Deserialize)]
struct Bar {
    index: u32,
    #[serde(flatten)]
    area: Area,
}

#[derive(Debug, Deserialize)]
struct Area {
    registers: Vec<Register>,
    blocks: Vec<Block>,
}

#[derive(Debug, Deserialize)]
struct Block {
    name: String,
    #[serde(deserialize_with = "hexadecimal")]
    offset: u64,
    count: u64,
    #[serde(deserialize_with = "hexadecimal")]
    stride: u64,
    registers: Vec<Register>,
    #[serde(default)]
    blocks: Vec<Block>,
}

#[derive(Debug, Deserialize)]
struct Register {
    name: String,
    #[serde(deserialize_with = "hexadecimal")]
    offset: u64,
    bytes: u8,
    count: u64,
    #[serde(deserialize_with = "hexadecimal")]
    stride: u64,
}

fn hexadecimal<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    number(&String::deserialize(from)?).map_err(serde::de::Error::custom)
}

impl Description {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::File { path: path.to_owned(), source };
        let text = fs::read_to_string(path).map_err(failed)?;
        let found: Description = serde_json::from_str(&text).map_err(|error| {
            let problem = "this is no description as `--describe=json` prints it";
            description(path, format!("{problem}: {error}"))
        })?;
        if found.version == JSON_VERSION {
            Ok(found)
        } else {
            let version = found.version;
            let problem = format!("it has version {version}; {JSON_VERSION} is accepted");
            Err(description(path, problem))
        }
    }

    /// Returns the place and the bytes of a register, such as `queues[2].tail`.
    pub(super) fn find(&self, name: &str) -> Option<(Offset, u8)> {
        let bars = self.bars.iter().map(|bar| (RegionIndex::from(bar.index), &bar.area));
        let mut areas = bars.chain([(RegionIndex::Config, &self.config)]);
        areas.find_map(|(region, area)| {
            let (offset, bytes) = find(&area.registers, &area.blocks, name)?;
            Some((Offset { region, offset }, bytes))
        })
    }

    /// Returns the name of the register that holds a byte of a region, such as `bar0`.
    pub(crate) fn name_at(&self, region: &str, offset: u64) -> Option<String> {
        let area = match place::region(region)? {
            RegionIndex::Config => &self.config,
            region => &self.bars.iter().find(|bar| RegionIndex::from(bar.index) == region)?.area,
        };
        name_at(&area.registers, &area.blocks, offset)
    }
}

/// Returns the name of the register that holds a byte: `status`, or `queues[2].tail+4`.
fn name_at(registers: &[Register], blocks: &[Block], offset: u64) -> Option<String> {
    let register = registers.iter().find_map(|register| {
        let (element, rest) = element_at(offset, register.offset, register.count, register.stride)?;
        let inside = if rest == 0 { String::new() } else { format!("+{rest:#x}") };
        let holds = rest < u64::from(register.bytes);
        holds.then(|| format!("{}{element}{inside}", register.name))
    });
    register.or_else(|| {
        blocks.iter().find_map(|block| {
            let (element, rest) = element_at(offset, block.offset, block.count, block.stride)?;
            let inner = name_at(&block.registers, &block.blocks, rest)?;
            Some(format!("{}{element}.{inner}", block.name))
        })
    })
}

/// Returns the index of the element that holds a byte, `[2]` or nothing, and the byte's offset in
/// it.
fn element_at(offset: u64, start: u64, count: u64, stride: u64) -> Option<(String, u64)> {
    let from_start = offset.checked_sub(start)?;
    if count == 1 {
        return Some((String::new(), from_start));
    }
    let index = from_start.checked_div(stride).filter(|index| *index < count)?;
    Some((format!("[{index}]"), from_start % stride))
}

/// Finds a register, or one of a block.
fn find(registers: &[Register], blocks: &[Block], name: &str) -> Option<(u64, u8)> {
    let Some((outer, inner)) = name.split_once('.') else {
        let (name, index) = element(name)?;
        let register = registers.iter().find(|register| register.name == name)?;
        let offset = index_into(index, register.count, register.stride)?;
        return Some((register.offset.checked_add(offset)?, register.bytes));
    };
    let (name, index) = element(outer)?;
    let block = blocks.iter().find(|block| block.name == name)?;
    let start = block.offset.checked_add(index_into(index, block.count, block.stride)?)?;
    let (offset, bytes) = find(&block.registers, &block.blocks, inner)?;
    Some((start.checked_add(offset)?, bytes))
}

/// Splits `data[3]`.
fn element(name: &str) -> Option<(&str, Option<u64>)> {
    let Some((name, index)) = name.split_once('[') else { return Some((name, None)) };
    Some((name, Some(index.strip_suffix(']')?.parse().ok()?)))
}

/// Returns the offset of an element; of an array the index has to be given.
fn index_into(index: Option<u64>, count: u64, stride: u64) -> Option<u64> {
    match index {
        None if count == 1 => Some(0),
        Some(index) if index < count => index.checked_mul(stride),
        _ => None,
    }
}
