//! `#[intr(status, ..)]`.

use proc_macro2::Ident;
use syn::{Attribute, ExprPath};

use super::{Given, Int, Item, Reg, items, parse, set, set_flag, unknown};
use crate::ctxt::Ctxt;
use crate::layout::HookKind;
use crate::suggest;

/// ```text
/// #[intr(status, enable = ier, mask = imr, test = itr, clear = icr, trigger = level, vector = 2)]
///        ^^^^^^           ^^^         ^^^         ^^^          ^^^            ^^^^^           ^
/// #[intr(status_with = Self::causes, enable = ier, on_composed = Self::identify)]
///                      ^^^^^^^^^^^^                              ^^^^^^^^^^^^^^
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
    /// Those of the register, until it takes them.
    status_with: Option<Given<ExprPath>>,
    on_composed: Option<Given<ExprPath>>,
}

pub(super) const KEYS: &[&str] = &[
    "status",
    HookKind::StatusWith.name(),
    "enable",
    "mask",
    "test",
    "clear",
    "trigger",
    "vector",
    HookKind::OnComposed.name(),
];

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
            status_with: None,
            on_composed: None,
        };
        for item in parse(cx, attr, items)? {
            intr.read_item(cx, item);
        }
        match (&intr.status, &intr.status_with) {
            (None, None) => {
                let message = "`#[intr]` stands at the status register: `#[intr(status, ..)]`";
                cx.error(&intr.at, message);
            }
            (Some(status), Some(_)) => {
                cx.error(status, "`status_with` computes the status, so no register holds it");
            }
            _ => {}
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
            "status_with" => set(cx, &mut self.status_with, item.function(cx)),
            "on_composed" => set(cx, &mut self.on_composed, item.function(cx)),
            _ => unknown(cx, "intr", &item.key, KEYS),
        }
    }

    /// Gives the hooks to the register, which has them all.
    pub(super) fn move_hooks(&mut self, reg: &mut Reg) {
        *reg.hooks.place(HookKind::StatusWith) = self.status_with.take();
        *reg.hooks.place(HookKind::OnComposed) = self.on_composed.take();
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
