//! The name of a register, or of a field of one: `ctrl`, `ctrl.locked`.

use proc_macro2::Ident;
use syn::parse::{Parse, ParseStream};
use syn::{Expr, ExprField, Member, Token, parse_quote};

use super::{Given, Item};
use crate::ctxt::Ctxt;

/// ```text
/// select = ctrl.index
///          ^^^^ ^^^^^ register, field
/// ```
#[derive(Clone)]
pub(crate) struct RegisterPath {
    pub(crate) expr: Expr,
    pub(crate) register: Ident,
    pub(crate) field: Option<Ident>,
}

impl RegisterPath {
    /// Returns the path that an expression is, if it is one.
    pub(super) fn new(expr: &Expr) -> Option<Self> {
        let (register, field) = match expr {
            Expr::Field(ExprField { base, member: Member::Named(field), .. }) => {
                (name(base), Some(field.clone()))
            }
            other => (name(other), None),
        };
        Some(RegisterPath { expr: expr.clone(), register: register?, field })
    }

    /// Reads the value of an item.
    pub(super) fn read(cx: &Ctxt, item: Item) -> Option<Given<Self>> {
        let Given { key, value } = item.expr(cx)?;
        if let Some(value) = Self::new(&value) {
            return Some(Given { key, value });
        }
        let message = format!("expected a register or a field of one: `{key} = ctrl.index`");
        cx.error(value, message);
        None
    }

    /// Returns the path as it is written.
    pub(crate) fn name(&self) -> String {
        match &self.field {
            Some(field) => format!("{}.{field}", self.register),
            None => self.register.to_string(),
        }
    }
}

impl Parse for RegisterPath {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let register: Ident = input.parse()?;
        if !input.peek(Token![.]) {
            return Ok(RegisterPath { expr: parse_quote!(#register), register, field: None });
        }
        input.parse::<Token![.]>()?;
        let field: Ident = input.parse()?;
        let expr = parse_quote!(#register.#field);
        Ok(RegisterPath { expr, register, field: Some(field) })
    }
}

fn name(expr: &Expr) -> Option<Ident> {
    match expr {
        Expr::Path(path) => path.path.get_ident().cloned(),
        _ => None,
    }
}
