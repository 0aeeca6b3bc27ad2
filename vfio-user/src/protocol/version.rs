//! Negotiation of version and capabilities.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use zerocopy::IntoBytes;
use zerocopy::little_endian::U16;

use super::{MAX_DATA_XFER_SIZE, MAX_DMA_MAPS, MAX_MSG_FDS, PAGE_SIZE};

/// Request and reply of `VFIO_USER_VERSION`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Version {
    /// The major version, which must be the same on both sides; currently 0.
    pub major: u16,
    /// The minor version; that of a reply is at most that of the request.
    pub minor: u16,
    /// The capabilities of the sender.
    pub capabilities: Capabilities,
}

/// The capabilities of the sender of a [`Version`]. Absent keys have the default of the
/// specification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    /// The number of file descriptors accepted in one message; default 1.
    pub max_msg_fds: u32,
    /// The bytes of data accepted in one transfer; default 1 MiB.
    pub max_data_xfer_size: u64,
    /// The number of simultaneous DMA mappings accepted; default 65535.
    pub max_dma_maps: u64,
    /// The page sizes accepted in `VFIO_USER_DMA_MAP`, in bytes, or'ed; default 4096.
    pub pgsizes: u64,
    /// Whether the server sends its commands over a separate socket; default no.
    #[serde(deserialize_with = "some_object", skip_serializing_if = "Option::is_none")]
    pub twin_socket: Option<TwinSocket>,
    /// Whether `VFIO_USER_REGION_WRITE_MULTI` is supported; default no.
    #[serde(skip_serializing_if = "is_false")]
    pub write_multiple: bool,
    /// The properties of dirty page logs. Not part of the specification any more, but sent by all
    /// peers.
    #[serde(deserialize_with = "some_object", skip_serializing_if = "Option::is_none")]
    pub migration: Option<MigrationCapability>,
}

/// A second socket for the commands of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TwinSocket {
    /// Whether the client supports it, or the server has created one.
    pub supported: bool,
    /// In a reply: the index of the socket among the file descriptors, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fd_index: Option<u32>,
}

/// The properties of dirty page logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MigrationCapability {
    /// The bytes of memory per bit of a dirty bitmap; default 4096.
    pub pgsize: u64,
    /// The size of the largest dirty bitmap, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bitmap_size: Option<u64>,
}

/// An error in the payload of a `VFIO_USER_VERSION` message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VersionError {
    /// The payload is too short for a version.
    #[error("version payload has {0} bytes, accepted are 4 or more")]
    TooShort(usize),
    /// The JSON text does not end with a NUL.
    #[error("version capabilities end with byte {0:#04x}, accepted is a NUL")]
    NoNul(u8),
    /// Bytes follow the NUL of the JSON text.
    #[error("version capabilities have a NUL at byte {0} of {1}, accepted is one at their end")]
    EarlyNul(usize, usize),
    /// The JSON text is not UTF-8.
    #[error("version capabilities are not UTF-8: {0}")]
    Utf8(std::str::Utf8Error),
    /// The JSON text is malformed, or a known member has a wrong type or value.
    #[error("version capabilities are malformed: {0}")]
    Json(serde_json::Error),
}

impl Version {
    /// Parses the payload of a request or reply. Unknown members of the JSON text are ignored.
    ///
    /// # Errors
    ///
    /// Fails if the payload is shorter than 4 bytes, if anything but a JSON object with a final NUL
    /// follows them, or if a known member has a wrong type: numbers must be non-negative integers.
    pub fn decode(payload: &[u8]) -> Result<Self, VersionError> {
        let Some(([major_0, major_1, minor_0, minor_1], text)) = payload.split_first_chunk() else {
            return Err(VersionError::TooShort(payload.len()));
        };
        Ok(Self {
            major: u16::from_le_bytes([*major_0, *major_1]),
            minor: u16::from_le_bytes([*minor_0, *minor_1]),
            capabilities: Capabilities::decode(text)?,
        })
    }

    /// Returns the payload of a request or reply: the version, then compact JSON with a final NUL.
    #[expect(clippy::missing_panics_doc, reason = "integers and booleans always serialize")]
    pub fn encode(&self) -> Vec<u8> {
        let text = Text { capabilities: self.capabilities.clone() };
        let json = serde_json::to_string(&text).expect("integers and booleans always serialize");
        let version = [U16::new(self.major), U16::new(self.minor)];
        [version.as_bytes(), json.as_bytes(), b"\0"].concat()
    }
}

/// The JSON text of a version.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Text {
    #[serde(deserialize_with = "object")]
    capabilities: Capabilities,
}

impl Capabilities {
    /// Returns the capabilities of this implementation.
    #[expect(clippy::cast_possible_truncation, reason = "the constant is small")]
    pub fn ours() -> Self {
        Self { max_msg_fds: MAX_MSG_FDS as u32, ..Self::default() }
    }

    /// Parses the JSON text and its NUL, or an empty text.
    fn decode(text: &[u8]) -> Result<Self, VersionError> {
        let Some((last, json)) = text.split_last() else {
            return Ok(Self::default());
        };
        if *last != 0 {
            return Err(VersionError::NoNul(*last));
        }
        if let Some(nul) = json.iter().position(|byte| *byte == 0) {
            return Err(VersionError::EarlyNul(nul, text.len()));
        }
        let json = std::str::from_utf8(json).map_err(VersionError::Utf8)?;
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let text: Text = object(&mut deserializer).map_err(VersionError::Json)?;
        deserializer.end().map_err(VersionError::Json)?;
        Ok(text.capabilities)
    }
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            max_msg_fds: 1,
            max_data_xfer_size: MAX_DATA_XFER_SIZE as u64,
            max_dma_maps: MAX_DMA_MAPS as u64,
            pgsizes: PAGE_SIZE,
            twin_socket: None,
            write_multiple: false,
            migration: None,
        }
    }
}

impl Default for MigrationCapability {
    fn default() -> Self {
        Self { pgsize: PAGE_SIZE, max_bitmap_size: None }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde calls")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Parses an object; the derived code alone would accept an array as well.
fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_map(ObjectVisitor(PhantomData))
}

fn some_object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    object(deserializer).map(Some)
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

#[cfg(test)]
mod tests;
