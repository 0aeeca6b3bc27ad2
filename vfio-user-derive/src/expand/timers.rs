//! Generates timers: their names, their fields, and one arm for each hook.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::tokens::local;
use crate::ast::{Device, TimerField};

pub(super) fn expand(device: &Device<'_>) -> Option<TokenStream> {
    if device.timers.is_empty() {
        return None;
    }
    // Hygienic: the path of a hook may be a function of the same name.
    let (cx, hook, at) = (local("cx"), local("hook"), local("index"));
    let names = device.timers.iter().map(|timer| &timer.name);
    let arms = |of: &dyn Fn(&TimerField<'_>) -> TokenStream| -> Vec<_> {
        let indices = (0..).map(Literal::usize_unsuffixed);
        let bodies = device.timers.iter().map(of);
        indices.zip(bodies).map(|(index, body)| quote!(#index => { #body })).collect()
    };
    let shared = arms(&|timer| field(timer, &quote!(&), "timer"));
    let mutable = arms(&|timer| field(timer, &quote!(&mut), "timer_mut"));
    let calls = arms(&|timer| call(timer, &cx, &hook).unwrap_or_default());
    let is_renamed = device.timers.iter().any(|timer| !timer.state.old_names().is_empty());
    let old = device.timers.iter().map(|timer| {
        let old = timer.state.old_names();
        quote!(&[#(#old),*])
    });
    let old_names = is_renamed
        .then(|| quote!(const OLD_TIMERS: &'static [&'static [&'static str]] = &[#(#old),*];));
    Some(quote! {
        const TIMERS: &'static [&'static str] = &[#(#names),*];
        #old_names

        fn timer(&self, index: usize) -> ::core::option::Option<&__vfio_user::Timer> {
            match index {
                #(#shared)*
                _ => ::core::option::Option::None,
            }
        }

        fn timer_mut(&mut self, index: usize) -> ::core::option::Option<&mut __vfio_user::Timer> {
            match index {
                #(#mutable)*
                _ => ::core::option::Option::None,
            }
        }

        fn run_timer(&mut self, #cx: &mut __vfio_user::Cx<'_, Self>, #at: usize) {
            match #at {
                #(#calls)*
                _ => {}
            }
        }
    })
}

/// A field of another type is a mistake at its type; the compiler tells equal errors once.
fn field(timer: &TimerField<'_>, borrow: &TokenStream, method: &str) -> TokenStream {
    let (field, ty, method) = (timer.field, timer.ty, format_ident!("{method}"));
    let borrowed = quote!(<#ty as __vfio_user::TimerField>::#method(#borrow self.#field));
    quote!(::core::option::Option::Some(#borrowed))
}

/// A hook with another signature is a mistake at its path.
fn call(timer: &TimerField<'_>, cx: &Ident, hook: &Ident) -> Option<TokenStream> {
    let path = timer.timer.hook.as_ref()?;
    let taken = quote!(&mut Self, &mut __vfio_user::Cx<'_, Self>);
    let ty = quote_spanned!(path.span()=> fn(#taken));
    Some(quote! {
        let #hook: #ty = #path;
        #hook(self, #cx);
    })
}
