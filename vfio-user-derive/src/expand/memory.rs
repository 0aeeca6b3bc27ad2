//! Generates memory: its declaration, its checks, and one arm for each access to the bytes.

use proc_macro2::{Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::descriptor::{bar_number, bytes};
use super::index::Index;
use super::tokens::{doc, enforce, int_of, local};
use crate::ast::{Device, PrivateField};
use crate::attr::{Int, Memory, MemoryReset};
use crate::storage::Storage;

/// `const __MEMORIES: ..`, if there are any.
pub(super) fn declarations(device: &Device<'_>) -> Option<TokenStream> {
    let memories: Vec<_> =
        device.memories().filter_map(|(field, memory)| one(device, field, memory)).collect();
    (!memories.is_empty())
        .then(|| quote!(const __MEMORIES: &[__vfio_user::MemoryRange] = &[#(#memories),*];))
}

fn one(device: &Device<'_>, field: &PrivateField<'_>, memory: &Memory) -> Option<TokenStream> {
    let (name, (start, end)) = (&field.name, bytes(device, memory.range.as_ref()?));
    let bar = bar_number(device.bar_or_default(memory.bar.as_ref()));
    let reset = memory.reset.as_ref().map(|given| {
        let reset = match given.value {
            MemoryReset::Keep => quote!(Keep),
            MemoryReset::Zero => quote!(Zero),
        };
        quote!(.with_reset(__vfio_user::MemoryReset::#reset))
    });
    let hook = memory.on_write.as_ref().map(|_| quote!(.with_hook()));
    let doc = doc(&field.doc);
    Some(quote!(__vfio_user::MemoryRange::new(#name, #start, #end) #bar #reset #hook #doc))
}

/// The number of bytes of a field that is memory.
pub(super) fn size(device: &Device<'_>, field: &PrivateField<'_>) -> Option<TokenStream> {
    let index = device.memories().position(|(memory, _)| std::ptr::eq(memory, field))?;
    let index = Literal::usize_unsuffixed(index);
    // Not an index: the compiler does not promote what may panic.
    Some(quote!(__vfio_user::memory_size(__MEMORIES, #index)))
}

/// Checks that each memory fits in its BAR, and its array in the range.
pub(super) fn checks(device: &Device<'_>) -> Vec<TokenStream> {
    let memories = device.memories().enumerate().flat_map(|(index, (field, memory))| {
        let index = Literal::usize_unsuffixed(index);
        let range = memory.range.as_ref();
        let range = range.map(|range| {
            enforce(&range.range, quote!(__vfio_user::check_memory(__CHECKED, #index, __CROWDED)))
        });
        let length = match Storage::of(field.ty) {
            Some(Storage::Array(length)) => {
                let bytes = int_of(device.ident, &Int::quiet(length.clone()));
                let check = quote!(__vfio_user::check_memory_length(__CHECKED, #index, #bytes));
                Some(enforce(length, check))
            }
            _ => None,
        };
        [range, length].into_iter().flatten()
    });
    memories.collect()
}

/// The methods that access the bytes.
pub(super) fn access(device: &Device<'_>) -> Option<TokenStream> {
    device.memories().next()?;
    let (cx, at, len, range) = (local("cx"), local("index"), local("len"), local("range"));
    let arms = |of: &dyn Fn(&PrivateField<'_>, &Memory) -> TokenStream| -> Vec<_> {
        let arm = |(field, memory): (&PrivateField<'_>, &Memory)| {
            let (index, body) = (Index::Memory.of(field.field), of(field, memory));
            quote!(#index => { #body })
        };
        device.memories().map(arm).collect()
    };
    let shared = arms(&|field, _| {
        let field = field.field;
        quote!(&self.#field[..])
    });
    let mutable = arms(&|field, _| {
        let field = field.field;
        quote!(&mut self.#field[..])
    });
    let allocate = arms(&|field, _| {
        let (field, storage) = (field.field, Storage::of(field.ty));
        match storage {
            Some(Storage::Vec) => quote!(self.#field = ::std::vec![0; #len];),
            Some(Storage::Boxed) => {
                quote!(self.#field = ::std::vec![0; #len].into_boxed_slice();)
            }
            Some(Storage::Array(_)) | None => quote!(),
        }
    });
    let written = arms(&|_, memory| {
        let Some(given) = &memory.on_write else { return quote!() };
        let (path, hook) = (&given.value, local("hook"));
        let taken = quote!(&mut Self, &mut __vfio_user::Cx<'_, Self>, ::core::ops::Range<usize>);
        let ty = quote_spanned!(path.span()=> fn(#taken));
        quote! {
            let #hook: #ty = #path;
            #hook(self, #cx, #range);
        }
    });
    Some(quote! {
        fn memory(&self, #at: usize) -> &[u8] {
            match #at {
                #(#shared)*
                _ => &[],
            }
        }

        fn memory_mut(&mut self, #at: usize) -> &mut [u8] {
            match #at {
                #(#mutable)*
                _ => &mut [],
            }
        }

        fn allocate_memory(&mut self, #at: usize, #len: usize) {
            match #at {
                #(#allocate)*
                _ => {}
            }
        }

        fn memory_written(
            &mut self,
            #cx: &mut __vfio_user::Cx<'_, Self>,
            #at: usize,
            #range: ::core::ops::Range<usize>,
        ) {
            match #at {
                #(#written)*
                _ => {}
            }
        }
    })
}
