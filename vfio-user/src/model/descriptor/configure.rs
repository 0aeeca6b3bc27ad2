//! Changes a declaration at run time.

use std::fs::File;
use std::sync::Arc;

use super::{Descriptor, Ids, OwnedCapability, SharedFile, Watching};
use crate::layout::{LayoutError, MsixLayout};

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
