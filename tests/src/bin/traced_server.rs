//! Serves a device whose registers make system calls that are easy to find in a trace.

use std::io::{Read, Write, stdin, stdout};
use std::time::Duration;

use nix::unistd::getppid;
use vfio_user::{Cx, Device, PciDevice, Remote, Server, Virtual, Work, WorkCx, Worker};

#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f7)]
#[bar(0: mem32, size = 0x1000)]
#[irq(intx)]
struct Traced {
    /// Leaves a `getppid` in the trace.
    #[reg(0x00, wo, write_with = Self::mark)]
    mark: Virtual<u32>,
    /// Says so, and waits for a byte of the standard input.
    #[reg(0x04, wo, write_with = Self::hold)]
    hold: Virtual<u32>,
    /// Keeps a remote.
    #[reg(0x08, wo, write_with = Self::keep)]
    keep: Virtual<u32>,
    #[reg(0x0c)]
    scratch: u32,
    /// A doorbell without an eventfd costs nothing.
    #[reg(0x10, wo, kick = Self::kicked)]
    bell: Virtual<u32>,
    /// The level of INTx.
    #[reg(0x14, on_write = Self::set_level)]
    level: u32,
    #[migrate(skip)]
    remote: Option<Remote<()>>,
}

impl Device for Traced {
    type Event = ();
}

#[expect(clippy::unused_self, reason = "hooks are methods")]
impl Traced {
    fn mark(&mut self, _: &mut Cx<'_, Self>, _: u32) {
        getppid();
    }

    fn hold(&mut self, _: &mut Cx<'_, Self>, _: u32) {
        stdout().write_all(b"held\n").expect("standard output");
        stdin().read_exact(&mut [0; 1]).expect("standard input");
    }

    fn set_level(&mut self, cx: &mut Cx<'_, Self>, _: u32, level: u32) {
        cx.irq(0).set(level != 0);
    }

    fn kicked(&mut self, _: &mut Cx<'_, Self>) {}

    fn keep(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        self.remote = Some(cx.remote());
    }
}

/// A device that looks at a page.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f8)]
#[bar(0: mem32, size = 0x2000, shared(0x1000..0x2000))]
struct Watcher {
    /// Leaves a `getppid` in the trace.
    #[reg(0x00, wo, write_with = Self::mark)]
    mark: Virtual<u32>,
    #[reg(0x04, ro)]
    seen: u32,
    #[reg(0x1000, watch, on_write = Self::looked)]
    page: u32,
}

impl Device for Watcher {
    type Event = ();
}

#[expect(clippy::unused_self, reason = "hooks are methods")]
impl Watcher {
    fn mark(&mut self, _: &mut Cx<'_, Self>, _: u32) {
        getppid();
    }

    fn looked(&mut self, _: &mut Cx<'_, Self>, _: u32, _: u32) {
        self.seen += 1;
    }
}

/// A device whose worker answers a doorbell.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f9)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 1)]
struct Worked {
    /// Leaves a `getppid` in the trace.
    #[reg(0x00, wo, write_with = Self::mark)]
    mark: Virtual<u32>,
    /// Starts the worker.
    #[reg(0x04, wo, write_with = Self::start_worker)]
    start: Virtual<u32>,
    #[reg(0x08, wo, kick = Self::kicked)]
    bell: Virtual<u32>,
    #[migrate(skip)]
    worker: Worker<Answers>,
}

#[derive(Debug, Default)]
struct Answers;

impl Work for Answers {
    fn turn(&mut self, cx: &WorkCx) -> bool {
        cx.irq(0).raise();
        false
    }
}

impl Device for Worked {
    type Event = ();
}

#[expect(clippy::unused_self, reason = "hooks are methods")]
impl Worked {
    fn mark(&mut self, _: &mut Cx<'_, Self>, _: u32) {
        getppid();
    }

    fn start_worker(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        self.worker.run(cx).expect("a thread");
        self.worker.take_doorbell(cx, 0, 8).expect("a doorbell");
    }

    fn kicked(&mut self, _: &mut Cx<'_, Self>) {
        self.worker.wake();
    }
}

/// Arguments: a path, for how many seconds to spin, and `watch` for the device that looks at a
/// page or `work` for the one with a worker.
fn main() -> vfio_user::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().expect("a path");
    let spin = arguments.next().map_or(0, |spin| spin.parse().expect("seconds"));
    let device = arguments.next().unwrap_or_default();
    let server = Server::bind(path)?.once().spin(Duration::from_secs(spin));
    println!("listening");
    match &*device {
        "watch" => server.serve(Watcher::default)?,
        "work" => server.serve(Worked::default)?,
        _ => server.serve(Traced::default)?,
    };
    Ok(())
}
