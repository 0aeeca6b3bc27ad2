//! Interrupts and shared memory of the declaration, checked when a device is compiled.

use std::marker::PhantomData;

use super::{Cx, PciDevice};
use crate::interrupt::Irq;
use crate::model::Descriptor;
use crate::shared::Shared;

/// The declaration of a device, as a constant.
struct Declared<D>(PhantomData<D>);

impl<D: PciDevice> Declared<D> {
    const DESCRIPTOR: &'static Descriptor = &D::DESCRIPTOR;
}

/// Handles for declared numbers, checked at compile time.
impl<D: PciDevice> Cx<'_, D> {
    /// Returns the interrupt source with a declared number; any other number does not compile.
    /// Otherwise the same as [`irq`](Self::irq).
    ///
    /// ```
    /// # use vfio_user::{Cx, Device, PciDevice};
    /// #[derive(Default, PciDevice)]
    /// #[pci(vendor = 0x1234, device = 0xcafe)]
    /// #[irq(msix = 2)]
    /// struct Card {}
    ///
    /// impl Device for Card {
    ///     type Event = ();
    ///
    ///     fn event(&mut self, cx: &mut Cx<'_, Self>, (): ()) {
    ///         cx.declared_irq::<1>().raise();
    ///     }
    /// }
    /// # let mut bench = vfio_user::Bench::new(Card::default())?;
    /// # bench.post(());
    /// # bench.handle_events();
    /// # assert_eq!(bench.take_irq(1), 1);
    /// # Ok::<(), vfio_user::Error>(())
    /// ```
    ///
    /// ```compile_fail
    /// # use vfio_user::{Cx, Device, PciDevice, Result};
    /// # #[derive(Default, PciDevice)]
    /// # #[pci(vendor = 0x1234, device = 0xcafe)]
    /// # #[irq(msix = 2)]
    /// # struct Card {}
    /// # impl Device for Card {
    /// #    type Event = ();
    /// #    fn start(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
    /// cx.declared_irq::<2>().raise();
    /// #        Ok(())
    /// #    }
    /// # }
    /// # vfio_user::Bench::new(Card::default()).unwrap();
    /// ```
    pub fn declared_irq<const N: u16>(&self) -> Irq {
        const {
            let declared = &Declared::<D>::DESCRIPTOR;
            let is_there = (N as u64) < declared.sources() || declared.is_placeholder();
            assert!(is_there, "the declaration has no interrupt with this number");
        }
        self.irq(N)
    }

    /// Returns the memory of a BAR that is declared as `shared`; any other BAR does not compile.
    /// Otherwise the same as [`shared`](Self::shared).
    ///
    /// ```
    /// # use vfio_user::{Cx, Device, PciDevice, Result};
    /// #[derive(Default, PciDevice)]
    /// #[pci(vendor = 0x1234, device = 0xcafe)]
    /// #[bar(0: mem32, size = 0x1000)]
    /// #[bar(2: mem32, size = 0x1000, shared)]
    /// struct Card {}
    ///
    /// impl Device for Card {
    ///     type Event = ();
    ///
    ///     fn start(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
    ///         cx.declared_shared::<2>().write(0x10, &[1])?;
    ///         Ok(())
    ///     }
    /// }
    /// # let mut bench = vfio_user::Bench::new(Card::default())?;
    /// # assert_eq!(bench.read::<u8>(2, 0x10), 1);
    /// # Ok::<(), vfio_user::Error>(())
    /// ```
    ///
    /// ```compile_fail
    /// # use vfio_user::{Cx, Device, PciDevice, Result};
    /// # #[derive(Default, PciDevice)]
    /// # #[pci(vendor = 0x1234, device = 0xcafe)]
    /// # #[bar(0: mem32, size = 0x1000)]
    /// # #[bar(2: mem32, size = 0x1000, shared)]
    /// # struct Card {}
    /// # impl Device for Card {
    /// #    type Event = ();
    /// #    fn start(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
    /// cx.declared_shared::<0>().write(0x10, &[1])?;
    /// #        Ok(())
    /// #    }
    /// # }
    /// # vfio_user::Bench::new(Card::default()).unwrap();
    /// ```
    pub fn declared_shared<const BAR: u8>(&self) -> &Shared {
        const {
            let declared = &Declared::<D>::DESCRIPTOR;
            let is_there = declared.has_shared(BAR) || declared.is_placeholder();
            assert!(is_there, "the declaration has no shared BAR with this number");
        }
        self.shared(BAR)
    }

    /// Returns the index of the block with this name, for [`reset_block`](Self::reset_block). A
    /// block in another one has both names: `rings.channels`.
    ///
    /// ```
    /// # use vfio_user::{Cx, Device, PciDevice, RegisterBlock};
    /// #[derive(Clone, Copy, Default, RegisterBlock)]
    /// struct Queue {
    ///     #[reg(0x00)]
    ///     base: u64,
    /// }
    ///
    /// #[derive(Default, PciDevice)]
    /// #[pci(vendor = 0x1234, device = 0xcafe)]
    /// #[bar(0: mem32, size = 0x1000)]
    /// struct Nic {
    ///     #[block(0x100)]
    ///     receive: Queue,
    ///     #[block(0x200)]
    ///     send: [Queue; 4],
    /// }
    ///
    /// # impl Device for Nic { type Event = (); }
    /// const SEND: usize = Cx::<Nic>::block_index("send");
    /// assert_eq!(SEND, 1);
    /// ```
    ///
    /// # Panics
    ///
    /// If the declaration has no such block; in a constant, the build fails.
    pub const fn block_index(name: &str) -> usize {
        let declared = &Declared::<D>::DESCRIPTOR;
        match declared.block_index(name) {
            Some(index) => index,
            None if declared.is_placeholder() => 0,
            None => panic!("the declaration has no block with this name"),
        }
    }
}
