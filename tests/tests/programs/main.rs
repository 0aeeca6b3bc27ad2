//! Device programs as processes of their own.

mod access;
mod classic_pair;
mod device_program;
mod faults;
mod lspci;
mod program;
mod sandbox;
mod several_devices;
mod soak;
mod take_over;
