//! Names of bits. A stream does not have them; they come from the description of a device.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use vfio_user::describe::JSON_VERSION;
use vfio_user::migration::{Field, Hello};

use super::value::{self, MOST, key, number};
use crate::error::Error;

/// The named bits of the registers of a device, by section and register.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<(String, String), Vec<Bits>>);

/// The parts of `--describe=json` used here; `docs/describe.md` documents all of it.
#[derive(Deserialize)]
struct Device {
    version: u32,
    name: String,
    ids: Ids,
    bars: Vec<Registers>,
    config: Registers,
}

#[derive(Deserialize)]
struct Ids {
    vendor: u16,
    device: u16,
}

#[derive(Deserialize)]
struct Registers {
    registers: Vec<Register>,
    blocks: Vec<Block>,
}

#[derive(Deserialize)]
struct Block {
    name: String,
    registers: Vec<Register>,
}

#[derive(Deserialize)]
struct Register {
    name: String,
    fields: Vec<Bits>,
}

/// A field of a register.
#[derive(Debug, Deserialize)]
struct Bits {
    name: String,
    first: u32,
    last: u32,
    values: Vec<Value>,
}

#[derive(Debug, Deserialize)]
struct Value {
    #[serde(deserialize_with = "hexadecimal")]
    value: u64,
    name: String,
}

fn hexadecimal<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let text = String::deserialize(from)?;
    let digits = text.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
    digits.ok_or_else(|| D::Error::custom(format_args!("`{text}` is not a number such as 0x1f")))
}

impl Names {
    /// Reads the description of the device that wrote the stream.
    pub(super) fn open(path: &Path, hello: &Hello) -> Result<Self, Error> {
        let wrong = |problem: String| Error::Description { path: path.to_owned(), problem };
        let failed = |source| Error::File { path: path.to_owned(), source };
        let text = fs::read_to_string(path).map_err(failed)?;
        let device: Device = serde_json::from_str(&text).map_err(|error| {
            wrong(format!("this is no description as `--describe=json` prints it: {error}"))
        })?;
        if device.version != JSON_VERSION {
            let version = device.version;
            return Err(wrong(format!("it has version {version}; {JSON_VERSION} is accepted")));
        }
        let of = Hello {
            name: device.name,
            vendor: device.ids.vendor,
            device: device.ids.device,
            layout: hello.layout,
        };
        // A stream carries only the start of a long name.
        let is_same = (of.vendor, of.device) == (hello.vendor, hello.device)
            && of.name.starts_with(&hello.name);
        if !is_same {
            let [of, hello] = [&of, hello].map(value::device);
            return Err(wrong(format!("it describes {of}; the state is of {hello}")));
        }
        let mut names = Names::default();
        for Registers { registers, blocks } in device.bars.into_iter().chain([device.config]) {
            names.add("registers", registers);
            for Block { name, registers } in blocks {
                names.add(&format!("block.{name}"), registers);
            }
        }
        Ok(names)
    }

    fn add(&mut self, section: &str, registers: Vec<Register>) {
        let named = registers.into_iter().filter(|register| !register.fields.is_empty());
        let entry = |register: Register| ((section.to_owned(), register.name), register.fields);
        self.0.extend(named.map(entry));
    }

    /// Returns the value of a field of a section as text, with the names of known bits.
    pub(super) fn text(&self, section: &str, field: &Field<'_>) -> String {
        let register = (array(section).to_owned(), array(field.name).to_owned());
        let known = self.0.get(&register).and_then(|bits| named(bits, field));
        known.unwrap_or_else(|| value::text(section, field))
    }
}

/// The name without the number behind it: `x.8` is where the elements from 8 on are, by which the
/// array `x` has grown.
fn array(name: &str) -> &str {
    let is_number = |end: &str| !end.is_empty() && end.bytes().all(|byte| byte.is_ascii_digit());
    name.rsplit_once('.').filter(|(_, end)| is_number(end)).map_or(name, |(array, _)| array)
}

/// A register, or all elements of one.
fn named(bits: &[Bits], field: &Field<'_>) -> Option<String> {
    if let Ok(value) = field.get::<u64>() {
        return Some(shown(bits, value));
    }
    let values: Vec<u64> = field.get().ok()?;
    let shown: Vec<_> = values.iter().take(MOST).map(|value| shown(bits, *value)).collect();
    let more = values.len().saturating_sub(MOST);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    Some(format!("[{}{more}]", shown.join(", ")))
}

/// Formats a value as logs do: `0x15 (enable, mode=Slow)`. Leaves out zero bits without a name for
/// zero.
fn shown(bits: &[Bits], value: u64) -> String {
    let shown: Vec<_> = bits.iter().filter_map(|bits| bits.shown(value)).collect();
    let whole = number(value);
    if shown.is_empty() { whole } else { format!("{whole} ({})", shown.join(", ")) }
}

impl Bits {
    /// Returns these bits of a register's value.
    fn of(&self, value: u64) -> u64 {
        let width = self.last.saturating_sub(self.first).saturating_add(1);
        let mask = u64::MAX.checked_shr(64_u32.saturating_sub(width)).unwrap_or(0);
        value.checked_shr(self.first).unwrap_or(0) & mask
    }

    fn shown(&self, value: u64) -> Option<String> {
        let (own, name) = (self.of(value), key(&self.name));
        match self.values.iter().find(|named| named.value == own) {
            Some(value) => Some(format!("{name}={}", key(&value.name))),
            None if own == 0 => None,
            None if self.first == self.last => Some(name),
            None => Some(format!("{name}={}", number(own))),
        }
    }
}
