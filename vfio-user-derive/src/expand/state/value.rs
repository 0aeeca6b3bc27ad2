//! Generates the conversions of values into a stream and back, field by field.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Type, TypeArray};

use super::super::bounds;
use super::super::tokens::{local, located_at, without_self};
use crate::ast::{Device, PrivateField, peel};
use crate::storage::Storage;
use crate::valid::is_byte_vec;

/// Returns the expression to write for bytes, or for a converted value, given a reference to it.
pub(super) fn written(field: &PrivateField<'_>, value: &TokenStream) -> TokenStream {
    if let Some(conversion) = conversion(field) {
        return quote!((#conversion.save)(#value));
    }
    quote!(__vfio_user::as_bytes(#value))
}

/// Returns the functions that write and read a field. Nothing else depends on the traits of its
/// type, and this has one form at one place: a type that does not migrate is reported once.
pub(super) fn io(field: &PrivateField<'_>) -> Option<TokenStream> {
    match shape(field) {
        _ if field.state.with.is_some() => None,
        Shape::Bytes | Shape::BoxedBytes | Shape::ByteArray => None,
        Shape::Array(element) => {
            Some(quote_spanned!(element.span()=> __vfio_user::list_io::<#element>()))
        }
        Shape::Plain => {
            let ty = field.ty;
            Some(quote_spanned!(ty.span()=> __vfio_user::value_io::<#ty>()))
        }
    }
}

/// Returns the argument of those functions, given the place of the value.
pub(super) fn borrowed(field: &PrivateField<'_>, place: &TokenStream) -> TokenStream {
    let is_array = matches!(shape(field), Shape::Array(_));
    if is_array { quote!(&#place[..]) } else { quote!(&#place) }
}

/// Whether an array has grown, so that it is written in parts.
pub(super) fn is_grown(field: &PrivateField<'_>) -> bool {
    field.state.grown_from.is_some()
}

/// Returns the expression to write for a part of an array, given the array.
pub(super) fn written_part(
    field: &PrivateField<'_>,
    array: &TokenStream,
    part: &Ident,
) -> TokenStream {
    written(field, &quote!(&(#array)[#part.elements()]))
}

/// Returns the functions of a conversion's module. Every use of them has this form, at one place,
/// so that a wrong signature is reported once.
fn conversion(field: &PrivateField<'_>) -> Option<TokenStream> {
    let (with, ty) = (&field.state.with.as_ref()?.value, field.ty);
    let at = Span::call_site().located_at(with.span());
    Some(quote_spanned! {at=>
        __vfio_user::Conversion::<#ty, _, _> { save: #with::save, load: #with::load }
    })
}

/// Moves what uses the types of a conversion to where it is named: what is wrong with them is shown
/// there, once.
pub(super) fn at_conversion(field: &PrivateField<'_>, tokens: TokenStream) -> TokenStream {
    match &field.state.with {
        Some(with) => located_at(with.value.span(), tokens),
        None => tokens,
    }
}

/// Returns the type that those functions read.
pub(super) fn wire(field: &PrivateField<'_>) -> TokenStream {
    let is_converted = field.state.with.is_some();
    if is_converted { quote!(_) } else { quote!(__vfio_user::ByteBuf) }
}

/// Returns the type of a field in a stream.
pub(super) fn wire_type(field: &PrivateField<'_>) -> TokenStream {
    if let Some(conversion) = conversion(field) {
        return at_conversion(field, quote!(__vfio_user::WireType::taken_by(#conversion.load)));
    }
    if let Some(io) = io(field) {
        return quote!((#io.wire)());
    }
    let wire = wire(field);
    quote!(__vfio_user::WireType::of::<#wire>())
}

/// Returns a field's value from the value read.
pub(super) fn read(device: &Device<'_>, field: &PrivateField<'_>, read: &Read<'_>) -> TokenStream {
    let Read { from, entry, value } = read;
    let ty = field.ty;
    let read = match &field.state.with {
        Some(_) => {
            let conversion = conversion(field);
            let error = local("error");
            let load = quote! {
                (#conversion.load)(#value).map_err(|#error| #from.refuse(#entry, #error))?
            };
            at_conversion(field, load)
        }
        // All parts of it were read as elements.
        None if is_grown(field) => quote!(#from.array(#entry, #value)?),
        None => shape(field).read(from, entry, value),
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

/// The source of a value.
pub(super) struct Read<'n> {
    pub(super) from: &'n Ident,
    pub(super) entry: TokenStream,
    pub(super) value: &'n Ident,
}

/// Returns the value that an older version assumes.
pub(super) fn default(device: &Device<'_>, field: &PrivateField<'_>) -> Option<TokenStream> {
    let default = field.state.default.as_ref()?;
    let (ty, value) = (field.ty, without_self(device.ident, default.value.to_token_stream()));
    // Always in this form, so that a value of another type is reported once.
    let local = local("value");
    Some(quote!({ let #local: #ty = #value; #local }))
}

/// How a type is written.
enum Shape<'t> {
    Bytes,
    /// `Box<[u8]>` of a memory.
    BoxedBytes,
    ByteArray,
    /// Of any length, which serde alone does not do.
    Array(&'t Type),
    Plain,
}

fn shape<'t>(field: &PrivateField<'t>) -> Shape<'t> {
    if field.memory.is_some()
        && let Some(Storage::Boxed) = Storage::of(field.ty)
    {
        return Shape::BoxedBytes;
    }
    let is_byte = |ty: &Type| crate::ast::last_ident(ty).is_some_and(|ident| ident == "u8");
    match peel(field.ty) {
        Type::Array(TypeArray { elem, .. }) if is_byte(elem) => Shape::ByteArray,
        Type::Array(TypeArray { elem, .. }) => Shape::Array(elem),
        ty if is_byte_vec(ty) => Shape::Bytes,
        _ => Shape::Plain,
    }
}

impl Shape<'_> {
    /// The field's value, of what was read.
    fn read(&self, from: &Ident, entry: &TokenStream, value: &Ident) -> TokenStream {
        match self {
            Shape::Bytes => quote!(#value.into_vec()),
            Shape::BoxedBytes => quote!(#value.into_vec().into_boxed_slice()),
            Shape::ByteArray => quote!(#from.array(#entry, #value.into_vec())?),
            Shape::Array(_) => quote!(#from.array(#entry, #value)?),
            Shape::Plain => value.to_token_stream(),
        }
    }
}
