//! A session that another program continues.

use std::io;
use std::sync::Arc;

use super::{Session, Wants};
use crate::function::Function;
use crate::parcel::{Packing, Unpacking};
use crate::protocol::Capabilities;
use crate::server::arrivals::Arrival;
use crate::server::deferred::DeferredRequests;
use crate::server::error::SessionError;
use crate::server::event_log::EventLog;
use crate::server::negotiated::Negotiated;
use crate::server::records::ConnectionRecord;
use crate::server::shutdown::Shutdown;
use crate::server::twin::Twin;
use crate::take_over::TakeOverError;
use crate::transport::Outbox;

impl Session {
    /// Returns why it cannot be handed over now: a request has not been answered.
    pub(in crate::server) fn hindrance(&self) -> Option<&'static str> {
        let is_unsent = !self.outbox.is_empty();
        let is_pending = self.pending.is_some() || !self.deferred.is_empty();
        match () {
            () if is_pending => Some("a request of its client waits"),
            () if is_unsent => Some("its client has not received the last answers"),
            () => None,
        }
    }

    /// Exchanges requests of the server and answers with the client, without waiting. Requests of
    /// the client are kept. Returns whether nothing is left of either side.
    pub(in crate::server) fn drain(
        &mut self,
        function: &mut dyn Function,
    ) -> Result<bool, SessionError> {
        self.has_replies = true;
        self.serve_twin(function)?;
        self.send_pending(function)?;
        if self.receive_replies(function)? == Wants::End {
            return Err(SessionError::Left);
        }
        let is_sent = self.flush()? && self.twin().is_none_or(Twin::is_sent);
        Ok(is_sent && function.dma().transfers().is_idle())
    }

    /// Keeps a shutdown from reaching the client: from here on it may belong to another program.
    pub(in crate::server) fn unguard(&mut self) {
        self.shutdown_guard = None;
    }

    /// Owns the client, which another program may have had.
    pub(in crate::server) fn start(&mut self, shutdown: &Shutdown) {
        self.set_handed_over(false);
        // It fails only if the connection has ended.
        self.shutdown_guard = shutdown.guard(&self.socket).ok();
    }

    /// Adds its connection to a parcel. `None` if a message that is too long is in the way.
    ///
    /// # Errors
    ///
    /// When the process may open no more descriptors.
    pub(in crate::server) fn pack(
        &self,
        parcel: &mut Packing,
    ) -> io::Result<Option<ConnectionRecord>> {
        let deferred = self.deferred.pack(parcel)?;
        let unhandled = self.receiver.pack(parcel)?;
        let unhandled = deferred.and_then(|deferred| deferred.followed_by(unhandled));
        let Some(unhandled) = unhandled else { return Ok(None) };
        let socket = parcel.add(self.socket.try_clone()?);
        Ok(Some(ConnectionRecord { socket, unhandled }))
    }

    /// Continues the session of another program.
    ///
    /// # Errors
    ///
    /// If something is not in the parcel.
    pub(in crate::server) fn unpack(
        arrival: Arrival,
        twin: Option<&ConnectionRecord>,
        client: Capabilities,
        parcel: &Unpacking,
        log: &Arc<EventLog>,
    ) -> Result<Self, TakeOverError> {
        let Arrival { socket, receiver, guard, .. } = arrival;
        let twin = twin.map(|twin| Twin::unpack(twin, parcel, socket.close_queue())).transpose()?;
        Ok(Session {
            shutdown_guard: guard,
            socket,
            receiver,
            outbox: Outbox::default(),
            negotiated: Negotiated { client, twin },
            pending: None,
            deferred: DeferredRequests::default(),
            has_replies: true,
            log: Arc::clone(log),
            stuck: None,
            is_interrupted: false,
        })
    }

    /// Leaves its connections to another program.
    pub(in crate::server) fn abandon(self) {
        self.set_handed_over(true);
    }

    fn set_handed_over(&self, is_handed_over: bool) {
        self.socket.set_handed_over(is_handed_over);
        let twin = self.twin().into_iter();
        twin.for_each(|twin| twin.socket().set_handed_over(is_handed_over));
    }

    /// Returns the client's capabilities.
    pub(in crate::server) fn client(&self) -> &Capabilities {
        &self.negotiated.client
    }
}
