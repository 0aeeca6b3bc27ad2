//! What a hook may touch besides its device.

use std::marker::PhantomData;

use super::Device;

/// The world around a device.
pub struct Cx<'a, D: Device> {
    runtime: PhantomData<(&'a (), fn() -> D)>,
}

impl<D: Device> Cx<'_, D> {
    /// The interrupt with number `n`.
    pub fn irq(&self, n: u16) -> Irq {
        let _ = n;
        Irq
    }
}

/// An interrupt.
pub struct Irq;

impl Irq {
    /// Sends a message.
    pub fn raise(&self) {}
}
