//! The types that memory can have.

use syn::{Expr, GenericArgument, PathArguments, Type, TypeArray, TypePath, TypeSlice};

use crate::ast::{last_ident, peel};

/// How a field holds the bytes of a memory.
#[derive(Clone, Copy)]
pub(crate) enum Storage<'t> {
    /// `[u8; N]`, and `N`.
    Array(&'t Expr),
    /// `Vec<u8>`
    Vec,
    /// `Box<[u8]>`
    Boxed,
}

impl<'t> Storage<'t> {
    /// The storage that a type is, as far as the macro sees it.
    pub(crate) fn of(ty: &'t Type) -> Option<Self> {
        if let Type::Array(TypeArray { elem, len, .. }) = peel(ty) {
            return is_byte(elem).then_some(Storage::Array(len));
        }
        let Type::Path(TypePath { qself: None, path, .. }) = peel(ty) else { return None };
        let last = path.segments.last()?;
        let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
        let Some(GenericArgument::Type(inner)) = arguments.args.first() else { return None };
        match peel(inner) {
            Type::Slice(TypeSlice { elem, .. }) if last.ident == "Box" => {
                is_byte(elem).then_some(Storage::Boxed)
            }
            inner if last.ident == "Vec" => is_byte(inner).then_some(Storage::Vec),
            _ => None,
        }
    }
}

fn is_byte(ty: &Type) -> bool {
    last_ident(ty).is_some_and(|name| name == "u8")
}
