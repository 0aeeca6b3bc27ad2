//! The private fields of a device.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::super::bounds;
use super::value::{Read, default, is_grown, known, read, wire, wire_type, written, written_part};
use super::{Names, entry, migrating, types};
use crate::ast::{Device, PrivateField};

/// `save_private` and `load_private` of a device.
pub(super) fn expand(device: &Device<'_>) -> TokenStream {
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

/// Writes a field of the device.
fn save(device: &Device<'_>, names: &Names, place: usize, field: &PrivateField<'_>) -> TokenStream {
    let (Names { out, .. }, name) = (names, field.field);
    let entry = entry(place);
    let check = bounds::checks(device, field, &quote!(&self.#name), (out, &entry));
    let (wire, value) = (wire_type(field), written(field, &quote!(&self.#name)));
    let known = known(field);
    if is_grown(field) {
        let parts = save_parts(device, names, &entry, field);
        return quote!(#known #check #parts);
    }
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
        return quote! {
            for #part in (#entry).parts() {
                #out.put_part(#entry, #wire, &#written, &#part)?;
            }
        };
    };
    let (ty, default_written) = (field.ty, written_part(field, &quote!(#value), part));
    quote! {
        let #value: #ty = #default;
        for #part in (#entry).parts() {
            #out.put_part_unless(#entry, #wire, (&#written, &#default_written), &#part)?;
        }
    }
}

/// Reads a field of the device.
fn load(device: &Device<'_>, names: &Names, place: usize, field: &PrivateField<'_>) -> TokenStream {
    let Names { from, value, .. } = names;
    let (ty, wire, local, entry) = (field.ty, wire(field), names.local(place), entry(place));
    let in_stream = wire_type(field);
    let given = read(device, field, &Read { from, entry: entry.clone(), value });
    let known = known(field);
    let (take, take_if_there) = if is_grown(field) {
        (quote!(take_grown), quote!(take_grown_if_there))
    } else {
        (quote!(take), quote!(take_if_there))
    };
    let Some(default) = default(device, field) else {
        return quote! {
            #known
            let #value = #from.#take::<#wire>(#entry, #in_stream)?;
            let mut #local: #ty = #given;
        };
    };
    quote! {
        #known
        let mut #local: #ty = match #from.#take_if_there::<#wire>(#entry, #in_stream)? {
            ::core::option::Option::Some(#value) => #given,
            ::core::option::Option::None => #default,
        };
    }
}
