//! Generates `#[derive(RegisterBlock)]`: the registers of a block as data, and its hooks as a
//! trait.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens, quote};
use syn::spanned::Spanned as _;
use syn::{DeriveInput, Visibility};

use super::tokens::{in_anonymous_const, located_at, register_block};
use super::{
    access, checks, descriptor, driver, fallback, hooks, index, intr, state, status, timers,
    warnings,
};
use crate::ast::{Device, Register, TimerField};
use crate::attr::BlockAttrs;
use crate::ctxt::Ctxt;
use crate::layout::HookKind;
use crate::valid::validate_block;

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let cx = Ctxt::new();
    let block = Device::read_block(&cx, input);
    if let Some(block) = &block {
        validate_block(&cx, input, block);
    }
    let errors = match (cx.finish(), &block) {
        (Ok(()), Some(block)) if !block.is_broken => return expand(&input.vis, block),
        (Ok(()), _) => TokenStream::new(),
        (Err(error), _) => error.to_compile_error(),
    };
    let host = block.as_ref().and_then(|block| host(&input.vis, block));
    let placeholder = fallback::expand_block(input, &errors);
    quote!(#host #placeholder)
}

fn expand(vis: &Visibility, block: &Device<'_>) -> TokenStream {
    let ident = block.ident;
    let host = host(vis, block);
    let declaration = driver::declaration(vis, block);
    let driver = driver::expand(block);
    let indices = index::declarations(block);
    let registers = descriptor::registers(block);
    let intrs = intr::declarations(block);
    let blocks = descriptor::blocks(block);
    let checks = checks::expand(block);
    let warnings = warnings::expand(block);
    let checked =
        (!checks.is_empty()).then(|| checked_descriptor(intrs.is_some(), blocks.is_some()));
    let constants = constants(block, intrs.is_some(), blocks.is_some());
    let (load, store) = (access::load(block), access::store(block));
    let (declared_timers, timers) = (timers::declarations(block), timers::expand_block(block));
    let hooks = block_hooks(block);
    let (layout, state) = (state::layout(block), state::block(block));
    let block = in_anonymous_const(
        &block.library,
        &quote! {
            #indices
            #layout
            #registers
            #blocks
            #declared_timers
            #intrs
            #checked
            #checks
            #warnings

            #[automatically_derived]
            impl __vfio_user::RegisterBlock for #ident {
                type Hooks = Self;
                const REGISTERS: &'static [__vfio_user::Register] = __REGISTERS;
                #constants
                #load
                #store
                #timers
                #state
            }
            #hooks
            #driver
        },
    );
    quote!(#host #declaration #block)
}

/// Generates the descriptor on which the layout of the block is checked.
fn checked_descriptor(has_interrupts: bool, has_blocks: bool) -> TokenStream {
    let composed = has_interrupts.then(|| quote!(.with_interrupts(__COMPOSED)));
    let blocks = has_blocks.then(|| quote!(.with_blocks(__BLOCKS)));
    quote! {
        const __DESCRIPTOR: __vfio_user::Descriptor =
            __vfio_user::descriptor_of_block(__REGISTERS) #composed #blocks;
    }
}

/// Generates the constants of the trait that differ from their defaults, behind the registers.
fn constants(block: &Device<'_>, has_interrupts: bool, has_blocks: bool) -> TokenStream {
    let blocks = has_blocks.then(|| {
        quote!(
            const BLOCKS: &'static [__vfio_user::Block] = __BLOCKS;
        )
    });
    let indices = block.block.as_ref().filter(|attrs| attrs.has_host).map(|attrs| {
        let indices = Literal::u64_unsuffixed(attrs.levels().unwrap_or(1));
        quote!(const INDICES: ::core::option::Option<u8> = ::core::option::Option::Some(#indices);)
    });
    let interrupts = has_interrupts.then(|| {
        quote!(
            const INTERRUPTS: &'static [__vfio_user::ComposedInterrupt] = __COMPOSED;
        )
    });
    quote!(#blocks #indices #interrupts)
}

fn block_hooks(block: &Device<'_>) -> TokenStream {
    let ident = block.ident;
    let host = block.block.as_ref().and_then(|attrs| attrs.host());
    let bound = host.map_or(quote!(__vfio_user::Device), ToTokens::to_token_stream);
    let hook = hooks::expand_block(block, host);
    let status = status::expand_block(block, host);
    let timers = timers::expand_hooks(block, host);
    // The device implements the hosts of the blocks in this one, too.
    let inner = block.blocks.iter().map(|field| {
        let hooks = register_block(field);
        located_at(field.ty.span(), quote!(#hooks::Hooks: __vfio_user::BlockHooks<__Host>))
    });
    let bounds = (!block.blocks.is_empty()).then(|| quote!(where #(#inner),*));
    quote! {
        #[automatically_derived]
        impl<__Host: #bound> __vfio_user::BlockHooks<__Host> for #ident #bounds {
            #hook
            #status
            #timers
        }
    }
}

/// Generates the trait whose methods are the block's hooks. The author implements it, so it stands
/// outside the anonymous const, and is as public as the block.
fn host(vis: &Visibility, block: &Device<'_>) -> Option<TokenStream> {
    let attrs = block.block.as_ref()?;
    let host = attrs.host()?;
    let library = &block.library;
    let methods_of = |register| methods(block, register);
    let index = index_type(block);
    let of_timers = block.timers.iter().filter_map(|timer| timer_method(library, timer, &index));
    let mut methods: Vec<_> =
        block.registers.iter().flat_map(methods_of).chain(of_timers).collect();
    // After a mistake, two methods may have the same name.
    methods.sort_by_key(|(name, _)| (*name).clone());
    methods.dedup_by_key(|(name, _)| (*name).clone());
    let methods = methods.into_iter().map(|(_, method)| method);
    let doc = format!("The hooks of a [`{}`], in a device that has it.", block.ident);
    let index = match attrs.levels() {
        Some(_) => "`index` has the number of the block behind those of the blocks around it.",
        None => "`index` is the number of the block among those of the device.",
    };
    Some(quote! {
        #[doc = #doc]
        ///
        #[doc = #index]
        #vis trait #host: #library::Device {
            #(#methods)*
        }
    })
}

/// A method of the host: its name and its signature.
type Method<'a> = (&'a Ident, TokenStream);

fn methods<'a>(block: &Device<'_>, register: &'a Register<'_>) -> Vec<Method<'a>> {
    let (library, ty, name) = (&block.library, register.ty.element, &register.name);
    let bits = register.intr.as_ref().map(|intr| block.register_of_bits(register, intr).ty.element);
    let index = index_type(block);
    let is_port = register.reg.behaviour.port.is_some();
    let is_array = register.ty.length.is_some();
    let hooks = register.reg.hooks.iter();
    hooks
        .filter_map(|(kind, hook)| {
            let (doc, values, result) = match kind {
                HookKind::ReadWith if is_port => {
                    let values = quote!(data: &mut [u8]);
                    (format!("Fills the bytes of a read of `{name}`."), values, quote!())
                }
                HookKind::WriteWith if is_port => {
                    let values = quote!(data: &[u8]);
                    (format!("Handles the bytes of a write to `{name}`."), values, quote!())
                }
                HookKind::ReadWith => {
                    (format!("Returns the value of `{name}`."), quote!(), quote!(-> #ty))
                }
                HookKind::WriteWith => {
                    (format!("Handles a write to `{name}`."), quote!(value: #ty), quote!())
                }
                HookKind::OnRead => {
                    (format!("Runs after a read of `{name}`."), quote!(value: #ty), quote!())
                }
                HookKind::OnWrite => {
                    let values = quote!(old: #ty, new: #ty);
                    (format!("Runs after a write to `{name}`."), values, quote!())
                }
                HookKind::Kick => {
                    (format!("Runs after a write of any value to `{name}`."), quote!(), quote!())
                }
                HookKind::LockWith => {
                    let result = quote!(-> ::core::primitive::bool);
                    (format!("Returns whether `{name}` ignores writes."), quote!(), result)
                }
                HookKind::StatusWith => {
                    let method = hook.value.path.get_ident()?;
                    return Some((method, status_method(method, name, &index, bits?)));
                }
                HookKind::OnComposed => {
                    let doc = format!("Runs when what `{name}` has pending has changed.");
                    (doc, quote!(pending: #bits), quote!())
                }
            };
            let method = hook.value.path.get_ident()?;
            Some(self::method(library, method, &doc, &index, is_array, &values, result))
        })
        .collect()
}

/// The method that computes a status, and changes nothing.
fn status_method(method: &Ident, name: &str, index: &TokenStream, bits: &syn::Type) -> TokenStream {
    let doc = format!("Returns the causes that `{name}` identifies.");
    let signature = quote!((&self, index: #index) -> #bits);
    let signature = located_at(method.span(), signature);
    quote!(#[doc = #doc] fn #method #signature;)
}

fn timer_method<'a>(
    library: &TokenStream,
    timer: &'a TimerField<'_>,
    index: &TokenStream,
) -> Option<Method<'a>> {
    let method = timer.timer.hook.as_ref()?.path.get_ident()?;
    let doc = format!("Runs when `{}` expires.", timer.name);
    let is_array = timer.length.is_some();
    Some(self::method(library, method, &doc, index, is_array, &quote!(), quote!()))
}

/// The type of what names a block: its number, or those of the blocks around it as well.
fn index_type(block: &Device<'_>) -> TokenStream {
    let levels = block.block.as_ref().and_then(BlockAttrs::levels);
    let levels = levels.map(Literal::u64_unsuffixed);
    let number = quote!(::core::primitive::usize);
    levels.map_or(number.clone(), |levels| quote!([#number; #levels]))
}

fn method<'a>(
    library: &TokenStream,
    method: &'a Ident,
    doc: &str,
    index: &TokenStream,
    is_array: bool,
    values: &TokenStream,
    result: TokenStream,
) -> Method<'a> {
    let element = is_array.then(|| quote!(element: ::core::primitive::usize,));
    let taken = quote! {
        &mut self,
        cx: &mut #library::Cx<'_, Self>,
        index: #index,
        #element #values
    };
    // The compiler shows what a host must have at the name of the hook.
    let taken = located_at(method.span(), taken);
    let result = located_at(method.span(), result);
    (method, quote!(#[doc = #doc] fn #method(#taken) #result;))
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
                /// Where its descriptors lie.
                #[reg(0x00)]
                base: u64,
                #[reg(0x08, wo, write_with = doorbell)]
                doorbell: Virtual<u32>,
                #[reg(0x0c, ro, read_with = level)]
                levels: [Virtual<u16>; 2],
                #[reg(0x10, wo, kick = kicked)]
                kick: [Virtual<u32>; 4],
                #[reg(0x20, port, read_with = pop, write_with = push)]
                data: Virtual<u32>,
                kicks: u64,
                #[timer(expired)]
                patience: Timer,
            }
        });
        crate::golden::compare("block", &expanded);
    }

    #[test]
    fn the_expansion_of_a_block_with_blocks_is_as_recorded() {
        let expanded = derive(&parse_quote! {
            #[block(host = RingHost)]
            pub struct Ring {
                #[reg(0x00, on_write = moved)]
                base: u64,
                /// In order of their priority.
                #[block(0x20, stride = 0x10)]
                channels: [Channel; 4],
                #[block(0x10)]
                monitor: Monitor,
                #[timer(expired)]
                patience: Timer,
            }
        });
        crate::golden::compare("nested", &expanded);
    }

    #[test]
    fn the_expansion_of_a_device_with_memory_is_as_recorded() {
        let expanded = crate::expand::derive(&parse_quote! {
            #[pci(vendor = 0x1234, device = 0xcafe)]
            #[bar(0: mem32, size = 0x4000)]
            #[bar(2: mem64, size = LARGE, shared(0x1000..LARGE))]
            struct Dma {
                #[reg(0x00, on_write = Self::controlled)]
                control: Control,
                #[reg(0x10, wo, write_with = Self::start, ioeventfd = 1)]
                start: Virtual<u32>,
                #[reg(0x1000, bar = 2, watch)]
                tail: u32,
                #[reg(0x18, port, read_with = Self::pop, write_with = Self::push)]
                data: [Virtual<u32>; 2],
                /// Of the queues.
                #[memory(0x2000..0x3000, on_write = Self::touched, reset = zero)]
                buffer: Box<[u8]>,
                #[memory(START..START + LEN, bar = 2)]
                image: [u8; LEN],
            }
        });
        crate::golden::compare("memory", &expanded);
    }

    #[test]
    fn the_expansion_of_a_device_with_blocks_is_as_recorded() {
        let expanded = crate::expand::derive(&parse_quote! {
            #[pci(vendor = 0x1234, device = 0xcafe)]
            #[bar(0: mem32, size = 0x4000)]
            struct Dma {
                #[reg(0x00, on_write = Self::controlled)]
                control: Control,
                /// Those of the guest.
                #[block(0x100, stride = 0x40)]
                queues: [Queue; 64],
                #[block(ADMIN, first = 64)]
                admin: Queue,
            }
        });
        crate::golden::compare("device", &expanded);
    }
}
