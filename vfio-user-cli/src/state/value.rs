//! Formats the values in a stream.
//!
//! The types of values that the runtime writes itself are known: registers are integers, timers
//! durations. All other values carry their type, except in streams of format 1: there, a private
//! field is shown as bytes.

mod shown;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_bytes::ByteBuf;
use vfio_user::migration::{Field, Hello};

use crate::description::{key, short};

/// The most elements, or bytes, on a line.
pub(super) const MOST: usize = 64;

/// Returns the text of a field's value in a section.
pub(super) fn text(section: &str, field: &Field<'_>) -> String {
    let known = match (section, field.name) {
        ("function", "config" | "vpd") => bytes(field),
        ("function", "asserted") => numbers("source", field),
        ("function", "pending_msi" | "pending_msix") => numbers("vector", field),
        ("function", "pending_intx") => field.get().ok().map(|it: bool| it.to_string()),
        ("function", "msix_table") => integers(field),
        ("function", "msix_table_touched") => field.get().ok().map(|it: bool| it.to_string()),
        ("function", "written_once") => {
            field.get().ok().map(|it: BTreeMap<String, Vec<u64>>| map(&it))
        }
        ("function", "latches") => {
            field.get().ok().map(|it: BTreeMap<String, Vec<(u64, u64)>>| format!("{it:x?}"))
        }
        ("timers", _) => {
            let left = field.get().ok();
            left.map(|left: Option<u64>| match left {
                Some(left) => format!("{:?} left", Duration::from_nanos(left)),
                None => "not armed".to_owned(),
            })
        }
        ("device", _) => None,
        _ => integer(field).or_else(|| integers(field)),
    };
    let shown = || field.ty().and_then(|_| field.get().ok()).map(|shown::Shown(text)| text);
    known.or_else(shown).unwrap_or_else(|| hex(field.value))
}

/// Returns the device that wrote a stream. Its name may hold any characters.
pub(super) fn device(hello: &Hello) -> String {
    let Hello { name, vendor, device, .. } = hello;
    format!("{} ({vendor:04x}:{device:04x})", name.escape_debug())
}

/// Returns the numbers of interrupts.
fn numbers(what: &str, field: &Field<'_>) -> Option<String> {
    let numbers: Vec<u64> = field.get().ok()?;
    let shown: Vec<_> = numbers.iter().take(MOST).map(u64::to_string).collect();
    let more = numbers.len().saturating_sub(MOST);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    Some(match numbers.len() {
        0 => "none".to_owned(),
        1 => format!("{what} {}", shown[0]),
        _ => format!("{what}s {}{more}", shown.join(", ")),
    })
}

/// Returns the bits of a mask.
fn bits(mask: u64) -> String {
    let bits: Vec<_> =
        (0..64).filter(|bit| mask >> bit & 1 != 0).map(|bit| bit.to_string()).collect();
    match bits.len() {
        0 => "no bit".to_owned(),
        1 => format!("bit {}", bits[0]),
        64 => "all bits".to_owned(),
        _ => format!("bits {}", bits.join(" ")),
    }
}

fn integer(field: &Field<'_>) -> Option<String> {
    field.get().ok().map(short)
}

fn integers(field: &Field<'_>) -> Option<String> {
    field.get::<Vec<u64>>().ok().map(|values| list(&values))
}

fn list(values: &[u64]) -> String {
    let shown: Vec<_> = values.iter().take(MOST).map(|value| format!("{value:#x}")).collect();
    let more = values.len().saturating_sub(MOST);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("[{}{more}]", shown.join(", "))
}

fn map(map: &BTreeMap<String, Vec<u64>>) -> String {
    let entry = |(name, masks): (&String, &Vec<u64>)| {
        let shown: Vec<_> = masks.iter().take(MOST).map(|mask| bits(*mask)).collect();
        let more = masks.len().saturating_sub(MOST);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        format!("{}: [{}{more}]", key(name), shown.join(", "))
    };
    let entries: Vec<_> = map.iter().map(entry).collect();
    format!("{{{}}}", entries.join(", "))
}

fn bytes(field: &Field<'_>) -> Option<String> {
    field.get().ok().map(|bytes: ByteBuf| hex(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = format!("{} bytes", bytes.len());
    for (place, byte) in bytes.iter().take(MOST).enumerate() {
        let separator = if place == 0 { ": " } else { " " };
        let _ = write!(text, "{separator}{byte:02x}");
    }
    if bytes.len() > MOST {
        text.push_str(" ..");
    }
    text
}

#[cfg(test)]
mod tests {
    use vfio_user::migration::{SectionsWriter, sections};

    use super::*;

    fn shown<T: serde::Serialize + ?Sized>(section: &str, value: &T) -> String {
        let mut writer = SectionsWriter::default();
        let mut fields = writer.section(section, 1, 1);
        fields.field("it", value).unwrap();
        fields.finish();
        let state = writer.finish();
        text(section, &sections(&state).unwrap()[0].fields[0])
    }

    #[test]
    fn values_are_shown_as_what_they_are() {
        #[derive(vfio_user::serde::Serialize)]
        #[serde(crate = "vfio_user::serde")]
        struct Job {
            from: u64,
            length: u32,
        }
        assert_eq!(shown("registers", &7_u64), "7");
        assert_eq!(shown("registers", &u64::MAX), "0xffffffffffffffff");
        assert_eq!(shown("block.queues", &[1_u64, 500, 3][..]), "[0x1, 0x1f4, 0x3]");
        assert_eq!(shown("timers", &Some(1_500_000_000_u64)), "1.5s left");
        assert_eq!(shown("device", "a name"), "\"a name\"");
        assert_eq!(shown("device", &300_u32), "0x12c");
        assert_eq!(shown("device", &Job { from: 16, length: 3 }), "{from: 0x10, length: 3}");
        assert_eq!(shown("device", serde_bytes::Bytes::new(&[1, 2, 0xff])), "3 bytes: 01 02 ff");
        assert_eq!(shown("device", &1.5_f64), "1.5");
        assert_eq!(shown("device", &(-3_i8, true, None::<u8>)), "[-3, true, None]");
        assert_eq!(shown("device", &Some(vec![(1_u8, 'x')])), "Some([[1, 'x']])");
        assert_eq!(shown("device", &Ok::<u8, ()>(7)), "{Ok: 7}");
        assert_eq!(shown("device", &BTreeMap::from([("a\u{1b}", 1)])), "{\"a\\u{1b}\": 1}");
        let many = "1, ".repeat(MOST) + "and 36 more";
        assert_eq!(shown("device", &vec![1_u16; 100]), format!("[{many}]"));
    }
}
