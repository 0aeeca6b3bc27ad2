//! Text built in constant evaluation, where `format!` does not exist.

/// A short text that can be built in constant evaluation.
#[derive(Clone, Copy)]
pub struct Text {
    bytes: [u8; Self::CAPACITY],
    len: usize,
}

impl Text {
    const CAPACITY: usize = 512;

    pub(super) const fn new() -> Self {
        Text { bytes: [0; Self::CAPACITY], len: 0 }
    }

    /// What was built.
    pub const fn as_str(&self) -> &str {
        match core::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            Err(_) => "",
        }
    }

    /// A piece that does not fit is left out whole, so the text stays UTF-8.
    pub(super) const fn push(mut self, piece: &str) -> Self {
        let piece = piece.as_bytes();
        if self.len + piece.len() <= Self::CAPACITY {
            let mut i = 0;
            while i < piece.len() {
                self.bytes[self.len + i] = piece[i];
                i += 1;
            }
            self.len += piece.len();
        }
        self
    }

    const fn number(self, value: u64, base: u64) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [0; 20];
        let mut start = digits.len();
        let mut rest = value;
        loop {
            start -= 1;
            digits[start] = DIGITS[(rest % base) as usize];
            rest /= base;
            if rest == 0 {
                break;
            }
        }
        match core::str::from_utf8(digits.split_at(start).1) {
            Ok(digits) => self.push(digits),
            Err(_) => self,
        }
    }

    pub(super) const fn decimal(self, value: u64) -> Self {
        self.number(value, 10)
    }

    pub(super) const fn hex(self, value: u64) -> Self {
        self.push("0x").number(value, 16)
    }

    pub(super) const fn range(self, start: u64, end: u64) -> Self {
        self.hex(start).push("..").hex(end)
    }

    pub(super) const fn bytes(self, count: u64) -> Self {
        self.decimal(count).push(if count == 1 { " byte" } else { " bytes" })
    }

    pub(super) const fn bar(self, bar: u8) -> Self {
        self.push("BAR ").decimal(bar as u64)
    }

    pub(super) const fn register(self, name: &str) -> Self {
        self.push("register `").push(name).push("`")
    }

    /// A register, or one of the runtime's own structures, whose names have a blank.
    pub(super) const fn thing(self, name: &str) -> Self {
        let bytes = name.as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            if bytes[i] == b' ' {
                return self.push("the ").push(name);
            }
            i += 1;
        }
        self.register(name)
    }
}
