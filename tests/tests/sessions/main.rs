//! How clients come, share a server, and leave; and how a device stops.

mod dropping;
mod foreign_client;
mod foreign_loop;
mod lifecycle;
mod limits;
mod many_devices;
mod second_client;
mod stopping;
mod take_over;
mod timers;
mod unread_descriptors;
