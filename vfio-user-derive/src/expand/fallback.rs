//! Generates a placeholder for a device whose declaration is wrong: the errors, and an impl, so
//! that nothing else fails for lack of one.

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

use crate::attr::library;

pub(super) fn expand(input: &DeriveInput, errors: &TokenStream) -> TokenStream {
    let ident = &input.ident;
    let (impl_generics, ty_generics, where_clause) = input.generics.split_for_impl();
    // Devices are `'static`, so an impl for this one would cause another error.
    if input.generics.lifetimes().next().is_some() {
        return errors.clone();
    }
    let placeholder = super::in_anonymous_const(
        &library(&input.attrs),
        &quote! {
            #[automatically_derived]
            impl #impl_generics __vfio_user::PciDevice for #ident #ty_generics #where_clause {
                const DESCRIPTOR: __vfio_user::Descriptor = __vfio_user::PLACEHOLDER;
                fn load(&self, _: __vfio_user::Slot) -> u64 {
                    0
                }
                fn store(&mut self, _: __vfio_user::Slot, _: u64) {}
            }
        },
    );
    quote! {
        #errors
        #placeholder
    }
}

/// The same for a block.
pub(super) fn expand_block(input: &DeriveInput, errors: &TokenStream) -> TokenStream {
    let ident = &input.ident;
    if !input.generics.params.is_empty() {
        return errors.clone();
    }
    let placeholder = super::in_anonymous_const(
        &library(&input.attrs),
        &quote! {
            #[automatically_derived]
            impl __vfio_user::RegisterBlock for #ident {
                type Hooks = Self;
                const REGISTERS: &'static [__vfio_user::Register] = __vfio_user::PLACEHOLDER_BLOCK;
                const STATE: ::core::option::Option<__vfio_user::StateLayout> =
                    ::core::option::Option::Some(__vfio_user::StateLayout::new(1, 1, &[]));
                fn load(&self, _: __vfio_user::Slot) -> u64 {
                    0
                }
                fn store(&mut self, _: __vfio_user::Slot, _: u64) {}
            }
            #[automatically_derived]
            impl<__Host: __vfio_user::Device> __vfio_user::BlockHooks<__Host> for #ident {}
        },
    );
    quote! {
        #errors
        #placeholder
    }
}
