//! Lists and maps.

use serde::ser::{Serialize, SerializeMap, SerializeSeq};

use super::super::super::MAX_STATE;
use super::super::shape::{Order, Plain, Shape};
use super::super::{ValueError, wire};
use super::{Encoder, Result, Writer};

/// The elements of a list or the entries of a map.
pub(super) struct Elements<'a> {
    out: &'a mut Writer,
    /// Of an element, or of a key.
    of: &'a Shape,
    /// Of the values of a map.
    values: Option<&'a Shape>,
    /// Bytes, which are not counted one by one.
    is_bytes: bool,
    /// Something is to be done before each element: it is padded or sorted.
    has_begin: bool,
    /// Elements of no size have a byte each, so that a number of them has bytes to be checked
    /// against.
    is_padded: bool,
    order: Order,
    /// Where the elements begin.
    start: usize,
    /// Where each does, if they are sorted.
    starts: Vec<usize>,
    count: usize,
    said: Option<usize>,
}

impl<'a> Elements<'a> {
    #[inline]
    pub(super) fn new(
        out: &'a mut Writer,
        of: &'a Shape,
        values: Option<&'a Shape>,
        order: Order,
        said: Option<usize>,
    ) -> Result<Self> {
        if let Some(len) = said {
            wire::put_len(&mut out.bytes, len);
        }
        out.enter()?;
        let (start, is_padded) = (out.bytes.len(), of.is_empty());
        let is_bytes =
            values.is_none() && order == Order::Kept && matches!(of, Shape::Plain(Plain::U8));
        if let Some(len) = said.filter(|_| is_bytes) {
            // What a value says of itself may be wrong, and is compared in the end.
            out.bytes.reserve(len.min(MAX_STATE));
        }
        let has_begin = is_padded || order == Order::Sorted;
        let (starts, count) = (Vec::new(), 0);
        let elements = Elements {
            out,
            of,
            values,
            is_bytes,
            has_begin,
            is_padded,
            order,
            start,
            starts,
            count,
            said,
        };
        Ok(elements)
    }

    #[inline]
    fn first<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        if self.is_bytes {
            // The compiler sees this shape, so that no byte is compared with it. Each writes one.
            let shape = &Shape::Plain(Plain::U8);
            return value.serialize(Encoder { out: self.out, shape });
        }
        self.count += 1;
        if self.has_begin {
            self.begin();
        }
        value.serialize(Encoder { out: self.out, shape: self.of })
    }

    fn begin(&mut self) {
        if self.order == Order::Sorted {
            self.starts.push(self.out.bytes.len());
        }
        if self.is_padded {
            self.out.bytes.push(0);
        }
    }

    fn complete(self) -> Result<()> {
        let Elements { mut count, said, .. } = self;
        self.out.leave();
        if self.is_bytes {
            count = self.out.bytes.len() - self.start;
        }
        if let Some(said) = said.filter(|said| *said != count) {
            let text = format!("it says that it holds {said} elements, and holds {count}");
            return Err(ValueError::new(text));
        }
        if self.order == Order::Sorted {
            sort(&mut self.out.bytes, self.start, &self.starts);
        }
        if said.is_none() {
            let mut len = Vec::new();
            wire::put_len(&mut len, count);
            self.out.bytes.splice(self.start..self.start, len);
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
        let shape = self.values.ok_or_else(|| ValueError::said("a list has no values"))?;
        value.serialize(Encoder { out: self.out, shape })
    }

    fn end(self) -> Result<()> {
        self.complete()
    }
}
