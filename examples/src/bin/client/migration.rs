//! Moves a server to another process.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use vfio_user::protocol::MigrationState;

use crate::end::End;
use crate::guest::Guest;
use crate::{PATIENCE, Result, expect, whole};

/// The source and the destination of a migration.
pub(crate) struct Migration {
    pub(crate) source: End,
    /// The destination's program.
    pub(crate) server: PathBuf,
    /// The destination's socket.
    pub(crate) path: PathBuf,
    /// Seconds until the interrupt.
    pub(crate) alarm: u64,
}

impl Migration {
    /// Moves the server, and receives from the destination the interrupt that was programmed on the
    /// source. If the destination refuses the state, the source continues.
    pub(crate) fn run(self) -> Result<()> {
        let (destination, server) = self.hand_over().map_err(|error| match self.run_on() {
            Ok(()) => format!("{}; the source runs on", whole(&*error)),
            Err(why) => format!("{}; the source does not run on: {}", whole(&*error), whole(&*why)),
        })?;
        destination.set_up()?;
        destination.expect_alarm(self.alarm)?;
        expect(self.source.irq.take().is_none(), "the source is silent")?;
        println!("destination: the interrupt of the source has come, and memory is written");
        destination.client.dma_unmap_all()?;
        drop(destination);
        server.wait()?;
        println!("destination: it has ended with its client");
        Ok(())
    }

    /// Moves the state, and returns the running destination.
    fn hand_over(&self) -> Result<(End, Server)> {
        let Migration { source, server, path, alarm } = self;
        source.client.set_migration_state(MigrationState::PreCopy)?;
        let guest = Guest::start(source.bar1.clone());
        let early = source.client.save(&mut std::io::sink())?;
        println!("source: {early} bytes read in pre-copy, while a guest writes BAR 1");
        let mut server = Server::start(server, path)?;
        let destination = server.attach(path)?;
        destination.client.set_migration_state(MigrationState::Resuming)?;
        println!("destination: started as process {}, it expects a state", server.0.id());

        source.set_alarm(*alarm)?;
        let written = guest.stop()?;
        let (times, checksum) = (written.times, crc32c::crc32c(&written.last));
        println!("source: the guest has written BAR 1 {times} times, checksum {checksum:08x}");
        expect(source.bar1.checksum()? == checksum, "BAR 1 is what the guest wrote last")?;
        self.copy(&destination)?;
        expect(destination.bar1.checksum()? == checksum, "BAR 1 of the destination is the same")?;
        println!("destination: BAR 1 has checksum {checksum:08x}");
        destination.client.set_migration_state(MigrationState::Running)?;
        source.client.set_migration_state(MigrationState::Stop)?;
        println!("destination: it runs, and the source has stopped");
        Ok((destination, server))
    }

    /// Sends the last read bytes: they are the whole state, and libvfio-user's sample accepts no
    /// others. Bytes that were read before are not sent.
    fn copy(&self, destination: &End) -> Result<()> {
        let begin = Instant::now();
        let mut state = Vec::new();
        self.source.client.set_migration_state(MigrationState::StopCopy)?;
        self.source.client.save(&mut state)?;
        destination.client.write_migration_data(&state)?;
        destination.client.set_migration_state(MigrationState::Stop)?;
        println!("source: {} bytes moved in {:.1?}", state.len(), begin.elapsed());
        expect(state.len() == self.source.bar1.size + 8, "the state is BAR 1 and BAR 0")
    }

    /// Resumes the source, and checks that it works.
    fn run_on(&self) -> Result<()> {
        let client = &self.source.client;
        client.set_migration_state(MigrationState::Running)?;
        expect(client.migration_state()? == MigrationState::Running, "it is running")?;
        self.source.set_alarm(1)?;
        self.source.expect_alarm(1)?;
        println!("source: it is running again, and its interrupt has come");
        // Serves the requests that the server still waits for first.
        Ok(client.dma_unmap_all()?)
    }
}

/// The process of the destination, which ends when this is dropped.
struct Server(Child);

impl Server {
    fn start(program: &Path, socket: &Path) -> Result<Self> {
        let child = Command::new(program).arg("-v").arg(socket).spawn();
        let cannot = |error| format!("the destination {} cannot start: {error}", program.display());
        Ok(Server(child.map_err(cannot)?))
    }

    /// Attaches to the server as soon as it listens.
    fn attach(&mut self, path: &Path) -> Result<End> {
        let start = Instant::now();
        loop {
            match End::attach(path, Duration::from_millis(50)) {
                Err(error) if !is_missing(&*error) || start.elapsed() > PATIENCE => {
                    return Err(error);
                }
                Err(_) => {}
                Ok(end) => return Ok(end),
            }
            if let Some(status) = self.0.try_wait()? {
                return Err(format!("the destination does not start: {status}").into());
            }
        }
    }

    fn wait(mut self) -> Result<()> {
        expect(self.0.wait()?.success(), "the destination ends well")
    }
}

/// Whether no server listens at the socket yet.
fn is_missing(error: &(dyn std::error::Error + 'static)) -> bool {
    let missing = [ErrorKind::NotFound, ErrorKind::ConnectionRefused];
    match error.downcast_ref() {
        Some(vfio_user::Error::Socket { source, .. }) => missing.contains(&source.kind()),
        _ => false,
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
