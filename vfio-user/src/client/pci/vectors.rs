//! Enabled interrupt vectors.

use std::ops::{Index, Range};
use std::sync::Arc;

use crate::client::Client;
use crate::error::{PciError, Result};
use crate::eventfd::EventFd;
use crate::protocol::{IrqAction, IrqIndex, RegionIndex};

/// The enabled vectors of a function, each with the eventfd that the device signals:
/// `vectors[2].wait(timeout)?` waits for vector 2.
///
/// They stay enabled after this is dropped, until [`disable`](Self::disable), until other vectors
/// are enabled, or until the function is reset.
#[derive(Debug)]
pub struct Vectors {
    client: Arc<Client>,
    index: IrqIndex,
    eventfds: Vec<EventFd>,
    masking: Masking,
    enable: Option<EnableBit>,
}

/// How vectors are masked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Masking {
    /// By the table of MSI-X in a BAR.
    Table {
        region: RegionIndex,
        offset: u64,
    },
    /// By the mask bits of MSI in configuration space.
    Config {
        offset: u64,
    },
    /// By messages.
    Message,
    Never,
}

/// The bit of a message control word that enables the vectors.
#[derive(Clone, Copy, Debug)]
pub(super) struct EnableBit {
    pub(super) offset: u64,
    pub(super) bit: u16,
}

impl Vectors {
    pub(super) fn new(
        client: &Arc<Client>,
        index: IrqIndex,
        eventfds: Vec<EventFd>,
        masking: Masking,
        enable: Option<EnableBit>,
    ) -> Self {
        Vectors { client: Arc::clone(client), index, eventfds, masking, enable }
    }

    /// Returns which interrupts these are.
    pub fn index(&self) -> IrqIndex {
        self.index
    }

    /// Returns the eventfds, by the numbers of their vectors. There is at least one.
    pub fn eventfds(&self) -> &[EventFd] {
        &self.eventfds
    }

    /// Masks a vector: the device keeps its interrupt pending.
    ///
    /// # Errors
    ///
    /// Those of any request, [`PciError::NoVector`], and [`PciError::NotMaskable`].
    pub fn mask(&self, vector: u32) -> Result<()> {
        self.set_masked(vector, true)
    }

    /// Unmasks a vector, and delivers its interrupt if one is pending. INTx masks itself with each
    /// interrupt.
    ///
    /// # Errors
    ///
    /// As [`mask`](Self::mask).
    pub fn unmask(&self, vector: u32) -> Result<()> {
        self.set_masked(vector, false)
    }

    /// Disables all vectors.
    ///
    /// # Errors
    ///
    /// Those of any request.
    pub fn disable(self) -> Result<()> {
        if let Some(EnableBit { offset, bit }) = self.enable {
            let config = self.client.region(RegionIndex::Config);
            let control: u16 = config.read(offset)?;
            config.write(offset, control & !bit)?;
        }
        self.client.disable_irqs(self.index)
    }

    fn set_masked(&self, vector: u32, masked: bool) -> Result<()> {
        let count = self.eventfds.len();
        if vector as usize >= count {
            return Err(PciError::NoVector { vector, count }.into());
        }
        match self.masking {
            Masking::Table { region, offset } => {
                let control = offset + 16 * u64::from(vector) + 12;
                self.client.region(region).write(control, u32::from(masked))
            }
            Masking::Config { offset } => {
                let config = self.client.region(RegionIndex::Config);
                let others = config.read::<u32>(offset)? & !(1 << vector);
                config.write(offset, others | u32::from(masked) << vector)
            }
            Masking::Message => {
                let action = if masked { IrqAction::Mask } else { IrqAction::Unmask };
                self.client.act_on_irqs(self.index, action, one(vector))
            }
            Masking::Never => Err(PciError::NotMaskable.into()),
        }
    }
}

fn one(vector: u32) -> Range<u32> {
    vector..vector + 1
}

impl Index<usize> for Vectors {
    type Output = EventFd;

    /// # Panics
    ///
    /// If so many vectors are not enabled.
    fn index(&self, vector: usize) -> &EventFd {
        &self.eventfds[vector]
    }
}
