//! What a function shows in its header, and where MSI-X may lie.

use super::Descriptor;

/// The parts of the header that few functions have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// Whether software can start a self-test.
    self_test: bool,
    min_gnt: u8,
    max_lat: u8,
}

impl Header {
    pub(super) const fn new() -> Self {
        Header { self_test: false, min_gnt: 0, max_lat: 0 }
    }
}

/// Builders. The derive calls these; a hand-written [`PciDevice`](crate::PciDevice) may as well.
impl Descriptor {
    /// Lets software start a self-test, [`Device::self_test`](crate::Device::self_test), by the
    /// BIST register of the header.
    #[must_use]
    pub const fn with_self_test(mut self) -> Self {
        self.header.self_test = true;
        self
    }

    /// Sets `Min_Gnt` of a conventional function: how long its bursts are, in units of 250 ns.
    #[must_use]
    pub const fn with_min_gnt(mut self, quarters: u8) -> Self {
        self.header.min_gnt = quarters;
        self
    }

    /// Sets `Max_Lat` of a conventional function: how often it needs the bus, in units of 250 ns.
    #[must_use]
    pub const fn with_max_lat(mut self, quarters: u8) -> Self {
        self.header.max_lat = quarters;
        self
    }

    /// Lets registers, memory and places without a model lie in the 4 KiB pages of the MSI-X table
    /// and its pending bits, outside of these.
    ///
    /// A guest reaches what lies there by messages alone, and a client that protects the table by
    /// whole pages may hide it.
    #[must_use]
    pub const fn with_shared_msix_pages(mut self) -> Self {
        self.shares_msix_pages = true;
        self
    }
}

/// Getters.
impl Descriptor {
    /// Returns whether software can start a self-test.
    pub const fn has_self_test(&self) -> bool {
        self.header.self_test
    }

    /// Returns `Min_Gnt`, in units of 250 ns.
    pub const fn min_gnt(&self) -> u8 {
        self.header.min_gnt
    }

    /// Returns `Max_Lat`, in units of 250 ns.
    pub const fn max_lat(&self) -> u8 {
        self.header.max_lat
    }
}
