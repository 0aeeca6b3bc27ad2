//! Generates the calls by which a device, or a block, passes hooks on to the blocks in it.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens as _, format_ident, quote};
use syn::spanned::Spanned as _;

use super::index::Index;
use super::tokens::{int, local, located_at, register_block};
use crate::ast::{BlockField, Device};

/// The struct whose hooks are called.
pub(super) struct Caller<'a> {
    owner: &'a Device<'a>,
    /// The type of the device, and the device.
    host: TokenStream,
    device: TokenStream,
    /// In a block, the indices of that and of the blocks around it.
    at: Option<&'a Ident>,
}

impl<'a> Caller<'a> {
    pub(super) fn device(owner: &'a Device<'a>) -> Self {
        Caller { owner, host: quote!(Self), device: quote!(self), at: None }
    }

    /// A block, one of whose hooks has these locals.
    pub(super) fn block(owner: &'a Device<'a>, device: &Ident, at: &'a Ident) -> Self {
        Caller { owner, host: quote!(__Host), device: device.to_token_stream(), at: Some(at) }
    }

    /// Returns one arm for each block, which calls the block's `function` with arguments before and
    /// behind the indices. The pattern ends with `rest`.
    pub(super) fn arms(
        &self,
        function: &str,
        before: &TokenStream,
        behind: &TokenStream,
        rest: &TokenStream,
    ) -> Vec<TokenStream> {
        let (Caller { owner, host, device, .. }, element) = (self, element());
        let function = format_ident!("{function}");
        let arms = owner.blocks.iter().map(|field| {
            let (index, block) = (Index::Block.of(field.field), register_block(field));
            // Of what is no block the type is unknown, not another mistake.
            // A device that is not the host of a block is a mistake at the field's type.
            let hooks = quote!(<#block::Hooks as __vfio_user::BlockHooks<#host>>::#function);
            let hooks = located_at(field.ty.span(), hooks);
            let (first, indices) = self.indices(field);
            let at = quote!(__vfio_user::BlockElement { block: #index, element: #element });
            quote! {
                (::core::option::Option::Some(#at), _ #rest) => {
                    #first
                    #hooks(#device, #before #indices, #behind)
                }
            }
        });
        arms.collect()
    }

    /// Returns the declaration of the index that hooks receive for the first element of a block,
    /// and the indices of an element: those of the blocks around it, and its own.
    fn indices(&self, field: &BlockField<'_>) -> (Option<TokenStream>, TokenStream) {
        let first = field.block.first.as_ref().map(|given| {
            let first = int(self.owner, &given.value);
            quote!(const __FIRST: u64 = #first;)
        });
        let offset = first.as_ref().map(|_| quote!(+ __FIRST as usize));
        let element = element();
        let around = self.at.map(|at| quote!(#at.then));
        let indices = around.unwrap_or_else(|| quote!(__vfio_user::Indices::of));
        let indices = quote!(#indices(#element #offset));
        (first, indices)
    }
}

/// The index of an element of a block of the struct.
fn element() -> Ident {
    local("element")
}
