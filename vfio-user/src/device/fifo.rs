//! A queue of a fixed capacity.

use std::collections::VecDeque;
use std::collections::vec_deque;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A first-in, first-out queue of at most `N` elements, such as what lies behind a port.
///
/// It is private state of a device: it migrates with its elements, the oldest first, and state with
/// more than `N` of them is refused. A reset does not change it; clear it in
/// [`Device::reset`](crate::Device::reset).
///
/// ```
/// use vfio_user::{Bench, Cx, Device, Fifo, PciDevice, ResetKind, Virtual};
///
/// /// Echoes what is written, 16 bytes at most.
/// #[derive(Default, PciDevice)]
/// #[pci(vendor = 0x1234, device = 0xcafe)]
/// #[bar(0: io, size = 0x10)]
/// struct Echo {
///     #[reg(0x00, port, read_with = Self::pop, write_with = Self::push)]
///     data: Virtual<u32>,
///     #[reg(0x04, w1c)]
///     overrun: u8,
///     fifo: Fifo<u8, 16>,
/// }
///
/// impl Device for Echo {
///     type Event = ();
///
///     fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
///         self.fifo.clear();
///     }
/// }
///
/// impl Echo {
///     fn push(&mut self, _: &mut Cx<'_, Self>, data: &[u8]) {
///         let is_full = data.iter().any(|byte| self.fifo.push(*byte).is_err());
///         self.overrun |= u8::from(is_full);
///     }
///
///     fn pop(&mut self, _: &mut Cx<'_, Self>, data: &mut [u8]) {
///         data.fill_with(|| self.fifo.pop().unwrap_or(0xff));
///     }
/// }
///
/// let mut echo = Bench::new(Echo::default())?;
/// echo.write(0, 0x00, b'a');
/// echo.write(0, 0x00, 0x6463_u16);
/// assert_eq!(echo.read::<u32>(0, 0x00), u32::from_le_bytes(*b"acd\xff"));
/// # Ok::<(), vfio_user::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Fifo<T, const N: usize>(VecDeque<T>);

impl<T, const N: usize> Fifo<T, N> {
    /// Creates an empty queue.
    pub const fn new() -> Self {
        Fifo(VecDeque::new())
    }

    /// Returns the most elements that it holds.
    pub const fn capacity(&self) -> usize {
        N
    }

    /// Returns the number of elements.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether it has `N` elements.
    pub fn is_full(&self) -> bool {
        self.0.len() >= N
    }

    /// Adds an element behind all others.
    ///
    /// # Errors
    ///
    /// The element, if the queue is full.
    pub fn push(&mut self, element: T) -> Result<(), T> {
        if self.is_full() {
            return Err(element);
        }
        self.0.push_back(element);
        Ok(())
    }

    /// Removes the oldest element.
    pub fn pop(&mut self) -> Option<T> {
        self.0.pop_front()
    }

    /// Returns the oldest element.
    pub fn front(&self) -> Option<&T> {
        self.0.front()
    }

    /// Removes all elements.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns the elements, the oldest first.
    pub fn iter(&self) -> vec_deque::Iter<'_, T> {
        self.0.iter()
    }
}

impl<T, const N: usize> Default for Fifo<T, N> {
    fn default() -> Self {
        Fifo::new()
    }
}

impl<T: fmt::Debug, const N: usize> fmt::Debug for Fifo<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl<'a, T, const N: usize> IntoIterator for &'a Fifo<T, N> {
    type Item = &'a T;
    type IntoIter = vec_deque::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Serialize, const N: usize> Serialize for Fifo<T, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for Fifo<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Elements(PhantomData))
    }
}

/// Reads the elements of a queue.
struct Elements<T, const N: usize>(PhantomData<fn() -> T>);

impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for Elements<T, N> {
    type Value = Fifo<T, N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {N} elements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut fifo = Fifo::new();
        while let Some(element) = elements.next_element()? {
            if fifo.push(element).is_err() {
                return Err(A::Error::custom(format_args!("a FIFO holds at most {N} elements")));
            }
        }
        Ok(fifo)
    }
}
