//! Waiting for a client.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::boundary::Result;
use crate::context::{Client, Context};
use crate::region::duplicate;

/// The time in which a client that has connected sends its version. Programs attach once when the
/// descriptor is readable, which it is when a client connects.
const VERSION: Duration = Duration::from_secs(1);

impl Context {
    /// Waits for a client, or looks whether there is one.
    pub(crate) fn attach(&self) -> Result<()> {
        if !self.is_realized() {
            return Err(Errno::EINVAL);
        }
        loop {
            match self.client.get() {
                Client::Attached => return Err(Errno::EINVAL),
                Client::Arrived | Client::Left { next: true } => {
                    self.client.set(Client::Attached);
                    // Sends the answer to the client's version.
                    return self.process();
                }
                Client::Refused(errno) => {
                    self.client.set(Client::None);
                    return Err(errno);
                }
                Client::None | Client::Left { next: false } if self.is_nonblocking => {
                    self.process()?;
                    self.await_version()?;
                    if self.lacks_client() {
                        return Err(Errno::EAGAIN);
                    }
                }
                Client::None | Client::Left { next: false } => self.wait_and_process()?,
            }
        }
    }

    fn lacks_client(&self) -> bool {
        matches!(self.client.get(), Client::None | Client::Left { next: false })
    }

    /// Waits for the version of a client that has connected.
    fn await_version(&self) -> Result<()> {
        let until = Instant::now() + VERSION;
        while self.lacks_client() && self.is_negotiating()? {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let work = duplicate(self.poll_fd()?)?;
            let mut fds = [PollFd::new(work.as_fd(), PollFlags::POLLIN)];
            poll(&mut fds, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX))?;
            self.process()?;
        }
        Ok(())
    }
}
