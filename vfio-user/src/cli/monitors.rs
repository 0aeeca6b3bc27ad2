//! The options for monitors.

use std::path::{Path, PathBuf};

use clap::Args;

use super::error::OptionsError;
use super::sockets::Place;
use crate::error::Result;
use crate::monitor::Monitor;
use crate::server::{Socket, TakeOver};

// Help texts are comments; clap would print one here as that of a whole program.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Monitors {
    /// Let `vfu inspect` and `vfu top` look into the device at a second UNIX socket, for this user
    /// alone. Of several devices each has one, in the order of the sockets
    #[arg(long = "monitor", value_name = "PATH", conflicts_with = "describe")]
    paths: Vec<PathBuf>,

    /// Let them change registers as well
    #[arg(long = "monitor-poke", requires = "paths")]
    allows_pokes: bool,
}

impl Monitors {
    /// Gives each device a monitor, if there are any.
    ///
    /// # Errors
    ///
    /// If there are not as many as sockets, or the socket of one cannot be used.
    pub(super) fn watch(
        &self,
        opened: Vec<(Place, Socket)>,
        take_over: Option<&TakeOver>,
    ) -> Result<Vec<(Place, Socket)>> {
        if self.paths.is_empty() {
            return Ok(opened);
        }
        let (monitors, sockets) = (self.paths.len(), opened.len());
        if monitors != sockets {
            return Err(OptionsError::Monitors { monitors, sockets }.into());
        }
        let watched = opened.into_iter().zip(&self.paths).map(|((mut place, socket), path)| {
            let monitor = self.bind(path, take_over)?;
            place.files.push(monitor.file().path().clone());
            Ok((place, socket.monitor(monitor)))
        });
        watched.collect()
    }

    fn bind(&self, path: &Path, take_over: Option<&TakeOver>) -> Result<Monitor> {
        let monitor = match take_over {
            Some(other) => other.bind_monitor(path)?,
            None => Monitor::bind(path)?,
        };
        Ok(if self.allows_pokes { monitor.allow_pokes() } else { monitor })
    }
}
