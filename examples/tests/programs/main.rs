//! The device programs, as processes.

mod command_line;
mod devices;
mod ending;
mod program;
mod recordings;
mod state;
