//! The declaration of a device, as data.

pub(crate) mod capability;
pub(crate) mod capability_list;
mod capability_options;
pub(crate) mod check;
mod express;
mod header;
mod parts;
mod regions;
mod resets;
mod shape;
mod shared_file;
mod timers;

use std::fs::File;
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
use super::{
    Block, ComposedInterrupt, DeclaredTimer, MemoryRange, Register, Slot, UnmodelledRange,
};
use crate::layout::{BarKind, LayoutError, MsixLayout};
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
    /// The indices of registers that do not exist.
    absent: Vec<usize>,
    blocks: &'static [Block],
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
            absent: Vec::new(),
            blocks: &[],
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

    /// Declares blocks of registers.
    #[must_use]
    pub const fn with_blocks(mut self, blocks: &'static [Block]) -> Self {
        self.blocks = blocks;
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

/// Setters for [`Device::configure`](crate::Device::configure). The rules that hold at compile time
/// are checked again afterwards.
impl Descriptor {
    /// Sets the size of a declared BAR, in bytes.
    ///
    /// # Errors
    ///
    /// [`LayoutError::BarIndex`] if no such BAR is declared.
    pub fn set_bar_size(&mut self, bar: u8, size: u64) -> Result<(), LayoutError<'static>> {
        match self.bars.get_mut(usize::from(bar)) {
            Some(Some(bar)) => bar.size = size,
            _ => return Err(LayoutError::BarIndex { bar: bar.into() }),
        }
        Ok(())
    }

    /// Sets how the device notices writes to the `watch` registers of a BAR.
    ///
    /// # Errors
    ///
    /// [`LayoutError::BarIndex`] if no such BAR is declared.
    pub fn set_watching(
        &mut self,
        bar: u8,
        watching: Watching,
    ) -> Result<(), LayoutError<'static>> {
        match self.bars.get_mut(usize::from(bar)) {
            Some(Some(bar)) => bar.watching = watching,
            _ => return Err(LayoutError::BarIndex { bar: bar.into() }),
        }
        Ok(())
    }

    /// Sets the number of MSI messages: 1, 2, 4, 8, 16 or 32, or 0 for a function without MSI.
    pub fn set_msi(&mut self, vectors: u16) {
        self.msi = vectors;
    }

    /// Sets the number of vectors of the MSI-X that is declared; 0 removes it.
    ///
    /// The table stays at its place. The pending bits do too, unless they follow the table
    /// directly. A BAR that has to be larger for them needs
    /// [`set_bar_size`](Self::set_bar_size).
    ///
    /// # Errors
    ///
    /// [`LayoutError::MsixUndeclared`] if no MSI-X is declared.
    pub fn set_msix(&mut self, vectors: u16) -> Result<(), LayoutError<'static>> {
        let Some(msix) = &mut self.msix else { return Err(LayoutError::MsixUndeclared) };
        if msix.pba == MsixLayout::pba_after(msix.table, msix.vectors) {
            msix.pba = MsixLayout::pba_after(msix.table, vectors);
        }
        msix.vectors = vectors;
        if vectors == 0 {
            self.msix = None;
        }
        Ok(())
    }

    /// Sets the identity of the function.
    pub fn set_ids(&mut self, ids: Ids) {
        self.ids = ids;
    }

    /// Adds a capability to the function. Several capabilities with one id are distinguished by
    /// their place.
    ///
    /// ```
    /// # use vfio_user::declaration::{Capability, Descriptor, Ids};
    /// # let mut descriptor = Descriptor::new("", Ids::default());
    /// let fingerprint = std::fs::read("/proc/sys/kernel/random/uuid")?;
    /// descriptor.add_capability(Capability::vendor(&[]).with_bytes(fingerprint));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn add_capability(&mut self, capability: impl Into<OwnedCapability>) {
        self.added.push(capability.into());
    }

    /// Sets the image of the expansion ROM. The size of its BAR is the image's size, rounded up to
    /// a power of two of at least 2 KiB.
    pub fn set_rom(&mut self, image: impl Into<Arc<[u8]>>) {
        self.rom = Some(image.into());
    }

    /// Makes a file the memory of a shared BAR.
    ///
    /// The memory starts at byte `offset` of the file, a multiple of 4 KiB. The file has to be long
    /// enough, and to remain so.
    ///
    /// # Errors
    ///
    /// [`LayoutError::BarIndex`] if no such BAR is declared.
    pub fn set_shared_file(
        &mut self,
        bar: u8,
        file: File,
        offset: u64,
    ) -> Result<(), LayoutError<'static>> {
        if self.bar(bar).is_none() {
            return Err(LayoutError::BarIndex { bar: bar.into() });
        }
        let file = SharedFile { file: Arc::new(file), offset };
        self.shared_files[usize::from(bar)] = Some(file);
        Ok(())
    }
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

    /// Returns the blocks of registers, in the order of declaration.
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

    /// Returns the register that a slot names.
    ///
    /// # Panics
    ///
    /// If there is no such register.
    #[inline]
    pub const fn register(&self, slot: Slot) -> &'static Register {
        match slot.block {
            None => &self.registers[slot.register],
            Some(at) => &self.blocks[at.block].registers()[slot.register],
        }
    }

    /// Returns the BAR whose registers an access to a BAR reaches: the one that it mirrors, or
    /// itself.
    pub(crate) fn origin(&self, bar: u8) -> u8 {
        let declared = self.bars.get(usize::from(bar)).copied().flatten();
        declared.and_then(|bar| bar.mirrored()).unwrap_or(bar)
    }

    /// Returns whether the most significant byte of a register has the lowest address.
    pub(crate) fn is_big(&self, slot: Slot) -> bool {
        let bar = self.bars.get(usize::from(self.locate(slot).0)).copied().flatten();
        self.register(slot).is_big(bar.is_some_and(|bar| bar.is_big_endian()))
    }

    /// Returns every element of every register that exists, those of blocks after those of the
    /// device.
    pub fn slots(&self) -> impl Iterator<Item = (&'static Register, Slot)> + use<> {
        self.slots_with(|_| true)
    }

    /// Returns every element of the registers that a filter selects.
    pub(crate) fn slots_with(
        &self,
        wanted: fn(&Register) -> bool,
    ) -> impl Iterator<Item = (&'static Register, Slot)> + use<> {
        let blocks = self.blocks.iter().enumerate().flat_map(move |(block_index, block)| {
            (0..block.count() as usize).flat_map(move |element| {
                slots_of(block.registers().iter().enumerate(), wanted)
                    .map(move |(register, slot)| (register, slot.in_block(block_index, element)))
            })
        });
        slots_of(self.own_registers(), wanted).chain(blocks)
    }

    /// Returns the location of a slot: its BAR, and its offset in the BAR.
    pub(crate) fn locate(&self, slot: Slot) -> (u8, u64) {
        let register = self.register(slot);
        let offset = register.offset_of(slot.element);
        let Some(at) = slot.block else { return (register.bar(), offset) };
        let block = &self.blocks[at.block];
        (block.bar(), block.offset_of(at.element) + offset)
    }

    /// Returns the number of a slot's register. Registers of blocks come after those of the device;
    /// elements share a number.
    pub(crate) fn number(&self, slot: Slot) -> usize {
        let Some(at) = slot.block else { return slot.register };
        let earlier = self.blocks[..at.block].iter().map(|block| block.registers().len());
        self.registers.len() + earlier.sum::<usize>() + slot.register
    }

    /// Returns how many register numbers exist.
    pub(crate) fn numbers(&self) -> usize {
        let in_blocks = self.blocks.iter().map(|block| block.registers().len());
        self.registers.len() + in_blocks.sum::<usize>()
    }
}

fn slots_of(
    registers: impl Iterator<Item = (usize, &'static Register)>,
    wanted: fn(&Register) -> bool,
) -> impl Iterator<Item = (&'static Register, Slot)> {
    let registers = registers.filter(move |(_, register)| wanted(register));
    registers.flat_map(|(register_index, register)| {
        (0..register.count() as usize)
            .map(move |element| (register, Slot::new(register_index, element)))
    })
}
