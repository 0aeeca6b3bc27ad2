//! `#[bar(N: mem32, size = .., ..)]`.

use proc_macro2::Ident;
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::{Attribute, Expr, Token};

use super::{Access, Allow, Bytes, Given, Int, Item, items, parse, set, set_flag, unknown};
use crate::ctxt::Ctxt;
use crate::layout::{self, BarKind};
use crate::{literal, suggest};

/// ```text
/// #[bar(0: mem32, size = 0x1000, prefetchable, unmapped = ones, unaligned = ignore, access = 4,
///       ^  ^^^^^         ^^^^^^  ^^^^^^^^^^^^             ^^^^              ^^^^^^  ^^^^^^^^^^
///       shared(0x0..0x1000), mirror = 1, raw(0x10..0x20), big, allow(prefetchable_mem32))]
///              ^^^^^^^^^^^            ^      ^^^^^^^^^^   ^^^        ^^^^^^^^^^^^^^^^^^
/// ```
pub(crate) struct Bar {
    pub(crate) number: BarNumber,
    pub(crate) kind: BarKind,
    pub(crate) kind_at: Ident,
    pub(crate) size: Int,
    pub(crate) prefetchable: Option<Ident>,
    pub(crate) unmapped: Option<Given<Unmapped>>,
    pub(crate) unaligned: Option<Given<Unaligned>>,
    pub(crate) access: Access,
    pub(crate) shared: Option<Given<Shared>>,
    pub(crate) mirror: Option<Given<BarNumber>>,
    pub(crate) big: Option<Ident>,
    pub(crate) raw: Option<Given<Vec<Bytes>>>,
    pub(crate) allow: Allow,
}

/// The parts that clients may map; none means all.
pub(crate) struct Shared(pub(crate) Vec<Bytes>);

/// Which BAR. Always a literal, so that the macro can group registers by it.
#[derive(Debug)]
pub(crate) struct BarNumber {
    pub(crate) expr: Expr,
    /// Absent after a mistake.
    pub(crate) index: Option<u8>,
}

#[derive(Clone, Copy)]
pub(crate) enum Unmapped {
    Zero,
    Ones,
    Refuse,
}

#[derive(Clone, Copy)]
pub(crate) enum Unaligned {
    Split,
    Ignore,
}

pub(super) const KEYS: &[&str] = &[
    "size",
    "prefetchable",
    "unmapped",
    "unaligned",
    "access",
    "shared",
    "mirror",
    "raw",
    "big",
    "allow",
];

/// What can be allowed.
pub(super) const WARNINGS: &[&str] = &["prefetchable_mem32", "express_io"];

impl Bar {
    pub(crate) fn read(cx: &Ctxt, attr: &Attribute) -> Option<Self> {
        let (number, kind, items) = parse(cx, attr, head)?;
        let mut size = None;
        let mut bar = Bar {
            number: BarNumber::new(number, cx),
            kind: bar_kind(cx, &kind)?,
            kind_at: kind,
            size: Int::missing(),
            prefetchable: None,
            unmapped: None,
            unaligned: None,
            access: Access::default(),
            shared: None,
            mirror: None,
            big: None,
            raw: None,
            allow: Allow::default(),
        };
        let mistakes = cx.count();
        for item in items {
            match item.name().as_str() {
                "size" => set(cx, &mut size, item.int(cx)),
                "prefetchable" => set_flag(cx, &mut bar.prefetchable, item.flag(cx)),
                "unmapped" => set(cx, &mut bar.unmapped, unmapped(cx, item)),
                "unaligned" => set(cx, &mut bar.unaligned, unaligned(cx, item)),
                "access" => bar.access.read_item(cx, item),
                "shared" => set(cx, &mut bar.shared, shared(cx, item)),
                "big" => set_flag(cx, &mut bar.big, item.flag(cx)),
                "raw" => set(cx, &mut bar.raw, raw(cx, item)),
                "mirror" => set(cx, &mut bar.mirror, mirror(cx, item)),
                "allow" => bar.allow.read_item(cx, item, WARNINGS),
                _ => unknown(cx, "bar", &item.key, KEYS),
            }
        }
        match size {
            Some(size) => bar.size = size.value,
            None if cx.count() == mistakes => {
                let number = &bar.number.expr;
                let message = format!("BAR {} needs `size = ..`", number.to_token_stream());
                cx.error(number, message);
            }
            None => {}
        }
        Some(bar)
    }
}

impl Bar {
    /// The BAR that this one mirrors.
    pub(crate) fn mirrored(&self) -> Option<u8> {
        self.mirror.as_ref()?.value.index
    }

    /// The parts that clients may map, if the macro knows them and the size of the BAR.
    pub(crate) fn known_shared_areas(&self) -> Option<Vec<(u64, u64)>> {
        let Some(shared) = &self.shared else { return Some(Vec::new()) };
        let size = self.size.known?;
        if shared.value.0.is_empty() {
            return Some(vec![(0, size)]);
        }
        shared.value.0.iter().map(Bytes::known).collect()
    }

    /// The ranges that the device serves itself.
    pub(crate) fn raw_ranges(&self) -> &[Bytes] {
        self.raw.as_ref().map_or(&[], |given| &given.value)
    }

    /// The same, if the macro knows them.
    pub(crate) fn known_raw_ranges(&self) -> Option<Vec<(u64, u64)>> {
        self.raw_ranges().iter().map(Bytes::known).collect()
    }

    /// Whether the macro knows the parts that hold no registers.
    pub(crate) fn has_known_parts(&self) -> bool {
        self.known_shared_areas().is_some() && self.known_raw_ranges().is_some()
    }
}

/// `mirror = N`.
fn mirror(cx: &Ctxt, item: Item) -> Option<Given<BarNumber>> {
    let Given { key, value } = item.expr(cx)?;
    Some(Given { key, value: BarNumber::new(value, cx) })
}

/// `bar = N` or `bar = config`, of registers and blocks.
pub(super) fn or_config(cx: &Ctxt, item: Item) -> Option<Given<BarNumber>> {
    let Given { key, value } = item.expr(cx)?;
    Some(Given { key, value: BarNumber::or_config(value, cx) })
}

fn head(input: ParseStream<'_>) -> syn::Result<(Expr, Ident, Vec<Item>)> {
    let number = input.parse()?;
    input.parse::<Token![:]>()?;
    let kind = input.call(Ident::parse_any)?;
    if !input.is_empty() {
        input.parse::<Token![,]>()?;
    }
    Ok((number, kind, items(input)?))
}

fn bar_kind(cx: &Ctxt, kind: &Ident) -> Option<BarKind> {
    match kind.to_string().as_str() {
        "mem32" => Some(BarKind::Mem32),
        "mem64" => Some(BarKind::Mem64),
        "io" => Some(BarKind::Io),
        other => {
            let hint = suggest::hint(other, &["mem32", "mem64", "io"]);
            cx.error(kind, format_args!("unknown kind of BAR `{other}`; {hint}"));
            None
        }
    }
}

fn unmapped(cx: &Ctxt, item: Item) -> Option<Given<Unmapped>> {
    let Given { key, value: word } = item.word(cx)?;
    let value = match word.to_string().as_str() {
        "zero" => Unmapped::Zero,
        "ones" => Unmapped::Ones,
        "refuse" => Unmapped::Refuse,
        other => {
            let hint = suggest::hint(other, &["zero", "ones", "refuse"]);
            cx.error(&word, format_args!("unmapped bytes cannot be `{other}`; {hint}"));
            return None;
        }
    };
    Some(Given { key, value })
}

/// `shared`, or `shared(0x1000..0x2000, ..)`.
fn shared(cx: &Ctxt, item: Item) -> Option<Given<Shared>> {
    if !item.is_list() {
        return Some(Given { key: item.flag(cx), value: Shared(Vec::new()) });
    }
    let key = item.key.clone();
    let ranges = item.parse_list::<Expr>(cx)?;
    if ranges.is_empty() {
        cx.error(key, "expected ranges of bytes, `shared(0x0..0x1000)`, or `shared` for all");
        return None;
    }
    let areas = ranges.into_iter().filter_map(|range| Bytes::new(cx, range)).collect();
    Some(Given { key, value: Shared(areas) })
}

/// `raw(0x100..0x200, ..)`.
fn raw(cx: &Ctxt, item: Item) -> Option<Given<Vec<Bytes>>> {
    let key = item.key.clone();
    let ranges = if item.is_list() { item.parse_list::<Expr>(cx)? } else { Vec::new() };
    if ranges.is_empty() {
        cx.error(key, "expected ranges of bytes, `raw(0x100..0x200)`");
        return None;
    }
    let ranges = ranges.into_iter().filter_map(|range| Bytes::new(cx, range)).collect();
    Some(Given { key, value: ranges })
}

fn unaligned(cx: &Ctxt, item: Item) -> Option<Given<Unaligned>> {
    let Given { key, value: word } = item.word(cx)?;
    let value = match word.to_string().as_str() {
        "split" => Unaligned::Split,
        "ignore" => Unaligned::Ignore,
        other => {
            let hint = suggest::hint(other, &["split", "ignore"]);
            cx.error(&word, format_args!("unaligned accesses cannot be `{other}`; {hint}"));
            return None;
        }
    };
    Some(Given { key, value })
}

impl BarNumber {
    /// Where a register lies: a BAR, or `config`, which has a number like a BAR.
    pub(crate) fn or_config(expr: Expr, cx: &Ctxt) -> Self {
        let expr = literal::ungrouped(expr);
        match &expr {
            Expr::Path(path) if path.path.is_ident("config") => {
                BarNumber { expr, index: Some(layout::CONFIG) }
            }
            Expr::Path(_) => {
                cx.error(&expr, "expected the number of a BAR, 0 to 5, or `config`");
                BarNumber { expr, index: None }
            }
            _ => BarNumber::new(expr, cx),
        }
    }

    pub(crate) fn new(expr: Expr, cx: &Ctxt) -> Self {
        let expr = literal::ungrouped(expr);
        let index = match literal::fold(&expr) {
            None => {
                cx.error(&expr, "expected the number of a BAR, 0 to 5");
                None
            }
            Some(number) => {
                let number = u64::try_from(number).unwrap_or(u64::MAX);
                match layout::bar_index(number) {
                    Ok(()) => u8::try_from(number).ok(),
                    Err(error) => {
                        cx.error(&expr, error);
                        None
                    }
                }
            }
        };
        BarNumber { expr, index }
    }
}
