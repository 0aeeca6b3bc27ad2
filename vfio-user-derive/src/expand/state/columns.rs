//! Generates the access to the private fields of a block, each as a column of its elements.

use proc_macro2::TokenStream;
use quote::quote;

use super::super::bounds;
use super::value::{
    self, Read, at_conversion, default, io, is_grown, read, wire, wire_type, written, written_part,
};
use super::{Names, blocks, entry, migrating, option, types};
use crate::ast::{Device, PrivateField};

/// The state of a block: each private field as a column over all elements.
pub(in super::super) fn expand(block: &Device<'_>) -> TokenStream {
    if !block.migrates() {
        return TokenStream::new();
    }
    let constant = quote! {
        const STATE: ::core::option::Option<__vfio_user::StateLayout> =
            ::core::option::Option::Some(__STATE);
    };
    let blocks = (!block.blocks.is_empty()).then(|| blocks::of_block(block));
    if migrating(block).count() == 0 {
        return quote!(#constant #blocks);
    }
    let types = types(block);
    let names = Names::new();
    let Names { out, from, device: it, value, elements, count, .. } = &names;
    let saves = migrating(block).map(|(index, field)| save_column(block, &names, index, field));
    let loads = migrating(block).map(|(index, field)| load_column(block, &names, index, field));
    let swaps = migrating(block).map(|(index, field)| {
        let (name, local) = (field.field, names.local(index));
        quote! {
            for (#it, #value) in ::core::iter::Iterator::zip(#elements.iter_mut(), &mut #local) {
                ::core::mem::swap(&mut #it.#name, #value);
            }
        }
    });
    quote! {
        #constant
        #blocks
        #types
        fn save_private(
            #elements: &[&Self],
            #out: &mut __vfio_user::StateWriter<'_>,
        ) -> ::core::result::Result<(), __vfio_user::StateError> {
            #(#saves)*
            ::core::result::Result::Ok(())
        }
        fn load_private(
            #count: ::core::primitive::usize,
            #from: &mut __vfio_user::StateReader<'_>,
        ) -> ::core::result::Result<__vfio_user::ExchangeAll<Self>, __vfio_user::StateError> {
            #(#loads)*
            ::core::result::Result::Ok(__vfio_user::exchange_all(move |#elements: &mut [&mut Self]| {
                #(#swaps)*
            }))
        }
    }
}

fn save_column(
    block: &Device<'_>,
    names: &Names,
    index: usize,
    field: &PrivateField<'_>,
) -> TokenStream {
    let Names { out, device: it, value, elements, defaults, .. } = names;
    let (name, entry, ty, in_stream) = (field.field, entry(index), field.ty, wire_type(field));
    let check = bounds::checks(block, field, &quote!(&#it.#name), (out, &entry));
    let check = check.map(|check| quote!(for #it in #elements { #check }));
    if let Some(io) = io(field) {
        let default = default(block, field);
        let local = default.as_ref().map(|default| quote!(let #value: #ty = #default;));
        let column = column(names, &quote!(#it), &value::borrowed(field, &quote!(#it.#name)));
        let default = option(default.map(|_| value::borrowed(field, &quote!(#value))));
        return quote! {
            #check
            #local
            #io.put(#out, #entry, __vfio_user::Written::Column(#column), #default)?;
        };
    }
    if is_grown(field) {
        let parts = save_parts(block, names, &entry, field);
        return quote!(#check #parts);
    }
    let column = column(names, &quote!(#it), &written(field, &quote!(&#it.#name)));
    let Some(default) = default(block, field) else {
        let put = at_conversion(field, quote!(#out.put_column(#entry, #in_stream, &#column)?;));
        return quote!(#check #put);
    };
    let of_default = self::column(names, &quote!(_), &written(field, &quote!(&#value)));
    let put = quote! {
        let #defaults = #of_default;
        #out.put_column_unless(#entry, #in_stream, &#column, &#defaults)?;
    };
    let put = at_conversion(field, put);
    quote! {
        #check
        let #value: #ty = #default;
        #put
    }
}

/// Writes the grown arrays of all elements, part by part.
fn save_parts(
    block: &Device<'_>,
    names: &Names,
    entry: &TokenStream,
    field: &PrivateField<'_>,
) -> TokenStream {
    let Names { out, device: it, value, defaults, part, .. } = names;
    let (name, in_stream) = (field.field, wire_type(field));
    let column = column(names, &quote!(#it), &written_part(field, &quote!(#it.#name), part));
    let Some(default) = default(block, field) else {
        let put = quote!(#out.put_column_part(#entry, #in_stream, &#column, &#part)?;);
        let put = at_conversion(field, put);
        return quote!(for #part in (#entry).parts() { #put });
    };
    let ty = field.ty;
    let of_default = self::column(names, &quote!(_), &written_part(field, &quote!(#value), part));
    let put = quote! {
        let #defaults = #of_default;
        #out.put_column_part_unless(#entry, #in_stream, (&#column, &#defaults), &#part)?;
    };
    let put = at_conversion(field, put);
    quote! {
        let #value: #ty = #default;
        for #part in (#entry).parts() { #put }
    }
}

/// Returns a column with a value of each element.
fn column(names: &Names, element: &TokenStream, value: &TokenStream) -> TokenStream {
    let Names { elements, .. } = names;
    quote! {
        ::core::iter::Iterator::collect::<::std::vec::Vec<_>>(::core::iter::Iterator::map(
            #elements.iter(),
            |#element| #value,
        ))
    }
}

fn load_column(
    block: &Device<'_>,
    names: &Names,
    index: usize,
    field: &PrivateField<'_>,
) -> TokenStream {
    let Names { from, value, column, count, .. } = names;
    let (ty, local, entry) = (field.ty, names.local(index), entry(index));
    let given = read(block, field, &Read { from, entry: entry.clone(), value });
    let taken = if let Some(io) = io(field) {
        quote!(#io.take_column(#from, #entry, #count)?)
    } else {
        let (wire, in_stream) = (wire(field), wire_type(field));
        let take =
            if is_grown(field) { quote!(grown_column_if_there) } else { quote!(column_if_there) };
        at_conversion(field, quote!(#from.#take::<#wire>(#entry, #in_stream, #count)?))
    };
    let fill = quote! {
        for #value in #column {
            #local.push(#given);
        }
    };
    let new = quote!(let mut #local = ::std::vec::Vec::<#ty>::new(););
    let Some(default) = default(block, field) else {
        return quote! {
            #new
            let #column = #taken;
            let #column = #from.required(#entry, #column)?;
            #fill
        };
    };
    quote! {
        #new
        match #taken {
            ::core::option::Option::Some(#column) => #fill
            ::core::option::Option::None => #local.resize_with(#count, || #default),
        }
    }
}
