//! `#[derive(RegisterBlock)]`: the registers of a block as data, and its hooks as a trait.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::{DeriveInput, ExprPath, Visibility};

use super::{access, checks, descriptor, fallback, hooks, in_anonymous_const};
use crate::ast::{Device, Register};
use crate::ctxt::Ctxt;
use crate::valid::validate_block;

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let cx = Ctxt::new();
    let block = Device::read_block(&cx, input);
    if let Some(block) = &block {
        validate_block(&cx, input, block);
    }
    match (cx.finish(), block) {
        (Ok(()), Some(block)) => expand(&input.vis, &block),
        (Ok(()), None) => TokenStream::new(),
        (Err(error), block) => {
            let host = block.as_ref().and_then(|block| host(&input.vis, block));
            let placeholder = fallback::expand_block(input, &error);
            quote!(#host #placeholder)
        }
    }
}

fn expand(vis: &Visibility, block: &Device<'_>) -> TokenStream {
    let ident = block.ident;
    let host = host(vis, block);
    let registers = descriptor::registers(block);
    let checks = checks::expand(block);
    let checked = (!checks.is_empty()).then(|| {
        quote! {
            const __DESCRIPTOR: __vfio_user::Descriptor =
                __vfio_user::Descriptor::of_block(__REGISTERS);
        }
    });
    let (load, store) = (access::load(block), access::store(block));
    let hooks = block_hooks(block);
    let block = in_anonymous_const(&quote! {
        #registers
        #checked
        #checks

        #[automatically_derived]
        impl __vfio_user::RegisterBlock for #ident {
            const REGISTERS: &'static [__vfio_user::Register] = __REGISTERS;
            #load
            #store
        }
        #hooks
    });
    quote!(#host #block)
}

fn block_hooks(block: &Device<'_>) -> TokenStream {
    let ident = block.ident;
    let Some(host) = block.block.as_ref().and_then(|attrs| attrs.host()) else {
        return quote! {
            #[automatically_derived]
            impl<__Host: __vfio_user::Device> __vfio_user::BlockHooks<__Host> for #ident {}
        };
    };
    let hook = hooks::expand_block(block, host);
    quote! {
        #[automatically_derived]
        impl<__Host: #host> __vfio_user::BlockHooks<__Host> for #ident {
            #hook
        }
    }
}

/// The trait whose methods are the block's hooks. It is the author's to implement, so it stands
/// outside of the anonymous const, and as public as the block.
fn host(vis: &Visibility, block: &Device<'_>) -> Option<TokenStream> {
    let host = block.block.as_ref()?.host()?;
    let methods = block.registers.iter().flat_map(methods);
    let doc =
        format!("The hooks of the registers of a [`{}`], in a device that has it.", block.ident);
    Some(quote! {
        #[doc = #doc]
        ///
        /// `index` says which of the device's blocks it is.
        #vis trait #host: ::vfio_user::Device {
            #(#methods)*
        }
    })
}

fn methods(register: &Register<'_>) -> Vec<TokenStream> {
    let (ty, name) = (register.ty.element, &register.name);
    let element = register.ty.length.as_ref().map(|_| quote!(element: ::core::primitive::usize,));
    let method = |path: &ExprPath, doc: &str, values: TokenStream, result: TokenStream| {
        let (doc, method) = (doc.replace("{}", name), path.path.get_ident());
        // A mistake in a method of the host is shown at the name of the hook.
        let span = method.map_or_else(proc_macro2::Span::call_site, Ident::span);
        let cx = quote_spanned!(span=> cx: &mut ::vfio_user::Cx<'_, Self>);
        quote! {
            #[doc = #doc]
            fn #method(&mut self, #cx, index: ::core::primitive::usize, #element #values) #result;
        }
    };
    let hooks = &register.reg.hooks;
    let all = [
        (&hooks.read_with, "Gives the value of `{}`.", quote!(), quote!(-> #ty)),
        (&hooks.write_with, "Takes what is written to `{}`.", quote!(value: #ty), quote!()),
        (&hooks.on_read, "`{}` was read.", quote!(value: #ty), quote!()),
        (&hooks.on_write, "`{}` was written.", quote!(old: #ty, new: #ty), quote!()),
    ];
    all.into_iter()
        .filter_map(|(hook, doc, values, result)| {
            Some(method(&hook.as_ref()?.value, doc, values, result))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[test]
    fn the_expansion_of_a_block_is_as_recorded() {
        let expanded = derive(&parse_quote! {
            #[block(host = QueueHost)]
            pub struct Queue {
                #[reg(0x00)]
                base: u64,
                #[reg(0x08, wo, write_with = doorbell)]
                doorbell: Virtual<u32>,
                #[reg(0x0c, ro, read_with = level)]
                levels: [Virtual<u16>; 2],
                kicks: u64,
            }
        });
        crate::golden::compare("block", &expanded);
    }

    #[test]
    fn the_expansion_of_a_device_with_blocks_is_as_recorded() {
        let expanded = crate::expand::derive(&parse_quote! {
            #[pci(vendor = 0x1234, device = 0xcafe)]
            #[bar(0: mem32, size = 0x4000)]
            struct Dma {
                #[reg(0x00, on_write = Self::controlled)]
                control: Control,
                #[block(0x100, stride = 0x40)]
                queues: [Queue; 64],
                #[block(ADMIN, first = 64)]
                admin: Queue,
            }
        });
        crate::golden::compare("device", &expanded);
    }
}
