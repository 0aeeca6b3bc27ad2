//! A check, and how it ends.

use serde::Serialize;

use super::server::Server;

/// One requirement, and the messages that show whether a server meets it.
pub(super) struct Check {
    pub(super) name: &'static str,
    /// The section of the vfio-user specification.
    pub(super) section: &'static str,
    pub(super) basis: Basis,
    /// What a server has to do.
    pub(super) rule: &'static str,
    pub(super) run: fn(&mut Server) -> Verdict,
}

/// Why a server has to do that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Basis {
    /// The specification says so.
    Required,
    /// The specification leaves it open; clients in use rely on it, or a hostile client could harm
    /// the server.
    Robust,
}

/// Why a check ends early.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The server does something else than it has to.
    Failed(String),
    /// The device has nothing to check.
    Skipped(String),
}

/// The end of a check, or of a step of it.
pub(super) type Verdict<T = ()> = Result<T, Stop>;

impl Check {
    pub(super) const fn required(
        name: &'static str,
        section: &'static str,
        rule: &'static str,
        run: fn(&mut Server) -> Verdict,
    ) -> Self {
        Check { name, section, basis: Basis::Required, rule, run }
    }

    pub(super) const fn robust(
        name: &'static str,
        section: &'static str,
        rule: &'static str,
        run: fn(&mut Server) -> Verdict,
    ) -> Self {
        Check { name, section, basis: Basis::Robust, rule, run }
    }
}

/// Ends a check that has failed.
pub(super) fn fail<T>(reason: impl Into<String>) -> Verdict<T> {
    Err(Stop::Failed(reason.into()))
}

/// Ends a check that does not apply.
pub(super) fn skip<T>(reason: impl Into<String>) -> Verdict<T> {
    Err(Stop::Skipped(reason.into()))
}

/// Fails unless a condition holds.
pub(super) fn ensure(holds: bool, reason: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { fail(reason()) }
}

/// Fails unless two values are equal.
#[expect(clippy::needless_pass_by_value, reason = "values are small, or made for this")]
pub(super) fn equal<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Verdict {
    ensure(found == expected, || format!("{what} is {found:?}, expected {expected:?}"))
}
