//! Generates constants: the masks of fields, the values of variants.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote;
use syn::Visibility;
use syn::ext::IdentExt as _;

use super::ast::{Field, Struct};
use super::attr::Width;
use super::values::Enum;
use crate::expand::int_of;

/// A constant for each field: the mask of its bits in the register.
pub(super) fn of_fields(bits: &Struct<'_>, width: &Width) -> TokenStream {
    let (ident, int) = (bits.ident, &width.int);
    let constants = bits.fields.iter().map(|field| {
        let (name, vis) = (name_of(field.ident), field.vis);
        let doc = format!("The bits of the field `{}`.", field.name);
        let mask = Literal::u64_unsuffixed(mask_of(field));
        quote!(#[doc = #doc] #vis const #name: #int = #mask;)
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
    let named = values.named.iter();
    let named = named.map(|named| (named, name_of(named.ident)));
    // The name of a variant would hide the constant.
    let named = named.filter(|(named, name)| named.ident != name);
    let constants = named.map(|(named, name)| {
        let doc = format!("The value of `{}`.", named.ident.unraw());
        let value = int_of(values.ident, &named.value);
        quote!(#[doc = #doc] #vis const #name: #int = (#value) as #int;)
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
