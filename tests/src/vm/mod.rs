//! Real guests: QEMU boots Linux with devices of ours and runs a script in it.
//!
//! ```no_run
//! use vfio_user_tests::vm::{Program, Vm};
//!
//! let Some(vm) = Vm::find() else { return };
//! let device = Program::example("trivial", &[]);
//! let output = vm.guest("lspci -n").device(&device).run();
//! assert!(output.contains("1234:cafe"));
//! ```
//!
//! Every wait has a deadline, and panics with the guest's output when it passes.

mod guest;
pub mod idio16;
mod lines;
mod monitor;
mod program;

use std::env;
use std::fs::{File, create_dir_all};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

pub use guest::{Guest, Setup};
pub use monitor::Monitor;
pub use program::Program;

/// The files that `prepare.sh` creates and guests boot from.
#[derive(Clone, Debug)]
pub struct Vm {
    folder: PathBuf,
}

impl Vm {
    /// Checks whether guests can be booted here. If not, a test of a guest is skipped: this prints
    /// a message, and fails in CI, where the message would go unread.
    ///
    /// # Panics
    ///
    /// If guests cannot be booted and `CI` is set.
    pub fn find() -> Option<Self> {
        let vm = Vm { folder: folder() };
        if vm.folder.join("accel").exists() {
            return Some(vm);
        }
        let folder = vm.folder.display();
        assert!(env::var_os("CI").is_none(), "no guest in {folder}: run tests/vm/prepare.sh");
        // `eprintln` would be captured in a passing test.
        let _ = writeln!(
            io::stderr(),
            "\n*** A TEST IN A REAL GUEST WAS SKIPPED: there is none in {folder}.\
             \n*** tests/vm/prepare.sh makes one.\n"
        );
        None
    }

    /// Configures a guest that runs `script` with `sh`.
    pub fn guest(&self, script: &str) -> Setup {
        Setup::new(self.clone(), script)
    }

    /// Waits for one of the two slots for running guests on this machine.
    fn place(&self) -> Flock<File> {
        let open = |name| {
            let path = self.folder.join(name);
            File::create(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let first = Flock::lock(open("place-1"), FlockArg::LockExclusiveNonblock);
        let free = first
            .or_else(|_| Flock::lock(open("place-2"), FlockArg::LockExclusiveNonblock))
            .or_else(|_| Flock::lock(open("place-1"), FlockArg::LockExclusive));
        free.unwrap_or_else(|(_, errno)| panic!("no place for a guest: {errno}"))
    }
}

fn folder() -> PathBuf {
    if let Some(folder) = env::var_os("VM_DIR") {
        return folder.into();
    }
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || env::home_dir().unwrap_or_default().join(".cache");
    cache.unwrap_or_else(home).join("vfio-user-vm")
}

/// Returns a folder of this process for sockets and scripts, with a path short enough for a socket.
fn scratch(name: &str) -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = format!("vfio-user-{}-{count}-{name}", std::process::id());
    let folder = env::temp_dir().join(folder);
    create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    folder
}

/// Returns the path of a file in `tests/vm`.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vm").join(name)
}
