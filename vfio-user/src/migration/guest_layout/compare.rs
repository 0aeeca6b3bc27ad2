//! Lists the differences of two layouts in PCI terms.

use super::{GuestLayout, RomImage, Word};
use crate::migration::LayoutDifference;

/// The most differences that are listed.
const MOST: usize = 8;

/// Fields of the header that are not a whole doubleword each: offset, first bit, bits, name.
const FIELDS: [(u16, u32, u32, &str); 14] = [
    (0x00, 0, 16, "vendor id"),
    (0x00, 16, 16, "device id"),
    (0x08, 0, 8, "revision"),
    (0x08, 8, 24, "class code"),
    (0x0c, 0, 8, "cache line size"),
    (0x0c, 8, 8, "latency timer"),
    (0x0c, 16, 8, "header type"),
    (0x0c, 24, 8, "BIST"),
    (0x2c, 0, 16, "subsystem vendor id"),
    (0x2c, 16, 16, "subsystem id"),
    (0x3c, 0, 8, "interrupt line"),
    (0x3c, 8, 8, "interrupt pin"),
    (0x3c, 16, 8, "minimum grant"),
    (0x3c, 24, 8, "maximum latency"),
];

const BARS: std::ops::Range<u16> = 0x10..0x28;
const ROM_BAR: u16 = 0x30;
const FIRST: u16 = 0x34;
const EXTENDED: u16 = 0x100;
const MSI: u16 = 0x05;
const MSIX: u16 = 0x11;

/// Returns the differences; none if the layouts are equal.
pub(crate) fn differences(theirs: &GuestLayout, ours: &GuestLayout) -> Vec<LayoutDifference> {
    let mut found = Vec::new();
    let mut note = |part: String, theirs: String, ours: String| {
        if theirs != ours && found.len() < MOST {
            found.push(LayoutDifference { part, theirs, ours });
        }
    };
    for (offset, shift, bits, name) in FIELDS {
        let of = |layout: &GuestLayout| field(layout.word(offset), shift, bits);
        note(name.to_owned(), of(theirs), of(ours));
    }
    for place in 0..6 {
        note(format!("BAR {place}"), bar(theirs, place), bar(ours, place));
    }
    note("ROM BAR".to_owned(), rom_bar(theirs), rom_bar(ours));
    note("ROM".to_owned(), rom(theirs.rom), rom(ours.rom));
    let (their_list, our_list) = (capabilities(theirs), capabilities(ours));
    note("capabilities".to_owned(), listed(&their_list), listed(&our_list));
    let is_same_list = their_list == our_list;
    let offsets = theirs.words.iter().chain(&ours.words).map(|word| word.offset);
    let mut offsets: Vec<_> = offsets.filter(|offset| !is_named(*offset)).collect();
    offsets.sort_unstable();
    offsets.dedup();
    for offset in offsets.into_iter().filter(|offset| is_same_list || *offset < 0x40) {
        let capability = our_list.iter().rev().find(|(_, at)| *at <= offset);
        let capability = capability.filter(|(_, at)| (*at < EXTENDED) == (offset < EXTENDED));
        let of = |layout: &GuestLayout| content(layout.word(offset), capability.copied());
        let part = match capability {
            Some((id, at)) => format!("{} at {at:#x}, offset {:#x}", name(*id), offset - at),
            None => format!("configuration space at {offset:#x}"),
        };
        note(part, of(theirs), of(ours));
    }
    found
}

/// Whether an offset has a name of its own.
fn is_named(offset: u16) -> bool {
    let is_field = FIELDS.iter().any(|(at, ..)| *at == offset);
    is_field || BARS.contains(&offset) || offset == ROM_BAR || offset == FIRST
}

fn field(word: Word, shift: u32, bits: u32) -> String {
    let mask = u32::MAX >> (32 - bits);
    let digits = bits as usize / 4 + 2;
    let (fixed, can) = (word.fixed >> shift & mask, word.can >> shift & mask);
    let can = if can == 0 { String::new() } else { format!(" (writable {can:#x})") };
    format!("{fixed:#0digits$x}{can}")
}

/// Returns the kind and the size of a BAR.
fn bar(layout: &GuestLayout, place: u16) -> String {
    let at = |place: u16| layout.word(BARS.start + place * 4);
    let is_upper = |place: u16| {
        let mut low = 0;
        while low < place {
            low += if at(low).fixed & 7 == 4 { 2 } else { 1 };
        }
        low != place
    };
    let Word { fixed, can, .. } = at(place);
    if is_upper(place) {
        return "the upper half of another".to_owned();
    }
    if fixed == 0 && can == 0 {
        return "none".to_owned();
    }
    if fixed & 1 != 0 {
        return format!("io, {:#x} bytes", size(u64::from(can) | u64::MAX << 32));
    }
    let (kind, mask) = match fixed & 6 {
        4 if place < 5 => ("mem64", u64::from(can) | u64::from(at(place + 1).can) << 32),
        _ => ("mem32", u64::from(can) | u64::MAX << 32),
    };
    let prefetchable = if fixed & 8 != 0 { "prefetchable " } else { "" };
    format!("{prefetchable}{kind}, {:#x} bytes", size(mask))
}

/// Returns the size of a BAR or ROM with these address bits.
fn size(mask: u64) -> u64 {
    if mask == 0 { 0 } else { 1 << mask.trailing_zeros() }
}

fn rom_bar(layout: &GuestLayout) -> String {
    match layout.word(ROM_BAR).can & !0x7ff {
        0 => "none".to_owned(),
        mask => format!("{:#x} bytes", size(u64::from(mask))),
    }
}

fn rom(image: Option<RomImage>) -> String {
    image.map_or_else(
        || "none".to_owned(),
        |RomImage { size, digest }| format!("{size:#x} bytes with digest {digest:08x}"),
    )
}

/// Returns the ids and the offsets of capabilities, then of extended ones, as far as the lists are
/// valid.
fn capabilities(layout: &GuestLayout) -> Vec<(u16, u16)> {
    let mut list = Vec::new();
    let mut at = bits(layout.word(FIRST).fixed, 0, 8) & !3;
    while at >= 0x40 && list.len() < 48 {
        let word = layout.word(at).fixed;
        list.push((bits(word, 0, 8), at));
        at = bits(word, 8, 8) & !3;
    }
    at = EXTENDED;
    while at >= EXTENDED && list.len() < 256 {
        let word = layout.word(at).fixed;
        if word == 0 {
            break;
        }
        list.push((bits(word, 0, 16) | 0x8000, at));
        at = bits(word, 20, 12) & !3;
    }
    list.sort_by_key(|(_, at)| *at);
    list
}

fn bits(word: u32, shift: u32, count: u32) -> u16 {
    u16::try_from(word >> shift & (u32::MAX >> (32 - count))).unwrap_or(u16::MAX)
}

fn listed(list: &[(u16, u16)]) -> String {
    if list.is_empty() {
        return "none".to_owned();
    }
    let list: Vec<_> = list.iter().map(|(id, at)| format!("{} at {at:#x}", name(*id))).collect();
    list.join(", ")
}

/// Returns the name of a capability; the highest bit marks extended ones.
fn name(id: u16) -> String {
    let name = match id {
        0x01 => "pm",
        0x03 => "vpd",
        MSI => "msi",
        0x09 => "vendor",
        0x10 => "express",
        MSIX => "msix",
        0x13 => "af",
        0x8001 => "aer",
        0x8003 => "serial",
        0x800b => "vsec",
        id if id & 0x8000 != 0 => return format!("extended capability {:#x}", id & 0x7fff),
        id => return format!("capability {id:#x}"),
    };
    name.to_owned()
}

/// Describes a doubleword, in the terms of its capability if it has any.
fn content(word: Word, capability: Option<(u16, u16)>) -> String {
    let Word { offset, fixed, can } = word;
    let control = fixed >> 16;
    match capability {
        Some((MSIX, at)) if at == offset => {
            format!("{} vectors ({fixed:#010x})", (control & 0x7ff) + 1)
        }
        Some((MSI, at)) if at == offset => {
            format!("{} vectors ({fixed:#010x})", 1_u32 << (control >> 1 & 7))
        }
        _ => format!("{fixed:#010x} (writable {can:#010x})"),
    }
}
