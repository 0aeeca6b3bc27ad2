//! The device in a process of its own: this program once more.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use vfio_user::Server;
use vfio_user::client::AttachOptions;
use vfio_user::monitor::Monitor;

use crate::device::Copier;
use crate::{Result, expect};

/// The argument with which this program starts itself as the device.
pub(crate) const SERVE: &str = "--serve";

/// Serves the device to one client, with a monitor beside the socket.
pub(crate) fn serve(path: &Path) -> Result<()> {
    let monitor = Monitor::bind(monitor_of(path))?;
    Server::bind(path)?.monitor(monitor).once().serve(Copier::default)?;
    Ok(())
}

/// Attaches as soon as the device listens.
pub(crate) fn patient() -> AttachOptions {
    let time = Duration::from_secs(30);
    AttachOptions { timeout: time, patience: time, ..AttachOptions::default() }
}

fn monitor_of(path: &Path) -> PathBuf {
    path.with_extension("mon")
}

/// The device's process, and the folder of its sockets; dropping this removes both.
pub(crate) struct ServerProcess {
    child: Child,
    folder: PathBuf,
}

impl ServerProcess {
    pub(crate) fn start(name: &str) -> Result<Self> {
        let folder = env::temp_dir().join(format!("vfio-user-demo.{}.{name}", std::process::id()));
        fs::create_dir(&folder)?;
        let path = folder.join("device.sock");
        let child = Command::new(env::current_exe()?).arg(SERVE).arg(path).spawn()?;
        Ok(ServerProcess { child, folder })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("device.sock")
    }

    pub(crate) fn monitor(&self) -> PathBuf {
        monitor_of(&self.socket())
    }

    pub(crate) fn wait(mut self) -> Result<()> {
        let status = self.child.wait()?;
        expect(status.success(), "the server ends well")
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Nothing can be done about a process that is gone, or a folder that stays.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
