//! Generates a driver: a type with a method for every access to every register.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Visibility;
use syn::spanned::Spanned as _;

use super::tokens::enforce;
use crate::ast::{BlockField, Device, Register};
use crate::driver::{Access, Method};

/// Generates the type of the driver. Its author names it, so it lies outside the anonymous const.
pub(super) fn declaration(vis: &Visibility, device: &Device<'_>) -> Option<TokenStream> {
    let (driver, library) = (device.driver()?, &device.library);
    if device.block.is_some() {
        let doc = format!("A driver of one [`{}`], over BARs that it borrows.", device.ident);
        return Some(quote! {
            #[doc = #doc]
            #[derive(::core::fmt::Debug)]
            #[allow(dead_code)]
            #vis struct #driver<'a, B: ?::core::marker::Sized> {
                __bars: &'a mut B,
                __origin: #library::__private::Origin,
            }
        });
    }
    let doc = format!("A driver of a [`{}`], over BARs that it owns or borrows.", device.ident);
    Some(quote! {
        #[doc = #doc]
        #[derive(::core::fmt::Debug)]
        #[allow(dead_code)]
        #vis struct #driver<B> {
            __bars: B,
        }
    })
}

/// Generates the methods of the driver.
pub(super) fn expand(device: &Device<'_>) -> Option<TokenStream> {
    let driver = device.driver()?;
    if device.block.is_some() {
        Some(of_block(device, driver))
    } else {
        Some(of_device(device, driver))
    }
}

fn of_device(device: &Device<'_>, driver: &Ident) -> TokenStream {
    let origins = origins(device);
    let reached = reached(device);
    let methods = methods(device, &quote!(&mut self.__bars));
    quote! {
        const __DRIVEN: &__vfio_user::Descriptor = &__DESCRIPTOR;
        #(#origins)*
        #reached

        #[automatically_derived]
        #[allow(dead_code, private_interfaces)]
        impl<__B: __vfio_user::Bars> #driver<__B> {
            /// Creates a driver that accesses the device by its BARs.
            pub fn new(bars: __B) -> Self {
                #driver { __bars: bars }
            }

            /// Returns the BARs.
            pub fn bars(&mut self) -> &mut __B {
                &mut self.__bars
            }

            /// Returns the BARs and ends the driver.
            pub fn into_bars(self) -> __B {
                self.__bars
            }

            #methods
        }
    }
}

fn of_block(block: &Device<'_>, driver: &Ident) -> TokenStream {
    let ident = block.ident;
    let accessed = driven(block);
    let methods = methods(block, &quote!(&mut *self.__bars));
    quote! {
        #[automatically_derived]
        #[allow(dead_code, private_interfaces)]
        impl<__B: __vfio_user::Bars + ?::core::marker::Sized> #driver<'_, __B> {
            #methods
        }

        #[automatically_derived]
        impl __vfio_user::HasDriver for #ident {
            type Driver<'__a, __B: __vfio_user::Bars + ?::core::marker::Sized + '__a> =
                #driver<'__a, __B>;
            const DRIVEN: __vfio_user::Driven = #accessed;
            fn driver<__B: __vfio_user::Bars + ?::core::marker::Sized>(
                bars: &mut __B,
                origin: __vfio_user::Origin,
            ) -> #driver<'_, __B> {
                #driver { __bars: bars, __origin: origin }
            }
        }
    }
}

/// Generates the start of each BAR that has registers or blocks.
fn origins(device: &Device<'_>) -> Vec<TokenStream> {
    let registers = device.driven().filter_map(|(_, register)| device.bar_of(register));
    let blocks = device.driven_blocks();
    let blocks = blocks.filter_map(|(_, field)| device.bar_or_default(field.block.bar.as_ref()));
    let mut bars: Vec<_> = registers.chain(blocks).collect();
    bars.sort_unstable();
    bars.dedup();
    let origin = |bar: u8| {
        let (name, number) = (origin_of_bar(bar), Literal::u8_unsuffixed(bar));
        quote! {
            const #name: __vfio_user::Origin = __vfio_user::Origin::of_bar(__DRIVEN, #number);
        }
    };
    bars.into_iter().map(origin).collect()
}

/// Checks that accesses reach each register alone, in blocks too.
fn reached(device: &Device<'_>) -> TokenStream {
    let registers = with_methods(device).map(|(index, register)| {
        let origin = origin(device, device.bar_of(register));
        let check = quote!(__vfio_user::check_driven(&#origin, &__REGISTERS[#index]));
        enforce(register.field, check)
    });
    let blocks = device.driven_blocks().map(|(index, field)| {
        let origin = origin(device, device.bar_or_default(field.block.bar.as_ref()));
        let (index, driven) =
            (Literal::usize_unsuffixed(index), of_block_driver(field, quote!(DRIVEN)));
        let block = quote!(&__OWN_BLOCKS[#index], &#driven);
        enforce(field.field, quote!(__vfio_user::check_driven_block(&#origin, #block)))
    });
    quote!(#(#registers)* #(#blocks)*)
}

/// What the driver of a block accesses: the device that has the block checks it.
fn driven(block: &Device<'_>) -> TokenStream {
    let registers = with_methods(block).map(|(index, _)| quote!(&__REGISTERS[#index]));
    let blocks = block.driven_blocks().map(|(index, field)| {
        let (index, inner) =
            (Literal::usize_unsuffixed(index), of_block_driver(field, quote!(DRIVEN)));
        quote!((&__OWN_BLOCKS[#index], &#inner))
    });
    quote!(__vfio_user::Driven { registers: &[#(#registers),*], blocks: &[#(#blocks),*] })
}

/// Returns the registers that the driver has methods for, each with its index.
fn with_methods<'a>(device: &'a Device<'_>) -> impl Iterator<Item = (Literal, &'a Register<'a>)> {
    let registers = device.driven().filter(|(_, register)| !register.methods().is_empty());
    registers.map(|(index, register)| (Literal::usize_unsuffixed(index), register))
}

fn origin_of_bar(bar: u8) -> Ident {
    format_ident!("__BAR_{bar}")
}

/// Generates the place from which the offset of a member counts.
fn origin(device: &Device<'_>, bar: Option<u8>) -> TokenStream {
    match bar {
        Some(bar) if device.block.is_none() => {
            let name = origin_of_bar(bar);
            quote!(#name)
        }
        _ => quote!(self.__origin),
    }
}

fn methods(device: &Device<'_>, bars: &TokenStream) -> TokenStream {
    let registers = device.driven().flat_map(|(index, register)| {
        let methods = register.methods().into_iter();
        methods.map(move |method| of_register(device, bars, index, register, &method))
    });
    let blocks = device.driven_blocks().map(|(index, field)| element(device, bars, index, field));
    quote!(#(#registers)* #(#blocks)*)
}

/// Generates a method of a register.
fn of_register(
    device: &Device<'_>,
    bars: &TokenStream,
    place: usize,
    register: &Register<'_>,
    method: &Method,
) -> TokenStream {
    let (ty, name) = (register.ty.element, &method.name);
    let origin = origin(device, device.bar_of(register));
    let register_at = Literal::usize_unsuffixed(place);
    let is_array = register.ty.length.is_some() && !register.reg.sharing.is_selected();
    let index = is_array.then(|| quote!(index: ::core::primitive::usize,));
    let at = if is_array { quote!(index) } else { quote!(0) };
    let common = quote!(#bars, &__REGISTERS[#register_at], #at);
    let (taken, result, call) = match method.access {
        Access::Read | Access::Take => (quote!(), quote!(#ty), quote!(read(#common))),
        Access::Write => (quote!(value: #ty), quote!(()), quote!(write(#common, value))),
        Access::WriteInverted => {
            (quote!(value: #ty), quote!(()), quote!(write_inverted(#common, value)))
        }
        Access::WriteAny => (quote!(), quote!(()), quote!(write_any(#common))),
        Access::Update => {
            let change = quote!(change: impl ::core::ops::FnOnce(&mut #ty));
            (change, quote!(()), quote!(update(#common, change)))
        }
    };
    let docs = docs(register, method.access);
    quote! {
        #(#[doc = #docs])*
        #[track_caller]
        pub fn #name(&mut self, #index #taken) -> ::core::result::Result<#result, __B::Error> {
            #origin.#call
        }
    }
}

/// Generates the method that returns the driver of an element of a block.
fn element(
    device: &Device<'_>,
    bars: &TokenStream,
    place: usize,
    field: &BlockField<'_>,
) -> TokenStream {
    let name = field.field;
    let ty = of_block_driver(field, quote!(Driver<'_, __B>));
    let create = of_block_driver(field, quote!(driver));
    let origin = origin(device, device.bar_or_default(field.block.bar.as_ref()));
    let block_at = Literal::usize_unsuffixed(place);
    let is_array = field.length.is_some() && field.block.select.is_none();
    let index = is_array.then(|| quote!(index: ::core::primitive::usize));
    let at = if is_array { quote!(index) } else { quote!(0) };
    let docs = documented(format!("Returns the driver of `{}`.", field.name), &field.doc);
    quote! {
        #(#[doc = #docs])*
        #[track_caller]
        pub fn #name(&mut self, #index) -> #ty {
            #create(#bars, #origin.within(&__OWN_BLOCKS[#block_at], #at))
        }
    }
}

/// An item of the trait of a block that has a driver, at the type of the field: the compiler
/// reports equal errors at one place once.
fn of_block_driver(field: &BlockField<'_>, item: TokenStream) -> TokenStream {
    let (ty, span) = (field.ty, field.ty.span());
    let item = item.into_iter().map(|mut token| {
        token.set_span(span);
        token
    });
    quote_spanned!(span=> <#ty as __vfio_user::HasDriver>::#(#item)*)
}

fn docs(register: &Register<'_>, access: Access) -> Vec<String> {
    let name = &register.name;
    let what = match access {
        Access::Read => format!("Reads `{name}`."),
        Access::Take => format!("Reads `{name}`, which may change something in the device."),
        Access::Write => format!("Writes `{name}`."),
        Access::WriteInverted => {
            format!("Writes `{name}`: zeros for the bits that are set here, ones for the others.")
        }
        Access::WriteAny => format!("Writes `{name}`, with any value."),
        Access::Update => format!("Reads `{name}`, changes the value and writes it."),
    };
    let policy = register.reg.policy();
    let what = format!("{what} Its policy is `{}`.", policy.name());
    documented(what, &register.doc)
}

/// What the author says follows in a paragraph of its own.
fn documented(first: String, doc: &str) -> Vec<String> {
    let rest = if doc.is_empty() { Vec::new() } else { vec![String::new(), doc.to_owned()] };
    std::iter::once(first).chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    #[test]
    fn the_expansion_of_a_driver_is_as_recorded() {
        let expanded = crate::expand::derive(&parse_quote! {
            #[pci(vendor = 0x1234, device = 0xcafe, driver = NicDriver)]
            #[bar(0: mem32, size = 0x1000)]
            #[migrate(none)]
            pub struct Nic {
                /// Of the whole card.
                #[reg(0x00)]
                control: Control,
                #[reg(0x04, w1c)]
                causes: u32,
                #[reg(0x08, rc)]
                errors: [u16; 2],
                #[block(0x100, stride = 0x10)]
                queues: [Queue; 8],
            }
        });
        crate::golden::compare("driver", &expanded);
    }
}
