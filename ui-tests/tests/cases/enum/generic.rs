use vfio_user::Register;

#[derive(Clone, Copy, Register)]
enum Mode<T: Copy> {
    Off,
    Other(T),
}


fn main() {}
