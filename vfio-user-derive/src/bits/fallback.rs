//! What stands in for a type whose declaration is wrong.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput};

use crate::attr::library;
use crate::expand::in_anonymous_const;

pub(super) fn expand(input: &DeriveInput, errors: &TokenStream) -> TokenStream {
    let ident = &input.ident;
    // The bounds of a generic type would be another mistake.
    if !input.generics.params.is_empty() {
        return errors.clone();
    }
    let is_enum = matches!(input.data, Data::Enum(_));
    let is_register = input.attrs.iter().any(|attr| attr.path().is_ident("register"));
    let field = is_enum.then(|| {
        quote! {
            #[automatically_derived]
            impl __vfio_user::FieldValue for #ident {
                const VALUES: __vfio_user::Values = __vfio_user::Values::of_bits(64);
                fn to_bits(self) -> u64 {
                    0
                }
                fn from_bits(_: u64) -> ::core::option::Option<Self> {
                    ::core::option::Option::None
                }
            }
        }
    });
    let register = (!is_enum || is_register).then(|| {
        quote! {
            #[automatically_derived]
            impl __vfio_user::RegisterValue for #ident {
                const WIDTH: u8 = 1;
                fn to_bits(self) -> u64 {
                    0
                }
                fn from_bits(_: u64) -> Self {
                    __vfio_user::no_value()
                }
            }
        }
    });
    let placeholder = in_anonymous_const(&library(&input.attrs), &quote!(#field #register));
    quote! {
        #errors
        #placeholder
    }
}
