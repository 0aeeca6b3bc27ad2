//! What the clients of a run expect.

use std::path::Path;
use std::time::Duration;

use vfio_user::client::{AttachOptions, Client, PciView, Vectors};

use super::device::{VECTORS, WORDS, reg};

/// The longest that anything may take on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) type Checked<T> = Result<T, String>;

/// Attaches to a device.
pub(crate) fn attach(socket: &Path) -> Checked<Client> {
    let options =
        AttachOptions { timeout: PATIENCE, patience: PATIENCE, ..AttachOptions::default() };
    Client::attach_with(socket, options).map_err(said)
}

pub(crate) fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Returns an error unless two values are equal.
pub(crate) fn equal<T: Copy + PartialEq + std::fmt::Debug>(
    what: &str,
    found: T,
    wanted: T,
) -> Checked<()> {
    if found == wanted { Ok(()) } else { Err(format!("{what} is {found:x?}, not {wanted:x?}")) }
}

/// What the words of a device hold.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    values: [u64; WORDS],
    /// What a client that was killed may have written.
    unsure: Option<(usize, u64)>,
}

impl Default for Words {
    fn default() -> Self {
        Words { values: [0; WORDS], unsure: None }
    }
}

impl Words {
    /// Notes a write that the device has confirmed.
    pub(crate) fn set(&mut self, index: usize, value: u64) {
        self.values[index] = value;
    }

    /// Notes that the device has confirmed the write that was not.
    pub(crate) fn confirm(&mut self) {
        if let Some((index, value)) = self.unsure.take() {
            self.values[index] = value;
        }
    }

    /// Notes a write that the device has not confirmed.
    pub(crate) fn set_unsure(&mut self, index: usize, value: u64) {
        self.unsure = Some((index, value));
    }

    /// Reads all words.
    pub(crate) fn check(&mut self, view: &PciView) -> Checked<()> {
        let bar = view.bar(0).map_err(said)?;
        if let Some((index, value)) = self.unsure.take()
            && bar.read::<u64>(place(index)).map_err(said)? == value
        {
            self.values[index] = value;
        }
        let mut bytes = [0; 8 * WORDS];
        bar.read_bytes(reg::WORDS, &mut bytes).map_err(said)?;
        for (index, (found, wanted)) in bytes.chunks_exact(8).zip(self.values).enumerate() {
            equal(&format!("word {index}"), found, &wanted.to_le_bytes())?;
        }
        Ok(())
    }
}

/// Returns the offset of a word.
pub(crate) fn place(index: usize) -> u64 {
    reg::WORDS + 8 * index as u64
}

/// The interrupts that a client has caused, and those that it has seen.
pub(crate) struct Interrupts {
    vectors: Vectors,
    raised: [u64; VECTORS as usize],
    seen: [u64; VECTORS as usize],
}

impl Interrupts {
    pub(crate) fn new(view: &PciView) -> Checked<Self> {
        let vectors = view.enable_msix(VECTORS).map_err(said)?;
        Ok(Interrupts { vectors, raised: Default::default(), seen: Default::default() })
    }

    pub(crate) fn raised(&mut self, vector: usize) {
        self.raised[vector] += 1;
    }

    /// Waits until as many were seen as were raised, of one vector.
    pub(crate) fn wait(&mut self, vector: usize) -> Checked<()> {
        while self.seen[vector] < self.raised[vector] {
            let seen = self.vectors[vector].wait(PATIENCE).map_err(said)?;
            self.seen[vector] += seen.ok_or_else(|| format!("interrupt {vector} is lost"))?;
        }
        equal(&format!("the count of interrupt {vector}"), self.seen[vector], self.raised[vector])
    }

    /// The same, of all vectors. Returns the number.
    pub(crate) fn wait_for_all(&mut self) -> Checked<u64> {
        (0..VECTORS as usize).try_for_each(|vector| self.wait(vector))?;
        Ok(self.raised.iter().sum())
    }
}
