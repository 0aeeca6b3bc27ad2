//! An endpoint that another program continues to serve.

use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags};

use super::{Endpoint, Ready};
use crate::dma::PendingUnmap;
use crate::function::Handing;
use crate::parcel::{Packing, Unpacking};
use crate::server::arrivals::Arrival;
use crate::server::error::SessionError;
use crate::server::guard::guarded;
use crate::server::poller::Poller;
use crate::server::records::{ClientRecord, ConnectionRecord, DeviceName, DeviceRecord};
use crate::server::session::{Session, Wants};
use crate::server::shutdown::Shutdown;
use crate::take_over::TakeOverError;
use crate::wait::wait_for;

/// The longest wait for one event of a device that is to stop.
const CHECK: Duration = Duration::from_millis(5);

/// Methods of the program that hands over.
impl Endpoint {
    /// Returns the names by which the other program knows the device.
    pub(in crate::server) fn device_name(&self) -> DeviceName {
        let socket = self.socket.path().map(|path| path.as_path().display().to_string());
        DeviceName {
            name: self.function.name().to_owned(),
            socket: socket.unwrap_or_default(),
            monitor: self.socket.monitor_path().map(Path::to_owned),
        }
    }

    /// Returns why the device cannot be handed over now; that passes by itself.
    ///
    /// # Errors
    ///
    /// Why it cannot be handed over at all in its present state.
    pub(in crate::server) fn hindrance(&self) -> Result<Option<TakeOverError>, TakeOverError> {
        Ok(self.passing_problem()?.map(|problem| self.refusal(problem)))
    }

    fn passing_problem(&self) -> Result<Option<&'static str>, TakeOverError> {
        if self.has_panicked || self.delays_cleanup || self.is_leaving {
            return Ok(Some("its last client leaves"));
        }
        if self.ready.contains(Ready::DISCONNECT) {
            return Ok(Some("a handle disconnects its client"));
        }
        match self.function.handing() {
            Handing::Never(problem) => return Err(self.refusal(problem)),
            Handing::Later(problem) => return Ok(Some(problem)),
            Handing::Running | Handing::Stopped => {}
        }
        if self.function.dma().is_logging() {
            return Err(self.refusal("its client migrates"));
        }
        if self.function.dma().has_departed() {
            return Ok(Some("it holds memory that its client has unmapped"));
        }
        if self.socket.listener().is_none() {
            return Err(self.refusal("it has a connection and no socket"));
        }
        Ok(self.session.as_ref().and_then(Session::hindrance))
    }

    /// Stops the device, which finishes its work in progress. Its client's requests wait.
    ///
    /// # Errors
    ///
    /// If it does not do so in time, or a hook panics. It is to [continue](Self::go_on).
    pub(in crate::server) fn stop(&mut self, until: Instant) -> Result<(), TakeOverError> {
        let _entered = self.span.clone().entered();
        self.was_stopped = Some(self.function.handing() == Handing::Stopped);
        if self.was_stopped == Some(true) {
            return Ok(());
        }
        guarded(|| self.function.quiesce()).map_err(|_| self.panic())?;
        let unmap = self.function.dma().pause();
        loop {
            guarded(|| self.function.work()).map_err(|_| self.panic())?;
            let function = &mut *self.function;
            let drained = self.session.as_mut().map(|session| session.drain(function));
            let is_drained = drained.transpose().map_err(|error| self.failure(&error))?;
            if unmap.is_released() && is_drained.unwrap_or(true) {
                break;
            }
            if until <= Instant::now() {
                return Err(self.refusal("it does not finish its work in time"));
            }
            self.wait(&unmap);
        }
        guarded(|| self.function.stop()).map_err(|_| self.panic())
    }

    /// Waits until the device may have finished something, for a short time.
    fn wait(&self, unmap: &PendingUnmap) {
        let released = unmap.release_event().ok().flatten();
        let (dma, session) = (self.function.dma(), self.session.as_ref());
        let is_asked = !dma.transfers().is_idle();
        let client = session.filter(|_| is_asked);
        let twin = client.and_then(Session::twin).map(|twin| twin.socket().as_fd());
        let released = released.as_ref().map(|event| event.as_fd());
        let fds = [released, self.function.wake(), client.map(Session::socket), twin];
        let readable = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut fds: Vec<_> = fds.into_iter().flatten().map(readable).collect();
        // If the wait fails, the next check comes earlier.
        let _ = wait_for(&mut fds, CHECK);
    }

    /// Adds the device, which has stopped, and its clients to a parcel for `successor`.
    ///
    /// # Errors
    ///
    /// If something cannot be saved, or the process may open no more descriptors.
    pub(in crate::server) fn pack(
        &mut self,
        parcel: &mut Packing,
        successor: &DeviceName,
    ) -> Result<DeviceRecord, TakeOverError> {
        let _entered = self.span.clone().entered();
        let listener = self.socket.listener().map(|listener| listener.try_clone_to_owned());
        let listener = listener.transpose()?.ok_or_else(|| self.refusal("it has no socket"))?;
        let packed = guarded(|| self.function.pack(parcel)).map_err(|_| self.panic())?;
        Ok(DeviceRecord {
            function: packed?,
            listener: parcel.add(listener),
            monitor: self.socket.pack_monitor(parcel, successor.monitor.as_deref()),
            is_stopped: self.was_stopped == Some(true),
            client: self.pack_client(parcel)?,
            arrivals: self.arrivals.pack(parcel)?,
        })
    }

    fn pack_client(&self, parcel: &mut Packing) -> Result<Option<ClientRecord>, TakeOverError> {
        let Some(session) = &self.session else { return Ok(None) };
        let connection = session.pack(parcel)?;
        let connection = connection
            .ok_or_else(|| self.refusal("its client sends a message that is too long"))?;
        let twin = session.twin().map(|twin| twin.pack(parcel)).transpose()?;
        let (dma, limits) = (self.function.dma(), self.socket.current_limits());
        Ok(Some(ClientRecord {
            connection,
            twin,
            capabilities: session.client().clone(),
            message_data: limits.message_data,
            dma_maps: limits.dma_maps,
            last_id: dma.transfers().last_id(),
            memory: dma.pack(parcel)?,
            interrupts: self.function.interrupts().pack(parcel)?,
        }))
    }

    /// Keeps a shutdown from reaching the clients, and a signal from removing the files of the
    /// sockets that `successor` has.
    pub(in crate::server) fn unguard(&mut self, successor: &DeviceName) {
        self.socket.leave_files(successor.monitor.as_deref());
        self.session.iter_mut().for_each(Session::unguard);
        self.arrivals.unguard();
    }

    /// Continues with a device that is not handed over after all.
    pub(in crate::server) fn go_on(&mut self, shutdown: &Shutdown) {
        let _entered = self.span.clone().entered();
        let Some(was_stopped) = self.was_stopped.take() else { return };
        let resumes = !was_stopped && !self.ready.contains(Ready::PANIC);
        if resumes && guarded(|| self.function.resume()).is_err() {
            self.ready |= Ready::PANIC;
        }
        self.own(shutdown);
    }

    /// Leaves the device and its clients to the other program, which serves them from now on.
    pub(in crate::server) fn leave_to_successor(mut self, poller: &Poller) {
        let entered = self.span.clone().entered();
        if guarded(|| self.function.handed_over()).is_err() {
            tracing::error!("the device panicked after it was handed over");
        }
        drop(entered);
        self.abandon(poller);
    }

    /// Drops the device, which another program serves: the clients, their memory and the socket
    /// belong to that.
    pub(in crate::server) fn abandon(mut self, poller: &Poller) {
        let _entered = self.span.clone().entered();
        if let Some(session) = self.session.take() {
            self.registrations.leave_client(poller, session.socket());
            session.abandon();
        }
        self.arrivals.abandon(poller);
        self.registrations.leave(poller, self.socket.listener());
        self.function.interrupts().disconnect();
        // A worker that the client wakes must not find its memory again.
        self.function.dma().end_session();
        self.function.dma().disconnect();
        if catch_unwind(AssertUnwindSafe(|| drop(self.function))).is_err() {
            tracing::error!("a device panicked while it was dropped");
        }
    }

    /// Owns the sockets' files and the clients, and gives them a turn.
    fn own(&mut self, shutdown: &Shutdown) {
        self.socket.own_files();
        self.session.iter_mut().for_each(|session| session.start(shutdown));
        self.arrivals.start(shutdown);
        self.ready |= Ready::SOCKET | Ready::WAKE | Ready::ARRIVALS;
        if self.session.is_some() {
            self.wants = Wants::Turn;
        }
    }

    fn refusal(&self, problem: &'static str) -> TakeOverError {
        TakeOverError::Device { device: self.function.name().to_owned(), problem }
    }

    fn panic(&mut self) -> TakeOverError {
        self.ready |= Ready::PANIC;
        TakeOverError::Panicked(self.function.name().to_owned())
    }

    fn failure(&mut self, error: &SessionError) -> TakeOverError {
        match error {
            SessionError::Panicked => self.panic(),
            _ => self.refusal("its client leaves"),
        }
    }
}

/// Methods of the program that takes over.
impl Endpoint {
    /// Becomes the device of another program, with its clients. It does not run yet.
    ///
    /// # Errors
    ///
    /// If it cannot. The endpoint must not be served then.
    pub(in crate::server) fn unpack(
        &mut self,
        record: &DeviceRecord,
        parcel: &Unpacking,
    ) -> Result<(), TakeOverError> {
        let _entered = self.span.clone().entered();
        self.was_stopped = Some(record.is_stopped);
        self.socket.adopt(parcel.owned(record.listener)?)?;
        self.socket.unpack_monitor(record.monitor.as_ref(), parcel)?;
        for arrival in &record.arrivals {
            let arrival = self.connection(arrival, parcel)?;
            self.arrivals.add(arrival);
        }
        if let Some(client) = &record.client {
            self.unpack_client(client, parcel)?;
        }
        let unpacked = guarded(|| self.function.unpack(&record.function, parcel));
        unpacked.map_err(|_| self.panic())??;
        if let Some(client) = &record.client {
            self.function.interrupts().restore_unacknowledged(&client.interrupts);
            guarded(|| self.function.irqs_changed()).map_err(|_| self.panic())?;
        }
        Ok(())
    }

    /// Attaches the client as it has attached to the other program.
    fn unpack_client(
        &mut self,
        client: &ClientRecord,
        parcel: &Unpacking,
    ) -> Result<(), TakeOverError> {
        let limits = self.socket.current_limits();
        let promised = [
            ("message_data", limits.message_data, client.message_data),
            ("dma_maps", limits.dma_maps, client.dma_maps),
        ];
        if let Some((limit, ours, promised)) = promised.into_iter().find(|(_, a, b)| a < b) {
            return Err(TakeOverError::Limit { limit, ours, promised });
        }
        let arrival = self.connection(&client.connection, parcel)?;
        let (capabilities, twin) = (client.capabilities.clone(), client.twin.as_ref());
        let transfers = self.function.dma().transfers();
        transfers.attach(&capabilities);
        transfers.continue_after(client.last_id);
        self.session = Some(Session::unpack(arrival, twin, capabilities, parcel, &self.log)?);
        // Until the device runs, neither threads nor interrupts reach the guest.
        self.function.dma().pause();
        self.function.interrupts().hold();
        guarded(|| self.function.connected()).map_err(|_| self.panic())?;
        for region in &client.memory {
            let first = *region.range().start();
            let mapped = self.function.dma().unpack(region, parcel);
            mapped.map_err(|errno| TakeOverError::Memory { first, errno })?;
            guarded(|| self.function.dma_mapped(region.range())).map_err(|_| self.panic())?;
        }
        let unpacked = self.function.interrupts().unpack(&client.interrupts, parcel);
        unpacked.map_err(|error| TakeOverError::malformed("PARCEL", &error))
    }

    fn connection(
        &self,
        record: &ConnectionRecord,
        parcel: &Unpacking,
    ) -> Result<Arrival, TakeOverError> {
        let (patience, receiver) = (self.socket.patience(), self.socket.receiver());
        Ok(Arrival::unpack(record, parcel, patience, receiver)?)
    }

    /// Runs the device, which belongs to this program from now on.
    pub(in crate::server) fn start(&mut self, shutdown: &Shutdown) {
        let _entered = self.span.clone().entered();
        self.socket.start_monitor();
        if self.was_stopped.take() == Some(false) && guarded(|| self.function.resume()).is_err() {
            self.ready |= Ready::PANIC;
        }
        self.own(shutdown);
    }
}
