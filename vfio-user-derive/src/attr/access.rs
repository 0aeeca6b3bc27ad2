//! The sizes that a BAR accepts: `access = 4..=8`, `access(0..0x80: 4, 0x80..0x100: 4..=8)`.

use syn::parse::{Parse, ParseStream};
use syn::{Expr, ExprRange, RangeLimits, Token};

use super::{Bytes, Item};
use crate::ctxt::Ctxt;
use crate::literal;

/// What a BAR accepts, and what its parts accept instead.
#[derive(Default)]
pub(crate) struct Access {
    pub(crate) whole: Option<Sizes>,
    pub(crate) parts: Vec<Part>,
}

/// ```text
/// 4..=8
/// ^   ^ smallest, largest; the same for a single size
/// ```
pub(crate) struct Sizes {
    pub(crate) expr: Expr,
    pub(crate) smallest: u8,
    pub(crate) largest: u8,
}

/// ```text
/// 0x80..0x100: 4..=8
/// ^^^^  ^^^^^  ^^^^^ start, end, sizes
/// ```
pub(crate) struct Part {
    pub(crate) bytes: Bytes,
    pub(crate) sizes: Sizes,
}

/// A part as it is written.
struct Written {
    range: Expr,
    sizes: Expr,
}

impl Parse for Written {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let range = input.parse()?;
        input.parse::<Token![:]>()?;
        Ok(Written { range, sizes: input.parse()? })
    }
}

impl Access {
    /// `access = ..` or `access(..)`; a BAR may have both, for the rest and for its parts.
    pub(super) fn read_item(&mut self, cx: &Ctxt, item: Item) {
        if !item.is_list() {
            let Some(given) = item.expr(cx) else { return };
            let Some(sizes) = Sizes::new(cx, given.value) else { return };
            if let Some(first) = &self.whole {
                cx.error(&sizes.expr, "`access` is given twice");
                cx.error(&first.expr, "`access` is given here first");
            } else {
                self.whole = Some(sizes);
            }
            return;
        }
        let Some(parts) = item.parse_list::<Written>(cx) else { return };
        self.parts.extend(parts.into_iter().filter_map(|part| Part::new(cx, part)));
    }
}

impl Sizes {
    fn new(cx: &Ctxt, expr: Expr) -> Option<Self> {
        let expr = literal::ungrouped(expr);
        let (smallest, largest) = match &expr {
            Expr::Range(ExprRange {
                start: Some(start),
                limits: RangeLimits::Closed(_),
                end: Some(end),
                ..
            }) => (size(start), size(end)),
            single => (size(single), size(single)),
        };
        if let (Some(smallest), Some(largest)) = (smallest, largest) {
            return Some(Sizes { expr, smallest, largest });
        }
        cx.error(expr, "expected sizes in bytes, such as `4` or `4..=8`");
        None
    }
}

fn size(expr: &Expr) -> Option<u8> {
    literal::fold(expr).map(|size| u8::try_from(size).unwrap_or(u8::MAX))
}

impl Part {
    fn new(cx: &Ctxt, Written { range, sizes }: Written) -> Option<Self> {
        let sizes = Sizes::new(cx, sizes);
        let bytes = Bytes::new(cx, range)?;
        Some(Part { bytes, sizes: sizes? })
    }
}
