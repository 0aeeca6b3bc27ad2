//! The types of registers and fields.

use std::collections::{HashMap, HashSet};

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::super::map::{Field, Register, Value};
use super::comment::{docs, notes};
use super::names::{self, Names};
use super::number::{decimal, hex};

/// All types of a file. Registers and fields of the same shape have the same type.
pub(super) struct Types {
    pub(super) names: Names,
    is_own: bool,
    structs: HashMap<Shape, Ident>,
    enums: HashMap<Variants, Ident>,
    /// By their fields, as tokens.
    pub(super) blocks: HashMap<String, Ident>,
    /// In the order in which they were needed.
    pub(super) items: Vec<TokenStream>,
}

/// What makes two structs the same.
#[derive(PartialEq, Eq, Hash)]
struct Shape {
    bits: u64,
    policy: &'static str,
    fields: Vec<Field>,
}

/// What makes two enums the same.
#[derive(PartialEq, Eq, Hash)]
struct Variants {
    /// Of a register: what its value means.
    doc: String,
    values: Vec<Value>,
    other: Option<String>,
    /// The width of the payload.
    bits: u64,
    /// Of a register: its width, and whether it rejects other values.
    register: Option<(u64, bool)>,
}

impl Types {
    pub(super) fn new(names: Names, is_own: bool) -> Self {
        let (structs, enums, blocks) = (HashMap::new(), HashMap::new(), HashMap::new());
        Types { names, is_own, structs, enums, blocks, items: Vec::new() }
    }

    /// Returns the type of a register.
    pub(super) fn of_register(&mut self, register: &Register) -> TokenStream {
        match register.fields.as_slice() {
            [] => integer(register.bits),
            [field] if is_value(field, register.bits) => self.value(register, field),
            fields => {
                let ident = self.fields(register, fields);
                quote!(#ident)
            }
        }
    }

    /// An enum that is a register.
    fn value(&mut self, register: &Register, field: &Field) -> TokenStream {
        let variants = Variants {
            doc: field.doc.clone(),
            values: field.values.clone(),
            other: field.other.clone(),
            bits: round(field.width),
            register: Some((register.bits, field.is_rejecting)),
        };
        let ident = self.variants(variants, &names::camel(&register.name));
        quote!(#ident)
    }

    fn fields(&mut self, register: &Register, fields: &[Field]) -> Ident {
        let (bits, policy) = (register.bits, register.policy);
        let shape = Shape { bits, policy, fields: fields.to_vec() };
        if let Some(ident) = self.structs.get(&shape) {
            return ident.clone();
        }
        let name = names::camel(&register.name);
        let ident = self.names.take(&name);
        // The struct comes before the enums of its fields.
        let at = self.items.len();
        let mut scope = Names::default();
        let fields: TokenStream =
            fields.iter().map(|field| self.field(field, policy, &name, &mut scope)).collect();
        let width = integer(bits);
        let doc = docs(&register.doc);
        self.items.insert(
            at,
            quote! {
                #doc
                #[derive(Clone, Copy, Debug, Default, Register)]
                #[register(#width)]
                struct #ident { #fields }
            },
        );
        self.structs.insert(shape, ident.clone());
        ident
    }

    fn field(
        &mut self,
        field: &Field,
        of_register: &str,
        register: &str,
        scope: &mut Names,
    ) -> TokenStream {
        let (doc, notes) = (docs(&field.doc), notes(&field.notes));
        let ident = scope.take(&names::field(&field.name, self.is_own));
        let (first, last) = (decimal(field.first), decimal(field.first + field.width - 1));
        let mut options = match field.width {
            1 => vec![quote!(bit = #first)],
            _ => vec![quote!(bits = #first..=#last)],
        };
        if field.policy != of_register {
            options.push(word(field.policy));
        }
        if let Some(reset) = field.reset.map(hex) {
            options.push(quote!(reset = #reset));
        }
        if field.is_rejecting {
            options.push(quote!(reserved = reject));
        }
        let ty = self.of_field(field, register);
        quote!(#doc #notes #[field(#(#options),*)] #ident: #ty,)
    }

    fn of_field(&mut self, field: &Field, register: &str) -> TokenStream {
        if field.values.is_empty() {
            return match field.width {
                1 => quote!(bool),
                width => integer(round(width)),
            };
        }
        let variants = Variants {
            doc: String::new(),
            values: field.values.clone(),
            other: field.other.clone(),
            bits: round(field.width),
            register: None,
        };
        let name = format!("{register}{}", names::camel(&field.name));
        let ident = self.variants(variants, &name);
        quote!(#ident)
    }

    fn variants(&mut self, variants: Variants, name: &str) -> Ident {
        if let Some(ident) = self.enums.get(&variants) {
            return ident.clone();
        }
        let ident = self.names.take(name);
        let item = item(&ident, &variants, self.is_own);
        self.items.push(item);
        self.enums.insert(variants, ident.clone());
        ident
    }
}

/// An enum with its default: zero, or the first value.
fn item(ident: &Ident, variants: &Variants, is_own: bool) -> TokenStream {
    let mut scope = Names::default();
    let zero = variants.values.iter().position(|value| value.value == 0);
    let default = zero.or(variants.other.is_none().then_some(0));
    let listed = variants.values.iter().enumerate().map(|(at, value)| {
        let (doc, name) = (docs(&value.doc), scope.take(&names::variant(&value.name, is_own)));
        let default = (default == Some(at)).then(|| quote!(#[default]));
        let bits = decimal(value.value);
        quote!(#doc #default #name = #bits,)
    });
    let mut listed: Vec<TokenStream> = listed.collect();
    let payload = integer(variants.bits);
    let other = variants.other.as_deref().map(|name| scope.take(&names::variant(name, is_own)));
    let rest = other.as_ref().map(|other| {
        quote! {
            /// Any other value.
            #other(#payload),
        }
    });
    let repr = rest.as_ref().map(|_| quote!(#[repr(#payload)]));
    let at = before_free(&variants.values);
    listed.splice(at..at, rest);
    let derived = default.map(|_| quote!(Default,));
    let constructed = other.filter(|_| default.is_none()).map(|other| {
        quote! {
            impl Default for #ident {
                fn default() -> Self { #ident::#other(0) }
            }
        }
    });
    let register = variants.register.map(|(bits, is_rejecting)| {
        let width = integer(bits);
        let reserved = is_rejecting.then(|| quote!(, reserved = reject));
        quote!(#[register(#width #reserved)])
    });
    let doc = docs(&variants.doc);
    quote! {
        #doc
        #[derive(Clone, Copy, Debug, #derived PartialEq, Eq, Register)]
        #register
        #repr
        enum #ident { #(#listed)* }
        #constructed
    }
}

/// Returns where a variant without a value of its own gets one that is free: the language gives it
/// the one behind that of the variant before it.
fn before_free(values: &[Value]) -> usize {
    let taken: HashSet<_> = values.iter().map(|value| value.value).collect();
    let free = (0..=values.len() as u64).find(|value| !taken.contains(value)).unwrap_or(0);
    let before = values.iter().position(|value| value.value.checked_add(1) == Some(free));
    before.map_or(0, |at| at + 1)
}

/// Whether a field is a register as a whole.
pub(super) fn is_value(field: &Field, bits: u64) -> bool {
    let is_whole = field.first == 0 && field.width == bits;
    is_whole && !field.values.is_empty() && field.name.eq_ignore_ascii_case("value")
}

fn integer(bits: u64) -> TokenStream {
    word(&format!("u{bits}"))
}

/// Returns a word of the language.
pub(super) fn word(text: &str) -> TokenStream {
    text.parse().expect("this is a word")
}

/// Returns the width of the smallest integer with so many bits.
fn round(bits: u64) -> u64 {
    bits.next_power_of_two().clamp(8, 64)
}
