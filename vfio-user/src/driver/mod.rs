//! Typed drivers of devices, from the declarations that the devices are made of.
//!
//! `#[pci(driver = EduDriver)]` on a device generates a driver: a type with a method for every
//! access to every register, which runs over anything that implements [`Bars`]. The same driver,
//! and so the same test, runs on a [`Bench`](crate::Bench), over a socket on a
//! [`Client`](crate::client::Client), and on the mapped BARs of hardware. `docs/driver.md` has the
//! names of the methods.
//!
//! ```
//! use vfio_user::driver::Bars;
//! use vfio_user::{Bench, Device, PciDevice, Register, Virtual};
//!
//! #[derive(Clone, Copy, Default, Register)]
//! #[register(u32)]
//! struct Control {
//!     #[field(bit = 0)]
//!     enable: bool,
//!     #[field(bits = 4..=7)]
//!     speed: u8,
//! }
//!
//! #[derive(Default, PciDevice)]
//! #[pci(vendor = 0x1234, device = 0xcafe, driver = EngineDriver)]
//! #[bar(0: mem32, size = 0x1000)]
//! struct Engine {
//!     #[reg(0x00)]
//!     control: Control,
//!     #[reg(0x04, w1c)]
//!     causes: u32,
//!     #[reg(0x08, rc)]
//!     errors: u16,
//!     #[reg(0x10, wo, write_with = Self::command)]
//!     command: Virtual<u32>,
//!     #[reg(0x20, stride = 8)]
//!     limits: [u32; 4],
//! }
//! # impl Device for Engine { type Event = (); }
//! # impl Engine {
//! #     fn command(&mut self, _: &mut vfio_user::Cx<'_, Self>, bits: u32) {
//! #         self.causes |= bits;
//! #         self.errors += 1;
//! #     }
//! # }
//!
//! fn bring_up<B: Bars>(bars: B) -> Result<(), B::Error> {
//!     let mut engine = EngineDriver::new(bars);
//!     engine.set_control(Control { enable: true, speed: 3 })?;
//!     engine.update_control(|control| control.speed = 4)?;
//!     assert_eq!(engine.control()?.speed, 4);
//!     engine.set_limits(2, 0x1000)?;
//!     engine.set_command(0x11)?;
//!     assert_eq!((engine.causes()?, engine.take_errors()?), (0x11, 1));
//!     engine.clear_causes(0x10)?;
//!     assert_eq!((engine.causes()?, engine.take_errors()?), (0x01, 0));
//!     Ok(())
//! }
//!
//! bring_up(Bench::new(Engine::default())?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub(crate) mod driven;
pub(crate) mod origin;

pub use crate::layout::driver::{Bars, Width};
