//! Calls from C.

use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::errno::Errno;

use crate::context::Context;
use crate::log;

/// The result of a call: an error sets `errno`.
pub(crate) type Result<T> = std::result::Result<T, Errno>;

/// Runs a call on a context. An error, a panic, and a null context return `failure` and set
/// `errno`.
pub(crate) fn call<T>(
    context: *mut Context,
    failure: T,
    run: impl FnOnce(&Context) -> Result<T>,
) -> T {
    // SAFETY: a program passes null, or a context from `vfu_create_ctx` that it has not destroyed.
    // It is only borrowed immutably, and one thread uses it at a time.
    let Some(context) = (unsafe { context.as_ref() }) else {
        return fail(Errno::EINVAL, failure);
    };
    guarded(failure, || log::during(context, || run(context)))
}

/// Runs a call without a context.
pub(crate) fn guarded<T>(failure: T, run: impl FnOnce() -> Result<T>) -> T {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(value)) => value,
        Ok(Err(errno)) => fail(errno, failure),
        Err(_) => fail(Errno::EIO, failure),
    }
}

fn fail<T>(errno: Errno, failure: T) -> T {
    errno.set();
    failure
}
