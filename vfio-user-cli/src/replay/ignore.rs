//! What is not compared.

use std::str::FromStr;

use super::difference::What;
use crate::message::{Decoded, Fields, Value, parse_command};
use crate::place::{Offset, Place};

/// Something that is not compared.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ignored {
    /// Replies to, and requests of, a command.
    Command(u16),
    /// Reads of a place.
    Place(Offset),
    /// A field of all messages.
    Field(String),
}

impl FromStr for Ignored {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(command) = parse_command(text) {
            return Ok(Ignored::Command(command));
        }
        match text.parse()? {
            Place::At(offset) => Ok(Ignored::Place(offset)),
            Place::Named(field) => Ok(Ignored::Field(field)),
        }
    }
}

impl Ignored {
    /// Whether this excludes a message, or the reply to it.
    pub(super) fn is_message(&self, message: &Decoded) -> bool {
        match self {
            Ignored::Command(command) => *command == message.command().0,
            Ignored::Place(place) => holds(place, &message.fields),
            Ignored::Field(_) => false,
        }
    }

    /// Whether this excludes a difference.
    pub(super) fn is_difference(&self, what: &What) -> bool {
        matches!((self, what), (Ignored::Field(field), What::Field { name, .. }) if field == name)
    }
}

/// Whether an access includes a byte of a region.
fn holds(place: &Offset, fields: &Fields) -> bool {
    let Some(Value::Name(region)) = fields.get("region") else { return false };
    let (offset, count) = (fields.number("offset"), fields.number("count"));
    crate::place::region(region) == Some(place.region)
        && offset.zip(count).is_some_and(|(start, count)| {
            place.offset.checked_sub(start).is_some_and(|inside| inside < count)
        })
}

#[cfg(test)]
mod tests {
    use vfio_user::protocol::RegionIndex;

    use super::*;

    #[test]
    fn commands_places_and_fields_are_ignored() {
        assert_eq!("mig-data-read".parse(), Ok(Ignored::Command(17)));
        let place = Offset { region: RegionIndex::Bar0, offset: 0x12 };
        assert_eq!("bar0+0x12".parse(), Ok(Ignored::Place(place)));
        assert_eq!("data".parse(), Ok(Ignored::Field("data".into())));
        "bar9+0".parse::<Ignored>().unwrap_err();
    }

    #[test]
    fn an_access_is_ignored_by_any_of_its_bytes() {
        let place: Ignored = "bar0+0x12".parse().unwrap();
        let access = |region: &str, offset| {
            let mut fields = Fields::default();
            fields.push("region", Value::Name(region.into()));
            fields.push("offset", Value::Hex(offset));
            fields.push("count", Value::Number(4));
            fields
        };
        let Ignored::Place(place) = place else { panic!("{place:?}") };
        let excluded = |region, offset| holds(&place, &access(region, offset));
        assert!(excluded("bar0", 0x10) && excluded("bar0", 0x12));
        assert!(!excluded("bar0", 0x14) && !excluded("bar0", 0xe) && !excluded("bar1", 0x10));
    }
}
