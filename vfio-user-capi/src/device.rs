//! The function that the server drives: the callbacks of a context.

use std::ops::{Range, RangeInclusive};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use nix::errno::Errno as Nix;
use vfio_user::Dma;
use vfio_user::function::{
    Admission, BackgroundWork, Function, Interrupts, InvalidMessage, Migrate, Region,
    ShadowIoEventFds, ShownPages, Step,
};
use vfio_user::protocol::{Capabilities, Errno, IrqIndex, MigrationState, RegionIndex};

use crate::abi::{CONFIG_REGION, REGIONS, ResetType, region_flag};
use crate::callbacks::Access;
use crate::context::Context;
use crate::quiesce::Quieted;
use crate::region::RegionSetup;

/// The number of descriptors that libvfio-user accepts in one message.
const MAX_MSG_FDS: u32 = 8;

/// A context that outlives its server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ContextPointer(*const Context);

// SAFETY: a context belongs to one thread at a time, by the rules of the interface, and the server
// that holds this pointer is a part of the context: it runs in calls on the context alone.
unsafe impl Send for ContextPointer {}

impl ContextPointer {
    pub(crate) fn new(context: &Context) -> Self {
        ContextPointer(context)
    }

    fn get(&self) -> &Context {
        // SAFETY: the server is dropped before the rest of the context, which does not move, and
        // which is never borrowed mutably.
        unsafe { &*self.0 }
    }
}

/// A device in C.
#[derive(Debug)]
pub(crate) struct Device {
    context: ContextPointer,
    interrupts: Arc<Interrupts>,
    /// A copy of the regions, to lend from.
    regions: [RegionSetup; REGIONS],
    version: u64,
    shown: ShownPages,
}

impl Device {
    pub(crate) fn new(context: ContextPointer) -> Self {
        let of = context.get();
        // A device is created after that.
        let interrupts = of.interrupts.get().cloned();
        let interrupts = interrupts.unwrap_or_else(|| Arc::new(Interrupts::with_counts([0; 5])));
        let (regions, version) = (of.all_regions(), of.regions_version.get());
        Device { context, interrupts, regions, version, shown: ShownPages::default() }
    }

    /// Copies the regions, if the program has changed them.
    fn renew(&mut self) {
        let context = self.context.get();
        let version = context.regions_version.get();
        if self.version != version {
            self.regions = context.all_regions();
            self.version = version;
        }
    }

    fn access(&mut self, region: RegionIndex, offset: u64, data: Access<'_>) -> Result<(), Errno> {
        let context = self.context.get();
        let index = index_of(region);
        let setup = self.regions.get(index).ok_or(Errno::EINVAL)?;
        let left = setup.size.saturating_sub(offset);
        let Some(data) = data.within(left) else { return Ok(()) };
        let always = setup.flags & region_flag::ALWAYS_CALLBACK != 0;
        match setup.callback {
            callback if index == CONFIG_REGION && !always => {
                context.config.access(context, callback, offset, data)
            }
            Some(callback) => context.access(callback, data, offset),
            None => Err(Errno::EINVAL),
        }
    }
}

fn index_of(region: RegionIndex) -> usize {
    usize::try_from(u32::from(region)).unwrap_or(usize::MAX)
}

impl Function for Device {
    #[expect(clippy::unnecessary_literal_bound, reason = "the trait's signature")]
    fn name(&self) -> &str {
        "c"
    }

    fn region(&self, index: RegionIndex) -> Region<'_> {
        let index = index_of(index);
        self.regions.get(index).map_or(Region::ABSENT, |region| region.view(index))
    }

    fn read(&mut self, region: RegionIndex, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        self.access(region, offset, Access::Read(data))
    }

    fn write(&mut self, region: RegionIndex, offset: u64, data: &[u8]) -> Result<(), Errno> {
        self.access(region, offset, Access::Write(data))
    }

    fn shadow_ioeventfds(&self, region: RegionIndex) -> Option<ShadowIoEventFds<'_>> {
        Some(self.regions.get(index_of(region))?.shadow_ioeventfds())
    }

    fn admit(&mut self, step: Step<'_>) -> Admission {
        self.renew();
        let context = self.context.get();
        match step {
            Step::Request { command, payload } => context.admit(command, payload),
            Step::Cleanup => match context.make_quiet() {
                Quieted::Later => Admission::Later,
                Quieted::Now | Quieted::Failed(_) => Admission::Now,
            },
            _ => Admission::Now,
        }
    }

    fn shown_pages(&mut self) -> Option<&mut ShownPages> {
        self.context.get().is_compatible.then_some(&mut self.shown)
    }

    fn invalid_message(&mut self, _: InvalidMessage) -> Option<Errno> {
        self.context.get().is_compatible.then_some(Errno::EINVAL)
    }

    fn reset(&mut self) {
        let context = self.context.get();
        if context.call_reset(ResetType::Device).is_ok() {
            context.migration_state.set(MigrationState::Running);
        }
    }

    fn announce(&self, capabilities: &mut Capabilities) {
        if self.context.get().is_compatible {
            capabilities.max_msg_fds = MAX_MSG_FDS;
        }
    }

    fn connected(&mut self) {
        self.context.get().note_connected();
    }

    fn not_connected(&mut self, errno: Errno) {
        let number = i32::try_from(errno.get()).unwrap_or(0);
        self.context.get().note_refused(Nix::from_raw(number));
    }

    fn disconnected(&mut self) {
        let context = self.context.get();
        context.note_left();
        if !context.is_ending.get() {
            // The client has left whatever the program says.
            let _ = context.call_reset(ResetType::LostConnection);
        }
        context.migration_state.set(MigrationState::Running);
    }

    fn dma_mapped(&mut self, range: RangeInclusive<u64>) {
        self.context.get().note_mapped(*range.start());
    }

    fn dma_unmapped(&mut self, range: RangeInclusive<u64>) {
        self.context.get().note_unmapped(range);
    }

    fn irqs_masked(&mut self, index: IrqIndex, vectors: Range<u32>, masked: bool) {
        let count = vectors.end - vectors.start;
        self.context.get().call_irq_state(index as usize, vectors.start, count, masked);
    }

    fn interrupts(&self) -> &Arc<Interrupts> {
        &self.interrupts
    }

    fn dma(&self) -> &Dma {
        &self.context.get().dma
    }
}

impl BackgroundWork for Device {
    fn wake(&self) -> Option<BorrowedFd<'_>> {
        let context = self.context.get();
        let waits = context.is_quiescing() || context.has_arrived();
        waits.then(|| context.wake.as_fd())
    }

    fn work(&mut self) {
        let context = self.context.get();
        if !context.has_arrived() {
            context.wake.take();
        }
    }
}

impl Migrate for Device {
    fn migration_state(&self) -> Option<MigrationState> {
        let context = self.context.get();
        context.callbacks.migration.get().map(|_| context.migration_state.get())
    }

    fn migrate(&mut self, target: MigrationState) -> Result<(), Errno> {
        self.context.get().migrate(target)
    }

    fn read_state(&mut self, data: &mut [u8]) -> Result<usize, Errno> {
        self.context.get().read_state(data)
    }

    fn write_state(&mut self, data: &[u8]) -> Result<(), Errno> {
        self.context.get().write_state(data)
    }
}
