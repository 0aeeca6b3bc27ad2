//! The derive macros of `vfio-user`.

#![forbid(unsafe_code)]

mod ast;
mod attr;
mod bits;
mod ctxt;
mod driver;
mod expand;
#[cfg(test)]
mod golden;
mod literal;
#[cfg(test)]
mod mutation;
mod storage;
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
/// | `.. ignore_command` | BARs respond and the device accesses memory regardless of the command register |
/// | `.. strict_command` | the device accesses memory and sends messages only once software has set bus master, also after a reset |
/// | `.. min_gnt = E`, `max_lat = E` | of conventional functions: the length of bursts, and how often the bus is needed, in units of 250 ns |
/// | `.. driver = D` | the name of a typed driver to generate: a type with a method for each access to each register, over `vfio_user::driver::Bars` |
/// | `.. self_test` | software can start `Device::self_test` by the BIST register |
/// | `.. name = ".."` | the name in logs and descriptions; by default the struct's name in snake case |
/// | `#[bar(N: KIND, size = E)]` | a BAR, declared once; `N` is 0 to 5, `KIND` is `mem32`, `mem64` or `io` |
/// | `.. prefetchable` | reads have no side effects; not with `io` |
/// | `.. unmapped = zero \| ones \| refuse` | how accesses to bytes without a register complete |
/// | `.. access = N` or `N..=N` | the accepted access sizes, in bytes; 1 to 8 by default |
/// | `.. access(E..E: N, ..)` | the access sizes that parts of the BAR accept instead |
/// | `.. shared` or `shared(E..E, ..)` | memory that clients may map: the whole BAR or whole 4 KiB pages of it; registers lie in the rest |
/// | `.. mirror = N` | a second place of BAR `N`, whose registers it shows; both decide which accesses are accepted |
/// | `.. raw(E..E, ..)` | ranges that `Device::access` serves, beside registers |
/// | `.. big` | all registers are big-endian |
/// | `.. unaligned = split \| ignore` | how accesses that are not aligned to their size complete |
/// | `.. allow(prefetchable_mem32, express_io)` | suppresses the warning about a BAR that PCI Express discourages |
/// | `#[irq(intx)]` | the interrupt line |
/// | `#[irq(msi = E)]` | MSI with 1, 2, 4, 8, 16 or 32 vectors |
/// | `#[irq(msix = E)]` | MSI-X with 1 to 2048 vectors; the table has a BAR of its own by default |
/// | `.. bar = N` | the number of that BAR; by default the first free one |
/// | `.. bar = N, table = E, pba = E` | the offsets of the table and the pending bits in a BAR, in 4 KiB pages without registers; `pba` is behind the table by default |
/// | `.. allow(msix_page)` | registers may lie in those pages |
/// | `#[capability(NAME, ..)]` | capabilities, in the order in which they lie; MSI and MSI-X come last unless they are listed |
///
/// | capability | meaning |
/// |---|---|
/// | `pm` | power management: the states D0 and D3 |
/// | `.. d1`, `d2` | further power states that the function supports |
/// | `.. no_soft_reset` | the function keeps its state when it returns from D3hot |
/// | `.. wakes_from(d0, d3hot, ..)` | the states in which `Cx::signal_pme` signals a power management event |
/// | `vpd(B)` | vital product data, which guests read and, where `writable` allows it, write |
/// | `msi`, `msix` | the position of the capabilities that `#[irq(..)]` declares |
/// | `.. maskable`, `address_32` | of `msi`: a mask bit and a pending bit for each vector; 32-bit addresses |
/// | `express` | PCI Express, which gives the function 4096 bytes of configuration space |
/// | `.. endpoint`, `legacy` or `integrated` | the port type: an endpoint behind a link (the default); the same with I/O ports; an endpoint in the root complex |
/// | `.. speed = E`, `width = E` | the generation of the link, 1 (2.5 GT/s, the default) to 6, and its lanes: 1 (the default), 2, 4, 8, 12, 16 or 32 |
/// | `.. payload = E` | how many bytes a packet may carry at most: a power of two from 128 (the default) to 4096 |
/// | `.. extended_tags` | tags of 8 bits, which software enables |
/// | `.. flr` | guests may issue a function-level reset: `express(flr)` |
/// | `subsystem` | the subsystem's ids |
/// | `vendor(B)` | vendor specific; may occur any number of times |
/// | `custom(B, id = E)` | any other capability, by its id |
/// | `serial = E` | extended: the device serial number |
/// | `vsec(B, id = E, revision = E)` | extended: vendor specific |
/// | `dvsec(B, vendor = E, id = E, revision = E)` | extended: designated vendor specific |
/// | `aer` | extended: advanced error reporting |
/// | `ltr` | extended: latency tolerance reporting |
/// | `extended(B, id = E, version = E)` | extended: any other capability, by its id |
/// | `.. at = E` | of any capability: its offset in configuration space; by default behind the previous one |
/// | `.. writable = B` | of capabilities with bytes: the bits that software may write |
///
/// `B` is a constant `&[u8]`, such as `b"card"`: the bytes behind the fixed part. Extended
/// capabilities need `express`. `revision` is 0 by default, `version` 1.
///
/// `#[unmodelled(E = "PHYCTL", E..E = "DEBUG", ..)]` names places of a BAR that have no model yet:
/// the 32-bit word at an offset, or a range. They hold what is written, and clients access them in
/// any size. The attribute may be repeated.
///
/// | value | meaning |
/// |---|---|
/// | `bar = N` | the BAR; by default the only one, or BAR 0 |
/// | `zero` | the places of this attribute read zero, whatever is written |
///
/// # On a field
///
/// `#[reg(OFFSET, POLICY, ..)]` makes the field a register; all other fields are private state.
///
/// | value | meaning |
/// |---|---|
/// | `OFFSET` | in bytes from the start of the BAR; always explicit |
/// | `POLICY` | one of the 25 access policies of UVM, `rw` by default: `ro rw wo rc rs wrc wrs wc ws wsrc wcrs w1c w1s w1t w1src w1crs w0c w0s w0t w0src w0crs woc wos w1 wo1` |
/// | `reset = E` | value at construction and reset; by default the value that the struct was constructed with |
/// | `mask = E` | the implemented bits; others read zero and ignore writes |
/// | `writable = E` | the bits that software may write, when fewer than implemented |
/// | `bar = N` | the BAR; by default the only one, or BAR 0 |
/// | `bar = config` | in configuration space, behind the header and outside the capabilities |
/// | `stride = E` | distance from one element of an array to the next, in bytes |
/// | `wide` | a 64-bit register: stored when every byte is written; a read in parts returns one consistent value |
/// | `wide(commit = high)`, `low` | the same, stored when that half is written |
/// | `lock = R` or `R.F` | ignores writes while register `R`, or its field `F`, is not zero |
/// | `lock = !R` or `!R.F` | ignores writes while it is zero |
/// | `lock_with = P` | a hook, `fn(&mut Self, &mut Cx<Self>) -> bool`, that returns whether a write is ignored |
/// | `overlay` | answers reads alone (`ro`) or writes alone (`wo`): another register at the same place answers the others |
/// | `when(R = V)`, `when(R.F = V)` | answers while register `R`, or its field `F`, is `V`: values and ranges, `0 \| 4..=7` |
/// | `when(size = N)` | answers accesses of `N` bytes: `2`, `4..=8`, `1 \| 4` |
/// | `select = R` or `R.F` | all elements of the array lie at its offset; the one with the index in `R` answers |
/// | `singlepulse` | written bits clear themselves after the hooks have run |
/// | `sticky` | keeps its value across every reset |
/// | `reset(flr = keep)` | keeps its value across a function-level reset |
/// | `reset(soft(E) = keep)` | keeps its value across `Cx::soft_reset` in this domain, 0 to 7 |
/// | `volatile` | changes without a write |
/// | `driver = get`, `take` or `skip` | in a driver, reads have no effect (`x()`), have one (`take_x()`), or there is no method |
/// | `test(exclude = policies)` | the hooks do more than the policy says: the generated tests access the register without checking its value |
/// | `test(exclude = all)` | the generated tests do not access the register |
/// | `port` | on a `Virtual` integer: the hooks receive the bytes of each access; `read_with` fills a `&mut [u8]`, `write_with` takes a `&[u8]` |
/// | `big` | the byte at the lowest address is the most significant one |
/// | `window(at = R, bar = N, len = R, step = E)` | on a `Virtual` integer: accesses go on to BAR `N`, or the BAR in a register, at the offset in register `R`; `len` holds how many bytes there are, `step` moves the offset |
/// | `watch` | in shared memory: guests write it without a message, and the device notices the write soon afterwards |
/// | `read_with = P` | replaces the load: `fn(&mut Self, &mut Cx<Self>) -> T` |
/// | `write_with = P` | replaces the store: `fn(&mut Self, &mut Cx<Self>, T)` |
/// | `on_read = P` | observes a load: `fn(&mut Self, &mut Cx<Self>, T)` |
/// | `on_write = P` | observes a store: `fn(&mut Self, &mut Cx<Self>, T, T)`, old and new |
/// | `ioeventfd = E` | a doorbell: clients may turn writes of this value into signals of an eventfd; the write hooks receive the value |
/// | `allow(unread)` | suppresses the warning about a write-only register without a hook, which the device reads itself |
/// | `kick = P` | a doorbell: clients may turn any write into a signal; runs after every write, `fn(&mut Self, &mut Cx<Self>)` |
///
/// The field's type is `u8`, `u16`, `u32`, `u64` or one with `#[derive(Register)]`, an array `[T;
/// N]` of one of them, `Virtual<T>` for a register without storage, or `[Virtual<T>; N]`. Hooks of
/// an array take the index, a `usize`, after the context.
///
/// `#[block(OFFSET, ..)]` makes a field a block of registers. The field's type derives
/// `RegisterBlock`, or is an array of such a type.
///
/// | value | meaning |
/// |---|---|
/// | `OFFSET` | in bytes from the start of the BAR |
/// | `bar = N` | the BAR; by default the only one, or BAR 0 |
/// | `bar = config` | in configuration space, behind the header and outside the capabilities |
/// | `stride = E` | distance from one element of an array to the next; by default as close as possible |
/// | `vector = E` | the device's number for the block's interrupt 0, 0 by default |
/// | `vector_stride = E` | distance from the interrupts of one element to those of the next; 0 by default: elements share them |
/// | `select = R` or `R.F` | all elements lie at the offset; the one with the index in register `R` of the device answers |
/// | `reset(flr = keep)`, `reset(soft(E) = keep)` | all its registers keep their values across this reset |
/// | `first = E` | the index that hooks get for the first element, 0 by default; it distinguishes two fields of one type |
/// | `driver = skip` | the driver of the device has no method for it |
///
/// `#[capability(NAME)]` on such a field, without `#[block(..)]`, makes the block the content of a
/// capability. `NAME` is `vendor`, `custom`, `vsec`, `dvsec` or `extended`, with the options of
/// that capability except `B` and `writable`, and with `first = E` and `vector = E`. The block lies
/// behind the capability's header. With `whole`, its offsets count from the start of the
/// capability.
///
/// `#[timer(P)]` makes a field of type `Timer`, or an array of them, a timer. When it expires, the
/// runtime calls `P`, `fn(&mut Self, &mut Cx<Self>)`, with the index of an array behind it.
///
/// `#[memory(E..E, ..)]` makes a field of type `[u8; N]`, `Box<[u8]>` or `Vec<u8>` memory: plain
/// bytes of a BAR, which clients read and write by messages of any length, and do not map. An empty
/// `Box` or `Vec` is filled with zeros when the device is created.
///
/// | value | meaning |
/// |---|---|
/// | `E..E` | its bytes in the BAR |
/// | `bar = N` | the BAR; by default the only one, or BAR 0 |
/// | `on_write = P` | observes writes: `fn(&mut Self, &mut Cx<Self>, Range<usize>)`, the written bytes of the memory |
/// | `reset = zero \| keep` | what a reset leaves in it; by default what it was constructed with |
///
/// `#[intr(status, ..)]` on a register lets the runtime raise its interrupt. After every access and
/// event, the runtime raises it if any bit is set in the register, set in `enable` and clear in
/// `mask`.
///
/// | value | meaning |
/// |---|---|
/// | `enable = R`, `mask = R` | registers of the device as wide as the status; without them, no bit is masked |
/// | `test = R` | a register that sets the bits of the status that are written to it as ones |
/// | `clear = R` | a register that clears the bits of the status that are written to it as ones |
/// | `trigger = event` | the default: software clears the bits; each bit that becomes active sends a message |
/// | `trigger = level` | the device sets and clears the bits of an `ro` register; the first bit that becomes active sends a message |
/// | `vector = E` | the number of the interrupt, 0 by default |
/// | `status_with = P` | instead of `status`: `fn(&Self) -> T` computes the status, for a register that identifies interrupts by numbers; `T` is the type of the register in `enable` |
/// | `on_composed = P` | observes the result: `fn(&mut Self, &mut Cx<Self>, T)` receives the bits that request the interrupt when they have changed, and after a reset |
///
/// `#[migrate(..)]` configures how state moves to another process. By default registers and private
/// fields all migrate.
///
/// | value | meaning |
/// |---|---|
/// | on the struct: `none` | the device does not migrate, and its fields may have any type |
/// | `version = N` | the version of the state, 1 by default |
/// | `min = N` | the oldest version whose state can be loaded, 1 by default |
/// | `removed("..", ..)` | fields, registers, timers and blocks (`block.name`) of former versions; the runtime drops them from older state |
/// | `convert = path` | `fn(&mut OldState) -> Result<(), StateError>`: converts the state of an older version into that of this one |
/// | on a field: `skip` | keeps the value that it was constructed with |
/// | `since = N, default = X` | new in version `N`; its value in older state is `X`. While it holds `X`, it is left out, and older versions can load the state |
/// | `max_len = E` | the most elements that a collection holds; required for `Vec`, `String` and similar types |
/// | `max_len = (E, E)` | of a collection of collections, such as `Vec<String>`: one limit for each level, the outermost first |
/// | `with = m` | converted by `m::save(&T) -> U` and `m::load(U) -> Result<T, E>`, where `U` is plain data |
/// | `renamed_from = ".."`, `renamed_from("..", "..")` | the field's names in older state; also of blocks and timers |
/// | `grown_from = N`, `grown_from(N, N)` | the former numbers of elements of an array of registers, of blocks or a private one. Elements that older state lacks keep the values that they were constructed with, or reset to. Keep all numbers for ever |
/// | on a block: `since = N` | new in version `N`; with older state it keeps the values that it was constructed with, and the reset values of its registers |
///
/// The types of private fields implement serde's `Serialize` and `Deserialize`.
///
/// `E` is a constant expression of any integer type. Its value is not negative and has at most 64
/// bits; the fields of `Ids` give the types of ids. `Self` in `E` is the struct. `N` is a literal,
/// `P` the path of a function.
///
/// A layout that cannot work does not compile: registers that overlap, are misaligned or exceed
/// their BAR, sizes that PCI cannot decode, values that do not fit.
#[proc_macro_derive(
    PciDevice,
    attributes(pci, bar, irq, capability, reg, block, intr, timer, memory, unmodelled, migrate)
)]
pub fn derive_pci_device(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::derive(&input).into()
}

/// Implements `RegisterBlock` for a group of registers that occurs several times in a device, or in
/// several devices.
///
/// Its fields are like those of a device: registers with `#[reg(OFFSET, ..)]`, whose offsets count
/// from the start of the block, timers with `#[timer(..)]`, and private state. `bar` is not
/// allowed. A block has a fixed size, from its start to the end of its last register; nothing else
/// lies between. The runtime composes interrupts with `#[intr(status, ..)]` for each element; the
/// device maps them to its own interrupts.
///
/// | attribute | meaning |
/// |---|---|
/// | `#[block(host = H)]` | the name of the trait to generate; needed if a register or a timer has hooks |
/// | `#[block(driver = D)]` | the name of the driver of an element, a type to generate; needed if the driver of a device reaches it |
/// | `#[block(crate = P)]` | the path of the library, `::vfio_user` by default |
///
/// `#[migrate(..)]` works as on a device. A block has versions of its own.
///
/// A hook is a bare name, such as `write_with = doorbell`. It names a method of the trait, which
/// the device implements. The method has access to the whole device and receives the index of the
/// block:
///
/// | hook | method |
/// |---|---|
/// | `read_with = m` | `fn m(&mut self, cx: &mut Cx<'_, Self>, index: usize) -> T` |
/// | `write_with = m`, `on_read = m` | `fn m(&mut self, cx: &mut Cx<'_, Self>, index: usize, value: T)` |
/// | `on_write = m` | `fn m(&mut self, cx: &mut Cx<'_, Self>, index: usize, old: T, new: T)` |
/// | of a `port`: `read_with = m` | `fn m(&mut self, cx: &mut Cx<'_, Self>, index: usize, data: &mut [u8])` |
/// | `write_with = m` | `fn m(&mut self, cx: &mut Cx<'_, Self>, index: usize, data: &[u8])` |
/// | `kick = m`, `#[timer(m)]` | `fn m(&mut self, cx: &mut Cx<'_, Self>, index: usize)` |
///
/// For an array of registers or timers, the index of the element, a `usize`, follows the index of
/// the block.
#[proc_macro_derive(RegisterBlock, attributes(block, reg, intr, timer, memory, migrate))]
pub fn derive_register_block(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::derive_block(&input).into()
}

/// Implements `RegisterValue` for a struct of named bits and `FieldValue` for an enum of a field's
/// values; for an enum with `#[register(..)]`, both.
///
/// | attribute | meaning |
/// |---|---|
/// | `#[register(u32)]` | on a struct, its width: `u8`, `u16`, `u32` or `u64`; required. On an enum that is the type of a register, the same |
/// | `#[register(u32, reserved = reject)]` | on an enum: the register ignores writes of values without a variant |
/// | `#[register(.., crate = P)]` | the path of the library, `::vfio_user` by default; may stand alone on an enum without a width |
/// | `#[field(bit = N)]` | on a field, its bit; 0 is the least significant |
/// | `#[field(bits = A..=B)]` | its bits, both inclusive |
/// | `.. POLICY` | the access policy; by default that of the register's `#[reg(..)]` |
/// | `.. reset = E` | value at construction and reset, in the field |
/// | `.. reserved = reject` | a write of a value without a variant leaves the field unchanged |
/// | `.. singlepulse` | clears itself after every write |
/// | `.. volatile` | changes without a write |
///
/// A field is a `bool`, a `u8`, `u16`, `u32` or `u64` with at least as many bits, or an enum with
/// this derive. `N`, `A` and `B` are literals, `E` is a constant expression. Bits without a field
/// are reserved: they read zero and ignore writes. If any field has a reset value, fields without
/// one reset to zero.
///
/// A register's type converts into its integer with `From`. The integer converts back with `From`,
/// or with `TryFrom` if the type has `reserved = reject` anywhere. An integer that is too large for
/// its field loses its upper bits.
///
/// The variants of an enum have the values of their discriminants. One variant with a payload, such
/// as `Other(u8)`, stands for all other values; Rust then requires a `#[repr(u8)]`. An enum without
/// such a variant needs a variant for every value of the field's or register's bits, or `reserved =
/// reject`.
///
/// The derive adds constants: for each field the mask of its bits (`Control::ENABLE`), for each
/// variant of an enum its value (`Mode::FAST`).
///
/// The type is plain data. Derive `Clone` and `Copy` as well, and further traits as needed, such as
/// `Debug`.
#[proc_macro_derive(Register, attributes(register, field))]
pub fn derive_register(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    bits::derive(&input).into()
}
