//! `#[block(..)]`, of a block and of a device's field.

use proc_macro2::Ident;
use syn::parse::ParseStream;
use syn::{Attribute, Expr, ExprPath, Token, parse_quote};

use super::bar::or_config;
use super::{
    BarNumber, Capability, DriverUse, Given, Int, Item, Kept, RegisterPath, items, krate, parse,
    set, unknown,
};
use crate::ctxt::Ctxt;
use crate::layout::CONFIG;

/// ```text
/// #[block(host = QueueHost, levels = 2, driver = QueueDriver)]
///                ^^^^^^^^^           ^           ^^^^^^^^^^^
/// struct Queue { .. }
/// ```
#[derive(Default)]
pub(crate) struct BlockAttrs {
    pub(crate) host: Option<Given<Ident>>,
    /// Whether a host is given, be it a wrong one.
    pub(crate) has_host: bool,
    /// The number of blocks that lie around it, and itself: its hooks take an index of each.
    pub(crate) levels: Option<Given<Int>>,
    pub(crate) driver: Option<Given<Ident>>,
    /// Of the library; [`super::library`] finds it.
    krate: Option<Given<ExprPath>>,
}

impl BlockAttrs {
    pub(crate) fn read(cx: &Ctxt, attrs: &[Attribute]) -> Self {
        let mut block = None;
        for attr in attrs {
            let path = attr.path();
            if path.is_ident("block") {
                super::only_one(cx, attrs, attr, &mut block, Some(Self::read_one(cx, attr)));
            } else if path.is_ident("reg") {
                cx.error(path, "`#[reg]` belongs on a field");
            }
        }
        block.unwrap_or_default()
    }

    fn read_one(cx: &Ctxt, attr: &Attribute) -> Self {
        let mut block = BlockAttrs::default();
        for item in parse(cx, attr, items).unwrap_or_default() {
            match item.name().as_str() {
                "host" => {
                    block.has_host = true;
                    set(cx, &mut block.host, item.word(cx));
                }
                "levels" => set(cx, &mut block.levels, item.int(cx)),
                "driver" => set(cx, &mut block.driver, item.word(cx)),
                "crate" => set(cx, &mut block.krate, krate::read(cx, item)),
                _ => unknown(cx, "block", &item.key, &STRUCT_KEYS),
            }
        }
        block
    }
}

/// ```text
/// #[block(0x100, bar = 2, stride = 0x40, first = 8, vector = 1, vector_stride = 2, select = i,
///         ^^^^^        ^           ^^^^          ^           ^                  ^           ^
///         reset(soft(0) = keep))]
///               ^^^^^^^
/// queues: [Queue; 64]
/// ```
pub(crate) struct Block {
    pub(crate) offset: Int,
    pub(crate) bar: Option<Given<BarNumber>>,
    pub(crate) stride: Option<Given<Int>>,
    /// The index that hooks are given for the first element.
    pub(crate) first: Option<Given<Int>>,
    /// It is what this capability holds, and lies where that does.
    pub(crate) capability: Option<Capability>,
    /// The number of its first interrupt.
    pub(crate) vector: Option<Given<Int>>,
    /// From one element's to the next.
    pub(crate) vector_stride: Option<Given<Int>>,
    /// The register whose value is the index of the element that answers.
    pub(crate) select: Option<Given<RegisterPath>>,
    /// The resets over which all of its registers keep their values.
    pub(crate) kept: Kept,
    /// Whether drivers leave it out.
    pub(crate) driver: Option<Given<DriverUse>>,
}

pub(super) const STRUCT_KEYS: [&str; 4] = ["host", "levels", "driver", "crate"];

pub(super) const KEYS: &[&str] =
    &["bar", "stride", "first", "vector", "vector_stride", "select", "reset", "driver"];

impl Block {
    fn new() -> Self {
        Block {
            offset: Int::missing(),
            bar: None,
            stride: None,
            first: None,
            vector: None,
            vector_stride: None,
            select: None,
            capability: None,
            kept: Kept::default(),
            driver: None,
        }
    }

    /// The block in a capability.
    ///
    /// ```text
    /// #[capability(vsec(id = 7, at = 0x180))]
    ///              ^^^^^^^^^^^^^^^^^^^^^^^^
    /// mailbox: Mailbox,
    /// ```
    ///
    /// Never fails either.
    pub(crate) fn in_capability(field: &Ident, mut capability: Option<Capability>) -> Self {
        let config = BarNumber { expr: parse_quote!(config), index: Some(CONFIG) };
        let bar = Given { key: field.clone(), value: config };
        let first = capability.as_mut().and_then(|capability| capability.first.take());
        let vector = capability.as_mut().and_then(|capability| capability.vector.take());
        Block { bar: Some(bar), first, vector, capability, ..Block::new() }
    }

    /// Never fails: a field with a broken `#[block]` is a block all the same.
    pub(crate) fn read(cx: &Ctxt, field: &Ident, attr: &Attribute) -> Self {
        let mut block = Block::new();
        let Some((offset, items)) = parse(cx, attr, head) else { return block };
        if let Some(offset) = offset {
            block.offset = Int::new(offset, cx);
        } else {
            cx.error(field, format_args!("block `{field}` needs an offset: `#[block(0x100)]`"));
        }
        for item in items {
            match item.name().as_str() {
                "bar" => set(cx, &mut block.bar, or_config(cx, item)),
                "stride" => set(cx, &mut block.stride, item.int(cx)),
                "first" => set(cx, &mut block.first, item.int(cx)),
                "vector" => set(cx, &mut block.vector, item.int(cx)),
                "vector_stride" => set(cx, &mut block.vector_stride, item.int(cx)),
                "select" => set(cx, &mut block.select, RegisterPath::read(cx, item)),
                "driver" => set(cx, &mut block.driver, DriverUse::read_block(cx, item)),
                "reset" if item.is_list() => block.kept.read(cx, item),
                "reset" => {
                    let message = "a block has no reset value of its own, its registers have; its \
                                   values are kept by `reset(flr = keep)`";
                    cx.error(&item.key, message);
                }
                "host" => {
                    cx.error(&item.key, "the host is named by the block: `#[block(host = ..)]`");
                }
                _ => unknown(cx, "block", &item.key, KEYS),
            }
        }
        block
    }
}

/// The offset, unless a key stands in its place, and the rest.
fn head(input: ParseStream<'_>) -> syn::Result<(Option<Expr>, Vec<Item>)> {
    let ahead = input.fork();
    let starts_with_key = ahead.parse::<Ident>().is_ok() && ahead.peek(Token![=]);
    if input.is_empty() || (starts_with_key && !ahead.peek(Token![==])) {
        return Ok((None, items(input)?));
    }
    let offset = input.parse()?;
    if !input.is_empty() {
        input.parse::<Token![,]>()?;
    }
    Ok((Some(offset), items(input)?))
}
