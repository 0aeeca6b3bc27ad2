//! `device_tests!`: that it passes devices that are right, and finds what is wrong.

mod conditions;
mod exclusions;
mod parts;
mod state;
mod time;
mod used;
mod whole;
