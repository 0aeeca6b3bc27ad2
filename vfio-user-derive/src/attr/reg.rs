//! `#[reg(OFFSET, POLICY, ..)]`.

use proc_macro2::Ident;
use syn::parse::ParseStream;
use syn::{Attribute, Expr, ExprPath, Meta, Token};

use super::{
    Allow, BarNumber, Behaviour, DriverUse, Given, Int, Item, Sharing, Window, items, parse,
    policies, set, unknown,
};
use crate::ctxt::Ctxt;
use crate::layout::HookKind;
use crate::policy::Policy;

/// ```text
/// #[reg(0x0c, wo, reset = 0, mask = 0xff, writable = 0x0f, bar = 2, stride = 8,
///       ^^^^  ^^          ^         ^^^^             ^^^^        ^           ^
///       read_with = Self::read, write_with = Self::write,
///                   ^^^^^^^^^^               ^^^^^^^^^^^
///       on_read = Self::seen, on_write = Self::stored, kick = Self::kicked, ioeventfd = 1,
///                 ^^^^^^^^^^             ^^^^^^^^^^^^         ^^^^^^^^^^^^              ^
///       lock_with = Self::is_locked, driver = take, allow(unread))]
///                   ^^^^^^^^^^^^^^^           ^^^^        ^^^^^^
/// ```
pub(crate) struct Reg {
    pub(crate) offset: Int,
    pub(crate) policy: Option<Given<Policy>>,
    pub(crate) reset: Option<Given<Int>>,
    pub(crate) mask: Option<Given<Int>>,
    pub(crate) writable: Option<Given<Int>>,
    pub(crate) bar: Option<Given<BarNumber>>,
    pub(crate) stride: Option<Given<Int>>,
    pub(crate) hooks: Hooks,
    pub(crate) ioeventfd: Option<Given<Int>>,
    pub(crate) behaviour: Behaviour,
    pub(crate) sharing: Sharing,
    pub(crate) window: Option<Given<Window>>,
    pub(crate) driver: Option<Given<DriverUse>>,
    pub(crate) allow: Allow,
}

/// The hooks of a register, by their kinds.
#[derive(Default)]
pub(crate) struct Hooks([Option<Given<ExprPath>>; HookKind::ALL.len()]);

impl Hooks {
    /// Returns the hook of a kind, if it is given.
    pub(crate) fn get(&self, kind: HookKind) -> Option<&Given<ExprPath>> {
        self.0[kind as usize].as_ref()
    }

    /// Returns whether the hook of a kind is given.
    pub(crate) fn has(&self, kind: HookKind) -> bool {
        self.get(kind).is_some()
    }

    /// Returns where the hook of a kind is kept.
    pub(super) fn place(&mut self, kind: HookKind) -> &mut Option<Given<ExprPath>> {
        &mut self.0[kind as usize]
    }

    /// Returns the hooks that are given.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (HookKind, &Given<ExprPath>)> {
        HookKind::ALL.into_iter().filter_map(|kind| Some((kind, self.get(kind)?)))
    }
}

pub(super) const KEYS: &[&str] = &[
    "reset",
    "mask",
    "writable",
    "bar",
    "stride",
    HookKind::ReadWith.name(),
    HookKind::WriteWith.name(),
    HookKind::OnRead.name(),
    HookKind::OnWrite.name(),
    HookKind::Kick.name(),
    HookKind::LockWith.name(),
    "ioeventfd",
    "wide",
    "lock",
    "sticky",
    "volatile",
    "singlepulse",
    "watch",
    "port",
    "big",
    "test",
    "overlay",
    "when",
    "select",
    "window",
    "driver",
    "allow",
];

/// What can be allowed.
pub(super) const WARNINGS: &[&str] = &["unread"];

impl Reg {
    pub(crate) fn policy(&self) -> Policy {
        self.policy.as_ref().map_or(Policy::default(), |given| given.value)
    }

    /// Never fails: a field with a broken `#[reg]` is a register all the same.
    pub(crate) fn read(cx: &Ctxt, field: &Ident, attr: &Attribute) -> Self {
        let mut reg = Reg {
            offset: Int::missing(),
            policy: None,
            reset: None,
            mask: None,
            writable: None,
            bar: None,
            stride: None,
            hooks: Hooks::default(),
            ioeventfd: None,
            behaviour: Behaviour::default(),
            sharing: Sharing::default(),
            window: None,
            driver: None,
            allow: Allow::default(),
        };
        let (offset, items) = match &attr.meta {
            Meta::Path(_) => (None, Vec::new()),
            _ => match parse(cx, attr, head) {
                Some(list) => list,
                None => return reg,
            },
        };
        match offset {
            Some(offset) => reg.offset = Int::new(offset, cx),
            None => missing_offset(cx, field, &items),
        }
        for item in items {
            reg.read_item(cx, item);
        }
        reg
    }

    fn read_item(&mut self, cx: &Ctxt, item: Item) {
        match item.name().as_str() {
            "reset" if item.is_list() => self.behaviour.kept.read(cx, item),
            "reset" => set(cx, &mut self.reset, item.int(cx)),
            "mask" => set(cx, &mut self.mask, item.int(cx)),
            "writable" => set(cx, &mut self.writable, item.int(cx)),
            "bar" => set(cx, &mut self.bar, super::bar::or_config(cx, item)),
            "stride" => set(cx, &mut self.stride, item.int(cx)),
            "ioeventfd" => set(cx, &mut self.ioeventfd, item.int(cx)),
            "window" => set(cx, &mut self.window, Window::read(cx, item)),
            "driver" => set(cx, &mut self.driver, DriverUse::read(cx, item)),
            "allow" => self.allow.read_item(cx, item, WARNINGS),
            // R08 has reported that it comes first.
            "offset" => {}
            name if Behaviour::KEYS.contains(&name) => self.behaviour.read_item(cx, item),
            name if Sharing::KEYS.contains(&name) => self.sharing.read_item(cx, item),
            name => match (HookKind::from_name(name), Policy::from_name(name)) {
                (Some(kind), _) if !kind.is_of_interrupts() => {
                    set(cx, self.hooks.place(kind), item.function(cx));
                }
                (_, Some(policy)) => policies::set(cx, &mut self.policy, item.flag(cx), policy),
                _ if item.is_flag() => policies::unknown_word(cx, "reg", &item.key, KEYS),
                _ => unknown(cx, "reg", &item.key, KEYS),
            },
        }
    }
}

/// The offset, unless a key or a policy stands in its place, and the rest.
fn head(input: ParseStream<'_>) -> syn::Result<(Option<Expr>, Vec<Item>)> {
    if input.is_empty() || starts_with_item(input) {
        return Ok((None, items(input)?));
    }
    let offset = input.parse()?;
    if !input.is_empty() {
        input.parse::<Token![,]>()?;
    }
    Ok((Some(offset), items(input)?))
}

fn starts_with_item(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    let Ok(word) = ahead.parse::<Ident>() else { return false };
    let names_policy = Policy::from_name(&word.to_string()).is_some();
    let is_assignment = ahead.peek(Token![=]) && !ahead.peek(Token![==]);
    is_assignment || (names_policy && (ahead.is_empty() || ahead.peek(Token![,])))
}

/// R08: registers are not packed implicitly.
fn missing_offset(cx: &Ctxt, field: &Ident, items: &[Item]) {
    match items.iter().find(|item| item.key == "offset") {
        Some(item) => cx.error(&item.key, "the offset comes first and has no name: `#[reg(0x04)]`"),
        None => cx.error(field, format_args!("register `{field}` needs an offset: `#[reg(0x04)]`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::ToTokens as _;
    use syn::parse_quote;

    /// What an attribute says, and the mistakes in it.
    fn read(attr: &Attribute) -> (Reg, Vec<String>) {
        let cx = Ctxt::new();
        let reg = Reg::read(&cx, &parse_quote!(status), attr);
        let mistakes = cx.finish().map_or_else(
            |errors| errors.into_iter().map(|error| error.to_string()).collect(),
            |()| Vec::new(),
        );
        (reg, mistakes)
    }

    #[test]
    fn the_offset_comes_first() {
        let (reg, mistakes) = read(&parse_quote!(#[reg(0x10 + 4)]));
        assert_eq!(reg.offset.known, Some(0x14));
        assert_eq!(reg.policy(), Policy::Rw);
        assert!(mistakes.is_empty());
    }

    #[test]
    fn the_offset_may_be_a_constant() {
        let (reg, mistakes) = read(&parse_quote!(#[reg(regs::STATUS, w1c)]));
        assert_eq!(reg.offset.to_token_stream().to_string(), "regs :: STATUS");
        assert_eq!(reg.offset.known, None);
        assert_eq!(reg.policy(), Policy::W1c);
        assert!(mistakes.is_empty());
    }

    #[test]
    fn a_policy_is_not_an_offset() {
        let needs = "register `status` needs an offset: `#[reg(0x04)]`";
        for attr in [
            parse_quote!(#[reg]),
            parse_quote!(#[reg()]),
            parse_quote!(#[reg(ro)]),
            parse_quote!(#[reg(ro, reset = 1)]),
            parse_quote!(#[reg(reset = 1)]),
        ] {
            assert_eq!(read(&attr).1, [needs]);
        }
    }

    #[test]
    fn every_mistake_is_reported() {
        let (reg, mistakes) =
            read(&parse_quote!(#[reg(0, ro = 1, rest = 5, mask, on_read = 3, stride = 8)]));
        assert_eq!(
            mistakes,
            [
                "`ro` takes no value",
                "unknown `reg` attribute `rest`; did you mean `reset`?",
                "`mask` needs a value: `mask = ..`",
                "expected the path of a method, such as `Self::raise`",
            ]
        );
        assert_eq!(reg.stride.expect("parsed after mistakes").value.known, Some(8));
    }
}
