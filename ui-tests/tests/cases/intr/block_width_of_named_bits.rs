use vfio_user::{Register, RegisterBlock};

#[derive(Clone, Copy, Register)]
#[register(u16)]
struct Causes {
    #[field(bit = 0, w1c)]
    done: bool,
}

#[derive(RegisterBlock)]
struct Queue {
    #[reg(0x00)]
    #[intr(status, enable = enable)]
    status: Causes,
    #[reg(0x04)]
    enable: u32,
}

fn main() {}
