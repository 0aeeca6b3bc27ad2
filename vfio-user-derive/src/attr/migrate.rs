//! `#[migrate(..)]`, of a device or a block, and of a field.

use proc_macro2::Ident;
use syn::{Attribute, Expr, ExprPath, LitStr};

use super::{Given, Int, Item, items, parse, set, set_flag, unknown};
use crate::ctxt::Ctxt;

/// ```text
/// #[migrate(version = 3, min = 2, removed("pace"))]    #[migrate(none)]    #[migrate(raw)]
///                     ^        ^          ^^^^^^                 ^^^^                ^^^
/// ```
#[derive(Default)]
pub(crate) struct StateAttrs {
    pub(crate) none: Option<Ident>,
    pub(crate) raw: Option<Ident>,
    pub(crate) version: Option<Given<Int>>,
    pub(crate) min: Option<Given<Int>>,
    pub(crate) removed: Vec<LitStr>,
    pub(crate) convert: Option<Given<ExprPath>>,
}

/// ```text
/// #[migrate(since = 2, default = Mode::Off, renamed_from = "kind", max_len = 64, with = clock)]
///                   ^            ^^^^^^^^^                 ^^^^^^            ^^         ^^^^^
/// ```
#[derive(Default)]
pub(crate) struct FieldState {
    pub(crate) skip: Option<Ident>,
    pub(crate) since: Option<Given<Int>>,
    pub(crate) default: Option<Given<Expr>>,
    pub(crate) with: Option<Given<ExprPath>>,
    /// One for each collection that lies in another, the outermost first.
    pub(crate) max_len: Option<Given<Vec<Int>>>,
    pub(crate) renamed_from: Option<Given<Vec<LitStr>>>,
    /// How many elements an array had, the fewest first.
    pub(crate) grown_from: Option<Given<Vec<Int>>>,
}

pub(super) const KEYS: &[&str] = &["none", "raw", "version", "min", "removed", "convert"];
pub(super) const FIELD_KEYS: &[&str] =
    &["skip", "since", "default", "with", "max_len", "renamed_from", "grown_from"];

impl StateAttrs {
    pub(crate) fn read(cx: &Ctxt, attrs: &[Attribute]) -> Self {
        let mut state = None;
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("migrate")) {
            super::only_one(cx, attrs, attr, &mut state, Some(Self::read_one(cx, attr)));
        }
        state.unwrap_or_default()
    }

    fn read_one(cx: &Ctxt, attr: &Attribute) -> Self {
        let mut state = StateAttrs::default();
        for item in parse(cx, attr, items).unwrap_or_default() {
            match item.name().as_str() {
                "none" => set_flag(cx, &mut state.none, item.flag(cx)),
                "raw" => set_flag(cx, &mut state.raw, item.flag(cx)),
                "version" => set(cx, &mut state.version, literal(cx, item)),
                "min" => set(cx, &mut state.min, literal(cx, item)),
                "convert" => set(cx, &mut state.convert, item.function(cx)),
                "removed" if item.is_list() => {
                    state.removed.extend(item.parse_list(cx).unwrap_or_default());
                }
                "removed" => cx.error(&item.key, "expected `removed(\"field\", ..)`"),
                name if FIELD_KEYS.contains(&name) => {
                    cx.error(&item.key, format_args!("`{name}` belongs on a field"));
                }
                _ => unknown(cx, "migrate", &item.key, KEYS),
            }
        }
        state
    }

    /// 1 unless it says otherwise. After a mistake, none that would be another one.
    pub(crate) fn version(&self) -> u64 {
        self.version.as_ref().map_or(1, |given| given.value.known.unwrap_or(u64::MAX))
    }

    pub(crate) fn min(&self) -> u64 {
        self.min.as_ref().and_then(|given| given.value.known).unwrap_or(1)
    }
}

impl FieldState {
    pub(super) fn read(cx: &Ctxt, attr: &Attribute) -> Self {
        let mut state = FieldState::default();
        for item in parse(cx, attr, items).unwrap_or_default() {
            match item.name().as_str() {
                "skip" => set_flag(cx, &mut state.skip, item.flag(cx)),
                "since" => set(cx, &mut state.since, literal(cx, item)),
                "default" => set(cx, &mut state.default, item.expr(cx)),
                "with" => set(cx, &mut state.with, item.module(cx, "minutes")),
                "max_len" => set(cx, &mut state.max_len, max_len(cx, item)),
                "renamed_from" => set(cx, &mut state.renamed_from, texts(cx, item)),
                "grown_from" => set(cx, &mut state.grown_from, counts(cx, item)),
                name if KEYS.contains(&name) => {
                    cx.error(&item.key, format_args!("`{name}` belongs on the struct"));
                }
                _ => unknown(cx, "migrate", &item.key, FIELD_KEYS),
            }
        }
        state
    }

    pub(crate) fn since(&self) -> Option<u64> {
        self.since.as_ref().and_then(|given| given.value.known)
    }

    /// What is given that does not concern a timer, which has nothing but names in older state.
    pub(crate) fn beyond_names(&self) -> Option<&Ident> {
        let since = self.since.as_ref().map(|given| &given.key);
        let grown_from = self.grown_from.as_ref().map(|given| &given.key);
        self.beyond_shape().or(since).or(grown_from)
    }

    /// What is given that does not concern a block, whose fields say it.
    pub(crate) fn beyond_shape(&self) -> Option<&Ident> {
        let keys = [
            self.skip.as_ref(),
            self.default.as_ref().map(|given| &given.key),
            self.with.as_ref().map(|given| &given.key),
            self.max_len.as_ref().map(|given| &given.key),
        ];
        keys.into_iter().flatten().next()
    }

    /// The names in older state.
    pub(crate) fn old_names(&self) -> &[LitStr] {
        self.renamed_from.as_ref().map_or(&[], |given| &given.value)
    }
}

/// `key = "one"` or `key("one", "two")`.
fn texts(cx: &Ctxt, item: Item) -> Option<Given<Vec<LitStr>>> {
    if item.is_list() {
        let key = item.key.clone();
        return item.parse_list(cx).map(|value| Given { key, value });
    }
    item.text(cx).map(|Given { key, value }| Given { key, value: vec![value] })
}

/// `key = 8` or `key(4, 8)`: the macro has to know them.
fn counts(cx: &Ctxt, item: Item) -> Option<Given<Vec<Int>>> {
    let key = item.key.clone();
    let numbers = if item.is_list() {
        item.parse_list(cx)?.into_iter().map(|number| Int::new(number, cx)).collect()
    } else {
        vec![item.int(cx)?.value]
    };
    for number in
        numbers.iter().filter(|number| crate::literal::never_an_integer(&number.expr).is_none())
    {
        match number.known {
            Some(1..=0xffff_ffff) => {}
            Some(count) => {
                let message = format!("an array had 1 element or more, not {count}");
                cx.error(number, message);
            }
            None => cx.error(number, "expected a number"),
        }
    }
    Some(Given { key, value: numbers })
}

/// `max_len = N` or, for collections in collections, `max_len = (N, M)`.
fn max_len(cx: &Ctxt, item: Item) -> Option<Given<Vec<Int>>> {
    let Given { key, value } = item.expr(cx)?;
    let numbers = match value {
        Expr::Tuple(tuple) if tuple.elems.len() > 1 => tuple.elems.into_iter().collect(),
        single => vec![single],
    };
    Some(Given { key, value: numbers.into_iter().map(|number| Int::new(number, cx)).collect() })
}

/// A version: the macro has to know it. One that is not is given all the same, and unknown.
fn literal(cx: &Ctxt, item: Item) -> Option<Given<Int>> {
    let Given { key, value } = item.expr(cx)?;
    let mut given = Given { key, value: Int::quiet(value) };
    match given.value.known {
        Some(1..=0xffff) => return Some(given),
        Some(version) => {
            let message = format!("versions are 1 to 65535, not {version}");
            cx.error(&given.value, message);
        }
        None => cx.error(&given.value, "expected a number"),
    }
    given.value.known = None;
    Some(given)
}
