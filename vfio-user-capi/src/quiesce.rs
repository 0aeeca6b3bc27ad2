//! The state of a quiesce that the program completes later.

use std::io;

use nix::errno::Errno as Nix;
use vfio_user::protocol::Errno;

use crate::boundary::Result;
use crate::context::Context;

/// Whether the server waits for the device to become quiet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Quiesce {
    #[default]
    Idle,
    /// A step waits that arrived during a transfer outside of callbacks, where the program expects
    /// no quiesce. `vfu_run_ctx` asks the program.
    Postponed,
    /// The program has answered `EBUSY`, and has to call `vfu_device_quiesced`.
    Pending,
    /// It has called it, with this error or 0.
    Ready(i32),
    /// The step that waited runs: what it leads to needs no quiesce of its own.
    Quiet,
}

/// The answer to a step that needs a quiet device.
pub(crate) enum Quieted {
    Now,
    Later,
    Failed(Errno),
}

impl Context {
    /// Makes the device quiet for a step.
    pub(crate) fn make_quiet(&self) -> Quieted {
        if self.is_ending.get() {
            return Quieted::Now;
        }
        match self.quiesce.get() {
            Quiesce::Quiet => Quieted::Now,
            Quiesce::Pending => Quieted::Later,
            Quiesce::Ready(0) => {
                self.quiesce.set(Quiesce::Quiet);
                Quieted::Now
            }
            Quiesce::Ready(errno) => {
                self.quiesce.set(Quiesce::Quiet);
                Quieted::Failed(io::Error::from_raw_os_error(errno).into())
            }
            Quiesce::Idle | Quiesce::Postponed if self.is_transferring.get() => {
                self.quiesce.set(Quiesce::Postponed);
                Quieted::Later
            }
            Quiesce::Idle | Quiesce::Postponed => self.ask_for_quiet(),
        }
    }

    fn ask_for_quiet(&self) -> Quieted {
        self.quiesce.set(Quiesce::Idle);
        match self.call_quiesce() {
            Ok(()) => Quieted::Now,
            Err(Errno::EBUSY) => {
                self.quiesce.set(Quiesce::Pending);
                Quieted::Later
            }
            Err(errno) => Quieted::Failed(errno),
        }
    }

    /// Runs a transfer that serves the client meanwhile.
    pub(crate) fn transferring<T>(&self, transfer: impl FnOnce() -> T) -> T {
        self.is_transferring.set(true);
        let done = transfer();
        self.is_transferring.set(false);
        if self.quiesce.get() == Quiesce::Postponed {
            self.wake.signal();
        }
        done
    }

    pub(crate) fn is_quiescing(&self) -> bool {
        matches!(self.quiesce.get(), Quiesce::Postponed | Quiesce::Pending | Quiesce::Ready(_))
    }

    /// Completes a pending quiesce, and the step that waits for it.
    ///
    /// # Errors
    ///
    /// `EINVAL` if none is pending.
    pub(crate) fn quiesced(&self, errno: i32) -> Result<()> {
        if self.quiesce.get() != Quiesce::Pending {
            return Err(Nix::EINVAL);
        }
        self.quiesce.set(Quiesce::Ready(errno));
        self.wake.signal();
        // In a callback, the step follows when the server runs again.
        if self.is_serving() {
            return Ok(());
        }
        self.process()?;
        if self.quiesce.get() == Quiesce::Quiet {
            self.quiesce.set(Quiesce::Idle);
        }
        Ok(())
    }
}
