//! `allow(..)`, in a `#[reg(..)]`, a `#[bar(..)]` or an `#[irq(..)]`: what is meant although it
//! rarely is.

use proc_macro2::Ident;

use super::{Item, given_twice, unknown};
use crate::ctxt::Ctxt;

/// ```text
/// allow(unread)
///       ^^^^^^
/// ```
#[derive(Default)]
pub(crate) struct Allow(Vec<Ident>);

impl Allow {
    /// Takes the item; `names` are what can be allowed.
    pub(super) fn read_item(&mut self, cx: &Ctxt, item: Item, names: &[&str]) {
        let usage = format!("allow({})", names[0]);
        let Some(given) = item.list(cx, &usage) else { return };
        for item in given.value {
            let name = item.flag(cx);
            if !names.iter().any(|known| name == known) {
                unknown(cx, "allow", &name, names);
            } else if let Some(first) = self.0.iter().find(|first| **first == name) {
                given_twice(cx, first, &name);
            } else {
                self.0.push(name);
            }
        }
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|allowed| allowed == name)
    }
}
