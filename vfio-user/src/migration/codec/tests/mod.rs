mod algebra;
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

/// A type, and a value of it.
fn typed() -> impl Strategy<Value = (algebra::Type, algebra::Value)> {
    algebra::types().prop_flat_map(|ty| {
        let values = algebra::values(&ty);
        (Just(ty), values)
    })
}

fn check(ty: &algebra::Type, value: &algebra::Value, shape: &Shape) -> Result<(), TestCaseError> {
    let mut bytes = Vec::new();
    encode(&algebra::Typed(ty, value), shape, &mut bytes).unwrap();
    prop_assert_eq!(&decode_seed(ty, &bytes, shape).unwrap(), value);
    for len in 0..bytes.len() {
        prop_assert!(decode_seed(ty, &bytes[..len], shape).is_err(), "{} bytes", len);
    }
    let written = shape_bytes(shape);
    let read = read_shape(&written).unwrap();
    prop_assert_eq!(&decode_seed(ty, &bytes, &read).unwrap(), value);
    for len in 0..written.len() {
        prop_assert!(read_shape(&written[..len]).is_err(), "{} bytes", len);
    }
    prop_assert_eq!(shape.accepts(&read), Ok(()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn every_value_of_every_type_comes_back((ty, value) in typed()) {
        let shape = trace(|| &ty, true);
        let text = shape.to_string();
        prop_assert!(!text.contains("any"), "{}", text);
        let parsed = Shape::parse(&text).unwrap();
        prop_assert_eq!(parsed.to_string(), text);
        prop_assert_eq!(parsed.accepts(&shape), Ok(()));
        check(&ty, &value, &shape)?;
        check(&ty, &value, &Shape::Any)?;
    }

    #[test]
    fn a_type_that_differs_anywhere_is_refused(ty in algebra::types(), at: usize) {
        let mut other = ty.clone();
        let leaves = algebra::leaves(&mut other);
        prop_assume!(!leaves.is_empty());
        let count = leaves.len();
        let leaf = leaves.into_iter().nth(at % count).unwrap();
        *leaf = algebra::another(*leaf);
        let (shape, other) = (trace(|| &ty, true), trace(|| &other, true));
        prop_assert!(shape.accepts(&other).is_err(), "{} as {}", other, shape);
        prop_assert!(other.accepts(&shape).is_err(), "{} as {}", shape, other);
    }

    #[test]
    fn every_value_of_format_1_comes_back((ty, value) in typed()) {
        if let Ok(bytes) = encoded_1(&algebra::Typed(&ty, &value)) {
            prop_assert_eq!(decode_seed_1(&ty, &bytes), Ok(value));
            for len in 0..bytes.len() {
                prop_assert!(decode_seed_1(&ty, &bytes[..len]).is_err(), "{} bytes", len);
            }
        }
    }

    #[test]
    fn any_type_may_come(ty: Vec<u8>, bytes: Vec<u8>) {
        if let Ok(shape) = read_shape(&ty) {
            let _ = shape.to_string();
            let _ = decode::<Queue>(&bytes, &shape);
            let _ = decode::<serde_json::Value>(&bytes, &shape);
        }
    }
}

proptest! {
    #[test]
    fn every_value_comes_back(queue in queues()) {
        prop_assert_eq!(decode::<Queue>(&encoded(&queue), shape_of::<Queue>()), Ok(queue));
    }

    #[test]
    fn anything_may_come(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode::<Queue>(&bytes, shape_of::<Queue>());
        let _ = decode::<Queue>(&bytes, &Shape::Any);
        let _ = decode::<serde_json::Value>(&bytes, &Shape::Any);
        let _ = decode::<Vec<Mode>>(&bytes, shape_of::<Vec<Mode>>());
        let _ = decode_1::<Queue>(&bytes);
    }

    #[test]
    fn a_value_may_be_damaged(queue in queues(), at: usize, bit in 0..8) {
        let mut bytes = encoded(&queue);
        let at = at % bytes.len();
        bytes[at] ^= 1_u8 << bit;
        let _ = decode::<Queue>(&bytes, shape_of::<Queue>());
    }
}

#[test]
fn fields_are_found_by_their_names() {
    let bytes = encoded(&Forward { head: 1, tail: 2 });
    let shape = shape_of::<Forward>();
    assert_eq!(decode(&bytes, shape), Ok(Backward { head: 1, tail: 2 }));
    assert_eq!(shape_of::<Backward>().accepts(shape), Ok(()));
}

#[test]
fn shapes_are_what_types_are() {
    #[derive(Serialize, Deserialize)]
    struct Chain(Option<Box<Chain>>);
    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u32),
        Text(String),
    }
    #[derive(Serialize, Deserialize)]
    struct Older {
        #[serde(alias = "was")]
        now: u8,
        #[serde(default)]
        more: u16,
        maybe: Option<bool>,
        port: std::num::NonZeroU16,
    }
    let shown = |shape: &Shape| shape.to_string();
    assert_eq!(
        shown(shape_of::<Queue>()),
        "{head: u16, tail: u16, mode: <Off | Wrapped(u32) | Range(u8, u64) | Split{left: i32, \
         right: bytes}>, label?: Option<str>, seen: Map<u32, (i64, bool)>, ring: bytes}"
    );
    assert_eq!(shown(shape_of::<Chain>()), "Option<any>");
    assert_eq!(shown(shape_of::<Vec<Either>>()), "[any]");
    let older = "{now: u8, more?: u16, maybe?: Option<bool>, port: u16, or was}";
    assert_eq!(shown(shape_of::<Older>()), older);
    assert_eq!(shown(shape_of::<[[u8; 3]; 2]>()), "[[u8; 3]; 2]");
    assert_eq!(
        shown(shape_of::<(u8, (), std::net::IpAddr)>()),
        "(u8, (), <V4[u8; 4] | V6[u8; 16]>)"
    );
}

#[test]
fn another_type_is_refused_by_name() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Signed {
        head: i16,
        tail: u16,
    }
    let said = refused::<_, i32>(&7_u32);
    assert_eq!(said, "it is `u32` in the state and `i32` in this version");
    refused::<_, bool>(&1_u8);
    refused::<_, Option<u8>>(&1_u8);
    refused::<_, u8>(&Some(1_u8));
    refused::<_, (u8, u8)>(&0x0101_u16);
    refused::<_, u64>(&1_u32);
    refused::<_, Vec<u16>>(&vec![1_u32]);
    let said = refused::<_, Signed>(&Forward { head: 1, tail: 2 });
    assert_eq!(said, "`head` in it is `u16` in the state and `i16` in this version");
}

/// One that asks for the same names need not take them in their order.
#[test]
fn only_derived_readers_take_fields_without_names() {
    use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
    static NAMES: [&str; 2] = ["head", "tail"];
    /// Named as those of serde's derive are.
    struct __Visitor;
    struct ByHand;
    macro_rules! visitors {
        ($($visitor:ident)*) => {$(
            impl<'de> Visitor<'de> for $visitor {
                type Value = &'static str;

                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("two numbers")
                }

                fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Self::Value, A::Error> {
                    while all.next_element::<u16>()?.is_some() {}
                    Ok("in their order")
                }

                fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Self::Value, A::Error> {
                    while all.next_entry::<String, u16>()?.is_some() {}
                    Ok("by name")
                }
            }

            impl<'de> DeserializeSeed<'de> for $visitor {
                type Value = &'static str;

                fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
                    let read = from.deserialize_struct("Two", &NAMES, self);
                    read.map_err(D::Error::custom)
                }
            }
        )*};
    }
    visitors! { __Visitor ByHand }
    let shape = shape_of::<Forward>().clone();
    let bytes = encoded(&Forward { head: 1, tail: 2 });
    for _ in 0..2 {
        assert_eq!(decode_seed(__Visitor, &bytes, &shape), Ok("in their order"));
        assert_eq!(decode_seed(ByHand, &bytes, &shape), Ok("by name"));
    }
}

/// Serde may call the visitors of its derive something else: then nothing is wrong, but slow.
#[test]
fn derived_readers_are_known() {
    let shape = shape_of::<Forward>().clone();
    let bytes = encoded(&Forward { head: 1, tail: 2 });
    assert_eq!(decode(&bytes, &shape), Ok(Forward { head: 1, tail: 2 }));
    let Shape::Struct(members) = &shape else { panic!("{shape}") };
    assert_ne!((members.derived.get(), members.same_as.get()), (0, 0));
}

#[test]
fn many_fields_may_be_left_out_in_linear_time() {
    let byte = |n: u32| Member {
        name: n.to_string().into(),
        is_optional: true,
        is_alias: false,
        shape: Shape::Plain(Plain::U8),
    };
    let list = (0..10_000).map(byte).collect();
    let shape = Shape::Struct(Members { list, ..Members::default() });
    let value = |places: &mut dyn Iterator<Item = usize>| {
        let (mut bytes, places) = (Vec::new(), places.collect::<Vec<_>>());
        wire::put_len(&mut bytes, places.len() + 1);
        for place in &places {
            wire::put_len(&mut bytes, *place);
        }
        bytes.extend(places.iter().map(|_| 7));
        bytes
    };
    let read = |places: &mut dyn Iterator<Item = usize>| {
        decode::<BTreeMap<String, u8>>(&value(places), &shape)
    };
    assert_eq!(read(&mut (1..10_000)).unwrap().len(), 9_999);
    assert_eq!(read(&mut (1..10_000).rev()).unwrap().len(), 9_999);
    let said = "a struct has fields that its type does not have";
    for wrong in [vec![1, 1], vec![2, 1, 2], vec![10_000], vec![0; 10_001]] {
        assert_eq!(read(&mut wrong.into_iter()).unwrap_err().to_string(), said);
    }
    let started = std::time::Instant::now();
    for _ in 0..20 {
        read(&mut (1..10_000).rev()).unwrap();
    }
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
}

#[test]
fn names_that_are_wrong_are_named() {
    #[derive(Debug, Serialize, Deserialize)]
    struct More {
        head: u16,
        tail: u16,
        added: u8,
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Fewer {
        head: u16,
    }
    #[derive(Debug, Serialize, Deserialize)]
    enum Modes {
        On,
    }
    let more = refused::<_, Forward>(&More { head: 1, tail: 2, added: 3 });
    assert_eq!(more, "it has a field that this version does not have: `added`");
    assert_eq!(refused::<_, Forward>(&Fewer { head: 1 }), "it lacks the field `tail`");
    let variant = refusal::<Modes, Mode>(&encoded(&Modes::On));
    assert!(variant.starts_with("unknown variant `On`"), "{variant}");
}

#[test]
fn what_is_written_is_what_is_read() {
    #[derive(Serialize, Deserialize)]
    struct Lossy {
        #[serde(skip_deserializing)]
        seen: u8,
    }
    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Hidden {
        #[serde(skip_serializing)]
        hidden: u8,
    }
    fn said<T: Serialize + DeserializeOwned + 'static>(value: &T) -> String {
        encode(value, shape_of::<T>(), &mut Vec::new()).unwrap_err().to_string()
    }
    assert_eq!(said(&Lossy { seen: 1 }), "the field `seen` of a struct is written and not read");
    let hidden = "the field `hidden` of a struct is read and not written";
    assert_eq!(said(&Hidden::default()), hidden);
    let error = encode(&1_u32, shape_of::<i32>(), &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "it is written as `u32` and read as `i32`");
}

/// What serde reads by what it finds.
#[test]
fn values_may_say_what_they_are() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u32),
        Pair(i8, Vec<u16>),
        Text { text: String },
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        Off,
        On { mode: Mode, at: (u8, f32) },
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind", content = "is")]
    enum Beside {
        Off,
        On(u64, Option<bool>),
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Flat {
        own: u8,
        #[serde(flatten)]
        other: Forward2,
        #[serde(flatten)]
        rest: BTreeMap<String, i32>,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Forward2 {
        head: u16,
        mode: Mode,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Tree {
        Leaf(u8),
        Fork(Box<(Tree, Tree)>),
    }
    fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug + 'static>(value: &T) {
        let bytes = encoded(value);
        assert_eq!(decode::<T>(&bytes, shape_of::<T>()).as_ref(), Ok(value));
    }
    let mode = || Mode::Split { left: -1, right: vec![1, 2] };
    comes_back(&vec![
        Either::Number(7),
        Either::Pair(-1, vec![3]),
        Either::Text { text: "x".into() },
    ]);
    comes_back(&[Tagged::Off, Tagged::On { mode: mode(), at: (1, 0.5) }]);
    comes_back(&[Beside::Off, Beside::On(1, Some(true))]);
    let rest = BTreeMap::from([("a".to_owned(), -1), ("b".to_owned(), 2)]);
    comes_back(&Flat { own: 1, other: Forward2 { head: 2, mode: mode() }, rest });
    let leaf = |n| Tree::Leaf(n);
    comes_back(&Tree::Fork(Box::new((leaf(1), Tree::Fork(Box::new((leaf(2), leaf(3))))))));
    comes_back(&serde_json::json!({ "a": [1, -2, 0.5, null, true], "b": { "c": "d" } }));
}

#[test]
fn fields_may_be_left_out() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Sparse {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        first: Option<u8>,
        second: u8,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        third: Vec<u8>,
    }
    let all = [(None, vec![]), (Some(1), vec![]), (None, vec![2]), (Some(1), vec![2])];
    let all = all.map(|(first, third)| Sparse { first, second: 5, third });
    let bytes = encoded(&all);
    assert_eq!(decode(&bytes, shape_of::<[Sparse; 4]>()), Ok(all));
}

#[test]
fn equal_sets_are_equal_bytes() {
    use std::collections::{BinaryHeap, HashMap, HashSet};
    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(transparent)]
    struct Ports(HashSet<u16>);
    type All = (HashMap<u16, Vec<HashSet<String>>>, Option<Ports>, (BinaryHeap<u8>,));
    let value = |numbers: &mut dyn Iterator<Item = u16>| -> All {
        let numbers: Vec<u16> = numbers.collect();
        let names = |n: u16| numbers.iter().map(|m| format!("{}", n ^ m)).collect();
        (
            numbers.iter().map(|n| (*n, vec![names(*n), HashSet::new()])).collect(),
            Some(Ports(numbers.iter().copied().collect())),
            (numbers.iter().map(|n| n.to_le_bytes()[0]).collect(),),
        )
    };
    let bytes = encoded(&value(&mut (0..300)));
    for _ in 0..4 {
        assert!(encoded(&value(&mut (0..300).rev())) == bytes);
    }
    let read: All = decode(&bytes, shape_of::<All>()).unwrap();
    assert!(encoded(&read) == bytes);
}

#[test]
fn a_value_is_all_of_its_bytes() {
    assert_eq!(refusal::<u8, u8>(&[1, 2, 3]), "2 bytes are left over");
    assert_eq!(refusal::<u8, u8>(&[]), "it ends early");
    assert_eq!(decode_1::<u8>(&[1, 2, 3]).unwrap_err().to_string(), "2 bytes are left over");
}

#[test]
fn elements_without_size_are_counted() {
    let units = [[(); 2]; 3].to_vec();
    assert_eq!(decode(&encoded(&units), shape_of::<Vec<[(); 2]>>()), Ok(units));
    // 2^64 - 1 of them.
    let bytes = [253, 255, 255, 255, 255, 255, 255, 255, 255];
    assert_eq!(refusal::<Vec<()>, Vec<()>>(&bytes), "it holds more elements than bytes");
    let said = decode_1::<Vec<()>>(&bytes).unwrap_err();
    assert_eq!(said.to_string(), "it holds more elements than bytes");
}

#[test]
fn a_length_allocates_nothing() {
    fn is_refused<T: DeserializeOwned + Debug + 'static>() {
        let bytes = [253, 255, 255, 255, 255, 255, 255, 255, 127];
        assert!(decode::<T>(&bytes, shape_of::<T>()).is_err());
        assert!(decode_1::<T>(&bytes).is_err());
    }
    is_refused::<Vec<u64>>();
    is_refused::<String>();
    is_refused::<serde_bytes::ByteBuf>();
    is_refused::<BTreeMap<u64, u64>>();
    // A type says how many elements a tuple has: so many that have no size.
    let shape = Shape::Tuple(vec![(u32::MAX, Shape::Plain(Plain::Unit))]);
    assert!(decode::<serde_json::Value>(&[], &shape).is_err());
}

/// A type of a few bytes whose values have as many elements as it likes, and no bytes.
#[test]
fn elements_cost_what_their_bytes_do() {
    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "it is refused while it is read")]
    enum Either {
        _Unit(()),
        _List(Vec<Either>),
    }
    #[derive(Debug, Deserialize)]
    struct Flat {
        #[serde(flatten)]
        _rest: BTreeMap<String, serde_json::Value>,
    }
    fn is_refused(shape: &Shape, bytes: &[u8]) {
        let shape = read_shape(&shape_bytes(shape)).unwrap();
        let said = [
            decode::<serde_json::Value>(bytes, &shape).unwrap_err(),
            decode::<serde::de::IgnoredAny>(bytes, &shape).unwrap_err(),
            decode::<Either>(bytes, &shape).unwrap_err(),
        ];
        for said in said {
            assert_eq!(said.to_string(), "it holds far more elements than bytes");
        }
    }
    let unit = || Shape::Plain(Plain::Unit);
    let of_64 = |of| Shape::Tuple(vec![(64, of)]);
    is_refused(&(0..60).fold(unit(), |of, _| of_64(of)), &[]);
    let wide = Shape::Tuple(vec![(60_000, Shape::Tuple(vec![(60_000, unit())]))]);
    is_refused(&wide, &vec![0; 60_000]);
    let names = || (0..250).map(|n| n.to_string().into());
    let member = |name, of| Member { name, is_optional: false, is_alias: false, shape: of };
    let list = names().map(|name| member(name, unit())).collect();
    let units = Shape::Struct(Members { list, ..Members::default() });
    is_refused(&Shape::many(units.clone()), &[&[200][..], &[0; 200]].concat());
    let list = names().map(|name| member(name, units.clone())).collect();
    let structs = Shape::Struct(Members { list, ..Members::default() });
    let said = decode::<Flat>(&[0; 251], &structs).unwrap_err().to_string();
    assert_eq!(said, "it holds far more elements than bytes");

    // What is not hostile is read.
    let pairs = vec![((1_u8, 2_u8), (), (3_u8,)); 1000];
    let read: serde_json::Value = decode(&encoded(&pairs), shape_of_value(&pairs)).unwrap();
    assert_eq!(read, serde_json::to_value(&pairs).unwrap());
    let units = [(); 32];
    let read: serde_json::Value = decode(&encoded(&units), shape_of_value(&units)).unwrap();
    assert_eq!(read, serde_json::to_value(units).unwrap());
}

fn shape_of_value<T: DeserializeOwned + 'static>(_: &T) -> &'static Shape {
    shape_of::<T>()
}

#[test]
fn a_run_without_elements_is_refused() {
    let byte = || Shape::Plain(Plain::U8);
    let runs = [vec![(1, byte())], vec![(0, byte()); 20_000], vec![(1, byte())]].concat();
    let said = read_shape(&shape_bytes(&Shape::many(Shape::Tuple(runs)))).unwrap_err();
    assert_eq!(said.to_string(), "a run of its type has no elements");
    assert_eq!(read_shape(&shape_bytes(&Shape::Tuple(Vec::new()))), Ok(Shape::Tuple(Vec::new())));
}

#[test]
fn nesting_ends_at_the_same_depth_on_both_sides() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Chain(Option<Box<Chain>>);
    let of = |depth| (0..depth).fold(Chain(None), |chain, _| Chain(Some(Box::new(chain))));
    let mut bytes = Vec::new();
    for depth in 0..80 {
        bytes.clear();
        let written = encode(&of(depth), shape_of::<Chain>(), &mut bytes);
        assert_eq!(written.is_ok(), depth <= 64, "{depth}: {written:?}");
        if written.is_ok() {
            assert_eq!(decode(&bytes, shape_of::<Chain>()), Ok(of(depth)));
        }
    }
    let deep = [tag::OPTION, 1].repeat(1 << 20);
    let said = decode::<Chain>(&deep, &Shape::Any).unwrap_err().to_string();
    assert_eq!(said, "it is nested more than 64 deep");
    assert_eq!(decode_1::<Chain>(&vec![1; 1 << 20]).unwrap_err().to_string(), said);
}

#[test]
fn an_error_does_not_repeat_a_long_name() {
    let bytes = encoded(&"x".repeat(10_000));
    assert!(refusal::<String, Mode>(&bytes).len() <= 200);
    assert!(decode_1::<Mode>(&encoded_1(&"x".repeat(10_000)).unwrap()).unwrap_err().0.len() <= 200);
}
