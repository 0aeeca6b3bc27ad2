//! Reads a stream from a file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use vfio_user::migration::{Frame, Hello, Section, StreamError, StreamReader, sections};

use super::memory::Image;
use crate::error::Error;

/// Bytes to read at a time.
const PIECE: usize = 1 << 20;

/// The content of a stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) hello: Hello,
    pub(super) memory: Image,
    state: Vec<u8>,
}

impl Stream {
    /// Reads a whole stream.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::File { path: path.to_owned(), source };
        let wrong = |source| Error::Stream { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(failed)?;
        let (mut reader, mut piece) = (StreamReader::new(), vec![0; PIECE]);
        let (mut hello, mut state, mut memory) = (None, Vec::new(), Image::default());
        loop {
            let read = match file.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(error)),
            };
            let taken = reader.push(&piece[..read], |frame| {
                match frame {
                    Frame::Hello(theirs) => hello = Some(theirs),
                    Frame::Memory(part) => memory.add(&part),
                    Frame::State(sections) => state = sections.to_vec(),
                    _ => {}
                }
                Ok::<_, StreamError>(())
            });
            taken.map_err(wrong)?;
        }
        reader.finish().map_err(wrong)?;
        sections(&state).map_err(wrong)?;
        memory.settle();
        let hello = hello.ok_or_else(|| wrong(StreamError::Truncated))?;
        Ok(Stream { hello, memory, state })
    }

    /// Returns the sections, which were validated before.
    pub(super) fn sections(&self) -> Vec<Section<'_>> {
        sections(&self.state).unwrap_or_default()
    }
}
