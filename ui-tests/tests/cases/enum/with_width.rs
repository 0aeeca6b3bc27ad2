use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[register(u32)]
enum Mode {
    Off,
}


fn main() {}
