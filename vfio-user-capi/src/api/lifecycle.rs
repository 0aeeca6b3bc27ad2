//! Contexts: creation, clients, requests, end.

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use nix::errno::Errno;

use crate::abi::{NONBLOCKING, ResetType};
use crate::boundary::{Result, call, guarded};
use crate::context::{Client, Context};
use crate::log;
use crate::quiesce::Quiesce;

/// Creates a context that listens at `path`.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_create_ctx(
    transport: c_int,
    path: *const c_char,
    flags: c_int,
    private: *mut c_void,
    device_type: c_int,
) -> *mut Context {
    guarded(ptr::null_mut(), || {
        if flags & !NONBLOCKING != 0 || path.is_null() {
            return Err(Errno::EINVAL);
        }
        if transport != 0 || device_type != 0 {
            return Err(Errno::ENOTSUP);
        }
        // SAFETY: the program passes a string that ends with a zero byte.
        let path = unsafe { CStr::from_ptr(path) };
        let path = Path::new(OsStr::from_bytes(path.to_bytes()));
        log::install();
        let context = Context::new(path, flags & NONBLOCKING != 0, private)?;
        Ok(Box::into_raw(Box::new(context)))
    })
}

/// Completes the description of the device.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_realize_ctx(context: *mut Context) -> c_int {
    call(context, -1, |context| context.realize().map(|()| 0))
}

/// Waits for a client, or looks whether there is one.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_attach_ctx(context: *mut Context) -> c_int {
    call(context, -1, |context| context.attach().map(|()| 0))
}

/// Returns a descriptor to wait for.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_get_poll_fd(context: *mut Context) -> c_int {
    call(context, -1, Context::poll_fd)
}

/// Serves requests of the client.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_run_ctx(context: *mut Context) -> c_int {
    call(context, -1, run)
}

fn run(context: &Context) -> Result<c_int> {
    if !context.is_realized() {
        return Err(Errno::EINVAL);
    }
    let before = context.requests.get();
    loop {
        check_client(context)?;
        if context.is_nonblocking {
            context.process()?;
        } else {
            context.wait_and_process()?;
        }
        if context.quiesce.get() == Quiesce::Quiet {
            context.quiesce.set(Quiesce::Idle);
        }
        let served = context.requests.get() - before;
        // A client that leaves after requests is reported by the next call.
        if !context.is_nonblocking || served == 0 || context.is_quiescing() {
            check_client(context)?;
        }
        if context.is_nonblocking {
            context.restore_errno();
            return Ok(c_int::try_from(served).unwrap_or(c_int::MAX));
        }
    }
}

/// Returns the reason why no request can be served now.
fn check_client(context: &Context) -> Result<()> {
    if context.quiesce.get() == Quiesce::Pending {
        return Err(Errno::EBUSY);
    }
    match context.client.get() {
        Client::Attached => Ok(()),
        // The step that waited for a quiet device was the cleanup after a client.
        Client::Left { next } => {
            context.client.set(if next { Client::Arrived } else { Client::None });
            Err(Errno::ENOTCONN)
        }
        Client::None | Client::Refused(_) | Client::Arrived => Err(Errno::ENOTCONN),
    }
}

/// Ends the device; the program must not use the context again.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_destroy_ctx(context: *mut Context) {
    if context.is_null() {
        return;
    }
    let is_ending = call(context, false, |context| {
        if context.is_serving() {
            // A callback must not destroy the context that calls it.
            return Err(Errno::EBUSY);
        }
        context.is_ending.set(true);
        context.end();
        // The context ends whatever the program says.
        let _ = context.call_reset(ResetType::LostConnection);
        Ok(true)
    });
    if !is_ending {
        return;
    }
    guarded((), || {
        // SAFETY: it comes from `vfu_create_ctx`, and is not used again.
        drop(unsafe { Box::from_raw(context) });
        Ok(())
    });
}

/// Returns the pointer that was given to `vfu_create_ctx`.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_get_private(context: *mut Context) -> *mut c_void {
    call(context, ptr::null_mut(), |context| Ok(context.private))
}

/// Completes a quiesce that the program's function has left pending.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_device_quiesced(context: *mut Context, errno: c_int) -> c_int {
    call(context, -1, |context| context.quiesced(errno).map(|()| 0))
}
