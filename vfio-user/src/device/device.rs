//! The trait that a device's author implements.

use std::ops::RangeInclusive;

use super::Cx;
use crate::Result;
use crate::model::{Descriptor, ResetKind};
use crate::protocol::{Errno, RegionIndex};

/// The behaviour of a device beyond its registers.
///
/// Every method is optional. All of them, and all hooks, run on the one thread of the device: no
/// two at the same time, and nothing else touches the device's fields. Only [`configure`] and
/// [`start`] may run on another one before, that of whoever [adds] the device to a server.
///
/// [`configure`]: Device::configure
/// [`start`]: Device::start
/// [adds]: crate::Handle::add
pub trait Device: Sized {
    /// What [`Remote`](crate::Remote)s and [`Cx::post`] send to the device; `()` for none.
    type Event: Send + 'static;

    /// Tells what only run time knows: the size of a BAR, the image of a ROM. Runs once, before the
    /// device is served; the result is checked like a declaration.
    ///
    /// # Errors
    ///
    /// Whatever keeps the device from being served.
    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        let _ = descriptor;
        Ok(())
    }

    /// Runs once, before the first client: spawns workers, takes a [`Remote`](crate::Remote).
    ///
    /// # Errors
    ///
    /// Whatever keeps the device from being served.
    fn start(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// An event arrived, from a hook or from another thread.
    fn event(&mut self, cx: &mut Cx<'_, Self>, event: Self::Event) {
        let _ = (cx, event);
    }

    /// The device has to stand still, to be reset or to be migrated: so finish what is under way, or give
    /// it up. From now on threads can access memory only through a [`DmaGuard`](crate::DmaGuard) that
    /// they have, otherwise they get [`DmaError::Stopped`](crate::DmaError::Stopped). The client waits
    /// for these guards, up to four seconds; events arrive meanwhile, and their hooks can access memory.
    /// What was posted before the last guard was dropped is delivered before the device stops: a
    /// thread that drops its guard only after it has told that it is done is never half done.
    fn quiesce(&mut self, cx: &mut Cx<'_, Self>) {
        let _ = cx;
    }

    /// The device goes on after [`quiesce`](Self::quiesce), unless it was [reset](Self::reset).
    /// Interrupts are delivered, and memory is mapped, with one exception: a state that was loaded from
    /// a file goes on with the first client, which maps its memory after this call. Work that needs
    /// memory restarts in [`dma_mapped`](Self::dma_mapped) then.
    fn resume(&mut self, cx: &mut Cx<'_, Self>, resumed: Resumed) {
        let _ = (cx, resumed);
    }

    /// A client accesses a region without registers: a BAR for which none is declared, the VGA ranges,
    /// or a device specific region. What is accessed lies inside of it, `offset` bytes from its start,
    /// and may have any length; of BARs, one that they accept.
    ///
    /// While the device is stopped for a migration, nothing of it is asked for: such a BAR is unmapped,
    /// such a region reads zeros, and writes are ignored.
    ///
    /// # Errors
    ///
    /// What the client is told, which guests mostly see as ones. [`Errno::ENOSYS`], which is all that
    /// happens without this method, leaves a BAR to its `unmapped`.
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

    /// Resets private fields. Registers, configuration space and interrupts have been reset.
    fn reset(&mut self, cx: &mut Cx<'_, Self>, kind: ResetKind) {
        let _ = (cx, kind);
    }

    /// The state of this device, which has stopped, is about to be taken: for a client, for a file, or on a
    /// [`Bench`](crate::Bench). Stores in fields what is not in them yet, such as how far a counter has come
    /// that follows [`Cx::now`]. It may go on with the same state, or be saved again; memory that clients map
    /// may have been read already.
    fn saving(&mut self, cx: &mut Cx<'_, Self>) {
        let _ = cx;
    }

    /// All of the state of this device, which has stopped, has been read by its client: another device
    /// may run with it from now on. This one goes on only if it is told to [`resume`](Self::resume).
    fn saved(&mut self, cx: &mut Cx<'_, Self>) {
        let _ = cx;
    }

    /// State has been loaded: registers, private fields and interrupts are those of the device that
    /// was saved, skipped fields are as they were. Rebuilds what follows from it, and calls off what threads
    /// were to do for the state before. No memory is
    /// mapped, and the device does not run yet.
    ///
    /// # Errors
    ///
    /// What makes the state impossible. All that was loaded is taken back then.
    fn loaded(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// The next bytes of a stream of the device's own making, for a device that takes part in the
    /// migration of another implementation (`#[migrate(raw)]`): nothing else is in the stream, not even
    /// the registers. Fills `data` from the start and gives how many bytes that were; 0 is no more, for
    /// now or, in [`SavePhase::Stopped`], at all.
    ///
    /// `offset` is how many bytes have been given in this phase; at 0 it begins, anew if it was
    /// cancelled before.
    ///
    /// # Errors
    ///
    /// Whatever keeps the state from being saved.
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

    /// Takes the next bytes of such a stream, which come in pieces of any size, `offset` bytes after its
    /// start; what is saved in both phases follows one on the other. [`loaded`](Self::loaded) is called
    /// at its end.
    ///
    /// # Errors
    ///
    /// What makes the stream impossible. The device is broken then, until it is reset. If its client leaves
    /// then, or before the end of the stream, it is reset at once.
    fn load_stream(&mut self, cx: &mut Cx<'_, Self>, offset: u64, data: &[u8]) -> Result<()> {
        let _ = (cx, offset, data);
        Ok(())
    }

    /// A client has attached and agreed on a version. It has mapped no memory and assigned no
    /// interrupt yet.
    fn connected(&mut self, cx: &mut Cx<'_, Self>) {
        let _ = cx;
    }

    /// The client has mapped memory for the device: all addresses of this range.
    fn dma_mapped(&mut self, cx: &mut Cx<'_, Self>, range: RangeInclusive<u64>) {
        let _ = (cx, range);
    }

    /// The client is about to unmap all memory inside this range, of which there is some. It can still
    /// be accessed here; afterwards only through a [`DmaGuard`](crate::DmaGuard), which the client
    /// waits for. So tell those who hold one to finish.
    fn dma_unmapped(&mut self, cx: &mut Cx<'_, Self>, range: RangeInclusive<u64>) {
        let _ = (cx, range);
    }

    /// The client has set up interrupts anew: it has assigned eventfds or taken them away, or masked
    /// messages or unmasked them by request. A data path that signals eventfds itself asks for them here
    /// again, by [`Irq::eventfd`](crate::Irq::eventfd); others need not know.
    ///
    /// Masks of INTx belong to every interrupt and are not told, and neither are those that come by
    /// eventfd. When the client goes, [`disconnected`](Self::disconnected) is all that is called.
    fn irqs_changed(&mut self, cx: &mut Cx<'_, Self>) {
        let _ = cx;
    }

    /// The client is gone, and with it its memory and its interrupts. Registers keep their values,
    /// for the next client.
    fn disconnected(&mut self, cx: &mut Cx<'_, Self>) {
        let _ = cx;
    }
}

/// With what a device goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumed {
    /// With what it was doing: nothing came of the migration, or the client did not wait for it to let
    /// go of memory.
    Continued,
    /// With what another device was doing whose state was loaded: what was under way there has to be
    /// started anew.
    Loaded,
}

/// An access to a region without registers.
#[derive(Debug, PartialEq, Eq)]
pub enum Access<'a> {
    /// Gives these bytes their values.
    Read(&'a mut [u8]),
    /// Takes the values of these bytes.
    Write(&'a [u8]),
}

/// How far the save of a state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SavePhase {
    /// The device runs: what is saved may change, and then has to be saved again.
    PreCopy,
    /// The device has stopped.
    Stopped,
}
