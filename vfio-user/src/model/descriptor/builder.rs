//! Declares a device, in constant evaluation.

use std::collections::BTreeSet;

use super::{Bar, Capability, CommandUse, Descriptor, Header, Ids, State};
use crate::layout::{BarKind, LayoutError, MsixLayout};
use crate::migration::StateLayout;
use crate::model::{
    Block, ComposedInterrupt, DeclaredTimer, MemoryRange, Register, UnmodelledRange,
};

/// Builders. The derive calls these; a hand-written [`PciDevice`](crate::PciDevice) may as well.
impl Descriptor {
    /// Declares a function with an identity and nothing else.
    pub const fn new(name: &'static str, ids: Ids) -> Self {
        Descriptor {
            name,
            doc: "",
            ids,
            bars: [None; 6],
            rom: None,
            vga: false,
            specific: Vec::new(),
            shared_files: [const { None }; 6],
            intx: false,
            msi: 0,
            msix: None,
            shares_msix_pages: false,
            header: Header::new(),
            capabilities: &[],
            added: Vec::new(),
            registers: &[],
            absent: BTreeSet::new(),
            blocks: &[],
            own_blocks: 0,
            memories: &[],
            unmodelled: &[],
            timers: &[],
            composed: &[],
            state: State::None,
            command: CommandUse::OnceWritten,
        }
    }

    /// Describes the device.
    #[must_use]
    pub const fn with_doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// Declares a BAR.
    ///
    /// # Panics
    ///
    /// If `index` is above 5.
    #[must_use]
    pub const fn with_bar(mut self, index: u8, bar: Bar) -> Self {
        self.bars[index as usize] = Some(bar);
        self
    }

    /// Declares the registers.
    #[must_use]
    pub const fn with_registers(mut self, registers: &'static [Register]) -> Self {
        self.registers = registers;
        self
    }

    /// Declares blocks of registers. Those that lie in others follow all that do not.
    #[must_use]
    pub const fn with_blocks(mut self, blocks: &'static [Block]) -> Self {
        self.blocks = blocks;
        self.own_blocks = 0;
        while self.own_blocks < blocks.len() && blocks[self.own_blocks].enclosing().is_none() {
            self.own_blocks += 1;
        }
        self
    }

    /// Declares memory that clients access by messages.
    #[must_use]
    pub const fn with_memories(mut self, memories: &'static [MemoryRange]) -> Self {
        self.memories = memories;
        self
    }

    /// Declares places without a model.
    #[must_use]
    pub const fn with_unmodelled(mut self, ranges: &'static [UnmodelledRange]) -> Self {
        self.unmodelled = ranges;
        self
    }

    /// Declares timers.
    #[must_use]
    pub const fn with_timers(mut self, timers: &'static [DeclaredTimer]) -> Self {
        self.timers = timers;
        self
    }

    /// Declares interrupts that the runtime composes from registers.
    #[must_use]
    pub const fn with_interrupts(mut self, interrupts: &'static [ComposedInterrupt]) -> Self {
        self.composed = interrupts;
        self
    }

    /// Lets the device migrate by a stream of its own; see
    /// [`Device::save_stream`](crate::Device::save_stream).
    #[must_use]
    pub const fn with_raw_state(mut self) -> Self {
        self.state = State::Raw;
        self
    }

    /// Lets the device migrate: its registers, its blocks, and its private fields according to
    /// `layout`.
    #[must_use]
    pub const fn with_state(mut self, layout: StateLayout) -> Self {
        self.state = State::Derived(layout);
        self
    }

    /// Declares capabilities, in the order in which guests find them.
    #[must_use]
    pub const fn with_capabilities(mut self, capabilities: &'static [Capability]) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Makes the command register plain storage: BARs respond and the device accesses memory
    /// whatever it holds.
    #[must_use]
    pub const fn with_ignored_command(mut self) -> Self {
        self.command = CommandUse::Ignored;
        self
    }

    /// Enforces *Bus Master* of the command register from the first moment: memory accesses fail,
    /// and messages wait, until software has set the bit, also after a reset.
    #[must_use]
    pub const fn with_strict_command(mut self) -> Self {
        self.command = CommandUse::NeedsBusMaster;
        self
    }

    /// Declares the interrupt line INTA.
    #[must_use]
    pub const fn with_intx(mut self) -> Self {
        self.intx = true;
        self
    }

    /// Declares MSI with `vectors` messages: 1, 2, 4, 8, 16 or 32.
    #[must_use]
    pub const fn with_msi(mut self, vectors: u16) -> Self {
        self.msi = vectors;
        self
    }

    /// Declares MSI-X with its table at a place of the author's choice.
    ///
    /// A BAR that was not declared before is created, large enough for the table.
    ///
    /// # Panics
    ///
    /// If the BAR is above 5.
    #[must_use]
    pub const fn with_msix(mut self, layout: MsixLayout) -> Self {
        if self.bars[layout.bar as usize].is_none() {
            let bar = Bar::new(BarKind::Mem32, layout.exclusive_bar_size());
            self.bars[layout.bar as usize] = Some(bar);
        }
        self.msix = Some(layout);
        self
    }

    /// Declares MSI-X with its table in a BAR of its own: the first free one, unless `bar` names
    /// it.
    ///
    /// # Panics
    ///
    /// If no BAR is free, or if `bar` has been declared before.
    #[must_use]
    #[track_caller]
    pub const fn with_msix_in_own_bar(self, vectors: u16, bar: Option<u8>) -> Self {
        let bar = match bar {
            Some(bar) if self.bars[bar as usize].is_none() => bar,
            Some(bar) => panic!("{}", LayoutError::MsixNeedsTable { bar }.text().as_str()),
            None => match self.free_bar() {
                Some(bar) => bar,
                None => panic!("{}", LayoutError::MsixNoFreeBar.text().as_str()),
            },
        };
        self.with_msix(MsixLayout {
            vectors,
            bar,
            table: 0,
            pba: MsixLayout::pba_after(0, vectors),
        })
    }

    const fn free_bar(&self) -> Option<u8> {
        let mut bar = 0;
        while bar < 6 {
            let lower_is_wide = bar > 0
                && matches!(self.bars[bar as usize - 1], Some(Bar { kind: BarKind::Mem64, .. }));
            if self.bars[bar as usize].is_none() && !lower_is_wide {
                return Some(bar);
            }
            bar += 1;
        }
        None
    }
}
