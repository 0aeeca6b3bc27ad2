//! A device on the bench: accessed, interrupted and given memory without a socket.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::device::{Function, Hosted, PciDevice, ResetKind};
use crate::dma::{Access, NewRegion, Rights};
use crate::error::{Error, Result};
use crate::eventfd::EventFd;
use crate::migration::StateError;
use crate::protocol::{Errno, IrqAction, IrqIndex, RegionFlags, RegionIndex};
use crate::register::RegisterValue;
use crate::shared::Shared;

/// A device without a client: the way from the bus to its hooks is the one that a server takes.
///
/// Its interrupts arrive in the first of MSI-X, MSI and INTx that it declares, and 1 MiB of memory is
/// mapped for it at IOVA 0.
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
/// Registers can be looked at and changed behind the device's back, memory filled as a guest fills
/// it, and what other threads would post handled at a time of the test's choice:
///
/// ```
/// use vfio_user::{Bench, Cx, Device, PciDevice, ResetKind};
///
/// /// Copies a byte when told to, and counts how often.
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
    hosted: Hosted<D>,
    memory: File,
    mode: IrqIndex,
    irqs: Vec<EventFd>,
    /// Signalled when the device tells of an error.
    error: Option<EventFd>,
}

impl<D: PciDevice> Bench<D> {
    /// The size of the device's memory, in bytes.
    pub const MEMORY: u64 = 1 << 20;

    /// Puts a device on the bench, as a server takes it.
    ///
    /// # Errors
    ///
    /// As [`Hosted::new`], and when the process may open no more descriptors.
    pub fn new(device: D) -> Result<Self> {
        let mut bench = Self::without_interrupts(device)?;
        (bench.mode, bench.irqs) = assign_interrupts(&bench.hosted)?;
        bench.error = assign(&bench.hosted, IrqIndex::Err)?.pop();
        Ok(bench)
    }

    /// Whose interrupts go nowhere, and need no descriptors.
    pub(crate) fn without_interrupts(device: D) -> Result<Self> {
        let hosted = Hosted::new(device)?;
        hosted.clock().stop_at(Instant::now());
        let memory: OwnedFd = memfd_create(c"bench", MFdFlags::MFD_CLOEXEC)?;
        let memory = File::from(memory);
        memory.set_len(Self::MEMORY)?;
        let fd = memory.try_clone()?.into();
        let region = NewRegion::file(0, Self::MEMORY, Rights::all(), fd, 0, Access::Any);
        region.and_then(|region| hosted.dma().add(region)).map_err(std::io::Error::from)?;
        Ok(Bench { hosted, memory, mode: IrqIndex::Intx, irqs: Vec::new(), error: None })
    }

    /// The device with all that the runtime keeps for it, to look into.
    pub fn hosted(&self) -> &Hosted<D> {
        &self.hosted
    }

    /// The same, to change registers behind the device's back.
    pub fn hosted_mut(&mut self) -> &mut Hosted<D> {
        &mut self.hosted
    }

    /// The device.
    pub fn device(&self) -> &D {
        self.hosted.device()
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

    /// The memory of a BAR that is `shared`, as a guest sees it that has mapped it.
    pub fn shared(&self, bar: u8) -> &Shared {
        self.hosted.shared(bar)
    }

    /// Reads a word of configuration space.
    ///
    /// # Panics
    ///
    /// If it is not inside.
    #[track_caller]
    pub fn read_config<T: RegisterValue>(&mut self, offset: u64) -> T {
        self.read_region(RegionIndex::Config, offset)
    }

    /// Writes a word of configuration space.
    ///
    /// # Panics
    ///
    /// If it is not inside.
    #[track_caller]
    pub fn write_config<T: RegisterValue>(&mut self, offset: u64, value: T) {
        self.write_region(RegionIndex::Config, offset, value);
    }

    /// Reads any bytes of any region, as a client's message does.
    ///
    /// # Errors
    ///
    /// What the client would be told.
    pub fn try_read(
        &mut self,
        region: RegionIndex,
        offset: u64,
        data: &mut [u8],
    ) -> Result<(), Errno> {
        self.admit(region, offset, data.len(), RegionFlags::READ)?;
        self.hosted.read(region, offset, data)
    }

    /// Writes any bytes of any region, as a client's message does.
    ///
    /// # Errors
    ///
    /// What the client would be told.
    pub fn try_write(
        &mut self,
        region: RegionIndex,
        offset: u64,
        data: &[u8],
    ) -> Result<(), Errno> {
        self.admit(region, offset, data.len(), RegionFlags::WRITE)?;
        self.hosted.write(region, offset, data)?;
        if self.hosted.wants_reset() {
            self.hosted.reset_as_wanted();
        }
        Ok(())
    }

    /// Resets the device, as a client does.
    pub fn reset(&mut self) {
        self.hosted.reset();
    }

    /// Resets the device by any kind of reset.
    pub fn reset_by(&mut self, kind: ResetKind) {
        self.hosted.reset_by(kind);
    }

    /// The device's whole state, as a migration would carry it. Nothing changes by it.
    ///
    /// # Panics
    ///
    /// If the device does not migrate, or its state cannot be written.
    #[track_caller]
    pub fn save(&self) -> Vec<u8> {
        match self.hosted.save() {
            Ok(stream) => stream,
            Err(error) => panic!("{error}"),
        }
    }

    /// Becomes what a stream says.
    ///
    /// # Errors
    ///
    /// What is wrong with it; the device is as it was then.
    pub fn load(&mut self, stream: &[u8]) -> Result<(), StateError> {
        self.hosted.load(stream)
    }

    /// What a register, or a field of it, holds: `status`, `ring[3]`, `ctrl.mode`. No hook runs.
    ///
    /// # Panics
    ///
    /// If there is none with this name; see [`Hosted::peek`].
    #[track_caller]
    pub fn peek(&self, name: &str) -> u64 {
        match self.hosted.peek(name) {
            Ok(peek) => peek.bits(),
            Err(error) => panic!("{error}"),
        }
    }

    /// Makes a register, or a field of it, hold `value`. No hook runs.
    ///
    /// # Panics
    ///
    /// If that cannot be; see [`Hosted::poke`].
    #[track_caller]
    pub fn poke(&mut self, name: &str, value: u64) {
        if let Err(error) = self.hosted.poke(name, value) {
            panic!("{error}");
        }
    }

    /// Posts an event to the device, as another thread does;
    /// [`handle_events`](Self::handle_events) lets it be handled.
    pub fn post(&self, event: D::Event) {
        self.hosted.post(event);
    }

    /// How often interrupt `n` was sent since the last call. INTx is one interrupt, and unmasked by
    /// this.
    ///
    /// # Panics
    ///
    /// If the device has no such interrupt.
    #[track_caller]
    pub fn take_irq(&mut self, n: u16) -> u64 {
        let count = self.irqs[usize::from(n)].take().unwrap_or(0);
        if self.mode == IrqIndex::Intx {
            self.hosted.interrupts().act(IrqIndex::Intx, IrqAction::Unmask, [0]);
        }
        count
    }

    /// How often the device told of an error since the last call; see [`Cx::error`](crate::Cx::error).
    pub fn take_errors(&mut self) -> u64 {
        self.error.as_ref().and_then(EventFd::take).unwrap_or(0)
    }

    /// Waits until interrupt `n` is sent, and lets the device handle its events meanwhile.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] (timed out) if that takes longer than `timeout`.
    ///
    /// # Panics
    ///
    /// If the device has no such interrupt.
    pub fn wait_irq(&mut self, n: u16, timeout: Duration) -> Result<u64> {
        let deadline = Instant::now() + timeout;
        loop {
            self.handle_events();
            match self.take_irq(n) {
                0 if Instant::now() >= deadline => {
                    return Err(Error::Io(std::io::ErrorKind::TimedOut.into()));
                }
                0 => self.pause(n)?,
                count => return Ok(count),
            }
        }
    }

    /// Lets the device handle the events that wait, once each.
    pub fn handle_events(&mut self) {
        self.hosted.work();
    }

    /// Lets time pass: calls the hooks of the [`Timer`](crate::Timer)s that expire meanwhile, each at
    /// its time. Between calls the clock of the device stands still.
    pub fn advance(&mut self, time: Duration) {
        let end = self.hosted.clock().now() + time;
        while let Some((next, _)) = self.hosted.next_timer().filter(|(next, _)| *next <= end) {
            let now = self.hosted.clock().now();
            self.hosted.clock().stop_at(next.max(now));
            self.hosted.expire_timers();
            // One that is due again at once, for ever, has to wait for the next call.
            if self.hosted.next_timer().is_some_and(|(again, _)| again <= next) {
                break;
            }
        }
        self.hosted.clock().stop_at(end);
    }

    /// Writes the device's memory, as a guest does.
    ///
    /// # Panics
    ///
    /// If the range is not inside.
    #[track_caller]
    pub fn write_memory(&self, iova: u64, data: &[u8]) {
        Self::assert_inside(iova, data.len());
        self.memory.write_all_at(data, iova).expect("a file in memory takes what fits");
    }

    /// Reads the device's memory, as a guest does.
    ///
    /// # Panics
    ///
    /// If the range is not inside.
    #[track_caller]
    pub fn read_memory(&self, iova: u64, data: &mut [u8]) {
        Self::assert_inside(iova, data.len());
        self.memory.read_exact_at(data, iova).expect("a file in memory gives what it holds");
    }

    fn admit(
        &self,
        region: RegionIndex,
        offset: u64,
        len: usize,
        wanted: RegionFlags,
    ) -> Result<(), Errno> {
        let end = offset.checked_add(len as u64);
        let region = self.hosted.region(region);
        let inside = end.is_some_and(|end| end <= region.size);
        if inside && region.flags.contains(wanted) { Ok(()) } else { Err(Errno::EINVAL) }
    }

    #[track_caller]
    fn assert_inside(iova: u64, len: usize) {
        let inside = iova.checked_add(len as u64).is_some_and(|end| end <= Self::MEMORY);
        assert!(inside, "{len} bytes at {iova:#x} are outside the bench's memory");
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

    /// Waits a moment for an interrupt or for an event from another thread.
    fn pause(&self, n: u16) -> Result<()> {
        let mut fds = vec![PollFd::new(self.irqs[usize::from(n)].as_fd(), PollFlags::POLLIN)];
        fds.extend(self.hosted.wake().map(|wake| PollFd::new(wake, PollFlags::POLLIN)));
        match poll(&mut fds, PollTimeout::from(10u8)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// Takes all interrupts of the first kind that the device declares.
fn assign_interrupts<D: PciDevice>(hosted: &Hosted<D>) -> Result<(IrqIndex, Vec<EventFd>)> {
    let modes = [IrqIndex::Msix, IrqIndex::Msi, IrqIndex::Intx];
    let mode = modes.into_iter().find(|mode| hosted.interrupts().count(*mode) > 0);
    let Some(mode) = mode else { return Ok((IrqIndex::Intx, Vec::new())) };
    Ok((mode, assign(hosted, mode)?))
}

/// An eventfd for each vector.
fn assign<D: PciDevice>(hosted: &Hosted<D>, index: IrqIndex) -> Result<Vec<EventFd>> {
    let interrupts = hosted.interrupts();
    let irqs: Vec<_> =
        (0..interrupts.count(index)).map(|_| EventFd::new()).collect::<Result<_, _>>()?;
    let fds = irqs.iter().map(|irq| irq.try_clone().map(OwnedFd::from));
    interrupts.assign(index, 0, fds.collect::<Result<_, _>>()?).map_err(std::io::Error::from)?;
    Ok(irqs)
}

#[track_caller]
fn bar_region(bar: u8) -> RegionIndex {
    assert!(bar < 6, "there is no BAR {bar}");
    RegionIndex::ALL[usize::from(bar)]
}
