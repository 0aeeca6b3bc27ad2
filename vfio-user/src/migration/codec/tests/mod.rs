mod algebra;

use std::collections::BTreeMap;
use std::fmt::Debug;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

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

fn encoded<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(value, &mut bytes).unwrap();
    bytes
}

fn refusal<T: DeserializeOwned + Debug>(bytes: &[u8]) -> String {
    decode::<T>(bytes).unwrap_err().to_string()
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

/// A type, and a value of it.
fn typed() -> impl Strategy<Value = (algebra::Type, algebra::Value)> {
    algebra::types().prop_flat_map(|ty| {
        let values = algebra::values(&ty);
        (Just(ty), values)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn every_value_of_every_type_comes_back((ty, value) in typed()) {
        let mut bytes = Vec::new();
        if encode(&algebra::Typed(&ty, &value), &mut bytes).is_ok() {
            prop_assert_eq!(decode_seed(&ty, &bytes), Ok(value));
            for len in 0..bytes.len() {
                prop_assert!(decode_seed(&ty, &bytes[..len]).is_err(), "{} bytes", len);
            }
        }
    }
}

proptest! {
    #[test]
    fn every_value_comes_back(queue in queues()) {
        prop_assert_eq!(decode::<Queue>(&encoded(&queue)), Ok(queue));
    }

    #[test]
    fn no_part_of_a_value_is_one(queue in queues()) {
        let bytes = encoded(&queue);
        for len in 0..bytes.len() {
            prop_assert!(decode::<Queue>(&bytes[..len]).is_err(), "{} bytes", len);
        }
    }

    #[test]
    fn anything_may_come(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode::<Queue>(&bytes);
        let _ = decode::<Vec<Mode>>(&bytes);
    }

    #[test]
    fn a_value_may_be_damaged(queue in queues(), at: usize, bit in 0..8) {
        let mut bytes = encoded(&queue);
        let at = at % bytes.len();
        bytes[at] ^= 1_u8 << bit;
        let _ = decode::<Queue>(&bytes);
    }
}

#[test]
fn fields_are_found_by_their_names() {
    let bytes = encoded(&Forward { head: 1, tail: 2 });
    assert_eq!(decode(&bytes), Ok(Backward { head: 1, tail: 2 }));
}

#[test]
fn names_that_are_wrong_are_told() {
    #[derive(Serialize)]
    struct More {
        head: u16,
        tail: u16,
        added: u8,
    }
    #[derive(Serialize)]
    struct Fewer {
        head: u16,
    }
    #[derive(Serialize)]
    enum Modes {
        On,
    }
    let more = refusal::<Forward>(&encoded(&More { head: 1, tail: 2, added: 3 }));
    assert!(more.starts_with("unknown field `added`"), "{more}");
    assert_eq!(refusal::<Forward>(&encoded(&Fewer { head: 1 })), "missing field `tail`");
    let twice = [("head", 1_u16), ("head", 2)];
    let mut bytes = vec![2];
    for entry in twice {
        encode(&entry, &mut bytes).unwrap();
    }
    assert_eq!(refusal::<Forward>(&bytes), "duplicate field `head`");
    let variant = refusal::<Mode>(&encoded(&Modes::On));
    assert!(variant.starts_with("unknown variant `On`"), "{variant}");
}

#[test]
fn a_value_is_all_of_its_bytes() {
    assert_eq!(refusal::<u8>(&[1, 2, 3]), "2 bytes are left over");
    assert_eq!(refusal::<u8>(&[]), "it ends early");
}

#[test]
fn elements_without_size_are_refused_both_ways() {
    let units = [(), (), ()].to_vec();
    let error = encode(&units, &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "it holds elements of no size");
    // 2^64 - 1 of them.
    let bytes = [253, 255, 255, 255, 255, 255, 255, 255, 255];
    assert_eq!(refusal::<Vec<()>>(&bytes), "it holds more elements than bytes");
}

#[test]
fn a_length_allocates_nothing() {
    let bytes = [253, 255, 255, 255, 255, 255, 255, 255, 127];
    assert!(decode::<Vec<u64>>(&bytes).is_err());
    assert!(decode::<String>(&bytes).is_err());
    assert!(decode::<serde_bytes::ByteBuf>(&bytes).is_err());
    assert!(decode::<BTreeMap<u64, u64>>(&bytes).is_err());
}

#[test]
fn nesting_ends() {
    #[derive(Debug, Deserialize)]
    struct Chain(#[expect(dead_code, reason = "never read")] Option<Box<Chain>>);
    assert_eq!(refusal::<Chain>(&vec![1; 1 << 20]), "it is nested more than 64 deep");
}

#[test]
fn an_error_does_not_repeat_a_long_name() {
    let bytes = encoded(&"x".repeat(10_000));
    assert!(refusal::<Mode>(&bytes).len() <= 200);
}
