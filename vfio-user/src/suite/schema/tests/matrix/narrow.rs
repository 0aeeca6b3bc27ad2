//! Types that refuse values which another type with the same representation has.

use std::num::{NonZeroI16, NonZeroU8, NonZeroU64};

use super::*;

/// A percentage: at most 100.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "u8")]
struct Percent(u8);

impl TryFrom<u8> for Percent {
    type Error = &'static str;

    fn try_from(value: u8) -> Result<Self, Self::Error> {
        if value <= 100 { Ok(Percent(value)) } else { Err("above 100") }
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(try_from = "f64")]
struct Finite(f64);

impl Default for Finite {
    fn default() -> Self {
        Finite(1.0)
    }
}

impl TryFrom<f64> for Finite {
    type Error = &'static str;

    fn try_from(value: f64) -> Result<Self, Self::Error> {
        if value.is_finite() { Ok(Finite(value)) } else { Err("not finite") }
    }
}

/// A version, such as `1.0.0`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String")]
struct Version(String);

impl Default for Version {
    fn default() -> Self {
        Version("1.0.0".to_owned())
    }
}

impl TryFrom<String> for Version {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.split('.').count() == 3 { Ok(Version(text)) } else { Err("not three numbers") }
    }
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
enum Level {
    #[default]
    Off,
    On(u8),
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
enum Positive {
    #[default]
    Off,
    On(Option<NonZeroU8>),
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
enum Loose {
    #[default]
    Off,
    On(Option<u8>),
}

#[test]
fn numbers_but_zero() {
    family! {
        Byte { x: Option<u8> } = { x: Some(0) }
        NonZeroByte { x: Option<NonZeroU8> } = { x: NonZeroU8::new(7) }
        Short { x: Option<i16> } = { x: Some(0) }
        NonZeroShort { x: Option<NonZeroI16> } = { x: NonZeroI16::new(-1) }
        Long { x: Option<u64> } = { x: Some(0) }
        NonZeroLong { x: Option<NonZeroU64> } = { x: NonZeroU64::new(u64::MAX) }
        Flag { x: Option<bool> } = { x: Some(true) }
    }
}

#[test]
fn numbers_up_to_a_limit() {
    family! {
        Byte { x: u8 } = { x: 200 }
        Limited { x: Percent } = { x: Percent(100) }
        Whole { x: Percent } = { x: Percent(0) }
    }
}

#[test]
fn floats() {
    family! {
        Float { x: f64 } = { x: f64::NAN }
        Checked { x: Finite } = { x: Finite(2.0) }
    }
}

#[test]
fn texts() {
    family! {
        Text { #[migrate(max_len = 8)] x: String } = { x: "x".into() }
        Texts { #[migrate(max_len = (1, 8))] x: Vec<String> } = { x: vec!["x".into()] }
        Parsed { x: Version } = { x: Version("1.2.30000".into()) }
    }
}

#[test]
fn parts_of_types() {
    family! {
        Pair { x: (u8, Option<u8>) } = { x: (0, Some(0)) }
        NonZeroPair { x: (u8, Option<NonZeroU8>) } = { x: (0, NonZeroU8::new(7)) }
        Row { x: Option<[u8; 2]> } = { x: Some([7, 0]) }
        NonZeroRow { x: Option<[NonZeroU8; 2]> } = { x: NonZeroU8::new(7).map(|seven| [seven; 2]) }
        Listed { #[migrate(max_len = 2)] x: Vec<u16> } = { x: vec![0] }
        Map { #[migrate(max_len = 2)] x: BTreeMap<u8, u8> } = { x: BTreeMap::from([(0, 0)]) }
        NonZeroKeys { #[migrate(max_len = 2)] x: BTreeMap<NonZeroU8, u8> }
            = { x: BTreeMap::from([(NonZeroU8::MAX, 0)]) }
        NonZeroValues { #[migrate(max_len = 2)] x: BTreeMap<u8, NonZeroU8> }
            = { x: BTreeMap::from([(0, NonZeroU8::MAX)]) }
    }
}

#[test]
fn variants() {
    family! {
        Levels { x: Level } = { x: Level::On(0) }
        LooseLevels { x: Loose } = { x: Loose::On(Some(0)) }
        PositiveLevels { x: Positive } = { x: Positive::On(NonZeroU8::new(7)) }
    }
}

/// At least one number.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Vec<u32>")]
struct Filled(Vec<u32>);

impl Default for Filled {
    fn default() -> Self {
        Filled(vec![1])
    }
}

impl TryFrom<Vec<u32>> for Filled {
    type Error = &'static str;

    fn try_from(list: Vec<u32>) -> Result<Self, Self::Error> {
        if list.is_empty() { Err("empty") } else { Ok(Filled(list)) }
    }
}

#[test]
fn lists_that_are_not_empty() {
    family! {
        Listed { #[migrate(max_len = 2)] x: Vec<u32> } = { x: vec![] }
        NonEmpty { x: Filled } = { x: Filled(vec![1; 3]) }
    }
}

/// An option that has to have a value.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(try_from = "Option<u32>")]
struct Present(Option<u32>);

impl Default for Present {
    fn default() -> Self {
        Present(Some(1))
    }
}

impl TryFrom<Option<u32>> for Present {
    type Error = &'static str;

    fn try_from(number: Option<u32>) -> Result<Self, Self::Error> {
        if number.is_some() { Ok(Present(number)) } else { Err("nothing") }
    }
}

#[test]
fn options_that_have_a_value() {
    family! {
        Maybe { x: Option<u32> } = { x: None }
        Always { x: Present } = { x: Present(Some(2)) }
    }
}
