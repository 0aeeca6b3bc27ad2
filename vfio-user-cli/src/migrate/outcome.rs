//! Advice for the operator after a failed migration.

use std::path::Path;

use vfio_user::client::{
    MigrationError, MigrationErrorKind, MigrationSide, NotResumed, RunningDevice,
};

use crate::error::Error;

/// Returns the error of a migration between the devices at these sockets.
pub(super) fn of<'a>(failure: MigrationError, socket: impl Fn(MigrationSide) -> &'a Path) -> Error {
    let MigrationError { side, reason, running, .. } = failure;
    let error = match reason {
        MigrationErrorKind::Device(error) => Error::device(socket(side))(error),
        reason @ MigrationErrorKind::Refused { .. } => {
            Error::Refused { socket: socket(side).to_owned(), source: reason }
        }
        MigrationErrorKind::TooLong(limit) => Error::TooLong(limit),
        _ => Error::Interrupted,
    };
    let error = Box::new(error);
    match running {
        RunningDevice::Source => {
            Error::Migration { error, outcome: "the source runs on".to_owned() }
        }
        RunningDevice::Neither(stuck) => {
            Error::Migration { error, outcome: neither(*stuck, socket(MigrationSide::Source)) }
        }
        _ => Error::Unknown {
            error,
            outcome: unknown(socket(MigrationSide::Source), socket(MigrationSide::Destination)),
        },
    }
}

fn neither(stuck: NotResumed, source: &Path) -> String {
    let why = match stuck {
        NotResumed::Error(error) => Error::device(source)(error).whole(),
        state => state.to_string(),
    };
    format!("the source does not run on: {why}")
}

fn unknown(source: &Path, destination: &Path) -> String {
    let (source, destination) = (source.display(), destination.display());
    format!(
        "the outcome is unknown: the destination was requested to run and did not confirm it\n\
         the source stays stopped and holds the whole state, so that the device never runs twice\n\
         check {destination}: if the device runs there, end the program of the source; if it does \
         not, end the program of the destination, then attach a client to {source}, and the source \
         runs on"
    )
}
