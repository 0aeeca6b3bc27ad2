//! Private state: how it migrates as data, and thin access to it.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Generics, Type, TypeArray, parse_quote};

use super::{bounds, int, register_block, without_self};
use crate::ast::{Device, PrivateField, peel};
use crate::valid::is_byte_vec;

/// The private fields that migrate, each with its place among them.
fn migrating<'d, 'a>(
    device: &'d Device<'a>,
) -> impl Iterator<Item = (usize, &'d PrivateField<'a>)> {
    device.private.iter().filter(|field| field.state.skip.is_none()).enumerate()
}

/// `const __STATE: ..`, if the struct migrates.
pub(super) fn layout(device: &Device<'_>) -> Option<TokenStream> {
    if !device.migrates() {
        return None;
    }
    let version = Literal::u64_unsuffixed(device.state.version());
    let min = Literal::u64_unsuffixed(device.state.min());
    let fields = migrating(device).map(|(_, field)| {
        let with = field.state.with.as_ref().map(|given| given.value.to_token_stream());
        let with = with.map(|with| format!(" with {}", tight(&with.to_string())));
        let (name, ty) = (&field.name, type_text(field.ty) + &with.unwrap_or_default());
        let since = field.state.since().map(|since| {
            let since = Literal::u64_unsuffixed(since);
            quote!(.since(#since))
        });
        let default = field.state.default.as_ref().map(|given| {
            let text = tight(&given.value.to_token_stream().to_string());
            quote!(.default(#text))
        });
        let old = field.state.old_names();
        let renamed = (!old.is_empty()).then(|| quote!(.renamed_from(&[#(#old),*])));
        let max_len = field.state.max_len.as_ref().map(|given| {
            let len = given.value.first().map(|len| int(device, len));
            quote!(.max_len(#len))
        });
        let elements = elements(device, field).map(|count| quote!(.elements((#count) as u64)));
        quote!(__vfio_user::StateField::new(#name, #ty) #since #default #renamed #max_len #elements)
    });
    let names = &device.state.removed;
    let removed = (!names.is_empty()).then(|| quote!(.removed(&[#(#names),*])));
    Some(quote! {
        const __STATE: __vfio_user::StateLayout =
            __vfio_user::StateLayout::new(#version, #min, &[#(#fields),*]) #removed;
    })
}

/// How many elements an array has, where a constant can say so.
fn elements(device: &Device<'_>, field: &PrivateField<'_>) -> Option<TokenStream> {
    let Type::Array(TypeArray { len, .. }) = peel(field.ty) else { return None };
    let is_known = field.state.with.is_none() && !device.mentions_any_parameter(field.ty);
    is_known.then(|| without_self(device.ident, len.to_token_stream()))
}

/// `Vec < u8 >` as a person writes it.
fn type_text(ty: &Type) -> String {
    tight(&ty.to_token_stream().to_string())
}

fn tight(text: &str) -> String {
    let tight = text.replace(" < ", "<").replace(" >", ">").replace(" ::", "::");
    tight.replace(":: ", "::").replace(" ,", ",").replace(" ;", ";").replace("< ", "<")
}

/// `save_private` and `load_private` of a device, and those of its blocks.
pub(super) fn device(device: &Device<'_>) -> TokenStream {
    if !device.migrates() {
        return TokenStream::new();
    }
    let private = (migrating(device).count() > 0).then(|| private(device));
    let convert = device.state.convert.as_ref().map(|given| convert(&given.value));
    let blocks = (!device.blocks.is_empty()).then(|| blocks(device));
    quote!(#convert #private #blocks)
}

fn private(device: &Device<'_>) -> TokenStream {
    let names = Names::new();
    let Names { out, from, device: it, .. } = &names;
    let saves = migrating(device).map(|(place, field)| save(device, &names, place, field));
    let loads = migrating(device).map(|(place, field)| load(device, &names, place, field));
    let swaps = migrating(device).map(|(place, field)| {
        let (name, local) = (field.field, names.local(place));
        quote!(::core::mem::swap(&mut #it.#name, &mut #local);)
    });
    let types = types(device);
    quote! {
        #types
        fn save_private(
            &self,
            #out: &mut __vfio_user::StateWriter<'_>,
        ) -> ::core::result::Result<(), __vfio_user::StateError> {
            #(#saves)*
            ::core::result::Result::Ok(())
        }
        fn load_private(
            #from: &mut __vfio_user::StateReader<'_>,
        ) -> ::core::result::Result<__vfio_user::Exchange<Self>, __vfio_user::StateError> {
            #(#loads)*
            ::core::result::Result::Ok(__vfio_user::exchange(move |#it: &mut Self| {
                #(#swaps)*
            }))
        }
    }
}

/// A hook with another signature is a mistake at its path.
fn convert(path: &syn::ExprPath) -> TokenStream {
    let old = Ident::new("old", Span::mixed_site());
    let result = quote!(::core::result::Result<(), __vfio_user::StateError>);
    let taken = quote!(&mut __vfio_user::OldState);
    let ty = quote_spanned!(path.span()=> fn(#taken) -> #result);
    quote! {
        fn convert_state(#old: #taken) -> #result {
            let hook: #ty = #path;
            hook(#old)
        }
    }
}

/// `state_types`
fn types(device: &Device<'_>) -> TokenStream {
    let types = migrating(device).map(|(_, field)| wire_type(field));
    let known = migrating(device).filter_map(|(_, field)| known(field));
    quote! {
        fn state_types() -> ::std::vec::Vec<__vfio_user::WireType> {
            #(#known)*
            ::std::vec![#(#types),*]
        }
    }
}

/// Locals with hygiene: an author's expression may say the same names.
struct Names {
    out: Ident,
    from: Ident,
    device: Ident,
    value: Ident,
}

impl Names {
    fn new() -> Self {
        let local = |name| Ident::new(name, Span::mixed_site());
        Names {
            out: local("out"),
            from: local("from"),
            device: local("device"),
            value: local("value"),
        }
    }

    fn local(&self, place: usize) -> Ident {
        format_ident!("{}_{place}", self.value)
    }
}

/// What is written of a field's value, given a reference to that.
fn written(field: &PrivateField<'_>, value: &TokenStream) -> TokenStream {
    match &field.state.with {
        Some(_) => {
            let conversion = conversion(field);
            quote!((#conversion.save)(#value))
        }
        None => shape(field.ty).written(field.ty, value),
    }
}

/// The functions of a module that converts. Every use of them has this form, at one place, so that a
/// wrong signature is reported once.
fn conversion(field: &PrivateField<'_>) -> Option<TokenStream> {
    let (with, ty) = (&field.state.with.as_ref()?.value, field.ty);
    let at = Span::call_site().located_at(with.span());
    Some(quote_spanned! {at=>
        __vfio_user::Conversion::<#ty, _, _> { save: #with::save, load: #with::load }
    })
}

/// The type that is read of a field.
fn wire(field: &PrivateField<'_>) -> TokenStream {
    match &field.state.with {
        Some(_) => quote!(_),
        None => shape(field.ty).wire(field.ty),
    }
}

/// The type of a field in a stream.
fn wire_type(field: &PrivateField<'_>) -> TokenStream {
    if let Some(conversion) = conversion(field) {
        return quote!(__vfio_user::WireType::taken_by(#conversion.load));
    }
    let (ty, wire) = (field.ty, shape(field.ty).wire(field.ty));
    quote_spanned!(ty.span()=> __vfio_user::WireType::of::<#wire>())
}

/// A field's value, of what was read.
fn read(device: &Device<'_>, field: &PrivateField<'_>, read: &Read<'_>) -> TokenStream {
    let Read { from, entry, value } = read;
    let ty = field.ty;
    let read = match &field.state.with {
        Some(_) => {
            let conversion = conversion(field);
            quote!((#conversion.load)(#value).map_err(|error| #from.refuse(#entry, error))?)
        }
        None => shape(ty).read(from, entry, value),
    };
    let Some(checks) = bounds::checks(device, field, &quote!(&#value), (from, entry)) else {
        return read;
    };
    quote!({
        let #value: #ty = #read;
        #checks
        #value
    })
}

/// Where a value comes from.
struct Read<'n> {
    from: &'n Ident,
    entry: TokenStream,
    value: &'n Ident,
}

/// The value that an older version takes for granted.
fn default(device: &Device<'_>, field: &PrivateField<'_>) -> Option<TokenStream> {
    let default = field.state.default.as_ref()?;
    let (ty, value) = (field.ty, without_self(device.ident, default.value.to_token_stream()));
    // Always in this form, so that a value of another type is reported once.
    let local = Ident::new("value", Span::mixed_site());
    Some(quote!({ let #local: #ty = #value; #local }))
}

/// Writes a field of the device.
fn save(device: &Device<'_>, names: &Names, place: usize, field: &PrivateField<'_>) -> TokenStream {
    let (Names { out, .. }, name) = (names, field.field);
    let entry = entry(place);
    let check = bounds::checks(device, field, &quote!(&self.#name), (out, &entry));
    let (wire, value) = (wire_type(field), written(field, &quote!(&self.#name)));
    let known = known(field);
    // All of it is at the type, with nothing of a method call: what is wrong is told once.
    let place = field.ty.span();
    let Some(default) = default(device, field) else {
        let put =
            quote_spanned!(place=> __vfio_user::StateWriter::put(#out, #entry, #wire, &#value)?;);
        return quote!(#known #check #put);
    };
    let (ty, local) = (field.ty, &names.value);
    let default_value = written(field, &quote!(&#local));
    let put = quote_spanned! {place=>
        __vfio_user::StateWriter::put_unless(#out, #entry, #wire, &#value, &#default_value)?;
    };
    quote! {
        #known
        #check
        let #local: #ty = #default;
        #put
    }
}

/// Asks for the same as [`written`] at the same place: the compiler tells the same mistake once.
fn known(field: &PrivateField<'_>) -> Option<TokenStream> {
    let ty = field.ty;
    let is_plain = field.state.with.is_none() && matches!(shape(ty), Shape::Plain);
    is_plain.then(|| quote_spanned!(ty.span()=> let _ = __vfio_user::migrated::<#ty>;))
}

/// Reads a field of the device.
fn load(device: &Device<'_>, names: &Names, place: usize, field: &PrivateField<'_>) -> TokenStream {
    let Names { from, value, .. } = names;
    let (ty, wire, local, entry) = (field.ty, wire(field), names.local(place), entry(place));
    let in_stream = wire_type(field);
    let given = read(device, field, &Read { from, entry: entry.clone(), value });
    let known = known(field);
    let Some(default) = default(device, field) else {
        return quote! {
            #known
            let #value = #from.take::<#wire>(#entry, #in_stream)?;
            let mut #local: #ty = #given;
        };
    };
    quote! {
        #known
        let mut #local: #ty = match #from.take_if_there::<#wire>(#entry, #in_stream)? {
            ::core::option::Option::Some(#value) => #given,
            ::core::option::Option::None => #default,
        };
    }
}

fn entry(place: usize) -> TokenStream {
    let place = Literal::usize_unsuffixed(place);
    quote!(&__STATE.fields[#place])
}

/// How a type is written.
enum Shape<'t> {
    Bytes,
    ByteArray,
    /// Of any length, which serde alone does not do.
    Array(&'t Type),
    Plain,
}

fn shape(ty: &Type) -> Shape<'_> {
    let is_byte = |ty: &Type| crate::ast::last_ident(ty).is_some_and(|ident| ident == "u8");
    match peel(ty) {
        Type::Array(TypeArray { elem, .. }) if is_byte(elem) => Shape::ByteArray,
        Type::Array(TypeArray { elem, .. }) => Shape::Array(elem),
        ty if is_byte_vec(ty) => Shape::Bytes,
        _ => Shape::Plain,
    }
}

impl Shape<'_> {
    /// What is written, given a reference to the value.
    fn written(&self, ty: &Type, value: &TokenStream) -> TokenStream {
        match self {
            Shape::Bytes | Shape::ByteArray => quote!(__vfio_user::as_bytes(#value)),
            Shape::Array(element) => quote!(__vfio_user::as_slice::<#element>(#value)),
            Shape::Plain => {
                // A type that cannot migrate is a mistake at the type.
                quote_spanned!(ty.span()=> __vfio_user::migrated::<#ty>(#value))
            }
        }
    }

    /// What is read.
    fn wire(&self, ty: &Type) -> TokenStream {
        match self {
            Shape::Bytes | Shape::ByteArray => quote!(__vfio_user::ByteBuf),
            Shape::Array(element) => quote_spanned!(element.span()=> ::std::vec::Vec<#element>),
            Shape::Plain => ty.to_token_stream(),
        }
    }

    /// The field's value, of what was read.
    fn read(&self, from: &Ident, entry: &TokenStream, value: &Ident) -> TokenStream {
        match self {
            Shape::Bytes => quote!(#value.into_vec()),
            Shape::ByteArray => quote!(#from.array(#entry, #value.into_vec())?),
            Shape::Array(_) => quote!(#from.array(#entry, #value)?),
            Shape::Plain => value.to_token_stream(),
        }
    }
}

/// `save_block` and `load_block`.
fn blocks(device: &Device<'_>) -> TokenStream {
    let Names { out, from, device: it, .. } = &Names::new();
    let saves = device.blocks.iter().enumerate().map(|(place, field)| {
        let (place, name) = (Literal::usize_unsuffixed(place), field.field);
        let implementation = register_block(field);
        let is_array = field.length.is_some();
        let elements = if is_array {
            quote!(&self.#name)
        } else {
            quote!(::core::slice::from_ref(&self.#name))
        };
        quote!(#place => #implementation::save_private(#elements, #out))
    });
    let loads = device.blocks.iter().enumerate().map(|(place, field)| {
        let (place, name) = (Literal::usize_unsuffixed(place), field.field);
        let implementation = register_block(field);
        let (count, elements) = match &field.length {
            Some(length) => {
                let length = without_self(device.ident, quote!(#length));
                (quote!(#length), quote!(&mut #it.#name))
            }
            None => (quote!(1), quote!(::core::slice::from_mut(&mut #it.#name))),
        };
        quote! {
            #place => {
                let mut elements = #implementation::load_private(#count, #from)?;
                ::core::result::Result::Ok(__vfio_user::exchange(move |#it: &mut Self| elements(#elements)))
            }
        }
    });
    let types = device.blocks.iter().enumerate().map(|(place, field)| {
        let (place, implementation) = (Literal::usize_unsuffixed(place), register_block(field));
        quote!(#place => #implementation::state_types())
    });
    quote! {
        fn block_state_types(
            block: ::core::primitive::usize,
        ) -> ::std::vec::Vec<__vfio_user::WireType> {
            match block {
                #(#types,)*
                _ => ::std::vec::Vec::new(),
            }
        }
        fn save_block(
            &self,
            block: ::core::primitive::usize,
            #out: &mut __vfio_user::StateWriter<'_>,
        ) -> ::core::result::Result<(), __vfio_user::StateError> {
            match block {
                #(#saves,)*
                _ => ::core::result::Result::Ok(()),
            }
        }
        fn load_block(
            block: ::core::primitive::usize,
            #from: &mut __vfio_user::StateReader<'_>,
        ) -> ::core::result::Result<__vfio_user::Exchange<Self>, __vfio_user::StateError> {
            match block {
                #(#loads)*
                _ => ::core::result::Result::Ok(__vfio_user::exchange(|_| {})),
            }
        }
    }
}

/// The state of a block: each private field as a column over all elements.
pub(super) fn block(block: &Device<'_>) -> TokenStream {
    if !block.migrates() {
        return TokenStream::new();
    }
    let constant = quote! {
        const STATE: ::core::option::Option<__vfio_user::StateLayout> =
            ::core::option::Option::Some(__STATE);
    };
    if migrating(block).count() == 0 {
        return constant;
    }
    let types = types(block);
    let names = Names::new();
    let Names { out, from, device: it, .. } = &names;
    let saves = migrating(block).map(|(place, field)| save_column(block, &names, place, field));
    let loads = migrating(block).map(|(place, field)| load_column(block, &names, place, field));
    let swaps = migrating(block).map(|(place, field)| {
        let (name, local) = (field.field, names.local(place));
        quote! {
            for (#it, value) in elements.iter_mut().zip(&mut #local) {
                ::core::mem::swap(&mut #it.#name, value);
            }
        }
    });
    quote! {
        #constant
        #types
        fn save_private(
            elements: &[Self],
            #out: &mut __vfio_user::StateWriter<'_>,
        ) -> ::core::result::Result<(), __vfio_user::StateError> {
            #(#saves)*
            ::core::result::Result::Ok(())
        }
        fn load_private(
            count: ::core::primitive::usize,
            #from: &mut __vfio_user::StateReader<'_>,
        ) -> ::core::result::Result<__vfio_user::Exchange<[Self]>, __vfio_user::StateError> {
            #(#loads)*
            ::core::result::Result::Ok(__vfio_user::exchange(move |elements: &mut [Self]| {
                #(#swaps)*
            }))
        }
    }
}

fn save_column(
    block: &Device<'_>,
    names: &Names,
    place: usize,
    field: &PrivateField<'_>,
) -> TokenStream {
    let Names { out, device: it, value, .. } = names;
    let (name, entry, ty, in_stream) = (field.field, entry(place), field.ty, wire_type(field));
    let written_value = written(field, &quote!(&#it.#name));
    let column = quote! {
        elements.iter().map(|#it| #written_value).collect::<::std::vec::Vec<_>>()
    };
    let check = bounds::checks(block, field, &quote!(&#it.#name), (out, &entry));
    let check = check.map(|check| quote!(for #it in elements { #check }));
    let Some(default) = default(block, field) else {
        return quote!(#check #out.put_column(#entry, #in_stream, &#column)?;);
    };
    let written_default = written(field, &quote!(&#value));
    quote! {
        #check
        let #value: #ty = #default;
        let defaults = elements.iter().map(|_| #written_default);
        #out.put_column_unless(#entry, #in_stream, &#column, &defaults.collect::<::std::vec::Vec<_>>())?;
    }
}

fn load_column(
    block: &Device<'_>,
    names: &Names,
    place: usize,
    field: &PrivateField<'_>,
) -> TokenStream {
    let Names { from, value, .. } = names;
    let (ty, wire, local, entry) = (field.ty, wire(field), names.local(place), entry(place));
    let in_stream = wire_type(field);
    let given = read(block, field, &Read { from, entry: entry.clone(), value });
    let fill = quote! {
        for #value in column {
            #local.push(#given);
        }
    };
    let new = quote!(let mut #local = ::std::vec::Vec::<#ty>::new(););
    let Some(default) = default(block, field) else {
        return quote! {
            #new
            let column = #from.column::<#wire>(#entry, #in_stream, count)?;
            #fill
        };
    };
    quote! {
        #new
        match #from.column_if_there::<#wire>(#entry, #in_stream, count)? {
            ::core::option::Option::Some(column) => #fill
            ::core::option::Option::None => #local.resize_with(count, || #default),
        }
    }
}

/// Types that depend on parameters migrate if what they are does.
pub(super) fn with_bounds(device: &Device<'_>, generics: &mut Generics) {
    if !device.migrates() {
        return;
    }
    for (_, field) in migrating(device).filter(|(_, field)| field.state.with.is_none()) {
        let ty = field.ty;
        if device.mentions_parameter(ty) {
            let bound = parse_quote!(#ty: __vfio_user::Migrated);
            generics.make_where_clause().predicates.push(bound);
        }
    }
}
