//! Waiting for more than the client's socket.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::device::Function;
use crate::interrupt::Control;

/// Waits for the client, for the function's own work, and for eventfds that mask interrupts; but
/// only while there is one of the latter two, for a blocking receive costs a system call less.
#[derive(Default)]
pub(super) struct Poller {
    set: Option<Set>,
    /// What `set` was made for.
    made_for: Needs,
}

/// What a function wants to wait for besides its client.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Needs {
    /// Its own work: the number of the descriptor.
    wake: Option<RawFd>,
    /// The count of changes to its controls.
    controls: u64,
}

struct Set {
    epoll: Epoll,
    controls: Vec<Control>,
}

const SOCKET: u64 = 0;
const WAKE: u64 = 1;
const CONTROLS: u64 = 2;

impl Poller {
    /// Looks at what `function` wants to wait for. Whether there is anything but its client.
    pub(super) fn refresh(
        &mut self,
        socket: BorrowedFd<'_>,
        function: &dyn Function,
    ) -> nix::Result<bool> {
        let interrupts = function.interrupts();
        let wake = function.wake().map(|wake| wake.as_raw_fd());
        let needs = Needs { wake, controls: interrupts.control_changes() };
        if needs != self.made_for {
            self.set = Set::new(socket, function.wake(), interrupts.controls())?;
            self.made_for = needs;
        }
        Ok(self.set.is_some())
    }

    /// Waits, or only looks; does what eventfds ask for, and says whether the client has sent
    /// something.
    pub(super) fn wait(&self, function: &mut dyn Function, block: bool) -> nix::Result<bool> {
        let Some(set) = &self.set else { return Ok(true) };
        let mut events = [EpollEvent::empty(); 16];
        let timeout = if block { EpollTimeout::NONE } else { EpollTimeout::ZERO };
        let count = match set.epoll.wait(&mut events, timeout) {
            Err(Errno::EINTR) => return Ok(false),
            waited => waited?,
        };
        let (mut readable, mut woken) = (false, false);
        for event in &events[..count] {
            match event.data() {
                SOCKET => readable = true,
                WAKE => woken = true,
                token => set.poll_control(token - CONTROLS, function),
            }
        }
        if woken {
            function.work();
        }
        Ok(readable)
    }
}

impl Set {
    /// Eventfds are shared with the client, so closing ours would not take them out of a set:
    /// when they change, the set is made anew.
    fn new(
        socket: BorrowedFd<'_>,
        wake: Option<BorrowedFd<'_>>,
        controls: Vec<Control>,
    ) -> nix::Result<Option<Self>> {
        if controls.is_empty() && wake.is_none() {
            return Ok(None);
        }
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let level = EpollFlags::EPOLLIN;
        // A client's counter that does not go to zero when it is read must not keep us busy.
        let edge = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        epoll.add(socket, EpollEvent::new(level, SOCKET))?;
        if let Some(wake) = wake {
            epoll.add(wake, EpollEvent::new(level, WAKE))?;
        }
        for (token, control) in (CONTROLS..).zip(&controls) {
            epoll.add(control.eventfd.as_fd(), EpollEvent::new(edge, token))?;
        }
        Ok(Some(Set { epoll, controls }))
    }

    fn poll_control(&self, index: u64, function: &dyn Function) {
        let control = usize::try_from(index).ok().and_then(|index| self.controls.get(index));
        if let Some(control) = control {
            function.interrupts().poll_control(control);
        }
    }
}
