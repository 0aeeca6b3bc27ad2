//! Generates `computed_status`, with one arm for each status that the device computes.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::access;
use super::caller::Caller;
use super::hooks::{Locals, Owner, function_type, host_index};
use super::index::Index;
use super::tokens::to_bits;
use crate::ast::Device;
use crate::layout::HookKind;

const STATUS: &str = "computed_status";

/// Generates `computed_status`, with one arm for each status that the device computes.
pub(super) fn expand(device: &Device<'_>) -> Option<TokenStream> {
    let locals = Locals::new();
    let Locals { slot, .. } = &locals;
    let own = status_arms(&locals, &Owner::Device, device);
    let blocks = Caller::device(device).arms(STATUS, &quote!(), &quote!(#slot), &quote!());
    let (enter, scrutinee) = (access::enter(slot, device), access::scrutinee(slot, device));
    (!own.is_empty() || !blocks.is_empty()).then(|| {
        quote! {
            fn computed_status(&self, #slot: __vfio_user::Slot) -> u64 {
                #enter
                match #scrutinee {
                    #(#own)*
                    #(#blocks)*
                    _ => 0,
                }
            }
        }
    })
}

/// Generates the same for a block.
pub(super) fn expand_block(block: &Device<'_>, host: Option<&Ident>) -> Option<TokenStream> {
    let locals = Locals::new();
    let arms = host.map(|host| status_arms(&locals, &Owner::host(host, block), block));
    let arms = arms.unwrap_or_default();
    let Locals { slot, device, at, .. } = &locals;
    let caller = Caller::block(block, device, at);
    let blocks = caller.arms(STATUS, &quote!(), &quote!(#slot), &quote!());
    let (enter, scrutinee) = (access::enter(slot, block), access::scrutinee(slot, block));
    (!arms.is_empty() || !blocks.is_empty()).then(|| {
        quote! {
            fn computed_status(
                #device: &__Host,
                #at: __vfio_user::Indices,
                #slot: __vfio_user::Slot,
            ) -> u64 {
                #enter
                match #scrutinee {
                    #(#arms)*
                    #(#blocks)*
                    _ => 0,
                }
            }
        }
    })
}

fn status_arms(locals: &Locals, owner: &Owner<'_>, device: &Device<'_>) -> Vec<TokenStream> {
    let Locals { hook, device: host_device, at, .. } = locals;
    let arms = device.intrs().filter_map(|(_, status, intr)| {
        let path = &status.reg.hooks.get(HookKind::StatusWith)?.value;
        let register = device.register_of_bits(status, intr);
        let (prepare, call) = match owner {
            Owner::Device => {
                let ty = function_type(path, &quote!(&Self), Some(register.ty.element));
                (Some(quote!(let #hook: #ty = #path;)), quote!(#hook(self)))
            }
            Owner::Host(host, levels) => {
                let index = host_index(at, *levels);
                (None, quote!(<__Host as #host>::#path(#host_device, #index)))
            }
        };
        let bits = to_bits(register, &call);
        let pattern = access::own(device, &Index::Register.of(status.field));
        Some(quote!(#pattern => { #prepare #bits }))
    });
    arms.collect()
}
