//! What a device declares of itself, as data.

use std::sync::Arc;

use crate::layout::{self, BarKind, Check, Extent, LayoutError, MsixLayout};
use crate::register::Register;

/// Everything that a client or a guest can know of a device before it drives it: ids, BARs,
/// registers, interrupts, capabilities.
///
/// `#[derive(PciDevice)]` builds it in constant evaluation;
/// [`Device::configure`](crate::Device::configure) may change what only run time knows.
#[derive(Clone, Debug)]
pub struct Descriptor {
    name: &'static str,
    ids: Ids,
    bars: [Option<Bar>; 6],
    rom: Option<Arc<[u8]>>,
    intx: bool,
    msi: u16,
    msix: Option<MsixLayout>,
    capabilities: &'static [Capability],
    registers: &'static [Register],
}

/// The identity of a function (PCI Local Bus Specification 3.0, 6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Ids {
    /// Vendor id.
    pub vendor: u16,
    /// Device id.
    pub device: u16,
    /// Class code: base class, subclass, programming interface; 24 bits.
    pub class: u32,
    /// Revision id.
    pub revision: u8,
    /// Subsystem vendor id.
    pub subsystem_vendor: u16,
    /// Subsystem id.
    pub subsystem: u16,
}

/// A base address register's range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    kind: BarKind,
    size: u64,
    prefetchable: bool,
    unmapped: Unmapped,
}

/// What an access to a byte of a BAR gets where no register lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Unmapped {
    /// Reads give zeros, writes are ignored.
    #[default]
    Zero,
    /// Reads give ones, writes are ignored.
    Ones,
    /// The client gets an error: EINVAL.
    Refuse,
}

/// A PCI capability that a device asks for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Capability {
    /// Power management (PCI Power Management Interface Specification 1.2).
    Pm,
    /// PCI Express; configuration space has 4096 bytes instead of 256.
    Express,
}

impl Bar {
    /// `size` bytes of memory or ports.
    pub const fn new(kind: BarKind, size: u64) -> Self {
        Bar { kind, size, prefetchable: false, unmapped: Unmapped::Zero }
    }

    /// Reads have no side effects.
    #[must_use]
    pub const fn prefetchable(mut self) -> Self {
        self.prefetchable = true;
        self
    }

    /// What bytes without a register do.
    #[must_use]
    pub const fn unmapped(mut self, unmapped: Unmapped) -> Self {
        self.unmapped = unmapped;
        self
    }

    /// Memory or ports, and how wide its address is.
    pub const fn kind(&self) -> BarKind {
        self.kind
    }

    /// In bytes; a power of two.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Whether reads have no side effects.
    pub const fn is_prefetchable(&self) -> bool {
        self.prefetchable
    }

    /// What bytes without a register do.
    pub const fn unmapped_policy(&self) -> Unmapped {
        self.unmapped
    }
}

/// Declaring. The derive calls these; a hand-written [`PciDevice`](crate::PciDevice) may as well.
impl Descriptor {
    /// A function with an identity and nothing else.
    pub const fn new(name: &'static str, ids: Ids) -> Self {
        Descriptor {
            name,
            ids,
            bars: [None; 6],
            rom: None,
            intx: false,
            msi: 0,
            msix: None,
            capabilities: &[],
            registers: &[],
        }
    }

    /// Declares a BAR.
    ///
    /// # Panics
    ///
    /// If `index` is above 5.
    #[must_use]
    pub const fn bar(mut self, index: u8, bar: Bar) -> Self {
        self.bars[index as usize] = Some(bar);
        self
    }

    /// Declares the registers.
    #[must_use]
    pub const fn registers(mut self, registers: &'static [Register]) -> Self {
        self.registers = registers;
        self
    }

    /// Declares capabilities, in the order in which they will be found.
    #[must_use]
    pub const fn capabilities(mut self, capabilities: &'static [Capability]) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Declares the interrupt line INTA.
    #[must_use]
    pub const fn intx(mut self) -> Self {
        self.intx = true;
        self
    }

    /// Declares MSI with `vectors` messages: 1, 2, 4, 8, 16 or 32.
    #[must_use]
    pub const fn msi(mut self, vectors: u16) -> Self {
        self.msi = vectors;
        self
    }

    /// Declares MSI-X with its table at a place of the author's choice. A BAR that was not declared
    /// before is created, large enough for the table.
    #[must_use]
    pub const fn msix(mut self, layout: MsixLayout) -> Self {
        if self.bars[layout.bar as usize].is_none() {
            let bar = Bar::new(BarKind::Mem32, layout.exclusive_bar_size());
            self.bars[layout.bar as usize] = Some(bar);
        }
        self.msix = Some(layout);
        self
    }

    /// Declares MSI-X with its table in a BAR of its own, the first free one unless `bar` names it.
    ///
    /// # Panics
    ///
    /// If no BAR is free, or `bar` has been declared before.
    #[must_use]
    #[track_caller]
    pub const fn msix_in_own_bar(self, vectors: u16, bar: Option<u8>) -> Self {
        let bar = match bar {
            Some(bar) if self.bars[bar as usize].is_none() => bar,
            Some(bar) => panic!("{}", LayoutError::MsixNeedsTable { bar }.text().as_str()),
            None => match self.free_bar() {
                Some(bar) => bar,
                None => panic!("{}", LayoutError::MsixNoFreeBar.text().as_str()),
            },
        };
        self.msix(MsixLayout { vectors, bar, table: 0, pba: MsixLayout::pba_after(0, vectors) })
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

/// Changing what only run time knows, from [`Device::configure`](crate::Device::configure). All is
/// checked afterwards by the rules that hold at compile time.
impl Descriptor {
    /// Gives a declared BAR another size, in bytes.
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

    /// Gives the function another identity.
    pub fn set_ids(&mut self, ids: Ids) {
        self.ids = ids;
    }

    /// Gives the function an expansion ROM; its BAR is the image's size, rounded up to a power of
    /// two of at least 2 KiB.
    pub fn set_rom(&mut self, image: impl Into<Arc<[u8]>>) {
        self.rom = Some(image.into());
    }
}

/// Reading.
impl Descriptor {
    /// The device's name, for logs and descriptions.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The identity.
    pub const fn ids(&self) -> Ids {
        self.ids
    }

    /// BARs 0 to 5. The slot of a 64-bit BAR's upper half is empty.
    pub const fn bars(&self) -> &[Option<Bar>; 6] {
        &self.bars
    }

    /// The image of the expansion ROM.
    pub fn rom(&self) -> Option<&[u8]> {
        self.rom.as_deref()
    }

    /// The size of the expansion ROM's BAR, in bytes; 0 without one.
    pub fn rom_size(&self) -> u64 {
        self.rom().map_or(0, |image| image.len().next_power_of_two().max(0x800) as u64)
    }

    /// Whether the function has an interrupt line.
    pub const fn has_intx(&self) -> bool {
        self.intx
    }

    /// MSI vectors; 0 without MSI.
    pub const fn msi_vectors(&self) -> u16 {
        self.msi
    }

    /// Where the MSI-X table lies, if there is one.
    pub const fn msix_layout(&self) -> Option<MsixLayout> {
        self.msix
    }

    /// The capabilities asked for, without MSI and MSI-X.
    pub const fn declared_capabilities(&self) -> &'static [Capability] {
        self.capabilities
    }

    /// The registers, in the order of declaration.
    pub const fn declared_registers(&self) -> &'static [Register] {
        self.registers
    }

    /// Whether this is a PCI Express function.
    pub const fn is_express(&self) -> bool {
        let mut i = 0;
        while i < self.capabilities.len() {
            if let Capability::Express = self.capabilities[i] {
                return true;
            }
            i += 1;
        }
        false
    }
}

/// Checking. Each rule holds in constant evaluation, and again after `configure`.
impl Descriptor {
    /// Checks the whole.
    ///
    /// # Errors
    ///
    /// The first rule that does not hold.
    pub fn validate(&self) -> Result<(), LayoutError<'static>> {
        layout::vendor(self.ids.vendor.into())?;
        layout::class(self.ids.class.into())?;
        for bar in 0..6 {
            self.check_bar(bar)?;
        }
        for index in 0..self.registers.len() {
            self.check_register(index)?;
        }
        if self.rom.is_some() {
            layout::rom_size(self.rom_size())?;
        }
        if self.msi != 0 {
            self.check_msi()?;
        }
        self.check_msix()
    }

    /// Checks a BAR's size and its place.
    ///
    /// # Errors
    ///
    /// The first rule that does not hold.
    pub const fn check_bar(&self, index: u8) -> Check<'static> {
        let Some(bar) = self.bars[index as usize] else { return Ok(()) };
        if let Err(error) = layout::bar_size(index, bar.kind, bar.size, self.is_express()) {
            return Err(error);
        }
        if bar.prefetchable
            && let Err(error) = layout::prefetchable(index, bar.kind)
        {
            return Err(error);
        }
        layout::bar_pair(index, self.bar_kinds())
    }

    /// Checks a register's place, also against the registers before it, and its values.
    ///
    /// # Errors
    ///
    /// The first rule that does not hold.
    pub const fn check_register(&self, index: usize) -> Check<'static> {
        if let Err(error) = self.check_array(index) {
            return Err(error);
        }
        if let Err(error) = self.check_place(index, &[]) {
            return Err(error);
        }
        if let Err(error) = self.check_mask(index) {
            return Err(error);
        }
        if let Err(error) = self.check_writable(index) {
            return Err(error);
        }
        self.check_reset(index)
    }

    /// The part of [`Descriptor::check_register`] that is about the length and the stride of an
    /// array.
    #[doc(hidden)]
    pub const fn check_array(&self, index: usize) -> Check<'static> {
        let register = &self.registers[index];
        if let Err(error) = layout::spaced(&register.extent()) {
            return Err(error);
        }
        match self.declared_bar(register.bar_index()) {
            Some(bar) if register.count() > 1 => {
                layout::inside(&register.extent(), register.bar_index(), bar.size)
            }
            _ => Ok(()),
        }
    }

    /// Which registers lie behind all earlier ones of their BAR. Most people declare them in
    /// order, and constant evaluation is too slow to compare each with each.
    #[doc(hidden)]
    pub const fn ascending<const N: usize>(&self) -> [bool; N] {
        let mut ascending = [false; N];
        let mut ends = [0; 6];
        let mut index = 0;
        while index < N {
            let register = &self.registers[index];
            let extent = register.extent();
            let end = &mut ends[register.bar_index() as usize];
            ascending[index] = extent.offset >= *end;
            match extent.end() {
                Some(last) if last < *end => {}
                Some(last) => *end = last,
                None => *end = u64::MAX,
            }
            index += 1;
        }
        ascending
    }

    /// The part of [`Descriptor::check_register`] that is about the offset. Registers that are
    /// known to be `ascending` are not compared with others.
    #[doc(hidden)]
    pub const fn check_place(&self, index: usize, ascending: &[bool]) -> Check<'static> {
        let register = &self.registers[index];
        let (bar, extent) = (register.bar_index(), register.extent());
        let Some(declared) = self.declared_bar(bar) else {
            return Err(LayoutError::MissingBar { register: extent.name, bar });
        };
        if let Err(error) = layout::aligned(&extent) {
            return Err(error);
        }
        if register.count() == 1
            && let Err(error) = layout::inside(&extent, bar, declared.size)
        {
            return Err(error);
        }
        if !ascending.is_empty() && ascending[index] {
            return Ok(());
        }
        let mut earlier = 0;
        while earlier < index {
            let other = &self.registers[earlier];
            if other.bar_index() == bar
                && let Err(error) = layout::disjoint(&extent, &other.extent())
            {
                return Err(error);
            }
            earlier += 1;
        }
        Ok(())
    }

    /// The part of [`Descriptor::check_register`] that is about the implemented bits.
    #[doc(hidden)]
    pub const fn check_mask(&self, index: usize) -> Check<'static> {
        let register = &self.registers[index];
        layout::masks(register.name(), register.width() as u64, register.implemented(), 0)
    }

    /// The part of [`Descriptor::check_register`] that is about the writable bits.
    #[doc(hidden)]
    pub const fn check_writable(&self, index: usize) -> Check<'static> {
        let register = &self.registers[index];
        let mask = register.implemented();
        layout::masks(register.name(), 8, mask, register.writable_bits())
    }

    /// The part of [`Descriptor::check_register`] that is about the reset value.
    #[doc(hidden)]
    pub const fn check_reset(&self, index: usize) -> Check<'static> {
        let register = &self.registers[index];
        let Some(value) = register.reset_value() else { return Ok(()) };
        layout::reset(register.name(), register.width() as u64, value, register.implemented())
    }

    /// Checks the number of MSI vectors.
    ///
    /// # Errors
    ///
    /// [`LayoutError::MsiVectors`].
    pub const fn check_msi(&self) -> Check<'static> {
        layout::msi_vectors(self.msi as u64)
    }

    /// Checks the MSI-X table and its pending bits.
    ///
    /// # Errors
    ///
    /// The first rule that does not hold.
    pub const fn check_msix(&self) -> Check<'static> {
        let Some(msix) = self.msix else { return Ok(()) };
        if let Err(error) = layout::msix_vectors(msix.vectors as u64) {
            return Err(error);
        }
        let Some(bar) = self.bars[msix.bar as usize] else { return Ok(()) };
        if let BarKind::Io = bar.kind {
            return Err(LayoutError::MsixInIoBar { bar: msix.bar });
        }
        let (table, pba) = (msix.table_extent(), msix.pba_extent());
        if let Err(error) = layout::msix_structure(&table, msix.bar, bar.size) {
            return Err(error);
        }
        if let Err(error) = layout::msix_structure(&pba, msix.bar, bar.size) {
            return Err(error);
        }
        if let Err(error) = layout::disjoint(&table, &pba) {
            return Err(error);
        }
        if let Err(error) = self.check_apart_from_registers(&table, msix.bar) {
            return Err(error);
        }
        self.check_apart_from_registers(&pba, msix.bar)
    }

    const fn check_apart_from_registers(
        &self,
        structure: &Extent<'static>,
        bar: u8,
    ) -> Check<'static> {
        let mut i = 0;
        while i < self.registers.len() {
            let register = &self.registers[i];
            if register.bar_index() == bar
                && let Err(error) = layout::disjoint(structure, &register.extent())
            {
                return Err(error);
            }
            i += 1;
        }
        Ok(())
    }

    const fn declared_bar(&self, bar: u8) -> Option<Bar> {
        if bar < 6 { self.bars[bar as usize] } else { None }
    }

    const fn bar_kinds(&self) -> [Option<BarKind>; 6] {
        let mut kinds = [None; 6];
        let mut bar = 0;
        while bar < 6 {
            if let Some(declared) = self.bars[bar] {
                kinds[bar] = Some(declared.kind);
            }
            bar += 1;
        }
        kinds
    }
}
