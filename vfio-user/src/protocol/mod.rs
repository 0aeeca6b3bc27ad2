//! The messages of the vfio-user protocol, version 0, as plain data.
//!
//! Layouts, numbers and names follow the vfio-user specification (`docs/interop/vfio-user.rst` of
//! QEMU) and, where it refers to the kernel's interface, `include/uapi/linux/vfio.h`. Nothing here
//! reads a socket or knows a device: bytes become structures and structures become bytes.
//!
//! Every structure may be read from untrusted bytes. Its integers are little-endian and unchecked
//! and it needs no alignment; enumerations and flag types are made from its fields by a checked
//! conversion (`TryFrom`, `from_bits`, `split`), so that a value that exists is a valid one.

mod command;
mod errno;
mod header;

pub use command::{Command, UnknownCommand};
pub use errno::Errno;
pub use header::{HEADER_SIZE, Header, MessageType};
