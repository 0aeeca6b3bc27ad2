//! A derived function that another program continues with.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::{PciDevice, PciFunction};
use crate::device::{Method, Runtime};
use crate::eventfd::EventFd;
use crate::function::hand_over::{DoorbellRecord, FunctionRecord, Handing, SharedRecord};
use crate::migration::StateError;
use crate::model::{DataMatch, SharedFile};
use crate::parcel::{Packing, Unpacking};
use crate::protocol::MigrationState;
use crate::take_over::TakeOverError;

impl<D: PciDevice> PciFunction<D> {
    pub(super) fn handing_now(&self) -> Handing {
        match self.runtime.migration_state.get() {
            _ if self.is_raw() => Handing::Never("its state has a format of its own"),
            _ if self.descriptor.state().is_none() => Handing::Never("it does not migrate"),
            _ if self.is_resetting() || self.wanted_reset.is_some() => Handing::Later("it resets"),
            MigrationState::Running if self.is_held() && self.is_saved() => {
                Handing::Never("its state was saved, and may be in use elsewhere")
            }
            MigrationState::Running if self.is_held() => Handing::Stopped,
            MigrationState::Running => Handing::Running,
            _ => Handing::Never("it migrates, or is stopped"),
        }
    }

    /// Adds its state, memory and doorbells to a parcel.
    pub(super) fn pack_all(
        &mut self,
        parcel: &mut Packing,
    ) -> Result<FunctionRecord, TakeOverError> {
        if !self.runtime.events.is_empty() {
            let problem = "events are left that it has to handle";
            return Err(TakeOverError::Device { device: self.descriptor.name().into(), problem });
        }
        self.prepare_saving();
        let stream = self.save_without_memory().map_err(|error| self.state_error(error))?;
        let state = parcel.add_bytes(&stream);
        let shared = (0..).zip(&self.runtime.shared).filter_map(|(bar, shared)| {
            let SharedFile { file, offset } = shared.file()?;
            let file = parcel.add(Arc::clone(file));
            Some(SharedRecord { bar, file, offset: *offset })
        });
        let shared = shared.collect();
        let bells = self.runtime.doorbells.borrow();
        let doorbells = bells.open().map(|(bar, doorbell, eventfd)| {
            let value = match doorbell.value {
                DataMatch::Any => None,
                DataMatch::Value(value) => Some(value),
            };
            let eventfd = parcel.add(eventfd.try_clone()?);
            Ok(DoorbellRecord { bar, offset: doorbell.offset, value, eventfd })
        });
        let doorbells = doorbells.collect::<io::Result<_>>()?;
        Ok(FunctionRecord { state, shared, doorbells })
    }

    /// Uses the memory, becomes the state, and waits for the doorbells of another program.
    pub(super) fn unpack_all(
        &mut self,
        record: &FunctionRecord,
        parcel: &Unpacking,
    ) -> Result<(), TakeOverError> {
        self.adopt_shared(&record.shared, parcel)?;
        let stream = parcel.bytes(record.state)?;
        self.load_without_memory(stream).map_err(|error| self.state_error(error))?;
        self.hold_as_loaded();
        for doorbell in &record.doorbells {
            let eventfd = EventFd::from_peer(parcel.fd(doorbell.eventfd)?.try_clone()?)?;
            let place = (doorbell.bar, doorbell.offset, doorbell.data_match());
            let Runtime { doorbells, wake_set, events, .. } = &self.runtime;
            let set = wake_set.set(events.signal())?;
            doorbells.borrow_mut().adopt(place, eventfd, set).map_err(|error| {
                let (bar, offset, _) = place;
                let place = format!("the doorbell of BAR {bar} at {offset:#x}: {error}");
                TakeOverError::malformed("PARCEL", &place)
            })?;
        }
        Ok(())
    }

    fn adopt_shared(
        &mut self,
        records: &[SharedRecord],
        parcel: &Unpacking,
    ) -> Result<(), TakeOverError> {
        for (bar, shared) in (0..).zip(&self.runtime.shared) {
            let record = records.iter().find(|record| record.bar == bar);
            if record.is_some() == shared.is_absent() {
                let problem = "the memory of its BARs differs";
                let device = self.descriptor.name().into();
                return Err(TakeOverError::Device { device, problem });
            }
            let Some(record) = record else { continue };
            let file = Arc::new(File::from(parcel.owned(record.file)?));
            let adopted = shared.adopt(bar, &SharedFile { file, offset: record.offset });
            adopted.map_err(|error| TakeOverError::malformed("PARCEL", &error))?;
        }
        Ok(())
    }

    /// Leaves the device to another program, which serves it from now on.
    pub(super) fn leave_to_successor(&mut self) {
        self.state_file = None;
        self.call(Method::Saved, D::saved);
    }

    /// Keeps the state in a file from now on, as [`keep_state`](Self::keep_state), and does not
    /// touch the file before the state is saved: another program, which uses the file, hands the
    /// state over.
    ///
    /// A factory calls this for the first device if
    /// [`has_predecessor`](crate::TakeOver::has_predecessor) returns true, and `keep_state`
    /// otherwise:
    ///
    /// ```no_run
    /// # use vfio_user::{Device, PciDevice};
    /// use vfio_user::function::PciFunction;
    /// use vfio_user::{Server, TakeOver};
    /// # #[derive(Default, PciDevice)]
    /// # #[pci(vendor = 0x1234, device = 0xcafe)]
    /// # struct Disk {}
    /// # impl Device for Disk { type Event = (); }
    ///
    /// let take_over = TakeOver::at("/run/disk.upgrade")?;
    /// let socket = take_over.bind("/run/vm/disk.sock")?;
    /// let mut is_handed_over = take_over.has_predecessor();
    /// let server = Server::new()?;
    /// server.add_function(socket, move || {
    ///     let mut disk = PciFunction::new(Disk::default())?;
    ///     // A device that replaces one after a panic has the state of the file.
    ///     if std::mem::take(&mut is_handed_over) {
    ///         disk.keep_state_of_predecessor("/var/lib/disk.state");
    ///     } else {
    ///         disk.keep_state("/var/lib/disk.state")?;
    ///     }
    ///     Ok(Box::new(disk))
    /// })?;
    /// server.take_over(take_over).run()?;
    /// # Ok::<(), vfio_user::Error>(())
    /// ```
    pub fn keep_state_of_predecessor(&mut self, path: impl Into<PathBuf>) {
        self.state_file = Some(path.into());
    }

    fn state_error(&self, source: StateError) -> TakeOverError {
        TakeOverError::State { device: self.descriptor.name().into(), source }
    }
}
