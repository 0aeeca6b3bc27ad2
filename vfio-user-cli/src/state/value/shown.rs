//! Formats values that carry their type.

use std::fmt;

use vfio_user::serde::de::{
    Deserialize, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor,
};

use super::{MOST, hex};
use crate::description::{is_identifier, short};

/// The printed text of a value of any type.
pub(super) struct Shown(pub(super) String);

impl<'de> Deserialize<'de> for Shown {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Text).map(Shown)
    }
}

struct Text;

macro_rules! show {
    ($($method:ident($value:ident: $ty:ty) => $text:expr;)*) => {$(
        fn $method<E: Error>(self, $value: $ty) -> Result<String, E> {
            Ok($text)
        }
    )*};
}

impl<'de> Visitor<'de> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    show! {
        visit_bool(value: bool) => value.to_string();
        visit_u64(value: u64) => short(value);
        visit_u128(value: u128) => format!("{value:#x}");
        visit_i64(value: i64) => value.to_string();
        visit_i128(value: i128) => value.to_string();
        visit_f32(value: f32) => value.to_string();
        visit_f64(value: f64) => value.to_string();
        visit_char(value: char) => format!("{value:?}");
        visit_str(value: &str) => format!("{value:?}");
        visit_bytes(value: &[u8]) => hex(value);
    }

    fn visit_unit<E: Error>(self) -> Result<String, E> {
        Ok("()".to_owned())
    }

    fn visit_none<E: Error>(self) -> Result<String, E> {
        Ok("None".to_owned())
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<String, D::Error> {
        Shown::deserialize(from).map(|Shown(text)| format!("Some({text})"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<String, A::Error> {
        let (mut list, mut more) = (Vec::new(), 0);
        while let Some(Shown(text)) = elements.next_element()? {
            if list.len() < MOST { list.push(text) } else { more += 1 }
        }
        Ok(format!("[{}]", joined(list, more)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<String, A::Error> {
        let (mut list, mut more) = (Vec::new(), 0);
        while let Some((Shown(key), Shown(value))) = entries.next_entry()? {
            let name = key.trim_matches('"');
            let key = if is_identifier(name) { name } else { &key };
            if list.len() < MOST { list.push(format!("{key}: {value}")) } else { more += 1 }
        }
        Ok(format!("{{{}}}", joined(list, more)))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<String, A::Error> {
        Err(A::Error::custom("an enum is shown as a map"))
    }
}

fn joined(mut list: Vec<String>, more: usize) -> String {
    if more > 0 {
        list.push(format!("and {more} more"));
    }
    list.join(", ")
}
