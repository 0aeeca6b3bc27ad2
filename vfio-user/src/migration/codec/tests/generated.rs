//! Values of generated types.

use super::*;

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
