use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[allow(non_camel_case_types)]
enum Mode {
    SlowStart = 0,
    Slow_Start = 1,
    Fast = 2,
}

fn main() {}
