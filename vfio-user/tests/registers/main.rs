//! Registers on a bench: policies, types, sizes of access, blocks, configuration space.

mod behaviour;
mod big_endian;
mod blocks;
mod capabilities;
mod capability_blocks;
mod config_registers;
mod enums;
mod express;
mod fields;
mod locks;
mod nested;
mod partial;
mod port;
mod selected;
mod sharing;
mod types;
mod unknown_slots;
mod vpd;
mod wide;
