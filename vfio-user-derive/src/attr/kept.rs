//! The resets over which a register or a block keeps its value:
//! `reset(flr = keep, soft(0) = keep)`.

use proc_macro2::{Group, Ident};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::{Expr, Token, token};

use super::{Given, Int, Item, set_flag};
use crate::ctxt::Ctxt;
use crate::suggest;

/// ```text
/// reset(flr = keep, soft(CONTROLLER) = keep)
///       ^^^         ^^^^ ^^^^^^^^^^
/// ```
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) flr: Option<Ident>,
    /// The domains.
    pub(crate) soft: Vec<Given<Int>>,
}

/// One of the resets.
struct Reset {
    key: Ident,
    domain: Option<Group>,
    word: Option<Expr>,
}

pub(super) const KEYS: [&str; 2] = ["flr", "soft"];
const USAGE: &str = "expected `reset(flr = keep)` or `reset(soft(0) = keep)`";

impl Parse for Reset {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let key = input.call(Ident::parse_any)?.unraw();
        let domain = if input.peek(token::Paren) { Some(input.parse()?) } else { None };
        let word = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            Some(input.parse()?)
        } else {
            None
        };
        Ok(Reset { key, domain, word })
    }
}

impl Kept {
    /// Takes `reset(..)`.
    pub(super) fn read(&mut self, cx: &Ctxt, item: Item) {
        let key = item.key.clone();
        let Some(resets) = item.parse_list::<Reset>(cx) else { return };
        if resets.is_empty() {
            cx.error(key, USAGE);
        }
        for reset in resets {
            self.read_one(cx, reset);
        }
    }

    /// Returns whether it names no reset.
    pub(crate) fn is_empty(&self) -> bool {
        self.flr.is_none() && self.soft.is_empty()
    }

    /// Returns the first reset that it names, to report a mistake there.
    pub(crate) fn first(&self) -> Option<&Ident> {
        self.flr.as_ref().or(self.soft.first().map(|given| &given.key))
    }

    fn read_one(&mut self, cx: &Ctxt, Reset { key, domain, word }: Reset) {
        if !KEYS.iter().any(|known| key == known) {
            super::unknown(cx, "reset", &key, &KEYS);
            return;
        }
        is_keep(cx, &key, word);
        match (key == "soft", domain) {
            (false, None) => set_flag(cx, &mut self.flr, key),
            (false, Some(domain)) => cx.error(domain, "`flr` has no domain: `flr = keep`"),
            (true, None) => cx.error(key, "`soft` needs a domain, 0 to 7: `soft(0) = keep`"),
            (true, Some(domain)) => self.read_domain(cx, key, &domain),
        }
    }

    fn read_domain(&mut self, cx: &Ctxt, key: Ident, domain: &Group) {
        match syn::parse2::<Expr>(domain.stream()) {
            Ok(domain) => {
                let value = Int::new(domain, cx);
                let is_same =
                    |given: &&Given<Int>| value.known.is_some() && given.value.known == value.known;
                if let Some(first) = self.soft.iter().find(is_same) {
                    super::given_twice(cx, &first.key, &key);
                }
                self.soft.push(Given { key, value });
            }
            Err(_) => cx.error(domain, "expected the number of a domain, 0 to 7: `soft(0)`"),
        }
    }
}

/// Checks the word behind a reset.
fn is_keep(cx: &Ctxt, key: &Ident, word: Option<Expr>) {
    let Some(word) = word else {
        cx.error(key, USAGE);
        return;
    };
    let given = match &word {
        Expr::Path(path) => path.path.get_ident().map(ToString::to_string),
        _ => None,
    };
    match given.as_deref() {
        Some("keep") => {}
        Some(other) => {
            let hint = suggest::hint(other, &["keep"]);
            cx.error(&word, format_args!("`{key}` cannot be `{other}`; {hint}"));
        }
        None => cx.error(&word, USAGE),
    }
}
