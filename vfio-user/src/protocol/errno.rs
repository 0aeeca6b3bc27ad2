//! Error numbers in error replies.

use std::fmt;
use std::io;
use std::num::NonZeroU16;

use nix::errno::Errno as Nix;

/// An error number, always 1 to 65535, as in an error reply: one of Linux, which are at most 4095,
/// or one that a program has chosen.
///
/// Never 0, because some clients treat an error reply with number 0 as success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(NonZeroU16);

impl Errno {
    /// Operation not permitted.
    pub const EPERM: Self = Self::named(Nix::EPERM);
    /// No such thing.
    pub const ENOENT: Self = Self::named(Nix::ENOENT);
    /// Interrupted.
    pub const EINTR: Self = Self::named(Nix::EINTR);
    /// Input or output failed.
    pub const EIO: Self = Self::named(Nix::EIO);
    /// No such address.
    pub const ENXIO: Self = Self::named(Nix::ENXIO);
    /// Argument too long.
    pub const E2BIG: Self = Self::named(Nix::E2BIG);
    /// Bad file descriptor.
    pub const EBADF: Self = Self::named(Nix::EBADF);
    /// Try again.
    pub const EAGAIN: Self = Self::named(Nix::EAGAIN);
    /// The process may open no more descriptors.
    pub const EMFILE: Self = Self::named(Nix::EMFILE);
    /// Out of memory.
    pub const ENOMEM: Self = Self::named(Nix::ENOMEM);
    /// Permission denied.
    pub const EACCES: Self = Self::named(Nix::EACCES);
    /// Bad address.
    pub const EFAULT: Self = Self::named(Nix::EFAULT);
    /// Busy.
    pub const EBUSY: Self = Self::named(Nix::EBUSY);
    /// Exists already.
    pub const EEXIST: Self = Self::named(Nix::EEXIST);
    /// No such device.
    pub const ENODEV: Self = Self::named(Nix::ENODEV);
    /// Invalid argument.
    pub const EINVAL: Self = Self::named(Nix::EINVAL);
    /// No such feature.
    pub const ENOTTY: Self = Self::named(Nix::ENOTTY);
    /// File too large.
    pub const EFBIG: Self = Self::named(Nix::EFBIG);
    /// No room left.
    pub const ENOSPC: Self = Self::named(Nix::ENOSPC);
    /// The peer has disconnected.
    pub const EPIPE: Self = Self::named(Nix::EPIPE);
    /// Out of range.
    pub const ERANGE: Self = Self::named(Nix::ERANGE);
    /// Not implemented.
    pub const ENOSYS: Self = Self::named(Nix::ENOSYS);
    /// Protocol error.
    pub const EPROTO: Self = Self::named(Nix::EPROTO);
    /// Not supported; the same number as `EOPNOTSUPP`.
    pub const ENOTSUP: Self = Self::named(Nix::EOPNOTSUPP);
    /// Value too large.
    pub const EOVERFLOW: Self = Self::named(Nix::EOVERFLOW);
    /// Message too long.
    pub const EMSGSIZE: Self = Self::named(Nix::EMSGSIZE);
    /// Connection reset by the peer.
    pub const ECONNRESET: Self = Self::named(Nix::ECONNRESET);
    /// Not connected.
    pub const ENOTCONN: Self = Self::named(Nix::ENOTCONN);
    /// Timed out.
    pub const ETIMEDOUT: Self = Self::named(Nix::ETIMEDOUT);
    /// Cancelled.
    pub const ECANCELED: Self = Self::named(Nix::ECANCELED);

    /// Returns the errno for the number in an error reply; 0 and numbers above 65535 become
    /// [`Errno::EINVAL`].
    pub fn from_wire(number: u32) -> Self {
        Self::new(number).unwrap_or(Self::EINVAL)
    }

    /// Returns the number, 1 to 65535.
    pub fn get(self) -> u32 {
        self.0.get().into()
    }

    fn new(number: u32) -> Option<Self> {
        NonZeroU16::new(u16::try_from(number).ok()?).map(Self)
    }

    /// Creates the constants: the number 0 does not compile.
    const fn named(errno: Nix) -> Self {
        Self(NonZeroU16::new(errno as u16).expect("a named errno is not 0"))
    }

    fn raw(self) -> i32 {
        self.0.get().into()
    }
}

/// `EINVAL (22)`, or `errno 4000` for a number without a name.
impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Nix::from_raw(self.raw()) {
            Nix::UnknownErrno => write!(f, "errno {}", self.0),
            named => write!(f, "{named:?} ({})", self.0),
        }
    }
}

impl std::error::Error for Errno {}

/// An unknown errno becomes [`Errno::EIO`].
impl From<Nix> for Errno {
    fn from(errno: Nix) -> Self {
        u32::try_from(errno as i32).ok().and_then(Self::new).unwrap_or(Self::EIO)
    }
}

/// An error that does not come from the operating system becomes [`Errno::EIO`].
impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Self {
        let raw = error.raw_os_error().and_then(|raw| u32::try_from(raw).ok());
        raw.and_then(Self::new).unwrap_or(Self::EIO)
    }
}

impl From<Errno> for io::Error {
    fn from(errno: Errno) -> Self {
        io::Error::from_raw_os_error(errno.raw())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_numbers_out_of_range_become_einval() {
        for number in [0, 0x1_0000, 0x1_0016, u32::MAX] {
            assert_eq!(Errno::from_wire(number), Errno::EINVAL, "{number}");
        }
        for number in [1, 22, 133, 4095, 0xffff] {
            assert_eq!(Errno::from_wire(number).get(), number);
        }
    }

    #[test]
    fn constants_have_the_numbers_of_linux() {
        let numbers = [Errno::EPERM, Errno::E2BIG, Errno::EINVAL, Errno::ENOSYS, Errno::ENOTSUP];
        assert_eq!(numbers.map(Errno::get), [1, 7, 22, 38, 95]);
    }

    #[test]
    fn names_are_displayed_with_their_number() {
        assert_eq!(Errno::EINVAL.to_string(), "EINVAL (22)");
        assert_eq!(Errno::ENOTSUP.to_string(), "EOPNOTSUPP (95)");
        assert_eq!(Errno::from_wire(4000).to_string(), "errno 4000");
    }

    #[test]
    fn system_errors_keep_their_number_and_others_become_eio() {
        assert_eq!(Errno::from(Nix::ENOSPC), Errno::ENOSPC);
        assert_eq!(Errno::from(Nix::UnknownErrno), Errno::EIO);
        assert_eq!(Errno::from(io::Error::from_raw_os_error(12)), Errno::ENOMEM);
        assert_eq!(Errno::from(io::Error::from_raw_os_error(0)), Errno::EIO);
        assert_eq!(Errno::from(io::Error::from_raw_os_error(-5)), Errno::EIO);
        assert_eq!(Errno::from(io::Error::other("no number")), Errno::EIO);
        assert_eq!(io::Error::from(Errno::EBUSY).raw_os_error(), Some(16));
    }
}
