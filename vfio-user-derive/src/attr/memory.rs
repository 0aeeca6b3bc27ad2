//! `#[memory(START..END, ..)]`.

use proc_macro2::Ident;
use syn::parse::ParseStream;
use syn::{Attribute, Expr, ExprPath, Meta, Token};

use super::{BarNumber, Bytes, Given, Item, items, parse, set, unknown};
use crate::ctxt::Ctxt;
use crate::suggest;

/// ```text
/// #[memory(0x1000..0x3000, bar = 1, on_write = Self::touched, reset = zero)]
///          ^^^^^^^^^^^^^^        ^             ^^^^^^^^^^^^^          ^^^^
/// buffer: Box<[u8]>
/// ```
#[derive(Default)]
pub(crate) struct Memory {
    /// `None` if it is missing or no range, which has been reported.
    pub(crate) range: Option<Bytes>,
    pub(crate) bar: Option<Given<BarNumber>>,
    pub(crate) on_write: Option<Given<ExprPath>>,
    pub(crate) reset: Option<Given<MemoryReset>>,
}

/// The bytes after a reset, if they are not those of construction.
#[derive(Clone, Copy)]
pub(crate) enum MemoryReset {
    Keep,
    Zero,
}

pub(super) const KEYS: &[&str] = &["bar", "on_write", "reset"];

impl Memory {
    /// Never fails: a field with a broken `#[memory]` is a memory all the same.
    pub(super) fn read(cx: &Ctxt, field: &Ident, attr: &Attribute) -> Self {
        let mut memory = Memory::default();
        let (range, items) = match &attr.meta {
            Meta::Path(_) => (None, Vec::new()),
            _ => match parse(cx, attr, head) {
                Some(list) => list,
                None => return memory,
            },
        };
        if let Some(range) = range {
            memory.range = Bytes::new(cx, range);
        } else {
            let message = format!("memory `{field}` needs a range: `#[memory(0x1000..0x2000)]`");
            cx.error(field, message);
        }
        for item in items {
            match item.name().as_str() {
                "bar" => set(cx, &mut memory.bar, bar(cx, item)),
                "on_write" => set(cx, &mut memory.on_write, item.function(cx)),
                "reset" => set(cx, &mut memory.reset, reset(cx, item)),
                _ => unknown(cx, "memory", &item.key, KEYS),
            }
        }
        memory
    }
}

/// The range, unless a key stands in its place, and the rest.
fn head(input: ParseStream<'_>) -> syn::Result<(Option<Expr>, Vec<Item>)> {
    let ahead = input.fork();
    let starts_with_key = ahead.parse::<Ident>().is_ok() && ahead.peek(Token![=]);
    if input.is_empty() || (starts_with_key && !ahead.peek(Token![==])) {
        return Ok((None, items(input)?));
    }
    let range = input.parse()?;
    if !input.is_empty() {
        input.parse::<Token![,]>()?;
    }
    Ok((Some(range), items(input)?))
}

fn bar(cx: &Ctxt, item: Item) -> Option<Given<BarNumber>> {
    let Given { key, value } = item.expr(cx)?;
    Some(Given { key, value: BarNumber::new(value, cx) })
}

fn reset(cx: &Ctxt, item: Item) -> Option<Given<MemoryReset>> {
    let Given { key, value: word } = item.word(cx)?;
    let value = match word.to_string().as_str() {
        "keep" => MemoryReset::Keep,
        "zero" => MemoryReset::Zero,
        other => {
            let hint = suggest::hint(other, &["keep", "zero"]);
            cx.error(&word, format_args!("a reset of memory cannot be `{other}`; {hint}"));
            return None;
        }
    };
    Some(Given { key, value })
}
