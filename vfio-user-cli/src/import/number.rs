//! Numbers as the formats write them.

/// Returns the value of a number in decimal digits, or behind `0x`, `#`, `0b`, `'h`, `32'b`, and
/// with a unit `k`, `M` or `G`.
pub(super) fn parse(text: &str) -> Option<u64> {
    let text: String = text.chars().filter(|letter| *letter != '_').collect();
    let lower = text.trim().trim_start_matches('+').to_ascii_lowercase();
    if let Some((_, digits)) = lower.split_once('\'') {
        let base = digits.chars().next()?;
        return radix(digits.get(1..)?, verilog(base)?);
    }
    for (prefix, base) in [("0x", 16), ("#", 2), ("0b", 2)] {
        if let Some(digits) = lower.strip_prefix(prefix) {
            return radix(digits, base);
        }
    }
    let (digits, shift) = match lower.chars().last()? {
        'k' => (&lower[..lower.len() - 1], 10),
        'm' => (&lower[..lower.len() - 1], 20),
        'g' => (&lower[..lower.len() - 1], 30),
        _ => (lower.as_str(), 0),
    };
    radix(digits, 10)?.checked_mul(1 << shift)
}

fn verilog(base: char) -> Option<u32> {
    match base {
        'h' => Some(16),
        'd' => Some(10),
        'o' => Some(8),
        'b' => Some(2),
        _ => None,
    }
}

fn radix(digits: &str, base: u32) -> Option<u64> {
    // `from_str_radix` accepts a sign.
    let is_plain = digits.chars().all(|digit| digit.is_digit(base));
    is_plain.then(|| u64::from_str_radix(digits, base).ok())?
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn numbers_have_many_forms() {
        for (text, value) in [
            ("10", Some(10)),
            ("+0x1F", Some(31)),
            ("0XfF", Some(255)),
            ("#101", Some(5)),
            ("0b11", Some(3)),
            ("'hff", Some(255)),
            ("32'h0000_00ff", Some(255)),
            ("8'b101", Some(5)),
            ("4K", Some(4096)),
            ("1g", Some(1 << 30)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("99999999999999999G", None),
            ("-1", None),
            ("0x", None),
            ("0x-1", None),
            ("#1x", None),
            ("'", None),
            ("'q1", None),
            ("k", None),
            ("é", None),
            ("", None),
        ] {
            assert_eq!(parse(text), value, "{text}");
        }
    }
}
