//! Declarations, and how their tokens are replaced. The fuzz target of the macros uses this file,
//! too.

use std::panic::{AssertUnwindSafe, catch_unwind};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::{Data, DeriveInput, GenericParam};

pub(crate) type Derive = fn(&DeriveInput) -> TokenStream;

pub(crate) const DEVICE: &str = r#"
    #[pci(vendor = 0x1234, device = ids::CARD, class = 1 << 8, subsystem = (1, 2), name = "card", self_test,
          crate = framework::vfio_user)]
    #[bar(0: mem32, size = 0x1000, unmapped = ones, access = 4..=8, access(0..8: 4))]
    #[bar(2: mem64, size = LARGE, prefetchable, shared(0x1000..0x2000), unaligned = ignore)]
    #[irq(intx, msi = 4, msix = 8, bar = 4, table = 0, pba = 0x800, allow(msix_page))]
    #[capability(pm(d1, wakes_from(d0, d1)), express(legacy, flr, speed = 3, width = WIDE, payload = 256, extended_tags), vendor(b"x", writable = &[1], at = 0x80))]
    #[capability(serial = 7, vsec(b"y", id = 1, revision = 2))]
    #[migrate(version = 3, min = 2, removed("old"))]
    struct Card<T> {
        #[reg(0x00, ro, reset = 0x10 + 2, bar = 0, mask = !0xf, read_with = Self::id)]
        id: Virtual<u32>,
        #[reg(BASE + 4, w1c, on_write = Self::wrote)]
        #[intr(status, enable = enable, trigger = event, vector = 1)]
        status: u32,
        #[reg(0x20, writable = 0xff, lock = control.field, sticky, test(exclude = policies))]
        #[migrate(since = 3, default = 5)]
        enable: u32,
        #[reg(0x30, wide(commit = last), stride = 8 + 8, reset(flr = keep))]
        address: [u64; 4],
        #[reg(0x28)]
        control: Control,
        #[reg(0x2c, port, wo, write_with = Self::push)]
        data: Virtual<u32>,
        #[reg(0x80, wo, kick = helper::kick, allow(unread))]
        kick: u32,
        #[block(0x100, stride = 0x40, first = 1 << 2, vector = 1, vector_stride = 2)]
        queues: [Queue; 4],
        #[capability(dvsec(vendor = 1, id = 2, first = 3))]
        mailbox: Mailbox,
        #[timer(Self::expired)]
        timer: Timer,
        #[memory(0x800..0x900, bar = 2, on_write = Self::touched, reset = keep)]
        memory: [u8; 0x100],
        #[migrate(max_len = (4, 8), since = 2, default = Vec::new(), renamed_from = "names")]
        labels: Option<Vec<String>>,
        #[migrate(with = clock)]
        started: Instant,
        #[migrate(skip)]
        other: T,
    }
"#;

pub(crate) const BLOCK: &str = r"
    #[block(host = QueueHost, crate = framework)]
    #[migrate(version = 2)]
    pub struct Queue {
        #[reg(0x00, reset = A | 1)]
        base: Control,
        #[reg(0x08, wo, write_with = doorbell, ioeventfd = 3)]
        doorbell: Virtual<u32>,
        #[reg(0x10, ro, read_with = level)]
        levels: [Virtual<u16>; 2],
        #[reg(0x14, port, read_with = pop, write_with = push)]
        data: Virtual<u16>,
        #[migrate(max_len = 4, since = 2, default = vec![1])]
        jobs: Vec<u8>,
    }
";

pub(crate) const REGISTER: &str = r"
    #[register(u32, crate = framework)]
    struct Control {
        #[field(bit = 0, w1c, volatile)]
        enable: bool,
        #[field(bits = 3..=4, reset = !0, reserved = reject)]
        mode: Mode,
        #[field(bits = 8..=15, ro, reset = VERSION)]
        version: u8,
        #[field(bit = 16, singlepulse)]
        start: bool,
    }
";

pub(crate) const VALUES: &str = r"
    #[register(u16, reserved = reject)]
    enum State {
        Idle = 1,
        Busy = BUSY,
        Last,
    }
";

pub(crate) const FIELD: &str = r"
    #[register(crate = framework)]
    enum Mode {
        Off,
        On = 2,
        Other(u8),
    }
";

/// What stands in for a token.
pub(crate) const REPLACEMENTS: &[&str] = &[
    "",
    "self",
    "Self",
    "crate",
    "_",
    "r#type",
    "0",
    "1.5",
    "0x1_0000_0000_0000_0000",
    "\"s\"",
    "b\"b\"",
    "-",
    "!",
    "=",
    "..",
    "()",
    "(1, 2)",
    "[1, 2]",
    "{}",
    "a::b",
    "<T as U>::x",
    "x = 1",
    "return",
    "1 == 2",
    "f::<u8>",
    "|x| x",
    "Vec<Vec<u8>>",
    "&'static str",
    "config",
];

/// Whether the compiler would run a derive on it: `_` is the name of no type, parameter or variant.
pub(crate) fn has_names(input: &DeriveInput) -> bool {
    let is_parameter = |param: &GenericParam| match param {
        GenericParam::Type(param) => param.ident != "_",
        GenericParam::Const(param) => param.ident != "_",
        GenericParam::Lifetime(_) => true,
    };
    let has_variants = match &input.data {
        Data::Enum(data) => data.variants.iter().all(|variant| variant.ident != "_"),
        _ => true,
    };
    input.ident != "_" && input.generics.params.iter().all(is_parameter) && has_variants
}

/// Expands a declaration: that is no panic, and what comes of it parses.
pub(crate) fn check(input: &DeriveInput, derive: Derive, what: &str) {
    let expanded = catch_unwind(AssertUnwindSafe(|| derive(input)));
    let shown = || quote::quote!(#input).to_string();
    let expanded = expanded.unwrap_or_else(|_| panic!("a panic by {what}: {}", shown()));
    let parsed = syn::parse2::<syn::File>(expanded.clone());
    if let Err(error) = parsed {
        panic!("no Rust by {what}, {error}: {}, made into {expanded}", shown());
    }
}

/// Tokens, those in groups as well.
pub(crate) fn tokens_in(tokens: &TokenStream) -> usize {
    let one = |token| match token {
        TokenTree::Group(group) => 1 + tokens_in(&group.stream()),
        _ => 1,
    };
    tokens.clone().into_iter().map(one).sum()
}

/// The tokens with the one at `place` replaced; `place` counts down.
pub(crate) fn replaced(
    tokens: &TokenStream,
    place: &mut usize,
    replacement: &TokenStream,
) -> TokenStream {
    let mut all = TokenStream::new();
    for token in tokens.clone() {
        let is_it = *place == 0;
        *place = place.wrapping_sub(1);
        match token {
            _ if is_it => all.extend(replacement.clone()),
            TokenTree::Group(group) if group.delimiter() != Delimiter::None => {
                let inner = replaced(&group.stream(), place, replacement);
                all.extend([TokenTree::Group(Group::new(group.delimiter(), inner))]);
            }
            token => all.extend([token]),
        }
    }
    all
}
