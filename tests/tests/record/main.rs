//! Devices are recorded over a socket and replayed: what differs is named.

mod damaged;
mod device;
mod differences;
mod inputs;
mod shrink;
