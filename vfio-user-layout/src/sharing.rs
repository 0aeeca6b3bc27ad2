//! The rules of registers that share bytes, of which one answers an access.

use super::text::Arg::{Dec, Hex, Str};
use super::text::{Text, is_same};
use super::{Check, Extent, LayoutError, disjoint};

/// The accesses that a register answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answers<'a> {
    /// Reads, unless the register is overlaid and only written.
    pub reads: bool,
    /// Writes, unless the register is overlaid and only read.
    pub writes: bool,
    /// The sizes of accesses, each of which is a bit: 1, 2, 4, 8.
    pub sizes: u8,
    /// The condition on another register.
    pub when: Option<When<'a>>,
}

/// A condition on the value of another register, or of a field of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When<'a> {
    /// The name of the register.
    pub register: &'a str,
    /// The name of the field; empty for the whole register.
    pub field: &'a str,
    /// The values for which the condition holds, as inclusive ranges.
    pub values: &'a [(u64, u64)],
}

/// The reason why two registers answer the same access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clash<'a> {
    /// They cannot share bytes, whatever they declare.
    Never,
    /// They declare nothing that keeps them apart.
    Undeclared,
    /// They have the same direction: both answer writes, or both answer reads.
    Direction {
        /// Whether that is writes.
        writes: bool,
    },
    /// They answer accesses of the same size, in bytes.
    Size(u64),
    /// Their conditions hold for the same value.
    Value {
        /// The register of both conditions.
        register: &'a str,
        /// The field; empty for the whole register.
        field: &'a str,
        /// The value.
        value: u64,
    },
    /// Their conditions are on different fields.
    Fields,
    /// This register has no condition, and the other one has.
    Unconditional(&'a str),
}

impl Answers<'_> {
    /// Every size.
    pub const ANY_SIZE: u8 = 1 | 2 | 4 | 8;

    /// The accesses that a register answers that declares nothing else.
    pub const ALL: Self = Answers { reads: true, writes: true, sizes: Self::ANY_SIZE, when: None };
}

impl When<'_> {
    /// Whether two conditions are on the same field.
    pub const fn is_on_field_of(&self, other: &When<'_>) -> bool {
        is_same(self.register, other.register) && is_same(self.field, other.field)
    }

    /// Whether the condition holds for a value.
    pub const fn holds(&self, value: u64) -> bool {
        contains(self.values, value)
    }
}

/// Whether a value lies in one of the ranges.
pub const fn contains(ranges: &[(u64, u64)], value: u64) -> bool {
    let mut i = 0;
    while i < ranges.len() {
        if ranges[i].0 <= value && value <= ranges[i].1 {
            return true;
        }
        i += 1;
    }
    false
}

/// Returns a value for which two conditions on one field hold.
const fn common_value(one: &[(u64, u64)], other: &[(u64, u64)]) -> Option<u64> {
    let mut i = 0;
    while i < one.len() {
        let mut j = 0;
        while j < other.len() {
            let first = if one[i].0 > other[j].0 { one[i].0 } else { other[j].0 };
            if first <= one[i].1 && first <= other[j].1 {
                return Some(first);
            }
            j += 1;
        }
        i += 1;
    }
    None
}

/// R01 for registers that may share bytes: no access is answered by both.
pub const fn apart<'a>(
    (one, answers): (&Extent<'a>, &Answers<'a>),
    (other, other_answers): (&Extent<'a>, &Answers<'a>),
) -> Check<'a> {
    match disjoint(one, other) {
        Err(LayoutError::Overlap { kinds, one, at, other, other_at, .. }) => {
            match clash((one, answers), (other, other_answers)) {
                Some(clash) => Err(LayoutError::Overlap { kinds, one, at, other, other_at, clash }),
                None => Ok(()),
            }
        }
        result => result,
    }
}

/// Returns why two registers answer the same access, if they do.
const fn clash<'a>(
    (one, answers): (&'a str, &Answers<'a>),
    (other, other_answers): (&'a str, &Answers<'a>),
) -> Option<Clash<'a>> {
    let is_read = answers.reads && other_answers.reads;
    let is_written = answers.writes && other_answers.writes;
    let sizes = answers.sizes & other_answers.sizes;
    if !(is_read || is_written) || sizes == 0 {
        return None;
    }
    match (answers.when, other_answers.when) {
        (Some(when), Some(other)) if !when.is_on_field_of(&other) => Some(Clash::Fields),
        (Some(When { register, field, values }), Some(other)) => {
            match common_value(values, other.values) {
                Some(value) => Some(Clash::Value { register, field, value }),
                None => None,
            }
        }
        (Some(_), None) => Some(Clash::Unconditional(other)),
        (None, Some(_)) => Some(Clash::Unconditional(one)),
        (None, None) => Some(clash_of_access(answers, other_answers)),
    }
}

/// The same for registers without conditions on a field.
const fn clash_of_access(one: &Answers<'_>, other: &Answers<'_>) -> Clash<'static> {
    let any = Answers::ANY_SIZE;
    if one.sizes != any || other.sizes != any {
        return Clash::Size(1 << (one.sizes & other.sizes).trailing_zeros());
    }
    let is_overlaid = !(one.reads && one.writes && other.reads && other.writes);
    if is_overlaid {
        Clash::Direction { writes: one.writes && other.writes }
    } else {
        Clash::Undeclared
    }
}

/// An overlaid register is only read, or only written.
pub const fn overlay(register: &str, reads: bool, writes: bool) -> Check<'_> {
    if reads && writes { Err(LayoutError::OverlayBothWays { register }) } else { Ok(()) }
}

/// A range of values for which a condition holds is not empty, and a field of `bits` bits can have
/// them, of which those in `mask` are implemented. `target` is the condition as written.
pub const fn condition_values(target: &str, bits: u64, mask: u64, range: (u64, u64)) -> Check<'_> {
    let (first, last) = range;
    if first > last {
        return Err(LayoutError::ConditionEmpty { first, last });
    }
    if bits < 64 && last >> bits != 0 {
        return Err(LayoutError::ConditionValue { target, bits, value: last });
    }
    if last > mask || (first == last && last & !mask != 0) {
        return Err(LayoutError::ConditionReserved { target, mask, value: last });
    }
    Ok(())
}

/// A selector of `bits` bits names each of the `count` elements.
pub const fn selector_width<'a>(
    target: &'a str,
    bits: u64,
    name: &'a str,
    count: u64,
) -> Check<'a> {
    if bits >= 64 || count == 0 || (count - 1) >> bits == 0 {
        return Ok(());
    }
    Err(LayoutError::SelectorNarrow { target, bits, name, count })
}

impl Clash<'_> {
    /// Returns the end of the message of an overlap.
    pub(super) const fn text(&self) -> Text {
        match *self {
            Self::Never => Text::format("", &[]),
            Self::Undeclared => Text::format(
                "; registers can share bytes by direction (`overlay`), by the value of a field \
                 (`when(register.field = 1)`) or by access size (`when(size = 2)`)",
                &[],
            ),
            Self::Direction { writes: false } => Text::format("; both answer reads", &[]),
            Self::Direction { writes: true } => Text::format("; both answer writes", &[]),
            Self::Size(bytes) => Text::format(
                "; both answer accesses of {} {}",
                &[Dec(bytes), Str(if bytes == 1 { "byte" } else { "bytes" })],
            ),
            Self::Value { register, field, value } if field.is_empty() => {
                Text::format("; both answer while `{}` is {}", &[Str(register), Hex(value)])
            }
            Self::Value { register, field, value } => Text::format(
                "; both answer while `{}.{}` is {}",
                &[Str(register), Str(field), Hex(value)],
            ),
            Self::Fields => {
                Text::format("; conditions on different fields can hold at the same time", &[])
            }
            Self::Unconditional(name) => {
                Text::format("; `{}` has no condition `when(..)`", &[Str(name)])
            }
        }
    }
}

impl LayoutError<'_> {
    pub(super) const fn sharing_text(&self) -> Text {
        match *self {
            Self::OverlayBothWays { register } => Text::format(
                "`overlay` register `{}` answers reads and writes; of registers that are overlaid \
                 by direction, one is only read (`ro`), the other only written (`wo`)",
                &[Str(register)],
            ),
            Self::OverlayAlone { register } => Text::format(
                "no other register lies where `overlay` register `{}` does; drop `overlay`",
                &[Str(register)],
            ),
            Self::ConditionalDoorbell { register } => Text::format(
                "register `{}` cannot be a doorbell: clients would signal its eventfd while another \
                 register answers writes, or none",
                &[Str(register)],
            ),
            Self::ConditionalWatch { register } => Text::format(
                "guests access watched register `{}` as memory, which has no conditions",
                &[Str(register)],
            ),
            Self::SizeInConfig { register } => Text::format(
                "register `{}` lies in configuration space, where accesses have no sizes: clients \
                 access single bytes of it",
                &[Str(register)],
            ),
            _ => self.condition_text(),
        }
    }

    const fn condition_text(&self) -> Text {
        match *self {
            Self::ConditionTarget { register } => Text::format(
                "the condition of register `{}` is on no other single register with storage",
                &[Str(register)],
            ),
            Self::ConditionField { target } => Text::format(
                "condition `{}` does not exist: the register has no such field",
                &[Str(target)],
            ),
            Self::ConditionValue { target, bits, value } => Text::format(
                "`{}` has {} {}, so it is never {}",
                &[Str(target), Dec(bits), Str(if bits == 1 { "bit" } else { "bits" }), Hex(value)],
            ),
            Self::ConditionReserved { target, mask, value } => Text::format(
                "`{}` has the mask {}, so it is never {}",
                &[Str(target), Hex(mask), Hex(value)],
            ),
            Self::ConditionEmpty { first, last } => Text::format(
                "range {}..={} is empty; write {}..={}",
                &[Hex(first), Hex(last), Hex(last), Hex(first)],
            ),
            Self::ConditionCycle { register } => {
                Text::format("the condition of register `{}` depends on itself", &[Str(register)])
            }
            _ => self.selector_text(),
        }
    }

    const fn selector_text(&self) -> Text {
        match *self {
            Self::Selector { name } => Text::format(
                "`{}` is not an array that a single register with storage selects from",
                &[Str(name)],
            ),
            Self::SelectorField { target } => Text::format(
                "selector `{}` does not exist: the register has no such field",
                &[Str(target)],
            ),
            Self::SelectorNarrow { target, bits, name, count } => Text::format(
                "selector `{}` has {} {}, too few for the {} elements of `{}`",
                &[
                    Str(target),
                    Dec(bits),
                    Str(if bits == 1 { "bit" } else { "bits" }),
                    Dec(count),
                    Str(name),
                ],
            ),
            _ => Text::format("", &[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: Extent<'_> = Extent::single("one", 0x10, 2);
    const OTHER: Extent<'_> = Extent::single("other", 0x11, 1);

    fn on(field: &'static str, values: &'static [(u64, u64)]) -> Answers<'static> {
        Answers { when: Some(When { register: "page", field, values }), ..Answers::ALL }
    }

    fn clash(one: &Answers<'static>, other: &Answers<'static>) -> Option<Clash<'static>> {
        match apart((&ONE, one), (&OTHER, other)) {
            Err(LayoutError::Overlap { clash, .. }) => Some(clash),
            Err(error) => panic!("{error}"),
            Ok(()) => None,
        }
    }

    #[test]
    fn the_reason_is_the_nearest_one() {
        let (read, write) =
            (Answers { writes: false, ..Answers::ALL }, Answers { reads: false, ..Answers::ALL });
        let (bytes, words) =
            (Answers { sizes: 1, ..Answers::ALL }, Answers { sizes: 6, ..Answers::ALL });
        assert_eq!(clash(&Answers::ALL, &Answers::ALL), Some(Clash::Undeclared));
        assert_eq!(clash(&read, &write), None);
        assert_eq!(clash(&read, &read), Some(Clash::Direction { writes: false }));
        assert_eq!(clash(&write, &Answers::ALL), Some(Clash::Direction { writes: true }));
        assert_eq!(clash(&bytes, &words), None);
        assert_eq!(clash(&words, &Answers::ALL), Some(Clash::Size(2)));
        let (low, high) = (on("page", &[(0, 1), (5, 5)]), on("page", &[(2, 4), (6, u64::MAX)]));
        assert_eq!(clash(&low, &high), None);
        let value = Clash::Value { register: "page", field: "page", value: 0 };
        assert_eq!(clash(&low, &low), Some(value));
        assert_eq!(clash(&low, &on("", &[(9, 9)])), Some(Clash::Fields));
        assert_eq!(clash(&low, &read), Some(Clash::Unconditional("other")));
        assert_eq!(clash(&words, &high), Some(Clash::Unconditional("one")));
    }

    fn ranges() -> impl Strategy<Value = Vec<(u64, u64)>> {
        prop::collection::vec((0..16u64, 0..4u64).prop_map(|(at, len)| (at, at + len)), 1..4)
    }

    proptest! {
        #[test]
        fn registers_are_apart_if_no_access_has_two_answers(
            (reads, writes, sizes, values) in (any::<bool>(), any::<bool>(), 1..16u8, ranges()),
            (reads2, writes2, sizes2, values2) in (any::<bool>(), any::<bool>(), 1..16u8, ranges()),
        ) {
            let when = |values| Some(When { register: "page", field: "", values });
            let one = Answers { reads, writes, sizes, when: when(&values) };
            let other = Answers { reads: reads2, writes: writes2, sizes: sizes2, when: when(&values2) };
            let answers = |answers: &Answers<'_>, is_write, size: u8, value| {
                let is_meant = if is_write { answers.writes } else { answers.reads };
                is_meant && answers.sizes & size != 0 && answers.when.unwrap().holds(value)
            };
            let mut both = false;
            for (value, size) in (0..24).flat_map(|value| [1, 2, 4, 8].map(|size| (value, size))) {
                for is_write in [false, true] {
                    both |= answers(&one, is_write, size, value)
                        && answers(&other, is_write, size, value);
                }
            }
            prop_assert_eq!(apart((&ONE, &one), (&OTHER, &other)).is_err(), both);
        }
    }

    #[test]
    fn values_fit_in_the_field() {
        assert!(condition_values("lcr.dlab", 1, 1, (0, 1)).is_ok());
        assert!(condition_values("lcr.dlab", 1, 1, (1, 2)).is_err());
        assert!(condition_values("lcr.dlab", 1, 1, (1, 0)).is_err());
        assert!(condition_values("key", 64, u64::MAX, (0, u64::MAX)).is_ok());
        assert!(condition_values("page", 8, 0x30, (0x10, 0x10)).is_ok());
        assert!(condition_values("page", 8, 0x30, (0x00, 0x30)).is_ok());
        assert!(condition_values("page", 8, 0x30, (0x08, 0x08)).is_err());
        assert!(condition_values("page", 8, 0x30, (0x10, 0x40)).is_err());
        assert!(selector_width("queue", 3, "queues", 8).is_ok());
        assert!(selector_width("queue", 3, "queues", 9).is_err());
        assert!(selector_width("queue", 64, "queues", u64::MAX).is_ok());
    }
}
