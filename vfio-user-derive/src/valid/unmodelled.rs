//! Places without a model: their BAR and their names. Constant evaluation checks their bytes
//! against all that lies in the BAR.

use std::collections::HashMap;

use super::{name, rule};
use crate::ast::Device;
use crate::attr::{Place, Unmodelled};
use crate::ctxt::Ctxt;
use crate::layout::{self, Kind, LayoutError};

pub(super) fn validate(cx: &Ctxt, device: &Device<'_>) {
    let mut names = HashMap::new();
    for (attribute, place) in device.unmodelled() {
        let text = place.name.value();
        name::wire(cx, &place.name, &text, name::LONGEST);
        if let Some((start, end)) = place.known() {
            let rule_of = match attribute.zero {
                Some(_) => layout::nonempty_range,
                None => layout::memory_range,
            };
            rule(cx, &place.at, rule_of(Kind::Unmodelled, &text, start, end));
        }
        let is_first = attribute.places.first().is_some_and(|first| std::ptr::eq(first, place));
        if is_first {
            bar(cx, device, attribute, place);
        }
        if let Some(first) = names.insert(text.clone(), &place.name) {
            cx.error(&place.name, format_args!("`{text}` is the name of two places"));
            cx.error(first, format_args!("`{text}` is given here first"));
        }
    }
}

/// The places of an attribute lie in a BAR that was declared.
fn bar(cx: &Ctxt, device: &Device<'_>, attribute: &Unmodelled, first: &Place) {
    let given = attribute.bar.as_ref();
    let Some(bar) = device.bar_or_default(given) else { return };
    if device.bar(bar).is_some() || device.attrs.bars_incomplete {
        return;
    }
    let name = first.name.value();
    let error = LayoutError::MissingBar { kind: Kind::Unmodelled, register: &name, bar };
    match given {
        Some(given) => cx.error(&given.value.expr, error),
        None => cx.error(&first.at, error),
    }
}
