//! P01 to P07: base address registers.

use super::rule;
use crate::ast::Device;
use crate::attr::Bar;
use crate::ctxt::Ctxt;
use crate::layout;

pub(super) fn validate(cx: &Ctxt, device: &Device<'_>) {
    for (place, bar) in device.attrs.bars.iter().enumerate() {
        let Some(index) = bar.number.index else { continue };
        if let Some(first) =
            device.attrs.bars[..place].iter().find(|other| other.number.index == Some(index))
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
}
