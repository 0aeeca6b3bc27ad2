//! What streams hold, however their memory is divided.

use crate::migration::{Content, Frame, Hello, Memory, StreamError, StreamReader};

/// A frame of a stream, or adjacent frames with zeros.
#[derive(Debug, PartialEq)]
enum Part {
    Hello(Hello),
    Layout(Vec<u8>),
    Bytes { bar: u8, offset: u64, bytes: Vec<u8> },
    Zeros { bar: u8, start: u64, end: u64 },
    State(Vec<u8>),
    End,
}

impl Part {
    fn of(frame: Frame<'_>) -> Self {
        match frame {
            Frame::Hello(hello) => Part::Hello(hello),
            Frame::Layout(layout) => Part::Layout(layout.to_vec()),
            Frame::Memory(Memory { bar, offset, content: Content::Bytes(bytes) }) => {
                Part::Bytes { bar, offset, bytes: bytes.to_vec() }
            }
            Frame::Memory(Memory { bar, offset, content: Content::Zeros(len) }) => {
                Part::Zeros { bar, start: offset, end: offset.saturating_add(len) }
            }
            Frame::State(state) => Part::State(state.to_vec()),
            Frame::End => Part::End,
        }
    }

    /// Returns whether zeros were added that follow these.
    fn join(&mut self, next: &Part) -> bool {
        match (self, next) {
            (Part::Zeros { bar, end, .. }, Part::Zeros { bar: same, start, end: new })
                if bar == same && end == start =>
            {
                *end = *new;
                true
            }
            _ => false,
        }
    }
}

/// Returns whether two streams hold the same state.
///
/// Where zeros are divided into frames depends on the holes of the file in memory. These are not
/// the same in a device that was used and in one that has loaded its state.
pub(super) fn is_same(first: &[u8], second: &[u8]) -> bool {
    first == second || parts(first).is_ok_and(|first| parts(second).is_ok_and(|it| it == first))
}

fn parts(stream: &[u8]) -> Result<Vec<Part>, StreamError> {
    let mut parts: Vec<Part> = Vec::new();
    let mut reader = StreamReader::new();
    reader.push(stream, |frame| {
        let part = Part::of(frame);
        if !parts.last_mut().is_some_and(|last| last.join(&part)) {
            parts.push(part);
        }
        Ok::<_, StreamError>(())
    })?;
    reader.finish()?;
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::StreamWriter;

    fn stream(memory: &[(u64, Content<'_>)]) -> Vec<u8> {
        let hello = Hello { name: "edu".into(), vendor: 0x1234, device: 0x11e8, layout: 0 };
        let mut writer = StreamWriter::new(&hello);
        for &(offset, content) in memory {
            writer.memory(&Memory { bar: 2, offset, content });
        }
        writer.state(&[]);
        writer.end();
        writer.take()
    }

    #[test]
    fn zeros_are_the_same_in_one_frame_or_two() {
        let one = stream(&[(0, Content::Bytes(&[7; 8])), (8, Content::Zeros(24))]);
        let divided =
            [(0, Content::Bytes(&[7; 8])), (8, Content::Zeros(8)), (16, Content::Zeros(16))];
        assert!(is_same(&one, &stream(&divided)));
        let fewer = [(0, Content::Bytes(&[7; 8])), (8, Content::Zeros(16))];
        let apart = [(0, Content::Bytes(&[7; 8])), (8, Content::Zeros(8)), (24, Content::Zeros(8))];
        let other = [(0, Content::Bytes(&[8; 8])), (8, Content::Zeros(24))];
        for different in [&fewer[..], &apart, &other, &[]] {
            assert!(!is_same(&one, &stream(different)), "{different:?}");
        }
        assert!(!is_same(&one, &one[..one.len() - 1]));
    }
}
