//! Fields by name and in their order.

use super::*;

#[test]
fn fields_are_found_by_their_names() {
    let bytes = encoded(&Forward { head: 1, tail: 2 });
    let shape = shape_of::<Forward>();
    assert_eq!(decode(&bytes, shape), Ok(Backward { head: 1, tail: 2 }));
    assert_eq!(shape_of::<Backward>().accepts(shape), Ok(()));
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
    let shape = Shape::Struct(Members::new(list));
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
