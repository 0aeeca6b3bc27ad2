//! `load` and `store`: one arm a register.

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};

use super::{from_bits, register_block, to_bits};
use crate::ast::{BlockField, Device, Register};

pub(super) fn load(device: &Device<'_>) -> TokenStream {
    if device.registers.is_empty() && device.blocks.is_empty() {
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
    let blocks = in_blocks(device, |field| {
        let (name, implementation) = (element(field), register_block(field));
        quote!(#implementation::load(&#name, slot))
    });
    quote! {
        fn load(&self, slot: __vfio_user::Slot) -> u64 {
            #blocks
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
    if arms.is_empty() && device.blocks.is_empty() {
        return quote! {
            fn store(&mut self, _: __vfio_user::Slot, _: u64) {}
        };
    }
    let blocks = in_blocks(device, |field| {
        let (name, implementation) = (element(field), register_block(field));
        quote!(#implementation::store(&mut #name, slot, bits))
    });
    quote! {
        fn store(&mut self, slot: __vfio_user::Slot, bits: u64) {
            #blocks
            match slot.register {
                #(#arms,)*
                _ => {}
            }
        }
    }
}

/// What happens to registers of blocks, which leave the function here.
fn in_blocks(
    device: &Device<'_>,
    access: impl Fn(&BlockField<'_>) -> TokenStream,
) -> Option<TokenStream> {
    let arms = device.blocks.iter().enumerate().map(|(place, field)| {
        let (place, access) = (Literal::usize_unsuffixed(place), access(field));
        quote!(#place => return #access,)
    });
    (arms.len() > 0).then(|| {
        quote! {
            if let ::core::option::Option::Some(at) = slot.block {
                match at.block {
                    #(#arms)*
                    _ => {}
                }
            }
        }
    })
}

fn element(block: &BlockField<'_>) -> TokenStream {
    let field = block.field;
    let index = block.length.as_ref().map(|_| quote!([at.index]));
    quote!(self.#field #index)
}

fn field(register: &Register<'_>) -> TokenStream {
    let field = register.field;
    let index = register.ty.length.as_ref().map(|_| quote!([slot.index]));
    quote!(self.#field #index)
}
