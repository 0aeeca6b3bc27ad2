//! Generates constants: the masks of fields, the values of variants.

use std::collections::HashMap;

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Visibility;
use syn::ext::IdentExt as _;

use super::ast::{Field, Struct};
use super::attr::Width;
use super::values::Enum;
use crate::ctxt::Ctxt;
use crate::expand::int_of;

/// A constant for each field: the mask of its bits in the register.
pub(super) fn of_fields(bits: &Struct<'_>, width: &Width) -> TokenStream {
    let (ident, int) = (bits.ident, &width.int);
    let constants = bits.fields.iter().map(|field| {
        let (name, vis) = (name_of(field.ident), field.vis);
        let doc = format!("The bits of the field `{}`.", field.name);
        let mask = Literal::u64_unsuffixed(mask_of(field));
        quote_spanned!(place_of(field.ident)=> #[doc = #doc] #vis const #name: #int = #mask;)
    });
    inherent(ident, constants)
}

fn mask_of(field: &Field<'_>) -> u64 {
    let first = field.attr.bits.as_ref().map_or(0, |bits| bits.first);
    let ones = u64::MAX.checked_shr(64 - u32::try_from(field.width()).unwrap_or(64));
    ones.unwrap_or(0).checked_shl(u32::try_from(first).unwrap_or(64)).unwrap_or(0)
}

/// A constant for each variant: its value. Of a register it has the register's type.
pub(super) fn of_variants(values: &Enum<'_>, vis: &Visibility) -> TokenStream {
    let int = values.width.as_ref().map_or_else(
        || quote!(u64),
        |width| {
            let int = &width.int;
            quote!(#int)
        },
    );
    let named = values.named.iter().filter(|named| has_constant(named.ident));
    let named = named.map(|named| (named, name_of(named.ident)));
    let constants = named.map(|(named, name)| {
        let doc = format!("The value of `{}`.", named.ident.unraw());
        let value = int_of(values.ident, &named.value);
        quote_spanned! {place_of(named.ident)=>
            #[doc = #doc] #vis const #name: #int = (#value) as #int;
        }
    });
    inherent(values.ident, constants)
}

fn inherent(ident: &Ident, constants: impl Iterator<Item = TokenStream>) -> TokenStream {
    quote! {
        #[automatically_derived]
        #[allow(dead_code)]
        impl #ident {
            #(#constants)*
        }
    }
}

/// F12: each name has a constant of its own. `what` are the names: fields or variants.
pub(super) fn are_apart<'a>(cx: &Ctxt, what: &str, names: impl Iterator<Item = &'a Ident>) {
    let mut taken = HashMap::<String, &Ident>::new();
    for ident in names {
        let name = name_of(ident).to_string();
        let Some(first) = taken.get(&name) else {
            taken.insert(name, ident);
            continue;
        };
        let message = format!("{what} `{first}` and `{ident}` both have the constant `{name}`");
        cx.error(ident, format_args!("{message}; rename one"));
        cx.error(first, format_args!("`{first}` has it first"));
    }
}

/// Whether a variant has a constant: its own name would hide one of the same name.
pub(super) fn has_constant(variant: &Ident) -> bool {
    *variant != name_of(variant)
}

/// Where the compiler shows that a constant is defined twice, if the author has one of that name.
fn place_of(ident: &Ident) -> Span {
    ident.span().resolved_at(Span::call_site())
}

/// The name of a constant: `irq_on_fact` and `IrqOnFact` are `IRQ_ON_FACT`.
fn name_of(ident: &Ident) -> Ident {
    let mut name = String::new();
    let mut was_lower = false;
    for letter in ident.unraw().to_string().chars() {
        if letter.is_uppercase() && was_lower {
            name.push('_');
        }
        was_lower = letter.is_lowercase() || letter.is_ascii_digit();
        name.extend(letter.to_uppercase());
    }
    Ident::new(&name, ident.span())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proc_macro2::Span;

    #[test]
    fn names_are_those_of_constants() {
        let names = [
            ("computing", "COMPUTING"),
            ("irq_on_fact", "IRQ_ON_FACT"),
            ("IrqOnFact", "IRQ_ON_FACT"),
            ("Mode8Bit", "MODE8_BIT"),
            ("r#type", "TYPE"),
        ];
        for (written, constant) in names {
            let ident: Ident =
                syn::parse_str(written).unwrap_or(Ident::new("_x", Span::call_site()));
            assert_eq!(name_of(&ident), constant);
        }
    }
}
