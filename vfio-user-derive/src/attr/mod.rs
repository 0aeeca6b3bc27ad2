//! What the attributes say. Every value keeps the expression it was written as, and with it the
//! place where a mistake in it is shown.

mod access;
mod allow;
mod bar;
mod behaviour;
mod block;
mod bytes;
mod capability;
mod capability_kind;
mod driver;
mod intr;
mod irq;
mod item;
mod kept;
pub(crate) mod krate;
mod memory;
mod migrate;
mod pci;
pub(crate) mod policies;
mod reg;
mod register_path;
mod sharing;
mod timer;
mod unmodelled;
mod window;

use proc_macro2::Ident;
use quote::ToTokens;
use syn::{Attribute, Expr, ExprLit, Lit, Meta, MetaNameValue, parse_quote};

pub(crate) use access::{Access, Part, Sizes};
pub(crate) use allow::Allow;
pub(crate) use bar::{Bar, BarNumber, Shared, Unaligned, Unmapped};
pub(crate) use behaviour::{Behaviour, Commit, LockTarget, Untested};
pub(crate) use block::{Block, BlockAttrs};
pub(crate) use bytes::Bytes;
pub(crate) use capability::{Capabilities, Capability, Value};
pub(crate) use capability_kind::{Port, Syntax};
pub(crate) use driver::DriverUse;
pub(crate) use intr::ComposedInterrupt;
pub(crate) use irq::Irq;
pub(crate) use item::{Item, items};
pub(crate) use kept::Kept;
pub(crate) use krate::library;
pub(crate) use memory::{Memory, MemoryReset};
pub(crate) use migrate::{FieldState, StateAttrs};
pub(crate) use pci::Pci;
pub(crate) use reg::Reg;
pub(crate) use register_path::RegisterPath;
pub(crate) use sharing::{Condition, Sharing, Values};
pub(crate) use timer::Timer;
pub(crate) use unmodelled::{Place, Unmodelled};
pub(crate) use window::{Window, WindowBar};

use crate::ctxt::Ctxt;
use crate::{literal, suggest};

/// `key = value`.
#[derive(Debug)]
pub(crate) struct Given<T> {
    pub(crate) key: Ident,
    pub(crate) value: T,
}

/// An integer: the expression, and its value if it is a literal.
#[derive(Debug)]
pub(crate) struct Int {
    pub(crate) expr: Expr,
    pub(crate) known: Option<u64>,
}

impl Int {
    pub(crate) fn new(expr: Expr, cx: &Ctxt) -> Self {
        let expr = literal::ungrouped(expr);
        if let Some(what) = literal::never_an_integer(&expr) {
            cx.error(&expr, format_args!("expected an integer or a constant, not {what}"));
        }
        let folded = literal::fold(&expr);
        let known = folded.and_then(|value| u64::try_from(value).ok());
        if let (Some(value), None) = (folded, known) {
            cx.error(&expr, format_args!("{value:#x} does not fit in 64 bits"));
        }
        Int { expr, known }
    }

    /// One that has been looked at elsewhere: what is wrong with it is reported there.
    pub(crate) fn quiet(expr: Expr) -> Self {
        let expr = literal::ungrouped(expr);
        let known = literal::fold(&expr).and_then(|value| u64::try_from(value).ok());
        Int { expr, known }
    }

    /// Stands for a value that is missing, which has been reported.
    pub(crate) fn missing() -> Self {
        Int { expr: parse_quote!(0), known: None }
    }
}

impl ToTokens for Int {
    fn to_tokens(&self, tokens: &mut proc_macro2::TokenStream) {
        self.expr.to_tokens(tokens);
    }
}

/// U02: keeps the first of two.
pub(crate) fn set<T>(cx: &Ctxt, place: &mut Option<Given<T>>, given: Option<Given<T>>) {
    let Some(given) = given else { return };
    if let Some(first) = place {
        given_twice(cx, &first.key, &given.key);
    } else {
        *place = Some(given);
    }
}

/// U02, for a key without a value.
pub(crate) fn set_flag(cx: &Ctxt, place: &mut Option<Ident>, key: Ident) {
    if let Some(first) = place {
        given_twice(cx, first, &key);
    } else {
        *place = Some(key);
    }
}

pub(crate) fn given_twice(cx: &Ctxt, first: &Ident, second: &Ident) {
    cx.error(second, format_args!("`{second}` is given twice"));
    cx.error(first, format_args!("`{first}` is given here first"));
}

/// U01: a key that the attribute does not have.
pub(crate) fn unknown(cx: &Ctxt, attribute: &str, key: &Ident, keys: &[&str]) {
    let hint = suggest::hint(&key.to_string(), keys);
    cx.error(key, format_args!("unknown `{attribute}` attribute `{key}`; {hint}"));
}

/// The struct's attributes.
#[derive(Default)]
pub(crate) struct DeviceAttrs {
    pub(crate) pci: Option<Pci>,
    pub(crate) bars: Vec<Bar>,
    pub(crate) irq: Option<Irq>,
    pub(crate) capabilities: Capabilities,
    pub(crate) unmodelled: Vec<Unmodelled>,
    /// A `#[bar(..)]` could not be read, so a BAR that seems undeclared may well be.
    pub(crate) bars_incomplete: bool,
}

impl DeviceAttrs {
    pub(crate) fn read(cx: &Ctxt, attrs: &[Attribute]) -> Self {
        let mut device = DeviceAttrs::default();
        for attr in attrs {
            device.read_one(cx, attrs, attr);
        }
        device
    }

    fn read_one(&mut self, cx: &Ctxt, attrs: &[Attribute], attr: &Attribute) {
        let path = attr.path();
        if path.is_ident("pci") {
            only_one(cx, attrs, attr, &mut self.pci, Some(Pci::read(cx, attr)));
        } else if path.is_ident("bar") {
            let bar = Bar::read(cx, attr);
            self.bars_incomplete |= bar.is_none();
            self.bars.extend(bar);
        } else if path.is_ident("irq") {
            only_one(cx, attrs, attr, &mut self.irq, Irq::read(cx, attr));
        } else if path.is_ident("capability") {
            self.capabilities.read(cx, attr);
        } else if path.is_ident("unmodelled") {
            self.unmodelled.push(Unmodelled::read(cx, attr));
        } else if let Some(name) =
            ["reg", "block", "intr", "timer", "memory"].iter().find(|name| path.is_ident(name))
        {
            cx.error(path, format_args!("`#[{name}]` belongs on a field"));
        }
    }
}

/// What makes a field more than private state.
#[derive(Default)]
pub(crate) struct Member {
    pub(crate) reg: Option<Reg>,
    pub(crate) block: Option<Block>,
    pub(crate) intr: Option<ComposedInterrupt>,
    pub(crate) timer: Option<Timer>,
    pub(crate) memory: Option<Memory>,
    pub(crate) state: FieldState,
}

pub(crate) fn read_field(cx: &Ctxt, field: &Ident, attrs: &[Attribute]) -> Member {
    let (mut reg, mut block, mut intr) = (None, None, None);
    let (mut timer, mut memory, mut state, mut capability) = (None, None, None, None);
    for attr in attrs {
        let path = attr.path();
        if path.is_ident("reg") {
            only_one(cx, attrs, attr, &mut reg, Some(Reg::read(cx, field, attr)));
        } else if path.is_ident("intr") {
            only_one(cx, attrs, attr, &mut intr, ComposedInterrupt::read(cx, attr));
        } else if path.is_ident("migrate") {
            only_one(cx, attrs, attr, &mut state, Some(FieldState::read(cx, attr)));
        } else if path.is_ident("block") {
            only_one(cx, attrs, attr, &mut block, Some(Block::read(cx, field, attr)));
        } else if path.is_ident("timer") {
            only_one(cx, attrs, attr, &mut timer, Some(Timer::read(cx, attr)));
        } else if path.is_ident("memory") {
            only_one(cx, attrs, attr, &mut memory, Some(Memory::read(cx, field, attr)));
        } else if path.is_ident("capability") {
            only_one(cx, attrs, attr, &mut capability, Some(Capability::read_field(cx, attr)));
        } else if let Some(name) =
            ["pci", "bar", "irq", "unmodelled"].iter().find(|name| path.is_ident(name))
        {
            cx.error(path, format_args!("`#[{name}]` belongs on the struct, not on a field"));
        }
    }
    if let Some(capability) = capability {
        if block.is_some() {
            let message = format!("`{field}` lies in a capability, so `#[block]` cannot place it");
            cx.error(field, message);
        }
        block = Some(Block::in_capability(field, capability));
    }
    if let (Some(_), Some(_)) = (&reg, &block) {
        cx.error(field, format_args!("`{field}` is a register or a block, not both"));
    }
    if timer.is_some() && (reg.is_some() || block.is_some()) {
        cx.error(field, format_args!("`{field}` is a timer, or a register or a block, not both"));
    }
    if memory.is_some() && (reg.is_some() || block.is_some() || timer.is_some()) {
        cx.error(field, format_args!("`{field}` is memory, or a register, a block or a timer"));
    }
    match (&mut reg, &mut intr) {
        (Some(reg), Some(intr)) => intr.move_hooks(reg),
        (None, Some(intr)) => {
            cx.error(&intr.at, "`#[intr]` belongs on a register; add `#[reg(..)]`");
        }
        _ => {}
    }
    if timer.is_some() && state.as_ref().is_some_and(|state| state.beyond_names().is_some()) {
        cx.error(field, format_args!("`{field}` is a timer: what is left of its time migrates"));
    }
    Member { reg, block, intr, timer, memory, state: state.unwrap_or_default() }
}

/// U02, for a whole attribute.
pub(crate) fn only_one<T>(
    cx: &Ctxt,
    attrs: &[Attribute],
    attr: &Attribute,
    place: &mut Option<T>,
    value: Option<T>,
) {
    let path = attr.path();
    let first = attrs.iter().map(Attribute::path).find(|other| *other == path);
    match first {
        Some(first) if !std::ptr::eq(first, path) => {
            let name = path.to_token_stream();
            cx.error(path, format_args!("`#[{name}]` is given twice"));
            cx.error(first, format_args!("`#[{name}]` is given here first"));
        }
        _ => *place = value,
    }
}

/// Reads an attribute's list; a syntax error is reported and gives nothing.
pub(crate) fn parse<T>(
    cx: &Ctxt,
    attr: &Attribute,
    parser: impl Fn(syn::parse::ParseStream<'_>) -> syn::Result<T>,
) -> Option<T> {
    if let Meta::Path(path) = &attr.meta {
        let name = path.to_token_stream();
        cx.error(path, format_args!("`#[{name}]` needs a list: `#[{name}(..)]`"));
        return None;
    }
    attr.parse_args_with(parser).map_err(|error| cx.push(error)).ok()
}

/// What the author says in `///`, all of it.
pub(crate) fn doc(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter_map(|attr| match &attr.meta {
        Meta::NameValue(MetaNameValue {
            path,
            value: Expr::Lit(ExprLit { lit: Lit::Str(text), .. }),
            ..
        }) if path.is_ident("doc") => Some(text.value()),
        _ => None,
    });
    // Indented lines are code, and stay so.
    let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n").trim_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::{
        Behaviour, Sharing, bar, block, intr, irq, kept, memory, migrate, pci, reg, unmodelled,
    };
    use crate::golden::assert_documented;
    use crate::policy::Policy;

    #[test]
    fn every_attribute_is_documented() {
        for words in [
            reg::KEYS,
            reg::WARNINGS,
            &Behaviour::KEYS,
            &Sharing::KEYS,
            bar::KEYS,
            bar::WARNINGS,
            block::KEYS,
            &block::STRUCT_KEYS[1..],
            &kept::KEYS,
            intr::KEYS,
            irq::KEYS,
            irq::ALLOWED,
            memory::KEYS,
            migrate::KEYS,
            migrate::FIELD_KEYS,
            pci::KEYS,
            unmodelled::KEYS,
            &Policy::ALL.map(Policy::name),
        ] {
            assert_documented(words);
        }
    }
}
