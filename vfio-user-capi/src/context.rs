//! A context: a device that a program describes, and its server.

use std::cell::{Cell, OnceCell, RefCell};
use std::ffi::c_void;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::ptr;
use std::sync::Arc;

use nix::errno::Errno;
use vfio_user::function::{Function, Interrupts};
use vfio_user::protocol::MigrationState;
use vfio_user::{Dma, EventFd, Server, Socket};

use crate::abi::{CONFIG_REGION, IRQ_TYPES, REGIONS, region_flag};
use crate::boundary::Result;
use crate::callbacks::Callbacks;
use crate::config::Config;
use crate::device::{ContextPointer, Device};
use crate::log::Sink;
use crate::quiesce::Quiesce;
use crate::quirks::Quirks;
use crate::region::{RegionSetup, errno_of};

/// `vfu_ctx_t`.
#[derive(Debug)]
pub struct Context {
    pub(crate) private: *mut c_void,
    pub(crate) is_nonblocking: bool,
    /// Whether it has the quirks of libvfio-user (`LIBVFIO_USER_COMPAT=1`).
    pub(crate) is_compatible: bool,
    pub(crate) callbacks: Callbacks,
    pub(crate) log: Sink,
    pub(crate) config: Config,
    regions: RefCell<[RegionSetup; REGIONS]>,
    /// Counts the changes of regions.
    pub(crate) regions_version: Cell<u64>,
    pub(crate) irq_counts: [Cell<u16>; IRQ_TYPES],
    /// Created when the device is realized.
    pub(crate) interrupts: OnceCell<Arc<Interrupts>>,
    pub(crate) dma: Dma,
    /// The number of regions that a client may map; `None` if the program uses no DMA.
    pub(crate) max_dma_regions: Cell<Option<usize>>,
    pub(crate) migration_state: Cell<MigrationState>,
    pub(crate) quiesce: Cell<Quiesce>,
    /// Whether it serves the client during a transfer outside of callbacks.
    pub(crate) is_transferring: Cell<bool>,
    /// Wakes the server: a client is to be attached, or it is to ask again whether a step may be
    /// done.
    pub(crate) wake: EventFd,
    pub(crate) client: Cell<Client>,
    /// The number of requests of clients.
    pub(crate) requests: Cell<u64>,
    /// The data that the client accepts in one message, in bytes.
    pub(crate) max_data: Cell<u64>,
    /// What the quirks need to know of the client.
    pub(crate) quirks: Quirks,
    /// Whether it is being destroyed.
    pub(crate) is_ending: Cell<bool>,
    /// Until the device is realized.
    socket: RefCell<Option<Socket>>,
    /// Borrowed mutably while it runs: then a call comes from a callback.
    server: RefCell<Option<Server>>,
}

/// The client of a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    None,
    /// A connection has ended before a version was negotiated.
    Refused(Errno),
    /// A client is connected, and `vfu_attach_ctx` has not reported it.
    Arrived,
    Attached,
    /// The client has left, and `vfu_run_ctx` has not reported it.
    Left {
        /// Whether the next one has arrived.
        next: bool,
    },
}

impl Context {
    /// Creates a context that listens at a path.
    pub(crate) fn new(path: &Path, is_nonblocking: bool, private: *mut c_void) -> Result<Self> {
        let socket = listen(path).map_err(|error| errno_of(&error))?;
        let is_compatible = std::env::var_os("LIBVFIO_USER_COMPAT").is_some_and(|on| on == "1");
        let socket =
            if is_compatible { socket.short_memory_files() } else { socket.any_memory_file() };
        let irq_counts = [0, 0, 0, 1, 1].map(Cell::new);
        Ok(Context {
            private,
            is_nonblocking,
            is_compatible,
            callbacks: Callbacks::default(),
            log: Sink::default(),
            config: Config::new(),
            regions: RefCell::default(),
            regions_version: Cell::new(0),
            irq_counts,
            interrupts: OnceCell::new(),
            dma: Dma::of_device(),
            max_dma_regions: Cell::new(None),
            migration_state: Cell::new(MigrationState::Running),
            quiesce: Cell::default(),
            is_transferring: Cell::default(),
            wake: EventFd::new().map_err(|error| errno_of(&error))?,
            client: Cell::new(Client::None),
            requests: Cell::new(0),
            max_data: Cell::new(0),
            quirks: Quirks::default(),
            is_ending: Cell::new(false),
            socket: RefCell::new(Some(socket)),
            server: RefCell::new(Some(Server::new().map_err(|error| errno_of(&error))?)),
        })
    }

    /// Returns the pointer by which the program knows it.
    pub(crate) fn raw(&self) -> *mut Self {
        ptr::from_ref(self).cast_mut()
    }

    pub(crate) fn is_realized(&self) -> bool {
        self.interrupts.get().is_some()
    }

    /// Returns a copy of a region, which a callback may change.
    pub(crate) fn region(&self, index: usize) -> Option<RegionSetup> {
        self.regions.borrow().get(index).cloned()
    }

    pub(crate) fn all_regions(&self) -> [RegionSetup; REGIONS] {
        self.regions.borrow().clone()
    }

    /// Changes a region.
    pub(crate) fn change_region<T>(
        &self,
        change: impl FnOnce(&mut [RegionSetup; REGIONS]) -> T,
    ) -> T {
        self.regions_version.set(self.regions_version.get() + 1);
        change(&mut self.regions.borrow_mut())
    }

    /// Completes the description, and serves the device from now on.
    pub(crate) fn realize(&self) -> Result<()> {
        if self.is_realized() {
            return Ok(());
        }
        self.config.realize(self);
        if self.region(CONFIG_REGION).is_none_or(|region| region.size == 0) {
            let size = self.config.size() as u64;
            self.change_region(|regions| {
                regions[CONFIG_REGION].size = size;
                regions[CONFIG_REGION].flags = region_flag::BOTH;
            });
        }
        let counts = self.irq_counts.each_ref().map(Cell::get);
        let interrupts = Arc::new(Interrupts::with_counts(counts));
        // It is empty, as was checked.
        let _ = self.interrupts.set(interrupts);
        self.serve()
    }

    /// Gives the device to the server.
    fn serve(&self) -> Result<()> {
        let Some(socket) = self.socket.take() else { return Err(Errno::EINVAL) };
        let pointer = ContextPointer::new(self);
        let create = move || Ok(Box::new(Device::new(pointer)) as Box<dyn Function>);
        self.with_server(|server| server.add_function(socket, create).map(drop))?;
        // From now on, the descriptor of `vfu_get_poll_fd` is readable for a client alone.
        self.process()
    }

    /// Returns whether a call comes from a callback, of the end as well.
    pub(crate) fn is_serving(&self) -> bool {
        self.is_ending.get() || self.server.try_borrow().is_err()
    }

    /// Runs a part of the server.
    ///
    /// # Errors
    ///
    /// `EBUSY` in a callback.
    pub(crate) fn with_server<T>(
        &self,
        run: impl FnOnce(&mut Server) -> vfio_user::Result<T>,
    ) -> Result<T> {
        let mut server = self.server.try_borrow_mut().map_err(|_| Errno::EBUSY)?;
        let server = server.as_mut().ok_or(Errno::EINVAL)?;
        run(server).map_err(|error| errno_of(&error))
    }

    /// Ends the server, which disconnects the client.
    pub(crate) fn end(&self) {
        // Callbacks run meanwhile, and must not find the server borrowed.
        let server = self.server.take();
        drop(server);
        self.socket.take();
    }

    /// Does the current work of the server.
    pub(crate) fn process(&self) -> Result<()> {
        self.with_server(|server| server.process().map(drop))
    }

    /// Waits for work, and does it.
    ///
    /// # Errors
    ///
    /// `EINTR` if the program has handled a signal meanwhile.
    pub(crate) fn wait_and_process(&self) -> Result<()> {
        let is_interrupted = self.with_server(|server| {
            server.wait_and_process()?;
            Ok(server.is_interrupted())
        })?;
        if is_interrupted { Err(Errno::EINTR) } else { Ok(()) }
    }

    /// Returns whether a connection waits for the version of its client.
    pub(crate) fn is_negotiating(&self) -> Result<bool> {
        self.with_server(|server| Ok(server.is_negotiating()))
    }

    /// Returns a descriptor that is readable while there is work.
    pub(crate) fn poll_fd(&self) -> Result<RawFd> {
        self.with_server(|server| Ok(server.poll_fd().as_raw_fd()))
    }

    /// Returns whether `vfu_attach_ctx` is to report a client.
    pub(crate) fn has_arrived(&self) -> bool {
        matches!(self.client.get(), Client::Arrived | Client::Left { next: true })
    }

    /// Notes that a client has connected, and wakes the program.
    pub(crate) fn note_connected(&self) {
        self.wake.signal();
        self.client.set(match self.client.get() {
            Client::Left { .. } => Client::Left { next: true },
            _ => Client::Arrived,
        });
    }

    /// Notes that the client has left.
    pub(crate) fn note_left(&self) {
        self.client.set(Client::Left { next: false });
    }

    /// Notes that a connection was refused.
    pub(crate) fn note_refused(&self, errno: Errno) {
        if self.client.get() == Client::None {
            self.client.set(Client::Refused(errno));
        }
    }
}

/// Listens at a path. An empty one is for programs that serve no client: the system chooses a name
/// that no other socket has.
fn listen(path: &Path) -> vfio_user::Result<Socket> {
    if path.as_os_str().is_empty() {
        Socket::from_listener(UnixListener::bind(path)?)
    } else {
        Socket::bind(path)
    }
}
