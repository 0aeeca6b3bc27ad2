//! PCI devices in user space, served over [vfio-user].
//!
//! A device is a struct. `#[derive(PciDevice)]` turns its annotations into a
//! [`Descriptor`](declaration::Descriptor) (data) and plain access to its fields; the library
//! implements every bus access.
//!
//! ```no_run
//! use vfio_user::{Cx, Device, PciDevice, Virtual};
//!
//! #[derive(Default, PciDevice)]
//! #[pci(vendor = 0x1234, device = 0xcafe, class = 0x00_ff00)]
//! #[bar(0: mem32, size = 0x1000)]
//! #[irq(msix = 1)]
//! struct Doorbell {
//!     #[reg(0x00, w1c)]
//!     rung: u32,
//!     #[reg(0x04, wo, write_with = Self::ring)]
//!     bell: Virtual<u32>,
//! }
//!
//! impl Device for Doorbell {
//!     type Event = ();
//! }
//!
//! impl Doorbell {
//!     fn ring(&mut self, cx: &mut Cx<'_, Self>, bits: u32) {
//!         self.rung |= bits;
//!         cx.irq(0).raise();
//!     }
//! }
//!
//! vfio_user::main(Doorbell::default)?;
//! # Ok::<(), vfio_user::Error>(())
//! ```
//!
//! # Layers
//!
//! - A device's author writes a [`Device`]. Its hooks reach the world through [`Cx`]: an [`Irq`],
//!   the client's memory ([`Dma`]), memory of the device that clients map ([`Shared`]), a
//!   [`Remote`] for other threads.
//! - The runtime adds configuration space, the MSI-X table and interrupts, and turns the device
//!   into a [`Function`](function::Function).
//! - A [`Server`] serves each function to one client at a time, on one thread, and can serve many
//!   of them. No other thread touches the device.
//! - [`declaration`] holds what a device declares, [`function`](mod@function) what a server drives.
//! - [`migration`] describes the stream that carries the state of a device, as plain data.
//! - [`protocol`] defines the messages as plain data; [`client`] is the other end.
//!
//! # Tests
//!
//! A [`Bench`] drives a device without a socket in tests. [`device_tests!`] generates all the tests
//! that follow from a declaration: registers reset, registers obey their policies whichever bytes
//! are accessed, and no guest access panics.
//!
//! # Trust
//!
//! The client and the guest are hostile: nothing that they send panics, hangs, leaks or allocates
//! without bound. The server answers a malformed message with an error and continues the session,
//! unless the stream is out of step. It ignores an invalid register access.
//!
//! # Requirements
//!
//! Linux 5.8 or later with asynchronous I/O (`CONFIG_AIO`): earlier kernels cannot read a shared
//! eventfd without the risk of blocking. Constructing a [`Server`] or a [`Bench`] fails with an
//! error that names what is missing. Waits end to the nanosecond, by one system call since Linux
//! 5.11 and by two before.
//!
//! # Features
//!
//! - `cli` (default): [`main`], [`Options`] and [`Devices`], the command line of device programs.
//! - `describe` (with `cli`): prints a device as text, HTML, Markdown, JSON, SVD and C.
//! - `io-uring`: `FileQueue`, reads and writes between files and the client's memory that are under
//!   way while the thread continues.
//! - `testing` (default): [`Bench`], [`device_tests!`] and [`suite`], for the tests of devices.
//! - `vm-memory`: implements `GuestMemory` of the crate of that name for the client's memory, for
//!   virtio queues and other code that is built on it.
//!
//! A program needs all default features. A library of devices leaves the choice to the program: it
//! turns both off, and turns `testing` on for its own tests.
//!
//! ```toml
//! [dependencies]
//! vfio-user = { version = "0.1", default-features = false }
//!
//! [dev-dependencies]
//! vfio-user = { version = "0.1", default-features = false, features = ["testing"] }
//! ```
//!
//! [vfio-user]: https://www.qemu.org/docs/master/interop/vfio-user.html

#![cfg_attr(
    not(feature = "testing"),
    allow(
        dead_code,
        unused_imports,
        reason = "some items exist for the bench and the suite alone"
    )
)]

// Generated code says `::vfio_user`, in this crate's own tests as well.
extern crate self as vfio_user;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
#[cfg(any(test, feature = "testing"))]
mod bench;
mod bus;
#[cfg(feature = "cli")]
mod cli;
pub mod client;
#[cfg(feature = "describe")]
pub mod describe;
mod device;
mod dma;
pub mod driver;
mod error;
mod eventfd;
mod fds;
pub mod function;
mod interrupt;
mod limits;
pub mod listening;
mod log_throttle;
pub mod migration;
mod model;
pub mod monitor;
mod parcel;
pub mod pci;
pub mod protocol;
pub mod record;
mod server;
mod serving;
mod shared;
#[cfg(any(test, feature = "testing"))]
pub mod suite;
#[expect(unsafe_code, reason = "the one place for it")]
mod sys;
mod take_over;
mod tape;
mod transport;
mod wait;
mod wake;

use vfio_user_layout as layout;

/// The declaration of a device, as plain data: what `#[derive(PciDevice)]` generates, and what
/// [`Device::configure`] may change.
///
/// A device whose author writes [`PciDevice`] by hand builds its
/// [`Descriptor`](declaration::Descriptor) here:
///
/// ```
/// use vfio_user::declaration::{Bar, BarKind, Descriptor, Ids, Policy, Register};
///
/// const IDS: Ids = Ids {
///     vendor: 0x1234,
///     device: 0xcafe,
///     class: 0xff_0000,
///     revision: 0,
///     subsystem_vendor: 0,
///     subsystem: 0,
/// };
/// const REGISTERS: &[Register] =
///     &[Register::new::<u32>("status", 0x00).with_policy(Policy::W1c).with_reset(1)];
/// const DEVICE: Descriptor = Descriptor::new("device", IDS)
///     .with_bar(0, Bar::new(BarKind::Mem32, 0x1000))
///     .with_registers(REGISTERS);
///
/// assert_eq!(DEVICE.validate(), Ok(()));
/// assert_eq!(DEVICE.registers()[0].policy(), Policy::W1c);
/// ```
///
/// A method that sets a part of a declaration is called `with_` and the part; the method that reads
/// it has the plain name.
pub mod declaration {
    pub use crate::layout::{BarKind, Extent, Kind, LayoutError, MsixLayout, Values};
    pub use crate::model::{
        AddedIn, Bar, Block, BlockContents, BlockElement, Capability, CapabilityKind, Commit,
        ComposedInterrupt, Condition, DataMatch, DeclaredTimer, Descriptor, Express, ExpressPort,
        Field, FieldValue, Hooks, Ids, MemoryRange, MemoryReset, Msi, OwnedCapability, Policy,
        PowerManagement, PowerStates, RegionType, Register, RegisterBits, RegisterFlags,
        RegisterValue, ResetSet, Sizes, SizesIn, Slot, SpecificRegion, Trigger, Unaligned,
        UnknownValue, Unmapped, UnmodelledRange, Untested, Watching, Window, WindowBar, WriteLock,
    };
}

#[cfg(any(test, feature = "testing"))]
pub use bench::Bench;
#[cfg(feature = "cli")]
pub use cli::{Devices, Options, OptionsError, main};
pub use device::{
    Access, BlockHooks, Cx, Device, DoorbellValues, ElementIndex, Fifo, Hook, Indices, PciDevice,
    RegisterBlock, Resumed, SavePhase, Timer, Work, WorkCx, WorkState, Worker,
};
#[cfg(feature = "vm-memory")]
pub use dma::{DirtyMark, DirtyMarks, DmaSnapshot};
pub use dma::{
    Dma, DmaError, DmaGuard, DmaMessages, DmaSegment, FileTransferError, Ring, ScatterList,
    SessionDma, ShadowDoorbells,
};
#[cfg(feature = "io-uring")]
pub use dma::{FileQueue, FileQueueError, FileQueueFull};
pub use error::{ArgumentError, Error, PciError, ProtocolError, ReplyError, Result};
pub use eventfd::EventFd;
pub use interrupt::{InterruptMode, Irq};
pub use limits::Limits;
pub use log_throttle::LogThrottle;
pub use model::{ResetKind, Virtual};
/// Types in the private state of a device derive its `Serialize` and `Deserialize`.
pub use serde;
pub use server::{Handle, ServedId, Server, ServerEnd, Shutdown, Socket, TakeOver};
pub use shared::{Atomic, Shared, SharedError, SharedFileError};
pub use take_over::TakeOverError;
pub use transport::FramingError;
pub use vfio_user_derive::{PciDevice, Register, RegisterBlock};
pub use wake::{PostError, Readiness, Remote, Watch, WatchError};
/// Structures in guest memory derive its traits, for [`Dma::read_obj`] and [`Dma::write_obj`].
pub use zerocopy;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../docs/guide.md")]
struct Guide;

#[cfg(doctest)]
#[doc = include_str!("../../docs/client.md")]
struct ClientPage;

#[cfg(all(doctest, feature = "io-uring"))]
#[doc = include_str!("../../docs/dma.md")]
struct DmaPage;

#[cfg(doctest)]
#[doc = include_str!("../../docs/driver.md")]
struct DriverPage;

#[cfg(doctest)]
#[doc = include_str!("../../docs/migration.md")]
struct Migration;

#[cfg(doctest)]
#[doc = include_str!("../../docs/record.md")]
struct Record;
