//! Looking into running devices through a second socket.

mod cleanup;
mod client;
mod counters;
mod hostile;
mod programs;
mod station;
mod values;
