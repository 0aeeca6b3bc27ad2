//! Fields of messages, printed as text and as JSON.

use std::fmt::{self, Display, Formatter, Write as _};

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

/// The fields of a message, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fields(pub(crate) Vec<Field>);

/// A field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) value: Value,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A number that counts.
    Number(u64),
    /// An address, an offset or a size.
    Hex(u64),
    /// A name of the protocol, or several with `|` between them.
    Name(String),
    /// Bytes as they are in the message.
    Data(Vec<u8>),
    /// The capabilities of a version.
    Json(serde_json::Value),
    /// Entries that each have fields.
    List(Vec<Fields>),
}

impl Fields {
    pub(crate) fn push(&mut self, name: &'static str, value: Value) {
        self.0.push(Field { name, value });
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|field| field.name == name).map(|field| &field.value)
    }

    /// Returns the number of a field.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        match self.get(name)? {
            Value::Number(number) | Value::Hex(number) => Some(*number),
            _ => None,
        }
    }
}

/// `name=value name=value`.
impl Display for Fields {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, field) in self.0.iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}{}={}", field.name, field.value)?;
        }
        Ok(())
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for field in &self.0 {
            map.serialize_entry(field.name, &field.value)?;
        }
        map.end()
    }
}

/// The bytes of data that a line shows.
const SHOWN: usize = 32;

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) => number.fmt(f),
            Value::Hex(number) => write!(f, "{number:#x}"),
            Value::Name(name) => f.write_str(name),
            Value::Data(data) => data_text(f, data),
            Value::Json(json) => escaped(f, &json.to_string()),
            Value::List(entries) => {
                let entries: Vec<_> = entries.iter().map(|entry| format!("({entry})")).collect();
                write!(f, "[{}]", entries.join(" "))
            }
        }
    }
}

/// Prints data of a register's width as a number, other data as the first of its bytes.
fn data_text(f: &mut Formatter<'_>, data: &[u8]) -> fmt::Result {
    if matches!(data.len(), 1 | 2 | 4 | 8) {
        let number = data.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
        return write!(f, "{number:#0width$x}", width = 2 + 2 * data.len());
    }
    f.write_char('[')?;
    for (at, byte) in data.iter().take(SHOWN).enumerate() {
        let space = if at == 0 { "" } else { " " };
        write!(f, "{space}{byte:02x}")?;
    }
    if data.len() > SHOWN {
        write!(f, " ..")?;
    }
    write!(f, "]")
}

/// Prints text of a peer, without the control characters that a terminal obeys.
fn escaped(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    for letter in text.chars() {
        if letter.is_control() {
            write!(f, "{}", letter.escape_unicode())?;
        } else {
            f.write_char(letter)?;
        }
    }
    Ok(())
}

/// Numbers that may need 64 bits are strings, since many readers hold only 53 bits.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Number(number) => number.serialize(serializer),
            Value::Hex(_) | Value::Name(_) => serializer.collect_str(self),
            Value::Data(data) => serializer.collect_str(&Digits(data)),
            Value::Json(json) => json.serialize(serializer),
            Value::List(entries) => entries.serialize(serializer),
        }
    }
}

/// Bytes as two digits each.
struct Digits<'a>(&'a [u8]);

impl Display for Digits<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
