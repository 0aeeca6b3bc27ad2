//! How values are written. Nothing outside of this file and its folder knows the codec.
//!
//! The codec alone is positional: two fields that changed places would load in each other's place.
//! So structs are written as maps and variants by name, and every name is checked when it is read.

mod reading;
mod writing;

use std::cell::Cell;
use std::marker::PhantomData;

use bincode::enc::write::Writer;
use bincode::error::{DecodeError, EncodeError};
use serde::Serialize;
use serde::de::{DeserializeOwned, DeserializeSeed};

use reading::{Limits, Seed};
use writing::Named;

/// The codec's number in the hello frame.
pub(super) const CODEC: u16 = 1;

/// The largest value, in bytes. Without a limit, a few hostile bytes make the codec allocate
/// whatever they say.
const LIMIT: usize = super::MAX_STATE;

type Config = bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<LIMIT>,
>;
const CONFIG: Config = bincode::config::standard().with_limit::<LIMIT>();

/// A value that cannot be written, or bytes that are not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(String);

/// Appends a value.
pub(super) fn encode<T>(value: &T, out: &mut Vec<u8>) -> Result<(), ValueError>
where
    T: Serialize + ?Sized,
{
    let (start, elements) = (out.len(), Cell::new(0));
    let named = Named { value, elements: &elements };
    bincode::serde::encode_into_writer(named, Append(out), CONFIG)?;
    if elements.get() > out.len() - start {
        return Err(ValueError("it holds elements of no size".to_owned()));
    }
    Ok(())
}

/// Reads a value that is all of `bytes`.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ValueError> {
    decode_seed(PhantomData::<T>, bytes)
}

fn decode_seed<'de, T>(seed: T, bytes: &'de [u8]) -> Result<T::Value, ValueError>
where
    T: DeserializeSeed<'de>,
{
    // Every element has a size, so there are no more of them than bytes.
    let elements = Cell::new(bytes.len());
    let seed = Seed::new(seed, Limits::new(&elements));
    let (value, used) = bincode::serde::seed_decode_from_slice(seed, bytes, CONFIG)?;
    match bytes.len() - used {
        0 => Ok(value),
        rest => Err(ValueError(format!("{rest} bytes are left over"))),
    }
}

struct Append<'a>(&'a mut Vec<u8>);

impl Writer for Append<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

impl From<EncodeError> for ValueError {
    fn from(error: EncodeError) -> Self {
        match error {
            EncodeError::OtherString(text) => ValueError::new(text),
            other => ValueError::new(other.to_string()),
        }
    }
}

impl From<DecodeError> for ValueError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::OtherString(text) => ValueError::new(text),
            DecodeError::UnexpectedEnd { .. } => ValueError::new("it ends early".to_owned()),
            DecodeError::LimitExceeded => ValueError::new("it is too large".to_owned()),
            other => ValueError::new(other.to_string()),
        }
    }
}

impl ValueError {
    /// Names in it may be a stream's, and as long as that likes.
    pub(super) fn new(mut text: String) -> Self {
        const LONGEST: usize = 200;
        if let Some((end, _)) = text.char_indices().nth(LONGEST) {
            text.truncate(end);
        }
        ValueError(text)
    }
}

#[cfg(test)]
mod tests;
