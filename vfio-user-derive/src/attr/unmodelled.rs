//! `#[unmodelled(0x40 = "PHYCTL", ..)]`.

use proc_macro2::Ident;
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Expr, ExprAssign, ExprLit, ExprPath, Lit, LitStr, Token};

use super::{BarNumber, Bytes, Given, Int, Item, parse, set, set_flag, unknown};
use crate::ctxt::Ctxt;
use crate::literal;

/// ```text
/// #[unmodelled(bar = 1, zero, 0x40 = "PHYCTL", 0x100..0x200 = "DEBUG")]
///                    ^  ^^^^  ^^^^    ^^^^^^
/// ```
#[derive(Default)]
pub(crate) struct Unmodelled {
    pub(crate) bar: Option<Given<BarNumber>>,
    pub(crate) zero: Option<Ident>,
    pub(crate) places: Vec<Place>,
}

/// A named place.
pub(crate) struct Place {
    /// The offset or the range, as it is written.
    pub(crate) at: Expr,
    pub(crate) start: Int,
    /// Without it, the place is a word of 32 bits.
    pub(crate) end: Option<Int>,
    pub(crate) name: LitStr,
}

pub(super) const KEYS: &[&str] = &["bar", "zero"];

/// An option or a place, as it is written.
enum Entry {
    Option(Item),
    Place(Expr, Expr),
    /// An expression without a name.
    Nameless(Expr),
}

impl Unmodelled {
    pub(super) fn read(cx: &Ctxt, attr: &Attribute) -> Self {
        let mut unmodelled = Unmodelled::default();
        let entries = |input: ParseStream<'_>| input.parse_terminated(Entry::parse, Token![,]);
        let Some(entries) = parse(cx, attr, entries) else { return unmodelled };
        for entry in entries {
            match entry {
                Entry::Option(item) => match item.name().as_str() {
                    "bar" => set(cx, &mut unmodelled.bar, bar(cx, item)),
                    _ => set_flag(cx, &mut unmodelled.zero, item.flag(cx)),
                },
                Entry::Place(at, name) => unmodelled.places.extend(Place::new(cx, at, name)),
                Entry::Nameless(at) => nameless(cx, &at),
            }
        }
        unmodelled
    }
}

impl Parse for Entry {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let ahead = input.fork();
        if let Ok(word) = ahead.call(Ident::parse_any)
            && KEYS.iter().any(|key| word == key)
            && (ahead.is_empty() || ahead.peek(Token![=]) || ahead.peek(Token![,]))
        {
            return input.parse().map(Entry::Option);
        }
        // A range ends at the `=`; any other place is the left side of an assignment.
        match input.parse()? {
            Expr::Assign(ExprAssign { left, right, .. }) => Ok(Entry::Place(*left, *right)),
            at if input.peek(Token![=]) => {
                input.parse::<Token![=]>()?;
                Ok(Entry::Place(at, input.parse()?))
            }
            at => Ok(Entry::Nameless(at)),
        }
    }
}

impl Place {
    fn new(cx: &Ctxt, at: Expr, name: Expr) -> Option<Self> {
        let at = literal::ungrouped(at);
        let (start, end) = match &at {
            Expr::Range(_) => {
                let Bytes { start, end, .. } = Bytes::new(cx, at.clone())?;
                (start, Some(end))
            }
            _ => (Int::new(at.clone(), cx), None),
        };
        let name = literal::ungrouped(name);
        if let Expr::Lit(ExprLit { lit: Lit::Str(name), .. }) = name {
            return Some(Place { at, start, end, name });
        }
        let text = at.to_token_stream();
        cx.error(name, format_args!("expected a name: `{text} = \"PHYCTL\"`"));
        None
    }

    /// The first byte and the end, if the macro knows both.
    pub(crate) fn known(&self) -> Option<(u64, u64)> {
        let start = self.start.known?;
        let end = match &self.end {
            Some(end) => end.known?,
            None => start.checked_add(4)?,
        };
        Some((start, end))
    }
}

fn nameless(cx: &Ctxt, at: &Expr) {
    match at {
        Expr::Path(ExprPath { qself: None, path, .. }) if path.get_ident().is_some() => {
            path.get_ident().into_iter().for_each(|word| unknown(cx, "unmodelled", word, KEYS));
        }
        at => {
            let text = at.to_token_stream();
            cx.error(at, format_args!("this place needs a name: `{text} = \"PHYCTL\"`"));
        }
    }
}

fn bar(cx: &Ctxt, item: Item) -> Option<Given<BarNumber>> {
    let Given { key, value } = item.expr(cx)?;
    Some(Given { key, value: BarNumber::new(value, cx) })
}
