//! What makes registers a PCI function, in files that this project has written.

use super::super::map::{Bar, Bytes, Memory, Pci, Unmodelled};
use super::super::number;
use super::super::problem::Problem;
use super::super::text;
use super::super::xml::Element;

/// The longest name of a place, in bytes.
const NAME: usize = 64;

pub(super) fn read(device: Element<'_>) -> Result<Option<Pci>, Problem> {
    let Some(pci) = device.child("vendorExtensions").and_then(|all| all.child("pci")) else {
        return Ok(None);
    };
    let number = |key, limit| number(pci, key, limit);
    Ok(Some(Pci {
        vendor: number("vendor", 0xffff)?,
        device: number("device", 0xffff)?,
        class: number("class", 0xff_ffff)?,
        revision: number("revision", 0xff)?,
        subsystem: (number("subsystemVendor", 0xffff)?, number("subsystem", 0xffff)?),
        is_express: pci.attribute("express") == Some("true"),
        bars: pci.named("bar").map(bar).collect::<Result<_, _>>()?,
        memories: pci.named("memory").map(memory).collect::<Result<_, _>>()?,
        unmodelled: pci.named("unmodelled").map(unmodelled).collect::<Result<_, _>>()?,
    }))
}

fn memory(memory: Element<'_>) -> Result<Memory, Problem> {
    let reset = match memory.attribute("reset") {
        None | Some("constructed") => None,
        Some("zero") => Some("zero"),
        Some("keep") => Some("keep"),
        Some(_) => {
            return Err(memory.problem("`reset` is none of `constructed`, `zero`, `keep`"));
        }
    };
    let doc = text::doc(memory.text_of("description"), true);
    Ok(Memory { doc, bytes: bytes(memory)?, reset })
}

fn unmodelled(place: Element<'_>) -> Result<Unmodelled, Problem> {
    let is_stored = place.attribute("stored") != Some("false");
    Ok(Unmodelled { bytes: bytes(place)?, is_stored })
}

fn bytes(place: Element<'_>) -> Result<Bytes, Problem> {
    let name = place.attribute("name").unwrap_or_default();
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    if name.is_empty() || name.len() > NAME || !name.chars().all(is_of_name) {
        return Err(place.problem(format!("`name` has not 1 to {NAME} letters, digits and `_`")));
    }
    let (start, end) = (number(place, "start", u64::MAX)?, number(place, "end", u64::MAX)?);
    if start >= end {
        return Err(place.problem(format!("{start:#x} to {end:#x} is no place")));
    }
    let bar = u8::try_from(number(place, "bar", 5)?).unwrap_or(5);
    Ok(Bytes { bar, name: name.to_owned(), start, end })
}

fn bar(bar: Element<'_>) -> Result<Bar, Problem> {
    let kind = match bar.attribute("kind") {
        Some("mem32") => "mem32",
        Some("mem64") => "mem64",
        Some("io") => "io",
        _ => return Err(bar.problem("`kind` is none of `mem32`, `mem64`, `io`")),
    };
    let index = number(bar, "index", 5)?;
    let size = number(bar, "size", 1 << 63)?;
    if !size.is_power_of_two() {
        return Err(bar.problem(format!("`size` {size:#x} is not a power of two")));
    }
    let is_prefetchable = bar.attribute("prefetchable") == Some("true");
    Ok(Bar { index: u8::try_from(index).unwrap_or(5), kind, size, is_prefetchable })
}

fn number(element: Element<'_>, key: &str, limit: u64) -> Result<u64, Problem> {
    let value = element.attribute(key).and_then(number::parse).filter(|value| *value <= limit);
    value.ok_or_else(|| element.problem(format!("`{key}` is not a number up to {limit:#x}")))
}
