//! The type of a private field, as far as the macro sees it: what can be part of a state, and what
//! has no bound of its own. M02, M05, M07

use quote::ToTokens as _;
use syn::{
    Expr, ExprLit, GenericArgument, Lit, PathArguments, PathSegment, Type, TypeArray, TypePath,
};

use crate::ast::{PrivateField, peel};
use crate::ctxt::Ctxt;

/// How deep collections lie in each other in a type; only those count that the macro sees.
pub(crate) fn depth(ty: &Type) -> usize {
    let own = usize::from(is_collection(ty));
    own + inner(ty).into_iter().map(depth).max().unwrap_or(0)
}

/// Whether a type grows: `Vec`, `String` and their like, `Box<[T]>`, `Box<str>`.
pub(crate) fn is_collection(ty: &Type) -> bool {
    let Some(segment) = last_segment(ty) else { return false };
    COLLECTIONS.iter().any(|name| segment.ident == name) || is_boxed_slice(ty)
}

/// Whether its elements have keys.
pub(crate) fn is_map(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|last| last.ident == "HashMap" || last.ident == "BTreeMap")
}

pub(crate) fn is_option(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|last| last.ident == "Option")
}

pub(crate) fn is_boxed(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|last| last.ident == "Box")
}

fn is_boxed_slice(ty: &Type) -> bool {
    let Some(segment) = last_segment(ty).filter(|segment| segment.ident == "Box") else {
        return false;
    };
    matches!(arguments(segment)[..], [inner] if is_unsized(inner))
}

fn is_unsized(ty: &Type) -> bool {
    matches!(peel(ty), Type::Slice(_))
        || crate::ast::last_ident(ty).is_some_and(|name| name == "str")
}

/// The types in a type: its arguments, its elements.
pub(crate) fn inner(ty: &Type) -> Vec<&Type> {
    match peel(ty) {
        Type::Array(array) => vec![&array.elem],
        Type::Slice(slice) => vec![&slice.elem],
        Type::Tuple(tuple) => tuple.elems.iter().collect(),
        // A boxed slice is one collection.
        Type::Path(_) if is_boxed_slice(ty) => match last_segment(ty).map(arguments).as_deref() {
            Some([slice]) => inner(slice),
            _ => Vec::new(),
        },
        Type::Path(_) => last_segment(ty).map(arguments).unwrap_or_default(),
        _ => Vec::new(),
    }
}

const COLLECTIONS: &[&str] = &[
    "Vec",
    "VecDeque",
    "LinkedList",
    "String",
    "HashMap",
    "BTreeMap",
    "HashSet",
    "BTreeSet",
    "BinaryHeap",
];

/// Collections that say how long they are in a way of their own.
const WITHOUT_LEN: &[&str] = &["PathBuf", "OsString", "CString", "Cow"];

/// Types of which the macro knows that they hold no collection.
const PLAIN: &[&str] = &[
    "bool", "char", "u8", "u16", "u32", "u64", "u128", "i8", "i16", "i32", "i64", "i128", "f32",
    "f64",
];

/// What a private field that is not converted may be.
pub(super) fn validate(cx: &Ctxt, field: &PrivateField<'_>) {
    if parts(cx, field.ty) {
        lengths(cx, field);
    }
}

/// Looks at a type and all that are in it; whether all can be part of a state.
fn parts(cx: &Ctxt, ty: &Type) -> bool {
    let handles = "references, raw pointers, `Arc` and `Rc` cannot be migrated; skip them with \
                   `#[migrate(skip)]`, and rebuild them in `loaded`";
    if let Type::Reference(_) | Type::Ptr(_) | Type::FnPtr(_) = peel(ty) {
        cx.error(ty, handles);
        return false;
    }
    if let Type::Array(array) = peel(ty)
        && let Type::Array(elements) = peel(&array.elem)
        && is_long(elements)
    {
        return long(cx, elements);
    }
    let name = last_segment(ty).map(|segment| segment.ident.to_string()).unwrap_or_default();
    match name.as_str() {
        "usize" | "NonZeroUsize" | "AtomicUsize" => return no_fixed_width(cx, ty, &name, "u"),
        "isize" | "NonZeroIsize" | "AtomicIsize" => return no_fixed_width(cx, ty, &name, "i"),
        "Arc" | "Rc" | "NonNull" => {
            cx.error(ty, handles);
            return false;
        }
        name if WITHOUT_LEN.contains(&name) => {
            let message =
                format!("`{name}` has no length that can be bounded; use `String`, or convert it");
            cx.error(ty, message);
            return false;
        }
        _ => {}
    }
    inner(ty).into_iter().all(|inner| match peel(inner) {
        Type::Array(array) if !matches!(peel(ty), Type::Array(_)) && is_long(array) => {
            long(cx, array)
        }
        _ => parts(cx, inner),
    })
}

/// Refuses a type that is `usize` or `isize`; `sign` is the letter of the types to use instead.
fn no_fixed_width(cx: &Ctxt, ty: &Type, name: &str, sign: &str) -> bool {
    let kind = name.trim_end_matches("Usize").trim_end_matches("Isize");
    let fixed = match kind {
        "NonZero" | "Atomic" => {
            let sign = sign.to_uppercase();
            format!("{kind}{sign}32 or {kind}{sign}64")
        }
        _ => format!("{sign}32 or {sign}64"),
    };
    cx.error(ty, format_args!("`{name}` has no fixed width; use {fixed}"));
    false
}

/// serde has arrays of up to 32 elements. That of a field is written as a slice instead, those in
/// other types are serde's.
fn is_long(array: &TypeArray) -> bool {
    let len = crate::literal::fold(&array.len);
    len.is_some_and(|len| len > 32)
        || matches!(&array.len, Expr::Lit(ExprLit { lit: Lit::Byte(_), .. }))
}

fn long(cx: &Ctxt, array: &TypeArray) -> bool {
    let text = text(&Type::Array(array.clone()));
    let message = format!(
        "`{text}` cannot be migrated inside another type: serde has arrays of up to 32 elements; make \
         it a field, or convert it (`#[migrate(with = ..)]`)"
    );
    cx.error(array, message);
    false
}

/// Every collection has its most elements: `max_len = N`, or `max_len = (N, M)` if some lie in
/// others.
fn lengths(cx: &Ctxt, field: &PrivateField<'_>) {
    let depth = depth(field.ty);
    let Some(given) = &field.state.max_len else {
        if depth > 0 {
            let (text, usage) = (text(field.ty), usage(depth));
            let message =
                format!("migrated `{text}` needs `#[migrate({usage})]`, the most it can hold");
            cx.error(field.ty, message);
        }
        return;
    };
    let count = given.value.len();
    if depth == 0 && (count > 1 || is_plain(field.ty)) {
        let text = text(field.ty);
        let message = format!("`{text}` is no collection, so `max_len` bounds nothing; drop it");
        cx.error(&given.key, message);
    } else if depth > 0 && count != depth {
        let (text, usage) = (text(field.ty), usage(depth));
        let message = format!(
            "`{text}` has collections {depth} deep, but `max_len` has {count} {}: write `{usage}`",
            if count == 1 { "number" } else { "numbers" }
        );
        cx.error(&given.key, message);
    } else if let Some(opaque) = opaque(field.ty) {
        let [text, inner] = [field.ty, opaque].map(text);
        let message = format!(
            "the macro cannot see how `{inner}` holds its collections, so `max_len` cannot bound \
             those of `{text}`; convert it (`#[migrate(with = ..)]`)"
        );
        cx.error(opaque, message);
    }
}

fn usage(depth: usize) -> String {
    if depth == 1 {
        return "max_len = ..".to_owned();
    }
    format!("max_len = ({})", vec![".."; depth].join(", "))
}

/// Whether a type holds no collection for certain: only built-in ones are in it.
fn is_plain(ty: &Type) -> bool {
    let is_known = match peel(ty) {
        Type::Array(_) | Type::Tuple(_) => true,
        Type::Path(TypePath { qself: None, path, .. }) => {
            path.segments.last().is_some_and(|last| {
                PLAIN.iter().any(|name| last.ident == name) || last.ident == "Option"
            })
        }
        _ => false,
    };
    is_known && inner(ty).into_iter().all(is_plain)
}

/// A type in which collections lie where generated code does not find them.
fn opaque(ty: &Type) -> Option<&Type> {
    let is_transparent = match peel(ty) {
        Type::Path(_) => is_collection(ty) || is_option(ty) || is_boxed(ty),
        _ => true,
    };
    if !is_transparent && depth(ty) > 0 {
        return Some(ty);
    }
    inner(ty).into_iter().find_map(opaque)
}

fn text(ty: &Type) -> String {
    ty.to_token_stream()
        .to_string()
        .replace(" ;", ";")
        .replace(", ", ",\u{1}")
        .replace("; ", ";\u{1}")
        .replace(' ', "")
        .replace('\u{1}', " ")
}

pub(crate) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    let Type::Path(TypePath { qself: None, path, .. }) = peel(ty) else { return None };
    path.segments.last()
}

/// The types between `<` and `>`.
fn arguments(segment: &PathSegment) -> Vec<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return Vec::new() };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    types.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[test]
    fn collections_count_where_they_lie() {
        for (ty, expected) in [
            (parse_quote!(u32), 0),
            (parse_quote!([u8; 4]), 0),
            (parse_quote!(Option<(u8, Job)>), 0),
            (parse_quote!(Vec<u8>), 1),
            (parse_quote!(std::collections::LinkedList<u8>), 1),
            (parse_quote!([Vec<u8>; 4]), 1),
            (parse_quote!(Option<Box<[u8]>>), 1),
            (parse_quote!(Box<str>), 1),
            (parse_quote!((u8, HashMap<u8, [BinaryHeap<u8>; 2]>)), 2),
            (parse_quote!(BTreeMap<String, Vec<String>>), 3),
        ] {
            let ty: Type = ty;
            assert_eq!(depth(&ty), expected, "{}", text(&ty));
        }
    }
}
