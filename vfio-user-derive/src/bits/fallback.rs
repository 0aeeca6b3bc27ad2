//! What stands in for a type whose declaration is wrong.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error};

use crate::expand::in_anonymous_const;

pub(super) fn expand(input: &DeriveInput, error: &Error) -> TokenStream {
    let ident = &input.ident;
    let (impl_generics, ty_generics, where_clause) = input.generics.split_for_impl();
    let errors = error.to_compile_error();
    let (name, data) = if let Data::Enum(_) = input.data {
        (
            quote!(FieldValue),
            quote! {
                const VALUES: __vfio_user::Values = __vfio_user::Values::of_bits(64);
                fn from_bits(_: u64) -> ::core::option::Option<Self> {
                    ::core::option::Option::None
                }
            },
        )
    } else {
        (
            quote!(RegisterValue),
            quote! {
                const WIDTH: u8 = 1;
                fn from_bits(_: u64) -> Self {
                    __vfio_user::no_value()
                }
            },
        )
    };
    let placeholder = in_anonymous_const(&quote! {
        #[automatically_derived]
        impl #impl_generics __vfio_user::#name for #ident #ty_generics #where_clause {
            #data
            fn to_bits(self) -> u64 {
                0
            }
        }
    });
    quote! {
        #errors
        #placeholder
    }
}
