//! Helpers of the tests of interrupts.

use nix::sys::eventfd::{EfdFlags, EventFd as NixEventFd};
use vfio_user::EventFd;

use crate::raw::RawClient;
use crate::wire::irq::NONE;
use crate::zoo::reg;

/// New eventfds.
///
/// # Panics
///
/// If the process may open no more descriptors.
pub fn eventfds(count: usize) -> Vec<EventFd> {
    (0..count).map(|_| EventFd::new().unwrap()).collect()
}

/// Offset of the zoo's pending bits in BAR 5.
pub const PBA: u64 = 0x1000;

/// 64 of the zoo's pending bits.
pub fn pending(client: &mut RawClient, quadword: u64) -> u64 {
    client.number(5, PBA + 8 * quadword, 8)
}

/// Returns the count of each eventfd since the last call.
pub fn taken(eventfds: &[EventFd]) -> Vec<u64> {
    eventfds.iter().map(|eventfd| eventfd.take().unwrap_or(0)).collect()
}

/// Raises a source of the zoo once.
pub fn raise(client: &mut RawClient, source: u32) {
    client.write(0, reg::RAISE, &source.to_le_bytes());
}

/// Sets the level of a source of the zoo.
pub fn set_level(client: &mut RawClient, source: u32, level: bool) {
    client.write(0, reg::LEVEL, &(source | u32::from(level) << 16).to_le_bytes());
}

/// Sends `SET_IRQS` without data, and checks that it succeeds.
#[track_caller]
pub fn none(client: &mut RawClient, action: u32, index: u32, start: u32, count: u32) {
    client.set_irqs(NONE | action, index, start, count, &[]).ok();
}

/// Returns a blocking eventfd with the highest count, as a hostile client may send it.
///
/// # Panics
///
/// If the process may open no more descriptors.
pub fn full() -> NixEventFd {
    let eventfd = NixEventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC).unwrap();
    eventfd.write(u64::MAX - 1).unwrap();
    eventfd
}
