//! A server that serves its devices until it ends.

use std::thread;

use super::endpoint::Endpoint;
use super::reactor::{Own, Reactor};
use super::{ServedId, Server, ServerEnd, Socket};
use crate::device::PciDevice;
use crate::error::{Error, Result};
use crate::function::{Function, PciFunction};
use crate::take_over::TakeOverError;

impl Server {
    /// Serves the device that `factory` creates until a [shutdown](Self::shutdown_handle) is
    /// requested. Over a given stream, or with [`once`](Self::once), it returns when the client has
    /// left. Devices that were [added](Self::add) are served as well.
    ///
    /// `factory` runs again after a panic in a hook: the panic ends the client's session, and the
    /// next client gets a new device.
    ///
    /// # Errors
    ///
    /// The reason why the device cannot be served, or why the socket cannot accept clients;
    /// [`NoSocket`](Error::NoSocket) if the server has no socket of its own. Errors of a client are
    /// only logged.
    pub fn serve<D: PciDevice>(self, mut factory: impl FnMut() -> D) -> Result<ServerEnd> {
        self.serve_functions(move || Ok(Box::new(PciFunction::new(factory())?)))
    }

    /// As [`serve`](Self::serve), for a function that is not derived.
    ///
    /// # Errors
    ///
    /// As [`serve`](Self::serve).
    pub fn serve_functions(
        mut self,
        mut factory: impl FnMut() -> Result<Box<dyn Function>>,
    ) -> Result<ServerEnd> {
        let socket = self.socket.take().ok_or(Error::NoSocket)?;
        self.serve_each(vec![socket], |_| factory(), || {})
    }

    /// As [`serve_functions`](Self::serve_functions), for several sockets: `factory` receives the
    /// index of one. Unlike those of [`add_function`](Self::add_function), it need not be `Send`,
    /// and may borrow. `on_start` runs when the devices are there.
    ///
    /// # Errors
    ///
    /// As [`serve`](Self::serve).
    pub(crate) fn serve_each(
        mut self,
        sockets: Vec<Socket>,
        mut factory: impl FnMut(usize) -> Result<Box<dyn Function>>,
        on_start: impl FnOnce(),
    ) -> Result<ServerEnd> {
        let mut ids = Vec::new();
        for (index, socket) in sockets.into_iter().enumerate() {
            let id = ServedId::next();
            self.reactor.add(Endpoint::new(id, socket, factory(index)?, None));
            ids.push(id);
        }
        self.reactor.begin()?;
        on_start();
        self.run_here(&mut |id| {
            let index = ids.iter().position(|own| *own == id).ok_or(Error::NoSocket)?;
            factory(index)
        })
    }

    /// Serves the devices that were added, on this thread, until a
    /// [shutdown](Self::shutdown_handle) is requested, until the last device is gone and no
    /// [handle](Self::handle) is left that could add another one, or until another program has
    /// [taken over](Self::take_over).
    ///
    /// ```no_run
    /// # fn clean_up() {}
    /// # let server = vfio_user::Server::new()?;
    /// if server.run()? != vfio_user::ServerEnd::HandedOver {
    ///     clean_up();
    /// }
    /// # Ok::<(), vfio_user::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The first error that ended a device. The other devices were served until the end.
    /// [`NoDevice`](Error::NoDevice) if the server was created with a socket of its own, which
    /// needs [`serve`](Self::serve); [`NoSocket`](Error::NoSocket) if it was not, and an option of
    /// a socket was set, such as [`once`](Self::once).
    pub fn run(self) -> Result<ServerEnd> {
        self.check()?;
        self.run_here(&mut |_| Err(Error::NoSocket))
    }

    /// Serves as [`run`](Self::run), on `threads` threads including this one. Devices are
    /// distributed over them; each stays on its thread.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and the reason why a thread cannot be started.
    pub fn run_on(self, threads: usize) -> Result<ServerEnd> {
        self.check()?;
        if threads > 1 && self.reactor.has_take_over() {
            return Err(TakeOverError::SeveralThreads.into());
        }
        let others: Vec<Reactor> =
            (1..threads).map(|_| Reactor::new(&self.shutdown)).collect::<Result<_>>()?;
        for other in &others {
            self.registry.extend(other.queue());
        }
        self.registry.spread();
        thread::scope(|scope| {
            let mut running = Vec::new();
            for mut reactor in others {
                reactor.follow(&self.registry, 0);
                reactor.spin(self.spin);
                let thread = thread::Builder::new().name("vfio-user".to_owned());
                let run = move || reactor.run(&mut |_| Err(Error::NoSocket));
                running.push(thread.spawn_scoped(scope, run)?);
            }
            let here = self.run();
            let finished = |_| Ok(ServerEnd::Finished);
            let there = running.into_iter().map(|thread| thread.join().unwrap_or_else(finished));
            there.fold(here, Result::and)
        })
    }

    fn run_here(self, own: &mut Own<'_>) -> Result<ServerEnd> {
        let Server { mut reactor, registry, .. } = self;
        reactor.follow(&registry, 0);
        drop(registry);
        reactor.run(own)
    }
}
