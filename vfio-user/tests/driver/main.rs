//! Drivers that are generated from declarations.

mod accesses;
mod blocks;
mod policies;
mod recorder;
