//! An enum that is the type of a register: one field of all its bits.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::attr::Width;
use super::expand::conversions;
use super::values::{Enum, Named};
use crate::expand::{doc, enforce, int_of};

/// The name of that field, in logs and descriptions.
const FIELD: &str = "value";

pub(super) fn expand(values: &Enum<'_>, width: &Width) -> TokenStream {
    let Enum { ident, .. } = values;
    let bits = Literal::u64_unsuffixed(width.bits);
    let reject = values.is_rejecting.then(|| quote!(.with_rejection()));
    let doc = doc(&values.doc);
    let checks = checks(values, width);
    let register_value = register_value(values, width);
    let conversions = conversions(ident, &width.int, !values.is_rejecting);
    quote! {
        const __FIELDS: &[__vfio_user::Field] = &[
            __vfio_user::Field::new(#FIELD, 0, #bits)
                .with_values(<#ident as __vfio_user::FieldValue>::VALUES)
                #reject #doc
        ];
        #checks
        #register_value
        #conversions
    }
}

/// F05: all values of the register have a variant, and all variants are values of the register.
fn checks(values: &Enum<'_>, width: &Width) -> TokenStream {
    let (ident, ty) = (values.ident, values.ident.to_string());
    let bits = Literal::u64_unsuffixed(width.bits);
    let unknown = values.named.iter().filter(|named| named.value.known.is_none());
    let variants = unknown.map(|Named { ident: variant, value }| {
        let (name, value_of) = (variant.to_string(), int_of(ident, value));
        enforce(value, quote!(__vfio_user::register_variant(#bits, #ty, #name, #value_of)))
    });
    let total = (values.payload.is_none() && !values.is_rejecting)
        .then(|| enforce(ident, quote!(__vfio_user::check_register_type(&__FIELDS[0], #ty))));
    quote!(#(#variants)* #total)
}

fn register_value(values: &Enum<'_>, width: &Width) -> TokenStream {
    let ident = values.ident;
    let bytes = Literal::u64_unsuffixed(width.bits / 8);
    // Of a value without variant, the bus has no better one.
    let other = values.named.first().filter(|_| values.payload.is_none());
    let from_bits = other.map_or_else(
        || quote!(unpack(&__FIELDS[0], bits, <#ident as __vfio_user::FieldValue>::from_bits)),
        |Named { ident: first, .. }| quote!(unpack_or(&__FIELDS[0], bits, #ident::#first)),
    );
    quote! {
        #[automatically_derived]
        impl __vfio_user::RegisterValue for #ident {
            const WIDTH: u8 = #bytes;
            const FIELDS: &'static [__vfio_user::Field] = __FIELDS;
            fn to_bits(self) -> u64 {
                __FIELDS[0].insert(<#ident as __vfio_user::FieldValue>::to_bits(self))
            }
            fn from_bits(bits: u64) -> Self {
                __vfio_user::#from_bits
            }
        }
    }
}
