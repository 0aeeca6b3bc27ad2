//! The place where a recording listens, and where a replay answers.

use std::fmt;

use super::{Act, Fault, Input, Unrecorded};

/// What a device's memory, interrupts and events report to while they are recorded or replayed.
///
/// A recorder performs each access and notes it. A player performs none: it answers from a
/// recording, and compares.
pub(crate) trait Tap: fmt::Debug + Send + Sync {
    /// Notes a change by the client. A change that the device makes itself is no input.
    fn act(&self, act: Act) {
        let _ = act;
    }

    /// Notes that something happens that is not recorded.
    fn unrecorded(&self, what: Unrecorded) {
        let _ = what;
    }

    /// Notes what the device finds or receives.
    fn note(&self, input: Input) {
        let _ = input;
    }

    /// Returns whether inputs come from a recording and not from the system.
    fn replays(&self) -> bool {
        false
    }

    /// Returns the next input of the recording, if it is one that `is_wanted`.
    fn next(&self, is_wanted: fn(&Input) -> bool) -> Option<Input> {
        let _ = is_wanted;
        None
    }

    /// An interrupt is signalled.
    fn interrupt(&self, index: u32, vector: u32);

    /// Bytes are read from the client's memory; `access` reads them.
    ///
    /// # Errors
    ///
    /// Those of `access`, or of the recorded one.
    fn read(
        &self,
        iova: u64,
        data: &mut [u8],
        access: &mut dyn FnMut(&mut [u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault>;

    /// Bytes are written to the client's memory; `access` writes them.
    ///
    /// # Errors
    ///
    /// Those of `access`, or of the recorded one.
    fn write(
        &self,
        iova: u64,
        data: &[u8],
        access: &mut dyn FnMut() -> Result<(), Fault>,
    ) -> Result<(), Fault>;

    /// A request is sent to the client.
    fn request(&self, command: u16, payload: &[&[u8]]) {
        let _ = (command, payload);
    }
}
