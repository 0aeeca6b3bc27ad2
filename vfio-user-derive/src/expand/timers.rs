//! Generates timers: their declaration, their fields, and one arm for each hook.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::access;
use super::caller::Caller;
use super::hooks::host_index;
use super::index::Index;
use super::tokens::{doc, elements, local, register_block};
use crate::ast::{Device, TimerField};
use crate::attr::BlockAttrs;

/// Generates the declaration of the timers, if there are any.
pub(super) fn declarations(device: &Device<'_>) -> Option<TokenStream> {
    let timers = device.timers.iter().map(|timer| declaration(device, timer));
    (timers.len() > 0)
        .then(|| quote!(const __TIMERS: &[__vfio_user::DeclaredTimer] = &[#(#timers),*];))
}

fn declaration(device: &Device<'_>, timer: &TimerField<'_>) -> TokenStream {
    let name = &timer.name;
    let array = timer.length.as_ref().map(|length| {
        let count = elements(device, length);
        quote!(.with_count(#count))
    });
    let old = timer.state.old_names();
    let renamed = (!old.is_empty()).then(|| quote!(.with_old_names(&[#(#old),*])));
    let doc = doc(&timer.doc);
    quote!(__vfio_user::DeclaredTimer::new(#name) #array #renamed #doc)
}

/// Generates the methods of a device.
pub(super) fn expand(device: &Device<'_>) -> Option<TokenStream> {
    if device.timers.is_empty() && device.blocks.is_empty() {
        return None;
    }
    let locals = Locals::new();
    let Locals { cx, slot, .. } = &locals;
    let fields = fields(device, &locals);
    let own = device.timers.iter().map(|timer| {
        let (pattern, call) = (own(device, timer), call(timer, &locals));
        quote!(#pattern => { #call })
    });
    let blocks = calls_in_blocks(&locals, &Caller::device(device));
    let (enter, scrutinee) = (access::enter(slot, device), access::scrutinee(slot, device));
    Some(quote! {
        #fields

        fn run_timer(&mut self, #cx: &mut __vfio_user::Cx<'_, Self>, #slot: __vfio_user::Slot) {
            #enter
            match #scrutinee {
                #(#own)*
                #(#blocks)*
                _ => {}
            }
        }
    })
}

/// Generates the methods of a block.
pub(super) fn expand_block(block: &Device<'_>) -> Option<TokenStream> {
    if block.timers.is_empty() && block.blocks.is_empty() {
        return None;
    }
    let fields = fields(block, &Locals::new());
    let declared = (!block.timers.is_empty()).then(|| {
        quote!(
            const TIMERS: &'static [__vfio_user::DeclaredTimer] = __TIMERS;
        )
    });
    Some(quote! {
        #declared
        #fields
    })
}

/// Generates the hooks of a block, as the host sees them.
pub(super) fn expand_hooks(block: &Device<'_>, host: Option<&Ident>) -> Option<TokenStream> {
    if block.timers.is_empty() && block.blocks.is_empty() {
        return None;
    }
    let locals = Locals::new();
    let Locals { cx, slot, device, at, .. } = &locals;
    let index = host_index(at, block.block.as_ref().and_then(BlockAttrs::levels));
    let arms = block.timers.iter().filter_map(|timer| {
        let (pattern, method) = (own(block, timer), timer.timer.hook.as_ref()?);
        let element = timer.length.as_ref().map(|_| quote!(, #slot.element));
        Some(quote!(#pattern => <__Host as #host>::#method(#device, #cx, #index #element),))
    });
    let blocks = calls_in_blocks(&locals, &Caller::block(block, device, at));
    let (enter, scrutinee) = (access::enter(slot, block), access::scrutinee(slot, block));
    Some(quote! {
        fn run_timer(
            #device: &mut __Host,
            #cx: &mut __vfio_user::Cx<'_, __Host>,
            #at: __vfio_user::Indices,
            #slot: __vfio_user::Slot,
        ) {
            #enter
            match #scrutinee {
                #(#arms)*
                #(#blocks)*
                _ => {}
            }
        }
    })
}

/// Hygienic names of locals: the path of a hook may be a function of the same name.
struct Locals {
    cx: Ident,
    slot: Ident,
    hook: Ident,
    device: Ident,
    at: Ident,
}

impl Locals {
    fn new() -> Self {
        Locals {
            cx: local("cx"),
            slot: local("slot"),
            hook: local("hook"),
            device: local("device"),
            at: local("at"),
        }
    }
}

/// The pattern of a timer of the device or block itself.
fn own(device: &Device<'_>, timer: &TimerField<'_>) -> TokenStream {
    access::own(device, &Index::Timer.of(timer.field))
}

/// `timer` and `timer_mut`.
fn fields(device: &Device<'_>, locals: &Locals) -> TokenStream {
    let Locals { slot, .. } = locals;
    let (enter, at) = (access::enter(slot, device), access::scrutinee(slot, device));
    let shared = arms(device, locals, &quote!(&), &format_ident!("timer"));
    let mutable = arms(device, locals, &quote!(&mut), &format_ident!("timer_mut"));
    quote! {
        fn timer(
            &self,
            #slot: __vfio_user::Slot,
        ) -> ::core::option::Option<&__vfio_user::Timer> {
            #enter
            match #at {
                #(#shared,)*
                _ => ::core::option::Option::None,
            }
        }

        fn timer_mut(
            &mut self,
            #slot: __vfio_user::Slot,
        ) -> ::core::option::Option<&mut __vfio_user::Timer> {
            #enter
            match #at {
                #(#mutable,)*
                _ => ::core::option::Option::None,
            }
        }
    }
}

fn arms(
    device: &Device<'_>,
    locals: &Locals,
    borrow: &TokenStream,
    method: &Ident,
) -> Vec<TokenStream> {
    let own = device.timers.iter().map(|timer| {
        let pattern = own(device, timer);
        let (field, ty, slot) = (timer.field, timer.ty, &locals.slot);
        let index = timer.length.as_ref().map(|_| quote!([#slot.element]));
        // A field of another type is a mistake at its type; the compiler reports equal errors once.
        let timer = quote!(<#ty as __vfio_user::TimerField>::#method(#borrow self.#field #index));
        quote!(#pattern => ::core::option::Option::Some(#timer))
    });
    let (slot, element) = (&locals.slot, &locals.at);
    let blocks = access::in_blocks(device, element, |field| {
        let (name, implementation) = (access::element(field, element), register_block(field));
        quote!(#implementation::#method(#borrow #name, #slot))
    });
    own.chain(blocks).collect()
}

/// A hook with another signature is a mistake at its path.
fn call(timer: &TimerField<'_>, locals: &Locals) -> Option<TokenStream> {
    let Locals { cx, slot, hook, .. } = locals;
    let path = timer.timer.hook.as_ref()?;
    let (taken, element) = match &timer.length {
        Some(_) => (quote!(, usize), quote!(, #slot.element)),
        None => (quote!(), quote!()),
    };
    let taken = quote!(&mut Self, &mut __vfio_user::Cx<'_, Self> #taken);
    let ty = quote_spanned!(path.span()=> fn(#taken));
    Some(quote! {
        let #hook: #ty = #path;
        #hook(self, #cx #element);
    })
}

/// Returns one arm for each block, for the hooks of all of its timers.
fn calls_in_blocks(locals: &Locals, caller: &Caller<'_>) -> Vec<TokenStream> {
    let Locals { cx, slot, .. } = locals;
    caller.arms("run_timer", &quote!(#cx,), &quote!(#slot), &quote!())
}
