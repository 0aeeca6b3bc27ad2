//! `#[register(..)]` and `#[field(..)]`.

use proc_macro2::Ident;
use syn::parse::ParseStream;
use syn::{Attribute, Expr, ExprLit, ExprPath, ExprRange, Lit, RangeLimits, Token, parse_quote};

use super::ast::Bits;
use crate::attr::{Given, Int, Item, given_twice, items, only_one, parse, set, set_flag};
use crate::attr::{krate, policies, unknown};
use crate::ctxt::Ctxt;
use crate::policy::Policy;
use crate::{literal, suggest};

/// ```text
/// #[register(u32, reserved = reject, crate = vfio_user)]
///            ^^^             ^^^^^^          ^^^^^^^^^
/// ```
pub(super) struct RegisterAttr {
    /// Absent after a mistake.
    pub(super) width: Option<Width>,
    /// Of an enum.
    pub(super) reject: Option<Given<Ident>>,
    /// Of the library; [`crate::attr::library`] finds it.
    pub(super) krate: Option<Given<ExprPath>>,
}

pub(super) struct Width {
    pub(super) int: Ident,
    pub(super) bits: u64,
}

const INTEGERS: &[&str] = &["u8", "u16", "u32", "u64"];

impl RegisterAttr {
    /// Nothing if it is not there.
    pub(super) fn read(cx: &Ctxt, attrs: &[Attribute]) -> Option<Self> {
        let mut register = None;
        for attr in attrs {
            let path = attr.path();
            if path.is_ident("register") {
                let read = parse(cx, attr, |input: ParseStream<'_>| Self::read_one(cx, input));
                let none = RegisterAttr { width: None, reject: None, krate: None };
                only_one(cx, attrs, attr, &mut register, Some(read.unwrap_or(none)));
            } else if path.is_ident("field") {
                cx.error(path, "`#[field]` belongs on a field");
            }
        }
        register
    }

    fn read_one(cx: &Ctxt, input: ParseStream<'_>) -> syn::Result<Self> {
        let mut register = RegisterAttr { width: None, reject: None, krate: None };
        // An enum that is a field alone has no width, but may name the library.
        if !input.peek(Token![crate]) {
            register.width = Width::new(cx, input.parse()?);
            if input.parse::<Option<Token![,]>>()?.is_none() {
                return Ok(register);
            }
        }
        for item in items(input)? {
            match item.name().as_str() {
                "reserved" => set(cx, &mut register.reject, reject(cx, item)),
                "crate" => set(cx, &mut register.krate, krate::read(cx, item)),
                _ => unknown(cx, "register", &item.key, &["reserved", "crate"]),
            }
        }
        Ok(register)
    }
}

impl Width {
    fn new(cx: &Ctxt, int: Ident) -> Option<Self> {
        let place = INTEGERS.iter().position(|name| int == name);
        if place.is_none() {
            cx.error(&int, format_args!("a register cannot be `{int}`; use u8, u16, u32 or u64"));
        }
        Some(Width { int, bits: 8 << place? })
    }
}

/// ```text
/// #[field(bits = 3..=5, ro, reset = 1, reserved = reject, singlepulse, volatile)]
///                ^^^^^  ^^          ^             ^^^^^^  ^^^^^^^^^^^  ^^^^^^^^
/// ```
#[derive(Default)]
pub(super) struct FieldAttr {
    /// Absent after a mistake.
    pub(super) bits: Option<Bits>,
    pub(super) policy: Option<Given<Policy>>,
    pub(super) reset: Option<Given<Int>>,
    pub(super) reject: Option<Given<Ident>>,
    pub(super) pulse: Option<Ident>,
    pub(super) volatile: Option<Ident>,
}

pub(super) const KEYS: &[&str] = &["bit", "bits", "reset", "reserved", "singlepulse", "volatile"];

impl FieldAttr {
    pub(super) fn read(cx: &Ctxt, ident: &Ident, attrs: &[Attribute]) -> Self {
        let mut field = None;
        for attr in attrs {
            let path = attr.path();
            if path.is_ident("field") {
                only_one(cx, attrs, attr, &mut field, Some(Self::read_one(cx, ident, attr)));
            } else if path.is_ident("register") {
                cx.error(path, "`#[register]` belongs on the struct, not on a field");
            }
        }
        field.unwrap_or_else(|| {
            let message = format!("field `{ident}` needs its bits: `#[field(bits = 0..=7)]`");
            cx.error(ident, message);
            FieldAttr::default()
        })
    }

    fn read_one(cx: &Ctxt, ident: &Ident, attr: &Attribute) -> Self {
        let mut field = FieldAttr::default();
        let Some(items) = parse(cx, attr, items) else { return field };
        let mut place = None;
        let mistakes = cx.count();
        for item in items {
            field.read_item(cx, item, &mut place);
        }
        if place.is_none() && cx.count() == mistakes {
            let message = format!("field `{ident}` needs its bits: `bit = 7` or `bits = 3..=5`");
            cx.error(ident, message);
        }
        field.bits = place.and_then(|given| given.value);
        field
    }

    fn read_item(&mut self, cx: &Ctxt, item: Item, place: &mut Option<Given<Option<Bits>>>) {
        match item.name().as_str() {
            "bit" => set_bits(cx, place, item, bit),
            "bits" => set_bits(cx, place, item, bits),
            "reset" => set(cx, &mut self.reset, reset(cx, item)),
            "reserved" => set(cx, &mut self.reject, reject(cx, item)),
            "singlepulse" => set_flag(cx, &mut self.pulse, item.flag(cx)),
            "volatile" => set_flag(cx, &mut self.volatile, item.flag(cx)),
            name => match Policy::from_name(name) {
                Some(policy) => policies::set(cx, &mut self.policy, item.flag(cx), policy),
                None if item.is_flag() => policies::unknown_word(cx, "field", &item.key, KEYS),
                None => unknown(cx, "field", &item.key, KEYS),
            },
        }
    }
}

/// `bit` and `bits` are two ways to say the same.
fn set_bits(
    cx: &Ctxt,
    place: &mut Option<Given<Option<Bits>>>,
    item: Item,
    read: fn(&Ctxt, Expr) -> Option<Bits>,
) {
    let Some(Given { key, value }) = item.expr(cx) else { return };
    match place {
        Some(first) if first.key == key => given_twice(cx, &first.key, &key),
        Some(first) => {
            cx.error(&key, format_args!("`{key}` and `{}` say the same; give one", first.key));
        }
        None => *place = Some(Given { key, value: read(cx, value) }),
    }
}

fn bit(cx: &Ctxt, at: Expr) -> Option<Bits> {
    if matches!(at, Expr::Range(_)) {
        cx.error(&at, "`bit` is a single one; write a range as `bits = ..`");
        return None;
    }
    let bit = known_bit(cx, &at, &at)?;
    Some(Bits { at, first: bit, last: bit })
}

/// F03: inclusive, least significant bit 0.
fn bits(cx: &Ctxt, at: Expr) -> Option<Bits> {
    let Expr::Range(ExprRange { start: Some(start), limits, end: Some(end), .. }) = &at else {
        cx.error(&at, "expected a range of bits, such as `3..=5`");
        return None;
    };
    let (first, last) = (known_bit(cx, &at, start)?, known_bit(cx, &at, end)?);
    if let RangeLimits::HalfOpen(_) = limits {
        let last = last.saturating_sub(1);
        cx.error(&at, format_args!("a range of bits is inclusive; write it as {first}..={last}"));
        return None;
    }
    if last < first {
        let message = format!("bit range {first}..={last} is empty; write it as {last}..={first}");
        cx.error(&at, message);
        return None;
    }
    Some(Bits { at, first, last })
}

fn known_bit(cx: &Ctxt, at: &Expr, bit: &Expr) -> Option<u64> {
    match literal::fold(bit).map(u64::try_from) {
        Some(Ok(bit)) if bit < 64 => Some(bit),
        Some(_) => {
            cx.error(at, "a register has 64 bits at most");
            None
        }
        None => {
            cx.error(bit, "expected the number of a bit, as a literal");
            None
        }
    }
}

/// An integer; of a `bool`, what it is as well.
fn reset(cx: &Ctxt, item: Item) -> Option<Given<Int>> {
    let Given { key, value } = item.expr(cx)?;
    let value = match &value {
        Expr::Lit(ExprLit { lit: Lit::Bool(lit), .. }) => {
            let number = u64::from(lit.value);
            Int { expr: parse_quote!(#lit), known: Some(number) }
        }
        _ => Int::new(value, cx),
    };
    Some(Given { key, value })
}

fn reject(cx: &Ctxt, item: Item) -> Option<Given<Ident>> {
    let given = item.word(cx)?;
    if given.value != "reject" {
        let hint = suggest::hint(&given.value.to_string(), &["reject"]);
        let message = format!("reserved values cannot be `{}`; {hint}", given.value);
        cx.error(&given.value, message);
    }
    Some(given)
}
