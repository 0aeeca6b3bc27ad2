//! Answers to requests of a server: to read and write memory that it cannot access itself.

use std::io;

use tracing::debug;
use zerocopy::{FromBytes, IntoBytes};

use super::memory::MemoryMaps;
use super::message_socket::MessageSocket;
use crate::protocol::{Command, DmaAccess, Errno};
use crate::transport::{Incoming, Message};

/// Answers one request of the server, for at most `max_data` bytes.
///
/// # Errors
///
/// Those of sending the answer.
pub(super) fn serve(
    memory: &MemoryMaps,
    link: &MessageSocket,
    max_data: usize,
    incoming: Incoming<'_>,
) -> io::Result<()> {
    let header = incoming.header();
    let answer = match incoming {
        Incoming::Message(message) => answer(memory, max_data, &message),
        Incoming::TooLarge(_) => Err(Errno::E2BIG),
    };
    if let Err(errno) = answer {
        debug!(command = header.command.get(), %errno, "refused a request of the server");
    }
    if header.no_reply() {
        return Ok(());
    }
    match answer {
        Ok(payload) => link.send(&header.reply(payload.len()), &[&payload], &[]),
        Err(errno) => link.send(&header.error_reply(errno), &[], &[]),
    }
}

fn answer(memory: &MemoryMaps, max_data: usize, message: &Message<'_>) -> Result<Vec<u8>, Errno> {
    let command = message.header.command().map_err(|_| Errno::ENOSYS)?;
    if !matches!(command, Command::DmaRead | Command::DmaWrite) {
        return Err(Errno::ENOSYS);
    }
    if !message.fds.is_empty() {
        return Err(Errno::EINVAL);
    }
    let (access, data) = DmaAccess::read_from_prefix(message.payload).map_err(|_| Errno::EINVAL)?;
    let count = usize::try_from(access.count.get()).unwrap_or(usize::MAX);
    if count > max_data {
        return Err(Errno::E2BIG);
    }
    let mut payload = access.as_bytes().to_vec();
    match command {
        Command::DmaRead if data.is_empty() => {
            let fixed = payload.len();
            payload.resize(fixed + count, 0);
            memory.read(access.address.get(), &mut payload[fixed..])?;
        }
        Command::DmaWrite if data.len() == count => memory.write(access.address.get(), data)?,
        _ => return Err(Errno::EINVAL),
    }
    Ok(payload)
}
