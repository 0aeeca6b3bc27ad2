//! `device_tests!`: that it passes devices that are right, and finds what is wrong.

mod exclusions;
mod parts;
mod state;
mod used;
mod whole;
