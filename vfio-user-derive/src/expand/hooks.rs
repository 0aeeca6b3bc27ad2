//! Generates `hook`, with one arm for each hook.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{ExprPath, parse_quote};

use super::access;
use super::caller::Caller;
use super::index::Index;
use super::tokens::{from_bits, local, to_bits};
use crate::ast::{Device, Register};
use crate::attr::BlockAttrs;
use crate::layout::HookKind;

/// Hygienic names of locals: the path of a hook may be a function of the same name.
pub(super) struct Locals {
    cx: Ident,
    pub(super) slot: Ident,
    call: Ident,
    bits: Ident,
    old: Ident,
    len: Ident,
    bytes: Ident,
    pub(super) hook: Ident,
    pub(super) at: Ident,
    pub(super) device: Ident,
}

impl Locals {
    pub(super) fn new() -> Self {
        Locals {
            cx: local("cx"),
            slot: local("slot"),
            call: local("call"),
            bits: local("bits"),
            old: local("old"),
            len: local("len"),
            bytes: local("bytes"),
            hook: local("hook"),
            at: local("at"),
            device: local("device"),
        }
    }
}

/// The owner of the hooks.
pub(super) enum Owner<'a> {
    /// Functions of the device.
    Device,
    /// Methods of a block's host, which take the block's index, or this many indices.
    Host(&'a Ident, Option<u64>),
}

impl<'a> Owner<'a> {
    pub(super) fn host(host: &'a Ident, block: &Device<'_>) -> Self {
        Owner::Host(host, block.block.as_ref().and_then(BlockAttrs::levels))
    }
}

/// Returns the slot of a register, as the start of a pattern. A struct with blocks distinguishes
/// its own registers from those of blocks.
fn pattern(device: &Device<'_>, register: &Register<'_>) -> TokenStream {
    let index = Index::Register.of(register.field);
    if access::is_flat(device) {
        quote!(#index,)
    } else {
        quote!(::core::option::Option::None, #index,)
    }
}

/// Returns the index that a method of a block's host takes.
pub(super) fn host_index(at: &Ident, levels: Option<u64>) -> TokenStream {
    if levels.is_some() { quote!(#at.all()) } else { quote!(#at.first()) }
}

pub(super) fn expand(device: &Device<'_>) -> Option<TokenStream> {
    let locals = Locals::new();
    let arms = all_arms(&locals, &Owner::Device, device);
    let blocks = in_blocks(&locals, &Caller::device(device));
    if arms.is_empty() && blocks.is_empty() {
        return None;
    }
    let Locals { cx, slot, call, .. } = &locals;
    let (enter, block) = (access::enter(slot, device), access::block_of(slot, device));
    Some(quote! {
        fn hook(
            &mut self,
            #cx: &mut __vfio_user::Cx<'_, Self>,
            #slot: __vfio_user::Slot,
            #call: __vfio_user::Hook,
        ) -> u64 {
            #enter
            match (#block, #slot.register, #call) {
                #(#arms)*
                #(#blocks)*
                _ => 0,
            }
        }
    })
}

/// Generates the hooks of a block, as the host sees them.
pub(super) fn expand_block(block: &Device<'_>, host: Option<&Ident>) -> Option<TokenStream> {
    let locals = Locals::new();
    let arms = host.map(|host| all_arms(&locals, &Owner::host(host, block), block));
    let arms = arms.unwrap_or_default();
    let Locals { cx, slot, call, device, at, .. } = &locals;
    let blocks = in_blocks(&locals, &Caller::block(block, device, at));
    if arms.is_empty() && blocks.is_empty() {
        return None;
    }
    let (enter, within) = (access::enter(slot, block), access::block_of(slot, block));
    let within = (!access::is_flat(block)).then(|| quote!(#within,));
    Some(quote! {
        fn hook(
            #device: &mut __Host,
            #cx: &mut __vfio_user::Cx<'_, __Host>,
            #at: __vfio_user::Indices,
            #slot: __vfio_user::Slot,
            #call: __vfio_user::Hook,
        ) -> u64 {
            #enter
            match (#within #slot.register, #call) {
                #(#arms)*
                #(#blocks)*
                _ => 0,
            }
        }
    })
}

/// Returns one arm for each block, for the hooks of all of its registers.
fn in_blocks(locals: &Locals, caller: &Caller<'_>) -> Vec<TokenStream> {
    let Locals { cx, slot, call, .. } = locals;
    caller.arms("hook", &quote!(#cx,), &quote!(#slot, #call), &quote!(, #call))
}

fn all_arms(locals: &Locals, owner: &Owner<'_>, device: &Device<'_>) -> Vec<TokenStream> {
    let hooks = device.registers.iter().flat_map(|register| {
        register.reg.hooks.iter().map(move |(kind, path)| (register, kind, path))
    });
    // This one has a function of its own, which changes nothing.
    let hooks = hooks.filter(|(_, kind, _)| *kind != HookKind::StatusWith);
    hooks
        .map(|(register, kind, path)| {
            let pattern = pattern(device, register);
            let register = match &register.intr {
                Some(intr) if kind == HookKind::OnComposed => {
                    device.register_of_bits(register, intr)
                }
                _ => register,
            };
            arm(locals, owner, &pattern, register, kind, &path.value)
        })
        .collect()
}

fn arm(
    locals: &Locals,
    owner: &Owner<'_>,
    pattern: &TokenStream,
    register: &Register<'_>,
    kind: HookKind,
    path: &ExprPath,
) -> TokenStream {
    let moves_data = matches!(kind, HookKind::ReadWith | HookKind::WriteWith);
    if register.reg.behaviour.port.is_some() && moves_data {
        return port_arm(locals, owner, pattern, register, kind, path);
    }
    let Locals { bits, old, .. } = locals;
    let (before, new) = (from_bits(register, old), from_bits(register, bits));
    // The call of the library, and the arguments of the author's function.
    let (hook, values) = match kind {
        HookKind::ReadWith => (quote!(Read), vec![]),
        HookKind::WriteWith => (quote!(Write(#bits)), vec![&new]),
        HookKind::OnRead => (quote!(AfterRead(#bits)), vec![&new]),
        HookKind::OnWrite => (quote!(AfterWrite(#old, #bits)), vec![&before, &new]),
        HookKind::Kick => (quote!(Kick), vec![]),
        HookKind::LockWith => (quote!(IsLocked), vec![]),
        HookKind::OnComposed => (quote!(Composed(#bits)), vec![&new]),
        HookKind::StatusWith => unreachable!("it has a function of its own"),
    };
    let (ty, boolean) = (register.ty.element, parse_quote!(bool));
    let returned = match kind {
        HookKind::ReadWith => Some(ty),
        HookKind::LockWith => Some(&boolean),
        _ => None,
    };
    let types = vec![ty; values.len()];
    let call = Call::new(locals, owner, register, path, &types, returned);
    let (prepare, call) = (&call.prepare, call.with(&values));
    let result = match kind {
        HookKind::ReadWith => to_bits(register, &call),
        HookKind::LockWith => quote!(::core::primitive::u64::from(#call)),
        _ => quote!(#call; 0),
    };
    quote! {
        (#pattern __vfio_user::Hook::#hook) => {
            #prepare
            #result
        }
    }
}

/// The arm of a port, whose hooks take bytes.
fn port_arm(
    locals: &Locals,
    owner: &Owner<'_>,
    pattern: &TokenStream,
    register: &Register<'_>,
    kind: HookKind,
    path: &ExprPath,
) -> TokenStream {
    let Locals { bits, len, bytes, .. } = locals;
    let is_read = kind == HookKind::ReadWith;
    let ty = if is_read { parse_quote!(&mut [u8]) } else { parse_quote!(&[u8]) };
    let call = Call::new(locals, owner, register, path, &[&ty], None);
    let (prepare, call) = (&call.prepare, call.with(&[&quote!(#bytes)]));
    let (hook, result) = if is_read {
        (quote!(ReadBytes(#len)), quote!(__vfio_user::read_bytes(#len, |#bytes| #call)))
    } else {
        let result = quote!(__vfio_user::write_bytes(#bits, #len, |#bytes| #call));
        (quote!(WriteBytes(#bits, #len)), result)
    };
    quote! {
        (#pattern __vfio_user::Hook::#hook) => {
            #prepare
            #result
        }
    }
}

/// A call of a hook.
struct Call {
    prepare: Option<TokenStream>,
    function: TokenStream,
    /// The argument of every hook.
    context: TokenStream,
}

impl Call {
    fn new(
        locals: &Locals,
        owner: &Owner<'_>,
        register: &Register<'_>,
        path: &ExprPath,
        values: &[&syn::Type],
        result: Option<&syn::Type>,
    ) -> Self {
        let Locals { cx, slot, hook, device, at, .. } = locals;
        let element = register.ty.length.as_ref().map(|_| quote!(#slot.element,));
        match owner {
            Owner::Device => Call {
                prepare: Some(coerced(locals, register, path, values, result)),
                function: hook.to_token_stream(),
                context: quote!(self, #cx, #element),
            },
            Owner::Host(host, levels) => {
                let index = host_index(at, *levels);
                Call {
                    prepare: None,
                    function: quote!(<__Host as #host>::#path),
                    context: quote!(#device, #cx, #index, #element),
                }
            }
        }
    }

    fn with(&self, values: &[&TokenStream]) -> TokenStream {
        let Call { function, context, .. } = self;
        quote!(#function(#context #(#values),*))
    }
}

/// Coerces the author's function to the required type, so that a wrong signature is an error at its
/// path that shows both signatures.
fn coerced(
    Locals { hook, .. }: &Locals,
    register: &Register<'_>,
    path: &ExprPath,
    values: &[&syn::Type],
    result: Option<&syn::Type>,
) -> TokenStream {
    let element = register.ty.length.as_ref().map(|_| quote!(, usize));
    let taken = quote!(&mut Self, &mut __vfio_user::Cx<'_, Self> #element #(, #values)*);
    let ty = function_type(path, &taken, result);
    quote!(let #hook: #ty = #path;)
}

/// The type of a function that the author names.
pub(super) fn function_type(
    path: &ExprPath,
    taken: &TokenStream,
    result: Option<&syn::Type>,
) -> TokenStream {
    let result = result.map(|ty| {
        let ty = ty.to_token_stream().into_iter().map(|mut token| {
            token.set_span(token.span().located_at(path.span()));
            token
        });
        quote_spanned!(path.span()=> -> #(#ty)*)
    });
    // The compiler points at the expected type too: let it point at the path. What is inside keeps
    // its own place, or lints would take it for the author's.
    quote_spanned!(path.span()=> fn(#taken) #result)
}
