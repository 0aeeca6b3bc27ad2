use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[register(u8)]
enum Mode {
    Off,
    Slow,
    Fast = 4,
}

fn main() {}
