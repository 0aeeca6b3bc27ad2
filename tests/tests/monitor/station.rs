//! A device with something of everything, and a monitor.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};

use tempfile::TempDir;
use vfio_user::monitor::{self, Monitor, Page, Reply, Request};
use vfio_user::{Cx, Device, PciDevice, Register, RegisterBlock, Server, Virtual};
use vfio_user_tests::PATIENCE;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve::Running;

pub(crate) const EVENTS: u64 = 0x00;
pub(crate) const CONTROL: u64 = 0x04;
pub(crate) const RAISE: u64 = 0x08;
pub(crate) const COPY: u64 = 0x0c;
pub(crate) const WAIT: u64 = 0x10;
pub(crate) const STATUS: u64 = 0x14;
pub(crate) const DOORBELL: u64 = 0x18;
pub(crate) const RING: u64 = 0x20;
pub(crate) const QUEUES: u64 = 0x40;
pub(crate) const PHYCTL: u64 = 0x80;
pub(crate) const UNMAPPED: u64 = 0xf0;
pub(crate) const BUFFER: u64 = 0x100;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Register)]
#[register(u32)]
struct Control {
    #[field(bit = 0)]
    enable: bool,
    #[field(bits = 4..=7)]
    mode: u8,
}

#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
struct Queue {
    #[reg(0x0)]
    head: u32,
    #[reg(0x4)]
    tail: u32,
}

#[derive(PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10fb, name = "station")]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 4)]
#[unmodelled(PHYCTL = "PHYCTL")]
pub(crate) struct Station {
    #[reg(EVENTS, rc, reset = 5)]
    events: u32,
    #[reg(CONTROL)]
    control: Control,
    #[reg(RAISE, wo, write_with = Self::raise)]
    raise: Virtual<u32>,
    #[reg(COPY, wo, write_with = Self::copy)]
    copy: Virtual<u32>,
    #[reg(WAIT, wo, write_with = Self::wait)]
    wait: Virtual<u32>,
    #[reg(STATUS, ro, read_with = Self::status)]
    status: u32,
    #[reg(DOORBELL, wo, kick = Self::kicked)]
    doorbell: Virtual<u32>,
    #[reg(RING)]
    ring: [u32; 4],
    #[block(QUEUES, stride = 8)]
    queues: [Queue; 3],
    #[memory(BUFFER..0x180)]
    buffer: Box<[u8]>,
    /// Ends the hook that waits.
    #[migrate(skip)]
    end: Receiver<()>,
}

impl Device for Station {
    type Event = ();
}

impl Station {
    #[expect(clippy::unused_self, reason = "a hook")]
    fn raise(&mut self, cx: &mut Cx<'_, Self>, vector: u32) {
        cx.irq(u16::try_from(vector).unwrap_or(0)).raise();
    }

    /// Reads 16 bytes of the guest's memory, and writes 32.
    #[expect(clippy::unused_self, reason = "a hook")]
    fn copy(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        let mut data = [0; 16];
        cx.dma().read(0x1000, &mut data).unwrap();
        cx.dma().write(0x1800, &[data, data].concat()).unwrap();
    }

    #[expect(clippy::unused_self, reason = "a hook")]
    fn kicked(&mut self, _: &mut Cx<'_, Self>) {}

    fn wait(&mut self, _: &mut Cx<'_, Self>, _: u32) {
        self.end.recv_timeout(PATIENCE).unwrap();
    }

    #[expect(clippy::unused_self, reason = "a hook")]
    fn status(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        0x80
    }
}

/// A station that is served, its client, and a tool at its monitor.
pub(crate) struct Observed {
    pub(crate) tool: monitor::Client,
    pub(crate) client: RawClient,
    pub(crate) path: PathBuf,
    /// Ends the hook that waits.
    pub(crate) end: Sender<()>,
    pub(crate) running: Running,
    _dir: TempDir,
}

pub(crate) fn observe() -> Observed {
    observe_with(|monitor| monitor)
}

pub(crate) fn observe_with(set_up: impl FnOnce(Monitor) -> Monitor) -> Observed {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("monitor.sock");
    let server = Server::bind(dir.path().join("device.sock")).unwrap();
    let server = server.monitor(set_up(Monitor::bind(&path).unwrap()));
    let (end, wait) = channel();
    let mut wait = Some(wait);
    let factory = move || Station {
        events: 0,
        control: Control::default(),
        raise: Virtual::default(),
        copy: Virtual::default(),
        wait: Virtual::default(),
        status: 0,
        doorbell: Virtual::default(),
        ring: [0; 4],
        queues: [Queue::default(); 3],
        buffer: vec![0; 0x80].into(),
        end: wait.take().unwrap_or_else(|| channel().1),
    };
    let running = Running::start(server, |server| server.serve(factory));
    let mut client = RawClient::connect(&dir.path().join("device.sock"));
    client.negotiate();
    Observed { tool: connect(&path), client, path, end, running, _dir: dir }
}

pub(crate) fn connect(path: &Path) -> monitor::Client {
    monitor::Client::connect(path, PATIENCE).unwrap()
}

impl Observed {
    pub(crate) fn value(&mut self, name: &str) -> u64 {
        match self.tool.ask(&Request::Register { name: name.to_owned() }).unwrap() {
            Reply::Register(register) => register.value,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn counters(&mut self) -> monitor::Counters {
        match self.tool.ask(&Request::Counters).unwrap() {
            Reply::Counters(counters) => counters,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn last(&mut self) -> Vec<monitor::LastAccess> {
        match self.tool.ask(&Request::Last).unwrap() {
            Reply::Last(accesses) => accesses,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn registers(&mut self) -> Vec<monitor::NamedValue> {
        self.all(
            |from| Request::Registers { from },
            |reply| match reply {
                Reply::Registers(page) => Some(page),
                _ => None,
            },
        )
    }

    pub(crate) fn accesses(&mut self) -> Vec<monitor::AccessCount> {
        self.all(
            |from| Request::Accesses { from },
            |reply| match reply {
                Reply::Accesses(page) => Some(page),
                _ => None,
            },
        )
    }

    pub(crate) fn vectors(&mut self) -> Vec<monitor::Vector> {
        self.all(
            |from| Request::Interrupts { from },
            |reply| match reply {
                Reply::Interrupts(page) => Some(page),
                _ => None,
            },
        )
    }

    pub(crate) fn mappings(&mut self) -> Vec<monitor::Mapping> {
        self.all(
            |from| Request::Dma { from },
            |reply| match reply {
                Reply::Dma(page) => Some(page),
                _ => None,
            },
        )
    }

    pub(crate) fn hooks(&mut self) -> Vec<monitor::HookTime> {
        self.all(
            |from| Request::Hooks { from },
            |reply| match reply {
                Reply::Hooks(page) => Some(page),
                _ => None,
            },
        )
    }

    pub(crate) fn unmodelled(&mut self) -> Vec<monitor::UnmodelledPlace> {
        self.all(
            |from| Request::Unmodelled { from },
            |reply| match reply {
                Reply::Unmodelled(page) => Some(page),
                _ => None,
            },
        )
    }

    fn all<T>(
        &mut self,
        request: impl Fn(u64) -> Request,
        page: impl Fn(Reply) -> Option<Page<T>>,
    ) -> Vec<T> {
        self.tool.all(request, page).unwrap()
    }
}
