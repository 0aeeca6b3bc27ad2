//! The transfer of a state: out of a device as a stream, and into one.

use super::PciFunction;
use super::identity::Identity;
use super::memory::{MemoryLoad, MemoryRestore, MemorySave, Step};
use crate::device::{Method, PciDevice};
use crate::migration::{
    Frame, GuestLayout, Hello, MAX_MEMORY, RomImage, StateError, StreamError, StreamReader,
    StreamWriter, Word, cut,
};
use crate::shared::Shared;
use crate::tape::Header;

/// A state that is being saved: memory in rounds while the device runs, and everything else once it
/// has stopped.
#[derive(Debug)]
pub(in super::super) struct Saving {
    writer: StreamWriter,
    /// The bytes that have been written, and how many of them were read.
    ready: Vec<u8>,
    read: usize,
    memory: MemorySave,
    /// The state behind the memory, once the device has stopped.
    state: Option<Vec<u8>>,
    /// Whether nothing follows the bytes that are ready, in this round or at all.
    is_round_over: bool,
    /// Whether finding more bytes would delay the answer too long.
    is_paused: bool,
    has_ended: bool,
}

impl Saving {
    fn new(identity: &Identity, shared: &[Shared]) -> Self {
        let mut writer = StreamWriter::new(&identity.hello);
        writer.layout(&identity.layout);
        Saving {
            writer,
            ready: Vec::new(),
            read: 0,
            memory: MemorySave::new(shared),
            state: None,
            is_round_over: false,
            is_paused: false,
            has_ended: false,
        }
    }

    /// Adds the state of a device that has stopped. The rest of the memory that its guest has
    /// changed is sent before it.
    pub(in super::super) fn conclude(&mut self, shared: &[Shared], state: Vec<u8>) {
        self.memory.begin_last_round(shared);
        self.is_round_over = false;
        self.state = Some(state);
    }

    /// Reads the next bytes. Fewer bytes than requested mean the end of a round, or of the stream;
    /// the next read then returns none, once or always.
    ///
    /// # Errors
    ///
    /// If the memory cannot be read.
    pub(in super::super) fn read(
        &mut self,
        shared: &[Shared],
        data: &mut [u8],
    ) -> Result<usize, StateError> {
        let mut filled = 0;
        loop {
            let rest = &self.ready[self.read..];
            let len = rest.len().min(data.len() - filled);
            data[filled..filled + len].copy_from_slice(&rest[..len]);
            filled += len;
            self.read += len;
            if filled == data.len() || self.has_ended {
                return Ok(filled);
            }
            if std::mem::take(&mut self.is_paused) && filled > 0 {
                return Ok(filled);
            }
            if self.is_round_over {
                self.is_round_over = filled > 0;
                return Ok(filled);
            }
            self.prepare(shared, (data.len() - filled).min(MAX_MEMORY))?;
        }
    }

    /// Prepares the bytes that are read next.
    fn prepare(&mut self, shared: &[Shared], enough: usize) -> Result<(), StateError> {
        let step = self.memory.go_on(shared, &mut self.writer, enough)?;
        self.is_paused = step == Step::Paused;
        if step == Step::RoundOver {
            match self.state.take() {
                Some(state) => {
                    self.writer.state(&state);
                    self.writer.end();
                    self.has_ended = true;
                }
                None => self.is_round_over = true,
            }
        }
        self.writer.exchange(&mut self.ready);
        self.read = 0;
        Ok(())
    }

    /// Returns whether all of the state has been read.
    pub(in super::super) fn is_over(&self) -> bool {
        self.has_ended && self.read == self.ready.len()
    }

    /// Estimates how much remains to be read if the device stopped now, or is stopped; `state` is
    /// the size of its state while it runs.
    pub(in super::super) fn size(&self, shared: &[Shared], state: impl Fn() -> u64) -> u64 {
        let ready = (self.ready.len() - self.read) as u64;
        if self.has_ended {
            return ready;
        }
        let stopped = self.state.as_ref().map(|state| state.len() as u64);
        let memory = self.memory.estimate(shared, stopped.is_some());
        ready.saturating_add(stopped.unwrap_or_else(state)).saturating_add(memory)
    }
}

/// A state that is being loaded.
#[derive(Debug)]
pub(in super::super) struct Loading {
    reader: StreamReader,
    ours: Identity,
    state: Option<Vec<u8>>,
    memory: MemoryLoad,
    /// Whether any bytes have arrived.
    has_begun: bool,
}

impl Loading {
    /// Takes the next piece.
    ///
    /// # Errors
    ///
    /// If the stream is damaged or of another device. No more pieces are taken then.
    pub(in super::super) fn push(
        &mut self,
        shared: &[Shared],
        bytes: &[u8],
    ) -> Result<(), StateError> {
        let Loading { reader, ours, state, memory, has_begun } = self;
        *has_begun |= !bytes.is_empty();
        reader.push(bytes, |frame| {
            ours.check(&frame)?;
            match frame {
                Frame::Memory(part) => memory.add(shared, &part)?,
                Frame::State(sections) => *state = Some(sections.to_vec()),
                Frame::Hello(_) | Frame::Layout(_) | Frame::End => {}
            }
            Ok(())
        })
    }

    /// Continues with what pieces have left to do; returns whether more is left.
    ///
    /// # Errors
    ///
    /// If shared memory is lost.
    pub(in super::super) fn continue_memory(
        &mut self,
        shared: &[Shared],
    ) -> Result<bool, StateError> {
        self.memory.clear_some(shared)
    }

    pub(in super::super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Cancels the load; the result restores shared memory.
    pub(in super::super) fn take_back(self) -> MemoryRestore {
        self.memory.take_back()
    }
}

/// A stream that is checked without loading it. Its memory is left out.
#[derive(Debug)]
pub(in super::super) struct Checking {
    reader: StreamReader,
    ours: Identity,
    state: Option<Vec<u8>>,
}

impl Checking {
    /// Takes the next piece.
    ///
    /// # Errors
    ///
    /// Same as [`Loading::push`].
    pub(in super::super) fn push(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let Checking { reader, ours, state } = self;
        reader.push(bytes, |frame| {
            ours.check(&frame)?;
            if let Frame::State(sections) = frame {
                *state = Some(sections.to_vec());
            }
            Ok(())
        })
    }
}

impl<D: PciDevice> PciFunction<D> {
    pub(in super::super) fn begin_checking(&self) -> Checking {
        Checking { reader: StreamReader::new(), ours: self.identity(), state: None }
    }

    /// Checks that the stream is complete and that this device can have its state.
    ///
    /// # Errors
    ///
    /// Same as [`load`](Self::load), except for errors of the device itself.
    pub(in super::super) fn finish_checking(&self, check: &Checking) -> Result<(), StateError> {
        check.reader.finish()?;
        self.decode(check.state.as_deref().ok_or(StreamError::Truncated)?).map(drop)
    }
}

impl<D: PciDevice> PciFunction<D> {
    /// Returns the whole state as a stream, shared memory included. The device does not change.
    ///
    /// # Errors
    ///
    /// If the device does not migrate, or its state cannot be written.
    pub fn save(&self) -> Result<Vec<u8>, StateError> {
        let mut saving = self.begin_saving();
        saving.conclude(&self.runtime.shared, self.save_state()?);
        let mut stream = Vec::new();
        while !saving.has_ended {
            saving.prepare(&self.runtime.shared, MAX_MEMORY)?;
            if stream.is_empty() {
                stream = std::mem::take(&mut saving.ready);
            } else {
                stream.append(&mut saving.ready);
            }
        }
        Ok(stream)
    }

    /// Loads the state of a stream.
    ///
    /// # Errors
    ///
    /// If the stream is damaged or of another device, or if the device refuses its state. The
    /// device is unchanged in that case.
    pub fn load(&mut self, stream: &[u8]) -> Result<(), StateError> {
        let mut loading = self.begin_loading();
        let pushed = loading.push(&self.runtime.shared, stream);
        let loaded = pushed.and_then(|()| self.finish_loading(&mut loading));
        if loaded.is_err() {
            self.undo_loading(loading);
        }
        loaded
    }

    /// Returns the state as a stream without shared memory, for a program that has the same memory.
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save).
    pub(in super::super) fn save_without_memory(&self) -> Result<Vec<u8>, StateError> {
        let identity = self.identity();
        let mut writer = StreamWriter::new(&identity.hello);
        writer.layout(&identity.layout);
        writer.state(&self.save_state()?);
        writer.end();
        let mut stream = Vec::new();
        writer.exchange(&mut stream);
        Ok(stream)
    }

    /// Loads the state of such a stream.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub(in super::super) fn load_without_memory(
        &mut self,
        stream: &[u8],
    ) -> Result<(), StateError> {
        let mut check = self.begin_checking();
        check.push(stream)?;
        check.reader.finish()?;
        self.become_state(check.state.as_deref().ok_or(StreamError::Truncated)?)
    }

    /// Restores shared memory after a load, at once.
    pub(super) fn undo_loading(&self, loading: Loading) {
        let mut memory = loading.take_back();
        while memory.restore_some(&self.runtime.shared) {}
    }

    pub(in super::super) fn begin_saving(&self) -> Saving {
        Saving::new(&self.identity(), &self.runtime.shared)
    }

    pub(in super::super) fn begin_loading(&self) -> Loading {
        Loading {
            reader: StreamReader::new(),
            ours: self.identity(),
            state: None,
            memory: MemoryLoad::new(&self.runtime.shared),
            has_begun: false,
        }
    }

    /// Applies the state that has been loaded.
    ///
    /// # Errors
    ///
    /// Same as [`load`](Self::load); shared memory is still to be
    /// [restored](Loading::take_back).
    pub(in super::super) fn finish_loading(
        &mut self,
        loading: &mut Loading,
    ) -> Result<(), StateError> {
        loading.reader.finish()?;
        while loading.continue_memory(&self.runtime.shared)? {}
        self.become_state(loading.state.as_deref().ok_or(StreamError::Truncated)?)
    }

    fn become_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        let mut loaded = self.decode(state)?;
        if loaded.unknown > 0 {
            let count = loaded.unknown;
            tracing::warn!(count, "optional state that this version does not have is left out");
        }
        // Work in progress belongs to the state that is replaced.
        self.runtime.end_session();
        self.exchange(&mut loaded);
        let loaded_by_device = self.call_for_state(Method::Loaded, D::loaded);
        if let Err(error) = loaded_by_device {
            self.exchange(&mut loaded);
            return Err(StateError::Refused(error.into()));
        }
        Ok(())
    }

    /// Returns the identity of the device for a recording.
    pub(crate) fn tape_header(&self) -> Header {
        let Identity { hello: Hello { name, vendor, device, .. }, layout, .. } = self.identity();
        Header { name, vendor, device, layout: layout.encode().into() }
    }

    fn identity(&self) -> Identity {
        let ids = self.descriptor.ids();
        let hello = Hello {
            // The first bytes of a longer name identify the same device.
            name: cut(self.descriptor.name()).to_owned(),
            vendor: ids.vendor,
            device: ids.device,
            layout: self.config.layout_digest(),
        };
        let rom = self
            .descriptor
            .rom()
            .map(|image| RomImage { size: image.len() as u64, digest: crc32c::crc32c(image) });
        let words = self.config.guest_words().into_iter();
        let words = words.map(|(offset, fixed, can)| Word { offset, fixed, can }).collect();
        Identity { hello, layout: GuestLayout { words, rom }, is_other: false }
    }
}
