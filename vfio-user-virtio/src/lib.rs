//! Virtio devices over PCI, served over vfio-user.
//!
//! An author implements [`VirtioDevice`]; [`VirtioPci`] makes a PCI function of it, with the
//! registers, queues, interrupts, resets and migration of the modern transport (Virtual I/O Device
//! 1.2, 4.1). Requests are read from split queues of the crate [`virtio_queue`], over memory that
//! implements the traits of [`vm_memory`].
//!
//! ```
//! use std::io::{Read as _, Write as _};
//! use vfio_user::Bench;
//! use vfio_user_virtio::{DeviceType, Error, Queue, VirtioDevice, VirtioPci};
//!
//! /// Answers each request with its bytes in upper case.
//! struct Shout;
//!
//! impl VirtioDevice for Shout {
//!     type State = ();
//!
//!     fn device_type(&self) -> DeviceType {
//!         DeviceType(0x3f)
//!     }
//!
//!     fn queue_sizes(&self) -> Vec<u16> {
//!         vec![128]
//!     }
//!
//!     fn process(&self, queue: &mut Queue<'_>) -> Result<(), Error> {
//!         while let Some(request) = queue.pop()? {
//!             let mut text = Vec::new();
//!             request.reader()?.take(4096).read_to_end(&mut text)?;
//!             text.make_ascii_uppercase();
//!             let written = request.writer()?.write(&text)?;
//!             request.complete(written.try_into().unwrap_or(0))?;
//!         }
//!         Ok(())
//!     }
//! }
//!
//! // A program has `vfio_user::main(|| VirtioPci::new(Shout))`.
//! let mut bench = Bench::new(VirtioPci::new(Shout))?;
//! assert_eq!(bench.read_config::<u32>(0), 0x107f_1af4);
//! # Ok::<(), vfio_user::Error>(())
//! ```
//!
//! # Transport
//!
//! | what | how |
//! |---|---|
//! | identity | 0x1af4, 0x1040 plus the type, revision 1; a PCI Express endpoint with function level reset |
//! | structures | common, notification, ISR, device specific, and `VIRTIO_PCI_CAP_PCI_CFG` |
//! | features | `VERSION_1`, which drivers have to accept, `RING_INDIRECT_DESC`, `RING_EVENT_IDX`, `RING_RESET`, `ACCESS_PLATFORM`; see [`features`] |
//! | notifications | by message, or by an eventfd if the client asks for one; to a page that the driver maps if the device [polls](VirtioPci::polling) |
//! | interrupts | MSI-X with a vector for the configuration and one for each queue; INTx with the ISR status |
//! | queues | up to 64 split queues, each with a thread. The crate `virtio-queue` has no packed queues, so they are not offered |
//! | resets | by the status register, of one queue, and by all means of PCI |
//! | migration | registers, queues and [`VirtioDevice::save`]; a request is performed here or there, never in part |
//!
//! # Memory
//!
//! Rings, and buffers that a [`Reader`] or [`Writer`] accesses, have to be in memory that the
//! client shares by a descriptor that can be mapped, as QEMU does with `share=on`. If they are not,
//! the device logs [`Error::NotMapped`] and sets `DEVICE_NEEDS_RESET`. Buffers of other memory are
//! reached by [`Request::readable`] and [`Request::writable`].
//!
//! # Trust
//!
//! Drivers are hostile. A queue that makes no sense, such as a chain that runs in a circle, rings
//! outside of memory, or an available index that jumps, stops the device and sets
//! `DEVICE_NEEDS_RESET`; the reason is logged ([`Error`]). A chain has at most as many descriptors
//! as its queue, and a turn of a queue at most 64 requests. How much a request may cost is up to
//! the device: it has to limit lengths that the driver chooses.

#![forbid(unsafe_code)]

mod device;
mod error;
pub mod features;
mod queue;
mod request;
mod transport;
mod work;

pub use device::{Activation, DeviceType, VirtioDevice};
pub use error::Error;
pub use queue::Queue;
pub use request::{Reader, Request, Writer};
pub use transport::VirtioPci;

#[cfg(doctest)]
#[doc = include_str!("../../docs/virtio.md")]
struct Guide;
