//! Requests of the server to its client: to read and write memory for the device.

use std::io;

use super::error::SessionError;
use super::guard::guarded;
use crate::dma::Settled;
use crate::function::Function;
use crate::transport::{Incoming, Outbox};

/// Adds due requests to the outbox, as many as the client accepts.
///
/// # Errors
///
/// When the device panics, and those of `flush`.
pub(super) fn ask(
    function: &mut dyn Function,
    outbox: &mut Outbox,
    mut flush: impl FnMut(&mut Outbox) -> io::Result<bool>,
) -> Result<(), SessionError> {
    if function.dma().transfers().is_idle() {
        return Ok(());
    }
    let late = function.dma().transfers().expire();
    settle(function, late)?;
    let transfers = function.dma().transfers();
    loop {
        if outbox.is_full() && !flush(outbox)? {
            return Ok(());
        }
        if !transfers.send_next(|header, parts| outbox.command(header, parts)) {
            return Ok(());
        }
    }
}

/// Handles an answer of the client.
///
/// # Errors
///
/// When the device panics.
pub(super) fn hear(function: &mut dyn Function, answer: &Incoming<'_>) -> Result<(), SessionError> {
    let transfers = function.dma().transfers();
    let settled = match answer {
        Incoming::Message(message) => transfers.answer(&message.header, Some(message.payload)),
        Incoming::TooLarge(header) => transfers.answer(header, None),
    };
    settle(function, settled)
}

/// Fails all pending requests, because the client cannot answer any more.
///
/// # Errors
///
/// When the device panics.
pub(super) fn hang_up(function: &mut dyn Function) -> Result<(), SessionError> {
    let settled = function.dma().transfers().detach();
    settle(function, settled)
}

/// Reports results to all waiting callers, even if one panics.
fn settle(
    function: &mut dyn Function,
    settled: impl IntoIterator<Item = Settled>,
) -> Result<(), SessionError> {
    let mut settled = settled.into_iter().peekable();
    if settled.peek().is_none() {
        return Ok(());
    }
    let mut told = Ok(());
    for settled in settled {
        told = told.and(guarded(|| settled.tell()));
    }
    function.interrupts().settle();
    told
}
