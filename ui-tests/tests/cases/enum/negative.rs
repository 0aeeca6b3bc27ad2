use vfio_user::Register;

#[derive(Clone, Copy, Register)]
enum Mode {
    Off = 0,
    Odd = -1,
}


fn main() {}
