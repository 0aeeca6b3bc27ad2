//! The trait that `#[derive(PciDevice)]` implements.

use super::{Cx, Descriptor, Device};

/// A device whose registers the runtime can reach. Derive it:
///
/// ```
/// use vfio_user::{Device, PciDevice};
///
/// #[derive(Default, PciDevice)]
/// #[pci(vendor = 0x1234, device = 0xcafe, class = 0x00_ff00)]
/// #[bar(0: mem32, size = 0x1000)]
/// struct Scratch {
///     #[reg(0x00)]
///     scratch: u32,
/// }
///
/// impl Device for Scratch {
///     type Event = ();
/// }
///
/// assert_eq!(Scratch::DESCRIPTOR.ids().device, 0xcafe);
/// ```
///
/// The methods are plain access to the fields; everything that a bus access means, policies, byte
/// enables, resets, is the runtime's. A slot names a register by its place in
/// [`Descriptor::declared_registers`].
pub trait PciDevice: Device + Send + 'static {
    /// The declaration.
    const DESCRIPTOR: Descriptor;

    /// The stored bits of a register; 0 for one without storage.
    fn load(&self, slot: Slot) -> u64;

    /// Stores the bits of a register; nothing for one without storage.
    fn store(&mut self, slot: Slot, bits: u64);

    /// Calls a hook of a register; only those that it declares. The result counts for
    /// [`Hook::Read`] alone.
    fn hook(&mut self, cx: &mut Cx<'_, Self>, slot: Slot, hook: Hook) -> u64 {
        let _ = (cx, slot, hook);
        0
    }
}

/// Which register, and which element of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Place of the register in the declaration.
    pub register: usize,
    /// Element of an array; 0 for a plain register.
    pub index: usize,
}

/// Which hook of a register, and what it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// `read_with`: gives the value.
    Read,
    /// `write_with`: takes the value on the bus.
    Write(u64),
    /// `on_read`: the value that was read.
    AfterRead(u64),
    /// `on_write`: what was stored before and after.
    AfterWrite(u64, u64),
}
