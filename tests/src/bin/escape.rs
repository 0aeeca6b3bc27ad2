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

use vfio_user::{Cx, Device, PciDevice, Virtual};

#[derive(Debug, Default, PciDevice)]
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
}

impl Device for Escape {
    type Event = ();
}

impl Escape {
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
            what => panic!("attempt {what}"),
        };
        let errno = |error: io::Error| error.raw_os_error().unwrap_or(-1).cast_unsigned();
        self.errno = result.err().map_or(0, errno);
    }
}

fn main() -> vfio_user::Result<()> {
    vfio_user::main(Escape::default)
}
