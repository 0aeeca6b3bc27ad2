//! A test bench for a device: accesses, interrupts and memory without a socket.

mod bars;
mod irqs;
mod memory;

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::device::{Clock, PciDevice};
use crate::error::Result;
use crate::eventfd::EventFd;
use crate::function::{BackgroundWork as _, Function, Migrate as _, PciFunction};
use crate::migration::StateError;
use crate::model::{RegisterValue, ResetKind};
use crate::protocol::{Errno, IrqIndex, RegionFlags, RegionIndex};
use crate::record::{Replay, ReplayError, replay};
use crate::serving::while_serving;
use crate::shared::Shared;
use crate::wait::FOR_EVER;

/// A device without a client. Accesses take the same path from the bus to the hooks as on a server.
///
/// Its interrupts arrive in the first of MSI-X, MSI and INTx that it declares, and 1 MiB of memory
/// is mapped for it at IOVA 0. [`with_private_memory`](Self::with_private_memory) gives it memory
/// that it accesses by message instead.
///
/// ```
/// use vfio_user::{Bench, Cx, Device, PciDevice, Virtual};
///
/// #[derive(Default, PciDevice)]
/// #[pci(vendor = 0x1234, device = 0xcafe)]
/// #[bar(0: mem32, size = 0x1000)]
/// #[irq(msix = 1)]
/// struct Doorbell {
///     #[reg(0x00, w1c)]
///     rung: u32,
///     #[reg(0x04, wo, write_with = Self::ring)]
///     bell: Virtual<u32>,
/// }
///
/// impl Device for Doorbell {
///     type Event = ();
/// }
///
/// impl Doorbell {
///     fn ring(&mut self, cx: &mut Cx<'_, Self>, bits: u32) {
///         self.rung |= bits;
///         cx.irq(0).raise();
///     }
/// }
///
/// let mut bench = Bench::new(Doorbell::default())?;
/// bench.write(0, 0x04, 5_u32);
/// assert_eq!(bench.read::<u32>(0, 0x00), 5);
/// assert_eq!(bench.take_irq(0), 1);
/// assert_eq!(bench.device().rung, 5);
/// # Ok::<(), vfio_user::Error>(())
/// ```
///
/// Tests can read and change registers behind the device's back, fill memory as a guest does, and
/// handle events of other threads at a time of their choice:
///
/// ```
/// use vfio_user::{Bench, Cx, Device, PciDevice, ResetKind};
///
/// /// Copies a byte on request, and counts how often.
/// #[derive(Default, PciDevice)]
/// #[pci(vendor = 0x1234, device = 0xcafe)]
/// #[bar(0: mem32, size = 0x1000)]
/// #[irq(intx)]
/// struct Copier {
///     #[reg(0x00, mask = 0xf_ffff)]
///     source: u32,
///     #[reg(0x04, mask = 0xf_ffff)]
///     target: u32,
///     #[reg(0x08, ro, sticky)]
///     copies: u32,
/// }
///
/// struct Go;
///
/// impl Device for Copier {
///     type Event = Go;
///
///     fn event(&mut self, cx: &mut Cx<'_, Self>, _: Go) {
///         let mut byte = [0];
///         if cx.dma().read(self.source.into(), &mut byte).is_ok() {
///             self.copies += u32::from(cx.dma().write(self.target.into(), &byte).is_ok());
///         }
///     }
/// }
///
/// let mut bench = Bench::new(Copier::default())?;
/// bench.write_memory(0x100, b"!");
/// bench.poke("source", 0x100);
/// bench.write(0, 0x04, 0x200_u32);
/// bench.post(Go);
/// bench.handle_events();
/// let mut byte = [0];
/// bench.read_memory(0x200, &mut byte);
/// assert_eq!((&byte, bench.peek("copies")), (b"!", 1));
/// bench.reset_by(ResetKind::FunctionLevel);
/// assert_eq!((bench.peek("target"), bench.peek("copies")), (0, 1));
/// # Ok::<(), vfio_user::Error>(())
/// ```
#[derive(Debug)]
pub struct Bench<D: PciDevice> {
    function: PciFunction<D>,
    memory: File,
    mode: IrqIndex,
    irqs: Vec<EventFd>,
    /// Signalled when the device signals an error.
    error: Option<EventFd>,
}

impl<D: PciDevice> Bench<D> {
    /// The size of the device's memory, in bytes.
    pub const MEMORY: u64 = 1 << 20;

    /// Creates a bench for a device, in the way a server takes it.
    ///
    /// # Errors
    ///
    /// As [`PciFunction::new`], and when the process may open no more descriptors.
    pub fn new(device: D) -> Result<Self> {
        let mut bench = Self::without_interrupts(device)?;
        bench.assign_all()?;
        Ok(bench)
    }

    /// Creates a bench with memory that the device accesses by messages to its client, like that of
    /// a guest that shares none: see [`Dma`](crate::Dma). [`handle_events`](Self::handle_events)
    /// serves these requests, and so does [`wait_irq`](Self::wait_irq), which threads of the
    /// device's own depend on.
    ///
    /// ```
    /// use vfio_user::{Bench, Cx, Device, DmaError, PciDevice, Virtual};
    ///
    /// /// Turns a word around.
    /// #[derive(Default, PciDevice)]
    /// #[pci(vendor = 0x1234, device = 0xcafe)]
    /// #[bar(0: mem32, size = 0x1000)]
    /// #[irq(msix = 1)]
    /// struct Turner {
    ///     #[reg(0x00, wo, write_with = Self::turn)]
    ///     turn: Virtual<u32>,
    ///     #[reg(0x04, ro)]
    ///     failed: u32,
    /// }
    ///
    /// struct Word(u64, Result<Vec<u8>, DmaError>);
    ///
    /// impl Device for Turner {
    ///     type Event = Word;
    ///
    ///     fn event(&mut self, cx: &mut Cx<'_, Self>, Word(iova, bytes): Word) {
    ///         let turned = bytes.map(|bytes| bytes.into_iter().rev().collect::<Vec<_>>());
    ///         match turned.and_then(|bytes| cx.dma().write(iova, &bytes)) {
    ///             Ok(()) => cx.irq(0).raise(),
    ///             Err(_) => self.failed += 1,
    ///         }
    ///     }
    /// }
    ///
    /// impl Turner {
    ///     fn turn(&mut self, cx: &mut Cx<'_, Self>, iova: u32) {
    ///         let iova = iova.into();
    ///         // Here the client cannot be asked.
    ///         let word = cx.dma().read_obj::<u32>(iova);
    ///         assert!(matches!(word, Err(DmaError::MessageMode { .. })));
    ///         cx.fetch(iova, 4, move |bytes| Word(iova, bytes));
    ///     }
    /// }
    ///
    /// let mut bench = Bench::with_private_memory(Turner::default())?;
    /// bench.write_memory(0x100, b"word");
    /// bench.write(0, 0x00, 0x100_u32);
    /// let mut word = [0; 4];
    /// bench.read_memory(0x100, &mut word);
    /// assert_eq!((&word, bench.take_irq(0)), (b"word", 0));
    /// bench.handle_events();
    /// bench.read_memory(0x100, &mut word);
    /// assert_eq!((&word, bench.take_irq(0)), (b"drow", 1));
    /// # Ok::<(), vfio_user::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_private_memory(device: D) -> Result<Self> {
        let mut bench = Self::without_memory(device)?;
        memory::map_by_messages(&bench.function, Self::MEMORY)?;
        bench.assign_all()?;
        Ok(bench)
    }

    /// Replays the recording of a served device with this device, and compares what it does: see
    /// [`record::replay`](crate::record::replay).
    ///
    /// # Errors
    ///
    /// [`ReplayError`]; [`ReplayError::Differs`] has the first difference.
    pub fn replay(device: D, recording: impl AsRef<Path>) -> Result<Replay, ReplayError> {
        replay(device, recording)
    }

    /// Creates a bench that drops interrupts and needs no descriptors.
    pub(crate) fn without_interrupts(device: D) -> Result<Self> {
        let bench = Self::without_memory(device)?;
        memory::map(&bench.function, &bench.memory, Self::MEMORY)?;
        Ok(bench)
    }

    fn without_memory(device: D) -> Result<Self> {
        let function = PciFunction::with_clock(device, Clock::stopped_at(Instant::now()))?;
        let memory = memory::create(Self::MEMORY)?;
        Ok(Bench { function, memory, mode: IrqIndex::Intx, irqs: Vec::new(), error: None })
    }

    /// Returns the device with the state that the runtime keeps for it.
    pub fn function(&self) -> &PciFunction<D> {
        &self.function
    }

    /// Returns the same, mutably, to change registers behind the device's back.
    pub fn function_mut(&mut self) -> &mut PciFunction<D> {
        &mut self.function
    }

    /// Returns the device.
    pub fn device(&self) -> &D {
        self.function.device()
    }

    /// Reads a word of a BAR.
    ///
    /// # Panics
    ///
    /// If the access is refused; see [`try_read`](Self::try_read).
    #[track_caller]
    pub fn read<T: RegisterValue>(&mut self, bar: u8, offset: u64) -> T {
        self.read_region(bar_region(bar), offset)
    }

    /// Writes a word of a BAR.
    ///
    /// # Panics
    ///
    /// If the access is refused; see [`try_write`](Self::try_write).
    #[track_caller]
    pub fn write<T: RegisterValue>(&mut self, bar: u8, offset: u64, value: T) {
        self.write_region(bar_region(bar), offset, value);
    }

    /// Returns the memory of a `shared` BAR, as a guest sees it that has mapped it.
    pub fn shared(&self, bar: u8) -> &Shared {
        self.function.shared(bar)
    }

    /// Reads a word of configuration space.
    ///
    /// # Panics
    ///
    /// If the word is not inside.
    #[track_caller]
    pub fn read_config<T: RegisterValue>(&mut self, offset: u64) -> T {
        self.read_region(RegionIndex::Config, offset)
    }

    /// Writes a word of configuration space.
    ///
    /// # Panics
    ///
    /// If the word is not inside.
    #[track_caller]
    pub fn write_config<T: RegisterValue>(&mut self, offset: u64, value: T) {
        self.write_region(RegionIndex::Config, offset, value);
    }

    /// Reads any bytes of any region, as a client's message does.
    ///
    /// # Errors
    ///
    /// The error that the client would receive.
    pub fn try_read(
        &mut self,
        region: RegionIndex,
        offset: u64,
        data: &mut [u8],
    ) -> Result<(), Errno> {
        self.check_bounds(region, offset, data.len(), RegionFlags::READ)?;
        while_serving(|| self.function.read(region, offset, data))
    }

    /// Writes any bytes of any region, as a client's message does.
    ///
    /// # Errors
    ///
    /// The error that the client would receive.
    pub fn try_write(
        &mut self,
        region: RegionIndex,
        offset: u64,
        data: &[u8],
    ) -> Result<(), Errno> {
        self.check_bounds(region, offset, data.len(), RegionFlags::WRITE)?;
        while_serving(|| {
            self.function.write(region, offset, data)?;
            if self.function.wants_reset() {
                self.function.reset_as_wanted();
            }
            Ok(())
        })
    }

    /// Resets the device, as a client does. Quiesces it and delivers waiting events first.
    pub fn reset(&mut self) {
        self.reset_by(ResetKind::Device);
    }

    /// Resets the device by any kind of reset, in the order in which a server does it. Does not
    /// wait for guards of memory.
    pub fn reset_by(&mut self, kind: ResetKind) {
        if kind == ResetKind::Device {
            // A server waits for earlier requests to the client.
            memory::answer(&self.function, &self.memory);
        }
        while_serving(|| self.function.reset_in_order(kind));
    }

    /// Saves the device's whole state, as a migration carries it. As on a server, the device is
    /// quiesced, its events are delivered until no thread holds a guard of memory,
    /// [`Device::saving`](crate::Device::saving) is called, and afterwards the device resumes;
    /// [`PciFunction::save`] gives the state of a device that is not stopped for it.
    ///
    /// # Panics
    ///
    /// If the device does not migrate, its state cannot be written, or it holds memory for four
    /// seconds.
    #[track_caller]
    pub fn save(&mut self) -> Vec<u8> {
        memory::answer(&self.function, &self.memory);
        match while_serving(|| self.function.save_in_order()) {
            Ok(stream) => stream,
            Err(error) => panic!("{error}"),
        }
    }

    /// Stops the device as [`save`](Self::save) does; [`go_on`](Self::go_on) resumes it.
    pub(crate) fn stop_to_save(&mut self) {
        if let Err(error) = while_serving(|| self.function.stop_to_save()) {
            panic!("{error}");
        }
    }

    /// Calls [`Device::saving`](crate::Device::saving), and nothing else.
    pub(crate) fn prepare_saving(&mut self) {
        while_serving(|| self.function.prepare_saving());
    }

    /// Resumes the device after [`stop_to_save`](Self::stop_to_save).
    pub(crate) fn go_on(&mut self) {
        while_serving(|| self.function.resume());
    }

    /// Returns the whole state without stopping the device.
    #[track_caller]
    pub(crate) fn state(&self) -> Vec<u8> {
        match self.function.save() {
            Ok(stream) => stream,
            Err(error) => panic!("{error}"),
        }
    }

    /// Loads a state. As on a server, the device is quiesced and stopped before, and resumes with
    /// what was loaded; pending interrupts are sent then.
    ///
    /// # Errors
    ///
    /// What is wrong with the state, or [`StateError::MemoryHeld`]; the device is unchanged then.
    pub fn load(&mut self, stream: &[u8]) -> Result<(), StateError> {
        memory::answer(&self.function, &self.memory);
        while_serving(|| self.function.load_in_order(stream))
    }

    /// Returns the value of a register or of one of its fields: `status`, `ring[3]`, `ctrl.mode`.
    /// Runs no hook.
    ///
    /// # Panics
    ///
    /// If no register has this name; see [`PciFunction::peek`].
    #[track_caller]
    pub fn peek(&self, name: &str) -> u64 {
        match self.function.peek(name) {
            Ok(peek) => peek.bits(),
            Err(error) => panic!("{error}"),
        }
    }

    /// Sets a register, or one of its fields, to `value`. Runs no hook.
    ///
    /// # Panics
    ///
    /// If the register cannot hold the value; see [`PciFunction::poke`].
    #[track_caller]
    pub fn poke(&mut self, name: &str, value: u64) {
        if let Err(error) = self.function.poke(name, value) {
            panic!("{error}");
        }
    }

    /// Posts an event to the device, as another thread does. [`handle_events`](Self::handle_events)
    /// delivers it.
    pub fn post(&self, event: D::Event) {
        self.function.post(event);
    }

    /// Delivers the waiting events to the device, once each. Serves the device's requests to its
    /// client before and afterwards.
    pub fn handle_events(&mut self) {
        memory::answer(&self.function, &self.memory);
        while_serving(|| self.function.work());
        memory::answer(&self.function, &self.memory);
    }

    /// Advances the device's clock. Calls the hooks of the [`Timer`](crate::Timer)s that expire
    /// meanwhile, each at its time. Between calls the clock does not move. One call advances it by
    /// at most 100 years.
    pub fn advance(&mut self, time: Duration) {
        self.advance_until(time, u32::MAX);
    }

    /// As [`advance`](Self::advance), but stops after `most` expirations; less time has passed
    /// then.
    pub(crate) fn advance_until(&mut self, time: Duration, most: u32) {
        let end = self.function.clock().now() + time.min(FOR_EVER);
        let (mut expirations, mut turns) = (0, 0);
        while let Some(next) = self.function.next_timer().filter(|next| *next <= end) {
            if expirations == most {
                return;
            }
            expirations += 1;
            let now = self.function.clock().now();
            self.function.clock().stop_at(next.max(now));
            while_serving(|| self.function.expire_timers());
            // Hooks may arm other timers that are due at once. One that is due for ever waits for
            // the next call.
            let is_due = self.function.next_timer().is_some_and(|again| again <= next);
            turns = if is_due { turns + 1 } else { 0 };
            if turns >= self.function.descriptor().timer_slots().count() {
                break;
            }
        }
        self.function.clock().stop_at(end);
    }

    fn check_bounds(
        &self,
        region: RegionIndex,
        offset: u64,
        len: usize,
        wanted: RegionFlags,
    ) -> Result<(), Errno> {
        let end = offset.checked_add(len as u64);
        let region = self.function.region(region);
        let inside = end.is_some_and(|end| end <= region.size);
        if inside && region.flags.contains(wanted) { Ok(()) } else { Err(Errno::EINVAL) }
    }

    #[track_caller]
    fn read_region<T: RegisterValue>(&mut self, region: RegionIndex, offset: u64) -> T {
        let mut bytes = [0; 8];
        let read = self.try_read(region, offset, &mut bytes[..usize::from(T::WIDTH)]);
        assert_eq!(read, Ok(()), "read of {region} at {offset:#x}");
        T::from_bits(u64::from_le_bytes(bytes))
    }

    #[track_caller]
    fn write_region<T: RegisterValue>(&mut self, region: RegionIndex, offset: u64, value: T) {
        let bytes = value.to_bits().to_le_bytes();
        let written = self.try_write(region, offset, &bytes[..usize::from(T::WIDTH)]);
        assert_eq!(written, Ok(()), "write of {region} at {offset:#x}");
    }
}

#[track_caller]
fn bar_region(bar: u8) -> RegionIndex {
    assert!(bar < 6, "there is no BAR {bar}");
    RegionIndex::ALL[usize::from(bar)]
}
