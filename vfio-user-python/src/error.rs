//! The library's errors as exceptions of the package.

use std::fmt::Display;

use pyo3::call::PyCallArgs;
use pyo3::prelude::*;
use vfio_user::Error;

/// Creates an exception of `vfio_user.errors`.
pub(crate) fn exception(py: Python<'_>, class: &str, text: impl Display) -> PyErr {
    construct(py, class, (text.to_string(),))
}

/// Creates an exception of `vfio_user.errors` with these arguments.
pub(crate) fn construct<'py>(py: Python<'py>, class: &str, args: impl PyCallArgs<'py>) -> PyErr {
    let class = py.import("vfio_user.errors").and_then(|errors| errors.getattr(class));
    match class.and_then(|class| class.call1(args)) {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// Results of the library whose errors become exceptions.
pub(crate) trait OrRaise<T> {
    /// Returns the value, or the exception for the error.
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T, E: Into<Error>> OrRaise<T> for Result<T, E> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| raised(py, &error.into()))
    }
}

/// Returns the exception for an error.
pub(crate) fn raised(py: Python<'_>, error: &Error) -> PyErr {
    let text = with_sources(error);
    let class = match error {
        Error::Refused { errno, .. } => {
            return construct(py, "RefusedError", (text, errno.get()));
        }
        Error::Disconnected => "DisconnectedError",
        Error::DeviceInUse => "InUseError",
        Error::Timeout(_) => "AnswerTimeout",
        Error::Dma(_) => "DmaError",
        Error::Stream(_) | Error::State { .. } | Error::StateFile { .. } | Error::Unsavable(_) => {
            "StateError"
        }
        Error::Layout(_) => "DeclarationError",
        Error::Socket { .. } | Error::SocketInUse(_) | Error::NotASocket(_) => "SocketError",
        _ => "Error",
    };
    exception(py, class, text)
}

/// Returns the text of an error and of the errors that caused it.
fn with_sources(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
