use vfio_user::Register;

#[derive(Register)]
#[register(u32)]
struct Control {
    #[field(bit = 0)]
    a: bool,
}


fn main() {}
