//! The fields of registers, and their values by name.

use serde::Deserialize;

use super::hexadecimal;

/// A field of a register.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Bits {
    name: String,
    first: u32,
    last: u32,
    values: Vec<Value>,
}

#[derive(Clone, Debug, Deserialize)]
struct Value {
    #[serde(deserialize_with = "hexadecimal")]
    value: u64,
    name: String,
}

impl Bits {
    /// Returns these bits of a register's value.
    fn of(&self, value: u64) -> u64 {
        let width = self.last.saturating_sub(self.first).saturating_add(1);
        let mask = u64::MAX.checked_shr(64_u32.saturating_sub(width)).unwrap_or(0);
        value.checked_shr(self.first).unwrap_or(0) & mask
    }

    /// Returns the name, and the value unless it is a flag that is set; `None` if it is zero, and
    /// zero has no name.
    fn shown(&self, value: u64) -> Option<String> {
        let (own, name) = (self.of(value), key(&self.name));
        match self.values.iter().find(|named| named.value == own) {
            Some(value) => Some(format!("{name}={}", key(&value.name))),
            None if own == 0 => None,
            None if self.first == self.last => Some(name),
            None => Some(format!("{name}={}", short(own))),
        }
    }
}

/// Formats the fields of a register's value as logs do: `enable, mode=Slow`. Leaves out zero bits
/// without a name for zero.
pub(crate) fn shown(bits: &[Bits], value: u64) -> String {
    bits.iter().filter_map(|bits| bits.shown(value)).collect::<Vec<_>>().join(", ")
}

/// Formats a number, in decimal below 10.
pub(crate) fn short(value: u64) -> String {
    if value < 10 { value.to_string() } else { format!("{value:#x}") }
}

/// Returns a name as it is, or quoted if it is not an identifier: it may hold any characters.
pub(crate) fn key(name: &str) -> String {
    if is_identifier(name) { name.to_owned() } else { format!("{name:?}") }
}

pub(crate) fn is_identifier(name: &str) -> bool {
    !name.is_empty()
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_.[]".contains(letter))
}
