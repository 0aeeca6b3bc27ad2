//! Resets that a hook of the device performs.

use tracing::{debug, warn};

use super::calls::Method;
use super::{Cx, ElementIndex, PciDevice};
use crate::layout::SOFT_DOMAINS;
use crate::model::{BlockElement, ResetKind, ResetScope, Slot};

/// Resets by the device itself.
impl<D: PciDevice> Cx<'_, D> {
    /// Resets the device as its own reset bit or a command does: domain `domain`, 0 to 7, whose
    /// meaning is the author's.
    ///
    /// When this method returns, all registers have their reset values, except those that are
    /// `sticky` or `reset(soft(domain) = keep)`; timers are disarmed, and
    /// [`Device::reset`](crate::Device::reset) has run with [`ResetKind::Soft`]. Write-once bits,
    /// parts of registers that wait, and values in shared memory are forgotten as in other resets.
    /// Composed interrupts follow the registers. The hook may go on and change what it likes.
    ///
    /// The reset covers the register whose hook calls this method, so a reset bit clears itself.
    /// What the same access would still do to that register does not happen: effects of reading,
    /// the status bits of a test or clear register, `kick`.
    ///
    /// Configuration space, the MSI-X table, messages that are pending, levels that
    /// [`Irq::set`](crate::Irq::set) has set, guards of memory and the session stay. To end the
    /// work of threads as well, call [`end_session`](Self::end_session) in `Device::reset`.
    ///
    /// A domain that is called for while its reset runs, by `Device::reset`, is not reset again;
    /// other domains are. A domain above 7 resets nothing, and is logged.
    ///
    /// ```
    /// use vfio_user::{Bench, Cx, Device, PciDevice, ResetKind};
    ///
    /// /// The reset of the controller, which keeps the address of its queue.
    /// const CONTROLLER: u8 = 0;
    ///
    /// #[derive(Default, PciDevice)]
    /// #[pci(vendor = 0x1234, device = 0xcafe)]
    /// #[bar(0: mem32, size = 0x1000)]
    /// struct Controller {
    ///     #[reg(0x00, on_write = Self::configured)]
    ///     configuration: u32,
    ///     #[reg(0x08, reset(soft(CONTROLLER) = keep))]
    ///     queue: u64,
    ///     #[reg(0x10)]
    ///     doorbell: u32,
    ///     commands: u32,
    /// }
    ///
    /// impl Device for Controller {
    ///     type Event = ();
    ///
    ///     fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
    ///         self.commands = 0;
    ///     }
    /// }
    ///
    /// impl Controller {
    ///     fn configured(&mut self, cx: &mut Cx<'_, Self>, old: u32, new: u32) {
    ///         if old & !new & 1 != 0 {
    ///             cx.soft_reset(self, CONTROLLER);
    ///         }
    ///     }
    /// }
    ///
    /// let mut bench = Bench::new(Controller::default())?;
    /// bench.write(0, 0x08, 0x1000_u64);
    /// bench.write(0, 0x10, 7_u32);
    /// bench.write(0, 0x00, 1_u32);
    /// bench.write(0, 0x00, 0_u32);
    /// assert_eq!(bench.read::<u64>(0, 0x08), 0x1000);
    /// assert_eq!(bench.read::<u32>(0, 0x10), 0);
    /// # Ok::<(), vfio_user::Error>(())
    /// ```
    pub fn soft_reset(&mut self, device: &mut D, domain: u8) {
        if domain >= SOFT_DOMAINS {
            warn!(domain, "there is no such soft reset: nothing is reset; domains are 0 to 7");
            return;
        }
        let soft = &self.runtime().soft;
        let (bit, running) = (1 << domain, soft.running.get());
        if running & bit != 0 {
            debug!(domain, "the reset of this domain runs already");
            return;
        }
        soft.used.set(soft.used.get() | bit);
        soft.running.set(running | bit);
        let kind = ResetKind::Soft(domain);
        self.restore(device, ResetScope::Device(kind));
        let slots = self.runtime().resets.descriptor().timer_slots();
        slots.for_each(|slot| disarm(device, slot));
        let entered = self.runtime().running.method(Method::Reset);
        device.reset(self, kind);
        drop(entered);
        self.runtime().soft.running.set(running);
    }

    /// Resets the registers of one element of a block, 0 if the block is no array, and disarms its
    /// timers: a queue, a channel, a port.
    ///
    /// Registers that are `sticky` keep their values. As in a [`soft_reset`](Self::soft_reset),
    /// write-once bits and parts that wait are forgotten, and composed interrupts follow. Private
    /// fields of the element are the hook's own. Blocks in the element are reset with it; an
    /// element of one of these has an index for each level: `[ring, channel]`. An element that does
    /// not exist is logged: its number may come from the guest.
    ///
    /// [`block_index`](Self::block_index) gives the number of the block.
    ///
    /// ```
    /// use vfio_user::{Bench, Cx, Device, PciDevice, RegisterBlock, Virtual};
    ///
    /// const QUEUES: usize = Cx::<Nic>::block_index("queues");
    ///
    /// #[derive(Default, PciDevice)]
    /// #[pci(vendor = 0x1234, device = 0xcafe)]
    /// #[bar(0: mem32, size = 0x1000)]
    /// struct Nic {
    ///     #[block(0x100, stride = 0x20)]
    ///     queues: [Queue; 4],
    /// }
    ///
    /// #[derive(Clone, Copy, Default, RegisterBlock)]
    /// #[block(host = QueueHost)]
    /// struct Queue {
    ///     #[reg(0x00)]
    ///     base: u64,
    ///     #[reg(0x08, wo, write_with = disable)]
    ///     disable: Virtual<u32>,
    /// }
    ///
    /// impl Device for Nic {
    ///     type Event = ();
    /// }
    ///
    /// impl QueueHost for Nic {
    ///     fn disable(&mut self, cx: &mut Cx<'_, Self>, index: usize, _: u32) {
    ///         cx.reset_block(self, QUEUES, index);
    ///     }
    /// }
    ///
    /// let mut bench = Bench::new(Nic::default())?;
    /// for base in [0x100, 0x120] {
    ///     bench.write(0, base, 0x1000_u64);
    /// }
    /// bench.write(0, 0x128, 1_u32);
    /// assert_eq!([0x100, 0x120].map(|base| bench.read::<u64>(0, base)), [0x1000, 0]);
    /// # Ok::<(), vfio_user::Error>(())
    /// ```
    #[expect(clippy::needless_pass_by_value, reason = "it is a number, or a few")]
    pub fn reset_block(&mut self, device: &mut D, block: usize, element: impl ElementIndex) {
        let Some(found) = self.runtime().resets.descriptor().blocks().get(block) else {
            warn!(block, "there is no such block: nothing is reset");
            return;
        };
        let Some(number) = found.element_at(element.indices()) else {
            let (name, count, element) = (found.path(), found.count(), element.indices());
            warn!(block = name, ?element, count, "there is no such element: nothing is reset");
            return;
        };
        let at = BlockElement { block, element: number };
        self.restore(device, ResetScope::Element(at));
        let descriptor = self.runtime().resets.descriptor();
        for slot in descriptor.timer_slots().filter(|slot| descriptor.is_inside(slot.block, at)) {
            disarm(device, slot);
        }
    }

    fn restore(&mut self, device: &mut D, scope: ResetScope) {
        self.runtime().resets.restore(device, scope);
        self.runtime().soft.note(scope);
    }
}

fn disarm<D: PciDevice>(device: &mut D, slot: Slot) {
    if let Some(timer) = device.timer_mut(slot) {
        timer.cancel();
    }
}
