//! A part of a BAR: `0x1000..0x2000`.

use quote::ToTokens as _;
use syn::{Expr, ExprRange, RangeLimits};

use super::Int;
use crate::ctxt::Ctxt;
use crate::literal;

/// ```text
/// 0x80..0x100
/// ^^^^  ^^^^^ start, end
/// ```
pub(crate) struct Bytes {
    pub(crate) range: Expr,
    pub(crate) start: Int,
    pub(crate) end: Int,
}

impl Bytes {
    pub(crate) fn new(cx: &Ctxt, range: Expr) -> Option<Self> {
        let range = literal::ungrouped(range);
        if let Expr::Range(ExprRange {
            start: Some(start),
            limits: RangeLimits::HalfOpen(_),
            end: Some(end),
            ..
        }) = &range
        {
            let (start, end) = (Int::new((**start).clone(), cx), Int::new((**end).clone(), cx));
            return Some(Bytes { range, start, end });
        }
        let text = range.to_token_stream();
        cx.error(
            &range,
            format_args!("expected a range of bytes, such as `0x0..0x80`, not `{text}`"),
        );
        None
    }

    /// The first byte and the end, if the macro knows both.
    pub(crate) fn known(&self) -> Option<(u64, u64)> {
        Some((self.start.known?, self.end.known?))
    }
}
