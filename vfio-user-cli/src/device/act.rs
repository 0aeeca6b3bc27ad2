//! `vfu reset` and `vfu trigger`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use vfio_user::EventFd;
use vfio_user::client::Client;
use vfio_user::protocol::{IrqAction, IrqIndex};

use super::Target;
use crate::error::Error;

/// The time for an interrupt to arrive.
const PATIENCE: Duration = Duration::from_secs(1);

/// Reset a device, as a VMM does when it boots
#[derive(Debug, Args)]
pub(crate) struct Reset {
    #[command(flatten)]
    target: Target,
}

/// Trigger an interrupt, and wait up to a second for it
///
/// The server signals the interrupt itself; the device's code does not run. This tests the path
/// from the server to a client.
#[derive(Debug, Args)]
pub(crate) struct Trigger {
    #[command(flatten)]
    target: Target,
    /// The kind of interrupt
    kind: Kind,
    /// The vector
    #[arg(default_value_t = 0)]
    vector: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Intx,
    Msi,
    Msix,
    /// The report of an error.
    Err,
    /// The request to release the device.
    Req,
}

impl Reset {
    pub(crate) fn run(self) -> Result<(), Error> {
        self.target.attach()?.reset().map_err(self.target.failed())
    }
}

impl Trigger {
    pub(crate) fn run(self) -> Result<(), Error> {
        let index = match self.kind {
            Kind::Intx => IrqIndex::Intx,
            Kind::Msi => IrqIndex::Msi,
            Kind::Msix => IrqIndex::Msix,
            Kind::Err => IrqIndex::Err,
            Kind::Req => IrqIndex::Req,
        };
        let client = self.target.attach()?;
        let arrived = self.receive(&client, index).map_err(self.target.failed())?;
        let failure = Error::NoInterrupt { socket: self.target.socket, within: PATIENCE };
        if arrived { Ok(()) } else { Err(failure) }
    }

    /// Returns whether the interrupt has arrived.
    fn receive(&self, client: &Client, index: IrqIndex) -> vfio_user::Result<bool> {
        let eventfd = EventFd::new()?;
        client.set_irqs(index, self.vector, &[Some(&eventfd)])?;
        let vectors = self.vector..self.vector.saturating_add(1);
        client.act_on_irqs(index, IrqAction::Trigger, vectors)?;
        let arrived = eventfd.wait(PATIENCE)?.is_some();
        client.disable_irqs(index)?;
        Ok(arrived)
    }
}
