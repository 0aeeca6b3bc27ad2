//! Names: they go into streams of state, logs and descriptions, and have one form in all of them.

use proc_macro2::Ident;
use quote::ToTokens;

use crate::ast::Device;
use crate::ctxt::Ctxt;

/// Of a name in the stream, in bytes.
pub(super) const LONGEST: usize = 64;

/// What the names of the sections of a block start with.
pub(super) const OF_BLOCK: usize = "block.".len();

/// The device's own name, and those of everything that has one at run time.
pub(super) fn validate(cx: &Ctxt, device: &Device<'_>) {
    if device.block.is_none() {
        self::device(cx, device);
    }
    for register in &device.registers {
        wire(cx, register.field, &register.name, LONGEST);
    }
    for timer in &device.timers {
        wire(cx, timer.field, &timer.name, LONGEST);
    }
    for block in &device.blocks {
        // Its section is called `block.` and its name.
        wire(cx, block.field, &block.name, LONGEST - OF_BLOCK);
    }
    let migrating = device.private.iter().filter(|field| field.state.skip.is_none());
    for private in migrating.filter(|_| device.migrates()) {
        wire(cx, private.field, &private.name, LONGEST);
    }
}

/// What `name = ".."` says, or the struct in its place. A stream carries it.
fn device(cx: &Ctxt, device: &Device<'_>) {
    let given = device.attrs.pci.as_ref().and_then(|pci| pci.name.as_ref());
    let name = device.device_name();
    let accepted = |letter: char| letter.is_ascii_alphanumeric() || "_-. ".contains(letter);
    if !name.is_empty() && name.len() <= LONGEST && name.chars().all(accepted) {
        return;
    }
    let name = shortened(&name);
    let rule =
        format!("1 to {LONGEST} letters, digits, spaces and any of `_-.`, in ASCII, are accepted");
    match given {
        Some(given) => {
            cx.error(&given.value, format_args!("`{name}` cannot be the name of a device: {rule}"));
        }
        None => cx.error(
            device.ident,
            format_args!(
                "`{name}` cannot be the name of a device: {rule}; give it one, `name = \"..\"` in \
                 `#[pci(..)]`"
            ),
        ),
    }
}

/// The name of a field of a register's bits.
pub(crate) fn field(cx: &Ctxt, at: &Ident, name: &str) {
    wire(cx, at, name, LONGEST);
}

/// A name in a stream, wherever it is written.
pub(super) fn wire(cx: &Ctxt, at: impl ToTokens, name: &str, longest: usize) {
    let accepted = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    if !name.is_empty() && name.len() <= longest && name.chars().all(accepted) {
        return;
    }
    let name = shortened(name);
    let message = format!(
        "`{name}` cannot be a name in a stream: 1 to {longest} letters, digits and `_`, in ASCII"
    );
    cx.error(at, message);
}

/// What fits in a message.
fn shortened(name: &str) -> String {
    if name.chars().count() <= LONGEST + 8 {
        return name.escape_debug().to_string();
    }
    let head: String = name.chars().take(LONGEST).collect();
    format!("{}..", head.escape_debug())
}
