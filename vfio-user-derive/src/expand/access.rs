//! `load` and `store`: one arm a register.

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};

use super::{from_bits, to_bits};
use crate::ast::{Device, Register};

pub(super) fn load(device: &Device<'_>) -> TokenStream {
    if device.registers.is_empty() {
        return quote! {
            fn load(&self, _: __vfio_user::Slot) -> u64 {
                0
            }
        };
    }
    // A register without storage has an arm too, or its field would be called unused.
    let arms = device.registers.iter().enumerate().map(|(place, register)| {
        let place = Literal::usize_unsuffixed(place);
        let field = field(register);
        if register.ty.is_stored {
            let bits = to_bits(register, &field);
            quote!(#place => #bits)
        } else {
            quote!(#place => __vfio_user::no_bits(#field))
        }
    });
    quote! {
        fn load(&self, slot: __vfio_user::Slot) -> u64 {
            match slot.register {
                #(#arms,)*
                _ => 0,
            }
        }
    }
}

pub(super) fn store(device: &Device<'_>) -> TokenStream {
    let stored = device.registers.iter().enumerate().filter(|(_, register)| register.ty.is_stored);
    let arms: Vec<_> = stored
        .map(|(place, register)| {
            let place = Literal::usize_unsuffixed(place);
            let field = field(register);
            let value = from_bits(register, &format_ident!("bits"));
            quote!(#place => #field = #value)
        })
        .collect();
    if arms.is_empty() {
        return quote! {
            fn store(&mut self, _: __vfio_user::Slot, _: u64) {}
        };
    }
    quote! {
        fn store(&mut self, slot: __vfio_user::Slot, bits: u64) {
            match slot.register {
                #(#arms,)*
                _ => {}
            }
        }
    }
}

fn field(register: &Register<'_>) -> TokenStream {
    let field = register.field;
    let index = register.ty.length.as_ref().map(|_| quote!([slot.index]));
    quote!(self.#field #index)
}
