//! A derived device as a function.

mod access;
mod background_work;
mod call;
mod config;
mod hand_over;
mod memory;
mod migration;
mod place_name;
mod reset;
mod spin;
mod stopped;

use std::fmt;
use std::io;
use std::ops::{Range, RangeInclusive};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::running::RunningHook;
use super::watched::WatchedRegisters;
use super::{Doorbell, Function, FunctionRecord, Handing};
use crate::bus::{
    BarMap, Burndown, BurndownHandle, Composer, Latch, Refusals, RegisterStates, Touches,
    UnmodelledBytes, fast_path,
};
use crate::device::{Access, Clock, METHOD_NAMES, Method, PciDevice, ResetValues, Runtime};
use crate::dma::Dma;
use crate::interrupt::Interrupts;
use crate::layout::{self, BarKind};
use crate::limits::Limits;
use crate::log_throttle::LogThrottle;
use crate::model::{Bar, Descriptor, Region, ResetKind, ResetScope, Slot};
use crate::monitor::{Answer, Observer, Question};
use crate::parcel::{Packing, Unpacking};
use crate::pci::{ConfigSpace, MsixTable};
use crate::protocol::{Errno, RegionFlags, RegionIndex};
use crate::take_over::TakeOverError;
use crate::{Error, Result};
use migration::Migration;
use reset::Resetting;
use spin::Spin;

const CONFIG: usize = layout::CONFIG as usize;

mod state;
mod tapped;
mod timers;

use config::DisabledRegions;
pub(crate) use place_name::AccessedPlace;
use state::Initial;

/// The rules for accesses to registers of configuration space: those of a BAR with default rules.
pub(crate) const CONFIG_BAR: Bar = Bar::new(BarKind::Mem32, 0x1000);

/// A derived device as a [`Function`]: the author's device and the runtime's state for it.
pub struct PciFunction<D: PciDevice> {
    device: D,
    descriptor: Descriptor,
    runtime: Runtime<D::Event>,
    config: ConfigSpace,
    maps: [BarMap; 6],
    /// The device's own registers of configuration space.
    config_map: BarMap,
    msix: MsixTable,
    register_states: RegisterStates,
    unmodelled: UnmodelledBytes,
    refusals: Refusals,
    touches: Touches,
    spin: Spin,
    composer: Composer,
    watched: WatchedRegisters,
    migration: Migration,
    /// A reset that the guest has requested and that is pending.
    wanted_reset: Option<ResetKind>,
    /// A reset that waits until no memory is held.
    resetting: Option<Resetting>,
    guest_resets: LogThrottle,
    disabled_regions: DisabledRegions,
    /// The parts that older state lacks.
    initial: Initial,
    /// The path of the state file, which keeps the state between runs of the program.
    state_file: Option<PathBuf>,
}

impl<D: PciDevice> PciFunction<D> {
    /// Creates the function of a device: configures the device, checks the result, gives its
    /// registers their reset values, and starts it.
    ///
    /// # Errors
    ///
    /// The error of [`Device::configure`](crate::Device::configure) or
    /// [`Device::start`](crate::Device::start), a layout that violates a rule, a memory of another
    /// length than its range, or a private field that cannot be saved as it is now.
    pub fn new(device: D) -> Result<Self> {
        Self::with_clock(device, Clock::default())
    }

    /// Creates the function with a clock that is used from the first hook on.
    pub(crate) fn with_clock(mut device: D, clock: Clock) -> Result<Self> {
        let mut descriptor = D::DESCRIPTOR;
        device.configure(&mut descriptor)?;
        descriptor.validate()?;
        let resets = ResetValues::establish(&mut device, &descriptor)?;
        let runtime = Runtime::new(resets, clock)?;
        let mut function = PciFunction {
            device,
            runtime,
            config: ConfigSpace::new(&descriptor),
            maps: [0, 1, 2, 3, 4, 5].map(|bar| BarMap::new(&descriptor, bar)),
            config_map: BarMap::new(&descriptor, layout::CONFIG),
            msix: MsixTable::new(descriptor.msix_layout().map_or(0, |msix| msix.vectors)),
            register_states: RegisterStates::new(&descriptor),
            unmodelled: UnmodelledBytes::new(&descriptor),
            refusals: Refusals::new(descriptor.numbers()),
            touches: Touches::new(&descriptor),
            spin: Spin::default(),
            composer: Composer::new(&descriptor),
            watched: WatchedRegisters::new(&descriptor),
            migration: Migration::default(),
            wanted_reset: None,
            resetting: None,
            guest_resets: LogThrottle::new(),
            disabled_regions: DisabledRegions::default(),
            initial: Initial::default(),
            state_file: None,
            descriptor,
        };
        function.follow_config();
        function.remember_initial().map_err(Error::Unsavable)?;
        function.show_watched(|_, _| true);
        function.call(Method::Start, D::start)?;
        // The hook may have filled or cleared the memory around the registers.
        function.show_watched(|_, _| true);
        // Finds a type that is written as something else than it is read as here, and not at the
        // first migration.
        function.check_types().map_err(Error::Unsavable)?;
        Ok(function)
    }

    /// Returns the device, for inspection.
    pub fn device(&self) -> &D {
        &self.device
    }

    pub(super) fn device_mut(&mut self) -> &mut D {
        &mut self.device
    }

    /// Returns the declaration, as configured.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Returns what the guest has accessed that has no model.
    ///
    /// ```
    /// use vfio_user::{Bench, Device, PciDevice};
    ///
    /// #[derive(Default, PciDevice)]
    /// #[pci(vendor = 0x1234, device = 0xcafe)]
    /// #[bar(0: mem32, size = 0x1000)]
    /// #[unmodelled(0x40 = "PHYCTL")]
    /// struct Nic {}
    ///
    /// impl Device for Nic {
    ///     type Event = ();
    /// }
    ///
    /// let mut bench = Bench::new(Nic::default())?;
    /// bench.write(0, 0x40, 0x80_u32);
    /// let burndown = bench.function().burndown();
    /// assert_eq!(burndown.to_string(), "BAR 0 at 0x40 (PHYCTL): 1 write, of 0x80");
    /// # Ok::<(), vfio_user::Error>(())
    /// ```
    pub fn burndown(&self) -> Burndown {
        self.touches.handle().read()
    }

    /// Returns a handle by which other threads read the burndown while the device runs.
    pub fn burndown_handle(&self) -> BurndownHandle {
        self.touches.handle().clone()
    }

    /// Returns the BAR that an access to a BAR reaches.
    fn origin(&self, bar: usize) -> usize {
        u8::try_from(bar).map_or(bar, |bar| self.descriptor.origin(bar).into())
    }

    pub(super) fn map(&self, bar: u8) -> Option<&BarMap> {
        match bar {
            layout::CONFIG => Some(&self.config_map),
            bar => self.maps.get(usize::from(bar)),
        }
    }

    /// Drops latched reads: the next read of any part of a register shows its current value.
    pub(super) fn forget_unread(&mut self, slot: Slot) {
        if self.descriptor.register(slot).latches_reads() {
            self.register_states.of(&self.descriptor, slot).unread = Latch::default();
        }
    }

    pub(super) fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    pub(super) fn observer(&self) -> Option<&Observer> {
        self.runtime.observer.as_deref()
    }

    pub(super) fn unmodelled(&self) -> &UnmodelledBytes {
        &self.unmodelled
    }

    pub(super) fn unmodelled_mut(&mut self) -> &mut UnmodelledBytes {
        &mut self.unmodelled
    }

    pub(super) fn msix_table(&self) -> &MsixTable {
        &self.msix
    }

    /// Posts an event to the device.
    pub(crate) fn post(&self, event: D::Event) {
        self.runtime.events.post(event);
    }

    /// Resets everything that this kind of reset covers.
    pub(crate) fn reset_by(&mut self, kind: ResetKind) {
        self.resetting = None;
        self.runtime.end_session();
        self.config.reset(kind);
        self.msix.reset();
        self.runtime.resets.restore(&mut self.device, ResetScope::Device(kind));
        self.register_states.reset(&self.descriptor, ResetScope::Device(kind));
        self.unmodelled.reset(&self.descriptor);
        self.runtime.interrupts.reset();
        self.follow_config();
        self.composer.reset();
        self.show_watched(|_, _| true);
        self.disarm_timers();
        self.call(Method::Reset, |device, cx| device.reset(cx, kind));
        // The hook may have cleared the memory around the registers.
        self.show_watched(|_, _| true);
    }

    /// Logs what the guest has accessed that has no model: what the author may want to model next.
    fn log_burndown(&self) {
        // A line each, so that each names the device.
        for place in self.burndown().to_string().lines() {
            tracing::info!("accessed without a model: {place}");
        }
    }
}

impl<D: PciDevice> Drop for PciFunction<D> {
    fn drop(&mut self) {
        // Before the device is dropped, which may wait for a thread of its own: such a thread ends
        // when a post fails.
        self.runtime.events.close();
    }
}

impl<D: PciDevice> fmt::Debug for PciFunction<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PciFunction").field("name", &self.descriptor.name()).finish_non_exhaustive()
    }
}

impl<D: PciDevice> Function for PciFunction<D> {
    fn name(&self) -> &str {
        self.descriptor.name()
    }

    fn running_hook(&self) -> Option<Arc<dyn fmt::Display + Send + Sync>> {
        Some(Arc::new(RunningHook {
            call: Arc::clone(&self.runtime.running),
            descriptor: self.descriptor.clone(),
        }))
    }

    fn regions(&self) -> u32 {
        let all = RegionIndex::COUNT + self.descriptor.specific_regions().len();
        u32::try_from(all).unwrap_or(u32::MAX)
    }

    fn region(&self, index: RegionIndex) -> Region<'_> {
        let read_write = RegionFlags::READ | RegionFlags::WRITE;
        let (flags, size) = match (index, index.bar()) {
            (_, Some(index)) => match self.descriptor.bars()[index] {
                Some(bar) => {
                    let mapping = self.runtime.shared[index].mapping();
                    return Region { flags: read_write, size: bar.size(), mapping, ty: None };
                }
                None => return Region::ABSENT,
            },
            (RegionIndex::Config, _) => (read_write, self.config.size() as u64),
            (RegionIndex::Rom, _) if self.descriptor.rom().is_some() => {
                (RegionFlags::READ, self.descriptor.rom_size())
            }
            (RegionIndex::Vga, _) if self.descriptor.has_vga() => {
                (read_write, Descriptor::VGA_SIZE)
            }
            _ => return self.specific_region(index),
        };
        Region::by_messages(flags, size)
    }

    fn read(&mut self, region: RegionIndex, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        let Some(bar) = region.bar() else {
            self.spin.interrupt();
            return self.read_long(region, offset, data);
        };
        if self.spin.is_due() {
            return self.read_compared(bar, offset, data);
        }
        if !self.is_held()
            && !self.disabled_regions.is_slow(bar)
            && fast_path::read(&self.device, &self.maps[bar], offset, data)
        {
            return Ok(());
        }
        self.read_long(region, offset, data)
    }

    fn write(&mut self, region: RegionIndex, offset: u64, data: &[u8]) -> Result<(), Errno> {
        self.spin.interrupt();
        if let Some(bar) = region.bar()
            && !self.is_held()
            && !self.disabled_regions.is_slow(bar)
            && fast_path::write(&mut self.device, &self.maps[bar], offset, data)
        {
            self.compose_interrupts();
            return Ok(());
        }
        self.write_long(region, offset, data)
    }

    fn divides(
        &mut self,
        region: RegionIndex,
        is_write: bool,
        range: Range<u64>,
    ) -> Result<bool, Errno> {
        region.bar().map_or(Ok(false), |bar| self.divides_bar(bar, is_write, &range))
    }

    fn doorbells(&self, region: RegionIndex) -> Vec<Doorbell> {
        bar_of(region)
            .map_or_else(Vec::new, |bar| self.runtime.doorbells.borrow().of(bar).collect())
    }

    fn doorbell_fd(&mut self, region: RegionIndex, index: usize) -> io::Result<OwnedFd> {
        let bar = bar_of(region).ok_or(io::ErrorKind::NotFound)?;
        let Runtime { doorbells, wake_set, events, .. } = &self.runtime;
        doorbells.borrow_mut().eventfd(bar, index, wake_set.set(events.signal())?)
    }

    fn reset(&mut self) {
        self.finish_cancelled_load();
        self.reset_by(ResetKind::Device);
        self.run_after_reset();
    }

    fn connected(&mut self) {
        self.config.connected();
        self.follow_config();
        self.attach();
        self.watched.start(Instant::now());
        self.call(Method::Connected, D::connected);
    }

    fn disconnected(&mut self) {
        self.runtime.end_session();
        self.detach();
        self.runtime.doorbells.borrow_mut().close();
        self.watched.stop();
        self.call(Method::Disconnected, D::disconnected);
        if let Err(error) = self.save_state_file() {
            tracing::error!(?error, "the state cannot be saved");
        }
    }

    fn on_removed(&mut self) -> Result<()> {
        self.log_burndown();
        self.retire_state_file()
    }

    fn dma_mapped(&mut self, range: RangeInclusive<u64>) {
        self.call(Method::DmaMapped, |device, cx| device.dma_mapped(cx, range));
    }

    fn dma_unmapped(&mut self, range: RangeInclusive<u64>) {
        self.call(Method::DmaUnmapped, |device, cx| device.dma_unmapped(cx, range));
    }

    fn irqs_changed(&mut self) {
        self.call(Method::IrqsChanged, D::irqs_changed);
    }

    fn interrupts(&self) -> &Arc<Interrupts> {
        &self.runtime.interrupts
    }

    fn dma(&self) -> &Dma {
        &self.runtime.dma
    }

    fn limit(&mut self, limits: Limits) {
        self.runtime.dma.limit(limits);
        self.runtime.events.limit(limits.events);
    }

    fn handing(&self) -> Handing {
        self.handing_now()
    }

    fn pack(&mut self, parcel: &mut Packing) -> Result<FunctionRecord, TakeOverError> {
        self.pack_all(parcel)
    }

    fn unpack(&mut self, record: &FunctionRecord, parcel: &Unpacking) -> Result<(), TakeOverError> {
        self.unpack_all(record, parcel)
    }

    fn handed_over(&mut self) {
        self.leave_to_successor();
    }

    fn observe(&mut self) -> Option<Arc<Observer>> {
        let observer = Arc::new(Observer::new(&self.descriptor, &METHOD_NAMES));
        self.runtime.observe(&observer);
        self.follow_enables();
        Some(observer)
    }

    fn answer(&mut self, question: &Question) -> Answer {
        self.look(question)
    }
}

fn bar_of(region: RegionIndex) -> Option<u8> {
    region.bar().and_then(|bar| u8::try_from(bar).ok())
}

#[cfg(test)]
mod tests;
