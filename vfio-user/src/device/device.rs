//! The trait that a device's author implements.

use std::ops::RangeInclusive;

use super::Cx;
use crate::Result;
use crate::model::{CommandBits, Descriptor, ResetKind};
use crate::protocol::{Errno, RegionIndex};

/// The behaviour of a device beyond its registers.
///
/// Every method is optional. All of them, and all hooks, run on the device's one thread: no two at
/// the same time, and nothing else accesses the device's fields. Only [`configure`] and [`start`]
/// may run earlier on another thread, the one that [adds] the device to a server.
///
/// [`configure`]: Device::configure
/// [`start`]: Device::start
/// [adds]: crate::Handle::add
pub trait Device: Sized {
    /// The events that [`Remote`](crate::Remote)s and [`Cx::post`] send to the device; `()` for
    /// none.
    type Event: Send + 'static;

    /// Declares what is known only at run time: the size of a BAR, the image of a ROM.
    ///
    /// Runs once, before the device is served. The result is checked like a declaration.
    ///
    /// # Errors
    ///
    /// Any error that keeps the device from being served.
    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        let _ = descriptor;
        Ok(())
    }

    /// Runs once, before the first client attaches: spawns workers, takes a
    /// [`Remote`](crate::Remote).
    ///
    /// # Errors
    ///
    /// Any error that keeps the device from being served.
    fn start(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// Handles an event from a hook or from another thread.
    fn event(&mut self, cx: &mut Cx<'_, Self>, event: Self::Event) {
        let _ = (cx, event);
    }

    /// Finishes or cancels work in progress, because the device is about to be reset or migrated.
    ///
    /// From now on threads can access memory only through a [`DmaGuard`](crate::DmaGuard) that they
    /// hold; any other access fails with [`DmaError::Stopped`](crate::DmaError::Stopped). The
    /// client waits for these guards, up to four seconds. Events arrive meanwhile, and their hooks
    /// can access memory. Events that were posted before the last guard was dropped are delivered
    /// before the device stops: a thread that posts its completion before it drops its guard never
    /// leaves work half done.
    fn quiesce(&mut self, cx: &mut Cx<'_, Self>) {
        let _ = cx;
    }

    /// Resumes the device after [`quiesce`](Self::quiesce), unless it was [reset](Self::reset).
    ///
    /// Interrupts are delivered, and memory is mapped, with one exception: a device whose state was
    /// loaded from a file resumes with the first client, which maps its memory after this call. In
    /// that case, work that needs memory restarts in [`dma_mapped`](Self::dma_mapped).
    fn resume(&mut self, cx: &mut Cx<'_, Self>, resumed: Resumed) {
        let _ = (cx, resumed);
    }

    /// Performs an access to a region without registers: a BAR for which none is declared, a range
    /// of a BAR that is declared as `raw`, the VGA ranges, or a device specific region.
    ///
    /// The access lies inside the region, `offset` bytes from its start. It may have any length, in
    /// a BAR any length that the BAR accepts.
    ///
    /// While the device is stopped for a migration, this method is not called: such a BAR is
    /// unmapped, such a region reads zeros, and writes are ignored.
    ///
    /// # Errors
    ///
    /// The error that the client receives, which most guests see as ones. The default
    /// implementation returns [`Errno::ENOSYS`], which leaves a BAR to its `unmapped`.
    fn access(
        &mut self,
        cx: &mut Cx<'_, Self>,
        region: RegionIndex,
        offset: u64,
        access: Access<'_>,
    ) -> Result<(), Errno> {
        let _ = (cx, region, offset, access);
        Err(Errno::ENOSYS)
    }

    /// Resets private fields. Registers, configuration space and interrupts have already been
    /// reset.
    fn reset(&mut self, cx: &mut Cx<'_, Self>, kind: ResetKind) {
        let _ = (cx, kind);
    }

    /// Stores state in fields before the device, which has stopped, is saved: for a client, for a
    /// file, or on a [`Bench`](crate::Bench).
    ///
    /// An example is the value of a counter that follows [`Cx::now`]. The device may resume with
    /// the same state, or be saved again. Memory that clients map may have been read already.
    fn saving(&mut self, cx: &mut Cx<'_, Self>) {
        let _ = cx;
    }

    /// Runs when the client has read all of the state of this device, which has stopped, and when
    /// another program has [taken the device over](crate::TakeOver).
    ///
    /// Another device may run with the state from now on. This device runs again only after
    /// [`resume`](Self::resume).
    fn saved(&mut self, cx: &mut Cx<'_, Self>) {
        let _ = cx;
    }

    /// Rebuilds what depends on the state that has been loaded, and cancels work of threads for the
    /// previous state.
    ///
    /// Registers, private fields and interrupts are those of the device that was saved; skipped
    /// fields are unchanged. No memory is mapped, and the device does not run yet.
    ///
    /// # Errors
    ///
    /// The reason why the state is impossible. The whole load is then rolled back.
    fn loaded(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// Writes the next bytes of a stream in the device's own format, for a device that takes part
    /// in the migration of another implementation (`#[migrate(raw)]`).
    ///
    /// Nothing else is in the stream, not even the registers. Fills `data` from the start and
    /// returns the number of bytes. 0 means no data yet ([`SavePhase::PreCopy`]) or the end of the
    /// stream ([`SavePhase::Stopped`]).
    ///
    /// `offset` is the number of bytes returned so far in this phase. At 0 the stream starts, or
    /// starts again if it was cancelled before.
    ///
    /// # Errors
    ///
    /// Any error that keeps the state from being saved.
    fn save_stream(
        &mut self,
        cx: &mut Cx<'_, Self>,
        phase: SavePhase,
        offset: u64,
        data: &mut [u8],
    ) -> Result<usize> {
        let _ = (cx, phase, offset, data);
        Ok(0)
    }

    /// Reads the next bytes of such a stream.
    ///
    /// They come in pieces of any size, `offset` bytes after its start; the bytes of both phases
    /// follow each other. [`loaded`](Self::loaded) is called at the end of the stream.
    ///
    /// # Errors
    ///
    /// The reason why the stream is impossible. The device is then broken until it is reset. If its
    /// client leaves in that state, or before the end of the stream, the device is reset at once.
    fn load_stream(&mut self, cx: &mut Cx<'_, Self>, offset: u64, data: &[u8]) -> Result<()> {
        let _ = (cx, offset, data);
        Ok(())
    }

    /// Runs when a client has attached and agreed on a version. It has not yet mapped memory or
    /// assigned interrupts.
    fn connected(&mut self, cx: &mut Cx<'_, Self>) {
        let _ = cx;
    }

    /// Runs when the client has mapped memory for the device: all addresses of this range.
    fn dma_mapped(&mut self, cx: &mut Cx<'_, Self>, range: RangeInclusive<u64>) {
        let _ = (cx, range);
    }

    /// Runs before the client unmaps all memory inside this range, which is not empty.
    ///
    /// The memory is accessible during this call; afterwards only through a
    /// [`DmaGuard`](crate::DmaGuard), which the client waits for. So make threads that hold one
    /// finish. An unmap of thousands of regions is done in parts, with a call before each.
    fn dma_unmapped(&mut self, cx: &mut Cx<'_, Self>, range: RangeInclusive<u64>) {
        let _ = (cx, range);
    }

    /// Runs when the client has set up interrupts again: it has assigned or removed eventfds, or
    /// masked or unmasked messages by request.
    ///
    /// A data path that signals eventfds itself fetches them here again, by
    /// [`Irq::eventfd`](crate::Irq::eventfd); other devices do not need this method.
    ///
    /// It is not called for masks of INTx, which belong to every interrupt, nor for masks by
    /// eventfd. When the client leaves, only [`disconnected`](Self::disconnected) is called.
    fn irqs_changed(&mut self, cx: &mut Cx<'_, Self>) {
        let _ = cx;
    }

    /// Runs when software has changed bits of the command register: it has enabled or disabled
    /// memory space, I/O space, bus master or INTx.
    ///
    /// The change has taken effect. A device that stops its work while bus master is off continues
    /// it here. A reset clears the register without this call, and a load replaces it; read it by
    /// [`Cx::command`] in [`reset`](Self::reset) and [`resume`](Self::resume). A function in a
    /// power state other than D0 accesses nothing, whatever the register holds.
    fn command_changed(&mut self, cx: &mut Cx<'_, Self>, old: CommandBits, new: CommandBits) {
        let _ = (cx, old, new);
    }

    /// Tests the device, when software starts its built-in self-test (PCI Local Bus Specification
    /// 3.0, 6.2.4), and returns the completion code: 0 if the device has passed, otherwise a code
    /// of the device's own, up to 15.
    ///
    /// A device has the test if it declares it, `#[pci(self_test)]`. Software finds the code when
    /// its write has completed.
    fn self_test(&mut self, cx: &mut Cx<'_, Self>) -> u8 {
        let _ = cx;
        0
    }

    /// Runs when the client has left. Its memory and its interrupts are gone; registers keep their
    /// values for the next client.
    fn disconnected(&mut self, cx: &mut Cx<'_, Self>) {
        let _ = cx;
    }
}

/// The work with which a device resumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumed {
    /// Its own work: the migration did not happen, or the client did not wait until the device
    /// released memory.
    Continued,
    /// The work of another device whose state was loaded: operations that were in progress there
    /// have to be started again.
    Loaded,
}

/// An access to a region without registers.
#[derive(Debug, PartialEq, Eq)]
pub enum Access<'a> {
    /// A read: the method fills these bytes.
    Read(&'a mut [u8]),
    /// A write of these bytes.
    Write(&'a [u8]),
}

/// A phase of saving a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SavePhase {
    /// The device runs: state that is saved may change, and then has to be saved again.
    PreCopy,
    /// The device has stopped.
    Stopped,
}
