//! Quoting a struct of named bits.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens as _, format_ident, quote};

use super::ast::{Field, Struct};
use super::attr::Width;
use super::constants;
use crate::expand::{doc, enforce, in_anonymous_const, int_of};
use crate::literal;

pub(super) fn expand(bits: &Struct<'_>) -> TokenStream {
    let Struct { width: Some(width), fields, .. } = bits else { return TokenStream::new() };
    let data = fields.iter().map(|field| declaration(bits, field));
    let checks = fields.iter().enumerate().map(|(index, field)| check(index, field));
    let register_value = register_value(bits, width);
    let is_total = fields.iter().all(|field| field.attr.reject.is_none());
    let conversions = conversions(bits.ident, &width.int, is_total);
    let constants = constants::of_fields(bits, width);
    in_anonymous_const(
        &bits.library,
        &quote! {
            const __FIELDS: &[__vfio_user::Field] = &[#(#data),*];
            #(#checks)*
            #constants
            #register_value
            #conversions
        },
    )
}

fn declaration(bits: &Struct<'_>, field: &Field<'_>) -> TokenStream {
    let name = &field.name;
    let shift = field.attr.bits.as_ref().map_or(0, |bits| bits.first);
    let shift = Literal::u64_unsuffixed(shift);
    let width = Literal::u64_unsuffixed(field.width());
    let policy = field.attr.policy.as_ref().map(|given| {
        let policy = given.value;
        let policy = format_ident!("{policy:?}");
        quote!(.with_policy(__vfio_user::Policy::#policy))
    });
    let reset = field.attr.reset.as_ref().map(|given| {
        let value = int_of(bits.ident, &given.value);
        // `!0` has as many ones as the field has bits.
        if literal::is_untyped(&given.value.expr) && literal::inverts(&given.value.expr) {
            return quote!(.with_reset((#value) & __vfio_user::bit_mask(#width)));
        }
        quote!(.with_reset(#value))
    });
    let values = field_value(field);
    let reject = field.attr.reject.as_ref().map(|_| quote!(.with_rejection()));
    let pulse = field.attr.pulse.as_ref().map(|_| quote!(.with_pulse()));
    let volatile = field.attr.volatile.as_ref().map(|_| quote!(.with_volatile()));
    let doc = doc(&field.doc);
    quote! {
        __vfio_user::Field::new(#name, #shift, #width)
            .with_values(#values::VALUES)
            #policy #reset #reject #pulse #volatile #doc
    }
}

/// F04, F05, V01, V04, where the macro does not know the values.
fn check(index: usize, field: &Field<'_>) -> TokenStream {
    let index = Literal::usize_unsuffixed(index);
    let ty = field.ty.to_token_stream().to_string();
    let known_reset = field.attr.reset.as_ref().is_none_or(|reset| reset.value.known.is_some());
    let is_known = field.values().is_some();
    let of_type = (!is_known)
        .then(|| enforce(field.ty, quote!(__vfio_user::check_field_type(&__FIELDS[#index], #ty))));
    let of_reset = (!is_known || !known_reset).then(|| {
        let check = quote!(__vfio_user::check_field_reset(&__FIELDS[#index], #ty));
        match &field.attr.reset {
            Some(reset) => enforce(&reset.value, check),
            None => enforce(field.ty, check),
        }
    });
    quote!(#of_type #of_reset)
}

fn register_value(bits: &Struct<'_>, width: &Width) -> TokenStream {
    let ident = bits.ident;
    let bytes = Literal::u64_unsuffixed(width.bits / 8);
    let indices = (0..bits.fields.len()).map(Literal::usize_unsuffixed);
    let (to_bits, from_bits): (Vec<_>, Vec<_>) = bits
        .fields
        .iter()
        .zip(indices)
        .map(|(field, index)| {
            let (name, implementation) = (field.ident, field_value(field));
            (
                quote!(__FIELDS[#index].insert(#implementation::to_bits(self.#name))),
                quote! {
                    #name: __vfio_user::unpack(&__FIELDS[#index], bits, #implementation::from_bits)
                },
            )
        })
        .unzip();
    quote! {
        #[automatically_derived]
        impl __vfio_user::RegisterValue for #ident {
            const WIDTH: u8 = #bytes;
            const FIELDS: &'static [__vfio_user::Field] = __FIELDS;
            fn to_bits(self) -> u64 {
                #(#to_bits)|*
            }
            fn from_bits(bits: u64) -> Self {
                #ident { #(#from_bits,)* }
            }
        }
    }
}

/// The trait of a type that may not implement it: always in this form, so that the compiler
/// reports the mistake once.
fn field_value(field: &Field<'_>) -> TokenStream {
    let ty = field.ty;
    quote!(<#ty as __vfio_user::FieldValue>)
}

/// To and from the integer; `is_total` if that never fails.
pub(super) fn conversions(ident: &Ident, int: &Ident, is_total: bool) -> TokenStream {
    let from = if is_total {
        quote! {
            #[automatically_derived]
            impl ::core::convert::From<#int> for #ident {
                fn from(bits: #int) -> Self {
                    __vfio_user::value(__vfio_user::bits(bits))
                }
            }
        }
    } else {
        quote! {
            #[automatically_derived]
            impl ::core::convert::TryFrom<#int> for #ident {
                type Error = __vfio_user::UnknownValue;
                fn try_from(bits: #int) -> ::core::result::Result<Self, Self::Error> {
                    let bits = __vfio_user::bits(bits);
                    __vfio_user::known(__FIELDS, bits)?;
                    ::core::result::Result::Ok(__vfio_user::value(bits))
                }
            }
        }
    };
    quote! {
        #[automatically_derived]
        impl ::core::convert::From<#ident> for #int {
            fn from(register: #ident) -> Self {
                __vfio_user::value(__vfio_user::bits(register))
            }
        }
        #from
    }
}
