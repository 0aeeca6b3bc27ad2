//! The private fields of a device.

use proc_macro2::TokenStream;
use quote::quote;

use super::super::bounds;
use super::value::{
    self, Read, at_conversion, default, io, is_grown, read, wire, wire_type, written, written_part,
};
use super::{Names, entry, migrating, option, types};
use crate::ast::{Device, PrivateField};

/// `save_private` and `load_private` of a device.
pub(super) fn expand(device: &Device<'_>) -> TokenStream {
    let names = Names::new();
    let Names { out, from, device: it, .. } = &names;
    let saves = migrating(device).map(|(index, field)| save(device, &names, index, field));
    let loads = migrating(device).map(|(index, field)| load(device, &names, index, field));
    let swaps = migrating(device).map(|(index, field)| {
        let (name, local) = (field.field, names.local(index));
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

/// Writes a field of the device.
fn save(device: &Device<'_>, names: &Names, index: usize, field: &PrivateField<'_>) -> TokenStream {
    let (Names { out, value, .. }, name, ty) = (names, field.field, field.ty);
    let entry = entry(index);
    let check = bounds::checks(device, field, &quote!(&self.#name), (out, &entry));
    let default = default(device, field);
    let local = default.as_ref().map(|default| quote!(let #value: #ty = #default;));
    if let Some(io) = io(field) {
        let borrowed = |place: TokenStream| value::borrowed(field, &place);
        let written = borrowed(quote!(self.#name));
        let default = option(default.map(|_| borrowed(quote!(#value))));
        return quote! {
            #check
            #local
            #io.put(#out, #entry, __vfio_user::Written::One(#written), #default)?;
        };
    }
    if is_grown(field) {
        let parts = save_parts(device, names, &entry, field);
        return quote!(#check #parts);
    }
    let (wire, given) = (wire_type(field), written(field, &quote!(&self.#name)));
    let put = if default.is_none() {
        quote!(#out.put(#entry, #wire, &#given)?;)
    } else {
        let default_value = written(field, &quote!(&#value));
        quote!(#out.put_unless(#entry, #wire, &#given, &#default_value)?;)
    };
    let put = at_conversion(field, put);
    quote!(#check #local #put)
}

/// Writes an array that has grown, part by part.
fn save_parts(
    device: &Device<'_>,
    names: &Names,
    entry: &TokenStream,
    field: &PrivateField<'_>,
) -> TokenStream {
    let (Names { out, value, part, .. }, name, wire) = (names, field.field, wire_type(field));
    let written = written_part(field, &quote!(self.#name), part);
    let Some(default) = default(device, field) else {
        let put = at_conversion(field, quote!(#out.put_part(#entry, #wire, &#written, &#part)?;));
        return quote!(for #part in (#entry).parts() { #put });
    };
    let (ty, default_written) = (field.ty, written_part(field, &quote!(#value), part));
    let put = quote! {
        #out.put_part_unless(#entry, #wire, (&#written, &#default_written), &#part)?;
    };
    let put = at_conversion(field, put);
    quote! {
        let #value: #ty = #default;
        for #part in (#entry).parts() { #put }
    }
}

/// Reads a field of the device.
fn load(device: &Device<'_>, names: &Names, index: usize, field: &PrivateField<'_>) -> TokenStream {
    let Names { from, value, .. } = names;
    let (ty, local, entry) = (field.ty, names.local(index), entry(index));
    let given = read(device, field, &Read { from, entry: entry.clone(), value });
    let taken = if let Some(io) = io(field) {
        quote!(#io.take(#from, #entry)?)
    } else {
        let (wire, in_stream) = (wire(field), wire_type(field));
        let take =
            if is_grown(field) { quote!(take_grown_if_there) } else { quote!(take_if_there) };
        at_conversion(field, quote!(#from.#take::<#wire>(#entry, #in_stream)?))
    };
    let Some(default) = default(device, field) else {
        return quote! {
            let #value = #taken;
            let #value = #from.required(#entry, #value)?;
            let mut #local: #ty = #given;
        };
    };
    quote! {
        let mut #local: #ty = match #taken {
            ::core::option::Option::Some(#value) => #given,
            ::core::option::Option::None => #default,
        };
    }
}
