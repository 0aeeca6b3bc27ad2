//! `#[capability(pm, express(..), vendor(..), ..)]`.

use proc_macro2::Ident;
use syn::parse::ParseStream;
use syn::{Attribute, Expr, Token};

use super::capability_kind::{FLAGS, PORTS, Port, STATES, Syntax as _};
use super::{Given, Int, Item, given_twice, items, parse, set, unknown};
use crate::ctxt::Ctxt;
use crate::layout::CapabilityName::{self, Express, Serial};
use crate::{literal, suggest};

/// In the order of declaration.
#[derive(Default)]
pub(crate) struct Capabilities(Vec<Capability>);

/// ```text
/// #[capability(express(legacy), vsec(b"card", id = 7, revision = 1, writable = &[0xff],
///              ^^^^^^^ ^^^^^^        ^^^^^^^       ^             ^             ^^^^^^^
///                                   at = 0x180))]
///                                        ^^^^^
/// ```
pub(crate) struct Capability {
    pub(crate) key: Ident,
    pub(crate) kind: CapabilityName,
    pub(crate) value: Option<Value>,
    pub(crate) port: Option<Given<Port>>,
    /// All other flags, each once.
    pub(crate) flags: Vec<Ident>,
    /// Power states.
    pub(crate) wakes_from: Option<Given<Vec<Ident>>>,
    /// The generation of the link, and its number of lanes.
    pub(crate) speed: Option<Given<Int>>,
    pub(crate) width: Option<Given<Int>>,
    /// Bytes of a packet.
    pub(crate) payload: Option<Given<Int>>,
    pub(crate) vendor: Option<Given<Int>>,
    pub(crate) id: Option<Given<Int>>,
    /// `version` or `revision`.
    pub(crate) version: Option<Given<Int>>,
    pub(crate) writable: Option<Given<Expr>>,
    pub(crate) at: Option<Given<Int>>,
    /// Of a block, the index that hooks are given for the first element.
    pub(crate) first: Option<Given<Int>>,
    /// The number of its first interrupt.
    pub(crate) vector: Option<Given<Int>>,
}

pub(crate) enum Value {
    /// Behind its fixed part.
    Bytes(Expr),
    /// The serial number.
    Number(Int),
}

impl Capabilities {
    pub(crate) fn read(&mut self, cx: &Ctxt, attr: &Attribute) {
        for item in parse(cx, attr, items).unwrap_or_default() {
            if let Some(capability) = Capability::read(cx, item) {
                capability.takes_value(cx);
                self.add(cx, capability);
            }
        }
    }

    /// C05: most capabilities exist once in a function.
    fn add(&mut self, cx: &Ctxt, capability: Capability) {
        let Capability { key, kind, .. } = &capability;
        if !kind.has_bytes()
            && let Some(first) = self.iter().find(|known| known.kind == *kind)
        {
            let first = &first.key;
            cx.error(key, format_args!("a function has at most one `{key}` capability"));
            cx.error(first, format_args!("`{first}` is given here first"));
            return;
        }
        self.0.push(capability);
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &Capability> {
        self.0.iter()
    }

    pub(crate) fn is_express(&self) -> bool {
        self.has(Express)
    }

    pub(crate) fn has(&self, kind: CapabilityName) -> bool {
        self.iter().any(|capability| capability.kind == kind)
    }

    /// Whether it is Express, and no legacy endpoint, which is spared some of its rules.
    pub(crate) fn is_native_express(&self) -> bool {
        let express = self.iter().find(|capability| capability.kind == Express);
        express.is_some_and(|express| {
            express.port.as_ref().is_none_or(|port| !matches!(port.value, Port::Legacy))
        })
    }
}

impl Capability {
    /// The capability on a field, a block of registers that it holds.
    pub(crate) fn read_field(cx: &Ctxt, attr: &Attribute) -> Option<Self> {
        let items = parse(cx, attr, items)?;
        let mistakes = cx.count();
        let mut all = items.into_iter().filter_map(|item| Capability::read(cx, item));
        let capability = all.next();
        if let Some(second) = all.next() {
            cx.error(&second.key, "a block lies in one capability");
        }
        match &capability {
            Some(capability) => capability.takes_block(cx),
            None if cx.count() == mistakes => {
                cx.error(attr.path(), "say which one: `#[capability(vendor)]`");
            }
            None => {}
        }
        capability
    }

    fn read(cx: &Ctxt, item: Item) -> Option<Self> {
        let name = item.name();
        let Some(kind) = CapabilityName::from_name(&name) else {
            unknown_capability(cx, &item);
            return None;
        };
        let mut capability = Self::of(item.key.clone(), kind);
        let mistakes = cx.count();
        if item.is_list() {
            let (value, items) = item.parse_with(cx, |input| head(input, kind))?;
            capability.set_value(cx, value);
            for item in items {
                capability.read_item(cx, item);
            }
        } else if kind.value().is_some() && !item.is_flag() {
            let given = item.expr(cx);
            capability.set_value(cx, given.map(|given| given.value));
        } else {
            item.flag(cx);
        }
        // A key that was misspelt is not missing as well.
        if cx.count() == mistakes {
            capability.complete(cx);
        }
        Some(capability)
    }

    fn of(key: Ident, kind: CapabilityName) -> Self {
        Capability {
            key,
            kind,
            value: None,
            port: None,
            flags: Vec::new(),
            wakes_from: None,
            speed: None,
            width: None,
            payload: None,
            vendor: None,
            id: None,
            version: None,
            writable: None,
            at: None,
            first: None,
            vector: None,
        }
    }

    fn set_value(&mut self, cx: &Ctxt, value: Option<Expr>) {
        self.value = value.map(literal::ungrouped).map(|value| match self.kind {
            Serial => Value::Number(Int::new(value, cx)),
            _ => Value::Bytes(value),
        });
    }

    /// Whether offsets in its block count from its start.
    pub(crate) fn is_whole(&self) -> bool {
        self.flags.iter().any(|flag| flag == "whole")
    }

    /// Whether it is like any other of its kind, its place and its value aside.
    pub(crate) fn is_plain(&self) -> bool {
        self.flags.is_empty() && self.wakes_from.is_none() && self.numbers().next().is_none()
    }

    /// The options of Express that are numbers, each with its name.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = (&'static str, &Given<Int>)> {
        let all = [("speed", &self.speed), ("width", &self.width), ("payload", &self.payload)];
        all.into_iter().filter_map(|(name, given)| Some((name, given.as_ref()?)))
    }

    /// Whether it has a place even if the function has all others of which that is so.
    pub(crate) fn fits_anyhow(&self) -> bool {
        self.at.is_none() && !self.kind.has_bytes()
    }

    fn read_item(&mut self, cx: &Ctxt, item: Item) {
        let name = item.name();
        if !self.kind.keys().contains(&name.as_str()) {
            match option_of(&item) {
                Some(hint) => cx.error(
                    &item.key,
                    format_args!("`{}` has no option `{name}`; {hint}", self.kind.name()),
                ),
                None => unknown(cx, self.kind.name(), &item.key, self.kind.keys()),
            }
            return;
        }
        match name.as_str() {
            "at" => set(cx, &mut self.at, item.int(cx)),
            "vendor" => set(cx, &mut self.vendor, item.int(cx)),
            "id" => set(cx, &mut self.id, item.int(cx)),
            "speed" => set(cx, &mut self.speed, item.int(cx)),
            "width" => set(cx, &mut self.width, item.int(cx)),
            "payload" => set(cx, &mut self.payload, item.int(cx)),
            "first" => set(cx, &mut self.first, item.int(cx)),
            "vector" => set(cx, &mut self.vector, item.int(cx)),
            "writable" => set(cx, &mut self.writable, item.expr(cx)),
            "version" | "revision" => set(cx, &mut self.version, item.int(cx)),
            "wakes_from" => set(cx, &mut self.wakes_from, states(cx, item)),
            _ => self.read_flag(cx, item.flag(cx)),
        }
    }

    fn read_flag(&mut self, cx: &Ctxt, key: Ident) {
        let Some((_, value)) = PORTS.iter().find(|(name, _)| key == name) else {
            match self.flags.iter().find(|first| **first == key) {
                Some(first) => given_twice(cx, first, &key),
                None => self.flags.push(key),
            }
            return;
        };
        match &self.port {
            Some(first) => {
                let first = &first.key;
                cx.error(&key, format_args!("give one port: `{first}` and `{key}` were both set"));
            }
            None => self.port = Some(Given { key, value: *value }),
        }
    }

    /// Whether it has its value, and no block.
    fn takes_value(&self, cx: &Ctxt) {
        for (given, what) in [(&self.first, "blocks"), (&self.vector, "interrupts")] {
            let Some(Given { key, .. }) = given else { continue };
            let message = format!("`{key}` numbers the {what} of a field, where it belongs");
            cx.error(key, message);
        }
        if let Some(whole) = self.flags.iter().find(|flag| *flag == "whole") {
            cx.error(whole, "`whole` is about the registers of a field, where it belongs");
        }
        if let (None, Some(usage)) = (&self.value, self.kind.value()) {
            let what = if self.kind == Serial { "a value" } else { "its bytes" };
            cx.error(&self.key, format_args!("`{}` needs {what}: `{usage}`", self.key));
        }
    }

    /// Whether it can hold a block, and nothing else.
    fn takes_block(&self, cx: &Ctxt) {
        let name = self.kind.name();
        if !self.kind.has_bytes() {
            let holding = suggest::list(&names(CapabilityName::has_bytes));
            let message = format!("`{name}` holds no registers; on a field it is one of {holding}");
            cx.error(&self.key, message);
        }
        if let Some(Value::Bytes(bytes)) = &self.value {
            cx.error(bytes, format_args!("`{name}` holds the block of this field, not bytes"));
        }
        if let Some(writable) = &self.writable {
            cx.error(&writable.key, "the registers of the block say what software may write");
        }
    }

    /// Whether what it cannot do without is there.
    fn complete(&self, cx: &Ctxt) {
        let name = self.kind.name();
        let given = [("vendor", &self.vendor), ("id", &self.id)];
        for (key, _) in given
            .into_iter()
            .filter(|(key, given)| given.is_none() && self.kind.required().contains(key))
        {
            cx.error(&self.key, format_args!("`{name}` needs `{key} = ..`"));
        }
    }
}

/// The names of some capabilities.
fn names(are: impl Fn(CapabilityName) -> bool) -> Vec<&'static str> {
    CapabilityName::ALL.into_iter().filter(|kind| are(*kind)).map(CapabilityName::name).collect()
}

fn unknown_capability(cx: &Ctxt, item: &Item) {
    let name = item.name();
    if let Some(hint) = option_of(item) {
        cx.error(&item.key, format_args!("`{name}` is no capability; {hint}"));
        return;
    }
    let hint = suggest::hint(&name, &names(|_| true));
    cx.error(&item.key, format_args!("unknown capability `{name}`; {hint}"));
}

/// How an option is written in the capabilities that have it, if some do.
fn option_of(item: &Item) -> Option<String> {
    let name = item.name();
    let names = names(|kind| kind.keys().contains(&name.as_str()));
    let usage = match name.as_str() {
        "wakes_from" => "wakes_from(d3hot)".to_owned(),
        _ if FLAGS.contains(&name.as_str()) => name,
        _ => format!("{name} = .."),
    };
    let first = names.first()?;
    Some(if names.len() > CapabilityName::ALL.len() / 2 {
        format!("it is an option of capabilities: write `{first}({usage})`")
    } else {
        let names = suggest::list(&names);
        format!("it is an option of {names}: write `{first}({usage})`")
    })
}

/// `wakes_from(d1, d3hot)`.
fn states(cx: &Ctxt, item: Item) -> Option<Given<Vec<Ident>>> {
    let Given { key, value: items } = item.list(cx, "wakes_from(d0, d3hot)")?;
    let mut states = Vec::<Ident>::new();
    for state in items.into_iter().map(|item| item.flag(cx)) {
        let name = state.to_string();
        if !STATES.contains(&name.as_str()) {
            let hint = suggest::hint(&name, &STATES);
            cx.error(&state, format_args!("unknown power state `{name}`; {hint}"));
        } else if let Some(first) = states.iter().find(|first| **first == state) {
            given_twice(cx, first, &state);
        } else {
            states.push(state);
        }
    }
    Some(Given { key, value: states })
}

/// The value of a capability that has one, unless a key stands in its place, and the rest.
fn head(input: ParseStream<'_>, kind: CapabilityName) -> syn::Result<(Option<Expr>, Vec<Item>)> {
    let ahead = input.fork();
    let key = ahead.parse::<Ident>().map(|key| key.to_string()).unwrap_or_default();
    let is_alone = ahead.is_empty() || ahead.peek(Token![,]);
    let is_flag = FLAGS.contains(&&*key) && kind.keys().contains(&&*key) && is_alone;
    let is_key = !key.is_empty() && ahead.peek(Token![=]) && !ahead.peek(Token![==]);
    if kind.value().is_none() || input.is_empty() || is_flag || is_key {
        return Ok((None, items(input)?));
    }
    let value = input.parse()?;
    if !input.is_empty() {
        input.parse::<Token![,]>()?;
    }
    Ok((Some(value), items(input)?))
}
