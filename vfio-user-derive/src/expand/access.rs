//! Generates `load` and `store`, with one arm for each register.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens as _, quote};
use syn::Type;

use super::index::Index;
use super::tokens::{from_bits, local, register_block, to_bits};
use crate::ast::{BlockField, Device, Register};
use crate::attr::RegisterPath;

pub(super) fn load(device: &Device<'_>) -> TokenStream {
    if device.registers.is_empty() && device.blocks.is_empty() {
        return quote! {
            fn load(&self, _: __vfio_user::Slot) -> u64 {
                0
            }
        };
    }
    let locals = Locals::new();
    let (slot, at, named) = (&locals.slot, scrutinee(&locals.slot, device), named(device));
    let enter = enter(&locals.slot, device);
    // A register without storage has an arm too, or its field would be called unused.
    let arms = device.registers.iter().enumerate().map(|(index, register)| {
        let pattern = own(device, &number(index));
        let field = field(&locals, register);
        if register.ty.is_stored {
            let bits = to_bits(register, &field);
            quote!(#pattern => #bits)
        } else {
            quote!(#pattern => __vfio_user::no_bits(#field))
        }
    });
    let blocks = in_blocks(device, &locals.element, |field| {
        let (name, implementation) = (element(field, &locals.element), register_block(field));
        quote!(#implementation::load(&#name, #slot))
    });
    let mentions_editor = device.paths().any(|path| named_field(device, path).is_some());
    let allow = mentions_editor.then(|| quote!(#[allow(unexpected_cfgs)]));
    quote! {
        #allow
        fn load(&self, #slot: __vfio_user::Slot) -> u64 {
            #named
            #enter
            match #at {
                #(#arms,)*
                #(#blocks,)*
                _ => 0,
            }
        }
    }
}

/// Names the registers that attributes name, where the compiler and editors find them: a `lock`,
/// and the registers of an `#[intr]`. Nothing is run.
fn named(device: &Device<'_>) -> Option<TokenStream> {
    let paths = device.paths().map(|path| &path.register);
    let names: Vec<_> = paths.chain(device.intrs().flat_map(|(.., intr)| intr.others())).collect();
    let it = local("it");
    let registers =
        (!names.is_empty()).then(|| quote!(let _ = |#it: &Self| { #(let _ = &#it.#names;)* };));
    let fields = device.paths().filter_map(|path| named_field(device, path));
    // Only for editors: a type whose fields are written by hand has no such field, and a field of
    // another module may be private.
    let fields = fields.map(|(ty, field)| {
        quote! {
            #[cfg(rust_analyzer)]
            let _ = |#it: &#ty| { let _ = &#it.#field; };
        }
    });
    let all = quote!(#registers #(#fields)*);
    (!all.is_empty()).then_some(all)
}

/// Returns the field that a path names, and the type that has the field.
fn named_field<'d>(
    device: &'d Device<'_>,
    path: &'d RegisterPath,
) -> Option<(&'d Type, &'d Ident)> {
    let (_, register) = device.register(&path.register)?;
    Some((register.ty.element, path.field.as_ref()?))
}

pub(super) fn store(device: &Device<'_>) -> TokenStream {
    let locals = Locals::new();
    let stored = device.registers.iter().enumerate().filter(|(_, register)| register.ty.is_stored);
    let arms: Vec<_> = stored
        .map(|(index, register)| {
            let pattern = own(device, &number(index));
            let field = field(&locals, register);
            let value = from_bits(register, &locals.bits);
            quote!(#pattern => #field = #value)
        })
        .collect();
    if arms.is_empty() && device.blocks.is_empty() {
        return quote! {
            fn store(&mut self, _: __vfio_user::Slot, _: u64) {}
        };
    }
    let (Locals { slot, bits, .. }, at) = (&locals, scrutinee(&locals.slot, device));
    let enter = enter(slot, device);
    let blocks = in_blocks(device, &locals.element, |field| {
        let (name, implementation) = (element(field, &locals.element), register_block(field));
        quote!(#implementation::store(&mut #name, #slot, #bits))
    });
    quote! {
        fn store(&mut self, #slot: __vfio_user::Slot, #bits: u64) {
            #enter
            match #at {
                #(#arms,)*
                #(#blocks,)*
                _ => {}
            }
        }
    }
}

/// Hygienic names of locals: a field's type may be a path with constants of the same names.
struct Locals {
    slot: Ident,
    bits: Ident,
    element: Ident,
}

impl Locals {
    fn new() -> Self {
        Locals { slot: local("slot"), bits: local("bits"), element: local("element") }
    }
}

/// Whether a struct has nothing but registers of its own: a block without blocks in it.
pub(super) fn is_flat(device: &Device<'_>) -> bool {
    device.block.is_some() && device.blocks.is_empty()
}

/// Generates the step from a slot of the struct to one of its own blocks, if it has any: afterwards
/// the slot is that of the block.
pub(super) fn enter(slot: &Ident, device: &Device<'_>) -> Option<TokenStream> {
    let count = Literal::usize_unsuffixed(device.blocks.len());
    let within = within();
    (!device.blocks.is_empty())
        .then(|| quote!(let (#within, #slot) = __vfio_user::enter(__BLOCKS, #count, #slot);))
}

/// The block of the struct that contains the slot.
pub(super) fn within() -> Ident {
    local("within")
}

/// Returns the block of the struct that contains the slot, once it has been entered.
pub(super) fn block_of(slot: &Ident, device: &Device<'_>) -> TokenStream {
    if device.blocks.is_empty() { quote!(#slot.block) } else { within().into_token_stream() }
}

/// What distinguishes registers, or timers. A block without others has its own alone; those of a
/// struct are distinguished from those of its blocks, so that a slot of a block that the struct
/// does not have reaches nothing.
pub(super) fn scrutinee(slot: &Ident, device: &Device<'_>) -> TokenStream {
    if is_flat(device) {
        quote!(#slot.register)
    } else {
        let block = block_of(slot, device);
        quote!((#block, #slot.register))
    }
}

/// The index of a register, which has no name here: the arm shows the field.
fn number(index: usize) -> TokenStream {
    Literal::usize_unsuffixed(index).to_token_stream()
}

/// Returns the pattern of a register or a timer of the device or block itself.
pub(super) fn own(device: &Device<'_>, index: &TokenStream) -> TokenStream {
    if is_flat(device) { quote!(#index) } else { quote!((::core::option::Option::None, #index)) }
}

/// Returns one arm for each block, for all of its registers or timers.
pub(super) fn in_blocks(
    device: &Device<'_>,
    element: &Ident,
    access: impl Fn(&BlockField<'_>) -> TokenStream,
) -> Vec<TokenStream> {
    let arms = device.blocks.iter().map(|field| {
        let (block, access) = (Index::Block.of(field.field), access(field));
        let element = if field.length.is_some() { quote!(element: #element) } else { quote!(..) };
        let at = quote!(__vfio_user::BlockElement { block: #block, #element });
        quote!((::core::option::Option::Some(#at), _) => #access)
    });
    arms.collect()
}

pub(super) fn element(block: &BlockField<'_>, element: &Ident) -> TokenStream {
    let field = block.field;
    let index = block.length.as_ref().map(|_| quote!([#element]));
    quote!(self.#field #index)
}

fn field(locals: &Locals, register: &Register<'_>) -> TokenStream {
    let (field, slot) = (register.field, &locals.slot);
    let index = register.ty.length.as_ref().map(|_| quote!([#slot.element]));
    quote!(self.#field #index)
}
