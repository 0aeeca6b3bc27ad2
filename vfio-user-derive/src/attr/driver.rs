//! `driver = ..` on a field: what a driver does with it.

use super::{Given, Item};
use crate::ctxt::Ctxt;

/// ```text
/// #[reg(0x10, ro, read_with = Self::ticks, driver = get)]
///                                                   ^^^
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DriverUse {
    /// The driver has no method for it.
    Skip,
    /// Reads have no effect.
    Get,
    /// Reads have an effect.
    Take,
}

impl DriverUse {
    /// Reads the option of a register.
    pub(super) fn read(cx: &Ctxt, item: Item) -> Option<Given<Self>> {
        let Given { key, value: word } = item.word(cx)?;
        let value = match word.to_string().as_str() {
            "skip" => DriverUse::Skip,
            "get" => DriverUse::Get,
            "take" => DriverUse::Take,
            _ => {
                let message = format!("expected `get`, `take` or `skip`, not `{word}`");
                cx.error(word, message);
                return None;
            }
        };
        Some(Given { key, value })
    }

    /// Reads the option of a block, which can only be left out.
    pub(super) fn read_block(cx: &Ctxt, item: Item) -> Option<Given<Self>> {
        let Given { key, value: word } = item.word(cx)?;
        if word == "skip" {
            return Some(Given { key, value: DriverUse::Skip });
        }
        let message = "the driver is named where the block is declared: `#[block(driver = ..)]` on \
                       its struct; a field may have `driver = skip`";
        cx.error(word, message);
        None
    }
}
