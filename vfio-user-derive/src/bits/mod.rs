//! `#[derive(Register)]`: a struct of named bits, or the values of a field.

mod ast;
mod attr;
mod constants;
mod expand;
mod fallback;
mod valid;
mod values;
mod whole;

use proc_macro2::TokenStream;
use syn::{Data, DeriveInput};

use crate::ctxt::Ctxt;
use ast::Struct;
use values::Enum;

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let cx = Ctxt::new();
    let mut is_broken = false;
    let expanded = if let Data::Enum(data) = &input.data {
        let values = Enum::read(&cx, input, data);
        cx.finish().map(|()| values::expand(&values, &input.vis))
    } else {
        let bits = Struct::read(&cx, input);
        if let Some(bits) = &bits {
            valid::validate(&cx, input, bits);
            is_broken = bits.is_broken;
        }
        cx.finish().map(|()| bits.map(|bits| expand::expand(&bits)).unwrap_or_default())
    };
    match expanded {
        Ok(expanded) if !is_broken => expanded,
        Ok(_) => fallback::expand(input, &TokenStream::new()),
        Err(error) => fallback::expand(input, &error.to_compile_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[test]
    fn every_attribute_is_documented() {
        crate::golden::assert_documented(attr::KEYS);
    }

    #[test]
    fn the_expansion_of_a_register_is_as_recorded() {
        let control: DeriveInput = parse_quote! {
            /// Starts and stops the engine.
            #[register(u32)]
            pub struct Control {
                /// The engine runs.
                #[field(bit = 0)]
                enable: bool,
                #[field(bits = 3..=4, reset = 1, reserved = reject)]
                mode: Mode,
                #[field(bits = 8..=15, ro, reset = VERSION)]
                version: u8,
            }
        };
        let mode: DeriveInput = parse_quote! {
            enum Mode {
                Off = 0,
                On,
                Fast = 3,
            }
        };
        let other: DeriveInput = parse_quote! {
            #[repr(u8)]
            enum Speed {
                Slow = 1,
                Other(u8),
            }
        };
        let whole: DeriveInput = parse_quote! {
            /// What the engine does.
            #[register(u16, reserved = reject)]
            enum State {
                Idle = 1,
                Busy = BUSY,
            }
        };
        let expanded = [control, mode, other, whole].map(|input| derive(&input));
        crate::golden::compare("register", &quote::quote!(#(#expanded)*));
    }
}
