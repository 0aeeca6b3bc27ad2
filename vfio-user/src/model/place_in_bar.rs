//! The methods that named ranges of a BAR share.

/// Implements the place of a range that has a `name`, a `bar`, a `start` and an `end`.
macro_rules! place_in_bar {
    ($range:ident, $kind:expr) => {
        impl $range {
            /// Places the range in another BAR than 0.
            #[must_use]
            pub const fn with_bar(mut self, bar: u8) -> Self {
                self.bar = bar;
                self
            }

            /// Returns the name.
            pub const fn name(&self) -> &'static str {
                self.name
            }

            /// Returns the index of the BAR.
            pub const fn bar(&self) -> u8 {
                self.bar
            }

            /// Returns the offset of the first byte in the BAR.
            pub const fn start(&self) -> u64 {
                self.start
            }

            /// Returns the end in the BAR, exclusive.
            pub const fn end(&self) -> u64 {
                self.end
            }

            /// Returns the number of bytes.
            pub const fn size(&self) -> u64 {
                self.end.saturating_sub(self.start)
            }

            /// Returns the place of the range in its BAR.
            pub const fn extent(&self) -> crate::layout::Extent<'static> {
                crate::layout::Extent::single(self.name, self.start, self.size()).of($kind)
            }
        }
    };
}

pub(super) use place_in_bar;
