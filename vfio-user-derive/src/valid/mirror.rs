//! BARs that mirror others.

use proc_macro2::Ident;

use super::rule;
use crate::ast::Device;
use crate::attr::{Bar, BarNumber, Given};
use crate::ctxt::Ctxt;
use crate::layout::{self, Kind, LayoutError, Mirrored};

/// A mirror shows another BAR, and has nothing of its own.
pub(super) fn validate(cx: &Ctxt, device: &Device<'_>, bar: &Bar, index: u8) {
    let Some(mirror) = &bar.mirror else { return };
    let Some(mirrored) = mirror.value.index else { return };
    let at = &mirror.value.expr;
    for key in of_its_own(bar) {
        let message = format!("a mirror has no `{key}`: that of BAR {mirrored} applies");
        cx.error(key, message);
    }
    if device.attrs.bars_incomplete || !rule(cx, at, layout::mirror_target(index, mirrored)) {
        return;
    }
    let behind = behind(device, mirrored);
    if !rule(cx, at, layout::mirror_depth(index, mirrored, behind)) {
        return;
    }
    if let (Some(behind), Some(size)) = (behind, bar.size.known)
        && device.bar(mirrored).is_some_and(|bar| bar.size.known.is_some())
    {
        rule(cx, &bar.size, layout::mirror_size(index, size, behind));
    }
    if let Some(msix) = device.irq().and_then(|irq| irq.bar.as_ref())
        && msix.value.index == Some(mirrored)
    {
        cx.error(at, LayoutError::MirrorOfMsix { bar: index, mirrored });
    }
}

/// Whether the macro has checked a mirror: it knew the sizes.
pub(crate) fn is_known(device: &Device<'_>, bar: &Bar) -> bool {
    let mirrored = bar.mirrored().and_then(|mirrored| device.bar(mirrored));
    bar.size.known.is_some() && mirrored.is_none_or(|mirrored| mirrored.size.known.is_some())
}

/// Reports what is declared in a mirror: at its number, or else at its own name.
pub(super) fn holds_nothing(
    cx: &Ctxt,
    device: &Device<'_>,
    (kind, name): (Kind, &Ident),
    given: Option<&Given<BarNumber>>,
) {
    let Some(bar) = device.bar_or_default(given) else { return };
    let Some(mirrored) = device.bar(bar).and_then(Bar::mirrored) else { return };
    let text = name.to_string();
    let error = LayoutError::InMirror { kind, name: &text, bar, mirrored };
    match given {
        Some(given) => cx.error(&given.value.expr, error),
        None => cx.error(name, error),
    }
}

fn behind(device: &Device<'_>, mirrored: u8) -> Option<Mirrored> {
    let bar = device.bar(mirrored)?;
    Some(Mirrored { bar: mirrored, size: bar.size.known.unwrap_or(0), mirrors: bar.mirrored() })
}

/// What the BAR behind a mirror decides.
fn of_its_own(bar: &Bar) -> impl Iterator<Item = &Ident> {
    let unmapped = bar.unmapped.as_ref().map(|given| &given.key);
    let shared = bar.shared.as_ref().map(|given| &given.key);
    let raw = bar.raw.as_ref().map(|given| &given.key);
    [unmapped, shared, raw, bar.big.as_ref()].into_iter().flatten()
}
