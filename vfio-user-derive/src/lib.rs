//! The macros of `vfio-user`.

#![forbid(unsafe_code)]

mod ast;
mod attr;
mod bits;
mod ctxt;
mod expand;
#[cfg(test)]
mod golden;
mod literal;
#[cfg(test)]
mod mutation;
mod suggest;
mod valid;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};
use vfio_user_layout::{self as layout, policy};

/// Implements `PciDevice` for a struct whose annotations declare a PCI device.
///
/// # On the struct
///
/// | attribute | meaning |
/// |---|---|
/// | `#[pci(vendor = E, device = E)]` | the identity; required |
/// | `.. class = E` | class code, 24 bits; 0xff0000 (unassigned) by default |
/// | `.. revision = E` | revision id; 0 by default |
/// | `.. subsystem = (E, E)` | subsystem vendor and id; zeros by default |
/// | `.. crate = P` | the path of the library, `::vfio_user` by default |
/// | `.. ignore_command` | BARs answer and the device accesses memory whatever the command register says |
/// | `.. name = ".."` | for logs and descriptions; by default the struct's name in snake case |
/// | `#[bar(N: KIND, size = E)]` | a BAR, once each; `N` is 0 to 5, `KIND` is `mem32`, `mem64` or `io` |
/// | `.. prefetchable` | reads have no side effects; not with `io` |
/// | `.. unmapped = zero \| ones \| refuse` | what an access gets where no register lies |
/// | `.. access = N` or `N..=N` | the sizes of accesses that are accepted, in bytes; 1 to 8 by default |
/// | `.. access(E..E: N, ..)` | the sizes that parts of the BAR accept instead |
/// | `.. shared` or `shared(E..E, ..)` | memory that clients may map, all of the BAR or whole pages of 4 KiB; registers lie beside it |
/// | `.. unaligned = split \| ignore` | what an access gets that is not aligned to its size |
/// | `.. allow(prefetchable_mem32, express_io)` | no warning of what PCI Express advises against |
/// | `#[irq(intx)]` | the interrupt line |
/// | `#[irq(msi = E)]` | MSI with 1, 2, 4, 8, 16 or 32 vectors |
/// | `#[irq(msix = E)]` | MSI-X with 1 to 2048 vectors, its table in a BAR of its own |
/// | `.. bar = N` | the number of that BAR; by default the first free one |
/// | `.. bar = N, table = E, pba = E` | where the table lies in a BAR, in 4 KiB pages of its own; `pba` defaults to behind it |
/// | `#[capability(NAME, ..)]` | capabilities, in the order in which they lie; MSI and MSI-X come last unless they are named |
///
/// | capability | meaning |
/// |---|---|
/// | `pm` | power management: the states D0 and D3 |
/// | `.. d1`, `d2` | other states that it has |
/// | `.. no_soft_reset` | it comes back from D3hot as it went there |
/// | `.. wakes_from(d0, d3hot, ..)` | the states in which `Cx::wake` tells of an event |
/// | `vpd(B)` | vital product data, which guests read and, where it is `writable`, write |
/// | `msi`, `msix` | the place of those of `#[irq(..)]` |
/// | `.. maskable`, `address_32` | of `msi`: a mask bit and a pending bit for each vector; addresses of 32 bits |
/// | `express` | PCI Express, which gives the function 4096 bytes of configuration space |
/// | `.. endpoint`, `legacy` or `integrated` | where it sits: behind a link, by default; the same, with I/O ports; in the root complex |
/// | `.. flr` | guests may reset the function alone: `express(flr)` |
/// | `subsystem` | the subsystem's ids |
/// | `vendor(B)` | vendor specific, as often as you like |
/// | `custom(B, id = E)` | any other one, by its id |
/// | `serial = E` | extended: the device serial number |
/// | `vsec(B, id = E, revision = E)` | extended: vendor specific |
/// | `dvsec(B, vendor = E, id = E, revision = E)` | extended: specific to another vendor |
/// | `aer` | extended: advanced error reporting |
/// | `ltr` | extended: latency tolerance reporting |
/// | `extended(B, id = E, version = E)` | extended: any other one, by its id |
/// | `.. at = E` | of each: its offset in configuration space; behind the one before it by default |
/// | `.. writable = B` | of those with bytes: the bits of them that software may write |
///
/// `B` is a constant `&[u8]`, such as `b"card"`: what follows the fixed part. Extended capabilities need
/// `express`. `revision` is 0 by default, `version` 1.
///
/// # On a field
///
/// `#[reg(OFFSET, POLICY, ..)]` makes the field a register; all other fields are private state.
///
/// | value | meaning |
/// |---|---|
/// | `OFFSET` | in bytes from the start of the BAR; always explicit |
/// | `POLICY` | one of the 25 of UVM, `rw` by default: `ro rw wo rc rs wrc wrs wc ws wsrc wcrs w1c w1s w1t w1src w1crs w0c w0s w0t w0src w0crs woc wos w1 wo1` |
/// | `reset = E` | value at construction and reset; by default what the struct was constructed with |
/// | `mask = E` | the implemented bits; others read zero and ignore writes |
/// | `writable = E` | the bits that software may write, when fewer than implemented |
/// | `bar = N` | the BAR; by default the only one, or BAR 0 |
/// | `bar = config` | in configuration space, behind the header and apart from the capabilities |
/// | `stride = E` | from one element of an array to the next, in bytes |
/// | `wide` | of 64 bits: stored once every byte is written; what is read in parts is of one moment |
/// | `wide(commit = high)`, `low` | the same, stored once that half is written |
/// | `lock = R` or `R.F` | ignores writes while register `R`, or its field `F`, is not zero |
/// | `singlepulse` | what is written clears itself after the hooks have seen it |
/// | `sticky` | keeps its value over every reset |
/// | `reset(flr = keep)` | keeps its value over a function-level reset |
/// | `volatile` | changes without a write |
/// | `test(exclude = policies)` | its hooks do more than its policy says: the generated tests access it, and expect nothing |
/// | `test(exclude = all)` | the generated tests leave it alone |
/// | `watch` | in shared memory: guests write it without a message, and the device sees it soon afterwards |
/// | `read_with = P` | replaces the load: `fn(&mut Self, &mut Cx<Self>) -> T` |
/// | `write_with = P` | replaces the store: `fn(&mut Self, &mut Cx<Self>, T)` |
/// | `on_read = P` | observes a load: `fn(&mut Self, &mut Cx<Self>, T)` |
/// | `on_write = P` | observes a store: `fn(&mut Self, &mut Cx<Self>, T, T)`, old and new |
/// | `ioeventfd = E` | a doorbell: clients may turn writes of this value into signals of an eventfd; the hooks for writes get it |
/// | `allow(unread)` | no warning of a write-only register without a hook, which the device looks at itself |
/// | `kick = P` | a doorbell: clients may turn any write into a signal; runs after every write, `fn(&mut Self, &mut Cx<Self>)` |
///
/// The field's type is `u8`, `u16`, `u32`, `u64` or one with `#[derive(Register)]`, an array `[T; N]` of one of them, `Virtual<T>`
/// for a register without storage, or `[Virtual<T>; N]`. Hooks of an array get the index, a
/// `usize`, behind the context.
///
/// `#[block(OFFSET, ..)]` makes a field of a `#[derive(RegisterBlock)]` type, or an array of one, a
/// block of registers.
///
/// | value | meaning |
/// |---|---|
/// | `OFFSET` | in bytes from the start of the BAR |
/// | `bar = N` | the BAR; by default the only one, or BAR 0 |
/// | `bar = config` | in configuration space, behind the header and apart from the capabilities |
/// | `stride = E` | from one element of an array to the next; by default as close as possible |
/// | `vector = E` | the number of its interrupt 0, 0 by default |
/// | `vector_stride = E` | from the interrupts of one element to those of the next; by default 0, they share them |
/// | `first = E` | the index that hooks get for the first element, 0 by default: tells two fields of one type apart |
///
/// `#[capability(NAME)]` on such a field, without `#[block(..)]`, makes it what a capability holds: `NAME` is
/// `vendor`, `custom`, `vsec`, `dvsec` or `extended`, with their options but for `B` and `writable`, and with
/// `first = E` and `vector = E`. The block lies behind the capability's header.
///
/// `#[timer(P)]` makes a field of type `Timer` a timer: `P` is called when it expires,
/// `fn(&mut Self, &mut Cx<Self>)`.
///
/// `#[intr(status, ..)]` on a register lets the runtime raise its interrupt, after every access and
/// event: while any bit is set in the register, set in `enable` and clear in `mask`.
///
/// | value | meaning |
/// |---|---|
/// | `enable = R`, `mask = R` | registers of the device as wide as the status; without one, all bits get through |
/// | `test = R` | a register that sets those bits of the status that are written to it as ones |
/// | `clear = R` | a register that clears those bits of the status that are written to it as ones |
/// | `trigger = event` | the default: software clears the bits; each one that gets active sends a message |
/// | `trigger = level` | the device sets and clears the bits of an `ro` register; the first one active sends a message |
/// | `vector = E` | the number of the interrupt, 0 by default |
///
/// `#[migrate(..)]` says how state moves to another process. All of it does, registers as well as
/// private fields, unless:
///
/// | value | meaning |
/// |---|---|
/// | on the struct: `none` | the device does not migrate, and its fields may be anything |
/// | `version = N` | of the state, 1 by default |
/// | `min = N` | the oldest version whose state loads, 1 by default |
/// | `removed("..", ..)` | fields, registers, timers and blocks (`block.name`) that there were; they are left out of older state |
/// | `convert = path` | `fn(&mut OldState) -> Result<(), StateError>`: makes of the state of an older version that of this one |
/// | on a field: `skip` | keeps the value that it was constructed with |
/// | `since = N, default = X` | new in version `N`; in older state it is `X`. While it is that, older versions leave it out and load the state |
/// | `max_len = E` | the most that a collection holds; `Vec`, `String` and their like need it |
/// | `max_len = (E, E)` | of a collection of collections, such as `Vec<String>`: one each, the outermost first |
/// | `with = m` | converted by `m::save(&T) -> U` and `m::load(U) -> Result<T, E>`, where `U` is plain data |
/// | `renamed_from = ".."`, `renamed_from("..", "..")` | the field's names in older state; of a block and a timer, too |
/// | `grown_from = N`, `grown_from(N, N)` | an array that had so many elements in older versions: of registers, of blocks or a private one. In older state, elements that it lacks are as they were constructed, or reset. All numbers stay for ever |
/// | on a block: `since = N` | new in version `N`; in older state it is as it was constructed, with the reset values of its registers |
///
/// Private fields are of types that have serde's `Serialize` and `Deserialize`.
///
/// `E` is a constant expression of any integer type, whose value is not negative and has at most 64 bits; ids are typed by the fields of `Ids`. `Self`
/// in it is the struct. `N` is a literal, `P` the path of a function.
///
/// A layout that cannot work does not compile: registers that overlap, are misaligned or leave
/// their BAR, sizes that PCI cannot decode, values that do not fit.
#[proc_macro_derive(
    PciDevice,
    attributes(pci, bar, irq, capability, reg, block, intr, timer, migrate)
)]
pub fn derive_pci_device(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::derive(&input).into()
}

/// Implements `RegisterBlock` for a group of registers that a device has several of, or that several
/// devices have.
///
/// Its fields are those of a device: registers with `#[reg(OFFSET, ..)]`, whose offsets count from
/// the start of the block, and private state. `bar` does not occur. A block has a fixed size: from
/// its start to the end of its last register; nothing else lies between. Interrupts with `#[intr(status, ..)]`
/// are composed for each element; which ones of the device they are, the device says.
///
/// | attribute | meaning |
/// |---|---|
/// | `#[block(host = H)]` | the name of the trait to generate; needed if a register has hooks |
/// | `#[block(crate = P)]` | the path of the library, `::vfio_user` by default |
///
/// `#[migrate(..)]` is as on a device; a block has versions of its own.
///
/// A hook is a bare name, `write_with = doorbell`. It is a method of the trait, which the device
/// implements, so that it gets the whole device and the index of the block:
///
/// | hook | method |
/// |---|---|
/// | `read_with = m` | `fn m(&mut self, cx: &mut Cx<'_, Self>, index: usize) -> T` |
/// | `write_with = m`, `on_read = m` | `fn m(&mut self, cx: &mut Cx<'_, Self>, index: usize, value: T)` |
/// | `on_write = m` | `fn m(&mut self, cx: &mut Cx<'_, Self>, index: usize, old: T, new: T)` |
/// | `kick = m` | `fn m(&mut self, cx: &mut Cx<'_, Self>, index: usize)` |
///
/// Of a register that is an array, the element, a `usize`, comes behind the index.
#[proc_macro_derive(RegisterBlock, attributes(block, reg, intr, migrate))]
pub fn derive_register_block(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::derive_block(&input).into()
}

/// Implements `RegisterValue` for a struct of named bits, and `FieldValue` for an enum of the values
/// of a field; for an enum with `#[register(..)]` both.
///
/// | attribute | meaning |
/// |---|---|
/// | `#[register(u32)]` | on the struct, its width: `u8`, `u16`, `u32` or `u64`; required. On an enum that is the type of a register |
/// | `#[register(u32, reserved = reject)]` | on an enum, whose register ignores a write of a value without variant |
/// | `#[register(.., crate = P)]` | the path of the library, `::vfio_user` by default; on an enum without a width alone |
/// | `#[field(bit = N)]` | on a field, its bit; 0 is the least significant |
/// | `#[field(bits = A..=B)]` | its bits, both inclusive |
/// | `.. POLICY` | what software may do; by default what the register's `#[reg(..)]` says |
/// | `.. reset = E` | value at construction and reset, in the field |
/// | `.. reserved = reject` | a write of a value without variant leaves the field as it is |
/// | `.. singlepulse` | clears itself after every write |
/// | `.. volatile` | changes without a write |
///
/// A field is a `bool`, a `u8`, `u16`, `u32` or `u64` with at least as many bits, or an enum with
/// this derive. `N`, `A` and `B` are literals, `E` is a constant expression. Bits without a field
/// are reserved: they read zero and ignore writes. If any field has a reset value, those that have
/// none reset to zero.
///
/// A register's type converts into its integer (`From`) and from it: `From`, or `TryFrom` if
/// something has `reserved = reject`. An integer that is too large for its field loses its upper bits.
///
/// The variants of an enum have the values of their discriminants. One variant with a payload, such
/// as `Other(u8)`, stands for all others; the language wants a `#[repr(u8)]` then. Without one, all
/// values that the bits of the field, or of the register, can have need a variant, or it has
/// `reserved = reject`.
///
/// The type is plain data. Derive `Clone` and `Copy` as well, and what else is useful, `Debug` for
/// instance.
#[proc_macro_derive(Register, attributes(register, field))]
pub fn derive_register(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    bits::derive(&input).into()
}
