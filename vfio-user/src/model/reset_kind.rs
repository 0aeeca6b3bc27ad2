//! The kinds of reset.

/// The reason for a reset of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResetKind {
    /// The client requested a reset (`VFIO_USER_DEVICE_RESET`): power-on, or a reset of the bus.
    Device,
    /// The guest reset the function alone (PCI Express Base Specification, 6.6.2).
    FunctionLevel,
    /// The guest brought the function back from D3hot to D0 (PCI Power Management Interface
    /// Specification 1.2, 5.4), and it has a soft reset.
    PowerState,
}
