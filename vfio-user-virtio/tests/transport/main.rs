//! The transport and the queues, driven on a bench as a driver does.

mod driver;
mod echo;
mod hostile;
mod negotiation;
mod queues;
mod state;
mod structures;
