//! Generates windows, and their checks.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::sharing::bits;
use super::tokens::{enforce, fields, int};
use crate::ast::{Device, Register};
use crate::attr::{BarNumber, WindowBar};
use crate::valid::window::undecided_mask;

pub(super) fn register(device: &Device<'_>, register: &Register<'_>) -> Option<TokenStream> {
    let window = &register.reg.window.as_ref()?.value;
    let at = bits(device, window.at.as_ref()?)?;
    let bar = match &window.bar {
        None => None,
        Some(WindowBar::Number(BarNumber { index, .. })) => {
            let bar = Literal::u8_unsuffixed((*index)?);
            Some(quote!(.with_bar(__vfio_user::WindowBar::Number(#bar))))
        }
        Some(WindowBar::Selected(path)) => {
            let selected = bits(device, path)?;
            Some(quote!(.with_bar(__vfio_user::WindowBar::Selected(#selected))))
        }
    };
    let len = window.len.as_ref().and_then(|path| bits(device, path));
    let len = len.map(|bits| quote!(.with_len(#bits)));
    let step = window.step.as_ref().map(|step| {
        let step = int(device, step);
        quote!(.with_step(#step))
    });
    Some(quote!(.with_window(const { &__vfio_user::Window::new(#at) #bar #len #step })))
}

/// Generates the checks of the fields by which a window goes, and of where it reaches.
pub(super) fn checks(
    device: &Device<'_>,
    register: &Register<'_>,
    index: &Literal,
) -> Vec<TokenStream> {
    let paths = register.reg.window.iter().flat_map(|given| given.value.paths());
    let checks = paths.filter_map(|path| {
        let field = path.field.as_ref()?;
        let (_, other) = device.register(&path.register)?;
        let (name, fields, field) = (path.name(), fields(other), field.to_string());
        Some(enforce(&path.expr, quote!(__vfio_user::window_field(#name, #fields, #field))))
    });
    let reach = undecided_mask(device, register)
        .map(|mask| enforce(mask, quote!(__vfio_user::check_window_reach(__CHECKED, #index))));
    checks.chain(reach).collect()
}
