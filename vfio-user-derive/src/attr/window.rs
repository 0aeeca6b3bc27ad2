//! Windows: `#[reg(.., window(at = index, bar = 1, len = length, step = 4))]`.

use proc_macro2::Ident;

use super::{BarNumber, Given, Int, Item, RegisterPath, set, unknown};
use crate::ctxt::Ctxt;

/// ```text
/// window(at = index, bar = 1, len = length, step = 4)
///             ^^^^^        ^        ^^^^^^         ^
/// ```
pub(crate) struct Window {
    /// `window`.
    pub(crate) key: Ident,
    /// Absent after a mistake.
    pub(crate) at: Option<RegisterPath>,
    pub(crate) bar: Option<WindowBar>,
    pub(crate) len: Option<RegisterPath>,
    pub(crate) step: Option<Int>,
}

/// The BAR that a window reaches.
pub(crate) enum WindowBar {
    Number(BarNumber),
    Selected(RegisterPath),
}

const USAGE: &str = "window(at = index)";
const KEYS: &[&str] = &["at", "bar", "len", "step"];

impl Window {
    pub(super) fn read(cx: &Ctxt, item: Item) -> Option<Given<Self>> {
        let Given { key, value: items } = item.list(cx, USAGE)?;
        let (mut at, mut bar, mut len, mut step) = (None, None, None, None);
        let mistakes = cx.count();
        for inner in items {
            match inner.name().as_str() {
                "at" => set(cx, &mut at, RegisterPath::read(cx, inner)),
                "bar" => set(cx, &mut bar, self::bar(cx, inner)),
                "len" => set(cx, &mut len, RegisterPath::read(cx, inner)),
                "step" => set(cx, &mut step, inner.int(cx)),
                _ => unknown(cx, "window", &inner.key, KEYS),
            }
        }
        if at.is_none() && cx.count() == mistakes {
            cx.error(&key, format_args!("a window needs the offset that it shows: `{USAGE}`"));
        }
        let window = Window {
            key: key.clone(),
            at: at.map(|given| given.value),
            bar: bar.map(|given| given.value),
            len: len.map(|given| given.value),
            step: step.map(|given| given.value),
        };
        Some(Given { key, value: window })
    }

    /// The registers by which it goes.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &RegisterPath> {
        let bar = match &self.bar {
            Some(WindowBar::Selected(path)) => Some(path),
            Some(WindowBar::Number(_)) | None => None,
        };
        [self.at.as_ref(), bar, self.len.as_ref()].into_iter().flatten()
    }
}

/// A number, or a register that holds one.
fn bar(cx: &Ctxt, item: Item) -> Option<Given<WindowBar>> {
    let Given { key, value } = item.expr(cx)?;
    let value = match RegisterPath::new(&value) {
        Some(path) => WindowBar::Selected(path),
        None => WindowBar::Number(BarNumber::new(value, cx)),
    };
    Some(Given { key, value })
}
