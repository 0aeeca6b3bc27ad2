//! What an author's device sees on a bench: interrupts, memory, doorbells, errors, logs.

mod bench_order;
mod block_interrupts;
mod composed_interrupts;
mod conversions;
mod doorbells;
mod errors;
mod gates;
mod handles;
mod hpet;
mod identified_interrupts;
mod log;
mod logs;
mod logs_of_hooks;
mod logs_of_sharing;
mod logs_of_state;
mod memory;
mod msi;
mod pending;
mod private_memory;
mod shared;
mod soft_resets;
mod timers;
mod watch;
mod watched;
mod watching;
mod worker;
