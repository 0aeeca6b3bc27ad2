//! Requests of the server to its client: to read and write memory for the device.

use std::io;

use super::error::SessionError;
use super::guard::guarded;
use crate::dma::Completed;
use crate::function::{Function, InvalidMessage};
use crate::transport::{Incoming, Outbox};

/// Adds due requests to the outbox, as many as the client accepts.
///
/// # Errors
///
/// When the device panics, and those of `flush`.
pub(super) fn send_pending(
    function: &mut dyn Function,
    outbox: &mut Outbox,
    mut flush: impl FnMut(&mut Outbox) -> io::Result<bool>,
) -> Result<(), SessionError> {
    if function.dma().transfers().is_idle() {
        return Ok(());
    }
    let late = function.dma().transfers().expire();
    complete(function, late)?;
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

/// Handles an answer of the client. One that the server does not expect is ignored, unless the
/// function answers it with an error.
///
/// # Errors
///
/// When the device panics.
pub(super) fn on_reply(
    function: &mut dyn Function,
    outbox: &mut Outbox,
    answer: &Incoming<'_>,
) -> Result<(), SessionError> {
    if !function.dma().transfers().expects(&answer.header())
        && let Some(errno) = guarded(|| function.invalid_message(InvalidMessage::UnexpectedReply))?
    {
        outbox.reply(answer.header()).finish(Err(errno));
        return Ok(());
    }
    let transfers = function.dma().transfers();
    let completed = match answer {
        Incoming::Message(message) => transfers.answer(&message.header, Some(message.payload)),
        Incoming::TooLarge(header) => transfers.answer(header, None),
    };
    complete(function, completed)
}

/// Fails all pending requests, because the client cannot answer any more.
///
/// # Errors
///
/// When the device panics.
pub(super) fn fail_all(function: &mut dyn Function) -> Result<(), SessionError> {
    let completed = function.dma().transfers().detach();
    complete(function, completed)
}

/// Reports results to all waiting callers, even if one panics.
fn complete(
    function: &mut dyn Function,
    completed: impl IntoIterator<Item = Completed>,
) -> Result<(), SessionError> {
    let mut completed = completed.into_iter().peekable();
    if completed.peek().is_none() {
        return Ok(());
    }
    let mut reported = Ok(());
    for completed in completed {
        reported = reported.and(guarded(|| completed.report()));
    }
    function.interrupts().settle();
    reported
}
