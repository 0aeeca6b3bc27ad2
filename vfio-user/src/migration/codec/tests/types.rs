//! What a type is in a stream, and what is refused as another one.

use super::*;

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
        #[serde(alias = "before", alias = "last")]
        lately: Option<i8>,
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
    let older = "{now: u8, lately?: Option<i8>, more?: u16, maybe?: Option<bool>, port: u16, or was: u8, \
         or before: Option<i8>, or last: Option<i8>}";
    assert_eq!(shown(shape_of::<Older>()), older);
    assert_eq!(Shape::parse(older).as_ref(), Some(shape_of::<Older>()));
    assert_eq!(shown(shape_of::<[[u8; 3]; 2]>()), "[[u8; 3]; 2]");
    assert_eq!(
        shown(shape_of::<(u8, (), std::net::IpAddr)>()),
        "(u8, (), <V4[u8; 4] | V6[u8; 16]>)"
    );
}

#[test]
fn values_that_a_type_refuses_follow_it() {
    #[derive(Serialize, Deserialize)]
    #[serde(try_from = "String")]
    struct Version(String);
    impl TryFrom<String> for Version {
        type Error = &'static str;
        fn try_from(text: String) -> Result<Self, Self::Error> {
            let is_version = text.split('.').count() == 3;
            if is_version { Ok(Version(text)) } else { Err("not three numbers") }
        }
    }
    #[derive(Serialize, Deserialize)]
    struct Parts {
        level: Option<std::num::NonZeroI8>,
        row: [std::num::NonZeroU16; 3],
        version: Version,
        time: std::time::SystemTime,
    }
    let shown = |shape: Shape| shape.to_string();
    assert_eq!(shown(accepted_by::<Queue>()), shape_of::<Queue>().to_string());
    assert_eq!(shown(accepted_by::<Version>()), r#"str but ""/"0"/"a"/"/""#);
    let parts = shown(accepted_by::<Parts>());
    assert_eq!(
        parts,
        "{level?: Option<i8 but 0>, row: [u16 but 0; 3], version: str but \"\"/\"0\"/\"a\"/\"/\", \
         time: {secs_since_epoch: u64 but 9223372036854775808/18446744073709551615, \
         nanos_since_epoch: u32}}"
    );
    let read = Shape::parse(&parts).unwrap();
    assert_eq!(read, accepted_by::<Parts>());
    assert!(read.always_accepts(shape_of::<Parts>()).is_err());
    assert_eq!(shape_of::<Parts>().always_accepts(&read), Ok(()));
    assert_eq!(read.accepts(shape_of::<Parts>()), Ok(()));
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

/// Bytes are written and read without a look at each: in lists, and in nothing else.
#[test]
fn bytes_come_back_wherever_they_are() {
    use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};
    fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug + 'static>(value: T) {
        assert_eq!(decode::<T>(&encoded(&value), shape_of::<T>()), Ok(value));
    }
    let bytes = || [0, 1, 250, 251, 252, 253, 254, 255].into_iter();
    comes_back(bytes().collect::<Vec<u8>>());
    comes_back(bytes().collect::<VecDeque<u8>>());
    comes_back(bytes().collect::<BTreeSet<u8>>());
    comes_back(bytes().collect::<HashSet<u8>>());
    comes_back(bytes().map(|byte| (byte, byte)).collect::<BTreeMap<u8, u8>>());
    comes_back(bytes().map(|byte| (byte, byte)).collect::<HashMap<u8, u8>>());
    comes_back(bytes().map(|byte| (byte, vec![byte; 3])).collect::<BTreeMap<u8, Vec<u8>>>());
    comes_back(bytes().map(|byte| (byte, Some(1_u32))).collect::<BTreeMap<u8, Option<u32>>>());
    comes_back(vec![bytes().map(Slot).collect::<Vec<_>>(); 3]);
    comes_back((bytes().map(|byte| [byte; 4]).collect::<Vec<_>>(), 7_u8));
    comes_back(bytes().map(u8::cast_signed).collect::<Vec<i8>>());
    comes_back(vec![Some(bytes().collect::<Vec<u8>>()), None]);
    let heap = encoded(&bytes().collect::<BinaryHeap<u8>>());
    assert_eq!(heap, [8, 0, 1, 250, 251, 252, 253, 254, 255]);
}

/// A list that has other elements than its type or its length says.
#[test]
fn lists_that_say_something_else_are_refused() {
    struct Lies(Option<usize>, usize);
    impl Serialize for Lies {
        fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeSeq as _;
            let mut list = to.serialize_seq(self.0)?;
            (0..self.1).try_for_each(|_| list.serialize_element(&7_u8))?;
            list.end()
        }
    }
    let written = |lies: &Lies, shape| {
        let mut bytes = vec![9];
        encode(lies, shape, &mut bytes).map(|()| bytes).map_err(|error| error.to_string())
    };
    let shape = shape_of::<Vec<u8>>();
    assert_eq!(written(&Lies(None, 3), shape), Ok(vec![9, 3, 7, 7, 7]));
    for (said, held) in [(3, 2), (2, 3), (0, 1), (usize::MAX, 1)] {
        let text = format!("it says that it holds {said} elements, and holds {held}");
        assert_eq!(written(&Lies(Some(said), held), shape), Err(text));
    }
    let wrong = written(&Lies(Some(3), 3), shape_of::<Vec<u16>>()).unwrap_err();
    assert_eq!(wrong, "it is written as `u8` and read as `u16`");
    let wrong = encode(&[1_u16], shape, &mut Vec::new()).unwrap_err().to_string();
    assert_eq!(wrong, "it is written as `a tuple of 1` and read as `bytes`");
    let wrong = encode(&vec![1_u16], shape, &mut Vec::new()).unwrap_err().to_string();
    assert_eq!(wrong, "it is written as `u16` and read as `u8`");
}
