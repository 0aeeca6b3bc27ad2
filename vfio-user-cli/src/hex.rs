//! Numbers in hexadecimal, and lines of bytes.

use std::fmt::{self, Display, Formatter, Write as _};

use serde::{Serialize, Serializer};

/// A number that may need 64 bits: in JSON a string, since many readers hold only 53 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hex(pub(crate) u64);

impl Display for Hex {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:#x}", self.0))
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Returns lines of 16 bytes, each with its offset in at least `digits` digits.
pub(crate) fn lines(start: u64, bytes: &[u8], digits: usize) -> String {
    let mut text = String::new();
    for (line, bytes) in bytes.chunks(16).enumerate() {
        // A string takes everything.
        let _ = writeln!(text, "{:0digits$x}:{}", start + line as u64 * 16, row(bytes));
    }
    text
}

/// Returns bytes, each after a blank.
pub(crate) fn row(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        // A string takes everything.
        let _ = write!(text, " {byte:02x}");
    }
    text
}
