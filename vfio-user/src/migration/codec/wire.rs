//! Numbers and texts as bytes.

use super::ValueError;

/// Lengths and numbers below are one byte, others a byte that says how many follow.
const ONE: u8 = 251;

#[inline]
pub(super) fn put(out: &mut Vec<u8>, value: u64) {
    match value {
        0..=250 => out.push(value.to_le_bytes()[0]),
        _ => put_long(out, value),
    }
}

fn put_long(out: &mut Vec<u8>, value: u64) {
    let bytes = value.to_le_bytes();
    match value {
        0..=0xffff => put_tagged::<2>(out, ONE, bytes),
        0x1_0000..=0xffff_ffff => put_tagged::<4>(out, ONE + 1, bytes),
        _ => put_tagged::<8>(out, ONE + 2, bytes),
    }
}

/// Appends a tag and the first bytes of a number, at once.
fn put_tagged<const N: usize>(out: &mut Vec<u8>, tag: u8, bytes: [u8; 8]) {
    let mut all = [tag; 9];
    all[1..].copy_from_slice(&bytes);
    out.extend_from_slice(&all[..=N]);
}

#[inline]
pub(super) fn put_len(out: &mut Vec<u8>, len: usize) {
    put(out, len as u64);
}

pub(super) fn put_str(out: &mut Vec<u8>, text: &str) {
    put_len(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

#[inline]
pub(super) fn take<'b>(bytes: &mut &'b [u8], len: usize) -> Result<&'b [u8], ValueError> {
    let (taken, rest) = bytes.split_at_checked(len).ok_or_else(ends_early)?;
    *bytes = rest;
    Ok(taken)
}

#[inline]
pub(super) fn take_array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], ValueError> {
    let (taken, rest) = bytes.split_first_chunk::<N>().ok_or_else(ends_early)?;
    *bytes = rest;
    Ok(*taken)
}

#[inline]
pub(super) fn take_u64(bytes: &mut &[u8]) -> Result<u64, ValueError> {
    match bytes.split_first() {
        Some((small @ 0..ONE, rest)) => {
            *bytes = rest;
            Ok(u64::from(*small))
        }
        _ => take_long(bytes),
    }
}

/// One store for tag and number, which is measurably faster than one for each.
#[inline(never)]
fn take_long(bytes: &mut &[u8]) -> Result<u64, ValueError> {
    let (tag, rest) = bytes.split_first().ok_or_else(ends_early)?;
    let taken = match tag {
        253 => rest.split_first_chunk().map(|(word, rest)| (u64::from_le_bytes(*word), rest)),
        252 => {
            rest.split_first_chunk().map(|(word, rest)| (u32::from_le_bytes(*word).into(), rest))
        }
        251 => {
            rest.split_first_chunk().map(|(word, rest)| (u16::from_le_bytes(*word).into(), rest))
        }
        tag => return Err(ValueError::new(format!("no number begins with {tag:#x}"))),
    };
    let (value, rest) = taken.ok_or_else(ends_early)?;
    *bytes = rest;
    Ok(value)
}

pub(super) fn take_u32(bytes: &mut &[u8]) -> Result<u32, ValueError> {
    u32::try_from(take_u64(bytes)?).map_err(|_| ValueError::said("a number is too large"))
}

/// Of something of which each part has a byte at least.
pub(super) fn take_len(bytes: &mut &[u8]) -> Result<usize, ValueError> {
    let len = usize::try_from(take_u64(bytes)?).ok().filter(|len| *len <= bytes.len());
    len.ok_or_else(|| ValueError::said("it holds more elements than bytes"))
}

pub(super) fn take_str<'b>(bytes: &mut &'b [u8]) -> Result<&'b str, ValueError> {
    let len = take_len(bytes)?;
    let text = str::from_utf8(take(bytes, len)?);
    text.map_err(|_| ValueError::said("a text is not UTF-8"))
}

#[cold]
fn ends_early() -> ValueError {
    ValueError::said("it ends early")
}
