//! The trait of functions that stop, resume, and migrate.

use crate::protocol::{Errno, MigrationState};

/// The migration of a [`Function`](super::Function), and the pauses that a migration needs.
///
/// The provided methods are those of a function that does not migrate and holds no memory.
pub trait Migrate {
    /// Prepares the device for a reset or a migration: holders of memory should release it.
    fn quiesce(&mut self) {}

    /// Stops the device: it handles the pending events, and none from then on.
    fn stop(&mut self) {}

    /// Resumes the device where it was stopped, or was about to be.
    fn resume(&mut self) {}

    /// Returns the migration state; `None` if the device does not migrate.
    fn migration_state(&self) -> Option<MigrationState> {
        None
    }

    /// Changes the migration state by the shortest path (vfio-user specification,
    /// `VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE`).
    ///
    /// A device that ran has been [stopped](Self::stop), and does not run in the new state.
    ///
    /// # Errors
    ///
    /// The error that the client receives. The device is then in the last state that it has
    /// reached.
    fn migrate(&mut self, target: MigrationState) -> Result<(), Errno> {
        let _ = target;
        Err(Errno::ENOTTY)
    }

    /// Reads the next bytes of the state that is saved, and returns their number. Fewer bytes than
    /// requested mean that no more are available for now.
    ///
    /// # Errors
    ///
    /// `EINVAL` if no state is being saved, otherwise the error that the client receives.
    fn read_state(&mut self, data: &mut [u8]) -> Result<usize, Errno> {
        let _ = data;
        Err(Errno::EINVAL)
    }

    /// Writes the next bytes of the state that is loaded. What takes longer than one turn of its
    /// thread is left to [`continue_state`](Self::continue_state).
    ///
    /// # Errors
    ///
    /// `EINVAL` if no state is being loaded, otherwise the error that the client receives.
    fn write_state(&mut self, data: &[u8]) -> Result<(), Errno> {
        let _ = data;
        Err(Errno::EINVAL)
    }

    /// Continues with the work that [`write_state`](Self::write_state),
    /// [`cancel_load`](Self::cancel_load) or a [`migrate`](Self::migrate) that has failed has left;
    /// returns whether more is left. The client is answered after that.
    ///
    /// # Errors
    ///
    /// The error that the client receives.
    fn continue_state(&mut self) -> Result<bool, Errno> {
        Ok(false)
    }

    /// Cancels the load of a state, if one is in progress, before a reset or because the client has
    /// left. What takes longer than one turn of its thread is left to
    /// [`continue_state`](Self::continue_state).
    fn cancel_load(&mut self) {}

    /// Returns an estimate of how much state remains to be saved, in bytes.
    fn state_size(&self) -> u64 {
        0
    }
}
