//! Generates the declaration as data.

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens as _, format_ident, quote};

use super::tokens::without_self;
use super::tokens::{doc, elements, fields, int, int_of_register, register_block, register_value};
use super::{capability, intr, memory, sharing, state, timers, unmodelled, window};
use crate::ast::{BlockField, Device, Register};
use crate::attr::{
    Access, Bar, Bytes, Commit, Given, Int, Irq, Kept, LockTarget, Pci, Shared, Sizes, Unaligned,
    Unmapped, Untested,
};
use crate::layout::BarKind;
use crate::literal;
use crate::policy::Policy;

pub(super) fn expand(device: &Device<'_>) -> TokenStream {
    let name = device.device_name();
    let ids = ids(device);
    let pci = device.attrs.pci.as_ref();
    let ignores_command = pci.and_then(|pci| pci.ignore_command.as_ref());
    let ignores_command = ignores_command.map(|_| quote!(.with_ignored_command()));
    let strict_command = pci.and_then(|pci| pci.strict_command.as_ref());
    let strict_command = strict_command.map(|_| quote!(.with_strict_command()));
    let self_test = pci.and_then(|pci| pci.self_test.as_ref());
    let self_test = self_test.map(|_| quote!(.with_self_test()));
    let latencies = pci.into_iter().flat_map(Pci::latencies).map(|(name, given)| {
        let with = format_ident!("with_{name}");
        let value = without_self(device.ident, given.value.expr.to_token_stream());
        quote!(.#with(#value))
    });
    let bars = device.attrs.bars.iter().map(|given| bar(device, given));
    let irq = device.irq().map(|irq| interrupts(device, irq));
    let (placed, capabilities) = capability::declarations(device);
    let registers = registers(device);
    let blocks = blocks(device);
    let intrs = intr::declarations(device);
    let timers = timers::declarations(device);
    let given_timers = timers.as_ref().map(|_| quote!(.with_timers(__TIMERS)));
    let given_intrs = intrs.as_ref().map(|_| quote!(.with_interrupts(__COMPOSED)));
    let given_blocks = blocks.as_ref().map(|_| quote!(.with_blocks(__BLOCKS)));
    let memories = memory::declarations(device);
    let given_memories = memories.as_ref().map(|_| quote!(.with_memories(__MEMORIES)));
    let unmodelled = unmodelled::declarations(device);
    let given_unmodelled = unmodelled.as_ref().map(|_| quote!(.with_unmodelled(__UNMODELLED)));
    let migrates = match &device.state.raw {
        Some(_) => Some(quote!(.with_raw_state())),
        None => device.migrates().then(|| quote!(.with_state(__STATE))),
    };
    let doc = doc(&device.doc);
    quote! {
        #registers
        #placed
        #blocks
        #memories
        #unmodelled
        #timers
        #intrs
        const __DESCRIPTOR: __vfio_user::Descriptor = __vfio_user::Descriptor::new(#name, #ids)
            #doc
            #ignores_command
            #strict_command
            #self_test
            #(#latencies)*
            #(#bars)*
            #capabilities
            .with_registers(__REGISTERS)
            #given_blocks
            #given_memories
            #given_unmodelled
            #given_timers
            #irq
            #given_intrs
            #migrates;
    }
}

pub(super) fn registers(device: &Device<'_>) -> TokenStream {
    let effects = intr::Effects::of(device);
    let registers = device.registers.iter().map(|given| register(device, given, &effects));
    quote!(const __REGISTERS: &[__vfio_user::Register] = &[#(#registers),*];)
}

/// Generates the blocks of a struct, and all that lie in them.
pub(super) fn blocks(device: &Device<'_>) -> Option<TokenStream> {
    let blocks = device.blocks.iter().map(|given| block(device, given));
    (blocks.len() > 0).then(|| {
        quote! {
            const __OWN_BLOCKS: &[__vfio_user::Block] = &[#(#blocks),*];
            const __BLOCKS: &[__vfio_user::Block] =
                &__vfio_user::all_blocks::<{ __vfio_user::block_count(__OWN_BLOCKS) }>(__OWN_BLOCKS);
        }
    })
}

fn ids(device: &Device<'_>) -> TokenStream {
    let Some(pci) = &device.attrs.pci else { return TokenStream::new() };
    // Ids have the types of their fields, so a constant of another type is an error at its place.
    let plain = |int: &Int| without_self(device.ident, quote!(#int));
    let or = |given: &Option<Given<Int>>, default| {
        given.as_ref().map_or(default, |given| plain(&given.value))
    };
    let (vendor, id) = (plain(&pci.vendor), plain(&pci.device));
    let (class, revision) = (or(&pci.class, quote!(0xff_0000)), or(&pci.revision, quote!(0)));
    let (subsystem_vendor, subsystem) = match &pci.subsystem {
        Some(given) => (plain(&given.value.0), plain(&given.value.1)),
        None => (quote!(0), quote!(0)),
    };
    quote! {
        __vfio_user::Ids {
            vendor: #vendor,
            device: #id,
            class: #class,
            revision: #revision,
            subsystem_vendor: #subsystem_vendor,
            subsystem: #subsystem,
        }
    }
}

fn bar(device: &Device<'_>, bar: &Bar) -> TokenStream {
    let (number, size) = (bar.number.index, int(device, &bar.size));
    let number = number.map(Literal::u8_unsuffixed);
    let kind = match bar.kind {
        BarKind::Mem32 => quote!(Mem32),
        BarKind::Mem64 => quote!(Mem64),
        BarKind::Io => quote!(Io),
    };
    let prefetchable = bar.prefetchable.as_ref().map(|_| quote!(.with_prefetchable()));
    let unmapped = bar.unmapped.as_ref().map(|given| {
        let unmapped = match given.value {
            Unmapped::Zero => quote!(Zero),
            Unmapped::Ones => quote!(Ones),
            Unmapped::Refuse => quote!(Refuse),
        };
        quote!(.with_unmapped(__vfio_user::Unmapped::#unmapped))
    });
    let unaligned = bar.unaligned.as_ref().map(|given| {
        let unaligned = match given.value {
            Unaligned::Split => quote!(Split),
            Unaligned::Ignore => quote!(Ignore),
        };
        quote!(.with_unaligned(__vfio_user::Unaligned::#unaligned))
    });
    let access = access(device, &bar.access);
    let shared = bar.shared.as_ref().map(|given| shared(device, &given.value));
    let raw = bar.raw.as_ref().map(|given| {
        let ranges = ranges(device, &given.value);
        quote!(.with_raw_ranges(#ranges))
    });
    let big = bar.big.as_ref().map(|_| quote!(.with_big_endian()));
    let mirror = bar.mirrored().map(|mirrored| {
        let mirrored = Literal::u8_unsuffixed(mirrored);
        quote!(.with_mirror(#mirrored))
    });
    quote! {
        .with_bar(
            #number,
            __vfio_user::Bar::new(__vfio_user::BarKind::#kind, #size)
                #prefetchable #unmapped #unaligned #access #shared #mirror #raw #big
        )
    }
}

fn access(device: &Device<'_>, access: &Access) -> TokenStream {
    let whole = access.whole.as_ref().map(|given| {
        let sizes = sizes(given);
        quote!(.with_sizes(#sizes))
    });
    let parts = access.parts.iter().map(|part| {
        let (start, end) = bytes(device, &part.bytes);
        let sizes = sizes(&part.sizes);
        quote!(__vfio_user::SizesIn::new(#start, #end, #sizes))
    });
    let parts = (parts.len() > 0).then(|| quote!(.with_sizes_in(&[#(#parts),*])));
    quote!(#whole #parts)
}

fn shared(device: &Device<'_>, shared: &Shared) -> TokenStream {
    if shared.0.is_empty() {
        return quote!(.with_shared());
    }
    let areas = ranges(device, &shared.0);
    quote!(.with_shared_areas(#areas))
}

fn ranges(device: &Device<'_>, ranges: &[Bytes]) -> TokenStream {
    let ranges = ranges.iter().map(|range| {
        let (start, end) = bytes(device, range);
        quote!((#start, #end))
    });
    quote!(&[#(#ranges),*])
}

pub(super) fn bytes(device: &Device<'_>, bytes: &Bytes) -> (TokenStream, TokenStream) {
    (int(device, &bytes.start), int(device, &bytes.end))
}

fn sizes(sizes: &Sizes) -> TokenStream {
    let smallest = Literal::u8_unsuffixed(sizes.smallest);
    let largest = Literal::u8_unsuffixed(sizes.largest);
    quote!(__vfio_user::Sizes::new(#smallest, #largest))
}

fn interrupts(device: &Device<'_>, irq: &Irq) -> TokenStream {
    let intx = irq.intx.as_ref().map(|_| quote!(.with_intx()));
    let msi = irq.msi.as_ref().map(|given| {
        let vectors = vectors(device, given);
        quote!(.with_msi(#vectors))
    });
    let msix = irq.msix.as_ref().map(|given| msix(device, irq, &vectors(device, given)));
    let shares_pages = irq.allow.contains("msix_page").then(|| quote!(.with_shared_msix_pages()));
    quote!(#intx #msi #msix #shares_pages)
}

fn msix(device: &Device<'_>, irq: &Irq, vectors: &TokenStream) -> TokenStream {
    let bar = irq.bar.as_ref().and_then(|given| given.value.index);
    let bar = bar.map(Literal::u8_unsuffixed);
    let Some(table) = &irq.table else {
        let bar = bar.map_or_else(|| quote!(None), |bar| quote!(Some(#bar)));
        return quote!(.with_msix_in_own_bar(#vectors, ::core::option::Option::#bar));
    };
    let table = int(device, &table.value);
    let pba = irq.pba.as_ref().map_or_else(
        || quote!(__vfio_user::MsixLayout::pba_after(#table, #vectors)),
        |pba| int(device, &pba.value),
    );
    quote! {
        .with_msix(__vfio_user::MsixLayout { vectors: #vectors, bar: #bar, table: #table, pba: #pba })
    }
}

fn vectors(device: &Device<'_>, given: &Given<Int>) -> TokenStream {
    let vectors = int(device, &given.value);
    let untyped = literal::is_untyped(&given.value.expr);
    if untyped { vectors } else { quote!(__vfio_user::vectors(#vectors)) }
}

fn register(
    device: &Device<'_>,
    register: &Register<'_>,
    effects: &intr::Effects<'_>,
) -> TokenStream {
    let (name, ty, reg) = (&register.name, register.ty.element, &register.reg);
    let offset = int(device, &reg.offset);
    let new = if register.ty.width().is_some() {
        quote!(Register::new::<#ty>(#name, #offset))
    } else {
        let implementation = register_value(register);
        quote!(register_of_width(#implementation::WIDTH, #name, #offset))
    };
    // Of an integer the macro knows that it has none.
    let fields = register.ty.width().is_none().then(|| {
        let fields = fields(register);
        quote!(.with_fields(#fields))
    });
    let bar = bar_number(device.bar_of(register));
    let length = length(device, register.ty.length.as_ref());
    let policy = match reg.policy() {
        Policy::Rw => None,
        policy => {
            let policy = format_ident!("{policy:?}");
            Some(quote!(.with_policy(__vfio_user::Policy::#policy)))
        }
    };
    let value = |method: &str, given: &Option<Given<Int>>| {
        let method = format_ident!("{method}");
        given.as_ref().map(|given| {
            let value = int_of_register(device, register, &given.value);
            quote!(.#method(#value))
        })
    };
    let stride = value("with_stride", &reg.stride);
    let mask = value("with_mask", &reg.mask);
    let writable = value("with_writable", &reg.writable);
    let reset = value("with_reset", &reg.reset);
    let ioeventfd = value("with_ioeventfd", &reg.ioeventfd);
    let storage = (!register.ty.is_stored).then(|| quote!(.without_storage()));
    let hooks = hooks(register);
    let flags = flags(register);
    let kept = kept(device, &reg.behaviour.kept);
    let lock = reg.behaviour.lock.as_ref().map(|given| lock(device, &given.value));
    let sharing = sharing::register(device, register);
    let window = window::register(device, register);
    let effects = effects.of_register(register);
    let untested = reg.behaviour.test.as_ref().map(|given| match given.value {
        Untested::All => quote!(.with_untested(__vfio_user::Untested::All)),
        Untested::Policies => quote!(.with_untested(__vfio_user::Untested::Policies)),
    });
    let state = state(device, register);
    let doc = doc(&register.doc);
    quote! {
        __vfio_user::#new
            #fields #bar #length #stride #policy #mask #writable #reset #storage #hooks
            #ioeventfd #flags #kept #lock #sharing #window #effects #untested #state #doc
    }
}

fn hooks(register: &Register<'_>) -> Option<TokenStream> {
    let flags = register.reg.hooks.iter();
    let flags = flags.map(|(kind, _)| format_ident!("{}", kind.name().to_uppercase()));
    let all = flags
        .map(|flag| quote!(__vfio_user::Hooks::#flag))
        .reduce(|all, flag| quote!(#all.union(#flag)))?;
    Some(quote!(.with_hooks(#all)))
}

/// Generates a field with `#[block(..)]`.
fn block(device: &Device<'_>, field: &BlockField<'_>) -> TokenStream {
    let name = &field.name;
    let implementation = register_block(field);
    let (new, offset, bar) = if let Some(body) = capability::body(device, field) {
        (quote!(capability_block), body, None)
    } else {
        let bar = device.bar_or_default(field.block.bar.as_ref());
        (quote!(Block::new), int(device, &field.block.offset), bar_number(bar))
    };
    let length = length(device, field.length.as_ref());
    let stride = field.block.stride.as_ref().map(|given| {
        let stride = int(device, &given.value);
        quote!(.with_stride(#stride))
    });
    let select = field.block.select.as_ref();
    let select = select.and_then(|given| sharing::select(device, &given.value));
    let vector = field.block.vector.as_ref().map(|given| {
        let vector = vectors(device, given);
        quote!(.with_vector(#vector))
    });
    let vector_stride = field.block.vector_stride.as_ref().map(|given| {
        let stride = vectors(device, given);
        quote!(.with_vector_stride(#stride))
    });
    let kept = kept(device, &field.block.kept);
    let old = field.state.old_names();
    let renamed = (!old.is_empty()).then(|| quote!(.with_old_names(&[#(#old),*])));
    let since = field.state.since().map(|since| {
        let since = Literal::u64_unsuffixed(since);
        quote!(.with_since(#since))
    });
    let grown = state::growth(&field.state);
    let doc = doc(&field.doc);
    quote! {
        __vfio_user::#new(#name, #offset, #implementation::CONTENTS)
            #bar #length #stride #select #vector #vector_stride #kept #renamed #since #grown #doc
    }
}

/// Generates how a register migrates, unless it does so always and under its name.
fn state(device: &Device<'_>, register: &Register<'_>) -> TokenStream {
    let state = &register.state;
    let skipped = state.skip.as_ref().map(|_| quote!(.without_migration()));
    let since = state.since().zip(state.default.as_ref()).map(|(since, default)| {
        let (since, default) = (Literal::u64_unsuffixed(since), &default.value);
        let default = Int { expr: default.clone(), known: None };
        let value = int_of_register(device, register, &default);
        quote!(.with_since(#since, #value))
    });
    let old = state.old_names();
    let renamed = (!old.is_empty()).then(|| quote!(.with_old_names(&[#(#old),*])));
    let grown = state::growth(state);
    quote!(#skipped #since #renamed #grown)
}

/// Generates `.with_bar(..)`, unless it is the default.
pub(super) fn bar_number(bar: Option<u8>) -> Option<TokenStream> {
    let bar = Literal::u8_unsuffixed(bar.filter(|bar| *bar != 0)?);
    Some(quote!(.with_bar(#bar)))
}

/// Generates `.with_count(..)` for an array.
fn length(device: &Device<'_>, length: Option<&Int>) -> Option<TokenStream> {
    let count = elements(device, length?);
    Some(quote!(.with_count(#count)))
}

fn flags(register: &Register<'_>) -> Option<TokenStream> {
    let behaviour = &register.reg.behaviour;
    let flags = [
        (behaviour.wide.is_some(), quote!(WIDE)),
        (behaviour.volatile.is_some(), quote!(VOLATILE)),
        (behaviour.singlepulse.is_some(), quote!(PULSE)),
        (behaviour.sticky.is_some(), quote!(STICKY)),
        (behaviour.watch.is_some(), quote!(WATCH)),
        (behaviour.port.is_some(), quote!(PORT)),
        (behaviour.big.is_some(), quote!(BIG_ENDIAN)),
    ];
    let given = flags.into_iter().filter(|(is_given, _)| *is_given).map(|(_, name)| name);
    let all = given
        .map(|name| quote!(__vfio_user::RegisterFlags::#name))
        .reduce(|all, one| quote!(#all.union(#one)))?;
    let commit = behaviour.wide.as_ref().and_then(|wide| match wide.value {
        Commit::Whole => None,
        Commit::High => Some(quote!(.with_commit(__vfio_user::Commit::High))),
        Commit::Low => Some(quote!(.with_commit(__vfio_user::Commit::Low))),
    });
    Some(quote!(.with_flags(#all) #commit))
}

/// Generates the resets over which values are kept.
fn kept(device: &Device<'_>, kept: &Kept) -> Option<TokenStream> {
    let flr = kept.flr.as_ref().map(|_| quote!(.with_function_level()));
    let soft = kept.soft.iter().map(|given| {
        let domain = int(device, &given.value);
        quote!(.with_soft(__vfio_user::domain(#domain)))
    });
    let set = quote!(__vfio_user::ResetSet::EMPTY #flr #(#soft)*);
    (!kept.is_empty()).then(|| quote!(.with_kept_over(#set)))
}

fn lock(device: &Device<'_>, target: &LockTarget) -> Option<TokenStream> {
    let (index, register) = device.register(&target.path.register)?;
    let index = Literal::usize_unsuffixed(index);
    let lock = match &target.path.field {
        None => quote!(register(#index)),
        Some(field) => {
            let (fields, field) = (fields(register), field.to_string());
            quote!(field(#index, #fields, #field))
        }
    };
    let inverted = target.is_inverted.then(|| quote!(.inverse()));
    Some(quote!(.with_lock(__vfio_user::WriteLock::#lock #inverted)))
}
