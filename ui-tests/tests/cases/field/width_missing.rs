use vfio_user::Register;

#[derive(Clone, Copy, Register)]
struct Control {
    #[field(bit = 3)]
    a: bool,
}


fn main() {}
