//! The registers of the controller (3.1).

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use vfio_user::declaration::{Descriptor, Watching};
use vfio_user::{
    Cx, Device, DoorbellValues, Error, PciDevice, Register, ResetKind, Result, Resumed, Ring,
    Virtual, Worker,
};
use vfio_user_examples::DiskQueue;

use crate::queues::{MAX_ENTRIES, QUEUES, Queues};
use crate::subsystem::{Common, Subsystem};

/// The reset by CC.EN.
const CONTROLLER: u8 = 0;
/// Contiguous queues, 10 s to become ready, the NVM command set, pages of 4 to 64 KiB.
const CAPABILITIES: u64 = (MAX_ENTRIES as u64 - 1) | 1 << 16 | 20 << 24 | 1 << 37 | 4 << 52;

#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1234, device = 0x4e56, class = 0x01_0802)]
#[bar(0: mem64, size = 0x2000, access = 4..=8, shared(0x1000..0x2000))]
#[bar(2: mem32, size = 0x1000)]
#[irq(msix = QUEUES, bar = 2, table = 0, pba = 0x800)]
#[capability(pm, express(flr))]
pub(crate) struct Nvme {
    /// Controller Capabilities
    #[reg(0x00, ro, reset = CAPABILITIES)]
    cap: Virtual<u64>,
    /// Version
    #[reg(0x08, ro, reset = 0x0001_0400)]
    vs: Virtual<u32>,
    /// Controller Configuration
    #[reg(0x14, test(exclude = policies), on_write = Self::configured)]
    cc: Configuration,
    /// Controller Status
    #[reg(0x1c, ro, volatile, read_with = Self::status)]
    csts: Status,
    /// Admin Queue Attributes
    #[reg(0x24, mask = 0x0fff_0fff, reset(soft(CONTROLLER) = keep))]
    aqa: u32,
    /// Admin Submission Queue Base Address
    #[reg(0x28, mask = !0xfff, reset(soft(CONTROLLER) = keep))]
    asq: u64,
    /// Admin Completion Queue Base Address
    #[reg(0x30, mask = !0xfff, reset(soft(CONTROLLER) = keep))]
    acq: u64,
    /// Submission Queue Tail and Completion Queue Head of each queue
    #[reg(0x1000, watch, reset = DoorbellValues::NONE, write_with = Self::ring)]
    doorbells: [Virtual<u32>; 2 * QUEUES as usize],
    pub(crate) queues: Worker<Queues>,
    /// Those of the queues.
    #[migrate(skip)]
    pub(crate) bells: DoorbellValues,
    #[migrate(skip)]
    common: Common,
    #[migrate(skip)]
    polls: bool,
}

#[derive(Clone, Copy, Debug, Default, Register)]
#[register(u32)]
struct Configuration {
    #[field(bit = 0)]
    enable: bool,
    #[field(bits = 4..=6)]
    command_set: u8,
    /// The size of a page, from 4 KiB.
    #[field(bits = 7..=10)]
    page_size: u8,
    #[field(bits = 11..=13)]
    arbitration: u8,
    #[field(bits = 14..=15)]
    shutdown: u8,
    #[field(bits = 16..=19)]
    submission_entry_size: u8,
    #[field(bits = 20..=23)]
    completion_entry_size: u8,
}

#[derive(Clone, Copy, Debug, Default, Register)]
#[register(u32)]
struct Status {
    #[field(bit = 0)]
    ready: bool,
    #[field(bit = 1)]
    fatal: bool,
    /// Shutdown Status is 10b.
    #[field(bit = 3)]
    is_shut_down: bool,
}

impl Nvme {
    /// Creates a controller with these namespaces.
    pub(crate) fn new(subsystem: Arc<Subsystem>, polls: bool) -> Self {
        let queues = Queues::new(subsystem);
        Nvme {
            cap: Virtual::default(),
            vs: Virtual::default(),
            cc: Configuration::default(),
            csts: Status::default(),
            aqa: 0,
            asq: 0,
            acq: 0,
            doorbells: [Virtual::default(); 2 * QUEUES as usize],
            bells: queues.doorbells.clone(),
            common: queues.common.clone(),
            queues: Worker::new(queues),
            polls,
        }
    }

    fn configured(&mut self, cx: &mut Cx<'_, Self>, old: Configuration, new: Configuration) {
        if new.enable {
            let sizes = [new.submission_entry_size, new.completion_entry_size];
            self.queues.state().entry_sizes = sizes;
        }
        match (old.enable, new.enable) {
            (false, true) => self.enable(cx),
            (true, false) => return cx.soft_reset(self, CONTROLLER),
            _ => {}
        }
        if new.shutdown != 0 && old.shutdown == 0 {
            // Commands are completed first, and what they wrote has to outlast the power.
            let mut queues = self.queues.state();
            queues.finish(DiskQueue::wait);
            queues.raise.drain(..).for_each(|vector| cx.irq(vector).raise());
            let _ = queues.common.subsystem.flush();
            drop(queues);
            self.queues.wake();
            self.csts.is_shut_down = true;
        }
    }

    fn enable(&mut self, cx: &mut Cx<'_, Self>) {
        let sizes = [self.aqa & 0xfff, self.aqa >> 16].map(|last| last + 1);
        let Configuration { page_size, command_set, .. } = self.cc;
        if page_size > 4 || command_set != 0 || sizes.contains(&1) {
            self.csts.fatal = true;
            return;
        }
        self.bells.close_all(cx.shared(0));
        (0..2).for_each(|admin| self.bells.open(cx.shared(0), admin));
        let rings = [Ring::new(self.asq, sizes[0]), Ring::new(self.acq, sizes[1])];
        self.queues.state().enable(4096 << page_size, rings);
        self.csts.ready = true;
        self.run(cx);
    }

    fn run(&mut self, cx: &mut Cx<'_, Self>) {
        let run = if self.polls { Worker::run_polling } else { Worker::run };
        let woken = self.common.transfers.wake(&self.queues);
        if let Err(error) = woken.and_then(|()| run(&mut self.queues, cx)) {
            eprintln!("nvme: no thread for the queues: {error}");
            self.csts.fatal = true;
        }
    }

    fn status(&mut self, _: &mut Cx<'_, Self>) -> Status {
        let fatal = self.csts.fatal || self.common.is_fatal.load(Ordering::Relaxed);
        // A controller that was reset is busy until no transfer accesses memory any more.
        let ready = self.csts.ready || !self.common.transfers.is_idle();
        Status { ready, fatal, ..self.csts }
    }

    fn ring(&mut self, _: &mut Cx<'_, Self>, index: usize, value: u32) {
        // Drivers read completions after they have disabled the controller, and ring for them.
        if !self.csts.ready {
            return;
        }
        self.bells.ring(index, value);
        self.queues.wake();
    }
}

impl Device for Nvme {
    type Event = ();

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        let watching = if self.polls { Watching::ByThreads } else { Watching::ByMessages };
        Ok(descriptor.set_watching(0, watching)?)
    }

    fn reset(&mut self, cx: &mut Cx<'_, Self>, _: ResetKind) {
        cx.end_session();
        self.common.is_fatal.store(false, Ordering::Relaxed);
        self.queues.state().reset();
    }

    fn saving(&mut self, _: &mut Cx<'_, Self>) {
        self.csts.fatal |= self.common.is_fatal.load(Ordering::Relaxed);
    }

    fn dma_mapped(&mut self, _: &mut Cx<'_, Self>, _: RangeInclusive<u64>) {
        self.queues.wake();
    }

    fn loaded(&mut self, _: &mut Cx<'_, Self>) -> Result<()> {
        let mut queues = self.queues.state();
        if !queues.is_valid() {
            return Err(Error::device("the state has queues that no controller has"));
        }
        queues.list();
        self.common.is_fatal = Arc::default();
        queues.common = self.common.clone();
        self.bells = queues.doorbells.clone();
        Ok(())
    }

    fn resume(&mut self, cx: &mut Cx<'_, Self>, _: Resumed) {
        if self.csts.ready {
            self.run(cx);
        }
    }
}
