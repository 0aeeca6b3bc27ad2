//! The description of a device, as `--describe=json` prints it: the names of registers and bits.

mod bits;
mod find;
mod name;

use std::fs;
use std::path::Path;

use serde::{Deserialize, Deserializer};
use vfio_user::describe::JSON_VERSION;

use crate::error::Error;
use crate::place::number;

pub(crate) use bits::{Bits, is_identifier, key, short, shown};

/// The parts of a description used here; `docs/describe.md` documents all of it.
#[derive(Debug, Deserialize)]
pub(crate) struct Description {
    version: u32,
    pub(crate) name: String,
    pub(crate) ids: Ids,
    bars: Vec<Bar>,
    config: Area,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Ids {
    pub(crate) vendor: u16,
    pub(crate) device: u16,
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
pub(crate) struct Register {
    pub(crate) name: String,
    #[serde(deserialize_with = "hexadecimal")]
    offset: u64,
    pub(crate) bytes: u8,
    count: u64,
    #[serde(deserialize_with = "hexadecimal")]
    stride: u64,
    pub(crate) fields: Vec<Bits>,
}

fn hexadecimal<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    number(&String::deserialize(from)?).map_err(serde::de::Error::custom)
}

impl Description {
    /// Reads a description.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::File { path: path.to_owned(), source };
        let text = fs::read_to_string(path).map_err(failed)?;
        let found: Description = serde_json::from_str(&text).map_err(|error| {
            let problem = "this is no description as `--describe=json` prints it";
            wrong(path, format!("{problem}: {error}"))
        })?;
        if found.version == JSON_VERSION {
            Ok(found)
        } else {
            let version = found.version;
            Err(wrong(path, format!("it has version {version}; {JSON_VERSION} is accepted")))
        }
    }

    /// Returns all registers with the section that a state has them in: `registers`,
    /// `block.queues`, `block.queues.channels`.
    pub(crate) fn into_sections(self) -> Vec<(String, Vec<Register>)> {
        let mut sections = Vec::new();
        let areas = self.bars.into_iter().map(|bar| bar.area).chain([self.config]);
        for Area { registers, blocks } in areas {
            sections.push(("registers".to_owned(), registers));
            add(&mut sections, "block", blocks);
        }
        sections
    }
}

fn add(sections: &mut Vec<(String, Vec<Register>)>, path: &str, blocks: Vec<Block>) {
    for Block { name, registers, blocks, .. } in blocks {
        let path = format!("{path}.{name}");
        sections.push((path.clone(), registers));
        add(sections, &path, blocks);
    }
}

/// Returns the error for a description that cannot be used.
pub(crate) fn wrong(path: &Path, problem: impl Into<String>) -> Error {
    Error::Description { path: path.to_owned(), problem: problem.into() }
}
