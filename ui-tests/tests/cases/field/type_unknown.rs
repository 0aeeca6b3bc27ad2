use vfio_user::Register;

#[derive(Clone, Copy)]
enum Mode {
    Off,
}

#[derive(Clone, Copy, Register)]
#[register(u32)]
struct Control {
    #[field(bit = 3)]
    mode: Mode,
}


fn main() {}
