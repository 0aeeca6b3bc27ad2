//! A device whose hook runs a script of its test with access to memory and events.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use vfio_user::{Cx, Device, DmaError, PciDevice, SessionDma, Virtual};

/// A device whose hook runs a script of its test.
#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f9)]
#[bar(0: mem32, size = 0x1000)]
#[irq(intx, msix = 4)]
pub struct Actor {
    #[reg(Self::ACT, wo, write_with = Self::act)]
    act: Virtual<u32>,
    #[reg(Self::SCRATCH)]
    scratch: u32,
    #[reg(Self::BELL, wo, kick = Self::kicked)]
    bell: Virtual<u32>,
    #[migrate(skip)]
    script: Script,
    #[migrate(skip)]
    reports: Sender<Report>,
}

/// The script that a write to [`Actor::ACT`] runs.
#[derive(Clone)]
struct Script(Arc<Act>);

type Act = dyn Fn(&Cx<'_, Actor>, u32) + Send + Sync;

/// A report to the test.
#[derive(Debug)]
pub enum Report {
    /// The device's memory, for other threads.
    Memory(Box<SessionDma>),
    /// The result of a read.
    Bytes(Result<Vec<u8>, DmaError>),
    /// An event that runs the script, as a write of this value does.
    Act(u32),
}

impl Actor {
    /// The register that runs the script.
    pub const ACT: u64 = 0;
    /// A register without effects.
    pub const SCRATCH: u64 = 4;
    /// A doorbell whose eventfd runs the script with [`Actor::KICKED`].
    pub const BELL: u64 = 8;
    /// See [`Actor::BELL`].
    pub const KICKED: u32 = u32::MAX;

    /// Creates actors with one script, and a receiver of their reports. Actors report posted events
    /// as well.
    pub fn factory(
        act: impl Fn(&Cx<'_, Self>, u32) + Send + Sync + 'static,
    ) -> (impl FnMut() -> Self + Send + 'static, Receiver<Report>) {
        let (script, (reports, receiver)) = (Script(Arc::new(act)), channel());
        let factory = move || Actor {
            act: Virtual::default(),
            scratch: 0,
            bell: Virtual::default(),
            script: script.clone(),
            reports: reports.clone(),
        };
        (factory, receiver)
    }

    fn act(&mut self, cx: &mut Cx<'_, Self>, value: u32) {
        (self.script.0)(cx, value);
    }

    fn kicked(&mut self, cx: &mut Cx<'_, Self>) {
        (self.script.0)(cx, Self::KICKED);
    }

    fn report(&self, report: Report) {
        // A test that has ended does not receive any more.
        let _ = self.reports.send(report);
    }
}

impl Device for Actor {
    type Event = Report;

    fn event(&mut self, cx: &mut Cx<'_, Self>, event: Report) {
        match event {
            Report::Act(value) => self.act(cx, value),
            event => self.report(event),
        }
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script")
    }
}
