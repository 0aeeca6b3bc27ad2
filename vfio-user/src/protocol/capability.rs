//! Capabilities of regions: their mappable areas, and the type of a device specific one.

use std::mem;

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::RegionInfo;

/// Capability id of [`SparseMmap`] (`VFIO_REGION_INFO_CAP_SPARSE_MMAP`).
pub const CAPABILITY_SPARSE_MMAP: u16 = 1;
/// Capability id of [`TypeCapability`] (`VFIO_REGION_INFO_CAP_TYPE`).
pub const CAPABILITY_TYPE: u16 = 2;
/// Capability id of a header alone: the MSI-X table may lie in a mapped area
/// (`VFIO_REGION_INFO_CAP_MSIX_MAPPABLE`).
pub const CAPABILITY_MSIX_MAPPABLE: u16 = 3;

/// The header of every capability in the reply of `VFIO_USER_DEVICE_GET_REGION_INFO`.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(C)]
pub struct CapabilityHeader {
    /// The id of the capability, such as [`CAPABILITY_SPARSE_MMAP`].
    pub id: U16,
    /// The version of its layout, 1 for all.
    pub version: U16,
    /// The offset of the next capability in the payload, 0 after the last.
    pub next: U32,
}

/// Follows the [`CapabilityHeader`] of a region that can be mapped in part; `nr_areas` times
/// [`SparseArea`] follow.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(C)]
pub struct SparseMmap {
    /// The number of areas.
    pub nr_areas: U32,
    /// Reserved, 0.
    pub reserved: U32,
}

/// A part of a region that can be mapped.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(C)]
pub struct SparseArea {
    /// The offset of the area in the region.
    pub offset: U64,
    /// The size of the area, in bytes.
    pub size: U64,
}

/// Follows the [`CapabilityHeader`] of a device specific region.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(C)]
pub struct TypeCapability {
    /// `VFIO_REGION_TYPE_*`.
    pub type_: U32,
    /// `VFIO_REGION_SUBTYPE_*`.
    pub subtype: U32,
}

/// The known capabilities of a region; others are skipped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegionCapabilities {
    /// The areas that can be mapped, not checked against the region; `None` if the region does not
    /// restrict them.
    pub sparse: Option<Vec<SparseArea>>,
    /// The type of a device specific region.
    pub type_: Option<TypeCapability>,
}

/// Capabilities that are being encoded.
#[derive(Default)]
struct Chain {
    bytes: Vec<u8>,
    /// The offset of the last header.
    last: Option<usize>,
}

impl Chain {
    fn push(&mut self, id: u16, body: &[u8]) {
        let at = self.bytes.len();
        if let Some(last) = self.last.replace(at) {
            let next = u32::try_from(size_of::<RegionInfo>() + at).unwrap_or(0);
            let next_of_last = last + mem::offset_of!(CapabilityHeader, next);
            self.bytes[next_of_last..next_of_last + 4].copy_from_slice(&next.to_le_bytes());
        }
        let header = CapabilityHeader { id: id.into(), version: 1.into(), next: 0.into() };
        self.bytes.extend_from_slice(header.as_bytes());
        self.bytes.extend_from_slice(body);
    }
}

/// An error in the capabilities of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CapabilityError {
    /// The first capability starts within the fixed part of the reply.
    #[error("capabilities start at byte {0:#x}, accepted is 0x20 or more")]
    InFixedPart(u32),
    /// A capability does not lie within the reply.
    #[error("capability at byte {offset:#x} needs {needs:#x} bytes, the reply has {size:#x}")]
    OutOfBounds {
        /// The offset of the capability in the payload.
        offset: usize,
        /// The number of bytes that it needs, as far as known.
        needs: usize,
        /// The size of the payload, in bytes.
        size: usize,
    },
    /// The chain does not advance by at least a capability header.
    #[error(
        "capability at byte {offset:#x} is followed by one at {next:#x}, accepted are 0 and {:#x} \
         or more",
        .offset + size_of::<CapabilityHeader>()
    )]
    NotForward {
        /// The offset of the capability in the payload.
        offset: usize,
        /// The offset of the next one that it names.
        next: u32,
    },
    /// A capability occurs twice.
    #[error("second capability with id {0}, accepted is one")]
    Duplicate(u16),
}

impl RegionCapabilities {
    /// Returns the bytes that follow a [`RegionInfo`] whose `cap_offset` is 32: a chain, empty if
    /// there are no capabilities.
    pub fn encode(&self) -> Vec<u8> {
        let mut chain = Chain::default();
        if let Some(areas) = &self.sparse {
            let nr_areas = u32::try_from(areas.len()).unwrap_or(u32::MAX);
            let sparse = SparseMmap { nr_areas: nr_areas.into(), reserved: 0.into() };
            chain.push(CAPABILITY_SPARSE_MMAP, &[sparse.as_bytes(), areas.as_bytes()].concat());
        }
        if let Some(type_) = &self.type_ {
            chain.push(CAPABILITY_TYPE, type_.as_bytes());
        }
        chain.bytes
    }

    /// Parses the capabilities in the reply of `VFIO_USER_DEVICE_GET_REGION_INFO`.
    ///
    /// `payload` is all of the reply after its header, `cap_offset` that of its [`RegionInfo`],
    /// which is meaningful with [`RegionFlags::CAPS`](super::RegionFlags::CAPS). Takes time and
    /// memory in proportion to the size of `payload`, whatever its bytes are.
    ///
    /// # Errors
    ///
    /// Fails if a capability does not lie within `payload` after the fixed part, if the chain does
    /// not advance, or if a known capability occurs twice.
    pub fn parse(payload: &[u8], cap_offset: u32) -> Result<Self, CapabilityError> {
        if (cap_offset as usize) < size_of::<RegionInfo>() {
            return Err(CapabilityError::InFixedPart(cap_offset));
        }
        let mut capabilities = Self::default();
        let mut offset = cap_offset as usize;
        loop {
            let mut reader = Reader::at(payload, offset);
            let header: CapabilityHeader = reader.read()?;
            capabilities.take(header.id.get(), &mut reader)?;
            match header.next.get() {
                0 => return Ok(capabilities),
                next if (next as usize) < offset.saturating_add(size_of::<CapabilityHeader>()) => {
                    return Err(CapabilityError::NotForward { offset, next });
                }
                next => offset = next as usize,
            }
        }
    }

    fn take(&mut self, id: u16, reader: &mut Reader<'_>) -> Result<(), CapabilityError> {
        match id {
            CAPABILITY_SPARSE_MMAP if self.sparse.is_none() => {
                let sparse: SparseMmap = reader.read()?;
                self.sparse = Some(reader.read_slice(sparse.nr_areas.get())?.to_vec());
            }
            CAPABILITY_TYPE if self.type_.is_none() => self.type_ = Some(reader.read()?),
            CAPABILITY_SPARSE_MMAP | CAPABILITY_TYPE => return Err(CapabilityError::Duplicate(id)),
            _ => {}
        }
        Ok(())
    }
}

/// Reads one structure after the other from a capability.
struct Reader<'a> {
    /// The rest of the payload; `None` if the capability starts beyond it.
    rest: Option<&'a [u8]>,
    offset: usize,
    taken: usize,
    size: usize,
}

impl<'a> Reader<'a> {
    fn at(payload: &'a [u8], offset: usize) -> Self {
        Self { rest: payload.get(offset..), offset, taken: 0, size: payload.len() }
    }

    fn read<T: FromBytes>(&mut self) -> Result<T, CapabilityError> {
        self.read_bytes(size_of::<T>(), |bytes| T::read_from_prefix(bytes).ok())
    }

    fn read_slice(&mut self, count: u32) -> Result<&'a [SparseArea], CapabilityError> {
        let count = count as usize;
        self.read_bytes(count.saturating_mul(size_of::<SparseArea>()), |bytes| {
            <[SparseArea]>::ref_from_prefix_with_elems(bytes, count).ok()
        })
    }

    fn read_bytes<T>(
        &mut self,
        bytes: usize,
        read: impl FnOnce(&'a [u8]) -> Option<(T, &'a [u8])>,
    ) -> Result<T, CapabilityError> {
        self.taken = self.taken.saturating_add(bytes);
        let (value, rest) = self.rest.and_then(read).ok_or(CapabilityError::OutOfBounds {
            offset: self.offset,
            needs: self.taken,
            size: self.size,
        })?;
        self.rest = Some(rest);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(offset: u64, size: u64) -> SparseArea {
        SparseArea { offset: offset.into(), size: size.into() }
    }

    fn header(id: u16, next: u32) -> [u8; 8] {
        let header = CapabilityHeader { id: id.into(), version: 1.into(), next: next.into() };
        zerocopy::transmute!(header)
    }

    fn sparse(areas: &[SparseArea]) -> Vec<u8> {
        RegionCapabilities { sparse: Some(areas.to_vec()), type_: None }.encode()
    }

    /// A reply: 32 bytes of fixed part, then these.
    fn reply(parts: &[&[u8]]) -> Vec<u8> {
        [&[0; 32], parts.concat().as_slice()].concat()
    }

    #[test]
    fn structures_have_the_sizes_of_the_specification() {
        assert_eq!(size_of::<CapabilityHeader>(), 8);
        assert_eq!(size_of::<SparseMmap>(), 8);
        assert_eq!(size_of::<SparseArea>(), 16);
        assert_eq!(size_of::<TypeCapability>(), 8);
    }

    #[test]
    fn what_is_encoded_is_parsed() {
        for count in [0, 1, 5] {
            let areas: Vec<_> = (0..count).map(|i| area(i << 12, 4096)).collect();
            let size = 48 + 16 * areas.len();
            let sparse = RegionCapabilities { sparse: Some(areas), type_: None };
            let payload = reply(&[&sparse.encode()]);
            assert_eq!(payload.len(), size);
            assert_eq!(RegionCapabilities::parse(&payload, 32), Ok(sparse.clone()));
            let type_ = TypeCapability { type_: 0x8000_1234.into(), subtype: 7.into() };
            let both = RegionCapabilities { type_: Some(type_), ..sparse };
            let payload = reply(&[&both.encode()]);
            assert_eq!(RegionCapabilities::parse(&payload, 32), Ok(both));
        }
    }

    #[test]
    fn a_chain_is_followed_and_unknown_capabilities_are_skipped() {
        let payload = reply(&[
            &header(CAPABILITY_MSIX_MAPPABLE, 40),
            &header(99, 48),
            &header(CAPABILITY_TYPE, 64),
            &[1, 0, 0, 0, 2, 0, 0, 0],
            &sparse(&[area(0x1000, 0x2000)]),
        ]);
        let parsed = RegionCapabilities::parse(&payload, 32).unwrap();
        assert_eq!(parsed.sparse, Some(vec![area(0x1000, 0x2000)]));
        assert_eq!(parsed.type_, Some(TypeCapability { type_: 1.into(), subtype: 2.into() }));
    }

    #[test]
    fn a_chain_that_starts_in_the_fixed_part_is_refused() {
        for offset in [0, 8, 31] {
            let result = RegionCapabilities::parse(&[0; 64], offset);
            assert_eq!(result, Err(CapabilityError::InFixedPart(offset)));
        }
    }

    #[test]
    fn a_chain_that_does_not_go_forward_is_refused() {
        for next in [1, 31, 32, 39] {
            let payload = reply(&[&header(99, next), &[0; 16]]);
            let result = RegionCapabilities::parse(&payload, 32);
            assert_eq!(result, Err(CapabilityError::NotForward { offset: 32, next }));
        }
    }

    #[test]
    fn a_capability_outside_the_reply_is_refused() {
        let payload = reply(&[&header(99, 0)]);
        for offset in [33, 40, 41, u32::MAX] {
            let error = RegionCapabilities::parse(&payload, offset).unwrap_err();
            let offset = offset as usize;
            assert_eq!(error, CapabilityError::OutOfBounds { offset, needs: 8, size: 40 });
        }
        let cut = reply(&[&header(CAPABILITY_TYPE, 0), &[0; 7]]);
        let error = RegionCapabilities::parse(&cut, 32).unwrap_err();
        assert_eq!(error, CapabilityError::OutOfBounds { offset: 32, needs: 16, size: 47 });
    }

    #[test]
    fn more_areas_than_the_reply_holds_are_refused_before_they_are_allocated() {
        for count in [2, 0x1000_0000, u32::MAX] {
            let mut payload = reply(&[&sparse(&[area(0, 4096)])]);
            payload[40..44].copy_from_slice(&count.to_le_bytes());
            let needs = 16 + 16 * count as usize;
            let error = RegionCapabilities::parse(&payload, 32).unwrap_err();
            assert_eq!(error, CapabilityError::OutOfBounds { offset: 32, needs, size: 64 });
        }
    }

    #[test]
    fn a_second_capability_of_the_same_kind_is_refused() {
        let mut first = sparse(&[]);
        first[4] = 48;
        let payload = reply(&[&first, &sparse(&[])]);
        assert_eq!(RegionCapabilities::parse(&payload, 32), Err(CapabilityError::Duplicate(1)));
    }

    #[test]
    fn errors_name_the_values() {
        let error = CapabilityError::NotForward { offset: 32, next: 8 };
        let text = "capability at byte 0x20 is followed by one at 0x8, accepted are 0 and 0x28 or \
                    more";
        assert_eq!(error.to_string(), text);
    }
}
