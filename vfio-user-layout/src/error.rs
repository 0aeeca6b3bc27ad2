//! Errors of a layout.

use super::{Clash, Kind};

/// A layout that cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are the values that the message names")]
pub enum LayoutError<'a> {
    /// A register is not naturally aligned.
    Misaligned { register: &'a str, width: u64, offset: u64 },
    /// A register ends behind its BAR.
    OutsideBar { kind: Kind, register: &'a str, start: u64, end: u64, bar: u8, size: u64 },
    /// The last element of an array ends behind its BAR, or behind the address space.
    ArrayOutsideBar { register: &'a str, last: u64, end: Option<u64>, bar: u8, size: u64 },
    /// Two things in a BAR share bytes.
    Overlap {
        kinds: (Kind, Kind),
        one: &'a str,
        at: (u64, u64),
        other: &'a str,
        other_at: (u64, u64),
        clash: Clash<'a>,
    },
    /// A register that is overlaid by direction is read and written.
    OverlayBothWays { register: &'a str },
    /// No other register lies where one is overlaid.
    OverlayAlone { register: &'a str },
    /// A condition is not on another single register with storage.
    ConditionTarget { register: &'a str },
    /// A condition is on a field that does not exist.
    ConditionField { target: &'a str },
    /// A condition is on a value that the field cannot have.
    ConditionValue { target: &'a str, bits: u64, value: u64 },
    /// A condition is on a value with bits that are not implemented.
    ConditionReserved { target: &'a str, mask: u64, value: u64 },
    /// A condition is on a range without values.
    ConditionEmpty { first: u64, last: u64 },
    /// A condition depends on itself.
    ConditionCycle { register: &'a str },
    /// What is selected is no array, or its selector no single register with storage.
    Selector { name: &'a str },
    /// A selector is a field that does not exist.
    SelectorField { target: &'a str },
    /// A selector has fewer values than there are elements.
    SelectorNarrow { target: &'a str, bits: u64, name: &'a str, count: u64 },
    /// A doorbell does not answer all writes.
    ConditionalDoorbell { register: &'a str },
    /// A watched register does not answer all accesses.
    ConditionalWatch { register: &'a str },
    /// A register of configuration space depends on the size of accesses.
    SizeInConfig { register: &'a str },
    /// A composed interrupt names a register that does not exist.
    IntrMissing { register_index: u64 },
    /// An enable or mask register is not as wide as the status register.
    IntrWidth { register: &'a str, width: u64, status: &'a str, status_width: u64 },
    /// Software cannot clear the bits of an event interrupt.
    IntrEvent { status: &'a str },
    /// Software can change the bits of a level interrupt.
    IntrLevel { status: &'a str },
    /// A composed interrupt of a device without interrupts.
    IntrNowhere { status: &'a str },
    /// A composed interrupt with a number that the device lacks.
    IntrVector { vector: u64, sources: u64 },
    /// A register or block in the header of configuration space.
    ConfigHeader { kind: Kind, register: &'a str, offset: u64 },
    /// A register or block where extended capabilities start.
    ConfigExtended { kind: Kind, register: &'a str },
    /// A register or block ends behind configuration space.
    OutsideConfig { kind: Kind, register: &'a str, end: Option<u64>, size: u64 },
    /// A block without registers.
    EmptyBlock { block: &'a str },
    /// A register that is not declared is said to exist, or not to.
    NoSuchRegister { register: &'a str },
    /// A watched register, whose place clients map, does not exist.
    AbsentWatch { register: &'a str },
    /// Elements are counted of a block that is not declared.
    NoSuchBlock { block: &'a str },
    /// More elements of a block exist than are declared.
    BlockCount { block: &'a str, count: u64, declared: u64 },
    /// Elements are counted of a block that lies in another one.
    InnerBlockCount { block: &'a str },
    /// Too many blocks lie around a block.
    BlockDepth { block: &'a str, most: u64 },
    /// The hooks of a block take another number of indices than there are blocks around it and
    /// itself.
    BlockIndices { block: &'a str, indices: u64, needed: u64 },
    /// The name of a block in a stream, with those of the blocks around it, is too long.
    BlockPath { block: &'a str, len: u64, most: u64 },
    /// A block's registers would not be naturally aligned.
    BlockMisaligned { block: &'a str, alignment: u64, offset: u64 },
    /// The registers of some of a block's elements would not be naturally aligned.
    BlockStrideMisaligned { block: &'a str, alignment: u64, stride: u64 },
    /// An array's elements are closer than they are wide.
    StrideTooSmall { register: &'a str, stride: u64, width: u64 },
    /// An array's elements are not all naturally aligned.
    StrideMisaligned { register: &'a str, stride: u64, width: u64 },
    /// An array without elements.
    EmptyArray { register: &'a str },
    /// A register lies in a BAR that is not declared.
    MissingBar { kind: Kind, register: &'a str, bar: u8 },
    /// A BAR's size is not a power of two.
    BarSize { bar: u8, size: u64 },
    /// A memory BAR is smaller than its address bits allow.
    MemoryBarTooSmall { bar: u8, size: u64, express: bool },
    /// An I/O BAR's size is out of range.
    IoBarSize { bar: u8, size: u64 },
    /// A 32-bit BAR is larger than 2 GiB.
    Mem32TooLarge { bar: u8, size: u64 },
    /// A 64-bit BAR is larger than its address bits allow.
    Mem64TooLarge { bar: u8, size: u64 },
    /// An older version of an array had as many elements as now, or more.
    Growth { name: &'a str, from: u64, count: u64 },
    /// There is no such BAR.
    BarIndex { bar: u64 },
    /// A 64-bit BAR has no upper half.
    NoUpperHalf { bar: u8 },
    /// A BAR occupies the upper half of a 64-bit one.
    UpperHalf { bar: u8, lower: u8 },
    /// An I/O BAR cannot be prefetchable.
    PrefetchableIo { bar: u8 },
    /// A reset value has more bits than its register.
    ResetTooWide { register: &'a str, reset: u64, width: u64 },
    /// A reset value sets bits that are not implemented.
    ResetReserved { register: &'a str, reset: u64, mask: u64 },
    /// The value of a register in older state has more bits than the register.
    DefaultTooWide { register: &'a str, default: u64, width: u64 },
    /// The value of a register in older state sets bits that are not implemented.
    DefaultReserved { register: &'a str, default: u64, mask: u64 },
    /// A field's type has no variant for its part of a register's value in older state.
    DefaultUnknownValue { default: u64, field: &'a str, value: u64 },
    /// A mask has more bits than its register.
    MaskTooWide { register: &'a str, mask: u64, width: u64 },
    /// The writable bits include bits that are not implemented.
    WritableReserved { register: &'a str, writable: u64, mask: u64 },
    /// A field lies outside its register.
    FieldOutside { field: &'a str, first: u64, last: u64, register_bits: u64 },
    /// Two fields share bits; the first and the last bit of each.
    FieldOverlap { field: &'a str, bits: (u64, u64), other: &'a str, other_bits: (u64, u64) },
    /// A field has more bits than its type.
    FieldTooWide { field: &'a str, width: u64, ty: &'a str, bits: u64 },
    /// A field has too few bits for a variant of its type.
    VariantTooWide { field: &'a str, width: u64, ty: &'a str, name: &'a str, value: u64 },
    /// A field can hold a value that its type has no variant for.
    NoVariant { field: &'a str, width: u64, ty: &'a str, value: u64 },
    /// A variant of a register's type does not fit in the register.
    RegisterVariantTooWide { width: u64, ty: &'a str, name: &'a str, value: u64 },
    /// The variant for all other values of a register has too few bits.
    RegisterPayload { width: u64, name: &'a str, bits: u64 },
    /// A register can hold a value that its type has no variant for.
    RegisterNoVariant { width: u64, ty: &'a str, value: u64 },
    /// A field's reset value has more bits than the field.
    FieldResetTooWide { field: &'a str, width: u64, reset: u64 },
    /// A field's type has no variant for the field's reset value.
    ResetNoVariant { field: &'a str, ty: &'a str, reset: u64 },
    /// A register's reset value sets a bit that is in no field.
    ResetOutsideFields { reset: u64, bit: u64 },
    /// A register's reset value gives a field a value that the field's type cannot represent.
    ResetUnknownValue { reset: u64, field: &'a str, value: u64 },
    /// A register without storage reads as zero, which a field's type cannot represent.
    NothingStored { register: &'a str, field: &'a str },
    /// A register's reset value is not that of its fields.
    ResetsDisagree { register: &'a str, reset: u64, field: &'a str, field_reset: u64 },
    /// The vendor id is the one that means that no device is present.
    NoVendor,
    /// A class code has more than 24 bits.
    ClassTooWide { class: u64 },
    /// An id does not fit in its register.
    IdTooWide { what: &'a str, value: u64, bits: u32 },
    /// The number of MSI vectors is not 1, 2, 4, 8, 16 or 32.
    MsiVectors { vectors: u64 },
    /// The number of MSI-X vectors is not 1 to 2048.
    MsixVectors { vectors: u64 },
    /// An MSI-X structure is not quadword aligned.
    MsixAlignment { what: &'a str, offset: u64 },
    /// An MSI-X structure ends behind its BAR.
    MsixOutsideBar { what: &'a str, end: u64, bar: u8, size: u64 },
    /// An MSI-X structure shares a naturally aligned 4 KiB page with something else.
    MsixSharesPage { what: &'a str, at: (u64, u64), kind: Kind, other: &'a str, other_at: u64 },
    /// The MSI-X BAR decodes I/O ports, which cannot hold a table.
    MsixInIoBar { bar: u8 },
    /// The MSI-X BAR holds registers, and the offset of the table is not declared.
    MsixNeedsTable { bar: u8 },
    /// No BAR is left for the MSI-X table.
    MsixNoFreeBar,
    /// Vectors of MSI-X are counted, which is not declared.
    MsixUndeclared,
    /// A function has the same capability twice.
    CapabilityTwice { what: &'a str },
    /// A capability is not doubleword aligned.
    CapabilityMisaligned { capability: &'a str, offset: u64 },
    /// A capability lies outside of the space of its kind.
    CapabilityOutside { capability: &'a str, at: (u64, u64), space: (u64, u64) },
    /// All capabilities of a kind need more than their space.
    CapabilitiesTooLong { end: u64, space: (u64, u64) },
    /// A conventional function has an extended capability.
    ExtendedWithoutExpress { capability: &'a str },
    /// The list of extended capabilities does not start where it must.
    ExtendedStart { capability: &'a str, first: u64 },
    /// A mask is longer than the bytes that it covers.
    CapabilityMask { capability: &'a str, mask: u64, bytes: u64 },
    /// A custom capability has the id of a named one.
    CapabilityHasName { capability: &'a str, id: u64, named: &'a str },
    /// A capability is for interrupts that the function lacks.
    CapabilityWithoutIrq { capability: &'a str },
    /// A device has more regions of its own than clients accept.
    TooManyRegions { count: u64 },
    /// A region of the device's own has no bytes.
    EmptyRegion { region: u32 },
    /// Vital product data exceed their address range.
    VpdSize { bytes: u64 },
    /// A power management event wakes from a state that the function lacks.
    WakesFromNowhere { state: &'a str },
    /// A link has a generation that does not exist.
    LinkSpeed { generation: u64 },
    /// A link has a number of lanes that no link has.
    LinkWidth { lanes: u64 },
    /// The payload of a packet has a size that cannot be expressed.
    MaxPayload { bytes: u64 },
    /// A property of a link is given for a function without one.
    NoLink { option: &'a str },
    /// A latency on a parallel bus is given for a PCI Express function.
    LatencyOfExpress { option: &'a str },
    /// The expansion ROM's size is out of range.
    RomSize { size: u64 },
    /// A wide register does not have 64 bits.
    WideWidth { register: &'a str, width: u64 },
    /// A read of half of a 64-bit register would change the other half.
    TornByRead { register: &'a str },
    /// A command that clears itself is set from the start.
    PulseReset { register: &'a str, reset: u64 },
    /// A soft reset has a number that no domain has.
    SoftDomain { domain: u64 },
    /// A doorbell matches a value that its register cannot be written with.
    DoorbellTooWide { register: &'a str, value: u64, width: u64 },
    /// A register's lock is not a register, or is the register itself.
    LockTarget { register: &'a str },
    /// A register's lock is a field that does not exist.
    LockField { target: &'a str },
    /// An array and its lock have different numbers of elements.
    LockElements { register: &'a str, count: u64, lock: &'a str, locks: u64 },
    /// A BAR accepts a size that no bus supports.
    AccessSize { bar: u8, size: u64 },
    /// A BAR accepts no access size.
    AccessSizes { bar: u8, smallest: u8, largest: u8 },
    /// A part of a BAR has no bytes.
    AccessRangeEmpty { start: u64, end: u64 },
    /// A part of a BAR ends behind it.
    AccessRangeOutside { start: u64, end: u64, bar: u8, size: u64 },
    /// Two parts of a BAR share bytes.
    AccessRangesOverlap { bar: u8, one: (u64, u64), other: (u64, u64) },
    /// A driver cannot access a register: each access that the BAR accepts has other bytes too.
    NotAlone { register: &'a str, offset: u64, bar: u8 },
    /// I/O ports cannot be mapped.
    SharedIo { bar: u8 },
    /// A shared part of a BAR has no bytes.
    SharedEmpty { start: u64, end: u64 },
    /// A shared part of a BAR does not consist of whole pages.
    SharedAlignment { start: u64, end: u64, bar: u8 },
    /// A shared part of a BAR ends behind it.
    SharedOutside { start: u64, end: u64, bar: u8, size: u64 },
    /// Two shared parts of a BAR share bytes.
    SharedOverlap { bar: u8, one: (u64, u64), other: (u64, u64) },
    /// Something lies where clients may map the BAR.
    InShared { kind: Kind, name: &'a str, at: (u64, u64), bar: u8, area: (u64, u64) },
    /// A BAR mirrors itself.
    MirrorOfItself { bar: u8 },
    /// A BAR mirrors one that is not declared.
    MirrorOfNothing { bar: u8, mirrored: u8 },
    /// A BAR mirrors one that is a mirror.
    MirrorOfMirror { bar: u8, mirrored: u8, behind: u8 },
    /// A BAR is larger than the one that it mirrors.
    MirrorTooLarge { bar: u8, size: u64, mirrored: u8, behind: u64 },
    /// A mirror is shared.
    MirrorShared { bar: u8, mirrored: u8 },
    /// The BAR behind a mirror has MSI-X structures.
    MirrorOfMsix { bar: u8, mirrored: u8 },
    /// Something is declared in a mirror.
    InMirror { kind: Kind, name: &'a str, bar: u8, mirrored: u8 },
    /// A raw range has no bytes.
    RawEmpty { start: u64, end: u64 },
    /// A raw range ends behind its BAR.
    RawOutside { start: u64, end: u64, bar: u8, size: u64 },
    /// A raw range shares bytes with another one, or with shared memory.
    RawOverlap { bar: u8, raw: (u64, u64), other: (u64, u64) },
    /// Something is declared in a raw range.
    InRaw { kind: Kind, name: &'a str, at: (u64, u64), bar: u8, range: (u64, u64) },
    /// A big-endian register is accessed without messages.
    BigWithoutMessage { register: &'a str },
    /// A window does not go by single registers with storage.
    WindowTarget { register: &'a str },
    /// A window goes by a field that does not exist.
    WindowField { target: &'a str },
    /// A window reaches a BAR that is not declared.
    WindowBar { register: &'a str, bar: u8 },
    /// The index of a window holds offsets that its BAR lacks.
    WindowReach { register: &'a str, index: &'a str, mask: u64, bar: u8, size: u64 },
    /// A window in configuration space reaches no BAR.
    WindowInConfig { register: &'a str },
    /// A register lies in the fixed part of a capability.
    CapabilityHeader { capability: &'a str, offset: u64, header: u64 },
    /// A memory or a place without a model has no bytes.
    MemoryEmpty { kind: Kind, name: &'a str, start: u64, end: u64 },
    /// A memory or a place without a model has more bytes than migrate as one piece.
    MemoryTooLarge { kind: Kind, name: &'a str, size: u64 },
    /// A memory has more or fewer bytes than its range.
    MemoryLength { memory: &'a str, bytes: u64, start: u64, end: u64 },
    /// A watched register lies where clients map nothing.
    NothingToWatch { register: &'a str, at: (u64, u64), bar: u8 },
}
