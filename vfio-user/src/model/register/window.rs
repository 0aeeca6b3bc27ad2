//! Windows: registers whose accesses go on to a BAR.

use super::{Register, RegisterBits, RegisterFlags};
use crate::model::Slot;

/// Where the accesses to a register go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    at: RegisterBits,
    bar: WindowBar,
    len: Option<RegisterBits>,
    step: u64,
}

/// The BAR that a window reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WindowBar {
    /// The one in which the window lies.
    Own,
    /// A BAR by its number.
    Number(u8),
    /// The BAR whose number these bits hold.
    Selected(RegisterBits),
}

/// The bytes that an access to a window reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) bar: u64,
    pub(crate) offset: u64,
    /// May be 0.
    pub(crate) len: usize,
}

impl Window {
    /// A window to the offset that these bits hold, in the BAR of the window.
    pub const fn new(at: RegisterBits) -> Self {
        Window { at, bar: WindowBar::Own, len: None, step: 0 }
    }

    /// Sets the BAR that the window reaches.
    #[must_use]
    pub const fn with_bar(mut self, bar: WindowBar) -> Self {
        self.bar = bar;
        self
    }

    /// Sets the bits that hold how many bytes of the window there are.
    #[must_use]
    pub const fn with_len(mut self, len: RegisterBits) -> Self {
        self.len = Some(len);
        self
    }

    /// Adds `step` to the offset after each access.
    #[must_use]
    pub const fn with_step(mut self, step: u64) -> Self {
        self.step = step;
        self
    }

    /// Returns the bits that hold the offset.
    pub const fn at(&self) -> RegisterBits {
        self.at
    }

    /// Returns the BAR.
    pub const fn bar(&self) -> WindowBar {
        self.bar
    }

    /// Returns the bits that hold the number of bytes.
    pub const fn len(&self) -> Option<RegisterBits> {
        self.len
    }

    /// Returns how far the offset moves after an access.
    pub const fn step(&self) -> u64 {
        self.step
    }

    /// Returns what an access to `len` bytes from `first` on reaches; `load` returns the stored
    /// value of a register. The window is the register of `slot`, in BAR `own`.
    pub(crate) fn view(
        &self,
        (slot, own): (Slot, usize),
        (first, len): (u64, usize),
        load: impl Fn(Slot) -> u64,
    ) -> View {
        let value = |bits: RegisterBits| bits.of(load(beside(slot, bits)));
        let bar = match self.bar {
            WindowBar::Own => own as u64,
            WindowBar::Number(bar) => bar.into(),
            WindowBar::Selected(bits) => value(bits),
        };
        let most = self.len.map_or(u64::MAX, value).saturating_sub(first);
        let len = usize::try_from(most).map_or(len, |most| most.min(len));
        View { bar, offset: value(self.at).saturating_add(first), len }
    }
}

/// Returns the register of some bits, in the declaration of another register.
pub(crate) const fn beside(slot: Slot, bits: RegisterBits) -> Slot {
    Slot { register: bits.register, element: 0, ..slot }
}

impl Register {
    /// Passes accesses on to a BAR.
    #[must_use]
    pub const fn with_window(mut self, window: &'static Window) -> Self {
        self.window = Some(window);
        self.flags = self.flags.union(RegisterFlags::WINDOW);
        self
    }

    /// Returns where accesses go, if the register is a window.
    pub const fn window(&self) -> Option<&'static Window> {
        self.window
    }
}
