//! `libvfio-user.so`: the interface of libvfio-user for C, over the server of [`vfio_user`].
//!
//! A C program describes its device at run time, by calls on a context. The context becomes a
//! [`Function`](vfio_user::function::Function) that the server drives.
//!
//! # Unsafe code
//!
//! The crate is a boundary to C: it receives pointers and calls functions. A context is shared by
//! the program, by the function that the server drives and by the program's callbacks, which call
//! the library again. So it is only ever borrowed immutably; its parts are cells, and no borrow of
//! a cell is held while a callback runs.
//!
//! A panic does not cross the boundary: the call fails with `EIO`.

mod abi;
mod api;
mod attach;
mod boundary;
mod callbacks;
mod config;
mod context;
mod device;
mod dma;
mod log;
mod migration;
mod quiesce;
mod quirks;
mod region;
