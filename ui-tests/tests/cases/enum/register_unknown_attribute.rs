use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[register(u8, reset = 1, reserved = keep)]
enum Mode {
    Off,
    On,
}

fn main() {}
