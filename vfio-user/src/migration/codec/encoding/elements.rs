//! Lists and maps.

use serde::ser::{Serialize, SerializeMap, SerializeSeq};

use super::super::shape::{Order, Shape};
use super::super::{ValueError, deeper, wire};
use super::{Encoder, Result};

/// The elements of a list or the entries of a map.
pub(in super::super) struct Elements<'a> {
    out: &'a mut Vec<u8>,
    /// Of a key, or of an element, and of a value.
    of: (&'a Shape, &'a Shape),
    /// Elements of no size have a byte each, so that a number of them has bytes to be checked against.
    is_padded: bool,
    order: Order,
    /// Where the elements begin.
    start: usize,
    /// Where each does, if they are sorted.
    starts: Vec<usize>,
    count: usize,
    said: Option<usize>,
    depth: u8,
}

impl<'a> Elements<'a> {
    #[inline]
    pub(super) fn new(
        out: &'a mut Vec<u8>,
        of: (&'a Shape, &'a Shape),
        order: Order,
        said: Option<usize>,
        depth: u8,
    ) -> Result<Self> {
        if let Some(len) = said {
            wire::put_len(out, len);
        }
        let (start, is_padded, depth) = (out.len(), of.0.is_empty(), deeper(depth)?);
        Ok(Elements { out, of, is_padded, order, start, starts: Vec::new(), count: 0, said, depth })
    }

    #[inline]
    fn first<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.count += 1;
        if self.is_padded || self.order == Order::Sorted {
            self.begin();
        }
        value.serialize(Encoder { out: self.out, shape: self.of.0, depth: self.depth })
    }

    fn begin(&mut self) {
        if self.order == Order::Sorted {
            self.starts.push(self.out.len());
        }
        if self.is_padded {
            self.out.push(0);
        }
    }

    fn complete(self) -> Result<()> {
        let Elements { count, said, .. } = self;
        if let Some(said) = said.filter(|said| *said != count) {
            let text = format!("it says that it holds {said} elements, and holds {count}");
            return Err(ValueError::new(text));
        }
        if self.order == Order::Sorted {
            sort(self.out, self.start, &self.starts);
        }
        if said.is_none() {
            let mut len = Vec::new();
            wire::put_len(&mut len, count);
            self.out.splice(self.start..self.start, len);
        }
        Ok(())
    }
}

/// Puts the elements that begin at `starts`, up to the end, into the order of their bytes.
fn sort(out: &mut Vec<u8>, start: usize, starts: &[usize]) {
    let ends = starts.iter().skip(1).copied().chain([out.len()]);
    let mut elements: Vec<_> =
        starts.iter().copied().zip(ends).map(|(from, to)| &out[from..to]).collect();
    if elements.is_sorted() {
        return;
    }
    elements.sort_unstable();
    let sorted = elements.concat();
    out.truncate(start);
    out.extend_from_slice(&sorted);
}

impl SerializeSeq for Elements<'_> {
    type Ok = ();
    type Error = ValueError;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.first(value)
    }

    fn end(self) -> Result<()> {
        self.complete()
    }
}

impl SerializeMap for Elements<'_> {
    type Ok = ();
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.first(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        value.serialize(Encoder { out: self.out, shape: self.of.1, depth: self.depth })
    }

    fn end(self) -> Result<()> {
        self.complete()
    }
}
