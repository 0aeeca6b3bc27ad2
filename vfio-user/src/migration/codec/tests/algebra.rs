//! Types and values made at run time, written and read through serde as derived ones are.

mod read;
mod written;

pub(super) use super::super::shape::Plain;
use proptest::prelude::*;
pub(super) use written::Typed;

#[derive(Clone, Debug)]
pub(super) enum Type {
    Plain(Plain),
    Option(Box<Type>),
    Seq(Box<Type>),
    Map(Box<(Type, Type)>),
    Array(Box<Type>, usize),
    Tuple(Vec<Type>),
    Newtype(Box<Type>),
    Struct(Vec<Type>),
    Enum(Vec<Variant>),
}

#[derive(Clone, Debug)]
pub(super) enum Variant {
    Unit,
    Newtype(Type),
    Tuple(Vec<Type>),
    Struct(Vec<Type>),
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Bool(bool),
    Unsigned(u128),
    Signed(i128),
    /// Its bits: there are numbers that are not equal to themselves.
    Float(u64),
    Char(char),
    Str(String),
    Bytes(Vec<u8>),
    Option(Option<Box<Value>>),
    List(Vec<Value>),
    Map(Vec<(Value, Value)>),
    Variant(usize, Vec<Value>),
}

/// The entries of maps have no order, and may come twice.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Bool(one), Value::Bool(other)) => one == other,
            (Value::Unsigned(one), Value::Unsigned(other)) => one == other,
            (Value::Signed(one), Value::Signed(other)) => one == other,
            (Value::Float(one), Value::Float(other)) => one == other,
            (Value::Char(one), Value::Char(other)) => one == other,
            (Value::Str(one), Value::Str(other)) => one == other,
            (Value::Bytes(one), Value::Bytes(other)) => one == other,
            (Value::Option(one), Value::Option(other)) => one == other,
            (Value::List(one), Value::List(other)) => one == other,
            (Value::Map(one), Value::Map(other)) => {
                let mut left: Vec<_> = other.iter().collect();
                let mut is_there = |pair: &(Value, Value)| {
                    let place = left.iter().position(|other| *other == pair);
                    place.map(|place| left.remove(place)).is_some()
                };
                one.iter().all(&mut is_there) && left.is_empty()
            }
            (Value::Variant(one, content), Value::Variant(other, others)) => {
                one == other && content == others
            }
            _ => false,
        }
    }
}

const NAMES: &[&str] = &["head", "tail", "r#mode", "a_rather_long_name", "e", "f", "Größe", "h"];

pub(super) fn types() -> impl Strategy<Value = Type> {
    use Plain::*;
    let plain =
        [Bool, U8, U16, U32, U64, U128, I8, I16, I32, I64, I128, F32, F64, Char, Str, Bytes, Unit];
    let leaf = proptest::sample::select(plain.to_vec()).prop_map(Type::Plain);
    leaf.prop_recursive(6, 40, 5, |inner| {
        let some = || proptest::collection::vec(inner.clone(), 0..5);
        let variant = prop_oneof![
            Just(Variant::Unit),
            inner.clone().prop_map(Variant::Newtype),
            some().prop_map(Variant::Tuple),
            some().prop_map(Variant::Struct),
        ];
        let boxed = inner.clone().prop_map(Box::new).boxed();
        prop_oneof![
            boxed.clone().prop_map(Type::Option),
            boxed.clone().prop_map(Type::Seq),
            (inner.clone(), inner.clone()).prop_map(|pair| Type::Map(Box::new(pair))),
            (boxed.clone(), 0..9_usize).prop_map(|(of, len)| Type::Array(of, len)),
            some().prop_map(Type::Tuple),
            boxed.prop_map(Type::Newtype),
            some().prop_map(Type::Struct),
            proptest::collection::vec(variant, 1..5).prop_map(Type::Enum),
        ]
    })
}

pub(super) fn values(ty: &Type) -> BoxedStrategy<Value> {
    match ty {
        Type::Plain(plain) => plain_values(*plain),
        Type::Option(of) => {
            proptest::option::of(values(of).prop_map(Box::new)).prop_map(Value::Option).boxed()
        }
        Type::Seq(of) => proptest::collection::vec(values(of), 0..5).prop_map(Value::List).boxed(),
        Type::Map(of) => {
            let pairs = proptest::collection::vec((values(&of.0), values(&of.1)), 0..4);
            pairs.prop_map(Value::Map).boxed()
        }
        Type::Array(of, len) => {
            proptest::collection::vec(values(of), *len).prop_map(Value::List).boxed()
        }
        Type::Newtype(of) => values(of),
        Type::Tuple(of) | Type::Struct(of) => all(of).prop_map(Value::List).boxed(),
        Type::Enum(variants) => {
            let of = |(place, variant): (usize, &Variant)| {
                let content = match variant {
                    Variant::Unit => Just(Vec::new()).boxed(),
                    Variant::Newtype(of) => all(std::slice::from_ref(of)),
                    Variant::Tuple(of) | Variant::Struct(of) => all(of),
                };
                content.prop_map(move |content| Value::Variant(place, content)).boxed()
            };
            proptest::strategy::Union::new(variants.iter().enumerate().map(of)).boxed()
        }
    }
}

fn all(types: &[Type]) -> BoxedStrategy<Vec<Value>> {
    types.iter().map(values).collect::<Vec<_>>().boxed()
}

fn plain_values(plain: Plain) -> BoxedStrategy<Value> {
    macro_rules! int {
        ($ty:ty, $shape:ident) => {
            prop_oneof![
                Just(<$ty>::MIN),
                Just(<$ty>::MAX),
                (-1..=3_i8).prop_map(|small| <$ty>::try_from(small).unwrap_or(5)),
                any::<$ty>()
            ]
            .prop_map(|value| Value::$shape(value.into()))
            .boxed()
        };
    }
    match plain {
        Plain::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Plain::U8 => int!(u8, Unsigned),
        Plain::U16 => int!(u16, Unsigned),
        Plain::U32 => int!(u32, Unsigned),
        Plain::U64 => int!(u64, Unsigned),
        Plain::U128 => int!(u128, Unsigned),
        Plain::I8 => int!(i8, Signed),
        Plain::I16 => int!(i16, Signed),
        Plain::I32 => int!(i32, Signed),
        Plain::I64 => int!(i64, Signed),
        Plain::I128 => int!(i128, Signed),
        Plain::F32 => any::<u32>().prop_map(|bits| Value::Float(bits.into())).boxed(),
        Plain::F64 => any::<u64>().prop_map(Value::Float).boxed(),
        Plain::Char => any::<char>().prop_map(Value::Char).boxed(),
        Plain::Str => any::<String>().prop_map(Value::Str).boxed(),
        Plain::Bytes => any::<Vec<u8>>().prop_map(Value::Bytes).boxed(),
        Plain::Unit => Just(Value::List(Vec::new())).boxed(),
    }
}

/// The types without parts in a type, where it has values of them.
pub(super) fn leaves(ty: &mut Type) -> Vec<&mut Plain> {
    match ty {
        Type::Plain(plain) => vec![plain],
        Type::Array(_, 0) => Vec::new(),
        Type::Option(of) | Type::Seq(of) | Type::Array(of, _) | Type::Newtype(of) => leaves(of),
        Type::Map(of) => {
            let (key, value) = &mut **of;
            leaves(key).into_iter().chain(leaves(value)).collect()
        }
        Type::Tuple(of) | Type::Struct(of) => of.iter_mut().flat_map(leaves).collect(),
        Type::Enum(variants) => variants.iter_mut().flat_map(leaves_of_variant).collect(),
    }
}

fn leaves_of_variant(variant: &mut Variant) -> Vec<&mut Plain> {
    match variant {
        Variant::Unit => Vec::new(),
        Variant::Newtype(of) => leaves(of),
        Variant::Tuple(of) | Variant::Struct(of) => of.iter_mut().flat_map(leaves).collect(),
    }
}

/// Another type; lists of it are no list of the other's.
pub(super) fn another(plain: Plain) -> Plain {
    match plain {
        Plain::U32 => Plain::I32,
        Plain::Bool => Plain::U8,
        Plain::F32 => Plain::U32,
        Plain::Str => Plain::Bytes,
        _ => Plain::F32,
    }
}
