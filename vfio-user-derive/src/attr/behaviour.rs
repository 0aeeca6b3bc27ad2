//! What a register does besides its policy: `#[reg(.., wide(commit = high), lock = ctrl.locked)]`.

use proc_macro2::Ident;
use quote::ToTokens as _;
use syn::{Expr, ExprUnary, UnOp};

use super::{Given, Item, Kept, RegisterPath, set, set_flag};
use crate::ctxt::Ctxt;
use crate::suggest;

/// ```text
/// #[reg(.., wide(commit = high), lock = ctrl.locked, reset(flr = keep), sticky, volatile,
///                         ^^^^          ^^^^^^^^^^^        ^^^          ^^^^^^  ^^^^^^^^
///       singlepulse, watch, port, big, test(exclude = policies))]
///       ^^^^^^^^^^^  ^^^^^  ^^^^  ^^^                 ^^^^^^^^
/// ```
#[derive(Default)]
pub(crate) struct Behaviour {
    pub(crate) wide: Option<Given<Commit>>,
    pub(crate) lock: Option<Given<LockTarget>>,
    pub(crate) kept: Kept,
    pub(crate) sticky: Option<Ident>,
    pub(crate) volatile: Option<Ident>,
    pub(crate) singlepulse: Option<Ident>,
    pub(crate) watch: Option<Ident>,
    pub(crate) port: Option<Ident>,
    pub(crate) big: Option<Ident>,
    pub(crate) test: Option<Given<Untested>>,
}

/// When the parts that were written take effect.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Commit {
    Whole,
    High,
    Low,
}

/// What the generated tests spare it.
#[derive(Clone, Copy)]
pub(crate) enum Untested {
    All,
    Policies,
}

/// ```text
/// lock = !ctrl.locked
///        ^^^^^^^^^^^^ inverted, path
/// ```
pub(crate) struct LockTarget {
    pub(crate) path: RegisterPath,
    pub(crate) is_inverted: bool,
}

impl Behaviour {
    pub(crate) const KEYS: [&str; 9] =
        ["wide", "lock", "sticky", "volatile", "singlepulse", "watch", "port", "big", "test"];

    /// Takes an item with one of the [`KEYS`](Self::KEYS).
    pub(super) fn read_item(&mut self, cx: &Ctxt, item: Item) {
        match item.name().as_str() {
            "wide" => set(cx, &mut self.wide, Some(wide(cx, item))),
            "lock" => set(cx, &mut self.lock, lock(cx, item)),
            "sticky" => set_flag(cx, &mut self.sticky, item.flag(cx)),
            "volatile" => set_flag(cx, &mut self.volatile, item.flag(cx)),
            "watch" => set_flag(cx, &mut self.watch, item.flag(cx)),
            "port" => set_flag(cx, &mut self.port, item.flag(cx)),
            "big" => set_flag(cx, &mut self.big, item.flag(cx)),
            "test" => set(cx, &mut self.test, test(cx, item)),
            _ => set_flag(cx, &mut self.singlepulse, item.flag(cx)),
        }
    }
}

/// `wide` or `wide(commit = ..)`. After a mistake it is wide all the same.
fn wide(cx: &Ctxt, item: Item) -> Given<Commit> {
    let mut wide = Given { key: item.key.clone(), value: Commit::Whole };
    if item.is_flag() {
        return wide;
    }
    let Some(Given { value: items, .. }) = item.list(cx, "wide` or `wide(commit = high)") else {
        return wide;
    };
    let mut commit = None;
    for inner in items {
        match inner.name().as_str() {
            "commit" => set(cx, &mut commit, inner.word(cx)),
            _ => super::unknown(cx, "wide", &inner.key, &["commit"]),
        }
    }
    let Some(Given { value: word, .. }) = commit else { return wide };
    match word.to_string().as_str() {
        // The older word for the upper half.
        "high" | "last" => wide.value = Commit::High,
        "low" => wide.value = Commit::Low,
        other => {
            let hint = suggest::hint(other, &["high", "low"]);
            cx.error(&word, format_args!("`commit` cannot be `{other}`; {hint}"));
        }
    }
    wide
}

/// `test(exclude = ..)`.
fn test(cx: &Ctxt, item: Item) -> Option<Given<Untested>> {
    let Given { key, value: items } = item.list(cx, "test(exclude = all)")?;
    let mut exclude = None;
    for inner in items {
        match inner.name().as_str() {
            "exclude" => set(cx, &mut exclude, inner.word(cx)),
            _ => super::unknown(cx, "test", &inner.key, &["exclude"]),
        }
    }
    let word = exclude?.value;
    let value = match word.to_string().as_str() {
        "all" => Untested::All,
        "policies" => Untested::Policies,
        other => {
            let hint = suggest::hint(other, &["all", "policies"]);
            cx.error(&word, format_args!("tests cannot exclude `{other}`; {hint}"));
            return None;
        }
    };
    Some(Given { key, value })
}

/// The name of a register, or of a field of one.
fn lock(cx: &Ctxt, item: Item) -> Option<Given<LockTarget>> {
    let Given { key, value } = item.expr(cx)?;
    let (expr, is_inverted) = match value {
        Expr::Unary(ExprUnary { op: UnOp::Not(_), expr, .. }) => (*expr, true),
        other => (other, false),
    };
    if let Some(path) = RegisterPath::new(&expr) {
        return Some(Given { key, value: LockTarget { path, is_inverted } });
    }
    let message = match &expr {
        Expr::Path(path) => {
            let path = path.to_token_stream().to_string().replace(' ', "");
            format!("a lock is a register; a function is named by `lock_with = {path}`")
        }
        _ => "expected a register or a field of one: `lock = ctrl.locked`, or `!ctrl.open`".into(),
    };
    cx.error(expr, message);
    None
}
