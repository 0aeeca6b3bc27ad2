//! Messages of the library and of the program, to the program's function.

use std::cell::Cell;
use std::ffi::{CString, c_char, c_int, c_void};
use std::fmt::{self, Write as _};
use std::ptr;
use std::sync::Once;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::abi::LogFn;
use crate::context::Context;

/// `LOG_ERR`, the level without a function of the program.
pub(crate) const ERROR: c_int = 3;
/// `LOG_DEBUG`.
pub(crate) const DEBUG: c_int = 7;

thread_local! {
    /// The context of the call that this thread is in.
    static CURRENT: Cell<*const Context> = const { Cell::new(ptr::null()) };
}

/// Where the messages of a context go.
#[derive(Debug)]
pub(crate) struct Sink {
    function: Cell<Option<LogFn>>,
    level: Cell<c_int>,
}

impl Default for Sink {
    fn default() -> Self {
        Sink { function: Cell::new(None), level: Cell::new(ERROR) }
    }
}

impl Sink {
    /// Sets the function, and the last level that it receives.
    pub(crate) fn set(&self, function: Option<LogFn>, level: c_int) {
        static INSTALL: Once = Once::new();
        // A program that has a subscriber of its own keeps it.
        INSTALL.call_once(|| drop(tracing::subscriber::set_global_default(Forwarder)));
        self.function.set(function);
        self.level.set(level);
    }

    fn wants(&self, level: c_int) -> bool {
        self.function.get().is_some() && level <= self.level.get()
    }
}

/// Runs a call, during which the messages of the library belong to a context.
pub(crate) fn during<T>(context: &Context, run: impl FnOnce() -> T) -> T {
    struct Restore(*const Context);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0);
        }
    }
    let _restore = Restore(CURRENT.replace(ptr::from_ref(context)));
    run()
}

impl Context {
    fn log_line(&self, level: c_int, line: *const c_char) {
        if let Some(function) = self.log.function.get()
            && self.log.wants(level)
        {
            // SAFETY: the program's function has this type, and the line ends with a zero byte.
            unsafe { function(self.raw(), level, line) }
        }
    }
}

/// Passes the library's messages on this thread to the context of the call.
struct Forwarder;

impl Forwarder {
    fn current<T>(run: impl FnOnce(&Context) -> T) -> Option<T> {
        // SAFETY: `during` sets it for as long as it borrows the context.
        unsafe { CURRENT.get().as_ref() }.map(run)
    }
}

impl Subscriber for Forwarder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // The program's function may log; the library's messages about that are not its own.
        metadata.is_event()
            && Self::current(|context| context.log.wants(level_of(*metadata.level()))) == Some(true)
    }

    fn register_callsite(&self, _: &'static Metadata<'static>) -> tracing::subscriber::Interest {
        tracing::subscriber::Interest::sometimes()
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        if let Ok(text) = CString::new(line.finish()) {
            let level = level_of(*event.metadata().level());
            Self::current(|context| context.log_line(level, text.as_ptr()));
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// A message, followed by its values.
#[derive(Default)]
struct Line {
    message: String,
    values: String,
}

impl Line {
    fn finish(self) -> String {
        self.message + &self.values
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.values, " {name}={value:?}"),
        };
    }
}

fn level_of(level: Level) -> c_int {
    match level {
        Level::ERROR => ERROR,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => DEBUG,
    }
}

unsafe extern "C" {
    fn vfio_user_log_install(
        wants: extern "C" fn(*mut Context, c_int) -> c_int,
        pass: extern "C" fn(*mut Context, c_int, *const c_char),
    );
    /// Formats a message; `vfu_log` jumps here.
    pub(crate) fn vfio_user_log_format(
        context: *mut c_void,
        level: c_int,
        format: *const c_char,
        ...
    );
}

/// Connects `vfu_log` with this module, before there is a context.
pub(crate) fn install() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        // SAFETY: nothing calls `vfio_user_log_format` before, because it needs a context.
        unsafe { vfio_user_log_install(wants, pass) }
    });
}

/// Whether the program receives messages of this level.
extern "C" fn wants(context: *mut Context, level: c_int) -> c_int {
    crate::boundary::call(context, 0, |context| Ok(context.log.wants(level).into()))
}

/// Passes a formatted message on.
extern "C" fn pass(context: *mut Context, level: c_int, line: *const c_char) {
    crate::boundary::call(context, (), |context| {
        context.log_line(level, line);
        Ok(())
    });
}
