//! Virtio devices over sockets: interrupts, notifications, memory of other kinds, migration.

mod counter;
mod driver;
mod migration;
mod sockets;
