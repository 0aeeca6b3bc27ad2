//! The struct of a device, and those of its blocks.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::super::fit::{self, Block, Device, Item, Part, Place};
use super::super::map::{Bar, Bytes, Memory, Register, Unmodelled};
use super::super::policy;
use super::Shape;
use super::comment::{docs, notes};
use super::names::{self, Names};
use super::number::{decimal, digits, hex};
use super::types::{Types, is_value, word};

/// The structs of a device.
pub(super) struct Declared {
    pub(super) device: TokenStream,
    pub(super) blocks: Vec<TokenStream>,
}

/// The fields of a struct.
#[derive(Default)]
struct Fields {
    names: Names,
    /// The name of the space, for names that occur in several of them.
    space: String,
    tokens: TokenStream,
    /// The default value of each.
    defaults: TokenStream,
    /// Whether the language has a default for all of them.
    has_default: bool,
}

/// The longest array with a default in the language.
const LONGEST: u64 = 32;

pub(super) fn tokens(device: &Device, ident: &Ident, shape: Shape, types: &mut Types) -> Declared {
    let (mut fields, mut blocks) = (Fields { has_default: true, ..Fields::default() }, Vec::new());
    for Part { space, place, item } in &device.parts {
        fields.space.clone_from(space);
        let place =
            Some(*place).filter(|place| device.pci.bars.len() != 1 || *place == Place::Config);
        match item {
            Item::Register(one) => fields.register(one, place, device.is_own, types),
            Item::Block(one) => {
                let ty = block(one, device.is_own, types, &mut blocks);
                fields.block(one, &ty, place, device.is_own);
            }
        }
    }
    fields.space.clear();
    for memory in &device.pci.memories {
        fields.memory(memory, device.pci.bars.len() != 1);
    }
    let doc = docs(&device.doc);
    let pci = pci(device, ident);
    let bars = device.pci.bars.iter().map(|one| bar(one, device.pci.is_express));
    let places = device.pci.unmodelled.iter().map(unmodelled);
    let express = device.pci.is_express.then(|| quote!(#[capability(express)]));
    let (default, derived) = fields.default_of(ident);
    let tokens = fields.tokens;
    let visibility = (shape == Shape::Module).then(|| quote!(pub));
    let device = quote! {
        #doc
        #[derive(Debug, #derived PciDevice)]
        #pci
        #(#bars)*
        #express
        #(#places)*
        #visibility struct #ident { #tokens }
        #default
    };
    Declared { device, blocks }
}

fn pci(device: &Device, ident: &Ident) -> TokenStream {
    let pci = &device.pci;
    let (vendor, id) = (digits(pci.vendor, 4), digits(pci.device, 4));
    let mut options = vec![quote!(vendor = #vendor), quote!(device = #id)];
    if pci.class != 0 {
        let class = digits(pci.class, 6);
        options.push(quote!(class = #class));
    }
    if pci.revision != 0 {
        let revision = hex(pci.revision);
        options.push(quote!(revision = #revision));
    }
    if pci.subsystem != (0, 0) {
        let (vendor, id) = (digits(pci.subsystem.0, 4), digits(pci.subsystem.1, 4));
        options.push(quote!(subsystem = (#vendor, #id)));
    }
    let name = &device.name;
    if device.is_own && names::snake(&ident.to_string()) != *name {
        options.push(quote!(name = #name));
    }
    quote!(#[pci(#(#options),*)])
}

fn bar(bar: &Bar, is_express: bool) -> TokenStream {
    let (index, kind, size) = (decimal(bar.index.into()), word(bar.kind), hex(bar.size));
    let prefetchable = bar.is_prefetchable.then(|| quote!(, prefetchable));
    let allowed = match bar.kind {
        "io" if is_express => Some(quote!(, allow(express_io))),
        "mem32" if is_express && bar.is_prefetchable => Some(quote!(, allow(prefetchable_mem32))),
        _ => None,
    };
    quote!(#[bar(#index: #kind, size = #size #prefetchable #allowed)])
}

fn unmodelled(place: &Unmodelled) -> TokenStream {
    let Unmodelled { bytes: Bytes { bar, name, start, end }, is_stored } = place;
    let (bar, start, end) = (decimal((*bar).into()), hex(*start), hex(*end));
    let zero = (!is_stored).then(|| quote!(zero,));
    quote!(#[unmodelled(bar = #bar, #zero #start..#end = #name)])
}

/// Writes the struct of a block, before those of the blocks in it, and returns its type.
fn block(block: &Block, is_own: bool, types: &mut Types, blocks: &mut Vec<TokenStream>) -> Ident {
    let (at, mut fields) = (blocks.len(), Fields { has_default: true, ..Fields::default() });
    for register in &block.registers {
        fields.register(register, None, is_own, types);
    }
    for inner in &block.blocks {
        let ty = self::block(inner, is_own, types, blocks);
        fields.block(inner, &ty, None, is_own);
    }
    let key = fields.tokens.to_string();
    if let Some(ident) = types.blocks.get(&key) {
        return ident.clone();
    }
    let ident = types.names.take(&names::camel(&block.name));
    types.blocks.insert(key, ident.clone());
    let (default, derived) = fields.default_of(&ident);
    let (doc, tokens) = (docs(&block.doc), fields.tokens);
    blocks.insert(
        at,
        quote! {
            #doc
            #[derive(Clone, Copy, Debug, #derived RegisterBlock)]
            struct #ident { #tokens }
            #default
        },
    );
    ident
}

impl Fields {
    fn register(&mut self, one: &Register, place: Option<Place>, is_own: bool, types: &mut Types) {
        let ty = types.of_register(one);
        let value = match one.fields.as_slice() {
            [field] if is_value(field, one.bits) => field.policy,
            _ => one.policy,
        };
        let offset = hex(one.offset);
        let mut options = vec![quote!(#offset)];
        options.extend(place.map(bar_of));
        if value != "rw" {
            options.push(word(value));
        }
        if one.is_overlaid {
            options.push(quote!(overlay));
        }
        if let Some(array) = one.array.filter(|array| array.stride != one.bits / 8) {
            let stride = hex(array.stride);
            options.push(quote!(stride = #stride));
        }
        if let Some(reset) = one.reset.map(hex) {
            options.push(quote!(reset = #reset));
        }
        if fit::is_torn(one) {
            options.push(quote!(wide));
        }
        if one.fields.is_empty() && !policy::is_readable(value) {
            options.push(quote!(allow(unread)));
        }
        let count = one.array.map(|array| array.count);
        let docs = (docs(&one.doc), notes(&one.notes));
        self.add(
            &names::field(&one.name, is_own),
            docs,
            &quote!(#[reg(#(#options),*)]),
            &ty,
            count,
        );
    }

    fn block(&mut self, block: &Block, ty: &Ident, place: Option<Place>, is_own: bool) {
        let offset = hex(block.offset);
        let mut options = vec![quote!(#offset)];
        options.extend(place.map(bar_of));
        if let Some(array) = block.array.filter(|array| array.stride != block.dense_stride()) {
            let stride = hex(array.stride);
            options.push(quote!(stride = #stride));
        }
        let count = block.array.map(|array| array.count);
        let docs = (docs(&block.doc), notes(&block.notes));
        let attribute = quote!(#[block(#(#options),*)]);
        self.add(&names::field(&block.name, is_own), docs, &attribute, &quote!(#ty), count);
    }

    /// Adds a memory of an export.
    fn memory(&mut self, memory: &Memory, has_bars: bool) {
        let Memory { doc, bytes: Bytes { bar, name, start, end }, reset } = memory;
        let (start, end) = (hex(*start), hex(*end));
        let bar = has_bars.then(|| bar_of(Place::Bar(*bar))).map(|bar| quote!(, #bar));
        let reset = reset.map(word).map(|reset| quote!(, reset = #reset));
        let attribute = quote!(#[memory(#start..#end #bar #reset)]);
        let docs = (docs(doc), TokenStream::new());
        self.add(&names::field(name, true), docs, &attribute, &quote!(Box<[u8]>), None);
    }

    fn add(
        &mut self,
        name: &str,
        (doc, notes): (TokenStream, TokenStream),
        attribute: &TokenStream,
        ty: &TokenStream,
        count: Option<u64>,
    ) {
        let long_name = if self.space.is_empty() {
            name.to_owned()
        } else {
            format!("{}_{name}", names::snake(&self.space))
        };
        let ident = self.names.take_one_of(name, &long_name);
        let long = count.filter(|count| *count > LONGEST).map(decimal);
        self.has_default &= long.is_none();
        let default = quote!(Default::default());
        let default = long.map_or(default.clone(), |count| quote!([#default; #count]));
        self.defaults.extend(quote!(#ident: #default,));
        let ty = count.map(decimal).map_or(quote!(#ty), |count| quote!([#ty; #count]));
        self.tokens.extend(quote!(#doc #notes #attribute #ident: #ty,));
    }

    /// Returns what makes the struct `Default`: an implementation, or the derive's name.
    fn default_of(&self, ident: &Ident) -> (TokenStream, TokenStream) {
        if self.has_default {
            return (TokenStream::new(), quote!(Default,));
        }
        let defaults = &self.defaults;
        let implementation = quote! {
            impl Default for #ident {
                fn default() -> Self { #ident { #defaults } }
            }
        };
        (implementation, TokenStream::new())
    }
}

fn bar_of(place: Place) -> TokenStream {
    match place {
        Place::Bar(index) => {
            let index = decimal(index.into());
            quote!(bar = #index)
        }
        Place::Config => quote!(bar = config),
    }
}
