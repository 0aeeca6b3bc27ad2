//! What the author wrote.

use proc_macro2::Ident;
use syn::ext::IdentExt as _;
use syn::{
    Data, DeriveInput, Fields, GenericArgument, GenericParam, Generics, PathArguments, Type,
    TypeArray, TypeGroup, TypeParen, TypePath,
};

use crate::attr::{self, Bar, DeviceAttrs, Int, Irq, Reg};
use crate::ctxt::Ctxt;
use crate::layout::{BarKind, Extent};

pub(crate) struct Device<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) generics: &'a Generics,
    pub(crate) attrs: DeviceAttrs,
    pub(crate) registers: Vec<Register<'a>>,
}

/// A field with `#[reg(..)]`.
pub(crate) struct Register<'a> {
    pub(crate) field: &'a Ident,
    /// The field's name, for messages.
    pub(crate) name: String,
    pub(crate) ty: RegisterType<'a>,
    pub(crate) reg: Reg,
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
        let ident = &input.ident;
        let what = match &input.data {
            Data::Struct(data) => match &data.fields {
                Fields::Named(fields) => {
                    return Some(Device {
                        ident,
                        generics: &input.generics,
                        attrs: DeviceAttrs::read(cx, &input.attrs),
                        registers: fields
                            .named
                            .iter()
                            .filter_map(|field| Register::read(cx, field))
                            .collect(),
                    });
                }
                Fields::Unnamed(_) => "a tuple struct",
                Fields::Unit => "a unit struct",
            },
            Data::Enum(_) => "an enum",
            Data::Union(_) => "a union",
        };
        cx.error(
            ident,
            format_args!("a device is a struct with named fields; `{ident}` is {what}"),
        );
        None
    }

    pub(crate) fn bar(&self, index: u8) -> Option<&Bar> {
        self.attrs.bars.iter().find(|bar| bar.number.index == Some(index))
    }

    pub(crate) fn is_express(&self) -> bool {
        self.attrs.capabilities.is_express()
    }

    pub(crate) fn irq(&self) -> Option<&Irq> {
        self.attrs.irq.as_ref()
    }

    /// Where a register lies; without `bar = ..`, in the only BAR, or in BAR 0.
    pub(crate) fn bar_of(&self, register: &Register<'_>) -> Option<u8> {
        match (&register.reg.bar, &self.attrs.bars[..]) {
            (Some(bar), _) => bar.value.index,
            (None, [only]) => only.number.index,
            (None, _) => Some(0),
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
        self.registers.iter().enumerate().find(|(_, register)| register.field == name)
    }

    /// Whether `ty` is one of the struct's type parameters.
    pub(crate) fn is_parameter(&self, ty: &Type) -> bool {
        self.generics.params.iter().any(|param| match param {
            GenericParam::Type(param) => last_ident(ty).is_some_and(|ident| *ident == param.ident),
            _ => false,
        })
    }
}

impl<'a> Register<'a> {
    fn read(cx: &Ctxt, field: &'a syn::Field) -> Option<Self> {
        let ident = field.ident.as_ref()?;
        let reg = attr::read_field(cx, ident, &field.attrs)?;
        let ty = RegisterType::read(cx, &field.ty);
        Some(Register { field: ident, name: ident.unraw().to_string(), ty, reg })
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
        let count = match &self.ty.length {
            Some(length) => length.known?,
            None => 1,
        };
        Some(Extent { name: &self.name, offset: self.reg.offset.known?, width, count, stride })
    }
}

impl<'a> RegisterType<'a> {
    fn read(cx: &Ctxt, written: &'a Type) -> Self {
        let (element, length) = match peel(written) {
            Type::Array(TypeArray { elem, len, .. }) => (&**elem, Some(Int::new(len.clone(), cx))),
            _ => (written, None),
        };
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

/// Without the parentheses that macros and people put around types.
pub(crate) fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Group(TypeGroup { elem, .. }) | Type::Paren(TypeParen { elem, .. }) => peel(elem),
        _ => ty,
    }
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
