//! A device with a monitor, and `vfu` at it.

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tempfile::TempDir;
use vfio_user::monitor::Monitor;
use vfio_user::{Cx, Device, EventFd, PciDevice, Register, Server, Virtual};
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve::Running;
use vfio_user_tests::wire::irq::MSIX;

/// The longest wait for what has to come.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, Default, Register)]
#[register(u32)]
struct Control {
    #[field(bit = 0)]
    enable: bool,
    #[field(bits = 4..=7)]
    speed: u8,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10fc, name = "pump")]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 2)]
#[unmodelled(0x80 = "PHYCTL")]
pub(crate) struct Pump {
    #[reg(0x00, rc, reset = 3)]
    events: u32,
    #[reg(0x04)]
    control: Control,
    #[reg(0x08, wo, write_with = Self::raise)]
    raise: Virtual<u32>,
    #[reg(0x0c, ro)]
    level: u32,
    #[reg(0x20)]
    ring: [u32; 4],
    /// Ends a hook that does not return before.
    #[migrate(skip)]
    end: Option<Receiver<()>>,
}

impl Device for Pump {
    type Event = ();
}

/// Written to `raise`: the hook does not return until it is ended.
pub(crate) const HANG: u32 = 0xffff_ffff;

impl Pump {
    fn raise(&mut self, cx: &mut Cx<'_, Self>, vector: u32) {
        if let (HANG, Some(end)) = (vector, &self.end) {
            end.recv_timeout(PATIENCE).expect("the test ends it");
        }
        cx.irq(u16::try_from(vector).unwrap_or(0)).raise();
    }
}

/// A pump that is served, and its client.
pub(crate) struct Observed {
    pub(crate) client: RawClient,
    pub(crate) path: PathBuf,
    pub(crate) running: Running,
    /// Ends the hook that hangs.
    pub(crate) end: Sender<()>,
    _eventfd: EventFd,
    _dir: TempDir,
}

pub(crate) fn observe(set_up: impl FnOnce(Monitor) -> Monitor) -> Observed {
    let dir = tempfile::tempdir().unwrap();
    let (path, socket) = (dir.path().join("pump.mon"), dir.path().join("pump.sock"));
    let monitor = set_up(Monitor::bind(&path).unwrap());
    let server = Server::bind(&socket).unwrap().monitor(monitor);
    let (end, wait) = channel();
    let mut wait = Some(wait);
    let factory = move || Pump { end: wait.take(), ..Pump::default() };
    let running = Running::start(server, |server| server.serve(factory));
    let mut client = RawClient::connect(&socket);
    client.negotiate();
    // The other vector has none, so that an interrupt of it stays pending.
    let eventfd = EventFd::new().unwrap();
    client.assign(MSIX, 0, &[eventfd.as_fd()]);
    Observed { client, path, running, end, _eventfd: eventfd, _dir: dir }
}

impl Observed {
    /// Accesses of every kind.
    pub(crate) fn work(&mut self) {
        for value in [0x31u32, 0x20, 0x51] {
            self.client.write(0, 0x04, &value.to_le_bytes());
        }
        self.client.write(0, 0x24, &[7, 0, 0, 0]);
        self.client.write(0, 0x08, &[1, 0, 0, 0]);
        self.client.write(0, 0x0c, &[1, 0, 0, 0]);
        self.client.write(0, 0x80, &[9, 0, 0, 0]);
        self.client.number(0, 0x24, 4);
    }

    pub(crate) fn vfu(&self, arguments: &[&str]) -> Output {
        let mut vfu = Command::new(env!("CARGO_BIN_EXE_vfu"));
        vfu.arg("inspect").arg(&self.path).args(arguments).output().expect("it runs")
    }

    /// Returns what `vfu inspect` prints, which has to succeed.
    #[track_caller]
    pub(crate) fn printed(&self, arguments: &[&str]) -> String {
        let output = self.vfu(arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("it writes text")
    }
}
