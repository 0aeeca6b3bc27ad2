//! The bytes of configuration space, which the program reads and writes as well.

use std::cell::UnsafeCell;
use std::fmt;

/// The size for a PCI Express function; a conventional one shows only the first 256 bytes.
pub(crate) const SIZE: usize = 4096;

/// The bytes. The program has their address, so no reference to them is ever made.
pub(crate) struct Memory(Box<UnsafeCell<[u8; SIZE]>>);

impl Memory {
    pub(super) fn new() -> Self {
        Memory(Box::new(UnsafeCell::new([0; SIZE])))
    }

    /// Returns the address that the program receives.
    pub(super) fn address(&self) -> *mut u8 {
        self.0.get().cast()
    }

    pub(super) fn read(&self, offset: usize, data: &mut [u8]) {
        for (data, offset) in data.iter_mut().zip(offset..) {
            *data = self.get(offset);
        }
    }

    /// Returns a byte; ones behind the end.
    pub(super) fn get(&self, offset: usize) -> u8 {
        if offset >= SIZE {
            return 0xff;
        }
        // SAFETY: the byte is inside the array, and the program does not access it from another
        // thread during a call.
        unsafe { self.address().add(offset).read() }
    }

    /// Sets a byte; nothing behind the end.
    pub(super) fn set(&self, offset: usize, value: u8) {
        if offset < SIZE {
            // SAFETY: as in `get`.
            unsafe { self.address().add(offset).write(value) }
        }
    }

    pub(super) fn write(&self, offset: usize, data: &[u8]) {
        for (data, offset) in data.iter().zip(offset..) {
            self.set(offset, *data);
        }
    }

    pub(super) fn word(&self, offset: usize) -> u32 {
        let mut bytes = [0; 4];
        self.read(offset, &mut bytes);
        u32::from_le_bytes(bytes)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}
