//! P01 to P07: base address registers.

use super::{mirror, rule};
use crate::ast::Device;
use crate::attr::{Bar, Sizes};
use crate::ctxt::Ctxt;
use crate::layout;

pub(super) fn validate(cx: &Ctxt, device: &Device<'_>) {
    for (position, bar) in device.attrs.bars.iter().enumerate() {
        let Some(index) = bar.number.index else { continue };
        if let Some(first) =
            device.attrs.bars[..position].iter().find(|other| other.number.index == Some(index))
        {
            cx.error(&bar.number.expr, format_args!("BAR {index} is declared twice"));
            cx.error(&first.number.expr, format_args!("BAR {index} is declared here first"));
            continue;
        }
        one(cx, device, bar, index);
    }
}

fn one(cx: &Ctxt, device: &Device<'_>, bar: &Bar, index: u8) {
    if let Some(size) = bar.size.known {
        rule(cx, &bar.size, layout::bar_size(index, bar.kind, size, device.is_express()));
    }
    if let Some(prefetchable) = &bar.prefetchable {
        rule(cx, prefetchable, layout::prefetchable(index, bar.kind));
    }
    rule(cx, &bar.number.expr, layout::bar_pair(index, device.bar_kinds()));
    access(cx, bar, index);
    shared(cx, bar, index);
    raw(cx, bar, index);
    mirror::validate(cx, device, bar, index);
}

/// Ranges that the device serves itself: inside the BAR, apart from each other and from memory that
/// clients map.
fn raw(cx: &Ctxt, bar: &Bar, index: u8) {
    let mut earlier = bar.known_shared_areas().unwrap_or_default();
    for range in bar.raw_ranges() {
        let Some(known) = range.known() else { continue };
        let size = bar.size.known.unwrap_or(u64::MAX);
        let is_inside = rule(cx, &range.range, layout::raw_range(index, known, size));
        let other = earlier.iter().find(|other| layout::raw_apart(index, known, **other).is_err());
        if let Some(other) = other.filter(|_| is_inside) {
            rule(cx, &range.range, layout::raw_apart(index, known, *other));
        }
        if is_inside {
            earlier.push(known);
        }
    }
}

/// Access sizes are sizes that a bus supports, and parts are valid ranges.
fn access(cx: &Ctxt, bar: &Bar, index: u8) {
    let sizes = |sizes: &Sizes| {
        rule(cx, &sizes.expr, layout::access_sizes(index, sizes.smallest, sizes.largest));
    };
    bar.access.whole.iter().for_each(&sizes);
    let mut earlier = Vec::new();
    for part in &bar.access.parts {
        sizes(&part.sizes);
        let Some(range) = part.bytes.known() else { continue };
        let at = &part.bytes.range;
        let size = bar.size.known.unwrap_or(u64::MAX);
        let inside = rule(cx, at, layout::access_range(index, range, size));
        let other =
            earlier.iter().find(|other| layout::access_apart(index, range, **other).is_err());
        if let Some(other) = other {
            rule(cx, at, layout::access_apart(index, range, *other));
        }
        if inside {
            earlier.push(range);
        }
    }
}

/// Memory that clients may map: whole pages, each once.
fn shared(cx: &Ctxt, bar: &Bar, index: u8) {
    let Some(shared) = &bar.shared else { return };
    if !rule(cx, &shared.key, layout::shareable(index, bar.kind)) {
        return;
    }
    if let ([], Some(size)) = (&shared.value.0[..], bar.size.known) {
        rule(cx, &shared.key, layout::shared_area(index, (0, size), size));
    }
    let mut earlier = Vec::new();
    for area in &shared.value.0 {
        let Some(range) = area.known() else { continue };
        let size = bar.size.known.unwrap_or(u64::MAX);
        let inside = rule(cx, &area.range, layout::shared_area(index, range, size));
        let other =
            earlier.iter().find(|other| layout::shared_apart(index, range, **other).is_err());
        if let Some(other) = other {
            rule(cx, &area.range, layout::shared_apart(index, range, *other));
        }
        if inside {
            earlier.push(range);
        }
    }
}
