//! Generates code from a validated declaration.

mod access;
mod block;
mod bounds;
mod caller;
mod capability;
mod checks;
mod descriptor;
mod driver;
mod fallback;
mod hooks;
mod index;
mod intr;
mod memory;
mod sharing;
mod state;
mod status;
mod timers;
mod tokens;
mod unmodelled;
mod warnings;
mod window;

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{DeriveInput, Generics, Visibility, parse_quote_spanned};

pub(crate) use block::derive as derive_block;
pub(crate) use tokens::{doc, enforce, in_anonymous_const, int_of};

use crate::ast::Device;
use crate::ctxt::Ctxt;
use crate::valid;

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let cx = Ctxt::new();
    let device = Device::read(&cx, input);
    if let Some(device) = &device {
        valid::validate(&cx, input, device);
    }
    match (cx.finish(), device) {
        (Ok(()), Some(device)) if !device.is_broken => expand(&input.vis, &device),
        (Ok(()), _) => fallback::expand(input, &TokenStream::new()),
        (Err(error), _) => fallback::expand(input, &error.to_compile_error()),
    }
}

fn expand(vis: &Visibility, device: &Device<'_>) -> TokenStream {
    let ident = device.ident;
    let generics = with_device_bound(device);
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let indices = index::declarations(device);
    let data = descriptor::expand(device);
    let checks = checks::expand(device);
    let warnings = warnings::expand(device);
    let load = access::load(device);
    let store = access::store(device);
    let hook = hooks::expand(device);
    let status = status::expand(device);
    let layout = state::layout(device);
    let state = state::device(device);
    let timers = timers::expand(device);
    let memory = memory::access(device);
    let declaration = driver::declaration(vis, device);
    let driver = driver::expand(device);
    let events = events();
    let implementation = in_anonymous_const(
        &device.library,
        &quote! {
            #indices
            #layout
            #data
            #checks
            #warnings

            #[automatically_derived]
            impl #impl_generics __vfio_user::PciDevice for #ident #ty_generics #where_clause {
                const DESCRIPTOR: __vfio_user::Descriptor = __DESCRIPTOR;
                #events
                #load
                #store
                #hook
                #status
                #state
                #timers
                #memory
            }
            #driver
        },
    );
    quote!(#declaration #implementation)
}

/// Emits how events are recorded, which depends on the traits of their type.
fn events() -> TokenStream {
    quote! {
        const EVENTS: ::core::option::Option<__vfio_user::EventCodec<Self::Event>> = {
            #[allow(unused_imports)]
            use __vfio_user::NotRecorded as _;
            __vfio_user::Recordable::<Self::Event>::CODEC
        };
    }
}

/// Adds a bound so that a missing `impl Device` is reported once, at the struct, and not for every
/// mention of its `Cx`.
fn with_device_bound(device: &Device<'_>) -> Generics {
    let ident = device.ident;
    let (_, ty_generics, _) = device.generics.split_for_impl();
    let at = Span::call_site().located_at(ident.span());
    let mut name = ident.clone();
    name.set_span(at);
    let bound = parse_quote_spanned!(at=> #name #ty_generics: __vfio_user::Device);
    let mut generics = device.generics.clone();
    generics.make_where_clause().predicates.push(bound);
    state::with_bounds(device, &mut generics);
    generics
}

#[cfg(test)]
mod tests {
    use super::*;
    use proc_macro2::TokenTree;
    use syn::parse_quote;

    #[test]
    fn the_expansion_of_a_trivial_device_is_as_recorded() {
        let expanded = derive(&parse_quote! {
            /// The smallest device that has one of everything.
            #[pci(vendor = 0x1234, device = 0xcafe, class = 0x00_ff00)]
            #[bar(0: mem32, size = 0x1000)]
            #[irq(msix = 1)]
            struct Trivial {
                /// "triv", in ASCII.
                #[reg(0x00, ro, reset = 0x7472_6976)]
                id: Virtual<u32>,
                /// Holds what is written.
                ///
                /// Nothing comes of it.
                #[reg(0x04)]
                scratch: u32,
                #[reg(0x08, w1c)]
                irq_status: u32,
                #[reg(0x0c, wo, write_with = Self::raise)]
                raise: Virtual<u32>,
                counter: u64,
            }
        });
        crate::golden::compare("trivial", &expanded);
    }

    /// The columns of a name in the expansion where it stands behind `before`, so that the compiler
    /// and editors find what it names.
    fn columns(tokens: &TokenStream, name: &str, before: char) -> Vec<usize> {
        let (mut found, mut follows) = (Vec::new(), false);
        for token in tokens.clone() {
            match &token {
                TokenTree::Group(group) => found.extend(columns(&group.stream(), name, before)),
                TokenTree::Ident(ident) if follows && ident == name => {
                    found.push(ident.span().start().column);
                }
                _ => {}
            }
            follows = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == before);
        }
        found
    }

    #[test]
    fn what_attributes_name_is_found_by_editors() {
        let source = "#[pci(vendor = 1, device = 2)] #[bar(0: mem32, size = 0x1000)] #[irq(msix = 1)] \
             struct Card { \
             #[reg(0x00)] control: Control, \
             #[reg(0x04, lock = control.busy)] locked: u32, \
             #[reg(0x08, w1c)] #[intr(status, enable = lets, mask = stops, test = sets)] status: u32, \
             #[reg(0x0c)] lets: u32, #[reg(0x10)] stops: u32, #[reg(0x14, wo)] sets: u32, \
             #[reg(0x18, wo, write_with = Self::started)] start: Virtual<u32>, \
             #[timer(Self::expired)] timer: Timer, \
             #[migrate(with = clock)] time: Instant }";
        let expanded = derive(&syn::parse_str(source).unwrap());
        for (written, name, before) in [
            ("control.busy", "control", '.'),
            ("busy)", "busy", '.'),
            ("lets, mask", "lets", '.'),
            ("stops, test", "stops", '.'),
            ("sets)]", "sets", '.'),
            ("started)", "started", ':'),
            ("expired)", "expired", ':'),
        ] {
            let column = source.find(written).unwrap();
            let columns = columns(&expanded, name, before);
            assert!(columns.contains(&column), "{name} at {column}: {columns:?}");
        }
        // The module of a conversion starts a path.
        let column = source.find("clock)").unwrap();
        assert!(columns(&expanded, "clock", ':').contains(&column), "{expanded}");
    }
}
