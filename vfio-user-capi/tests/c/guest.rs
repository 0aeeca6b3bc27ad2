//! A guest's own driver drives a device in C.

use vfio_user_tests::vm::{Program, Vm, idio16};

use crate::installation::Installation;

#[test]
fn the_driver_of_linux_drives_a_device_in_c() {
    let Some(vm) = Vm::find() else { return };
    let installation = Installation::new();
    let program = installation.build("cc", "examples/idio16.c");
    let mut device = Program::start_at(&program);
    let guest = vm.guest(&idio16::script("")).device(&device).boot();
    idio16::drive(&mut device, guest, None);
    device.end();
}
