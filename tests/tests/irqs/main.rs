//! Interrupts over a socket: eventfds, masks, levels.

mod changed;
mod device;
mod guest;
mod intx;
mod resample;
mod set_irqs;
