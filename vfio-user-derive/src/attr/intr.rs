//! `#[intr(status, ..)]`.

use proc_macro2::Ident;
use syn::Attribute;

use super::{Given, Int, Item, items, parse, set, set_flag, unknown};
use crate::ctxt::Ctxt;
use crate::suggest;

/// ```text
/// #[intr(status, enable = ier, mask = imr, test = itr, clear = icr, trigger = level, vector = 2)]
///        ^^^^^^           ^^^         ^^^         ^^^          ^^^            ^^^^^           ^
/// ```
pub(crate) struct ComposedInterrupt {
    /// `intr` itself, for what is wrong with the whole.
    pub(crate) at: Ident,
    status: Option<Ident>,
    pub(crate) enable: Option<Given<Ident>>,
    pub(crate) mask: Option<Given<Ident>>,
    pub(crate) test: Option<Given<Ident>>,
    pub(crate) clear: Option<Given<Ident>>,
    pub(crate) trigger: Option<Given<Ident>>,
    pub(crate) vector: Option<Given<Int>>,
}

pub(super) const KEYS: &[&str] =
    &["status", "enable", "mask", "test", "clear", "trigger", "vector"];

impl ComposedInterrupt {
    pub(super) fn read(cx: &Ctxt, attr: &Attribute) -> Option<Self> {
        let mut intr = ComposedInterrupt {
            at: attr.path().get_ident()?.clone(),
            status: None,
            enable: None,
            mask: None,
            test: None,
            clear: None,
            trigger: None,
            vector: None,
        };
        for item in parse(cx, attr, items)? {
            intr.read_item(cx, item);
        }
        if intr.status.is_none() {
            let message = "`#[intr]` stands at the status register: `#[intr(status, ..)]`";
            cx.error(&intr.at, message);
        }
        Some(intr)
    }

    fn read_item(&mut self, cx: &Ctxt, item: Item) {
        match item.name().as_str() {
            "status" => set_flag(cx, &mut self.status, item.flag(cx)),
            "enable" => set(cx, &mut self.enable, item.word(cx)),
            "mask" => set(cx, &mut self.mask, item.word(cx)),
            "test" => set(cx, &mut self.test, item.word(cx)),
            "clear" => set(cx, &mut self.clear, item.word(cx)),
            "trigger" => set(cx, &mut self.trigger, trigger(cx, item)),
            "vector" => set(cx, &mut self.vector, item.int(cx)),
            _ => unknown(cx, "intr", &item.key, KEYS),
        }
    }

    pub(crate) fn is_level(&self) -> bool {
        self.trigger.as_ref().is_some_and(|given| given.value == "level")
    }

    /// The registers that it names.
    pub(crate) fn others(&self) -> impl Iterator<Item = &Ident> {
        let gates = [&self.enable, &self.mask].into_iter().flatten().map(|given| &given.value);
        gates.chain(self.written())
    }

    /// Those of them that mean something when they are written, and hold nothing themselves.
    pub(crate) fn written(&self) -> impl Iterator<Item = &Ident> {
        [&self.test, &self.clear].into_iter().flatten().map(|given| &given.value)
    }
}

fn trigger(cx: &Ctxt, item: Item) -> Option<Given<Ident>> {
    let given = item.word(cx)?;
    let name = given.value.to_string();
    if !["event", "level"].contains(&&*name) {
        let hint = suggest::hint(&name, &["event", "level"]);
        cx.error(&given.value, format_args!("`trigger` cannot be `{name}`; {hint}"));
    }
    Some(given)
}
