//! `#[pci(vendor = .., device = .., ..)]`.

use proc_macro2::Ident;
use syn::{Attribute, ExprPath, LitStr};

use super::{Given, Int, items, krate, parse, set, set_flag, unknown};
use crate::ctxt::Ctxt;

/// ```text
/// #[pci(vendor = 0x1234, device = 0xcafe, class = 0x00_ff00, revision = 1,
///                ^^^^^^           ^^^^^^          ^^^^^^^^^             ^
///       subsystem = (0x1234, 0x0001), name = "trivial", ignore_command, strict_command,
///                   ^^^^^^^^^^^^^^^^         ^^^^^^^^^  ^^^^^^^^^^^^^^  ^^^^^^^^^^^^^^
///       min_gnt = 8, max_lat = 32, self_test, driver = TrivialDriver)]
///                 ^            ^^  ^^^^^^^^^           ^^^^^^^^^^^^^
/// ```
pub(crate) struct Pci {
    pub(crate) vendor: Int,
    pub(crate) device: Int,
    pub(crate) class: Option<Given<Int>>,
    pub(crate) revision: Option<Given<Int>>,
    pub(crate) subsystem: Option<Given<(Int, Int)>>,
    pub(crate) name: Option<Given<LitStr>>,
    pub(crate) ignore_command: Option<Ident>,
    pub(crate) strict_command: Option<Ident>,
    pub(crate) min_gnt: Option<Given<Int>>,
    pub(crate) max_lat: Option<Given<Int>>,
    pub(crate) self_test: Option<Ident>,
    pub(crate) driver: Option<Given<Ident>>,
    /// Of the library; [`super::library`] finds it.
    krate: Option<Given<ExprPath>>,
}

pub(super) const KEYS: &[&str] = &[
    "vendor",
    "device",
    "class",
    "revision",
    "subsystem",
    "name",
    "ignore_command",
    "strict_command",
    "min_gnt",
    "max_lat",
    "self_test",
    "driver",
    "crate",
];

impl Pci {
    pub(crate) fn read(cx: &Ctxt, attr: &Attribute) -> Self {
        let mistakes = cx.count();
        let items = parse(cx, attr, items).unwrap_or_default();
        let (mut vendor, mut device) = (None, None);
        let mut pci = Pci {
            vendor: Int::missing(),
            device: Int::missing(),
            class: None,
            revision: None,
            subsystem: None,
            name: None,
            ignore_command: None,
            strict_command: None,
            min_gnt: None,
            max_lat: None,
            self_test: None,
            driver: None,
            krate: None,
        };
        for item in items {
            match item.name().as_str() {
                "vendor" => set(cx, &mut vendor, item.int(cx)),
                "device" => set(cx, &mut device, item.int(cx)),
                "class" => set(cx, &mut pci.class, item.int(cx)),
                "revision" => set(cx, &mut pci.revision, item.int(cx)),
                "subsystem" => set(cx, &mut pci.subsystem, item.pair(cx)),
                "name" => set(cx, &mut pci.name, item.text(cx)),
                "crate" => set(cx, &mut pci.krate, krate::read(cx, item)),
                "ignore_command" => set_flag(cx, &mut pci.ignore_command, item.flag(cx)),
                "strict_command" => set_flag(cx, &mut pci.strict_command, item.flag(cx)),
                "min_gnt" => set(cx, &mut pci.min_gnt, item.int(cx)),
                "max_lat" => set(cx, &mut pci.max_lat, item.int(cx)),
                "self_test" => set_flag(cx, &mut pci.self_test, item.flag(cx)),
                "driver" => set(cx, &mut pci.driver, item.word(cx)),
                _ => unknown(cx, "pci", &item.key, KEYS),
            }
        }
        pci.is_strict_or_ignored(cx);
        let is_readable = cx.count() == mistakes;
        for (key, given, place) in
            [("vendor", vendor, &mut pci.vendor), ("device", device, &mut pci.device)]
        {
            match given {
                Some(given) => *place = given.value,
                // A key that was misspelt is not missing as well.
                None if is_readable => {
                    cx.error(attr.path(), format_args!("`#[pci]` needs `{key} = ..`"));
                }
                None => {}
            }
        }
        pci
    }

    fn is_strict_or_ignored(&self, cx: &Ctxt) {
        if let (Some(_), Some(strict)) = (&self.ignore_command, &self.strict_command) {
            cx.error(strict, "a command register that is ignored is not strict; drop one");
        }
    }

    /// The latencies of a conventional function, each with the name of its option.
    pub(crate) fn latencies(&self) -> impl Iterator<Item = (&'static str, &Given<Int>)> {
        let both = [("min_gnt", &self.min_gnt), ("max_lat", &self.max_lat)];
        both.into_iter().filter_map(|(name, given)| Some((name, given.as_ref()?)))
    }
}
