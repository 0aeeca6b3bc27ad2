//! The host is wrong, and the hooks are not.

mod hosts {}

use vfio_user::RegisterBlock;

#[derive(Clone, Copy, RegisterBlock)]
#[block(host = Self)]
struct Queue {
    #[reg(0x00, on_write = written)]
    base: u32,
}

#[derive(Clone, Copy, RegisterBlock)]
#[block(host = hosts::Host)]
struct Ring {
    #[reg(0x00, on_write = written)]
    base: u32,
}

fn main() {}
