//! Numbers of the PCI specifications, by their names there.

/// Offsets in configuration space (PCI Local Bus Specification 3.0, 6.1, header type 0).
pub mod cfg {
    /// Vendor id, 2 bytes.
    pub const VENDOR_ID: usize = 0x00;
    /// Device id, 2 bytes.
    pub const DEVICE_ID: usize = 0x02;
    /// Command, 2 bytes.
    pub const COMMAND: usize = 0x04;
    /// Status, 2 bytes.
    pub const STATUS: usize = 0x06;
    /// Revision id, 1 byte.
    pub const REVISION_ID: usize = 0x08;
    /// Class code, 3 bytes.
    pub const CLASS_CODE: usize = 0x09;
    /// Cache line size, 1 byte.
    pub const CACHE_LINE_SIZE: usize = 0x0c;
    /// Latency timer, 1 byte.
    pub const LATENCY_TIMER: usize = 0x0d;
    /// Built-in self-test, 1 byte.
    pub const BIST: usize = 0x0f;
    /// The first base address register, 4 bytes each.
    pub const BAR0: usize = 0x10;
    /// Subsystem vendor id, 2 bytes.
    pub const SUBSYSTEM_VENDOR_ID: usize = 0x2c;
    /// Subsystem id, 2 bytes.
    pub const SUBSYSTEM_ID: usize = 0x2e;
    /// Expansion ROM base address, 4 bytes.
    pub const ROM_ADDRESS: usize = 0x30;
    /// Offset of the first capability, 1 byte.
    pub const CAPABILITIES_POINTER: usize = 0x34;
    /// Interrupt line, 1 byte.
    pub const INTERRUPT_LINE: usize = 0x3c;
    /// Interrupt pin, 1 byte: 0 none, 1 INTA.
    pub const INTERRUPT_PIN: usize = 0x3d;
    /// The length of bursts, in units of 250 ns, 1 byte.
    pub const MIN_GNT: usize = 0x3e;
    /// How often the bus is needed, in the same units, 1 byte.
    pub const MAX_LAT: usize = 0x3f;
    /// The first offset at which a capability may start.
    pub const FIRST_CAPABILITY: usize = 0x40;
    /// The size of a conventional function's configuration space.
    pub const CONVENTIONAL_SIZE: usize = 256;
    /// The size of a PCI Express function's configuration space.
    pub const EXPRESS_SIZE: usize = 4096;
}

/// Bits of the command register (6.2.2).
pub mod command {
    /// The function responds to I/O accesses.
    pub const IO_SPACE: u16 = 1 << 0;
    /// The function responds to memory accesses.
    pub const MEMORY_SPACE: u16 = 1 << 1;
    /// The function may access memory.
    pub const BUS_MASTER: u16 = 1 << 2;
    /// Parity error response.
    pub const PARITY_ERROR_RESPONSE: u16 = 1 << 6;
    /// SERR# enable.
    pub const SERR_ENABLE: u16 = 1 << 8;
    /// The function does not assert INTx.
    pub const INTERRUPT_DISABLE: u16 = 1 << 10;
    /// The bits that software may write.
    pub const WRITABLE: u16 = IO_SPACE
        | MEMORY_SPACE
        | BUS_MASTER
        | PARITY_ERROR_RESPONSE
        | SERR_ENABLE
        | INTERRUPT_DISABLE;
}

/// Bits of the status register (6.2.3).
pub mod status {
    /// INTx is asserted, whether it is disabled or not.
    pub const INTERRUPT: u16 = 1 << 3;
    /// The function has a capability list.
    pub const CAPABILITIES_LIST: u16 = 1 << 4;
    /// The function has signalled an error.
    pub const SIGNALED_SYSTEM_ERROR: u16 = 1 << 14;
    /// The error bits, which software clears by writing ones: master data parity error, signaled
    /// and received aborts, signaled system error, detected parity error.
    pub const ERRORS: u16 = 0b1111_1001 << 8;
}

/// Bits of the register of the built-in self-test (6.2.4).
pub mod bist {
    /// The function can test itself.
    pub const CAPABLE: u8 = 1 << 7;
    /// Starts the test; reads zero once it has ended.
    pub const START: u8 = 1 << 6;
    /// How the test ended: 0 if it passed.
    pub const CODE: u8 = 0xf;
}

/// Bits of a base address register (6.2.5.1).
pub mod bar {
    /// I/O space.
    pub const IO: u32 = 1 << 0;
    /// 64-bit memory.
    pub const MEMORY_64: u32 = 0b10 << 1;
    /// Reads have no side effects.
    pub const PREFETCHABLE: u32 = 1 << 3;
    /// The expansion ROM decodes.
    pub const ROM_ENABLE: u32 = 1 << 0;
}

#[doc(inline)]
pub use crate::layout::{capability_id, extended_id};

/// The extended capability of advanced error reporting (PCI Express Base Specification 5.0, 7.8.4).
pub mod aer {
    /// Offset of the status of uncorrectable errors.
    pub const STATUS: usize = 0x04;
    /// Offset of the mask of uncorrectable errors, which are not signalled.
    pub const MASK: usize = 0x08;
    /// Offset of the severity of uncorrectable errors: set bits are fatal.
    pub const SEVERITY: usize = 0x0c;
    /// All uncorrectable errors.
    pub const ERRORS: u32 = 0x03ff_f030;
    /// The default mask: internal errors.
    pub const DEFAULT_MASK: u32 = 1 << 22;
    /// The default severity, the fatal errors: data link protocol, surprise down, flow control,
    /// overflow, malformed, internal.
    pub const DEFAULT_SEVERITY: u32 = 1 << 4 | 1 << 5 | 1 << 13 | 1 << 17 | 1 << 18 | 1 << 22;
    /// Offset of the status of correctable errors.
    pub const CORRECTABLE_STATUS: usize = 0x10;
    /// Offset of the mask of correctable errors, which are not signalled.
    pub const CORRECTABLE_MASK: usize = 0x14;
    /// All correctable errors.
    pub const CORRECTABLE_ERRORS: u32 = 1 | 0b111 << 6 | 0xf << 12;
    /// The default mask: advisory, internal, header log overflow.
    pub const DEFAULT_CORRECTABLE_MASK: u32 = 0b111 << 13;
    /// Offset of capabilities and control.
    pub const CONTROL: usize = 0x18;
    /// The first uncorrectable error, of capabilities and control.
    pub const FIRST_ERROR: u32 = 0x1f;
    /// Offset of the header of its packet, 16 bytes.
    pub const HEADER_LOG: usize = 0x1c;
    /// The size in bytes.
    pub const SIZE: usize = 0x2c;
}

/// The power management capability (PCI Power Management Interface Specification 1.2, 3.2).
pub mod pm {
    /// Offset of the power management capabilities, 2 bytes.
    pub const CAPABILITIES: usize = 2;
    /// Version 1.2.
    pub const VERSION_1_2: u16 = 3;
    /// The function supports D1.
    pub const D1: u16 = 1 << 9;
    /// The function supports D2.
    pub const D2: u16 = 1 << 10;
    /// The first of five bits: the function can signal events from D0, D1, D2, D3hot, D3cold.
    pub const PME_STATES: u32 = 11;
    /// Offset of control and status, 2 bytes.
    pub const CONTROL: usize = 4;
    /// The state, in control and status: 0 for D0 to 3 for D3hot.
    pub const POWER_STATE: u8 = 0b11;
    /// Nothing is reset between D3hot and D0.
    pub const NO_SOFT_RESET: u16 = 1 << 3;
    /// Events are signalled.
    pub const PME_ENABLE: u16 = 1 << 8;
    /// An event is pending; writing a one clears it.
    pub const PME_STATUS: u16 = 1 << 15;
}

/// The vital product data capability (PCI Local Bus Specification 3.0, appendix I).
pub mod vpd {
    /// Offset of the address, 2 bytes.
    pub const ADDRESS: usize = 2;
    /// The address, a multiple of 4.
    pub const ADDRESS_BITS: u16 = 0x7ffc;
    /// Bit 15 of the address, in its upper byte: software writes the direction (1 to write) and
    /// waits until the bit is inverted.
    pub const FLAG: u8 = 1 << 7;
    /// Offset of the data, 4 bytes.
    pub const DATA: usize = 4;
}

/// The PCI Express capability (PCI Express Base Specification 5.0, 7.5.3).
pub mod express {
    /// Offset of device capabilities, 4 bytes.
    pub const DEVICE_CAPABILITIES: usize = 0x04;
    /// The function can be reset alone.
    pub const FLR_CAPABLE: u32 = 1 << 28;
    /// Offset of device control, 2 bytes.
    pub const DEVICE_CONTROL: usize = 0x08;
    /// Resets the function; reads zero.
    pub const INITIATE_FLR: u16 = 1 << 15;
    /// Offset of device status, 2 bytes.
    pub const DEVICE_STATUS: usize = 0x0a;
    /// Correctable errors: reported (device control), or detected (device status).
    pub const CORRECTABLE: u16 = 1 << 0;
    /// Non-fatal errors, in the same registers.
    pub const NON_FATAL: u16 = 1 << 1;
    /// Fatal errors, in the same registers.
    pub const FATAL: u16 = 1 << 2;
    /// Unsupported requests, in the same registers.
    pub const UNSUPPORTED_REQUEST: u16 = 1 << 3;
    /// In the lower byte of device status: the function waits for completions.
    pub const TRANSACTIONS_PENDING: u8 = 1 << 5;
    /// All error bits.
    pub const ERRORS: u16 = CORRECTABLE | NON_FATAL | FATAL | UNSUPPORTED_REQUEST;
}

/// Bits of the message control word of MSI (6.8.1.3).
pub mod msi {
    /// MSI is in use.
    pub const ENABLE: u16 = 1 << 0;
    /// The number of enabled messages, as a power of two.
    pub const MULTIPLE_MESSAGE_ENABLE: u16 = 0b111 << 4;
    /// Addresses have 64 bits.
    pub const ADDRESS_64: u16 = 1 << 7;
    /// Vectors have mask bits and pending bits.
    pub const VECTOR_MASKS: u16 = 1 << 8;
}

/// Bits of the message control word of MSI-X (6.8.2.3).
pub mod msix {
    /// The number of vectors less one.
    pub const TABLE_SIZE: u16 = 0x7ff;
    /// All vectors are masked.
    pub const FUNCTION_MASK: u16 = 1 << 14;
    /// MSI-X is in use.
    pub const ENABLE: u16 = 1 << 15;
}
