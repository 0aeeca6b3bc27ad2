//! An enum: the values of a field, or of a whole register.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{DataEnum, DeriveInput, Expr, Fields, Type, Variant, Visibility, parse_quote};

use super::attr::{RegisterAttr, Width};
use super::valid::not_generic;
use super::{constants, whole};
use crate::ast::last_ident;
use crate::attr::{Int, doc, library};
use crate::ctxt::Ctxt;
use crate::expand::{in_anonymous_const, int_of};
use crate::layout;
use crate::valid::rule;

pub(super) struct Enum<'a> {
    pub(super) ident: &'a Ident,
    /// The path of `vfio_user`.
    pub(super) library: TokenStream,
    pub(super) doc: String,
    pub(super) named: Vec<Named<'a>>,
    pub(super) payload: Option<Payload<'a>>,
    /// That of a register, if it is the type of one.
    pub(super) width: Option<Width>,
    /// Whether that register ignores all other values.
    pub(super) is_rejecting: bool,
}

/// ```text
/// Fast = 2,
/// ^^^^   ^
/// ```
pub(super) struct Named<'a> {
    pub(super) ident: &'a Ident,
    pub(super) value: Int,
}

/// ```text
/// Other(u8),
/// ^^^^^ ^^
/// ```
pub(super) struct Payload<'a> {
    ident: &'a Ident,
    ty: &'a Type,
    bits: u8,
}

impl<'a> Enum<'a> {
    pub(super) fn read(cx: &Ctxt, input: &'a DeriveInput, data: &'a DataEnum) -> Self {
        not_generic(cx, input);
        let ident = &input.ident;
        if data.variants.is_empty() {
            cx.error(ident, format_args!("enum `{ident}` has no variants"));
        }
        let register = RegisterAttr::read(cx, &input.attrs);
        let (width, reject) = register.map_or((None, None), |it| (it.width, it.reject));
        let (doc, is_rejecting) = (doc(&input.attrs), reject.is_some());
        let (named, payload) = (Vec::new(), None);
        let library = library(&input.attrs);
        let mut values = Enum { ident, library, doc, named, payload, width, is_rejecting };
        let mut next = Some(0);
        for variant in &data.variants {
            match &variant.fields {
                Fields::Unit => {
                    let value = values.value(cx, variant, next);
                    values.fits(cx, variant, &value);
                    next = value.known.map(|value| value.wrapping_add(1));
                    values.named.push(Named { ident: &variant.ident, value });
                }
                _ => values.read_payload(cx, variant),
            }
        }
        let constants = values.named.iter().map(|named| named.ident);
        constants::are_apart(cx, "variants", constants.filter(|it| constants::has_constant(it)));
        if let (Some(reject), Some(payload)) = (reject, &values.payload) {
            let name = payload.ident;
            let message =
                format!("`{name}` is for all other values, so none is reserved; drop one");
            cx.error(&reject.key, message);
        }
        values
    }

    /// The variant's discriminant; one that is not written is the one before and one.
    fn value(&self, cx: &Ctxt, variant: &Variant, next: Option<u64>) -> Int {
        if let Some((_, expr)) = &variant.discriminant {
            if let Expr::Unary(_) = expr {
                cx.error(expr, "a field holds no negative values");
            }
            return Int::new(expr.clone(), cx);
        }
        let expr = match (next, self.named.last()) {
            (None, Some(before)) => {
                let before = &before.value.expr;
                parse_quote!((#before) + 1)
            }
            (next, _) => {
                let value = proc_macro2::Literal::u64_unsuffixed(next.unwrap_or(0));
                parse_quote!(#value)
            }
        };
        Int { expr, known: next }
    }

    /// F05: a variant is a value of the register, if it is the type of one.
    fn fits(&self, cx: &Ctxt, variant: &Variant, value: &Int) {
        let (Some(width), Some(known)) = (&self.width, value.known) else { return };
        let (ty, name) = (self.ident.to_string(), variant.ident.to_string());
        let check = layout::register_variant(width.bits, &ty, &name, known);
        match &variant.discriminant {
            Some(_) => rule(cx, value, check),
            None => rule(cx, &variant.ident, check),
        };
    }

    fn read_payload(&mut self, cx: &Ctxt, variant: &'a Variant) {
        let ident = &variant.ident;
        let payload = match &variant.fields {
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                let ty = &fields.unnamed[0].ty;
                bits_of(ty).map(|bits| Payload { ident, ty, bits })
            }
            _ => None,
        };
        match (payload, &self.payload) {
            (None, _) => cx.error(
                &variant.fields,
                format_args!("`{ident}` holds the other values of a field: `{ident}(u8)`"),
            ),
            (Some(_), Some(first)) => {
                let message = format!("`{ident}` and `{}` both hold the other values", first.ident);
                cx.error(ident, message);
            }
            (Some(payload), None) => {
                if let Some(width) = &self.width {
                    let (name, bits) = (ident.to_string(), payload.bits.into());
                    rule(cx, payload.ty, layout::register_payload(width.bits, &name, bits));
                }
                self.payload = Some(payload);
            }
        }
    }
}

fn bits_of(ty: &Type) -> Option<u8> {
    match last_ident(ty)?.to_string().as_str() {
        "u8" => Some(8),
        "u16" => Some(16),
        "u32" => Some(32),
        "u64" => Some(64),
        _ => None,
    }
}

pub(super) fn expand(values: &Enum<'_>, vis: &Visibility) -> TokenStream {
    let ident = values.ident;
    let named = values.named.iter().map(|named| {
        let (name, value) = (named.ident.to_string(), int_of(ident, &named.value));
        quote!((#value, #name))
    });
    let others = values.payload.as_ref().map(|payload| {
        let bits = proc_macro2::Literal::u8_unsuffixed(payload.bits);
        quote!(.or_bits(#bits))
    });
    let (to_bits, from_bits) = (to_bits(values), from_bits(values));
    let constants = constants::of_variants(values, vis);
    let register = values.width.as_ref().map(|width| whole::expand(values, width));
    in_anonymous_const(
        &values.library,
        &quote! {
            #[automatically_derived]
            impl __vfio_user::FieldValue for #ident {
                const VALUES: __vfio_user::Values = __vfio_user::Values::named(&[#(#named),*]) #others;
                #to_bits
                #from_bits
            }
            #constants
            #register
        },
    )
}

fn to_bits(values: &Enum<'_>) -> TokenStream {
    let named = values.named.iter().map(|named| {
        let (name, value) = (named.ident, int_of(values.ident, &named.value));
        quote!(Self::#name => #value)
    });
    let other = values.payload.iter().map(|payload| {
        let name = payload.ident;
        quote!(Self::#name(other) => __vfio_user::bits(other))
    });
    let arms = named.chain(other);
    quote! {
        fn to_bits(self) -> u64 {
            match self {
                #(#arms,)*
            }
        }
    }
}

fn from_bits(values: &Enum<'_>) -> TokenStream {
    let arms = values.named.iter().map(|named| {
        let (name, value) = (named.ident, &named.value);
        let value_of = int_of(values.ident, value);
        let pattern = if value.known.is_some() && crate::literal::is_plain(&value.expr) {
            quote!(#value_of)
        } else {
            quote!(_ if bits == #value_of)
        };
        quote!(#pattern => ::core::option::Option::Some(Self::#name))
    });
    let other = values.payload.as_ref().map_or_else(
        || quote!(::core::option::Option::None),
        |Payload { ident, ty, .. }| {
            quote!(<#ty as __vfio_user::FieldValue>::from_bits(bits).map(Self::#ident))
        },
    );
    quote! {
        fn from_bits(bits: u64) -> ::core::option::Option<Self> {
            match bits {
                #(#arms,)*
                _ => #other,
            }
        }
    }
}
