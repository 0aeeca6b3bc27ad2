use vfio_user::Register;

#[derive(Clone, Copy, Register)]
enum Mode {
    Off = 1,
    Fast = 1,
}


fn main() {}
