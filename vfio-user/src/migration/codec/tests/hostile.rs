//! Hostile bytes and types.

use super::*;

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
    let units = Shape::Struct(Members::new(list));
    is_refused(&Shape::many(units.clone()), &[&[200][..], &[0; 200]].concat());
    let list = names().map(|name| member(name, units.clone())).collect();
    let structs = Shape::Struct(Members::new(list));
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
    assert!(
        decode_1::<Mode>(&encoded_1(&"x".repeat(10_000)).unwrap()).unwrap_err().to_string().len()
            <= 200
    );
}
