//! X01 to X06: MSI, MSI-X and the place of its table.

use super::register::apart_from_parts;
use super::rule;
use crate::ast::Device;
use crate::attr::{Given, Int, Irq};
use crate::ctxt::Ctxt;
use crate::layout::{self, BarKind, Extent, LayoutError, MsixLayout};

pub(super) fn validate(cx: &Ctxt, device: &Device<'_>) {
    let Some(irq) = device.irq() else { return };
    if let Some(msi) = &irq.msi
        && let Some(vectors) = msi.value.known
    {
        rule(cx, &msi.value, layout::msi_vectors(vectors));
    }
    let Some(msix) = &irq.msix else {
        without_msix(cx, irq);
        return;
    };
    let vectors =
        msix.value.known.filter(|vectors| rule(cx, &msix.value, layout::msix_vectors(*vectors)));
    if let (None, Some(pba)) = (&irq.table, &irq.pba) {
        cx.error(&pba.key, "`pba` needs `table = ..`: where the MSI-X table lies");
        return;
    }
    match &irq.table {
        Some(table) => placed(cx, device, irq, vectors, table),
        None => in_own_bar(cx, device, irq, msix),
    }
}

/// What places an MSI-X table needs one.
fn without_msix(cx: &Ctxt, irq: &Irq) {
    let keys = [
        irq.bar.as_ref().map(|given| &given.key),
        irq.table.as_ref().map(|given| &given.key),
        irq.pba.as_ref().map(|given| &given.key),
    ];
    for key in keys.into_iter().flatten() {
        cx.error(key, format_args!("`{key}` places the MSI-X table; add `msix = ..`"));
    }
}

/// The table goes into a BAR of its own.
fn in_own_bar(cx: &Ctxt, device: &Device<'_>, irq: &Irq, msix: &Given<Int>) {
    let Some(given) = &irq.bar else {
        if free_bar(device).is_none() {
            cx.error(
                &msix.value,
                "no BAR is free for the MSI-X table; place it with `bar` and `table`",
            );
        }
        return;
    };
    let Some(bar) = given.value.index else { return };
    if device.bar(bar).is_some() {
        cx.error(&given.value.expr, LayoutError::MsixNeedsTable { bar });
        return;
    }
    not_an_upper_half(cx, device, given.value.index, &given.value.expr);
}

fn free_bar(device: &Device<'_>) -> Option<usize> {
    let kinds = device.bar_kinds();
    let is_upper = |bar: usize| bar > 0 && kinds[bar - 1] == Some(BarKind::Mem64);
    (0..6).find(|bar| kinds[*bar].is_none() && !is_upper(*bar))
}

/// X05: the second half of a 64-bit BAR is not a BAR.
fn not_an_upper_half(cx: &Ctxt, device: &Device<'_>, bar: Option<u8>, at: &syn::Expr) -> bool {
    let Some(bar) = bar else { return false };
    let mut kinds = device.bar_kinds();
    kinds[usize::from(bar)].get_or_insert(BarKind::Mem32);
    match layout::bar_pair(bar, kinds) {
        Err(LayoutError::UpperHalf { .. }) if device.bar(bar).is_none() => {
            rule(cx, at, layout::bar_pair(bar, kinds))
        }
        _ => true,
    }
}

/// Checks a table at an explicit place.
fn placed(cx: &Ctxt, device: &Device<'_>, irq: &Irq, vectors: Option<u64>, table: &Given<Int>) {
    let Some(given) = &irq.bar else {
        cx.error(&table.key, "`table` needs `bar = ..`: the BAR that holds the MSI-X table");
        return;
    };
    let Some(bar) = given.value.index else { return };
    if let Some(BarKind::Io) = device.bar(bar).map(|bar| bar.kind) {
        cx.error(&given.value.expr, LayoutError::MsixInIoBar { bar });
        return;
    }
    if !not_an_upper_half(cx, device, Some(bar), &given.value.expr) {
        return;
    }
    let Some(layout) = known_layout(irq, vectors, bar) else { return };
    let pba_at = irq.pba.as_ref().unwrap_or(table);
    let size = match device.bar(bar) {
        Some(bar) => bar.size.known,
        None => Some(layout.exclusive_bar_size()),
    };
    let (table_extent, pba_extent) = (layout.table_extent(), layout.pba_extent());
    if let Some(size) = size
        && !(rule(cx, &table.value, layout::msix_structure(&table_extent, bar, size))
            && rule(cx, &pba_at.value, layout::msix_structure(&pba_extent, bar, size)))
    {
        return;
    }
    rule(cx, &pba_at.value, layout::disjoint(&pba_extent, &table_extent));
    if let Some(declared) = device.bar(bar)
        && !(apart_from_parts(cx, &table.value, declared, bar, &table_extent)
            && apart_from_parts(cx, &pba_at.value, declared, bar, &pba_extent))
    {
        return;
    }
    // A register that overlaps both is reported once.
    if apart_from_registers(cx, device, bar, table, &table_extent) {
        apart_from_registers(cx, device, bar, pba_at, &pba_extent);
    }
}

fn known_layout(irq: &Irq, vectors: Option<u64>, bar: u8) -> Option<MsixLayout> {
    let vectors = u16::try_from(vectors?).ok()?;
    let table = irq.table.as_ref()?.value.known?;
    let pba = match &irq.pba {
        Some(pba) => pba.value.known?,
        None => MsixLayout::pba_after(table, vectors),
    };
    Some(MsixLayout { vectors, bar, table, pba })
}

/// X03, X04: software would overwrite its own vectors.
fn apart_from_registers(
    cx: &Ctxt,
    device: &Device<'_>,
    bar: u8,
    at: &Given<Int>,
    structure: &Extent<'_>,
) -> bool {
    let may_share = device.irq().is_some_and(|irq| irq.allow.contains("msix_page"));
    for register in device.registers.iter().filter(|other| device.bar_of(other) == Some(bar)) {
        let Some(extent) = register.extent() else { continue };
        if !rule(cx, &at.value, layout::own_pages(structure, &extent, may_share)) {
            let message = format!("register `{}` is placed here", register.name);
            cx.error(&register.reg.offset, message);
            return false;
        }
    }
    true
}
