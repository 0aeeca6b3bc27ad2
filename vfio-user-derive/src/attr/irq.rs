//! `#[irq(intx, msi = .., msix = .., ..)]`.

use proc_macro2::Ident;
use syn::Attribute;

use super::{Allow, BarNumber, Given, Int, Item, items, parse, set, set_flag, unknown};
use crate::ctxt::Ctxt;

/// ```text
/// #[irq(intx, msi = 4, msix = 16, bar = 2, table = 0x0, pba = 0x800, allow(msix_page))]
///       ^^^^        ^         ^^        ^          ^^^        ^^^^^        ^^^^^^^^^
/// ```
#[derive(Default)]
pub(crate) struct Irq {
    pub(crate) intx: Option<Ident>,
    pub(crate) msi: Option<Given<Int>>,
    pub(crate) msix: Option<Given<Int>>,
    pub(crate) bar: Option<Given<BarNumber>>,
    pub(crate) table: Option<Given<Int>>,
    pub(crate) pba: Option<Given<Int>>,
    pub(crate) allow: Allow,
}

pub(super) const KEYS: &[&str] = &["intx", "msi", "msix", "bar", "table", "pba", "allow"];

/// What can be allowed.
pub(super) const ALLOWED: &[&str] = &["msix_page"];

impl Irq {
    pub(crate) fn has_any(&self) -> bool {
        self.intx.is_some() || self.msi.is_some() || self.msix.is_some()
    }

    /// How many interrupts the device has, if the macro knows.
    pub(crate) fn known_sources(&self) -> Option<u64> {
        let known = |given: &Option<Given<Int>>| match given {
            Some(given) => given.value.known,
            None => Some(0),
        };
        Some(u64::from(self.intx.is_some()).max(known(&self.msi)?).max(known(&self.msix)?))
    }

    pub(crate) fn read(cx: &Ctxt, attr: &Attribute) -> Option<Self> {
        let mut irq = Irq::default();
        for item in parse(cx, attr, items)? {
            match item.name().as_str() {
                "intx" => set_flag(cx, &mut irq.intx, item.flag(cx)),
                "msi" => set(cx, &mut irq.msi, item.int(cx)),
                "msix" => set(cx, &mut irq.msix, item.int(cx)),
                "bar" => set(cx, &mut irq.bar, bar(cx, item)),
                "table" => set(cx, &mut irq.table, item.int(cx)),
                "pba" => set(cx, &mut irq.pba, item.int(cx)),
                "allow" => irq.allow.read_item(cx, item, ALLOWED),
                _ => unknown(cx, "irq", &item.key, KEYS),
            }
        }
        Some(irq)
    }
}

/// `bar = N`, of interrupts.
fn bar(cx: &Ctxt, item: Item) -> Option<Given<BarNumber>> {
    let Given { key, value } = item.expr(cx)?;
    Some(Given { key, value: BarNumber::new(value, cx) })
}
