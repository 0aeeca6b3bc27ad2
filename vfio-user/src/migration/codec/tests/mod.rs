//! The codec: what comes back, and what is refused.

mod algebra;
mod generated;
mod hostile;
mod readers;
mod types;
mod writing;

use std::collections::BTreeMap;
use std::fmt::Debug;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::shape::{Member, Members, tag};
use super::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Queue {
    head: u16,
    tail: u16,
    mode: Mode,
    label: Option<String>,
    seen: BTreeMap<u32, (i64, bool)>,
    ring: Vec<Slot>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Mode {
    Off,
    Wrapped(u32),
    Range(u8, u64),
    Split { left: i32, right: Vec<u8> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Slot(u8);

/// The same struct in another order.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Forward {
    head: u16,
    tail: u16,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Backward {
    tail: u16,
    head: u16,
}

fn encoded<T: Serialize + DeserializeOwned + 'static>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(value, shape_of::<T>(), &mut bytes).unwrap();
    bytes
}

/// What is said of bytes that were written as another type.
fn refusal<W: 'static + DeserializeOwned, T: DeserializeOwned + Debug>(bytes: &[u8]) -> String {
    decode::<T>(bytes, shape_of::<W>()).unwrap_err().to_string()
}

/// What is said of a value of one type that is read as another.
fn refused<W, T>(value: &W) -> String
where
    W: Serialize + DeserializeOwned + 'static,
    T: DeserializeOwned + Debug + 'static,
{
    let bytes = encoded(value);
    let said = shape_of::<T>().accepts(shape_of::<W>()).unwrap_err().to_string();
    refusal::<W, T>(&bytes);
    said
}

fn encoded_1<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, String> {
    let elements = Cell::new(0);
    let named = writing::Named { value, elements: &elements };
    let bytes = bincode::serde::encode_to_vec(named, CONFIG).map_err(|error| error.to_string())?;
    if elements.get() > bytes.len() { Err("elements of no size".to_owned()) } else { Ok(bytes) }
}

fn queues() -> impl Strategy<Value = Queue> {
    let mode = prop_oneof![
        Just(Mode::Off),
        any::<u32>().prop_map(Mode::Wrapped),
        any::<(u8, u64)>().prop_map(|(low, high)| Mode::Range(low, high)),
        any::<(i32, Vec<u8>)>().prop_map(|(left, right)| Mode::Split { left, right }),
    ];
    let seen = proptest::collection::btree_map(any::<u32>(), any::<(i64, bool)>(), 0..5);
    let ring = proptest::collection::vec(any::<u8>().prop_map(Slot), 0..9);
    (any::<(u16, u16)>(), mode, any::<Option<String>>(), seen, ring).prop_map(
        |((head, tail), mode, label, seen, ring)| Queue { head, tail, mode, label, seen, ring },
    )
}
