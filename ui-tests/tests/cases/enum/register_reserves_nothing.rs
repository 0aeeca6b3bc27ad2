use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[register(u8, reserved = reject)]
#[repr(u8)]
enum Command {
    Nop,
    Other(u8),
}

fn main() {}
