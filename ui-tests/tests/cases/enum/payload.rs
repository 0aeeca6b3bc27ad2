use vfio_user::Register;

#[derive(Clone, Copy, Register)]
enum Mode {
    Off,
    Other(bool),
    Named { value: u8 },
}


fn main() {}
