//! `#[timer(..)]`.

use syn::{Attribute, Expr, ExprPath, Meta};

use super::item::names_function;
use crate::ctxt::Ctxt;
use crate::literal;

/// ```text
/// #[timer(Self::expired)]
///         ^^^^^^^^^^^^^
/// deadline: Timer
/// ```
pub(crate) struct Timer {
    /// `None` if it is missing, which has been reported.
    pub(crate) hook: Option<ExprPath>,
}

impl Timer {
    /// Never fails: a field with a broken `#[timer]` is a timer all the same.
    pub(super) fn read(cx: &Ctxt, attr: &Attribute) -> Self {
        const NEEDS: &str = "a timer needs the hook that it calls: `#[timer(Self::expired)]`";
        let given = match &attr.meta {
            Meta::List(list) if !list.tokens.is_empty() => attr.parse_args::<Expr>(),
            _ => {
                cx.error(attr.path(), NEEDS);
                return Timer { hook: None };
            }
        };
        let hook = match given {
            Ok(expr) => match literal::ungrouped(expr) {
                Expr::Path(hook) => names_function(cx, &hook).then_some(hook),
                other => {
                    cx.error(other, NEEDS);
                    None
                }
            },
            Err(error) => {
                cx.push(error);
                None
            }
        };
        Timer { hook }
    }
}
