//! The library's client against servers of every kind.

mod attaching;
mod calls;
mod features;
mod pipelined;
mod regions;
