//! Integer expressions of literals alone, which the macro can evaluate.

use syn::{BinOp, Expr, ExprBinary, ExprGroup, ExprLit, ExprParen, Lit, LitInt, UnOp};

/// Returns the value of an expression of literals, `+ - * << |` and parentheses.
pub(crate) fn fold(expr: &Expr) -> Option<u128> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Int(literal), .. }) if !is_float(literal) => {
            literal.base10_parse().ok()
        }
        Expr::Paren(ExprParen { expr, .. }) | Expr::Group(ExprGroup { expr, .. }) => fold(expr),
        Expr::Binary(binary) => fold_binary(binary),
        _ => None,
    }
}

/// Removes the group around a fragment of a `macro_rules!` macro, such as `$size:expr`.
pub(crate) fn ungrouped(expr: Expr) -> Expr {
    match expr {
        Expr::Group(ExprGroup { expr, .. }) => ungrouped(*expr),
        expr => expr,
    }
}

/// Describes an expression that can never be an integer.
pub(crate) fn never_an_integer(expr: &Expr) -> Option<&'static str> {
    Some(match expr {
        Expr::Paren(ExprParen { expr, .. }) | Expr::Group(ExprGroup { expr, .. }) => {
            return never_an_integer(expr);
        }
        Expr::Lit(ExprLit { lit: Lit::Int(_) | Lit::Byte(_), .. }) => return None,
        Expr::Lit(ExprLit { lit: Lit::Float(_), .. }) => "a float",
        Expr::Lit(ExprLit { lit: Lit::Str(_) | Lit::ByteStr(_) | Lit::CStr(_), .. }) => "a string",
        Expr::Lit(ExprLit { lit: Lit::Char(_), .. }) => "a character",
        Expr::Lit(ExprLit { lit: Lit::Bool(_), .. }) => "a boolean",
        Expr::Lit(_) => "another literal",
        Expr::Array(_) | Expr::Repeat(_) => "an array",
        Expr::Tuple(_) => "a tuple",
        Expr::Range(_) => "a range",
        Expr::Reference(_) | Expr::RawAddr(_) => "a reference",
        Expr::Closure(_) => "a closure",
        Expr::Struct(_) => "a struct",
        Expr::Assign(_) => "an assignment",
        Expr::Infer(_) => "`_`",
        Expr::Return(_) | Expr::Break(_) | Expr::Continue(_) => "a jump",
        _ => return None,
    })
}

/// Whether an expression is a literal, and with it a pattern.
pub(crate) fn is_plain(expr: &Expr) -> bool {
    matches!(expr, Expr::Lit(_)) && is_untyped(expr)
}

/// Whether a literal such as `1f64` is a float written like an integer.
fn is_float(literal: &LitInt) -> bool {
    literal.suffix().starts_with('f')
}

fn fold_binary(ExprBinary { left, op, right, .. }: &ExprBinary) -> Option<u128> {
    let (left, right) = (fold(left)?, fold(right)?);
    match op {
        BinOp::Add(_) => left.checked_add(right),
        BinOp::Sub(_) => left.checked_sub(right),
        BinOp::Mul(_) => left.checked_mul(right),
        // A shift that loses bits overflows the type that the compiler will choose.
        BinOp::Shl(_) => left.checked_mul(1u128.checked_shl(u32::try_from(right).ok()?)?),
        BinOp::BitOr(_) => Some(left | right),
        _ => None,
    }
}

/// Whether `!` occurs in an expression without a type, so that its value depends on the width.
pub(crate) fn inverts(expr: &Expr) -> bool {
    match expr {
        Expr::Unary(unary) => matches!(unary.op, UnOp::Not(_)) || inverts(&unary.expr),
        Expr::Paren(ExprParen { expr, .. }) | Expr::Group(ExprGroup { expr, .. }) => inverts(expr),
        Expr::Binary(ExprBinary { left, right, .. }) => inverts(left) || inverts(right),
        _ => false,
    }
}

/// Whether an expression has no type of its own, and takes that of its context.
pub(crate) fn is_untyped(expr: &Expr) -> bool {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Int(literal), .. }) => literal.suffix().is_empty(),
        // What compares has a type: `bool`.
        Expr::Binary(ExprBinary {
            op:
                BinOp::Eq(_)
                | BinOp::Ne(_)
                | BinOp::Lt(_)
                | BinOp::Le(_)
                | BinOp::Gt(_)
                | BinOp::Ge(_)
                | BinOp::And(_)
                | BinOp::Or(_),
            ..
        }) => false,
        Expr::Paren(ExprParen { expr, .. }) | Expr::Group(ExprGroup { expr, .. }) => {
            is_untyped(expr)
        }
        // The number of bits to shift by may have any type.
        Expr::Binary(ExprBinary { left, op: BinOp::Shl(_) | BinOp::Shr(_), .. }) => {
            is_untyped(left)
        }
        Expr::Binary(ExprBinary { left, right, .. }) => is_untyped(left) && is_untyped(right),
        Expr::Unary(unary) => is_untyped(&unary.expr),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[test]
    fn literals_fold() {
        assert_eq!(fold(&parse_quote!(0x7472_6976)), Some(0x7472_6976));
        assert_eq!(fold(&parse_quote!(0b1010u8)), Some(10));
        assert_eq!(fold(&parse_quote!((0x10 + 4 * 2))), Some(0x18));
        assert_eq!(fold(&parse_quote!(1 << 31 | 1)), Some(0x8000_0001));
    }

    #[test]
    fn constants_and_overflows_do_not_fold() {
        assert_eq!(fold(&parse_quote!(BASE)), None);
        assert_eq!(fold(&parse_quote!(BASE + 4)), None);
        assert_eq!(fold(&parse_quote!(4 - 8)), None);
        assert_eq!(fold(&parse_quote!(1 << 128)), None);
        assert_eq!(fold(&parse_quote!(2 << 127)), None);
        assert_eq!(fold(&parse_quote!("4")), None);
    }

    #[test]
    fn what_compares_is_typed() {
        assert!(!is_untyped(&parse_quote!(1 == 2)));
        assert!(!is_untyped(&parse_quote!(1f32)));
        assert_eq!(fold(&parse_quote!(1f32)), None);
    }

    #[test]
    fn what_is_inverted_depends_on_the_width() {
        assert!(inverts(&parse_quote!(0xff & (!0xf | 1))));
        assert!(!inverts(&parse_quote!(0xff - 1)));
    }

    #[test]
    fn a_suffix_is_a_type() {
        assert!(is_untyped(&parse_quote!((0x10 + 4))));
        assert!(is_untyped(&parse_quote!(1 << BIT)));
        assert!(!is_untyped(&parse_quote!(0x10u32 + 4)));
        assert!(!is_untyped(&parse_quote!(BASE)));
    }
}
