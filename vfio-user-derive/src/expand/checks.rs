//! Generates the rules whose values the macro does not know, for constant evaluation.

use std::collections::HashSet;

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Expr, Type, TypeArray};

use super::tokens::{enforce, fields, int, register_block, without_self};
use super::{capability, intr, memory, sharing, unmodelled, window};
use crate::ast::{Device, Register, peel};
use crate::attr::{self, Bar, Capability, Given, Int, Irq, RegisterPath};
use crate::layout::HookKind;
use crate::valid::mirror;
use crate::valid::sharing::Known;

pub(super) fn expand(device: &Device<'_>) -> TokenStream {
    let checks: Vec<_> = [
        crowded(device),
        ids(device),
        bars(device),
        registers(device),
        blocks(device),
        memory::checks(device),
        unmodelled::checks(device),
        interrupts(device),
        capability::checks(device),
        intr::checks(device),
        blocks_migrate(device),
        growth(device),
        domains(device),
    ]
    .concat();
    if checks.is_empty() {
        return TokenStream::new();
    }
    quote! {
        // The checks borrow it: a temporary could not be dropped in constant evaluation.
        const __CHECKED: &__vfio_user::Descriptor = &__DESCRIPTOR;
        #(#checks)*
    }
}

/// Checks that the blocks of a device that migrates do so, too.
fn blocks_migrate(device: &Device<'_>) -> Vec<TokenStream> {
    let blocks = device.blocks.iter().filter(|_| device.migrates());
    let checks = blocks.map(|block| {
        let (ty, implementation) = (block.ty, register_block(block));
        let function = quote_spanned!(ty.span()=> __vfio_user::enforce_block_migrates);
        quote!(const _: () = #function(#implementation::STATE);)
    });
    checks.collect()
}

/// Checks that arrays have grown from fewer elements.
fn growth(device: &Device<'_>) -> Vec<TokenStream> {
    let registers = device.registers.iter();
    let registers =
        registers.map(|one| (&one.name, &one.state, one.ty.length.as_ref().map(|len| &len.expr)));
    let blocks = device.blocks.iter();
    let blocks =
        blocks.map(|one| (&one.name, &one.state, one.length.as_ref().map(|len| &len.expr)));
    let private = device.private.iter();
    let private = private.map(|one| (&one.name, &one.state, array_length(one.ty)));
    let all = registers.chain(blocks).chain(private).filter(|_| device.migrates());
    let checks = all.filter_map(|(name, state, length)| {
        let last = state.grown_from.as_ref()?.value.last()?;
        let length = without_self(device.ident, length?.to_token_stream());
        let check = quote!(__vfio_user::growth(#name, #last, (#length) as u64));
        Some(enforce(last, check))
    });
    checks.collect()
}

/// Checks the domains of soft resets.
fn domains(device: &Device<'_>) -> Vec<TokenStream> {
    let registers = device.registers.iter().map(|register| &register.reg.behaviour.kept);
    let blocks = device.blocks.iter().map(|field| &field.block.kept);
    let domains = registers.chain(blocks).flat_map(|kept| &kept.soft).map(|given| &given.value);
    let unknown = domains.filter(|domain| domain.known.is_none());
    let checks = unknown.map(|domain| {
        let number = int(device, domain);
        enforce(domain, quote!(__vfio_user::soft_domain(#number)))
    });
    checks.collect()
}

fn array_length(ty: &Type) -> Option<&Expr> {
    match peel(ty) {
        Type::Array(TypeArray { len, .. }) => Some(len),
        _ => None,
    }
}

/// P10. The other ids have the types of their registers.
fn ids(device: &Device<'_>) -> Vec<TokenStream> {
    let Some(pci) = &device.attrs.pci else { return Vec::new() };
    let mut checks = Vec::new();
    if pci.vendor.known.is_none() {
        let ids = quote!(__CHECKED.ids().vendor as u64);
        checks.push(enforce(&pci.vendor, quote!(__vfio_user::vendor(#ids))));
    }
    if let Some(Given { value: class, .. }) = &pci.class
        && class.known.is_none()
    {
        let ids = quote!(__CHECKED.ids().class as u64);
        checks.push(enforce(class, quote!(__vfio_user::class(#ids))));
    }
    checks
}

fn bars(device: &Device<'_>) -> Vec<TokenStream> {
    let mut checks = Vec::new();
    for bar in &device.attrs.bars {
        let Some(index) = bar.number.index else { continue };
        if bar.size.known.is_none() {
            let number = Literal::u8_unsuffixed(index);
            checks.push(enforce(&bar.size, quote!(__vfio_user::check_bar(__CHECKED, #number))));
        }
        if bar.mirror.is_some() && !mirror::is_known(device, bar) {
            let number = Literal::u8_unsuffixed(index);
            checks.push(enforce(&bar.size, quote!(__vfio_user::check_mirror(__CHECKED, #number))));
        }
        checks.extend(parts(bar, index));
        checks.extend(shared(bar, index));
        checks.extend(raw(bar, index));
    }
    checks
}

/// Checks the parts of a BAR that clients may map.
fn shared(bar: &Bar, index: u8) -> Vec<TokenStream> {
    let Some(shared) = &bar.shared else { return Vec::new() };
    if bar.known_shared_areas().is_some() {
        return Vec::new();
    }
    let number = Literal::u8_unsuffixed(index);
    if shared.value.0.is_empty() {
        return vec![enforce(
            &shared.key,
            quote!(__vfio_user::check_shared_area(__CHECKED, #number, 0)),
        )];
    }
    let areas = shared.value.0.iter().enumerate();
    areas
        .map(|(index, area)| {
            let index = Literal::usize_unsuffixed(index);
            enforce(&area.range, quote!(__vfio_user::check_shared_area(__CHECKED, #number, #index)))
        })
        .collect()
}

/// Checks the ranges of a BAR that the device serves itself.
fn raw(bar: &Bar, index: u8) -> Vec<TokenStream> {
    let number = Literal::u8_unsuffixed(index);
    let is_known = bar.size.known.is_some() && bar.has_known_parts();
    let ranges = bar.raw_ranges().iter().enumerate().filter(|_| !is_known);
    ranges
        .map(|(index, range)| {
            let index = Literal::usize_unsuffixed(index);
            enforce(&range.range, quote!(__vfio_user::check_raw_range(__CHECKED, #number, #index)))
        })
        .collect()
}

/// Checks the parts of a BAR that have access sizes of their own.
fn parts(bar: &Bar, index: u8) -> Vec<TokenStream> {
    let is_known = |part: &attr::Part| part.bytes.known().is_some() && bar.size.known.is_some();
    let all_known = bar.access.parts.iter().all(is_known);
    let number = Literal::u8_unsuffixed(index);
    let parts = bar.access.parts.iter().enumerate().filter(|_| !all_known);
    parts
        .map(|(index, part)| {
            let index = Literal::usize_unsuffixed(index);
            enforce(
                &part.bytes.range,
                quote!(__vfio_user::check_access(__CHECKED, #number, #index)),
            )
        })
        .collect()
}

fn registers(device: &Device<'_>) -> Vec<TokenStream> {
    let mut checks = Vec::new();
    for ((index, register), is_placed) in device.registers.iter().enumerate().zip(placed(device)) {
        let index = Literal::usize_unsuffixed(index);
        if !is_placed {
            if let Some(at) = array(register) {
                checks.push(enforce(at, quote!(__vfio_user::check_array(__CHECKED, #index))));
            }
            let at = &register.reg.offset;
            checks
                .push(enforce(at, quote!(__vfio_user::check_place(__CHECKED, #index, __CROWDED))));
        }
        if !is_apart_from_shared(device, register) {
            checks.push(enforce(
                &register.reg.offset,
                quote!(__vfio_user::check_unshared(__CHECKED, #index)),
            ));
        }
        checks.extend(values(register, &index));
        checks.extend(sharing::checks(device, register, &index));
        checks.extend(window::checks(device, register, &index));
        checks.extend(behaviour(device, register, &index));
    }
    checks
}

/// The content of a block is declared elsewhere, so constant evaluation checks everything.
fn blocks(device: &Device<'_>) -> Vec<TokenStream> {
    let checks = device.blocks.iter().enumerate().flat_map(|(index, field)| {
        let index = Literal::usize_unsuffixed(index);
        let stride = field.block.stride.as_ref().map(|given| &given.value);
        let array = stride
            .or(field.length.as_ref())
            .map(|at| enforce(at, quote!(__vfio_user::check_block_array(__CHECKED, #index))));
        let is_inner = device.block.is_some();
        let check = if is_inner {
            quote!(__vfio_user::check_inner_place(__CHECKED, #index, __CROWDED))
        } else {
            quote!(__vfio_user::check_block_place(__CHECKED, #index, __CROWDED))
        };
        let place = match &field.block.capability {
            Some(Capability { at: Some(at), .. }) => enforce(&at.value, check),
            Some(Capability { key, .. }) => enforce(key, check),
            None => enforce(&field.block.offset, check),
        };
        let vector = quote!(__vfio_user::check_block_vectors(__CHECKED, #index));
        let given = field.block.vector_stride.as_ref().or(field.block.vector.as_ref());
        let vector = match given {
            Some(given) => enforce(&given.value, vector),
            None => enforce(field.ty, vector),
        };
        let nesting = quote!(__vfio_user::check_block_nesting(__CHECKED, #index));
        // They depend on the device, which has all levels.
        let of_device = [vector, enforce(field.ty, nesting)].into_iter().filter(move |_| !is_inner);
        let selector = sharing::block_checks(device, field, &index);
        array.into_iter().chain([place]).chain(of_device).chain(selector)
    });
    checks.collect()
}

/// Generates the input of the checks of places.
fn crowded(device: &Device<'_>) -> Vec<TokenStream> {
    let others = device.blocks.len() + device.memories().count() + device.unmodelled().count();
    let are_overlays_known =
        device.registers.iter().all(|register| sharing::is_overlay_known(device, register));
    let are_placed = placed(device).all(|is_placed| is_placed);
    if others == 0 && are_placed && are_overlays_known {
        return Vec::new();
    }
    let count = Literal::usize_unsuffixed(device.registers.len() + others);
    vec![quote!(const __CROWDED: &[bool] = &__vfio_user::crowded::<#count>(__CHECKED);)]
}

/// Returns the cause of an array that does not fit: its stride if the macro does not know it, or
/// its length.
fn array<'a>(register: &'a Register<'_>) -> Option<&'a Int> {
    let stride = register.reg.stride.as_ref().map(|stride| &stride.value);
    stride.filter(|stride| stride.known.is_none()).or(register.ty.length.as_ref())
}

/// Whether the macro has checked the place of each register: it knew the register, its BAR and the
/// registers before it.
fn placed(device: &Device<'_>) -> impl Iterator<Item = bool> {
    let mut undecided = HashSet::new();
    device.registers.iter().map(move |register| {
        let bar = device.bar_of(register);
        let is_certain = Known::of(register).is_certain;
        if register.extent().is_none() || !is_certain || !has_known_end(device, bar) {
            undecided.insert(bar);
        }
        !undecided.contains(&bar)
    })
}

/// Whether the macro knows the size of a BAR. A block has no end.
fn has_known_end(device: &Device<'_>, bar: Option<u8>) -> bool {
    let size = bar.and_then(|bar| device.bar(bar)?.size.known);
    size.is_some() || device.block.is_some()
}

/// Whether the macro has compared a register with the shared and the raw parts of its BAR.
fn is_apart_from_shared(device: &Device<'_>, register: &Register<'_>) -> bool {
    let bar = device.bar_of(register).and_then(|index| device.bar(index));
    bar.is_none_or(|bar| {
        let has_parts = bar.shared.is_some() || bar.raw.is_some();
        !has_parts || (bar.has_known_parts() && register.extent().is_some())
    })
}

fn values(register: &Register<'_>, index: &Literal) -> Vec<TokenStream> {
    let reg = &register.reg;
    let is_known =
        |given: &Option<Given<Int>>| given.as_ref().is_none_or(|given| given.value.known.is_some());
    let mask_is_known = register.ty.width().is_some() && is_known(&reg.mask);
    let rules = [
        (&reg.mask, quote!(check_mask)),
        (&reg.writable, quote!(check_writable)),
        (&reg.reset, quote!(check_reset)),
        (&reg.ioeventfd, quote!(check_doorbell)),
    ];
    let undecided = rules.into_iter().filter_map(|(given, check)| {
        let decided = mask_is_known && is_known(given);
        Some((given.as_ref().filter(|_| !decided)?, check))
    });
    let mut checks: Vec<_> = undecided
        .map(|(given, check)| enforce(&given.value, quote!(__vfio_user::#check(__CHECKED, #index))))
        .collect();
    if let (Some(_), Some(default)) = (register.state.since(), &register.state.default) {
        checks.push(enforce(&default.value, quote!(__vfio_user::check_default(__CHECKED, #index))));
    }
    checks
}

/// Generates checks that depend on the register's type, or on the length of an array.
fn behaviour(device: &Device<'_>, register: &Register<'_>, index: &Literal) -> Vec<TokenStream> {
    let (reg, width) = (&register.reg, register.ty.width());
    let mut checks = Vec::new();
    if width.is_none() && reads_nothing(register) {
        let at = register.ty.element;
        checks.push(enforce(at, quote!(__vfio_user::check_nothing_stored(__CHECKED, #index))));
    }
    if width.is_none() {
        match &reg.behaviour.wide {
            Some(wide) => {
                checks.push(enforce(&wide.key, quote!(__vfio_user::check_wide(__CHECKED, #index))));
            }
            None => checks.push(enforce(
                register.ty.element,
                quote!(__vfio_user::check_wide(__CHECKED, #index)),
            )),
        }
    } else if let Some(policy) = &reg.policy
        && policy.value.is_changed_by_reads()
        && width == Some(8)
        && register.known_mask().is_none()
    {
        checks.push(enforce(&policy.key, quote!(__vfio_user::check_wide(__CHECKED, #index))));
    }
    if let (Some(_), Some(reset)) = (&reg.behaviour.singlepulse, &reg.reset)
        && reset.value.known.is_none()
    {
        checks.push(enforce(&reset.value, quote!(__vfio_user::check_pulse(__CHECKED, #index))));
    }
    if let Some(Given { value: target, .. }) = &reg.behaviour.lock {
        checks.extend(lock(device, register, &target.path, index));
    }
    checks
}

/// Whether the value of a read is not declared, and so is zero.
fn reads_nothing(register: &Register<'_>) -> bool {
    let reg = &register.reg;
    let is_said = register.ty.is_stored || reg.reset.is_some() || reg.hooks.has(HookKind::ReadWith);
    reg.policy().is_readable() && !is_said
}

fn lock(
    device: &Device<'_>,
    register: &Register<'_>,
    target: &RegisterPath,
    index: &Literal,
) -> Option<TokenStream> {
    let (_, locking) = device.register(&target.register)?;
    let counts_are_known = register.known_count().is_some() && locking.known_count().is_some();
    if let Some(field) = &target.field {
        let (name, field) = (target.name(), field.to_string());
        let fields = fields(locking);
        return Some(enforce(
            &target.expr,
            quote!(__vfio_user::lock_field(#name, #fields, #field)),
        ));
    }
    (!counts_are_known)
        .then(|| enforce(&target.expr, quote!(__vfio_user::check_lock(__CHECKED, #index))))
}

fn interrupts(device: &Device<'_>) -> Vec<TokenStream> {
    let Some(irq) = device.irq() else { return Vec::new() };
    let mut checks = Vec::new();
    if let Some(Given { value, .. }) = &irq.msi
        && value.known.is_none()
    {
        checks.push(enforce(value, quote!(__vfio_user::check_msi(__CHECKED))));
    }
    if let Some(msix) = &irq.msix
        && !is_table_placed(device, irq, &msix.value)
    {
        let table = irq.table.as_ref().map(|table| &table.value);
        let at =
            if msix.value.known.is_none() { &msix.value } else { table.unwrap_or(&msix.value) };
        checks.push(enforce(at, quote!(__vfio_user::check_msix(__CHECKED))));
    }
    checks
}

/// Whether the macro has checked the place of the MSI-X table.
fn is_table_placed(device: &Device<'_>, irq: &Irq, vectors: &Int) -> bool {
    let Some(table) = &irq.table else { return vectors.known.is_some() };
    let bar = irq.bar.as_ref().and_then(|given| given.value.index);
    let mut registers = device.registers.iter().filter(|other| device.bar_of(other) == bar);
    vectors.known.is_some()
        && table.value.known.is_some()
        && irq.pba.as_ref().is_none_or(|pba| pba.value.known.is_some())
        && bar
            .and_then(|bar| device.bar(bar))
            .is_none_or(|bar| bar.size.known.is_some() && bar.has_known_parts())
        && device.blocks.is_empty()
        && device.memories().next().is_none()
        && device.unmodelled().next().is_none()
        && registers.all(|register| register.extent().is_some())
}
