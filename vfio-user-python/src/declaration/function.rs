//! The function: its identity, BARs and interrupts.

use pyo3::prelude::*;
use vfio_user::declaration::{
    Bar, BarKind, Descriptor, Ids, MsixLayout, Sizes, Unaligned, Unmapped,
};

use crate::error::exception;

#[derive(FromPyObject)]
pub(super) struct PciOf {
    vendor: u16,
    device: u16,
    class_code: u32,
    revision: u8,
    subsystem_vendor: u16,
    subsystem: u16,
}

#[derive(FromPyObject)]
pub(super) struct BarOf {
    pub(super) index: u8,
    kind: String,
    size: u64,
    prefetchable: bool,
    unmapped: String,
    unaligned: String,
    sizes: (u8, u8),
    areas: Vec<(u64, u64)>,
    mirror: Option<u8>,
    big: bool,
}

#[derive(FromPyObject)]
pub(super) struct IrqsOf {
    intx: bool,
    msi: u16,
    msix: u16,
    msix_bar: Option<u8>,
    table: Option<u64>,
    pba: Option<u64>,
}

impl PciOf {
    pub(super) fn ids(&self) -> Ids {
        Ids {
            vendor: self.vendor,
            device: self.device,
            class: self.class_code,
            revision: self.revision,
            subsystem_vendor: self.subsystem_vendor,
            subsystem: self.subsystem,
        }
    }
}

impl BarOf {
    pub(super) fn declared(self) -> Bar {
        let kind = match &*self.kind {
            "io" => BarKind::Io,
            "mem64" => BarKind::Mem64,
            _ => BarKind::Mem32,
        };
        let unmapped = match &*self.unmapped {
            "ones" => Unmapped::Ones,
            "refuse" => Unmapped::Refuse,
            _ => Unmapped::Zero,
        };
        let unaligned =
            if self.unaligned == "ignore" { Unaligned::Ignore } else { Unaligned::Split };
        let mut bar = Bar::new(kind, self.size)
            .with_unmapped(unmapped)
            .with_unaligned(unaligned)
            .with_sizes(Sizes::new(self.sizes.0, self.sizes.1));
        if self.prefetchable {
            bar = bar.with_prefetchable();
        }
        if !self.areas.is_empty() {
            bar = bar.with_shared_areas(self.areas.leak());
        }
        if let Some(mirrored) = self.mirror {
            bar = bar.with_mirror(mirrored);
        }
        if self.big { bar.with_big_endian() } else { bar }
    }
}

impl IrqsOf {
    pub(super) fn declare(
        &self,
        py: Python<'_>,
        mut descriptor: Descriptor,
    ) -> PyResult<Descriptor> {
        if self.intx {
            descriptor = descriptor.with_intx();
        }
        if self.msi > 0 {
            descriptor = descriptor.with_msi(self.msi);
        }
        if self.msix == 0 {
            return Ok(descriptor);
        }
        if let (Some(bar), Some(table), Some(pba)) = (self.msix_bar, self.table, self.pba) {
            return Ok(descriptor.with_msix(MsixLayout { vectors: self.msix, bar, table, pba }));
        }
        let bar = self.msix_bar.or_else(|| free_bar(&descriptor));
        match bar.filter(|bar| descriptor.bars()[usize::from(*bar)].is_none()) {
            Some(bar) => Ok(descriptor.with_msix_in_own_bar(self.msix, Some(bar))),
            None => Err(exception(
                py,
                "DeclarationError",
                "MSI-X has no BAR for its table; msix_bar with table and pba in a declared BAR, \
                 or a BAR that is not declared, is accepted",
            )),
        }
    }
}

/// Returns the first BAR that is not declared, and not the upper half of another one.
fn free_bar(descriptor: &Descriptor) -> Option<u8> {
    let bars = descriptor.bars();
    let is_wide = |bar: &Option<Bar>| bar.is_some_and(|bar| bar.kind() == BarKind::Mem64);
    (0..6_u8).find(|index| {
        let index = usize::from(*index);
        bars[index].is_none() && !index.checked_sub(1).is_some_and(|below| is_wide(&bars[below]))
    })
}
