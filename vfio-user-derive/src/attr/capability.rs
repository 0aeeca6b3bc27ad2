//! `#[capability(pm, express)]`.

use proc_macro2::Ident;
use syn::Attribute;

use super::{items, parse};
use crate::ctxt::Ctxt;
use crate::suggest;

/// ```text
/// #[capability(pm, express)]
///              ^^  ^^^^^^^
/// ```
#[derive(Default)]
pub(crate) struct Capabilities(Vec<(Ident, Capability)>);

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Capability {
    Pm,
    Express,
}

impl Capabilities {
    pub(crate) fn read(&mut self, cx: &Ctxt, attr: &Attribute) {
        for item in parse(cx, attr, items).unwrap_or_default() {
            let name = item.name();
            let capability = match name.as_str() {
                "pm" => Capability::Pm,
                "express" => Capability::Express,
                _ => {
                    let hint = suggest::hint(&name, &["pm", "express"]);
                    cx.error(&item.key, format_args!("unknown capability `{name}`; {hint}"));
                    continue;
                }
            };
            self.add(cx, item.flag(cx), capability);
        }
    }

    /// C05: these capabilities exist once in a function.
    fn add(&mut self, cx: &Ctxt, key: Ident, capability: Capability) {
        if let Some((first, _)) = self.0.iter().find(|(_, known)| *known == capability) {
            cx.error(&key, format_args!("a function has at most one `{key}` capability"));
            cx.error(first, format_args!("`{first}` is given here first"));
            return;
        }
        self.0.push((key, capability));
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = Capability> {
        self.0.iter().map(|(_, capability)| *capability)
    }

    pub(crate) fn is_express(&self) -> bool {
        self.iter().any(|capability| capability == Capability::Express)
    }
}
