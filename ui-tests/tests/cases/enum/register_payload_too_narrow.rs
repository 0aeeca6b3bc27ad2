use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[register(u32)]
#[repr(u32)]
enum Command {
    Nop,
    Other(u16),
}

fn main() {}
