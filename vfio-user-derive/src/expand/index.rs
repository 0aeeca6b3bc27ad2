//! Generates the indices of registers, timers, blocks and memories in a declaration as constants,
//! which dispatch matches: `__registers::CONTROL`.
//!
//! A register without hooks has none: only `load` and `store` would match it, whose arms show the
//! field, and constants for a thousand registers cost the compiler a tenth of its time.

use std::collections::HashSet;

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt as _;

use crate::ast::Device;

/// What has an index of its own.
#[derive(Clone, Copy)]
pub(super) enum Index {
    Register,
    Timer,
    Block,
    Memory,
}

impl Index {
    const ALL: [Index; 4] = [Index::Register, Index::Timer, Index::Block, Index::Memory];

    /// Returns the constant of a field's index.
    pub(super) fn of(self, field: &Ident) -> TokenStream {
        let (module, name) = (self.module(), constant(field));
        quote!(#module::#name)
    }

    fn module(self) -> Ident {
        let name = match self {
            Index::Register => "__registers",
            Index::Timer => "__timers",
            Index::Block => "__blocks",
            Index::Memory => "__memories",
        };
        Ident::new(name, Span::mixed_site())
    }

    /// Returns the fields that dispatch names, with their indices.
    fn fields<'d>(self, device: &'d Device<'_>) -> Vec<(usize, &'d Ident)> {
        match self {
            Index::Register => {
                let registers = device.registers.iter().enumerate();
                let hooked =
                    registers.filter(|(_, register)| register.reg.hooks.iter().next().is_some());
                hooked.map(|(index, register)| (index, register.field)).collect()
            }
            Index::Timer => device.timers.iter().map(|timer| timer.field).enumerate().collect(),
            Index::Block => device.blocks.iter().map(|block| block.field).enumerate().collect(),
            Index::Memory => {
                device.memories().map(|(memory, _)| memory.field).enumerate().collect()
            }
        }
    }
}

/// Returns the modules of the constants. Modules, because the author's expressions are in the same
/// block, and may name constants of the author's that are called the same.
pub(super) fn declarations(device: &Device<'_>) -> TokenStream {
    let modules = Index::ALL.into_iter().map(|kind| {
        let (module, mut fields) = (kind.module(), kind.fields(device));
        // After a mistake of the author's, two fields may have the same name.
        let mut names = HashSet::new();
        fields.retain(|(_, field)| names.insert(*field));
        let names = fields.iter().map(|(_, field)| constant(field));
        let indices = fields.iter().map(|(index, _)| Literal::usize_unsuffixed(*index));
        (!fields.is_empty()).then(|| {
            quote! {
                mod #module {
                    #(pub(super) const #names: ::core::primitive::usize = #indices;)*
                }
            }
        })
    });
    quote!(#(#modules)*)
}

/// The name of a field as that of a constant. Fields may differ in their case alone, so one that
/// has a capital keeps it, behind small letters that no other constant has.
fn constant(field: &Ident) -> Ident {
    let name = field.unraw().to_string();
    let constant = if name.contains(|letter: char| letter.is_uppercase()) {
        format!("field_{name}")
    } else {
        name.to_ascii_uppercase()
    };
    Ident::new(&constant, Span::mixed_site())
}
