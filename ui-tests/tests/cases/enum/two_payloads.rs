use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[repr(u8)]
enum Mode {
    Off = 0,
    Other(u8),
    More(u16),
}


fn main() {}
