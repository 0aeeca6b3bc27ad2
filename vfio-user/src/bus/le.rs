//! Words on the bus.

/// Reads a little-endian word of up to 8 bytes; usually four.
#[inline]
pub(super) fn get(data: &[u8]) -> u64 {
    match <[u8; 4]>::try_from(data) {
        Ok(data) => u32::from_le_bytes(data).into(),
        Err(_) => get_any(data),
    }
}

#[inline(never)]
fn get_any(data: &[u8]) -> u64 {
    match *data {
        [a] => a.into(),
        [a, b] => u16::from_le_bytes([a, b]).into(),
        _ => {
            let mut bytes = [0; 8];
            bytes[..data.len()].copy_from_slice(data);
            u64::from_le_bytes(bytes)
        }
    }
}

/// Writes the first bytes of a little-endian word; usually four.
#[inline]
pub(super) fn put(data: &mut [u8], bits: u64) {
    match <&mut [u8; 4]>::try_from(&mut *data) {
        Ok(data) => data.copy_from_slice(&bits.to_le_bytes()[..4]),
        Err(_) => put_any(data, bits),
    }
}

#[inline(never)]
fn put_any(data: &mut [u8], bits: u64) {
    data.copy_from_slice(&bits.to_le_bytes()[..data.len()]);
}
