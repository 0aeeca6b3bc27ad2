//! Names of bits. A stream does not have them; they come from the description of a device.

use std::collections::BTreeMap;
use std::path::Path;

use vfio_user::migration::{Field, Hello};

use super::value::{self, MOST};
use crate::description::{Bits, Description, Register, short, shown, wrong};
use crate::error::Error;

/// The named bits of the registers of a device, by section and register.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<(String, String), Vec<Bits>>);

impl Names {
    /// Reads the description of the device that wrote the stream.
    pub(super) fn open(path: &Path, hello: &Hello) -> Result<Self, Error> {
        let device = Description::open(path)?;
        let of = Hello {
            name: device.name.clone(),
            vendor: device.ids.vendor,
            device: device.ids.device,
            layout: hello.layout,
        };
        // A stream carries only the start of a long name.
        let is_same = (of.vendor, of.device) == (hello.vendor, hello.device)
            && of.name.starts_with(&hello.name);
        if !is_same {
            let [of, hello] = [&of, hello].map(value::device);
            return Err(wrong(path, format!("it describes {of}; the state is of {hello}")));
        }
        let mut names = Names::default();
        for (section, registers) in device.into_sections() {
            names.add(&section, registers);
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
        return Some(with_bits(bits, value));
    }
    let values: Vec<u64> = field.get().ok()?;
    let shown: Vec<_> = values.iter().take(MOST).map(|value| with_bits(bits, *value)).collect();
    let more = values.len().saturating_sub(MOST);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    Some(format!("[{}{more}]", shown.join(", ")))
}

/// Formats a value as logs do: `0x15 (enable, mode=Slow)`.
fn with_bits(bits: &[Bits], value: u64) -> String {
    let (whole, bits) = (short(value), shown(bits, value));
    if bits.is_empty() { whole } else { format!("{whole} ({bits})") }
}
