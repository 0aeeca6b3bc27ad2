//! `hook`: one arm a hook.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::ExprPath;
use syn::spanned::Spanned as _;

use super::{from_bits, to_bits};
use crate::ast::{Device, Register};

/// The names of locals, hygienic: the path of a hook may be a function of the same name.
struct Locals {
    cx: Ident,
    slot: Ident,
    call: Ident,
    bits: Ident,
    old: Ident,
    hook: Ident,
}

impl Locals {
    fn new() -> Self {
        let local = |name| Ident::new(name, Span::mixed_site());
        Locals {
            cx: local("cx"),
            slot: local("slot"),
            call: local("call"),
            bits: local("bits"),
            old: local("old"),
            hook: local("hook"),
        }
    }
}

pub(super) fn expand(device: &Device<'_>) -> Option<TokenStream> {
    let locals = Locals::new();
    let arms: Vec<_> = device
        .registers
        .iter()
        .enumerate()
        .flat_map(|(place, register)| arms(&locals, place, register))
        .collect();
    if arms.is_empty() {
        return None;
    }
    let Locals { cx, slot, call, .. } = &locals;
    Some(quote! {
        fn hook(
            &mut self,
            #cx: &mut __vfio_user::Cx<'_, Self>,
            #slot: __vfio_user::Slot,
            #call: __vfio_user::Hook,
        ) -> u64 {
            match (#slot.register, #call) {
                #(#arms)*
                _ => 0,
            }
        }
    })
}

fn arms(locals: &Locals, place: usize, register: &Register<'_>) -> Vec<TokenStream> {
    let place = Literal::usize_unsuffixed(place);
    let ty = register.ty.element;
    let Locals { cx, slot, bits, old, hook, .. } = locals;
    let index = register.ty.length.as_ref().map(|_| quote!(#slot.index,));
    let (before, new) = (from_bits(register, old), from_bits(register, bits));
    let hooks = &register.reg.hooks;
    let mut arms = Vec::new();
    if let Some(path) = &hooks.read_with {
        let coerced = coerced(locals, register, &path.value, &[], Some(ty));
        let result = to_bits(register, &quote!(#hook(self, #cx, #index)));
        arms.push(quote! {
            (#place, __vfio_user::Hook::Read) => {
                #coerced
                #result
            }
        });
    }
    for (path, variant) in [(&hooks.write_with, quote!(Write)), (&hooks.on_read, quote!(AfterRead))]
    {
        let Some(path) = path else { continue };
        let coerced = coerced(locals, register, &path.value, &[ty], None);
        arms.push(quote! {
            (#place, __vfio_user::Hook::#variant(#bits)) => {
                #coerced
                #hook(self, #cx, #index #new);
                0
            }
        });
    }
    if let Some(path) = &hooks.on_write {
        let coerced = coerced(locals, register, &path.value, &[ty, ty], None);
        arms.push(quote! {
            (#place, __vfio_user::Hook::AfterWrite(#old, #bits)) => {
                #coerced
                #hook(self, #cx, #index #before, #new);
                0
            }
        });
    }
    arms
}

/// The author's function as the type that it must have, so that a wrong signature is a mistake at
/// its path, with both signatures told.
fn coerced(
    Locals { hook, .. }: &Locals,
    register: &Register<'_>,
    path: &ExprPath,
    values: &[&syn::Type],
    result: Option<&syn::Type>,
) -> TokenStream {
    let index = register.ty.length.as_ref().map(|_| quote!(, usize));
    let result = result.map(|ty| {
        let ty = ty.to_token_stream().into_iter().map(|mut token| {
            token.set_span(token.span().located_at(path.span()));
            token
        });
        quote_spanned!(path.span()=> -> #(#ty)*)
    });
    let taken = quote!(&mut Self, &mut __vfio_user::Cx<'_, Self> #index #(, #values)*);
    // The compiler points at the expected type too: let it point at the path. What is inside keeps
    // its own place, or lints would take it for the author's.
    let ty = quote_spanned!(path.span()=> fn(#taken) #result);
    quote!(let #hook: #ty = #path;)
}
