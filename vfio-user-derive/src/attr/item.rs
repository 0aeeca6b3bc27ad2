//! The list inside an attribute: `key`, `key = value`, `key(..)`.

use proc_macro2::{Group, Ident};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::{Expr, ExprLit, ExprPath, ExprTuple, Lit, LitStr, Token, token};

use super::{Given, Int};
use crate::ctxt::Ctxt;
use crate::literal;

/// ```text
/// #[irq(intx, msix = 4)]
///       ^^^^  ^^^^^^^^
/// ```
pub(crate) struct Item {
    pub(crate) key: Ident,
    value: Value,
}

enum Value {
    Flag,
    Expr(Expr),
    List(Group),
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        // `r#mask` is `mask`: what is a key is none of Rust's words.
        let key = input.call(Ident::parse_any)?.unraw();
        let value = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            Value::Expr(literal::ungrouped(input.parse()?))
        } else if input.peek(token::Paren) {
            Value::List(input.parse()?)
        } else {
            Value::Flag
        };
        Ok(Item { key, value })
    }
}

/// The items up to the end of an attribute.
pub(crate) fn items(input: ParseStream<'_>) -> syn::Result<Vec<Item>> {
    Ok(input.parse_terminated(Item::parse, Token![,])?.into_iter().collect())
}

impl Item {
    pub(crate) fn name(&self) -> String {
        self.key.unraw().to_string()
    }

    pub(crate) fn is_flag(&self) -> bool {
        matches!(self.value, Value::Flag)
    }

    /// The item as a flag; a value is a mistake, but the flag is set all the same.
    pub(crate) fn flag(self, cx: &Ctxt) -> Ident {
        let name = self.name();
        match self.value {
            Value::Flag => {}
            Value::Expr(value) => cx.error(value, format_args!("`{name}` takes no value")),
            Value::List(value) => cx.error(value, format_args!("`{name}` takes no value")),
        }
        self.key
    }

    pub(crate) fn is_list(&self) -> bool {
        matches!(self.value, Value::List(_))
    }

    /// The items of a list; `usage` is how it is written.
    pub(crate) fn list(self, cx: &Ctxt, usage: &str) -> Option<Given<Vec<Item>>> {
        let key = self.key.clone();
        match &self.value {
            Value::List(group) if !group.stream().is_empty() => {}
            Value::List(group) => {
                cx.error(group, format_args!("expected `{usage}`"));
                return None;
            }
            Value::Flag | Value::Expr(_) => {
                cx.error(self.key, format_args!("expected `{usage}`"));
                return None;
            }
        }
        let value = self.parse_list(cx)?;
        Some(Given { key, value })
    }

    /// What is between the parentheses, separated by commas.
    pub(crate) fn parse_list<T: Parse>(self, cx: &Ctxt) -> Option<Vec<T>> {
        let parser = |input: ParseStream<'_>| input.parse_terminated(T::parse, Token![,]);
        self.parse_with(cx, parser).map(|items| items.into_iter().collect())
    }

    /// What is between the parentheses; a syntax error is reported and gives nothing.
    pub(crate) fn parse_with<T>(
        self,
        cx: &Ctxt,
        parser: impl FnOnce(ParseStream<'_>) -> syn::Result<T>,
    ) -> Option<T> {
        let Value::List(group) = self.value else { return None };
        let parsed = syn::parse::Parser::parse2(parser, group.stream());
        parsed.map_err(|error| cx.push(error)).ok()
    }

    pub(crate) fn expr(self, cx: &Ctxt) -> Option<Given<Expr>> {
        let name = self.name();
        let message = format!("`{name}` needs a value: `{name} = ..`");
        match self.value {
            Value::Expr(value) => return Some(Given { key: self.key, value }),
            Value::Flag => cx.error(self.key, message),
            Value::List(list) => cx.error(list, message),
        }
        None
    }

    pub(crate) fn int(self, cx: &Ctxt) -> Option<Given<Int>> {
        let Given { key, value } = self.expr(cx)?;
        Some(Given { key, value: Int::new(value, cx) })
    }

    /// `(first, second)`.
    pub(crate) fn pair(self, cx: &Ctxt) -> Option<Given<(Int, Int)>> {
        let Given { key, value } = self.expr(cx)?;
        if let Expr::Tuple(ExprTuple { elems, .. }) = &value
            && let [first, second] = elems.iter().collect::<Vec<_>>()[..]
        {
            let value = (Int::new(first.clone(), cx), Int::new(second.clone(), cx));
            return Some(Given { key, value });
        }
        cx.error(value, format_args!("expected two ids: `{key} = (vendor, device)`"));
        None
    }

    pub(crate) fn text(self, cx: &Ctxt) -> Option<Given<LitStr>> {
        let Given { key, value } = self.expr(cx)?;
        if let Expr::Lit(ExprLit { lit: Lit::Str(value), .. }) = value {
            return Some(Given { key, value });
        }
        cx.error(value, "expected a string");
        None
    }

    /// One word, as in `unmapped = ones`.
    pub(crate) fn word(self, cx: &Ctxt) -> Option<Given<Ident>> {
        let Given { key, value } = self.expr(cx)?;
        match word_of(&value) {
            Some(word) if !is_reserved(word) => return Some(Given { key, value: word.clone() }),
            Some(word) => cx.error(word, format_args!("expected a name; `{word}` is a keyword")),
            None => cx.error(value, "expected a word"),
        }
        None
    }

    /// A path, described by `what`.
    fn path(self, cx: &Ctxt, what: &str) -> Option<Given<ExprPath>> {
        let Given { key, value } = self.expr(cx)?;
        match value {
            Expr::Path(value) => Some(Given { key, value }),
            value => {
                cx.error(value, format_args!("expected the path of {what}"));
                None
            }
        }
    }

    /// The path of a module.
    pub(crate) fn module(self, cx: &Ctxt, example: &str) -> Option<Given<ExprPath>> {
        self.path(cx, &format!("a module, such as `{example}`"))
    }

    /// The path of a function.
    pub(crate) fn function(self, cx: &Ctxt) -> Option<Given<ExprPath>> {
        let given = self.path(cx, "a method, such as `Self::raise`")?;
        names_function(cx, &given.value).then_some(given)
    }
}

/// Whether a path may be that of a function, which `Self` alone is not.
pub(super) fn names_function(cx: &Ctxt, path: &ExprPath) -> bool {
    match path.path.get_ident() {
        Some(word) if path.qself.is_none() && is_reserved(word) => {
            let message = format!("`{word}` is no method; expected a path, such as `Self::raise`");
            cx.error(word, message);
            false
        }
        _ => true,
    }
}

/// The word that an expression is.
fn word_of(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Path(ExprPath { qself: None, path, .. }) => path.get_ident(),
        _ => None,
    }
}

/// What is a path, but the name of nothing.
fn is_reserved(word: &Ident) -> bool {
    ["self", "Self", "super", "crate"].iter().any(|reserved| word == reserved)
}
