//! Looking into running devices through a second socket.

mod counters;
mod hostile;
mod programs;
mod station;
mod values;
