//! The 25 access policies of UVM (IEEE 1800.2), each split into a write effect and a read effect.

/// How software may access a register or a field.
///
/// The names are those of UVM: the letters after `W` name the effect of a write, those after `R`
/// the effect of a read. `1` and `0` select the written bits that have the effect; other bits keep
/// their value. `O` means that no other kind of access is possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Policy {
    /// Read-only.
    Ro,
    /// Read and write.
    #[default]
    Rw,
    /// Read-only; a read clears all bits.
    Rc,
    /// Read-only; a read sets all bits.
    Rs,
    /// Read and write; a read clears all bits.
    Wrc,
    /// Read and write; a read sets all bits.
    Wrs,
    /// A write clears all bits, whatever its value.
    Wc,
    /// A write sets all bits, whatever its value.
    Ws,
    /// A write sets all bits, a read clears them.
    Wsrc,
    /// A write clears all bits, a read sets them.
    Wcrs,
    /// Writing a one clears the bit.
    W1c,
    /// Writing a one sets the bit.
    W1s,
    /// Writing a one toggles the bit.
    W1t,
    /// Writing a zero clears the bit.
    W0c,
    /// Writing a zero sets the bit.
    W0s,
    /// Writing a zero toggles the bit.
    W0t,
    /// Writing a one sets the bit; a read clears all bits.
    W1src,
    /// Writing a one clears the bit; a read sets all bits.
    W1crs,
    /// Writing a zero sets the bit; a read clears all bits.
    W0src,
    /// Writing a zero clears the bit; a read sets all bits.
    W0crs,
    /// Write-only: reads return zero.
    Wo,
    /// Write-only; a write clears all bits, whatever its value.
    Woc,
    /// Write-only; a write sets all bits, whatever its value.
    Wos,
    /// Read and write; only the first write after a reset counts.
    W1,
    /// Write-only; only the first write after a reset counts.
    Wo1,
}

/// The effect of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnWrite {
    /// Ignores the write.
    Nothing,
    /// Stores the value.
    Store,
    /// Stores the value if this is the first write after a reset.
    StoreOnce,
    /// Clears all bits.
    ClearAll,
    /// Sets all bits.
    SetAll,
    /// Ones clear their bits.
    OnesClear,
    /// Ones set their bits.
    OnesSet,
    /// Ones toggle their bits.
    OnesToggle,
    /// Zeros clear their bits.
    ZerosClear,
    /// Zeros set their bits.
    ZerosSet,
    /// Zeros toggle their bits.
    ZerosToggle,
}

/// The result and the effect of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRead {
    /// Returns zero.
    Hidden,
    /// Returns the value.
    Value,
    /// Returns the value and clears all bits.
    ValueThenClear,
    /// Returns the value and sets all bits.
    ValueThenSet,
}

impl Policy {
    /// All policies.
    pub const ALL: [Policy; 25] = [
        Policy::Ro,
        Policy::Rw,
        Policy::Rc,
        Policy::Rs,
        Policy::Wrc,
        Policy::Wrs,
        Policy::Wc,
        Policy::Ws,
        Policy::Wsrc,
        Policy::Wcrs,
        Policy::W1c,
        Policy::W1s,
        Policy::W1t,
        Policy::W0c,
        Policy::W0s,
        Policy::W0t,
        Policy::W1src,
        Policy::W1crs,
        Policy::W0src,
        Policy::W0crs,
        Policy::Wo,
        Policy::Woc,
        Policy::Wos,
        Policy::W1,
        Policy::Wo1,
    ];

    /// Returns the name, as written in `#[reg(..)]`.
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// Returns the policy with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == name)
    }

    /// Whether software can read the stored value.
    pub const fn is_readable(self) -> bool {
        !matches!(self.on_read(), OnRead::Hidden)
    }

    /// Whether a write can change the stored value.
    pub const fn is_writable(self) -> bool {
        !matches!(self.on_write(), OnWrite::Nothing)
    }

    /// Whether a read changes the stored value.
    pub const fn is_changed_by_reads(self) -> bool {
        matches!(self.on_read(), OnRead::ValueThenClear | OnRead::ValueThenSet)
    }

    /// Returns the effect of a write.
    pub const fn on_write(self) -> OnWrite {
        self.row().1
    }

    /// Returns the result and the effect of a read.
    pub const fn on_read(self) -> OnRead {
        self.row().2
    }

    const fn row(self) -> (&'static str, OnWrite, OnRead) {
        use OnRead::{Hidden, Value, ValueThenClear, ValueThenSet};
        use OnWrite::{
            ClearAll, Nothing, OnesClear, OnesSet, OnesToggle, SetAll, Store, StoreOnce,
            ZerosClear, ZerosSet, ZerosToggle,
        };
        match self {
            Policy::Ro => ("ro", Nothing, Value),
            Policy::Rw => ("rw", Store, Value),
            Policy::Rc => ("rc", Nothing, ValueThenClear),
            Policy::Rs => ("rs", Nothing, ValueThenSet),
            Policy::Wrc => ("wrc", Store, ValueThenClear),
            Policy::Wrs => ("wrs", Store, ValueThenSet),
            Policy::Wc => ("wc", ClearAll, Value),
            Policy::Ws => ("ws", SetAll, Value),
            Policy::Wsrc => ("wsrc", SetAll, ValueThenClear),
            Policy::Wcrs => ("wcrs", ClearAll, ValueThenSet),
            Policy::W1c => ("w1c", OnesClear, Value),
            Policy::W1s => ("w1s", OnesSet, Value),
            Policy::W1t => ("w1t", OnesToggle, Value),
            Policy::W0c => ("w0c", ZerosClear, Value),
            Policy::W0s => ("w0s", ZerosSet, Value),
            Policy::W0t => ("w0t", ZerosToggle, Value),
            Policy::W1src => ("w1src", OnesSet, ValueThenClear),
            Policy::W1crs => ("w1crs", OnesClear, ValueThenSet),
            Policy::W0src => ("w0src", ZerosSet, ValueThenClear),
            Policy::W0crs => ("w0crs", ZerosClear, ValueThenSet),
            Policy::Wo => ("wo", Store, Hidden),
            Policy::Woc => ("woc", ClearAll, Hidden),
            Policy::Wos => ("wos", SetAll, Hidden),
            Policy::W1 => ("w1", StoreOnce, Value),
            Policy::Wo1 => ("wo1", StoreOnce, Hidden),
        }
    }
}
