//! The declaration of a device, as data.

mod builder;
pub(crate) mod capability;
pub(crate) mod capability_list;
mod capability_options;
pub(crate) mod check;
mod configure;
mod express;
mod header;
mod nesting;
mod parts;
mod regions;
mod resets;
mod shape;
mod shared_file;
mod slots;
mod timers;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use capability::{Capability, CapabilityKind, OwnedCapability};
pub(crate) use capability_list::Listed;
pub use capability_options::{Msi, PowerManagement, PowerStates};
pub use express::{Express, ExpressPort};
use header::Header;
pub use parts::{Bar, Ids, Sizes, SizesIn, Unaligned, Unmapped, Watching};
pub use regions::SpecificRegion;
pub(crate) use shared_file::SharedFile;
pub(crate) use timers::TimerName;

use super::spec::cfg;
use super::{Block, ComposedInterrupt, DeclaredTimer, MemoryRange, Register, UnmodelledRange};
use crate::layout::MsixLayout;
use crate::migration::StateLayout;

/// The declaration of a device, which clients and guests see before they drive it: ids, BARs,
/// registers, interrupts, capabilities.
///
/// `#[derive(PciDevice)]` builds it in constant evaluation.
/// [`Device::configure`](crate::Device::configure) may change what is known only at run time.
#[derive(Clone, Debug)]
pub struct Descriptor {
    name: &'static str,
    doc: &'static str,
    ids: Ids,
    bars: [Option<Bar>; 6],
    rom: Option<Arc<[u8]>>,
    vga: bool,
    specific: Vec<SpecificRegion>,
    shared_files: [Option<SharedFile>; 6],
    intx: bool,
    msi: u16,
    msix: Option<MsixLayout>,
    /// Whether other things may lie in a page of the MSI-X structures.
    shares_msix_pages: bool,
    header: Header,
    capabilities: &'static [Capability],
    /// The capabilities that are known only at run time.
    added: Vec<OwnedCapability>,
    registers: &'static [Register],
    /// The registers that do not exist: the index of the block, if they are in one, and theirs.
    absent: BTreeSet<(Option<usize>, usize)>,
    blocks: &'static [Block],
    /// The number of blocks that lie in no other one, which come first.
    own_blocks: usize,
    memories: &'static [MemoryRange],
    unmodelled: &'static [UnmodelledRange],
    timers: &'static [DeclaredTimer],
    composed: &'static [ComposedInterrupt],
    state: State,
    command: CommandUse,
}

/// The migration of a device's state.
#[derive(Clone, Debug)]
enum State {
    /// The state does not migrate.
    None,
    Derived(StateLayout),
    /// The state migrates by a stream of the device's own.
    Raw,
}

/// When the bits of the command register have effect.
#[derive(Clone, Copy, Debug)]
enum CommandUse {
    /// Each once software has used it.
    OnceWritten,
    /// Never.
    Ignored,
    /// The same as `OnceWritten`, but bus master always.
    NeedsBusMaster,
}

/// Getters.
impl Descriptor {
    /// Returns the device's name, for logs and descriptions.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the author's documentation of the device.
    pub const fn doc(&self) -> &'static str {
        self.doc
    }

    /// Returns the identity of the function.
    pub const fn ids(&self) -> Ids {
        self.ids
    }

    /// Returns BARs 0 to 5. The slot of a 64-bit BAR's upper half is empty.
    pub const fn bars(&self) -> &[Option<Bar>; 6] {
        &self.bars
    }

    /// Returns the image of the expansion ROM.
    pub fn rom(&self) -> Option<&[u8]> {
        self.rom.as_deref()
    }

    /// Returns the size of the expansion ROM's BAR, in bytes; 0 without a ROM.
    pub fn rom_size(&self) -> u64 {
        self.rom().map_or(0, |image| image.len().next_power_of_two().max(0x800) as u64)
    }

    /// Returns the file that backs a BAR.
    pub(crate) fn shared_file(&self, bar: u8) -> Option<&SharedFile> {
        self.shared_files.get(usize::from(bar))?.as_ref()
    }

    /// Returns whether the function has an interrupt line.
    pub const fn has_intx(&self) -> bool {
        self.intx
    }

    /// Returns the number of MSI vectors; 0 without MSI.
    pub const fn msi_vectors(&self) -> u16 {
        self.msi
    }

    /// Returns the place of the MSI-X table, if there is one.
    pub const fn msix_layout(&self) -> Option<MsixLayout> {
        self.msix
    }

    /// Returns whether the command register is plain storage.
    pub const fn ignores_command(&self) -> bool {
        matches!(self.command, CommandUse::Ignored)
    }

    /// Returns whether software has to set *Bus Master* before the device accesses memory and sends
    /// messages, whether or not it ever writes the command register.
    pub const fn needs_bus_master(&self) -> bool {
        matches!(self.command, CommandUse::NeedsBusMaster)
    }

    /// Returns the declared registers, in the order of declaration, whether they exist or not.
    pub const fn registers(&self) -> &'static [Register] {
        self.registers
    }

    /// Returns the blocks of registers, in the order of declaration: first those of the device
    /// itself, then those that lie in each. The elements of a block in another one are counted
    /// through all elements of that.
    pub const fn blocks(&self) -> &'static [Block] {
        self.blocks
    }

    /// Returns the memories, in the order of declaration.
    pub const fn memories(&self) -> &'static [MemoryRange] {
        self.memories
    }

    /// Returns the places without a model, in the order of declaration.
    pub const fn unmodelled(&self) -> &'static [UnmodelledRange] {
        self.unmodelled
    }

    /// Returns the timers of the device itself, in the order of declaration.
    pub const fn timers(&self) -> &'static [DeclaredTimer] {
        self.timers
    }

    /// Returns the interrupts that the runtime composes from registers.
    pub const fn interrupts(&self) -> &'static [ComposedInterrupt] {
        self.composed
    }

    /// Returns whether the device migrates by a stream of its own.
    pub const fn has_raw_stream(&self) -> bool {
        matches!(self.state, State::Raw)
    }

    /// Returns the layout of the device's migrated state; `None` if it does not migrate, or
    /// migrates by a stream of its own.
    pub const fn state(&self) -> Option<&StateLayout> {
        match &self.state {
            State::Derived(layout) => Some(layout),
            _ => None,
        }
    }

    /// Returns a BAR; `None` if it is not declared.
    pub(crate) const fn bar(&self, bar: u8) -> Option<Bar> {
        if bar < 6 { self.bars[bar as usize] } else { None }
    }

    /// Returns the size of configuration space, in bytes.
    pub(crate) const fn config_size(&self) -> usize {
        if self.is_express() { cfg::EXPRESS_SIZE } else { cfg::CONVENTIONAL_SIZE }
    }

    /// Returns whether this replaces the descriptor of a declaration that is wrong. What depends on
    /// it causes no further error.
    pub(crate) const fn is_placeholder(&self) -> bool {
        self.name.is_empty() && self.ids.vendor == 0
    }

    /// Returns whether a BAR is shared; false if there is no such BAR.
    pub(crate) const fn has_shared(&self, bar: u8) -> bool {
        if bar as usize >= self.bars.len() {
            return false;
        }
        match &self.bars[bar as usize] {
            Some(bar) => bar.is_shared(),
            None => false,
        }
    }

    /// Returns the number of interrupts.
    pub(crate) const fn sources(&self) -> u64 {
        let intx = self.intx as u16;
        let messages = match self.msix {
            Some(msix) if msix.vectors > self.msi => msix.vectors,
            _ => self.msi,
        };
        if messages > intx { messages as u64 } else { intx as u64 }
    }
}
