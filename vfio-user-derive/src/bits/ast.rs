//! What the author wrote.

use std::collections::HashSet;

use proc_macro2::{Ident, TokenStream};
use syn::ext::IdentExt as _;
use syn::{DeriveInput, Expr, Type, Visibility};

use super::attr::{FieldAttr, RegisterAttr, Width};
use crate::ast::{last_ident, named_fields};
use crate::attr::{doc, library};
use crate::ctxt::Ctxt;
use crate::layout::Values;

pub(super) struct Struct<'a> {
    pub(super) ident: &'a Ident,
    /// The path of `vfio_user`.
    pub(super) library: TokenStream,
    /// Absent after a mistake.
    pub(super) width: Option<Width>,
    pub(super) fields: Vec<Field<'a>>,
    /// The struct has a field that the compiler refuses, so nothing can be generated for it.
    pub(super) is_broken: bool,
}

pub(super) struct Field<'a> {
    pub(super) ident: &'a Ident,
    /// For messages and logs.
    pub(super) name: String,
    pub(super) ty: &'a Type,
    pub(super) vis: &'a Visibility,
    pub(super) doc: String,
    pub(super) attr: FieldAttr,
}

/// ```text
/// #[field(bits = 3..=5)]
///                ^^^^^
/// ```
pub(super) struct Bits {
    pub(super) at: Expr,
    pub(super) first: u64,
    pub(super) last: u64,
}

impl<'a> Struct<'a> {
    /// Nothing if there is no struct with named fields. U05
    pub(super) fn read(cx: &Ctxt, input: &'a DeriveInput) -> Option<Self> {
        let fields = named_fields(cx, input, "a register")?;
        let (ident, register) = (&input.ident, RegisterAttr::read(cx, &input.attrs));
        let lacks_width = register
            .as_ref()
            .is_none_or(|register| register.krate.is_some() && register.width.is_none());
        if lacks_width && !cx.has_errors() {
            cx.error(ident, format_args!("register `{ident}` needs its width: `#[register(u32)]`"));
        }
        if let Some(reject) = register.as_ref().and_then(|register| register.reject.as_ref()) {
            cx.error(&reject.key, "`reserved` belongs on the fields that have such values");
        }
        // The compiler has an error of its own for these.
        let mut names = HashSet::new();
        let mut is_new = |field: &&syn::Field| {
            let ident = field.ident.as_ref();
            ident.is_some_and(|ident| ident != "_" && names.insert(ident.unraw().to_string()))
        };
        let kept: Vec<_> = fields.named.iter().filter(&mut is_new).collect();
        let is_broken = kept.len() < fields.named.len();
        Some(Struct {
            ident,
            library: library(&input.attrs),
            width: register.and_then(|register| register.width),
            fields: kept.into_iter().filter_map(|field| Field::read(cx, field)).collect(),
            is_broken,
        })
    }
}

impl<'a> Field<'a> {
    fn read(cx: &Ctxt, field: &'a syn::Field) -> Option<Self> {
        let ident = field.ident.as_ref()?;
        Some(Field {
            ident,
            name: ident.unraw().to_string(),
            ty: &field.ty,
            vis: &field.vis,
            doc: doc(&field.attrs),
            attr: FieldAttr::read(cx, ident, &field.attrs),
        })
    }

    /// In bits, after mistakes 1.
    pub(super) fn width(&self) -> u64 {
        self.attr.bits.as_ref().map_or(1, |bits| bits.last - bits.first + 1)
    }

    /// What its type can say, if the macro knows.
    pub(super) fn values(&self) -> Option<Values> {
        let bits = match last_ident(self.ty)?.to_string().as_str() {
            "bool" => 1,
            "u8" => 8,
            "u16" => 16,
            "u32" => 32,
            "u64" => 64,
            _ => return None,
        };
        Some(Values::of_bits(bits))
    }
}
