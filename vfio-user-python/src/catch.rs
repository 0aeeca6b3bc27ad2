//! Exceptions in hooks: through the engine as panics, out of it as exceptions again.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use pyo3::exceptions::PyAssertionError;
use pyo3::prelude::*;

thread_local! {
    /// Whether a call of this thread takes the exception.
    static CATCHES: Cell<bool> = const { Cell::new(false) };
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// What a hook unwinds with after an exception, which is reported elsewhere.
struct HookRaised;

/// Ends a hook that has raised an exception as a panic ends a hook of Rust. Outside of [`catch`],
/// where a server runs the hook, the exception goes to `sys.unraisablehook`.
pub(crate) fn unwind(py: Python<'_>, error: PyErr, device: &Py<PyAny>) -> ! {
    if CATCHES.get() {
        RAISED.set(Some(error));
    } else {
        error.write_unraisable(py, Some(device.bind(py)));
    }
    resume_unwind(Box::new(HookRaised));
}

/// Returns whether a panic is the end of a hook that has raised an exception.
pub(crate) fn is_raised(panic: &(dyn Any + Send)) -> bool {
    panic.is::<HookRaised>()
}

/// Runs code of the engine.
///
/// # Errors
///
/// The exception of a hook, or an `AssertionError` with the text of a panic.
pub(crate) fn catch<R>(run: impl FnOnce() -> R) -> PyResult<R> {
    let outer = CATCHES.replace(true);
    let result = catch_unwind(AssertUnwindSafe(run));
    CATCHES.set(outer);
    result.map_err(|panic| {
        RAISED.take().unwrap_or_else(|| PyAssertionError::new_err(text_of(&*panic)))
    })
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_else(|| "a hook panicked".to_owned())
}
