//! The library's client against servers of every kind.

mod attaching;
mod calls;
mod driver;
mod features;
mod foreign_server;
mod limits;
mod pci;
mod pci_hostile;
mod pipelined;
mod regions;
