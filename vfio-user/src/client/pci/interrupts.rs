//! Enabling MSI-X, MSI and INTx.

use super::vectors::{EnableBit, Masking, Vectors};
use super::{ConfigCapability, PciView, expect_len};
use crate::client::IrqDetails;
use crate::error::{Error, PciError, Result};
use crate::eventfd::EventFd;
use crate::model::CommandBits;
use crate::model::spec::{capability_id, msi, msix};
use crate::protocol::{IrqIndex, IrqInfoFlags, RegionIndex, WriteMultiEntry};

/// The offset of the message control word in both capabilities.
const CONTROL: u64 = 2;
/// The size of the MSI-X capability, in bytes.
const MSIX_SIZE: usize = 12;
/// An address that raises interrupts on a PC. Servers do not use it.
const MESSAGE_ADDRESS: u32 = 0xfee0_0000;

impl PciView {
    /// Enables the first `count` vectors of MSI-X, and disables MSI and INTx. The table is filled,
    /// and the vectors are not masked; the other vectors stay masked.
    ///
    /// # Errors
    ///
    /// Those of any request; [`PciError::NoCapability`], [`PciError::Vectors`], and
    /// [`PciError::MsixTable`] if the table is not inside a BAR.
    pub fn enable_msix(&self, count: u32) -> Result<Vectors> {
        let (capability, control) = self.message_control(capability_id::MSIX, MSIX_SIZE)?;
        let size = u32::from(control & msix::TABLE_SIZE) + 1;
        let irq = self.client.irq_details(IrqIndex::Msix)?;
        expect_vectors(count, size.min(irq.count))?;
        let (region, offset) = self.msix_range(capability, 4, 16 * size)?;
        self.msix_range(capability, 8, 8 * size.div_ceil(64))?;
        self.disable_messages()?;
        let eventfds = self.assign(IrqIndex::Msix, count)?;
        let at = capability + CONTROL;
        let control = control & !msix::FUNCTION_MASK | msix::ENABLE;
        self.config().write(at, control | msix::FUNCTION_MASK)?;
        let has_table = self.fill_table(region, offset, count)?;
        self.config().write(at, control)?;
        let masking = if has_table { Masking::Table { region, offset } } else { by_message(irq) };
        let enable = EnableBit { offset: at, bit: msix::ENABLE };
        Ok(Vectors::new(&self.client, IrqIndex::Msix, eventfds, masking, Some(enable)))
    }

    /// Enables the first `count` vectors of MSI, and disables MSI-X and INTx.
    ///
    /// # Errors
    ///
    /// Those of any request; [`PciError::NoCapability`], [`PciError::Vectors`].
    pub fn enable_msi(&self, count: u32) -> Result<Vectors> {
        let (capability, control) = self.message_control(capability_id::MSI, 0)?;
        let irq = self.client.irq_details(IrqIndex::Msi)?;
        let capable = 1_u32 << (control >> 1 & 0b111);
        expect_vectors(count, capable.min(irq.count).min(32))?;
        let layout = MsiLayout::new(capability, control);
        self.disable_messages()?;
        let eventfds = self.assign(IrqIndex::Msi, count)?;
        layout.write_message(self)?;
        let enabled = u16::try_from(count.next_power_of_two().ilog2()).unwrap_or(0) << 4;
        let others = control & !msi::MULTIPLE_MESSAGE_ENABLE;
        self.config().write(capability + CONTROL, others | enabled | msi::ENABLE)?;
        let masking = match layout.masks {
            Some(offset) => Masking::Config { offset },
            None => by_message(irq),
        };
        let enable = EnableBit { offset: capability + CONTROL, bit: msi::ENABLE };
        Ok(Vectors::new(&self.client, IrqIndex::Msi, eventfds, masking, Some(enable)))
    }

    /// Enables INTx, and disables MSI-X and MSI. The vector masks itself with each interrupt:
    /// [`Vectors::unmask`] ends its handling.
    ///
    /// # Errors
    ///
    /// Those of any request, and [`PciError::Vectors`] if the function has no interrupt pin.
    pub fn enable_intx(&self) -> Result<Vectors> {
        let irq = self.client.irq_details(IrqIndex::Intx)?;
        let has_pin = self.header.interrupt_pin != 0;
        expect_vectors(1, if has_pin { irq.count } else { 0 })?;
        self.disable_messages()?;
        let eventfds = self.assign(IrqIndex::Intx, 1)?;
        self.set_command(self.command()? - CommandBits::INTERRUPT_DISABLE)?;
        Ok(Vectors::new(&self.client, IrqIndex::Intx, eventfds, by_message(irq), None))
    }

    /// Returns the offset of a capability of at least `size` bytes, and its message control.
    fn message_control(&self, id: u8, size: usize) -> Result<(u64, u16)> {
        let found = self.capability(id).ok_or(PciError::NoCapability(id))?;
        expect_len(found, size.max(4))?;
        let control = self.config().read(u64::from(found.offset) + CONTROL)?;
        if id == capability_id::MSI {
            expect_len(found, MsiLayout::size(control))?;
        }
        Ok((found.offset.into(), control))
    }

    /// Returns the region and the offset that a register of the MSI-X capability names, of `size`
    /// bytes inside a BAR.
    fn msix_range(&self, capability: u64, register: u64, size: u32) -> Result<(RegionIndex, u64)> {
        let value: u32 = self.config().read(capability + register)?;
        let (bar, offset) = ((value & 0b111).to_le_bytes()[0], value & !0b111);
        let end = u64::from(offset) + u64::from(size);
        if self.bars.details(bar).is_ok_and(|details| end <= details.region) {
            return Ok((RegionIndex::from(u32::from(bar)), offset.into()));
        }
        Err(PciError::MsixTable { bar, offset, size }.into())
    }

    /// Disables MSI and MSI-X where they are enabled, and INTx.
    fn disable_messages(&self) -> Result<()> {
        for (id, index, enable) in [
            (capability_id::MSI, IrqIndex::Msi, msi::ENABLE),
            (capability_id::MSIX, IrqIndex::Msix, msix::ENABLE),
        ] {
            let Some(ConfigCapability { offset, .. }) = self.capability(id) else { continue };
            let at = u64::from(offset) + CONTROL;
            let control: u16 = self.config().read(at)?;
            if control & enable != 0 {
                self.config().write(at, control & !enable)?;
                self.client.disable_irqs(index)?;
            }
        }
        self.set_command(self.command()? | CommandBits::INTERRUPT_DISABLE)
    }

    /// Creates eventfds and assigns them to the first vectors.
    fn assign(&self, index: IrqIndex, count: u32) -> Result<Vec<EventFd>> {
        let created: Result<Vec<_>, _> = (0..count).map(|_| EventFd::new()).collect();
        let eventfds = created?;
        let all: Vec<_> = eventfds.iter().map(Some).collect();
        self.client.set_irqs(index, 0, &all)?;
        Ok(eventfds)
    }

    /// Writes the first entries of the MSI-X table, not masked. Returns `false` if the server
    /// refuses that: some have no table, because VMMs do not write it.
    fn fill_table(&self, region: RegionIndex, offset: u64, count: u32) -> Result<bool> {
        let table = self.client.region(region);
        let entry = |vector: u32| {
            let start = offset + 16 * u64::from(vector);
            let words = (start..).step_by(4).zip([MESSAGE_ADDRESS, 0, vector, 0]);
            words.map(|(at, word)| table.entry(at, word))
        };
        let writes: Vec<WriteMultiEntry> = (0..count).flat_map(entry).collect();
        match self.client.write_multi(&writes) {
            Ok(done) => Ok(done == writes.len()),
            Err(Error::Refused { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The offsets of the MSI capability's registers, which depend on its message control.
struct MsiLayout {
    address: u64,
    upper_address: Option<u64>,
    data: u64,
    masks: Option<u64>,
}

impl MsiLayout {
    fn new(capability: u64, control: u16) -> Self {
        let is_long = control & msi::ADDRESS_64 != 0;
        let data = capability + if is_long { 12 } else { 8 };
        MsiLayout {
            address: capability + 4,
            upper_address: is_long.then_some(capability + 8),
            data,
            masks: (control & msi::VECTOR_MASKS != 0).then_some(data + 4),
        }
    }

    /// Returns the size of the capability.
    fn size(control: u16) -> usize {
        let is_long = control & msi::ADDRESS_64 != 0;
        let is_maskable = control & msi::VECTOR_MASKS != 0;
        10 + if is_long { 4 } else { 0 } + if is_maskable { 10 } else { 0 }
    }

    /// Writes an address, and data whose lower bits are the number of the vector.
    fn write_message(&self, view: &PciView) -> Result<()> {
        let config = view.config();
        config.write(self.address, MESSAGE_ADDRESS)?;
        if let Some(upper) = self.upper_address {
            config.write(upper, 0_u32)?;
        }
        config.write(self.data, 0_u16)?;
        match self.masks {
            Some(masks) => config.write(masks, 0_u32),
            None => Ok(()),
        }
    }
}

fn by_message(irq: IrqDetails) -> Masking {
    let is_maskable = irq.flags.intersects(IrqInfoFlags::MASKABLE | IrqInfoFlags::AUTOMASKED);
    if is_maskable { Masking::Message } else { Masking::Never }
}

fn expect_vectors(wanted: u32, most: u32) -> Result<(), PciError> {
    if (1..=most).contains(&wanted) { Ok(()) } else { Err(PciError::Vectors { wanted, most }) }
}
