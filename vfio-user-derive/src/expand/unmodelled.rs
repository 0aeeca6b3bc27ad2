//! Generates the declaration and the checks of places without a model.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::descriptor::bar_number;
use super::tokens::{enforce, int};
use crate::ast::Device;
use crate::attr::{Place, Unmodelled};

/// `const __UNMODELLED: ..`, if there are any.
pub(super) fn declarations(device: &Device<'_>) -> Option<TokenStream> {
    let places: Vec<_> =
        device.unmodelled().map(|(attribute, place)| one(device, attribute, place)).collect();
    (!places.is_empty())
        .then(|| quote!(const __UNMODELLED: &[__vfio_user::UnmodelledRange] = &[#(#places),*];))
}

fn one(device: &Device<'_>, attribute: &Unmodelled, place: &Place) -> TokenStream {
    let name = place.name.value();
    let start = int(device, &place.start);
    let new = match &place.end {
        None => quote!(word(#name, #start)),
        Some(end) => {
            let end = int(device, end);
            quote!(new(#name, #start, #end))
        }
    };
    let bar = bar_number(device.bar_or_default(attribute.bar.as_ref()));
    let zero = attribute.zero.as_ref().map(|_| quote!(.without_storage()));
    quote!(__vfio_user::UnmodelledRange::#new #bar #zero)
}

/// Checks that each place lies in its BAR, apart from all else.
pub(super) fn checks(device: &Device<'_>) -> Vec<TokenStream> {
    let places = device.unmodelled().enumerate().map(|(index, (_, place))| {
        let index = Literal::usize_unsuffixed(index);
        enforce(&place.at, quote!(__vfio_user::check_unmodelled(__CHECKED, #index, __CROWDED)))
    });
    places.collect()
}
