//! The option that confines a device program to what a server needs, once its devices exist.

mod calls;
mod files;

use std::fmt::Display;
use std::io;

use clap::Args;
use landlock::RulesetCreated;

use super::error::OptionsError;
use super::sockets::Place;
use crate::listening::SocketPath;

// Help texts are comments; clap would print one here as that of a whole program.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Sandbox {
    /// Once the devices exist, open no files but those in the folder of `--state`, run no program
    /// and open no connection; an attempt fails or ends the process
    #[arg(long, conflicts_with_all = ["describe", "replay"])]
    sandbox: bool,
}

impl Sandbox {
    /// Prepares to confine the process, if the option says so.
    ///
    /// # Errors
    ///
    /// [`OptionsError::Sandbox`] if the kernel cannot do that.
    pub(super) fn prepare(
        &self,
        places: &[Place],
        sockets: &[SocketPath],
    ) -> Result<Confinement, OptionsError> {
        if !self.sandbox {
            return Ok(Confinement(None));
        }
        let states = places.iter().filter_map(|place| place.state.as_deref());
        let sockets = sockets.iter().map(SocketPath::as_path);
        Ok(Confinement(Some(files::rules(states, sockets).map_err(failed)?)))
    }
}

/// What the process will be confined to; without the option, to nothing.
#[derive(Debug)]
pub(super) struct Confinement(Option<RulesetCreated>);

impl Confinement {
    /// Returns the same for the files of a thread that starts before [`enter`](Self::enter).
    ///
    /// # Errors
    ///
    /// If the process can open no more descriptors.
    pub(super) fn of_thread(&self) -> io::Result<ThreadConfinement> {
        Ok(ThreadConfinement(self.0.as_ref().map(RulesetCreated::try_clone).transpose()?))
    }

    /// Confines the process: the system calls of all threads, and the files of this one and of
    /// those that it starts.
    ///
    /// # Errors
    ///
    /// [`OptionsError::Sandbox`] if the kernel cannot do that.
    pub(super) fn enter(self) -> Result<(), OptionsError> {
        let Some(rules) = self.0 else { return Ok(()) };
        files::restrict(rules, true).map_err(failed)?;
        calls::restrict()
            .map_err(|error| failed(format!("the kernel lacks seccomp filters: {error}")))
    }
}

/// What a thread is confined to that starts before the process is.
#[derive(Debug)]
pub(super) struct ThreadConfinement(Option<RulesetCreated>);

impl ThreadConfinement {
    /// Confines the files of the current thread.
    ///
    /// # Errors
    ///
    /// [`OptionsError::Sandbox`] if the kernel cannot do that.
    pub(super) fn enter(self) -> Result<(), OptionsError> {
        self.0.map_or(Ok(()), |rules| files::restrict(rules, false).map_err(failed))
    }
}

fn failed(error: impl Display) -> OptionsError {
    OptionsError::Sandbox { reason: error.to_string() }
}
