//! Generates composed interrupts as data, and the rules that the macro could not check.

use std::collections::HashMap;

use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote;

use super::tokens::{enforce, int};
use crate::ast::{Device, Register};
use crate::attr::ComposedInterrupt;
use crate::layout::HookKind;
use crate::literal;

pub(super) fn declarations(device: &Device<'_>) -> Option<TokenStream> {
    let intrs: Vec<_> =
        device.intrs().map(|(index, _, intr)| declaration(device, index, intr)).collect();
    (!intrs.is_empty())
        .then(|| quote!(const __COMPOSED: &[__vfio_user::ComposedInterrupt] = &[#(#intrs),*];))
}

fn declaration(device: &Device<'_>, status: usize, intr: &ComposedInterrupt) -> TokenStream {
    let status = Literal::usize_unsuffixed(status);
    let enable = intr.enable.as_ref().and_then(|given| register_index(device, &given.value));
    let enable = enable.map(|index| quote!(.with_enable(#index)));
    let mask = intr.mask.as_ref().and_then(|given| register_index(device, &given.value));
    let mask = mask.map(|index| quote!(.with_mask(#index)));
    let level = intr.is_level().then(|| quote!(.with_level()));
    let vector = intr.vector.as_ref().map(|given| {
        let vector = int(device, &given.value);
        let untyped = literal::is_untyped(&given.value.expr);
        if untyped {
            quote!(.with_vector(#vector))
        } else {
            quote!(.with_vector(__vfio_user::vectors(#vector)))
        }
    });
    quote!(__vfio_user::ComposedInterrupt::new(#status) #enable #mask #level #vector)
}

fn register_index(device: &Device<'_>, name: &Ident) -> Option<Literal> {
    device.register(name).map(|(index, _)| Literal::usize_unsuffixed(index))
}

/// The registers that test and clear registers change: indices of status registers by name.
pub(super) struct Effects<'d> {
    sets: HashMap<&'d Ident, usize>,
    clears: HashMap<&'d Ident, usize>,
}

impl<'d> Effects<'d> {
    pub(super) fn of(device: &'d Device<'_>) -> Self {
        let mut effects = Effects { sets: HashMap::new(), clears: HashMap::new() };
        for (index, _, intr) in device.intrs() {
            if let Some(test) = &intr.test {
                effects.sets.entry(&test.value).or_insert(index);
            }
            if let Some(clear) = &intr.clear {
                effects.clears.entry(&clear.value).or_insert(index);
            }
        }
        effects
    }

    /// Generates `.with_sets(..)` of a test register, `.with_clears(..)` of a clear register.
    pub(super) fn of_register(&self, register: &Register<'_>) -> TokenStream {
        let index = |indices: &HashMap<&Ident, usize>| {
            indices.get(register.field).map(|index| Literal::usize_unsuffixed(*index))
        };
        let sets = index(&self.sets).map(|index| quote!(.with_sets(#index)));
        let clears = index(&self.clears).map(|index| quote!(.with_clears(#index)));
        quote!(#sets #clears)
    }
}

/// I01, I02, X07.
pub(super) fn checks(device: &Device<'_>) -> Vec<TokenStream> {
    let mut checks = Vec::new();
    for (index, (_, status, intr)) in device.intrs().enumerate() {
        let index = Literal::usize_unsuffixed(index);
        for name in [&intr.enable, &intr.mask].into_iter().flatten().map(|given| &given.value) {
            let Some((_, other)) = device.register(name) else { continue };
            let bits = device.register_of_bits(status, intr);
            if other.ty.width().is_none() || bits.ty.width().is_none() {
                let other = register_index(device, name);
                checks.push(enforce(
                    name,
                    quote!(__vfio_user::check_intr_width(__CHECKED, #index, #other)),
                ));
            }
        }
        if status.ty.width().is_none() && !status.reg.hooks.has(HookKind::StatusWith) {
            let at = intr.trigger.as_ref().map_or(&intr.at, |given| &given.value);
            checks.push(enforce(at, quote!(__vfio_user::check_intr_trigger(__CHECKED, #index))));
        }
        if device.block.is_some() {
            continue;
        }
        let sources_known = device.irq().is_some_and(|irq| irq.known_sources().is_some());
        if let Some(vector) = &intr.vector
            && !(sources_known && vector.value.known.is_some())
        {
            checks.push(enforce(
                &vector.value,
                quote!(__vfio_user::check_intr_vector(__CHECKED, #index)),
            ));
        }
    }
    checks
}
