//! Devices in a real guest, under QEMU, driven by its kernel.

mod config;
mod dma;
mod driver;
mod edu;
mod errors;
mod ethernet;
mod gpio;
mod ivshmem;
mod layout;
mod life;
mod message_uart;
mod nvme;
mod proxy;
mod reset;
mod serial;
mod shared;
mod take_over;
mod vfio;
mod virtio;
mod watchdog;
