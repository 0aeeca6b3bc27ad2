//! Migration over sockets and files.

mod moving;
mod nested;
mod raw_stream;
mod refused;
mod saving;
mod state_file;
mod stopped;
mod transfer;
mod zeros;
