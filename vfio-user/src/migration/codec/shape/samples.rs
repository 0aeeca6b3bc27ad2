//! Values that are tried on a type, to find those that it refuses.
//!
//! Two types with the same shape may differ in what they accept: `u8` and `NonZeroU8`, a number and
//! one that is checked by `try_from`. No trait says what is refused, so each kind of value has
//! samples: the limits of integers and the powers of two, and what is special about the others.

use std::collections::BTreeSet;
use std::fmt;

use super::{Plain, Shape, skip};

/// A value that is tried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) enum Sample {
    Bool(bool),
    Unsigned(u128),
    Signed(i128),
    Float(f64),
    Char(char),
    Text(&'static str),
    /// So many elements, or bytes.
    Len(usize),
    None,
}

const NUMBERS: [u8; 6] = [0, 1, 2, 3, 10, 100];
const FLOATS: [f64; 6] = [f64::NEG_INFINITY, -1.0, 0.0, 1.0, f64::INFINITY, f64::NAN];
const CHARS: [char; 5] = ['\0', '0', 'a', '\u{e9}', char::MAX];
const TEXTS: [&str; 5] = ["", "0", "a", "1.0.0", "/"];
const LENGTHS: [usize; 6] = [0, 16, 1, 4, 6, 32];

/// The most bytes of a sample.
pub(in super::super) const MOST_BYTES: usize = 32;

impl Plain {
    /// The values that are tried one after the other until the type accepts one.
    pub(in super::super) fn attempt(self, attempt: usize) -> Option<Sample> {
        let number = || NUMBERS.get(attempt).copied();
        match self {
            Plain::Unit => None,
            Plain::Bool => [false, true].get(attempt).copied().map(Sample::Bool),
            Plain::Char => number().map(|number| Sample::Char(number.into())),
            Plain::F32 | Plain::F64 => number().map(|number| Sample::Float(number.into())),
            Plain::Str => TEXTS.get(attempt).copied().map(Sample::Text),
            Plain::Bytes => LENGTHS.get(attempt).copied().map(Sample::Len),
            _ if self.is_signed() => number().map(|number| Sample::Signed(number.into())),
            _ => number().map(|number| Sample::Unsigned(number.into())),
        }
    }

    fn is_signed(self) -> bool {
        matches!(self, Plain::I8 | Plain::I16 | Plain::I32 | Plain::I64 | Plain::I128)
    }

    fn samples(self) -> Vec<Sample> {
        match self {
            Plain::Unit => Vec::new(),
            Plain::Bool => [false, true].map(Sample::Bool).into(),
            Plain::Char => CHARS.map(Sample::Char).into(),
            Plain::F32 | Plain::F64 => FLOATS.map(Sample::Float).into(),
            Plain::Str => TEXTS.map(Sample::Text).into(),
            Plain::Bytes => LENGTHS.map(Sample::Len).into(),
            Plain::U8 => unsigned(8),
            Plain::U16 => unsigned(16),
            Plain::U32 => unsigned(32),
            Plain::U64 => unsigned(64),
            Plain::U128 => unsigned(128),
            Plain::I8 => signed(8),
            Plain::I16 => signed(16),
            Plain::I32 => signed(32),
            Plain::I64 => signed(64),
            Plain::I128 => signed(128),
        }
    }
}

fn unsigned(bits: u32) -> Vec<Sample> {
    magnitudes(bits).into_iter().map(Sample::Unsigned).collect()
}

fn signed(bits: u32) -> Vec<Sample> {
    let positive = magnitudes(bits - 1);
    let negative = positive.iter().rev().map(|number| !number.cast_signed());
    negative.chain(positive.iter().map(|number| number.cast_signed())).map(Sample::Signed).collect()
}

/// The powers of two below `1 << bits`, and the numbers in front of them.
fn magnitudes(bits: u32) -> BTreeSet<u128> {
    let powers = (0..bits).map(|bit| 1 << bit);
    let before = (0..=bits).map(|bit| 1_u128.checked_shl(bit).unwrap_or(0).wrapping_sub(1));
    let decimal = [10, 100].into_iter().filter(|number: &u128| number.ilog2() < bits);
    powers.chain(before).chain(decimal).collect()
}

impl Shape {
    /// The values of it that are tried, in their order.
    pub(in super::super) fn samples(&self) -> Vec<Sample> {
        match self {
            Shape::Plain(plain) => plain.samples(),
            Shape::Option(_) => vec![Sample::None],
            Shape::Seq(..) | Shape::Map(..) => vec![Sample::Len(0)],
            _ => Vec::new(),
        }
    }

    /// The samples that are refused.
    pub(super) fn refused(&self) -> Option<&Samples> {
        match self {
            Shape::Partial(_, refused) => Some(refused),
            _ => None,
        }
    }
}

/// Samples of a shape, by their places among all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Samples(BTreeSet<usize>);

/// What separates samples, and what the first and the last of many.
const AND: &str = "/";
const TO: &str = "..=";

impl Samples {
    pub(in super::super) fn add(&mut self, place: usize) {
        self.0.insert(place);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn without(&self, others: Option<&Samples>) -> Self {
        let is_other = |place: &usize| others.is_some_and(|others| others.0.contains(place));
        Samples(self.0.iter().filter(|place| !is_other(place)).copied().collect())
    }

    /// Returns them as text, for samples of this shape.
    pub(super) fn text(&self, of: &Shape) -> String {
        let names: Vec<_> = of.samples().iter().map(Sample::to_string).collect();
        let places: Vec<_> = self.0.iter().copied().collect();
        let name = |place: usize| names.get(place).map_or("", String::as_str);
        let are_integers =
            matches!(of.samples().first(), Some(Sample::Unsigned(_) | Sample::Signed(_)));
        let run = |run: &[usize]| match *run {
            [first, _, .., last] if are_integers => {
                format!("{}{TO}{}", name(first), name(last))
            }
            _ => run.iter().map(|place| name(*place)).collect::<Vec<_>>().join(AND),
        };
        let runs: Vec<_> = places.chunk_by(|one, next| one + 1 == *next).map(run).collect();
        runs.join(AND)
    }

    /// Reads what [`text`](Self::text) has written.
    pub(super) fn parse(rest: &mut &str, of: &Shape) -> Option<Self> {
        let names: Vec<_> = of.samples().iter().map(Sample::to_string).collect();
        let mut places = BTreeSet::new();
        loop {
            let first = take(rest, &names)?;
            let last = if skip(rest, TO) { take(rest, &names)? } else { first };
            places.extend(first..=last);
            if !skip(rest, AND) {
                return Some(Samples(places));
            }
        }
    }
}

/// Takes the longest name that comes next, and returns its place.
fn take(rest: &mut &str, names: &[String]) -> Option<usize> {
    let next = names.iter().enumerate().filter(|(_, name)| rest.starts_with(name.as_str()));
    let (place, name) = next.max_by_key(|(_, name)| name.len())?;
    *rest = &rest[name.len()..];
    Some(place)
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sample::Bool(value) => value.fmt(f),
            Sample::Unsigned(value) => value.fmt(f),
            Sample::Signed(value) => value.fmt(f),
            Sample::Float(value) => write!(f, "{value:?}"),
            Sample::Char(value) => write!(f, "{value:?}"),
            Sample::Text(value) => write!(f, "{value:?}"),
            Sample::Len(0) => f.write_str("empty"),
            Sample::Len(len) => write!(f, "len {len}"),
            Sample::None => f.write_str("None"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(plain: Plain, places: impl IntoIterator<Item = usize>) -> String {
        Samples(places.into_iter().collect()).text(&Shape::Plain(plain))
    }

    #[test]
    fn samples_are_ordered_and_fit_their_type() {
        let all = |plain: Plain| text(plain, 0..plain.samples().len());
        assert_eq!(all(Plain::U8), "0..=255");
        assert_eq!(all(Plain::I8), "-128..=127");
        assert_eq!(all(Plain::I64), format!("{}..={}", i64::MIN, i64::MAX));
        assert_eq!(all(Plain::U128), format!("0..={}", u128::MAX));
        assert_eq!(all(Plain::I128), format!("{}..={}", i128::MIN, i128::MAX));
    }

    #[test]
    fn texts_are_read_as_they_are_written() {
        for plain in [Plain::Bool, Plain::U8, Plain::I16, Plain::F64, Plain::Char, Plain::Str] {
            let count = plain.samples().len();
            for places in
                [vec![0], vec![0, 1], (0..count).step_by(2).collect(), (1..count).collect()]
            {
                let (shape, samples) = (Shape::Plain(plain), Samples(places.into_iter().collect()));
                let text = samples.text(&shape);
                let mut rest = text.as_str();
                assert_eq!(
                    (Samples::parse(&mut rest, &shape), rest),
                    (Some(samples), ""),
                    "{text}"
                );
            }
        }
    }
}
