//! Writes a device as a Rust program.

mod comment;
mod device;
mod names;
mod number;
mod types;

use proc_macro2::TokenStream;
use quote::quote;

use super::fit::Device;
use names::Names;
use types::Types;

/// What the file contains besides the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A program that serves the device, and its generated tests.
    Program,
    /// Nothing: it is a module of a program.
    Module,
}

/// Returns the source. `origin` is the name of the file from which the device comes.
pub(super) fn source(device: &Device, shape: Shape, origin: &str) -> String {
    let mut names = Names::of_types();
    let ident = names.take(&names::camel(&device.name));
    let mut types = Types::new(names, device.is_own);
    let declared = device::tokens(device, &ident, shape, &mut types);
    let items = &types.items;
    let has_blocks = !declared.blocks.is_empty();
    let block = has_blocks.then(|| quote!(RegisterBlock,));
    let register = (!items.is_empty()).then(|| quote!(Register,));
    let device::Declared { device: structure, blocks } = &declared;
    let main = (shape == Shape::Program).then(|| {
        quote! {
            fn main() -> vfio_user::Result<()> { vfio_user::main(#ident::default) }
        }
    });
    let tests = (shape == Shape::Program).then(|| {
        quote! {
            #[cfg(test)]
            mod tests {
                vfio_user::device_tests!(super::#ident, super::#ident::default);
            }
        }
    });
    let tokens = quote! {
        use vfio_user::{Device, PciDevice, #register #block};
        #structure
        impl Device for #ident { type Event = (); }
        #main
        #(#blocks)*
        #(#items)*
        #tests
    };
    header(device, origin) + &comment::restore(&spaced(&format(tokens)))
}

fn format(tokens: TokenStream) -> String {
    let file = syn::parse2(tokens).expect("what is written is Rust");
    prettyplease::unparse(&file)
}

/// Puts an empty line between items.
fn spaced(source: &str) -> String {
    let mut spaced = String::with_capacity(source.len());
    let mut ends = false;
    for line in source.lines() {
        let is_inner = line.starts_with([' ', '}', ')', ']']);
        if ends && !is_inner && !line.is_empty() {
            spaced.push('\n');
        }
        ends = line == "}" || line.starts_with("use ") || (!is_inner && line.ends_with("{}"));
        spaced.push_str(line);
        spaced.push('\n');
    }
    spaced
}

/// The description of the file, and what has been left out of it.
fn header(device: &Device, origin: &str) -> String {
    let origin = super::text::plain(origin);
    let mut header = format!("//! Imported from `{origin}` by `vfu import`.\n\n");
    for notes in [&device.spaces, &device.notes] {
        for note in notes {
            comment::wrap(&super::text::plain(note), "", &mut header);
        }
        if !notes.is_empty() {
            header.push('\n');
        }
    }
    header
}
