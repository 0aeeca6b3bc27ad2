//! The encoding of events.

use std::fmt;
use std::marker::PhantomData;

use bincode::serde::{decode_from_slice, encode_to_vec};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::CONFIG;

/// How events of a type are recorded and replayed.
pub struct EventCodec<E> {
    pub(crate) encode: fn(&E) -> Option<Vec<u8>>,
    pub(crate) decode: fn(&[u8]) -> Option<E>,
}

impl<E> fmt::Debug for EventCodec<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventCodec").finish_non_exhaustive()
    }
}

/// The codec of a type of events, which exists if the type implements the traits of serde: this
/// constant takes precedence over that of [`NotRecorded`].
#[derive(Debug)]
pub struct Recordable<E>(PhantomData<E>);

impl<E: Serialize + DeserializeOwned> Recordable<E> {
    /// The codec.
    pub const CODEC: Option<EventCodec<E>> = Some(EventCodec { encode, decode });
}

/// The absence of a codec, for all other types.
pub trait NotRecorded<E> {
    /// No codec.
    const CODEC: Option<EventCodec<E>> = None;
}

impl<E> NotRecorded<E> for Recordable<E> {}

fn encode<E: Serialize>(event: &E) -> Option<Vec<u8>> {
    encode_to_vec(event, CONFIG).ok()
}

fn decode<E: DeserializeOwned>(bytes: &[u8]) -> Option<E> {
    let (event, read) = decode_from_slice(bytes, CONFIG).ok()?;
    (read == bytes.len()).then_some(event)
}
