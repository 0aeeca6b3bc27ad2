//! Calls of the program's functions.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void};
use std::io;

use nix::errno::Errno as Nix;
use vfio_user::protocol::Errno;

use crate::abi::{
    DmaChange, DmaInfo, IRQ_TYPES, IrqState, MigrationCallbacks, Quiesce, RegionAccess, Reset,
    ResetType,
};
use crate::context::Context;

/// The result of a call: the error may have a number that only the program knows.
pub(crate) type Result<T> = std::result::Result<T, Errno>;

/// The functions of a program, as far as it has set them.
#[derive(Debug, Default)]
pub(crate) struct Callbacks {
    pub(crate) quiesce: Cell<Option<Quiesce>>,
    pub(crate) reset: Cell<Option<Reset>>,
    pub(crate) dma_register: Cell<Option<DmaChange>>,
    pub(crate) dma_unregister: Cell<Option<DmaChange>>,
    pub(crate) irq_state: [Cell<Option<IrqState>>; IRQ_TYPES],
    pub(crate) migration: Cell<Option<MigrationCallbacks>>,
    /// The `errno` of the last function that failed, until `vfu_run_ctx` has set it.
    failure: Cell<Option<i32>>,
}

/// Each call passes the context as the program knows it. What the program does there is its own
/// responsibility, as in every library for C; it may call the library, which borrows nothing
/// mutably.
impl Context {
    /// Calls the function of a region. A return value other than the length is an error.
    pub(crate) fn access(
        &self,
        callback: RegionAccess,
        data: Access<'_>,
        offset: u64,
    ) -> Result<()> {
        let (bytes, len, is_write) = match data {
            Access::Read(data) => (data.as_mut_ptr(), data.len(), false),
            // The type of the function lacks const; a program must not write to it.
            Access::Write(data) => (data.as_ptr().cast_mut(), data.len(), true),
        };
        let offset = i64::try_from(offset).map_err(|_| Errno::EINVAL)?;
        Nix::clear();
        // SAFETY: the program's function has this type, and the pointer is valid for `len` bytes.
        let done = unsafe { callback(self.raw(), bytes.cast::<c_char>(), len, offset, is_write) };
        match usize::try_from(done) {
            Ok(done) if done == len => Ok(()),
            Ok(_) => Err(Errno::EINVAL),
            Err(_) => Err(self.failure()),
        }
    }

    /// Calls the function that quiesces the device, if there is one.
    pub(crate) fn call_quiesce(&self) -> Result<()> {
        let Some(callback) = self.callbacks.quiesce.get() else { return Ok(()) };
        Nix::clear();
        // SAFETY: the program's function has this type.
        self.status(unsafe { callback(self.raw()) })
    }

    pub(crate) fn call_reset(&self, kind: ResetType) -> Result<()> {
        let Some(callback) = self.callbacks.reset.get() else { return Ok(()) };
        Nix::clear();
        // SAFETY: the program's function has this type.
        self.status(unsafe { callback(self.raw(), kind as c_int) })
    }

    pub(crate) fn call_dma(&self, callback: Option<DmaChange>, mut info: DmaInfo) {
        if let Some(callback) = callback {
            // SAFETY: the program's function has this type; the pointer is valid during the call.
            unsafe { callback(self.raw(), &raw mut info) }
        }
    }

    pub(crate) fn call_irq_state(&self, index: usize, start: u32, count: u32, masked: bool) {
        if let Some(callback) = self.callbacks.irq_state.get(index).and_then(Cell::get) {
            // SAFETY: the program's function has this type.
            unsafe { callback(self.raw(), start, count, masked) }
        }
    }

    pub(crate) fn call_transition(&self, state: c_int) -> Result<()> {
        let callback = self.callbacks.migration.get().and_then(|all| all.transition);
        let callback = callback.ok_or(Errno::ENOTTY)?;
        Nix::clear();
        // SAFETY: the program's function has this type.
        self.status(unsafe { callback(self.raw(), state) })
    }

    pub(crate) fn call_read_data(&self, data: &mut [u8]) -> Result<usize> {
        let callback = self.callbacks.migration.get().and_then(|all| all.read_data);
        let callback = callback.ok_or(Errno::ENOTTY)?;
        Nix::clear();
        let bytes = data.as_mut_ptr().cast::<c_void>();
        // SAFETY: the program's function has this type; the pointer is valid for the length.
        let read = unsafe { callback(self.raw(), bytes, data.len() as u64) };
        let read = usize::try_from(read).map_err(|_| self.failure())?;
        if read <= data.len() { Ok(read) } else { Err(Errno::EINVAL) }
    }

    pub(crate) fn call_write_data(&self, data: &[u8]) -> Result<()> {
        let callback = self.callbacks.migration.get().and_then(|all| all.write_data);
        let callback = callback.ok_or(Errno::ENOTTY)?;
        Nix::clear();
        let bytes = data.as_ptr().cast_mut().cast::<c_void>();
        // SAFETY: the program's function has this type; it must not write to the bytes.
        let written = unsafe { callback(self.raw(), bytes, data.len() as u64) };
        match usize::try_from(written) {
            Ok(written) if written == data.len() => Ok(()),
            Ok(_) => Err(Errno::EINVAL),
            Err(_) => Err(self.failure()),
        }
    }

    fn status(&self, returned: c_int) -> Result<()> {
        if returned < 0 { Err(self.failure()) } else { Ok(()) }
    }

    /// Returns the error of a function that has failed; some set none.
    fn failure(&self) -> Errno {
        let error = io::Error::last_os_error();
        self.callbacks.failure.set(error.raw_os_error());
        error.into()
    }

    /// Sets `errno` to that of a function that has failed since the last call.
    pub(crate) fn restore_errno(&self) {
        if let Some(errno) = self.callbacks.failure.take() {
            Nix::set_raw(errno);
        }
    }
}

/// The data of an access.
pub(crate) enum Access<'a> {
    Read(&'a mut [u8]),
    Write(&'a [u8]),
}

impl Access<'_> {
    /// Returns the first `len` bytes of the access, if there are any. Those behind them read as
    /// zeros, and ignore writes.
    pub(crate) fn within(self, len: u64) -> Option<Self> {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let own = match self {
            Access::Read(data) => {
                let (own, behind) = data.split_at_mut(len.min(data.len()));
                behind.fill(0);
                Access::Read(own)
            }
            Access::Write(data) => Access::Write(&data[..len.min(data.len())]),
        };
        Some(own).filter(|_| len > 0)
    }
}
