//! The client's eventfds and masks, for another program that continues to serve the client.

use std::io;

use serde::{Deserialize, Serialize};

use super::{Interrupts, adopt_all};
use crate::eventfd::EventFd;
use crate::fds::PeerFds;
use crate::parcel::{FdNumber, Packing, ParcelError, Unpacking};
use crate::protocol::{Errno, IrqAction, IrqIndex};

/// What a client has set up, and what it has not acknowledged.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ClientInterrupts {
    vectors: Vec<ClientVector>,
    controls: Vec<ClientControl>,
}

/// The state of a vector that does not migrate.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ClientVector {
    index: u32,
    number: u32,
    trigger: Option<FdNumber>,
    is_masked: bool,
    /// For vectors that no migration saves.
    is_pending: bool,
    in_service: bool,
}

/// An eventfd that masks or unmasks a vector.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ClientControl {
    index: u32,
    number: u32,
    masks: bool,
    eventfd: FdNumber,
}

/// Why what another program has sent cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdoptError {
    #[error(transparent)]
    Parcel(#[from] ParcelError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("there is no vector {number} of interrupt index {index}")]
    NoVector { index: u32, number: u32 },
}

impl From<Errno> for AdoptError {
    fn from(errno: Errno) -> Self {
        AdoptError::Io(io::Error::other(errno))
    }
}

impl Interrupts {
    /// Adds the eventfds of the client to a parcel.
    ///
    /// # Errors
    ///
    /// When the process may open no more descriptors.
    pub(crate) fn pack(&self, parcel: &mut Packing) -> io::Result<ClientInterrupts> {
        let state = self.state();
        let mut packed = ClientInterrupts::default();
        for (index, vectors) in (0..).zip(&state.vectors) {
            for number in 0..vectors.count() {
                let (is_masked, is_pending, in_service) = vectors.for_client(number);
                let eventfd = vectors.eventfd(number).map(EventFd::try_clone).transpose()?;
                let trigger = eventfd.map(|eventfd| parcel.add(eventfd));
                if trigger.is_some() || is_masked || is_pending || in_service {
                    let vector =
                        ClientVector { index, number, trigger, is_masked, is_pending, in_service };
                    packed.vectors.push(vector);
                }
            }
        }
        for (id, eventfd) in state.controls.eventfds() {
            let (index, action, number) = id.parts();
            let eventfd = parcel.add(eventfd.try_clone()?);
            let masks = action == IrqAction::Mask;
            packed.controls.push(ClientControl { index, number, masks, eventfd });
        }
        Ok(packed)
    }

    /// Sets up the eventfds and masks of a client. Nothing is delivered.
    ///
    /// # Errors
    ///
    /// If there is no such vector, or something is not in the parcel or no eventfd.
    pub(crate) fn unpack(
        &self,
        packed: &ClientInterrupts,
        parcel: &Unpacking,
    ) -> Result<(), AdoptError> {
        for vector in &packed.vectors {
            let ClientVector { number, trigger, is_masked, .. } = *vector;
            let index = self.find(vector.index, number)?;
            let eventfd = trigger.map(|trigger| eventfd(trigger, parcel)).transpose()?;
            let vectors = &mut self.state().vectors[index as usize];
            vectors.assign(number, eventfd.into_iter().flatten().next());
            vectors.set_masked(number, is_masked);
        }
        for ClientControl { index, number, masks, eventfd } in &packed.controls {
            let index = self.find(*index, *number)?;
            let action = if *masks { IrqAction::Mask } else { IrqAction::Unmask };
            let fds = PeerFds::from_iter([parcel.fd(*eventfd)?.try_clone()?]);
            self.listen(index, action, *number, fds)?;
        }
        Ok(())
    }

    /// Restores which interrupts the client has not acknowledged, after the state of the device was
    /// loaded.
    pub(crate) fn restore_unacknowledged(&self, packed: &ClientInterrupts) {
        let mut state = self.state();
        for vector in &packed.vectors {
            if let Ok(index) = IrqIndex::try_from(vector.index)
                && !matches!(index, IrqIndex::Msi | IrqIndex::Msix)
            {
                let vectors = &mut state.vectors[index as usize];
                vectors.set_unacknowledged(vector.number, vector.is_pending, vector.in_service);
            }
        }
    }

    fn find(&self, index: u32, number: u32) -> Result<IrqIndex, AdoptError> {
        let no_vector = || AdoptError::NoVector { index, number };
        let found = IrqIndex::try_from(index).map_err(|_| no_vector())?;
        if number < self.count(found) { Ok(found) } else { Err(no_vector()) }
    }
}

fn eventfd(number: FdNumber, parcel: &Unpacking) -> Result<Vec<EventFd>, AdoptError> {
    Ok(adopt_all(PeerFds::from_iter([parcel.fd(number)?.try_clone()?]))?)
}
