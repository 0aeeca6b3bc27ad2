//! New versions of device programs take the devices of running ones over.

mod crashes;
mod driver;
mod engine;
mod nvme;
mod service;
