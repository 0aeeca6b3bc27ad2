//! What the tests of interrupts share.

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

/// Where the zoo's pending bits are, in BAR 5.
pub const PBA: u64 = 0x1000;

/// 64 of the zoo's pending bits.
pub fn pending(client: &mut RawClient, quadword: u64) -> u64 {
    client.number(5, PBA + 8 * quadword, 8)
}

/// What each has counted since it was last asked.
pub fn taken(eventfds: &[EventFd]) -> Vec<u64> {
    eventfds.iter().map(|eventfd| eventfd.take().unwrap_or(0)).collect()
}

/// Has the zoo raise a source once.
pub fn raise(client: &mut RawClient, source: u32) {
    client.write(0, reg::RAISE, &source.to_le_bytes());
}

/// Has the zoo set the level of a source.
pub fn set_level(client: &mut RawClient, source: u32, level: bool) {
    client.write(0, reg::LEVEL, &(source | u32::from(level) << 16).to_le_bytes());
}

/// `SET_IRQS` without data, which has to succeed.
#[track_caller]
pub fn none(client: &mut RawClient, action: u32, index: u32, start: u32, count: u32) {
    client.set_irqs(NONE | action, index, start, count, &[]).ok();
}

/// Blocking, as a hostile client may send it, and as full as it gets.
///
/// # Panics
///
/// If the process may open no more descriptors.
pub fn full() -> NixEventFd {
    let eventfd = NixEventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC).unwrap();
    eventfd.write(u64::MAX - 1).unwrap();
    eventfd
}
