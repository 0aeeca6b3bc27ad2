//! The only unsafe code of the crate: receiving descriptors, adopting inherited ones, and touching
//! memory that another process can change or truncate at any time.

mod fault;
mod fd;
mod mapping;
mod socket;

pub(crate) use fd::adopt_inherited;
pub(crate) use mapping::{Lost, Mapping};
pub(crate) use socket::{Received, receive};
