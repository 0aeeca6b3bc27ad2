//! Values for registers on the command line.

use std::path::Path;
use std::str::FromStr;

use crate::device::register::Register;
use crate::error::Error;
use crate::place::{Place, number};

/// A register and a value: `bar0+0x98=1`, `bar0+0x80:8=0x100000`, `command=1`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Assignment {
    place: Place,
    /// In bytes.
    width: Option<u8>,
    value: u64,
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("`{text}` is not of the form bar0+0x10=1 or bar0+0x10:8=1");
        let (left, value) = text.split_once('=').ok_or_else(form)?;
        let (place, width) = match left.split_once(':') {
            Some((place, width @ ("1" | "2" | "4" | "8"))) => (place, width.parse().ok()),
            Some((_, width)) => return Err(format!("`{width}` bytes; 1, 2, 4, 8 are accepted")),
            None => (left, None),
        };
        Ok(Assignment { place: place.parse()?, width, value: number(value)? })
    }
}

impl Assignment {
    /// Finds the register, which has to hold the value.
    pub(super) fn locate(&self, describe: Option<&Path>) -> Result<(Register, u64), Error> {
        let register = Register::locate(&self.place, self.width, describe)?;
        register.holds(self.value)?;
        Ok((register, self.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_have_a_place_a_width_and_a_value() {
        let parsed = |place: &str, width, value| {
            Ok(Assignment { place: place.parse().unwrap(), width, value })
        };
        assert_eq!("bar0+0x98=1".parse(), parsed("bar0+0x98", None, 1));
        assert_eq!("bar0+8:8=0x10".parse(), parsed("bar0+8", Some(8), 16));
        assert_eq!("queues[1].tail=0".parse(), parsed("queues[1].tail", None, 0));
        for wrong in ["", "bar0", "bar0:3=1", "bar0=", "=1", "bar9+0=1", "bar0=x"] {
            wrong.parse::<Assignment>().unwrap_err();
        }
    }
}
