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
//! Everything waits with a deadline and panics when it passes, with what the guest has said.

mod guest;
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

/// What `prepare.sh` has made, from which guests boot.
#[derive(Clone, Debug)]
pub struct Vm {
    folder: PathBuf,
}

impl Vm {
    /// Finds out whether guests can be booted here. Without that, a test of a guest has nothing to
    /// do: this is said aloud, and fails where nobody would hear it.
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
        // Not `eprintln`, which a passing test keeps to itself.
        let _ = writeln!(
            io::stderr(),
            "\n*** A TEST IN A REAL GUEST WAS SKIPPED: there is none in {folder}.\
             \n*** tests/vm/prepare.sh makes one.\n"
        );
        None
    }

    /// A guest that is going to run `script`, which `sh` understands.
    pub fn guest(&self, script: &str) -> Setup {
        Setup::new(self.clone(), script)
    }

    /// Waits for a place among the guests that run, of which this machine has only two.
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

/// A folder of this process for sockets and scripts, short enough for the name of a socket.
fn scratch(name: &str) -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = format!("vfio-user-{}-{count}-{name}", std::process::id());
    let folder = env::temp_dir().join(folder);
    create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    folder
}

/// A file of `tests/vm`.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vm").join(name)
}
