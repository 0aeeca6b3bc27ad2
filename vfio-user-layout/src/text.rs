//! Text built in constant evaluation, where `format!` does not exist.

/// A short text.
#[derive(Clone, Copy)]
pub struct Text {
    bytes: [u8; Self::CAPACITY],
    len: usize,
}

/// A value for a `{}` of a template.
#[derive(Clone, Copy)]
pub(super) enum Arg<'a> {
    Str(&'a str),
    Dec(u64),
    Hex(u64),
    /// The first and the last bit.
    Bits(u64, u64),
}

impl Text {
    const CAPACITY: usize = 512;

    /// Returns the text.
    pub const fn as_str(&self) -> &str {
        match core::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            Err(_) => "",
        }
    }

    /// Returns a template with each `{}` replaced, in order.
    pub(super) const fn format(template: &str, args: &[Arg<'_>]) -> Self {
        let mut text = Text { bytes: [0; Self::CAPACITY], len: 0 };
        let template = template.as_bytes();
        let (mut start, mut next) = (0, 0);
        while let Some(hole) = find_hole(template, start) {
            text.push(template, start, hole);
            text.push_arg(args[next]);
            (start, next) = (hole + 2, next + 1);
        }
        text.push(template, start, template.len());
        text
    }

    const fn push_arg(&mut self, arg: Arg<'_>) {
        match arg {
            Arg::Str(piece) => self.push(piece.as_bytes(), 0, piece.len()),
            Arg::Dec(value) => self.push_number(value, 10),
            Arg::Hex(value) => {
                self.push(b"0x", 0, 2);
                self.push_number(value, 16);
            }
            Arg::Bits(first, last) if first == last => {
                self.push(b"bit ", 0, 4);
                self.push_number(first, 10);
            }
            Arg::Bits(first, last) => {
                self.push(b"bits ", 0, 5);
                self.push_number(first, 10);
                self.push(b"..=", 0, 3);
                self.push_number(last, 10);
            }
        }
    }

    /// Appends a piece. Leaves out a piece that does not fit as a whole, so the text stays UTF-8.
    const fn push(&mut self, piece: &[u8], start: usize, end: usize) {
        if self.len + (end - start) > Self::CAPACITY {
            return;
        }
        let mut at = start;
        while at < end {
            self.bytes[self.len] = piece[at];
            self.len += 1;
            at += 1;
        }
    }

    const fn push_number(&mut self, value: u64, base: u64) {
        let mut digits = [0; 20];
        let mut start = digits.len();
        let mut rest = value;
        loop {
            start -= 1;
            digits[start] = digit(rest % base);
            rest /= base;
            if rest == 0 {
                break;
            }
        }
        self.push(&digits, start, digits.len());
    }
}

const fn find_hole(template: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    while at + 1 < template.len() {
        if template[at] == b'{' && template[at + 1] == b'}' {
            return Some(at);
        }
        at += 1;
    }
    None
}

#[allow(clippy::cast_possible_truncation, reason = "a digit is below 16")]
const fn digit(value: u64) -> u8 {
    b"0123456789abcdef"[value as usize]
}

/// Whether two texts are equal, in constant evaluation.
pub const fn is_same(one: &str, other: &str) -> bool {
    is_same_bytes(one.as_bytes(), other.as_bytes())
}

/// Whether two strings of bytes are equal, which the language cannot compare in constants.
pub const fn is_same_bytes(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut i = 0;
    while i < one.len() {
        if one[i] != other[i] {
            return false;
        }
        i += 1;
    }
    true
}
