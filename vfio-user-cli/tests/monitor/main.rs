//! Tests of the commands that look into a running device, as processes.

mod exposition;
mod inspect;
mod prometheus;
mod pump;
mod top;
