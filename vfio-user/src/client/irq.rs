//! Interrupts: eventfds for the device to signal.

use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};

use zerocopy::IntoBytes;

use super::Client;
use crate::error::{ArgumentError, Result};
use crate::eventfd::EventFd;
use crate::protocol::{
    Command, IrqAction, IrqData, IrqIndex, IrqInfo, IrqInfoFlags, IrqSet, IrqSetFlags,
};
use crate::sys::MAX_FDS;

/// The server's description of an interrupt index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IrqDetails {
    /// The supported operations.
    pub flags: IrqInfoFlags,
    /// The number of vectors; 0 if the device lacks the index.
    pub count: u32,
}

impl Client {
    /// Returns the description of an interrupt index (`VFIO_USER_DEVICE_GET_IRQ_INFO`).
    ///
    /// # Errors
    ///
    /// Those of any request.
    pub fn irq_details(&self, index: IrqIndex) -> Result<IrqDetails> {
        let wanted =
            IrqInfo { argsz: 16.into(), index: u32::from(index).into(), ..IrqInfo::default() };
        let connection = &self.connection;
        let command = Command::DeviceGetIrqInfo;
        let answer = connection.request(command, &[wanted.as_bytes()], &[])?;
        let info: &IrqInfo = answer.fixed()?;
        let flags = IrqInfoFlags::from_bits_retain(info.flags.get());
        Ok(IrqDetails { flags, count: info.count.get() })
    }

    /// Assigns eventfds to the vectors from `start` on, and removes those of vectors without one.
    /// Sends as many messages as the server's limit on descriptors requires.
    ///
    /// # Errors
    ///
    /// Those of any request; the vectors before the one that failed are set.
    pub fn set_irqs(
        &self,
        index: IrqIndex,
        start: u32,
        eventfds: &[Option<&EventFd>],
    ) -> Result<()> {
        let limit = usize::try_from(self.server.max_msg_fds).unwrap_or(MAX_FDS).clamp(1, MAX_FDS);
        let mut start = start;
        for run in eventfds.chunk_by(|one, next| one.is_some() == next.is_some()) {
            for part in run.chunks(if run[0].is_some() { limit } else { run.len() }) {
                let fds: Vec<_> = part.iter().flatten().map(|eventfd| eventfd.as_fd()).collect();
                let count = vectors(part.len())?;
                let range = start..start + count;
                self.send_irqs(index, IrqData::Eventfd, IrqAction::Trigger, range, &fds)?;
                start += count;
            }
        }
        Ok(())
    }

    /// Removes all eventfds of an index.
    ///
    /// # Errors
    ///
    /// Those of any request.
    pub fn disable_irqs(&self, index: IrqIndex) -> Result<()> {
        self.send_irqs(index, IrqData::None, IrqAction::Trigger, 0..0, &[])
    }

    /// Masks or unmasks vectors, or triggers them as a test.
    ///
    /// # Errors
    ///
    /// Those of any request.
    pub fn act_on_irqs(
        &self,
        index: IrqIndex,
        action: IrqAction,
        vectors: Range<u32>,
    ) -> Result<()> {
        if vectors.is_empty() {
            return Err(ArgumentError::NoVectors(vectors).into());
        }
        self.send_irqs(index, IrqData::None, action, vectors, &[])
    }

    /// Makes the server unmask INTx whenever `eventfd` is signalled, as KVM does at the end of an
    /// interrupt.
    ///
    /// # Errors
    ///
    /// Those of any request.
    pub fn unmask_intx_by(&self, eventfd: &EventFd) -> Result<()> {
        let (data, action) = (IrqData::Eventfd, IrqAction::Unmask);
        self.send_irqs(IrqIndex::Intx, data, action, 0..1, &[eventfd.as_fd()])
    }

    fn send_irqs(
        &self,
        index: IrqIndex,
        data: IrqData,
        action: IrqAction,
        vectors: Range<u32>,
        fds: &[BorrowedFd<'_>],
    ) -> Result<()> {
        let set = IrqSet {
            argsz: 20.into(),
            flags: IrqSetFlags::new(data, action).bits().into(),
            index: u32::from(index).into(),
            start: vectors.start.into(),
            count: (vectors.end - vectors.start).into(),
        };
        self.connection.request(Command::DeviceSetIrqs, &[set.as_bytes()], fds)?;
        Ok(())
    }
}

fn vectors(count: usize) -> Result<u32> {
    u32::try_from(count).map_err(|_| ArgumentError::TooManyVectors(count).into())
}
