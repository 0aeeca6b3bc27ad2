//! The functions of the interface, which the headers in `include` describe.
//!
//! Each is `extern "C"` and passes through [`boundary::call`](crate::boundary::call), which checks
//! the context and stops panics. Pointers are as the headers require: null where they say so,
//! otherwise valid for the call.

#![allow(
    clippy::not_unsafe_ptr_arg_deref,
    reason = "C calls these functions, and does not see whether they are unsafe"
)]

mod interrupts;
mod lifecycle;
mod memory;
mod pci;
mod regions;
mod setup;
