//! A device that does a little of everything, with a flaw if a test wants one.

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use vfio_user::client::PciView;
use vfio_user::serde::{Deserialize, Serialize};
use vfio_user::{Cx, Device, PciDevice, ResetKind, Timer, Virtual};
use vfio_user_tests::PATIENCE;
use vfio_user_tests::recording::record;

/// What a changed version of the device does differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Flaw {
    #[default]
    None,
    /// `sum` is one too large once `value` has been 7.
    Sum,
    /// The interrupt of the timer is another one.
    Vector,
    /// The timer raises no interrupt.
    Silence,
    /// The copy has another last byte.
    Copy,
    /// The copy reads another address.
    Source,
    /// A write of 7 panics.
    Panic,
}

pub(crate) mod reg {
    pub(crate) const VALUE: u64 = 0x00;
    pub(crate) const SUM: u64 = 0x04;
    pub(crate) const DELAY: u64 = 0x08;
    pub(crate) const SOURCE: u64 = 0x10;
    pub(crate) const COPY: u64 = 0x18;
    pub(crate) const SPAWN: u64 = 0x20;
    pub(crate) const EVENTS: u64 = 0x24;
    pub(crate) const FETCH: u64 = 0x28;
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe, name = "panel")]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 2)]
pub(crate) struct Panel {
    #[reg(0x00, on_write = Self::add)]
    value: u32,
    #[reg(0x04, ro)]
    sum: u32,
    /// Arms the timer, in microseconds.
    #[reg(0x08, wo, write_with = Self::arm)]
    delay: Virtual<u32>,
    #[reg(0x10)]
    source: u64,
    /// Copies 16 bytes from the source to this address.
    #[reg(0x18, wo, write_with = Self::copy)]
    copy: Virtual<u64>,
    /// Posts an event from a thread.
    #[reg(0x20, wo, write_with = Self::spawn)]
    spawn: Virtual<u32>,
    #[reg(0x24, ro)]
    events: u32,
    /// Fetches 8 bytes from the source, and adds them up in `events`.
    #[reg(0x28, wo, write_with = Self::fetch)]
    fetch: Virtual<u32>,
    #[timer(Self::expired)]
    timer: Timer,
    #[migrate(skip)]
    flaw: Flaw,
}

#[derive(Serialize, Deserialize)]
#[serde(crate = "vfio_user::serde")]
pub(crate) struct Add(u32);

impl Device for Panel {
    type Event = Add;

    fn event(&mut self, cx: &mut Cx<'_, Self>, Add(number): Add) {
        self.events += number;
        cx.irq(1).raise();
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, kind: ResetKind) {
        self.events = u32::from(kind == ResetKind::FunctionLevel);
    }
}

impl Panel {
    pub(crate) fn new(flaw: Flaw) -> Self {
        Panel { flaw, ..Panel::default() }
    }

    fn add(&mut self, _: &mut Cx<'_, Self>, _old: u32, new: u32) {
        assert!(new != 7 || self.flaw != Flaw::Panic, "seven");
        self.sum += new;
        self.sum += u32::from(new == 7 && self.flaw == Flaw::Sum);
    }

    fn arm(&mut self, cx: &mut Cx<'_, Self>, micros: u32) {
        self.timer.arm(cx, Duration::from_micros(micros.into()));
    }

    fn expired(&mut self, cx: &mut Cx<'_, Self>) {
        self.sum += 1000;
        match self.flaw {
            Flaw::Silence => {}
            Flaw::Vector => cx.irq(1).raise(),
            _ => cx.irq(0).raise(),
        }
    }

    fn copy(&mut self, cx: &mut Cx<'_, Self>, target: u64) {
        let mut bytes = [0; 16];
        let source = self.source + u64::from(self.flaw == Flaw::Source);
        let done = cx.dma().read(source, &mut bytes);
        bytes[15] ^= u8::from(self.flaw == Flaw::Copy);
        self.sum += u32::from(done.and_then(|()| cx.dma().write(target, &bytes)).is_err());
    }

    fn spawn(_: &mut Self, cx: &mut Cx<'_, Self>, number: u32) {
        let remote = cx.remote();
        std::thread::spawn(move || remote.post(Add(number)).is_ok());
    }

    fn fetch(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        cx.fetch(self.source, 8, |bytes| {
            Add(bytes.unwrap_or_default().into_iter().map(u32::from).sum())
        });
    }
}

/// Records a device that is driven like this.
pub(crate) fn recorded(flaw: Flaw, drive: impl FnOnce(&PciView)) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("panel.rec");
    record(Panel::new(flaw), &path, drive);
    (folder, path)
}

/// Uses registers, the timer, the memory and a thread.
pub(crate) fn drive(panel: &PciView) {
    let (bar, irqs) = (panel.bar(0).unwrap(), panel.enable_msix(2).unwrap());
    let memory = panel.allocate(0x1000).unwrap();
    for value in [1_u32, 7, 30] {
        bar.write(reg::VALUE, value).unwrap();
    }
    assert_eq!(bar.read::<u32>(reg::SUM).unwrap(), 38);
    bar.write(reg::DELAY, 100_u32).unwrap();
    assert_eq!(irqs[0].wait(PATIENCE).unwrap(), Some(1));
    memory.write(0x10, b"sixteen letters!").unwrap();
    bar.write(reg::SOURCE, memory.iova() + 0x10).unwrap();
    bar.write(reg::COPY, memory.iova() + 0x100).unwrap();
    bar.write(reg::SPAWN, 5_u32).unwrap();
    assert_eq!(irqs[1].wait(PATIENCE).unwrap(), Some(1));
    assert_eq!(bar.read::<u32>(reg::EVENTS).unwrap(), 5);
    bar.write(reg::FETCH, 0_u32).unwrap();
    assert_eq!(irqs[1].wait(PATIENCE).unwrap(), Some(1));
    assert_eq!(bar.read::<u32>(reg::SUM).unwrap(), 1038);
    panel.reset().unwrap();
    assert_eq!(bar.read::<u32>(reg::EVENTS).unwrap(), 0);
}
