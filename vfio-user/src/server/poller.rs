//! Waiting for more than the client's socket.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::device::Function;
use crate::interrupt::Control;

/// Waits for the client, for the function's own work, and for eventfds that mask interrupts.
///
/// It is made when the first of the latter two appears. Eventfds are shared with the client, so
/// closing ours would not take them out of the set: it is made anew when they change.
pub(super) struct Poller {
    epoll: Epoll,
    controls: Vec<Control>,
    /// The function's count of changes that this set reflects.
    changes: u64,
    wakes: bool,
}

const SOCKET: u64 = 0;
const WAKE: u64 = 1;
const CONTROLS: u64 = 2;

impl Poller {
    /// A set of what `function` wants to wait for now; `None` for nothing but its client.
    pub(super) fn new(
        socket: BorrowedFd<'_>,
        function: &dyn Function,
    ) -> nix::Result<Option<Self>> {
        let changes = function.interrupts().control_changes();
        let controls = function.interrupts().controls();
        let wake = function.wake();
        if controls.is_empty() && wake.is_none() {
            return Ok(None);
        }
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let watch = |fd, token| epoll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, token));
        watch(socket, SOCKET)?;
        if let Some(wake) = wake {
            watch(wake, WAKE)?;
        }
        for (token, control) in (CONTROLS..).zip(&controls) {
            watch(control.eventfd.as_fd(), token)?;
        }
        Ok(Some(Poller { epoll, controls, changes, wakes: wake.is_some() }))
    }

    /// Whether this set is what `function` wants to wait for.
    pub(super) fn is_current(this: Option<&Self>, function: &dyn Function) -> bool {
        let (changes, wakes) = this.map_or((0, false), |this| (this.changes, this.wakes));
        let interrupts = function.interrupts();
        wakes == function.wake().is_some() && changes == interrupts.control_changes()
    }

    /// Waits, does what eventfds ask for, and says whether the client has sent something.
    pub(super) fn wait(&self, function: &mut dyn Function) -> nix::Result<bool> {
        let mut events = [EpollEvent::empty(); 16];
        let count = match self.epoll.wait(&mut events, EpollTimeout::NONE) {
            Err(Errno::EINTR) => return Ok(false),
            waited => waited?,
        };
        let mut readable = false;
        for event in &events[..count] {
            match event.data() {
                SOCKET => readable = true,
                WAKE => {}
                token => self.poll_control(token - CONTROLS, function),
            }
        }
        if events[..count].iter().any(|event| event.data() == WAKE) {
            function.work();
        }
        Ok(readable)
    }

    fn poll_control(&self, index: u64, function: &dyn Function) {
        let control = usize::try_from(index).ok().and_then(|index| self.controls.get(index));
        if let Some(control) = control {
            function.interrupts().poll_control(control);
        }
    }
}
