//! What wakes a device beside messages: eventfds, watched pages, descriptors of its own.

mod eventfds;
mod shadow;
mod shared;
mod watch;
mod watched;
mod watched_descriptors;
