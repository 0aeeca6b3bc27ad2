//! What the author wrote.

use std::collections::{HashMap, HashSet};

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::{
    Data, DeriveInput, Fields, FieldsNamed, GenericArgument, GenericParam, Generics, PathArguments,
    Type, TypeArray, TypeGroup, TypeParen, TypePath,
};

use crate::attr::{
    self, Bar, BarNumber, Block, BlockAttrs, Capability, ComposedInterrupt, DeviceAttrs,
    FieldState, Given, Int, Irq, Member, Memory, Place, Reg, RegisterPath, StateAttrs, Timer,
    Unmodelled,
};
use crate::ctxt::Ctxt;
use crate::layout::{BarKind, Extent, HookKind, Kind};

/// A device, or a block of registers: that is read like a device without BARs.
pub(crate) struct Device<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) generics: &'a Generics,
    /// The path of `vfio_user`.
    pub(crate) library: TokenStream,
    pub(crate) doc: String,
    pub(crate) attrs: DeviceAttrs,
    /// Of a block, what its `#[block(..)]` says.
    pub(crate) block: Option<BlockAttrs>,
    pub(crate) registers: Vec<Register<'a>>,
    /// The indices of the registers, by name; the first one of a name counts.
    indices: HashMap<&'a Ident, usize>,
    pub(crate) blocks: Vec<BlockField<'a>>,
    pub(crate) timers: Vec<TimerField<'a>>,
    pub(crate) private: Vec<PrivateField<'a>>,
    pub(crate) state: StateAttrs,
    /// The struct has a field that the compiler refuses, so nothing can be generated for it.
    pub(crate) is_broken: bool,
}

/// Any other field, which may have `#[memory(..)]`.
pub(crate) struct PrivateField<'a> {
    pub(crate) field: &'a Ident,
    /// The field's name, in messages and in the stream.
    pub(crate) name: String,
    pub(crate) ty: &'a Type,
    pub(crate) memory: Option<Memory>,
    pub(crate) doc: String,
    pub(crate) state: FieldState,
}

/// A field with `#[timer(..)]`.
pub(crate) struct TimerField<'a> {
    pub(crate) field: &'a Ident,
    pub(crate) name: String,
    /// Of one element.
    pub(crate) ty: &'a Type,
    pub(crate) length: Option<Int>,
    pub(crate) doc: String,
    pub(crate) timer: Timer,
    pub(crate) state: FieldState,
}

/// A field with `#[block(..)]`.
pub(crate) struct BlockField<'a> {
    pub(crate) field: &'a Ident,
    /// The field's name, for messages.
    pub(crate) name: String,
    /// Of one element.
    pub(crate) ty: &'a Type,
    pub(crate) length: Option<Int>,
    pub(crate) doc: String,
    pub(crate) block: Block,
    pub(crate) state: FieldState,
}

/// A field with `#[reg(..)]`.
pub(crate) struct Register<'a> {
    pub(crate) field: &'a Ident,
    /// The field's name, for messages.
    pub(crate) name: String,
    pub(crate) ty: RegisterType<'a>,
    pub(crate) doc: String,
    pub(crate) reg: Reg,
    pub(crate) intr: Option<ComposedInterrupt>,
    pub(crate) state: FieldState,
}

/// ```text
/// ring: [Virtual<u32>; 16]
///       ^^^^^^^^^^^^^^^^^^ written
///                ^^^   ^^ element, length
/// ```
pub(crate) struct RegisterType<'a> {
    pub(crate) written: &'a Type,
    pub(crate) element: &'a Type,
    pub(crate) length: Option<Int>,
    /// Not `Virtual`.
    pub(crate) is_stored: bool,
}

impl<'a> Device<'a> {
    /// Nothing if there is no struct with named fields. U05
    pub(crate) fn read(cx: &Ctxt, input: &'a DeriveInput) -> Option<Self> {
        let fields = named_fields(cx, input, "a device")?;
        let attrs = DeviceAttrs::read(cx, &input.attrs);
        Some(Self::with_fields(cx, input, attrs, None, fields))
    }

    /// Nothing if there is no struct with named fields. U05
    pub(crate) fn read_block(cx: &Ctxt, input: &'a DeriveInput) -> Option<Self> {
        let fields = named_fields(cx, input, "a block")?;
        let block = BlockAttrs::read(cx, &input.attrs);
        Some(Self::with_fields(cx, input, DeviceAttrs::default(), Some(block), fields))
    }

    fn with_fields(
        cx: &Ctxt,
        input: &'a DeriveInput,
        attrs: DeviceAttrs,
        block: Option<BlockAttrs>,
        fields: &'a FieldsNamed,
    ) -> Self {
        let (mut registers, mut blocks) = (Vec::<Register<'_>>::new(), Vec::new());
        let (mut timers, mut private) = (Vec::new(), Vec::new());
        let state = StateAttrs::read(cx, &input.attrs);
        let mut names = HashSet::new();
        let mut is_broken = false;
        for field in &fields.named {
            let Some(ident) = &field.ident else { continue };
            let name = ident.unraw().to_string();
            // The compiler has an error of its own for these.
            if name == "_" || !names.insert(name.clone()) {
                is_broken = true;
                continue;
            }
            let Member { reg, block, intr, timer, memory, state } =
                attr::read_field(cx, ident, &field.attrs);
            let doc = attr::doc(&field.attrs);
            if let Some(reg) = reg {
                let ty = RegisterType::read(cx, &field.ty);
                registers.push(Register { field: ident, name, ty, doc, reg, intr, state });
            } else if let Some(block) = block {
                let (ty, length) = element(cx, &field.ty);
                blocks.push(BlockField { field: ident, name, ty, length, doc, block, state });
            } else if let Some(timer) = timer {
                let (ty, length) = element(cx, &field.ty);
                timers.push(TimerField { field: ident, name, ty, length, doc, timer, state });
            } else {
                let ty = &field.ty;
                private.push(PrivateField { field: ident, name, ty, memory, doc, state });
            }
        }
        let mut indices = HashMap::new();
        for (index, register) in registers.iter().enumerate() {
            indices.entry(register.field).or_insert(index);
        }
        let (ident, generics, doc) = (&input.ident, &input.generics, attr::doc(&input.attrs));
        Device {
            ident,
            generics,
            library: attr::library(&input.attrs),
            doc,
            attrs,
            block,
            registers,
            indices,
            blocks,
            timers,
            private,
            state,
            is_broken,
        }
    }

    pub(crate) fn bar(&self, index: u8) -> Option<&Bar> {
        self.attrs.bars.iter().find(|bar| bar.number.index == Some(index))
    }

    /// All capabilities in their order: those of the struct, then those of fields, each with its
    /// block.
    pub(crate) fn capabilities(
        &self,
    ) -> impl Iterator<Item = (&Capability, Option<&BlockField<'a>>)> {
        let of_struct = self.attrs.capabilities.iter().map(|capability| (capability, None));
        let of_fields = self.blocks.iter().filter_map(|field| {
            let capability = field.block.capability.as_ref()?;
            Some((capability, Some(field)))
        });
        of_struct.chain(of_fields)
    }

    /// The device's name: what its author says, or the struct's in snake case.
    pub(crate) fn device_name(&self) -> String {
        match self.attrs.pci.as_ref().and_then(|pci| pci.name.as_ref()) {
            Some(name) => name.value.value(),
            None => snake_case(&self.ident.to_string()),
        }
    }

    pub(crate) fn is_express(&self) -> bool {
        self.attrs.capabilities.is_express()
    }

    pub(crate) fn irq(&self) -> Option<&Irq> {
        self.attrs.irq.as_ref()
    }

    /// Where a register lies.
    pub(crate) fn bar_of(&self, register: &Register<'_>) -> Option<u8> {
        self.bar_or_default(register.reg.bar.as_ref())
    }

    /// A BAR; without `bar = ..`, the only one that is no mirror, or BAR 0.
    pub(crate) fn bar_or_default(&self, given: Option<&Given<BarNumber>>) -> Option<u8> {
        if let Some(bar) = given {
            return bar.value.index;
        }
        let mut bars = self.attrs.bars.iter().filter(|bar| bar.mirror.is_none());
        match (bars.next(), bars.next()) {
            (Some(only), None) => only.number.index,
            _ => Some(0),
        }
    }

    /// What each of the BARs holds; the first of two declarations counts.
    pub(crate) fn bar_kinds(&self) -> [Option<BarKind>; 6] {
        let mut kinds = [None; 6];
        for (index, kind) in (0..6).zip(&mut kinds) {
            *kind = self.bar(index).map(|bar| bar.kind);
        }
        kinds
    }

    /// The register with a name, and its place in the declaration.
    pub(crate) fn register(&self, name: &Ident) -> Option<(usize, &Register<'a>)> {
        let index = *self.indices.get(name)?;
        Some((index, &self.registers[index]))
    }

    /// What a field is that is no register.
    pub(crate) fn other_field(&self, name: &Ident) -> Option<&'static str> {
        if self.blocks.iter().any(|block| block.field == name) {
            Some("a block")
        } else if self.timers.iter().any(|timer| timer.field == name) {
            Some("a timer")
        } else if self.memories().any(|(memory, _)| memory.field == name) {
            Some("memory")
        } else if self.private.iter().any(|private| private.field == name) {
            Some("private state")
        } else {
            None
        }
    }

    /// The fields that are memory, in the order of their declaration.
    pub(crate) fn memories(&self) -> impl Iterator<Item = (&PrivateField<'a>, &Memory)> {
        self.private.iter().filter_map(|field| Some((field, field.memory.as_ref()?)))
    }

    /// The places without a model, each with its attribute.
    pub(crate) fn unmodelled(&self) -> impl Iterator<Item = (&Unmodelled, &Place)> {
        let attributes = self.attrs.unmodelled.iter();
        attributes
            .flat_map(|attribute| attribute.places.iter().map(move |place| (attribute, place)))
    }

    /// Returns the registers, and fields of them, that options of others name.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &RegisterPath> {
        let blocks = self.blocks.iter().filter_map(|field| field.block.select.as_ref());
        let blocks = blocks.map(|given| &given.value);
        self.registers.iter().flat_map(Register::paths).chain(blocks)
    }

    /// The composed interrupts, each with its status register and the place of that.
    pub(crate) fn intrs(&self) -> impl Iterator<Item = (usize, &Register<'a>, &ComposedInterrupt)> {
        let registers = self.registers.iter().enumerate();
        registers.filter_map(|(index, register)| Some((index, register, register.intr.as_ref()?)))
    }

    /// The register whose type the bits of a composed interrupt have: its status, or if that is
    /// computed, the register that enables them.
    pub(crate) fn register_of_bits<'d>(
        &'d self,
        status: &'d Register<'a>,
        intr: &ComposedInterrupt,
    ) -> &'d Register<'a> {
        let enable = intr.enable.as_ref().and_then(|given| self.register(&given.value));
        match enable {
            Some((_, enable)) if status.reg.hooks.has(HookKind::StatusWith) => enable,
            _ => status,
        }
    }

    /// Whether its state is derived: it has not said that it has none, or one of its own making.
    pub(crate) fn migrates(&self) -> bool {
        self.state.none.is_none() && self.state.raw.is_none()
    }

    /// Whether one of the struct's parameters occurs in `ty`.
    pub(crate) fn mentions_parameter(&self, ty: &Type) -> bool {
        let names: Vec<_> = self.generics.type_params().map(|param| param.ident.clone()).collect();
        !names.is_empty() && mentions(ty.to_token_stream(), &names)
    }

    /// The same of all parameters, constants included.
    pub(crate) fn mentions_any_parameter(&self, ty: &Type) -> bool {
        let constants = self.generics.const_params().map(|param| param.ident.clone());
        let names: Vec<_> = constants.collect();
        self.mentions_parameter(ty) || mentions(ty.to_token_stream(), &names)
    }

    /// Whether `ty` is one of the struct's type parameters.
    pub(crate) fn is_parameter(&self, ty: &Type) -> bool {
        self.generics.params.iter().any(|param| match param {
            GenericParam::Type(param) => last_ident(ty).is_some_and(|ident| *ident == param.ident),
            _ => false,
        })
    }
}

impl Register<'_> {
    /// Returns the registers, and fields of them, that options of this one name.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &RegisterPath> {
        let lock = self.reg.behaviour.lock.iter().map(|given| &given.value.path);
        let window = self.reg.window.iter().flat_map(|given| given.value.paths());
        lock.chain(self.reg.sharing.paths()).chain(window)
    }

    /// The number of elements, if the macro knows it.
    pub(crate) fn known_count(&self) -> Option<u64> {
        self.ty.length.as_ref().map_or(Some(1), |length| length.known)
    }

    /// The implemented bits, if the macro knows them.
    pub(crate) fn known_mask(&self) -> Option<u64> {
        let all = crate::layout::width_mask(self.ty.width()?);
        self.reg.mask.as_ref().map_or(Some(all), |mask| mask.value.known)
    }

    /// The bytes, if the macro knows them.
    pub(crate) fn extent(&self) -> Option<Extent<'_>> {
        let width = self.ty.width()?;
        let stride = match &self.reg.stride {
            Some(stride) => stride.value.known?,
            None => width,
        };
        // Elements that share their bytes are one.
        let count = match &self.ty.length {
            Some(length) if !self.reg.sharing.is_selected() => length.known?,
            _ => 1,
        };
        let (name, offset) = (&self.name, self.reg.offset.known?);
        Some(Extent { kind: Kind::Register, name, offset, width, count, stride })
    }
}

impl<'a> RegisterType<'a> {
    fn read(cx: &Ctxt, written: &'a Type) -> Self {
        let (element, length) = element(cx, written);
        let (element, is_stored) = match virtual_of(element) {
            Some(element) => (element, false),
            None => (element, true),
        };
        RegisterType { written, element, length, is_stored }
    }

    /// In bytes, if the element is one of the integers.
    pub(crate) fn width(&self) -> Option<u64> {
        match last_ident(self.element)?.to_string().as_str() {
            "u8" => Some(1),
            "u16" => Some(2),
            "u32" => Some(4),
            "u64" => Some(8),
            _ => None,
        }
    }
}

/// The fields of a struct with named ones; `what` it should be. U05
pub(crate) fn named_fields<'a>(
    cx: &Ctxt,
    input: &'a DeriveInput,
    what: &str,
) -> Option<&'a FieldsNamed> {
    let ident = &input.ident;
    let it_is = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => return Some(fields),
            Fields::Unnamed(_) => "a tuple struct",
            Fields::Unit => "a unit struct",
        },
        Data::Enum(_) => "an enum",
        Data::Union(_) => "a union",
    };
    cx.error(ident, format_args!("{what} is a struct with named fields; `{ident}` is {it_is}"));
    None
}

/// What an array is of, and how long it is.
fn element<'a>(cx: &Ctxt, written: &'a Type) -> (&'a Type, Option<Int>) {
    match peel(written) {
        Type::Array(TypeArray { elem, len, .. }) => (elem, Some(Int::new(len.clone(), cx))),
        _ => (written, None),
    }
}

/// Without the parentheses that macros and people put around types.
pub(crate) fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Group(TypeGroup { elem, .. }) | Type::Paren(TypeParen { elem, .. }) => peel(elem),
        _ => ty,
    }
}

fn mentions(tokens: TokenStream, names: &[Ident]) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => names.contains(&ident),
        TokenTree::Group(group) => mentions(group.stream(), names),
        _ => false,
    })
}

/// The name of a type that is nothing but a name.
pub(crate) fn last_ident(ty: &Type) -> Option<&Ident> {
    match peel(ty) {
        Type::Path(TypePath { qself: None, path, .. }) => path.get_ident(),
        _ => None,
    }
}

/// The `T` of `Virtual<T>`.
fn virtual_of(ty: &Type) -> Option<&Type> {
    let Type::Path(TypePath { qself: None, path, .. }) = peel(ty) else { return None };
    let last = path.segments.last().filter(|segment| segment.ident == "Virtual")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(ty)) if arguments.args.len() == 1 => Some(ty),
        _ => None,
    }
}

/// `VirtioNet` is `virtio_net`, `PCIBridge` is `pci_bridge`.
fn snake_case(name: &str) -> String {
    let letters: Vec<_> = name.trim_start_matches("r#").chars().collect();
    let mut snake = String::new();
    for (i, letter) in letters.iter().enumerate() {
        let after_lower = i > 0 && !letters[i - 1].is_uppercase() && letters[i - 1] != '_';
        let before_lower = letters.get(i + 1).is_some_and(|next| next.is_lowercase());
        let ends_acronym = i > 0 && letters[i - 1].is_uppercase() && before_lower;
        if letter.is_uppercase() && (after_lower || ends_acronym) {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_snake_case() {
        for (name, snake) in [
            ("Trivial", "trivial"),
            ("VirtioNet", "virtio_net"),
            ("PCIBridge", "pci_bridge"),
            ("Edu2", "edu2"),
            ("A_B", "a_b"),
        ] {
            assert_eq!(snake_case(name), snake);
        }
    }
}
