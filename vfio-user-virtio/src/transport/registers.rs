//! The types of the registers.

use vfio_user::{Register, RegisterBlock, Virtual};

use super::NO_VECTOR;

/// `device_status` (2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
#[register(u8)]
#[expect(clippy::struct_excessive_bools, reason = "the bits of the specification")]
pub(super) struct Status {
    /// The guest has noticed the device.
    #[field(bit = 0)]
    pub(super) acknowledge: bool,
    /// The guest has a driver for it.
    #[field(bit = 1)]
    pub(super) driver: bool,
    /// The driver is ready: the device runs.
    #[field(bit = 2)]
    pub(super) driver_ok: bool,
    /// The features are negotiated.
    #[field(bit = 3)]
    pub(super) features_ok: bool,
    /// The device has stopped because of an error.
    #[field(bit = 6, volatile)]
    pub(super) needs_reset: bool,
    /// The driver has given up.
    #[field(bit = 7)]
    pub(super) failed: bool,
}

/// The ISR status (4.1.4.5).
#[derive(Clone, Copy, Debug, Default, Register)]
#[register(u8)]
pub(super) struct Isr {
    /// A queue has used elements.
    #[field(bit = 0)]
    pub(super) queue: bool,
    /// The configuration has changed.
    #[field(bit = 1)]
    pub(super) config: bool,
}

/// The part of the common configuration that each queue has (4.1.4.3).
#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
#[block(host = QueueHost)]
pub(super) struct QueueRegisters {
    /// The number of entries; at first the largest that the device offers.
    #[reg(0x00, lock = enable)]
    pub(super) size: u16,
    /// The MSI-X vector, or 0xffff for none.
    #[reg(0x02, reset = NO_VECTOR, write_with = map_vector, test(exclude = policies))]
    pub(super) vector: u16,
    /// 1 once the driver has set the queue up.
    #[reg(0x04, mask = 1, lock = enable, on_write = enabled)]
    pub(super) enable: u16,
    /// Where the queue is notified, in units of the multiplier.
    #[reg(0x06, ro)]
    pub(super) notify_off: u16,
    /// The descriptor table.
    #[reg(0x08, lock = enable)]
    pub(super) desc: u64,
    /// The available ring.
    #[reg(0x10, lock = enable)]
    pub(super) driver: u64,
    /// The used ring.
    #[reg(0x18, lock = enable)]
    pub(super) device: u64,
    /// What the driver writes to notify the queue; without the feature, that is its index.
    #[reg(0x20, ro)]
    pub(super) notify_data: u16,
    /// A 1 resets the queue. Reads 0 when that is done, which is at once.
    #[reg(0x22, mask = 1, write_with = reset_queue)]
    pub(super) reset: Virtual<u16>,
}

/// Where a queue is notified (4.1.4.4).
#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
#[block(host = DoorbellHost)]
pub(super) struct Doorbell {
    /// A write says that the queue has requests.
    #[reg(0x00, wo, kick = rung)]
    notify: Virtual<u16>,
}

/// Where a queue is notified in memory that the guest maps.
#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
#[block(host = PageHost)]
pub(super) struct PageDoorbell {
    /// A write says that the queue has requests.
    #[reg(0x00, watch, reset = NO_VECTOR, write_with = stored)]
    notify: Virtual<u16>,
}

/// Where a structure of the transport is (4.1.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, RegisterBlock)]
pub(super) struct Capability {
    /// Which structure.
    #[reg(0x03, ro)]
    cfg_type: u8,
    /// In which BAR.
    #[reg(0x04, ro)]
    bar: u8,
    /// Its offset in the BAR.
    #[reg(0x08, ro)]
    offset: u32,
    /// Its length.
    #[reg(0x0c, ro)]
    length: u32,
}

impl Capability {
    pub(super) fn new(cfg_type: u8, bar: u8, offset: u32, length: u32) -> Self {
        Capability { cfg_type, bar, offset, length }
    }
}

/// Where the queues are notified (4.1.4.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, RegisterBlock)]
pub(super) struct NotifyCapability {
    #[block(0x00)]
    place: Capability,
    /// The distance between the places of two queues.
    #[reg(0x10, ro)]
    multiplier: u32,
}

impl NotifyCapability {
    pub(super) fn new(bar: u8, offset: u32, length: u32, multiplier: u32) -> Self {
        NotifyCapability { place: Capability::new(2, bar, offset, length), multiplier }
    }
}

/// Access to all structures through configuration space (4.1.4.9).
#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
pub(super) struct PciCfg {
    /// Which structure.
    #[reg(0x03, ro, reset = 5)]
    cfg_type: u8,
    /// The BAR to access.
    #[reg(0x04)]
    bar: u8,
    /// The offset to access.
    #[reg(0x08)]
    offset: u32,
    /// How many bytes to access: 1, 2 or 4.
    #[reg(0x0c)]
    length: u32,
    /// Reads and writes there.
    #[reg(0x10, window(at = offset, bar = bar, len = length))]
    data: Virtual<u32>,
}
