//! Registers that share bytes: `#[reg(.., overlay, when(ctrl.page = 1..=2), select = index)]`.

use proc_macro2::Ident;
use syn::parse::{Parse, ParseStream};
use syn::{Expr, Lit, Pat, PatIdent, RangeLimits, Token, parse_quote};

use super::{Given, Int, Item, RegisterPath, set, set_flag};
use crate::ctxt::Ctxt;

/// ```text
/// #[reg(.., overlay, when(ctrl.page = 0 | 4..=7, size = 2), select = index)]
///           ^^^^^^^       ^^^^^^^^^^^^^^^^^^^^^  ^^^^^^^^            ^^^^^
/// ```
#[derive(Default)]
pub(crate) struct Sharing {
    pub(crate) overlay: Option<Ident>,
    /// `when`, for what is wrong with all of it.
    pub(crate) when: Option<Ident>,
    pub(crate) condition: Option<Condition>,
    pub(crate) sizes: Option<AccessSizes>,
    pub(crate) select: Option<Given<RegisterPath>>,
    /// Whether a selector is given that is none: its register may answer anything.
    pub(crate) is_broken: bool,
}

/// ```text
/// ctrl.page = 0 | 4..=7
/// ^^^^^^^^^   ^   ^^^^^ path, values
/// ```
pub(crate) struct Condition {
    pub(crate) path: RegisterPath,
    pub(crate) values: Vec<Values>,
}

/// A value, or an inclusive range of values.
pub(crate) struct Values {
    /// As it is written.
    pub(crate) pattern: Pat,
    pub(crate) first: Int,
    pub(crate) last: Int,
}

/// ```text
/// size = 1 | 4
/// ^^^^   ^^^^^
/// ```
pub(crate) struct AccessSizes {
    pub(crate) key: Ident,
    /// Each size is a bit.
    pub(crate) bits: u8,
}

/// A part of the list of `when`.
struct Clause {
    path: RegisterPath,
    pattern: Pat,
}

const USAGE: &str = "when(register.field = 1)";

impl Sharing {
    pub(crate) const KEYS: [&str; 3] = ["overlay", "when", "select"];

    /// Takes an item with one of the [`KEYS`](Self::KEYS).
    pub(super) fn read_item(&mut self, cx: &Ctxt, item: Item) {
        match item.name().as_str() {
            "overlay" => set_flag(cx, &mut self.overlay, item.flag(cx)),
            "select" => {
                let select = RegisterPath::read(cx, item);
                self.is_broken |= select.is_none();
                set(cx, &mut self.select, select);
            }
            _ => self.read_when(cx, item),
        }
    }

    fn read_when(&mut self, cx: &Ctxt, item: Item) {
        let key = item.key.clone();
        set_flag(cx, &mut self.when, key.clone());
        if !item.is_list() {
            cx.error(key, format_args!("expected `{USAGE}`"));
            return;
        }
        let Some(clauses) = item.parse_list::<Clause>(cx) else {
            self.is_broken = true;
            return;
        };
        if clauses.is_empty() {
            cx.error(key, format_args!("expected `{USAGE}`"));
        }
        for clause in clauses {
            self.read_clause(cx, clause);
        }
    }

    fn read_clause(&mut self, cx: &Ctxt, Clause { path, pattern }: Clause) {
        if path.register == "size" && path.field.is_none() {
            if self.sizes.is_some() {
                cx.error(&path.expr, "`size` is given twice; `size = 1 | 4` is both");
            }
            self.sizes = AccessSizes::read(cx, path.register, &pattern);
        } else if self.condition.is_some() {
            cx.error(&path.expr, "a register has one condition on a field; this is a second one");
        } else {
            let values = Values::read(cx, pattern);
            self.condition = Some(Condition { path, values });
        }
    }

    /// Returns the registers that the options name.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &RegisterPath> {
        let condition = self.condition.iter().map(|condition| &condition.path);
        condition.chain(self.select.iter().map(|given| &given.value))
    }

    /// Whether its elements share their bytes, or are meant to.
    pub(crate) fn is_selected(&self) -> bool {
        self.select.is_some() || self.is_broken
    }

    /// Returns an option that makes the register answer some accesses only.
    pub(crate) fn is_conditional(&self) -> Option<&Ident> {
        self.when.as_ref().or(self.select.as_ref().map(|given| &given.key))
    }
}

impl Parse for Clause {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let path: RegisterPath = input.parse()?;
        if !input.peek(Token![=]) {
            let message = format!("expected a value: `when({} = 1)`", path.name());
            return Err(syn::Error::new_spanned(path.expr, message));
        }
        input.parse::<Token![=]>()?;
        let pattern = Pat::parse_multi_with_leading_vert(input)?;
        Ok(Clause { path, pattern })
    }
}

impl Values {
    /// Reads the alternatives of a pattern.
    fn read(cx: &Ctxt, pattern: Pat) -> Vec<Self> {
        match pattern {
            Pat::Or(or) => or.cases.into_iter().flat_map(|case| Self::read(cx, case)).collect(),
            Pat::Paren(paren) => Self::read(cx, *paren.pat),
            pattern => Self::read_one(cx, pattern).into_iter().collect(),
        }
    }

    fn read_one(cx: &Ctxt, pattern: Pat) -> Option<Self> {
        let (first, last) = match &pattern {
            Pat::Range(range) => {
                let (Some(first), RangeLimits::Closed(_), Some(last)) =
                    (&range.start, &range.limits, &range.end)
                else {
                    cx.error(&pattern, "a range of values has two ends, both inclusive: `1..=2`");
                    return None;
                };
                (Int::new((**first).clone(), cx), Int::new((**last).clone(), cx))
            }
            one => {
                let Some(value) = value(one) else {
                    cx.error(&pattern, "expected values: `1`, `0 | 3`, `4..=7` or constants");
                    return None;
                };
                (Int::new(value.clone(), cx), Int::quiet(value))
            }
        };
        Some(Values { pattern, first, last })
    }

    /// The values, if the macro knows them.
    pub(crate) fn known(&self) -> Option<(u64, u64)> {
        self.first.known.zip(self.last.known)
    }
}

impl AccessSizes {
    const ALL: [u64; 4] = [1, 2, 4, 8];

    fn read(cx: &Ctxt, key: Ident, pattern: &Pat) -> Option<Self> {
        let mut bits = 0;
        for values in Values::read(cx, pattern.clone()) {
            let Some((first, last)) = values.known() else {
                cx.error(&values.pattern, "access sizes are literals: 1, 2, 4 or 8");
                continue;
            };
            if let Some(wrong) = [first, last].into_iter().find(|end| !Self::ALL.contains(end)) {
                let message = format!("an access has 1, 2, 4 or 8 bytes, not {wrong}");
                cx.error(&values.pattern, message);
            } else if first > last {
                let message = format!("sizes {first}..={last} are empty; write {last}..={first}");
                cx.error(&values.pattern, message);
            }
            let sizes = (0..4).filter(|size| (first..=last).contains(&(1 << size)));
            bits |= sizes.fold(0, |bits, size| bits | 1 << size);
        }
        (bits != 0).then_some(AccessSizes { key, bits })
    }
}

/// The value that a pattern without alternatives is.
fn value(pattern: &Pat) -> Option<Expr> {
    Some(match pattern {
        Pat::Lit(literal) => match &literal.lit {
            Lit::Bool(lit) if lit.value => parse_quote!(1),
            Lit::Bool(_) => parse_quote!(0),
            _ => Expr::Lit(literal.clone()),
        },
        Pat::Ident(PatIdent { by_ref: None, mutability: None, subpat: None, ident, .. }) => {
            parse_quote!(#ident)
        }
        Pat::Path(path) => Expr::Path(path.clone()),
        Pat::Const(block) => Expr::Const(block.clone()),
        _ => return None,
    })
}
