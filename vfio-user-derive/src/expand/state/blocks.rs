//! Generates the access to the private fields of a device's blocks: which elements are written and
//! read.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::super::tokens::register_block;
use super::Names;
use crate::ast::{BlockField, Device};

/// `save_block` and `load_block`.
pub(super) fn expand(device: &Device<'_>) -> TokenStream {
    let names = Names::new();
    let Names { out, from, block, elements, .. } = &names;
    let indices = || (0..device.blocks.len()).map(Literal::usize_unsuffixed);
    let (saves, loads, types) = (indices(), indices(), indices());
    let save = device.blocks.iter().map(|field| save(&names, field));
    let load = device.blocks.iter().map(|field| load(&names, field));
    let implementations = device.blocks.iter().map(register_block);
    quote! {
        fn block_state_types(
            #block: ::core::primitive::usize,
        ) -> ::std::vec::Vec<__vfio_user::WireType> {
            match #block {
                #(#types => #implementations::state_types(),)*
                _ => ::std::vec::Vec::new(),
            }
        }
        fn save_block(
            &self,
            #block: ::core::primitive::usize,
            #elements: ::core::ops::Range<::core::primitive::usize>,
            #out: &mut __vfio_user::StateWriter<'_>,
        ) -> ::core::result::Result<(), __vfio_user::StateError> {
            match #block {
                #(#saves => #save,)*
                _ => ::core::result::Result::Ok(()),
            }
        }
        fn load_block(
            #block: ::core::primitive::usize,
            #elements: ::core::ops::Range<::core::primitive::usize>,
            #from: &mut __vfio_user::StateReader<'_>,
        ) -> ::core::result::Result<__vfio_user::Exchange<Self>, __vfio_user::StateError> {
            match #block {
                #(#loads => #load)*
                _ => ::core::result::Result::Ok(__vfio_user::exchange(|_| {})),
            }
        }
    }
}

fn save(names: &Names, field: &BlockField<'_>) -> TokenStream {
    let (Names { out, elements, .. }, name) = (names, field.field);
    let implementation = register_block(field);
    let is_array = field.length.is_some();
    let all =
        if is_array { quote!(self.#name) } else { quote!(::core::slice::from_ref(&self.#name)) };
    quote!(#implementation::save_private(&#all[#elements], #out))
}

fn load(names: &Names, field: &BlockField<'_>) -> TokenStream {
    let (Names { from, device, elements, value, .. }, name) = (names, field.field);
    let implementation = register_block(field);
    let is_array = field.length.is_some();
    let all = if is_array {
        quote!(#device.#name)
    } else {
        quote!(::core::slice::from_mut(&mut #device.#name))
    };
    quote! {{
        let mut #value = #implementation::load_private(#elements.end - #elements.start, #from)?;
        ::core::result::Result::Ok(__vfio_user::exchange(move |#device: &mut Self| {
            #value(&mut #all[::core::clone::Clone::clone(&#elements)])
        }))
    }}
}
