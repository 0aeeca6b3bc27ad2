//! Drawings of the bits of a register.

use std::fmt::{self, Display, Formatter};

use super::super::phrases;
use super::policy;
use super::text::escape;
use crate::model::{Field, Register};

/// How much fits in a row.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    class: &'static str,
    /// Bits in a row.
    row: u32,
    /// The width of a bit.
    bit: u32,
}

/// For screens of a desk.
pub(super) const WIDE: Shape = Shape { class: "wide", row: 16, bit: 48 };
/// For those of a phone.
pub(super) const NARROW: Shape = Shape { class: "narrow", row: 8, bit: 42 };

/// The height of the numbers of bits.
const NUMBERS: u32 = 14;
/// The height of a field.
const BOX: u32 = 42;
const ROW: u32 = NUMBERS + BOX + 6;
/// The widths of a letter at the two sizes of letters, in tenths.
const LETTER: u32 = 66;
const SMALL_LETTER: u32 = 54;

pub(super) struct Drawing<'a> {
    pub(super) register: &'a Register,
    /// The id of the register on the page.
    pub(super) anchor: &'a str,
    pub(super) shape: Shape,
}

/// A run of bits in one row that belong to one field, or to none.
struct Segment<'a> {
    field: Option<&'a Field>,
    first: u32,
    last: u32,
}

impl Display for Drawing<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Shape { class, row, bit } = self.shape;
        let bits = u32::from(self.register.width()) * 8;
        let columns = bits.min(row);
        let (width, height) = (columns * bit + 2, bits.div_ceil(columns) * ROW);
        let label = escape(self.register.name());
        writeln!(
            f,
            "<svg class=\"bits {class}\" width=\"{width}\" viewBox=\"-1 0 {width} {height}\" \
             role=\"img\" aria-label=\"bits of {label}\">"
        )?;
        for (row, first) in (0..bits).step_by(columns as usize).rev().zip(0..) {
            // The highest row is the first one.
            let (lowest, y) = (row, first * ROW);
            for segment in self.segments(lowest, lowest + columns - 1) {
                let x = (lowest + columns - 1 - segment.last) * bit;
                self.segment(&segment, x, y, f)?;
            }
        }
        writeln!(f, "</svg>")
    }
}

impl Drawing<'_> {
    /// Returns the segments of a row, from the highest bit on.
    fn segments(&self, lowest: u32, highest: u32) -> Vec<Segment<'_>> {
        let mut segments = Vec::<Segment<'_>>::new();
        for bit in (lowest..=highest).rev() {
            let mut fields = self.register.fields().iter();
            let field = fields.find(|field| field.mask() >> bit & 1 == 1);
            match segments.last_mut() {
                Some(segment) if segment.field == field => segment.first = bit,
                _ => segments.push(Segment { field, first: bit, last: bit }),
            }
        }
        segments
    }

    fn segment(&self, segment: &Segment<'_>, x: u32, y: u32, f: &mut Formatter<'_>) -> fmt::Result {
        let width = (segment.last - segment.first + 1) * self.shape.bit;
        let top = y + NUMBERS;
        numbers(segment, x, width, y + NUMBERS - 4, f)?;
        let Some(field) = segment.field else {
            return writeln!(
                f,
                "<rect class=\"none\" x=\"{x}\" y=\"{top}\" width=\"{width}\" height=\"{BOX}\"/>"
            );
        };
        let policy = field.policy.unwrap_or(self.register.policy());
        let (class, name, anchor) = (policy::class(policy), escape(field.name), self.anchor);
        write!(f, "<a href=\"#{anchor}.{name}\"><title>{name} {}</title>", phrases::bits(field))?;
        write!(
            f,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{top}\" width=\"{width}\" height=\"{BOX}\"/>"
        )?;
        label(field.name, x, top, width, f)?;
        writeln!(f, "</a>")
    }
}

/// Writes the numbers of the outer bits of a segment.
fn numbers(
    segment: &Segment<'_>,
    x: u32,
    width: u32,
    y: u32,
    f: &mut Formatter<'_>,
) -> fmt::Result {
    let Segment { first, last, .. } = *segment;
    let number = |x: u32, class: &str, bit: u32, f: &mut Formatter<'_>| {
        writeln!(f, "<text class=\"number {class}\" x=\"{x}\" y=\"{y}\">{bit}</text>")
    };
    if first == last {
        return number(x + width / 2, "", first, f);
    }
    number(x + 3, "left", last, f)?;
    number(x + width - 3, "right", first, f)
}

/// Writes a name in the middle of a box: on one line, on a line for each word, in small letters, or
/// cut.
fn label(name: &str, x: u32, top: u32, width: u32, f: &mut Formatter<'_>) -> fmt::Result {
    let room = |letter: u32| ((width - 4) * 10 / letter) as usize;
    let words: Vec<_> = name.split('_').filter(|word| !word.is_empty()).collect();
    let fit = |letter| words.len() <= 3 && words.iter().all(|word| word.len() <= room(letter));
    let (lines, class) = match () {
        () if name.len() <= room(LETTER) => (vec![name.to_owned()], "name"),
        () if name.len() <= room(SMALL_LETTER) => (vec![name.to_owned()], "name small"),
        () if fit(SMALL_LETTER) => {
            (words.iter().map(|&word| word.to_owned()).collect(), "name small")
        }
        () => {
            let kept: String = name.chars().take(room(SMALL_LETTER).saturating_sub(1)).collect();
            (vec![format!("{kept}…")], "name small")
        }
    };
    let (middle, count) = (x + width / 2, u32::try_from(lines.len()).unwrap_or(u32::MAX));
    let height = 12;
    let first = top + BOX / 2 + 4 - (count - 1) * height / 2;
    for (line, at) in lines.iter().zip(0..) {
        let (y, line) = (first + at * height, escape(line));
        write!(f, "<text class=\"{class}\" x=\"{middle}\" y=\"{y}\">{line}</text>")?;
    }
    Ok(())
}
