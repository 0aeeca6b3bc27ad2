//! Devices as PCI functions, which a server drives.

mod doorbells;
#[expect(clippy::module_inception, reason = "one trait a file, named after it")]
mod function;
mod hosted;
mod inquiry;
mod pace;
mod running;
mod watched;

pub use function::{Doorbell, Function};
pub(crate) use hosted::CONFIG_BAR;
pub use hosted::Hosted;
pub use inquiry::{InquiryError, Peek};
