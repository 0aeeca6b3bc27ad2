//! Literals.

use proc_macro2::Literal;

/// Returns a number in hexadecimal digits, at least two.
pub(super) fn hex(value: u64) -> Literal {
    digits(value, 2)
}

/// Returns a number in at least `count` hexadecimal digits, in groups of four.
pub(super) fn digits(value: u64, count: usize) -> Literal {
    let digits = format!("{value:0count$x}");
    let mut text = String::from("0x");
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(4) {
            text.push('_');
        }
        text.push(digit);
    }
    text.parse().expect("these are digits")
}

/// Returns a number in decimal digits, without a type.
pub(super) fn decimal(value: u64) -> Literal {
    Literal::u64_unsuffixed(value)
}
