//! A device program whose hooks do what no device needs.

use std::fs;
use std::io;
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, parent_id};
use std::process::Command;
use std::thread;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use rustix::process::{Resource, Rlimit, getppid, prlimit};

use vfio_user::{Cx, Device, FileQueue, FileQueueError, PciDevice, Virtual};

#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f3, name = "escape")]
#[bar(0: mem32, size = 0x1000)]
struct Escape {
    /// Makes the attempt with the number that is written, and stores its error: 0 if there is none.
    /// Panics if there is no such attempt.
    #[reg(0x0, wo, write_with = Self::attempt)]
    attempt: Virtual<u32>,
    #[reg(0x4, ro)]
    errno: u32,
    #[reg(0x8)]
    kept: u32,
    /// Of this program's file; `None` if the process was confined before.
    #[migrate(skip)]
    queue: Option<FileQueue<()>>,
}

impl Device for Escape {
    type Event = ();
}

impl Escape {
    fn new() -> Self {
        let queue = open_queue().ok();
        Escape { attempt: Virtual::default(), errno: 0, kept: 0, queue }
    }

    /// Makes a file durable by the queue.
    fn sync(&mut self) -> io::Result<()> {
        let queue = self.queue.as_mut().expect("a queue");
        queue.sync(0, ()).expect("room");
        let ((), done) = queue.wait()?.expect("a transfer");
        done.map_err(io::Error::other)
    }

    fn attempt(&mut self, _: &mut Cx<'_, Self>, what: u32) {
        let result = match what {
            0 => fs::read("/etc/passwd").map(drop),
            1 => fs::write("/tmp/escaped", "").map(drop),
            2 => thread::spawn(|| fs::read("/etc/passwd").map(drop)).join().unwrap(),
            3 => Err(Command::new("/bin/true").exec()),
            4 => Command::new("/bin/true").spawn().map(drop),
            5 => TcpStream::connect("127.0.0.1:9").map(drop),
            6 => UdpSocket::bind("127.0.0.1:0").map(drop),
            7 => UnixStream::connect("/run/nothing").map(drop),
            8 => kill(Pid::from_raw(parent_id().cast_signed()), None).map_err(Errno::into),
            9 => {
                let none = Rlimit { current: Some(0), maximum: None };
                prlimit(getppid(), Resource::Core, none).map(drop).map_err(io::Error::from)
            }
            10 => self.sync(),
            11 => match FileQueue::<()>::new(&[vfio_user_tests::files::memory(1)], 1) {
                Err(FileQueueError::Unsupported(error)) => Err(error),
                other => panic!("{other:?}"),
            },
            what => panic!("attempt {what}"),
        };
        let errno = |error: io::Error| error.raw_os_error().unwrap_or(-1).cast_unsigned();
        self.errno = result.err().map_or(0, errno);
    }
}

/// Creates a queue of this program's file.
fn open_queue() -> io::Result<FileQueue<()>> {
    let file = fs::File::open("/proc/self/exe")?;
    FileQueue::new(&[file], 1).map_err(io::Error::other)
}

fn main() -> vfio_user::Result<()> {
    vfio_user::main(Escape::new)
}
