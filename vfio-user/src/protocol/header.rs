//! The header of every message.

use bitflags::bitflags;
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{Command, Errno, UnknownCommand};

/// Bytes of a [`Header`].
pub const HEADER_SIZE: usize = size_of::<Header>();

/// Bits 0 to 3 of the flags hold the type as a number.
const TYPE_MASK: u32 = 0xf;
const TYPE_COMMAND: u32 = 0;
const TYPE_REPLY: u32 = 1;

bitflags! {
    /// The flags of a header above its type.
    struct HeaderFlags: u32 {
        /// The sender of this command expects no reply.
        const NO_REPLY = 0x10;
        /// This reply reports an error.
        const ERROR = 0x20;
    }
}

/// The header of a message (vfio-user specification, "Header").
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(C)]
pub struct Header {
    /// An id that the sender of a command chooses, repeated in its reply; need not be unique.
    pub message_id: U16,
    /// The number of a [`Command`], repeated in the reply.
    pub command: U16,
    /// The size of the message in bytes, including this header.
    pub size: U32,
    /// Type and flags; see [`Header::message_type`], [`Header::no_reply`], [`Header::errno`].
    pub flags: U32,
    /// A Linux error number if the flags report an error; see [`Header::errno`].
    pub error: U32,
}

/// The kind of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageType {
    /// A request.
    Command,
    /// The answer to a command.
    Reply,
}

impl Header {
    /// Returns the header of a command with `payload` bytes after it.
    pub fn request(id: u16, command: Command, payload: usize, no_reply: bool) -> Self {
        let no_reply = if no_reply { HeaderFlags::NO_REPLY } else { HeaderFlags::empty() };
        Self {
            message_id: id.into(),
            command: u16::from(command).into(),
            size: size_with(payload),
            flags: (TYPE_COMMAND | no_reply.bits()).into(),
            error: U32::ZERO,
        }
    }

    /// Returns the header of the successful reply to this command, with `payload` bytes after it.
    #[must_use]
    pub fn reply(&self, payload: usize) -> Self {
        Self { size: size_with(payload), flags: TYPE_REPLY.into(), error: U32::ZERO, ..*self }
    }

    /// Returns the error reply to this command: a header alone, even if the command is unknown.
    #[must_use]
    pub fn error_reply(&self, errno: Errno) -> Self {
        Self {
            flags: (TYPE_REPLY | HeaderFlags::ERROR.bits()).into(),
            error: errno.get().into(),
            ..self.reply(0)
        }
    }

    /// Returns the kind of the message; `None` if the type is invalid.
    pub fn message_type(&self) -> Option<MessageType> {
        match self.flags.get() & TYPE_MASK {
            TYPE_COMMAND => Some(MessageType::Command),
            TYPE_REPLY => Some(MessageType::Reply),
            _ => None,
        }
    }

    /// Returns whether the sender of this command expects no reply, neither of success nor of
    /// failure.
    pub fn no_reply(&self) -> bool {
        self.flags().contains(HeaderFlags::NO_REPLY)
    }

    /// Returns the error that this reply reports; `None` if it reports success. A number that is
    /// not one of Linux's, such as 0, is [`Errno::EINVAL`].
    pub fn errno(&self) -> Option<Errno> {
        self.flags().contains(HeaderFlags::ERROR).then(|| Errno::from_wire(self.error.get()))
    }

    /// Returns the size of the message in bytes, including this header, as its sender claims: may
    /// be below [`HEADER_SIZE`].
    pub fn total_size(&self) -> usize {
        self.size.get() as usize
    }

    /// Returns the number of bytes after this header; `None` if the size does not even cover the
    /// header.
    pub fn payload_size(&self) -> Option<usize> {
        self.total_size().checked_sub(HEADER_SIZE)
    }

    /// Returns the command of this message, or the command that it answers.
    ///
    /// # Errors
    ///
    /// Fails if the number is not that of a command.
    pub fn command(&self) -> Result<Command, UnknownCommand> {
        self.command.get().try_into()
    }

    fn flags(&self) -> HeaderFlags {
        HeaderFlags::from_bits_truncate(self.flags.get())
    }
}

/// Returns the size field of a message. Saturates for a payload that fits in no message, so that
/// the receiver refuses it instead of reading a short one.
fn size_with(payload: usize) -> U32 {
    u32::try_from(payload.saturating_add(HEADER_SIZE)).unwrap_or(u32::MAX).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_flags(flags: u32) -> Header {
        Header { flags: flags.into(), ..Header::default() }
    }

    #[test]
    fn a_header_is_sixteen_bytes() {
        assert_eq!(HEADER_SIZE, 16);
    }

    #[test]
    fn types_other_than_command_and_reply_are_none() {
        assert_eq!(with_flags(0x10).message_type(), Some(MessageType::Command));
        assert_eq!(with_flags(0x21).message_type(), Some(MessageType::Reply));
        for kind in 2..=15 {
            assert_eq!(with_flags(kind).message_type(), None);
        }
    }

    #[test]
    fn a_size_below_the_header_has_no_payload_size() {
        for (size, payload) in [(0, None), (15, None), (16, Some(0)), (17, Some(1))] {
            let header = Header { size: size.into(), ..Header::default() };
            assert_eq!(header.payload_size(), payload);
            assert_eq!(header.total_size(), size as usize);
        }
    }

    #[test]
    fn only_the_error_flag_makes_an_errno() {
        let header = |flags: u32, error: u32| Header { error: error.into(), ..with_flags(flags) };
        assert_eq!(header(0x01, 22).errno(), None);
        assert_eq!(header(0x21, 2).errno(), Some(Errno::ENOENT));
        assert_eq!(header(0x21, 0).errno(), Some(Errno::EINVAL));
        assert_eq!(header(0x21, 0x1_0000).errno(), Some(Errno::EINVAL));
    }

    #[test]
    fn a_reply_repeats_id_and_command_and_drops_the_rest() {
        let mut request = Header::request(7, Command::RegionWrite, 20, true);
        request.error = 5.into();
        assert!(request.no_reply());
        let reply = request.reply(16);
        assert_eq!(reply.message_type(), Some(MessageType::Reply));
        assert_eq!((reply.message_id.get(), reply.command()), (7, Ok(Command::RegionWrite)));
        assert_eq!((reply.total_size(), reply.error.get()), (32, 0));
        assert!(!reply.no_reply());
        assert_eq!(reply.errno(), None);
    }

    #[test]
    fn an_error_reply_is_a_header_alone_even_to_an_unknown_command() {
        let request = Header { command: 14.into(), size: 99.into(), ..Header::default() };
        let reply = request.error_reply(Errno::E2BIG);
        assert_eq!(reply.command(), Err(UnknownCommand(14)));
        assert_eq!(reply.payload_size(), Some(0));
        assert_eq!(reply.errno(), Some(Errno::E2BIG));
    }

    #[test]
    fn a_payload_beyond_all_messages_saturates() {
        let header = Header::request(0, Command::RegionWrite, usize::MAX, false);
        assert_eq!(header.size.get(), u32::MAX);
    }
}
