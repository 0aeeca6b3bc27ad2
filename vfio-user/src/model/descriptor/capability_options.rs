//! Options of capabilities.

use bitflags::bitflags;

use crate::layout::{Check, LayoutError};

/// The options of the MSI capability (PCI Local Bus Specification 3.0, 6.8.1).
///
/// ```
/// use vfio_user::declaration::{Capability, Msi};
///
/// const MSI: Capability = Capability::msi_with(Msi::new().with_maskable());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Msi {
    is_short: bool,
    maskable: bool,
}

impl Msi {
    /// 64-bit addresses, and no masks.
    pub const fn new() -> Self {
        Msi { is_short: false, maskable: false }
    }

    /// Limits addresses to 32 bits.
    #[must_use]
    pub const fn with_address_32(mut self) -> Self {
        self.is_short = true;
        self
    }

    /// Adds a mask bit and a pending bit for each vector.
    #[must_use]
    pub const fn with_maskable(mut self) -> Self {
        self.maskable = true;
        self
    }

    /// Returns whether addresses have 64 bits.
    pub const fn is_64_bit(self) -> bool {
        !self.is_short
    }

    /// Returns whether vectors have mask bits and pending bits.
    pub const fn is_maskable(self) -> bool {
        self.maskable
    }

    /// The offset of the data in the capability; the mask bits follow 4 bytes later.
    pub(crate) const fn data(self) -> usize {
        if self.is_short { 8 } else { 12 }
    }

    /// The offset of the mask bits.
    pub(crate) const fn mask(self) -> usize {
        self.data() + 4
    }

    /// The offset of the pending bits.
    pub(crate) const fn pending(self) -> usize {
        self.data() + 8
    }

    /// The size in bytes.
    pub(crate) const fn size(self) -> usize {
        if self.maskable { self.pending() + 4 } else { self.data() + 2 }
    }
}

bitflags! {
    /// Power states of a function (PCI Power Management Interface Specification 1.2, 5).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct PowerStates: u8 {
        /// Fully on.
        const D0 = 1 << 0;
        /// Light sleep.
        const D1 = 1 << 1;
        /// Deeper sleep.
        const D2 = 1 << 2;
        /// Off, with accessible configuration space.
        const D3_HOT = 1 << 3;
        /// Off, with auxiliary power at most.
        const D3_COLD = 1 << 4;
    }
}

/// The power states that a function has besides D0 and D3, and its behaviour in them (PCI Power
/// Management Interface Specification 1.2, 3.2).
///
/// ```
/// use vfio_user::declaration::{Capability, PowerManagement, PowerStates};
///
/// const WAKES: PowerStates = PowerStates::D1.union(PowerStates::D3_HOT);
/// const POWER: PowerManagement = PowerManagement::new().with_d1().with_wakes_from(WAKES);
/// const PM: Capability = Capability::pm_with(POWER);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PowerManagement {
    d1: bool,
    d2: bool,
    no_soft_reset: bool,
    wakes_from: PowerStates,
}

impl PowerManagement {
    /// D0 and D3. The function is reset when it returns from D3hot:
    /// [`ResetKind::PowerState`](crate::ResetKind::PowerState).
    pub const fn new() -> Self {
        PowerManagement {
            d1: false,
            d2: false,
            no_soft_reset: false,
            wakes_from: PowerStates::empty(),
        }
    }

    /// Adds D1.
    #[must_use]
    pub const fn with_d1(mut self) -> Self {
        self.d1 = true;
        self
    }

    /// Adds D2.
    #[must_use]
    pub const fn with_d2(mut self) -> Self {
        self.d2 = true;
        self
    }

    /// Lets the function keep its state when it returns from D3hot.
    #[must_use]
    pub const fn with_no_soft_reset(mut self) -> Self {
        self.no_soft_reset = true;
        self
    }

    /// Lets the function signal power management events from these states, with
    /// [`Cx::signal_pme`](crate::Cx::signal_pme).
    #[must_use]
    pub const fn with_wakes_from(mut self, states: PowerStates) -> Self {
        self.wakes_from = states;
        self
    }

    /// Returns the states that the function has.
    pub const fn states(self) -> PowerStates {
        let d1 = if self.d1 { PowerStates::D1 } else { PowerStates::empty() };
        let d2 = if self.d2 { PowerStates::D2 } else { PowerStates::empty() };
        PowerStates::D0.union(PowerStates::D3_HOT).union(d1).union(d2)
    }

    /// Returns the states from which the function can signal events.
    pub const fn wakes_from(self) -> PowerStates {
        self.wakes_from
    }

    /// Returns whether the function is reset when it returns from D3hot.
    pub const fn is_reset_from_d3hot(self) -> bool {
        !self.no_soft_reset
    }

    /// Checks that events come from states that exist.
    pub(super) const fn check(self) -> Check<'static> {
        let missing = self.wakes_from.difference(self.states().union(PowerStates::D3_COLD));
        if missing.is_empty() {
            return Ok(());
        }
        let state = if missing.contains(PowerStates::D1) { "d1" } else { "d2" };
        Err(LayoutError::WakesFromNowhere { state })
    }
}
