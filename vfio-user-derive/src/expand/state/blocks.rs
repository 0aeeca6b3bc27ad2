//! Generates the access to the private fields of the blocks of a struct: which elements are written
//! and read. A block in another one is passed on to that.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::super::index::Index;
use super::super::tokens::register_block;
use super::Names;
use crate::ast::{BlockField, Device};

/// `block_state_types`, `save_block` and `load_block` of a device.
pub(super) fn of_device(device: &Device<'_>) -> TokenStream {
    let names = Names::new();
    let Names { out, from, block, elements, inner, .. } = &names;
    let types = types(&names, device);
    let (saves, loads) = (indices(device), indices(device));
    let save = device.blocks.iter().map(|field| save(&names, field));
    let load = device.blocks.iter().map(|field| load(&names, field));
    let enter = quote! {
        let (#block, #inner, #elements) =
            __vfio_user::enter_elements(__BLOCKS, #block, #elements);
    };
    quote! {
        fn block_state_types(
            #block: ::core::primitive::usize,
        ) -> ::std::vec::Vec<__vfio_user::WireType> {
            #types
        }
        fn save_block(
            &self,
            #block: ::core::primitive::usize,
            #elements: ::core::ops::Range<::core::primitive::usize>,
            #out: &mut __vfio_user::StateWriter<'_>,
        ) -> ::core::result::Result<(), __vfio_user::StateError> {
            #enter
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
            #enter
            match #block {
                #(#loads => #load)*
                _ => ::core::result::Result::Ok(__vfio_user::exchange(|_| {})),
            }
        }
    }
}

/// `inner_state_types`, `save_inner` and `load_inner` of a block with others in it.
pub(super) fn of_block(device: &Device<'_>) -> TokenStream {
    let names = Names::new();
    let Names { out, from, block, elements, inner, count, .. } = &names;
    let types = types(&names, device);
    let (saves, loads) = (indices(device), indices(device));
    let save = device.blocks.iter().map(|field| save_inner(&names, field));
    let load = device.blocks.iter().map(|field| load_inner(&names, field));
    let enter = quote!(let (#block, #inner) = __vfio_user::enter_block(__BLOCKS, #block););
    quote! {
        fn inner_state_types(
            #block: ::core::primitive::usize,
        ) -> ::std::vec::Vec<__vfio_user::WireType> {
            #types
        }
        fn save_inner(
            #elements: &[&Self],
            #block: ::core::primitive::usize,
            #out: &mut __vfio_user::StateWriter<'_>,
        ) -> ::core::result::Result<(), __vfio_user::StateError> {
            #enter
            match #block {
                #(#saves => #save)*
                _ => ::core::result::Result::Ok(()),
            }
        }
        fn load_inner(
            #count: ::core::primitive::usize,
            #block: ::core::primitive::usize,
            #from: &mut __vfio_user::StateReader<'_>,
        ) -> ::core::result::Result<__vfio_user::ExchangeAll<Self>, __vfio_user::StateError> {
            #enter
            match #block {
                #(#loads => #load)*
                _ => ::core::result::Result::Ok(__vfio_user::exchange_all(|_| {})),
            }
        }
    }
}

fn indices(device: &Device<'_>) -> impl Iterator<Item = TokenStream> {
    device.blocks.iter().map(|field| Index::Block.of(field.field))
}

fn types(names: &Names, device: &Device<'_>) -> TokenStream {
    let (Names { block, inner, .. }, indices) = (names, indices(device));
    let types = device.blocks.iter().map(register_block);
    quote! {
        let (#block, #inner) = __vfio_user::enter_block(__BLOCKS, #block);
        match #block {
            #(#indices => #types::types_of(#inner),)*
            _ => ::std::vec::Vec::new(),
        }
    }
}

fn save(names: &Names, field: &BlockField<'_>) -> TokenStream {
    let (Names { out, elements, inner, .. }, name) = (names, field.field);
    let implementation = register_block(field);
    let is_array = field.length.is_some();
    let all =
        if is_array { quote!(self.#name) } else { quote!(::core::slice::from_ref(&self.#name)) };
    let all = quote!(&__vfio_user::each(&#all[#elements]));
    quote!(#implementation::save_elements(#all, #inner, #out))
}

fn load(names: &Names, field: &BlockField<'_>) -> TokenStream {
    let Names { from, device, elements, value, inner, .. } = names;
    let (name, implementation) = (field.field, register_block(field));
    let is_array = field.length.is_some();
    let all = if is_array {
        quote!(#device.#name)
    } else {
        quote!(::core::slice::from_mut(&mut #device.#name))
    };
    let count = quote!(#elements.end - #elements.start);
    quote! {{
        let mut #value = #implementation::load_elements(#count, #inner, #from)?;
        ::core::result::Result::Ok(__vfio_user::exchange(move |#device: &mut Self| {
            let #elements = ::core::clone::Clone::clone(&#elements);
            #value(&mut __vfio_user::each_mut(&mut #all[#elements]))
        }))
    }}
}

fn save_inner(names: &Names, field: &BlockField<'_>) -> TokenStream {
    let Names { out, elements, inner, device: it, .. } = names;
    let implementation = register_block(field);
    let elements = collected(&quote!(#elements.iter()), it, &quote!(&), field);
    quote!({
        let #it = #elements;
        #implementation::save_elements(&#it, #inner, #out)
    })
}

fn load_inner(names: &Names, field: &BlockField<'_>) -> TokenStream {
    let Names { from, device: it, elements, value, inner, count, .. } = names;
    let (index, implementation) = (Index::Block.of(field.field), register_block(field));
    let all = collected(&quote!(#elements.iter_mut()), it, &quote!(&mut), field);
    let count = quote!(#count * __BLOCKS[#index].own_count() as ::core::primitive::usize);
    quote! {{
        let mut #value = #implementation::load_elements(#count, #inner, #from)?;
        ::core::result::Result::Ok(__vfio_user::exchange_all(move |#elements: &mut [&mut Self]| {
            let mut #it = #all;
            #value(&mut #it)
        }))
    }}
}

/// Collects the elements of a block in all elements of this one.
fn collected(
    elements: &TokenStream,
    it: &Ident,
    borrow: &TokenStream,
    field: &BlockField<'_>,
) -> TokenStream {
    let name = field.field;
    let each = if field.length.is_some() {
        quote!(::core::iter::Iterator::flat_map(#elements, |#it| #borrow #it.#name))
    } else {
        quote!(::core::iter::Iterator::map(#elements, |#it| #borrow #it.#name))
    };
    quote!(::core::iter::Iterator::collect::<::std::vec::Vec<_>>(#each))
}
