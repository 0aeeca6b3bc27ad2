//! Structures that a specification describes by offsets.

/// Returns a structure with bytes at offsets, and zeros elsewhere.
///
/// ```
/// let page = vfio_user_examples::page::<8>(&[(1, &[7]), (4, &0x0201_u16.to_le_bytes())]);
/// assert_eq!(page, [0, 7, 0, 0, 1, 2, 0, 0]);
/// ```
///
/// # Panics
///
/// If bytes are not inside.
pub fn page<const LEN: usize>(parts: &[(usize, &[u8])]) -> [u8; LEN] {
    let mut page = [0; LEN];
    for (at, bytes) in parts {
        page[*at..*at + bytes.len()].copy_from_slice(bytes);
    }
    page
}
