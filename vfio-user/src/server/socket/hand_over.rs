//! Sockets that a program hands over to its successor, with their files.

use std::io;
use std::mem;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use super::{ClientSource, Socket, listens};
use crate::listening::SocketFile;
use crate::monitor::Monitor;
use crate::parcel::{Packing, Unpacking};
use crate::server::records::MonitorRecord;

impl Socket {
    /// Waits for the listening socket of another program.
    pub(in crate::server) fn awaited(path: &Path) -> io::Result<Self> {
        Ok(Self::new(ClientSource::Awaited(SocketFile::of_other(path)?)))
    }

    /// Accepts clients from the socket of another program, whose file it does not own yet.
    ///
    /// # Errors
    ///
    /// If it is no listening socket.
    pub(in crate::server) fn adopt(&mut self, listener: OwnedFd) -> io::Result<()> {
        if !listens(&listener)? {
            return Err(io::Error::other("the socket does not listen"));
        }
        self.source = match mem::replace(&mut self.source, ClientSource::Connected(None)) {
            ClientSource::Awaited(file) => {
                ClientSource::Listening { listener: listener.into(), file: Some(file) }
            }
            other => other,
        };
        Ok(())
    }

    /// Leaves its file to another program, and that of the monitor, if it has this path there. The
    /// other program could not remove a monitor's file elsewhere, where it may have no rights.
    pub(in crate::server) fn leave_files(&self, monitor: Option<&Path>) {
        self.file().into_iter().for_each(SocketFile::leave);
        self.monitor_at(monitor).into_iter().for_each(|monitor| monitor.file().leave());
    }

    /// Owns its file, and that of the monitor, which another program may have had.
    pub(in crate::server) fn own_files(&self) {
        // Without them there is nothing to remove in the end.
        self.files().for_each(|file| drop(file.own()));
    }

    /// Adds the socket of the monitor to a parcel, if it has this path.
    pub(in crate::server) fn pack_monitor(
        &self,
        parcel: &mut Packing,
        path: Option<&Path>,
    ) -> Option<MonitorRecord> {
        let monitor = self.monitor_at(path)?;
        let listener = parcel.add(Arc::clone(monitor.listener()?));
        Some(MonitorRecord { path: monitor.path().to_owned(), listener })
    }

    /// Takes the socket of the other program's monitor, if the monitor here waits for it.
    ///
    /// # Errors
    ///
    /// If it is not in the parcel.
    pub(in crate::server) fn unpack_monitor(
        &mut self,
        record: Option<&MonitorRecord>,
        parcel: &Unpacking,
    ) -> io::Result<()> {
        let awaiting = self.monitor.as_mut().filter(|monitor| monitor.listener().is_none());
        let Some(monitor) = awaiting else { return Ok(()) };
        let Some(record) = record.filter(|record| record.path == monitor.path()) else {
            let path = monitor.path().display();
            let problem = format!("the monitor's socket {path} belongs to another program");
            return Err(io::Error::other(problem));
        };
        let listener = parcel.owned(record.listener)?;
        if !listens(&listener)? {
            return Err(io::Error::other("the monitor's socket does not listen"));
        }
        monitor.adopt(listener.into())
    }

    /// Lets tools look at the device, which belongs to this program from now on.
    pub(in crate::server) fn start_monitor(&mut self) {
        self.monitor.iter_mut().for_each(Monitor::start);
    }

    /// Returns the path of the monitor.
    pub(in crate::server) fn monitor_path(&self) -> Option<&Path> {
        self.monitor.as_ref().map(Monitor::path)
    }

    /// Returns the monitor, if it has this path.
    fn monitor_at(&self, path: Option<&Path>) -> Option<&Monitor> {
        self.monitor.as_ref().filter(|monitor| Some(monitor.path()) == path)
    }

    fn files(&self) -> impl Iterator<Item = &SocketFile> {
        self.file().into_iter().chain(self.monitor.as_ref().map(Monitor::file))
    }
}
