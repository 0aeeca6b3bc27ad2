//! A generated driver runs in the guest, in its own mapping of the BAR.

use std::path::Path;
use std::process::Command;

use vfio_user_tests::vm::{Program, Vm};

const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

const SCRIPT: &str = r"
set -e
bdf=$(lspci -Dn -d 1234:11e8 | cut -d' ' -f1)
echo 1 >/sys/bus/pci/devices/$bdf/enable
/home/loader --library-path /home /home/edu-driver /sys/bus/pci/devices/$bdf/resource0
";

/// The libraries of a program, which the guest does not have.
fn libraries(program: &Path) -> Vec<String> {
    let output = Command::new(LOADER).arg("--list").arg(program).output().expect("a loader");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let paths = text.lines().filter_map(|line| line.split_whitespace().nth(2));
    paths.filter(|path| path.starts_with('/')).map(str::to_owned).collect()
}

/// The test of the device that runs on a bench, and over a socket, as well.
#[test]
fn the_same_test_runs_in_a_guest() {
    let Some(vm) = Vm::find() else { return };
    let (device, driver) = (Program::example("edu", &[]), Program::example_path("edu-driver"));
    let files = libraries(&driver)
        .into_iter()
        .chain([driver.display().to_string(), format!("{LOADER}:/home/loader")]);
    let guest = vm.guest(SCRIPT).device(&device);
    let guest = files.fold(guest, |guest, file| guest.option("--file").option(&file));
    assert!(guest.run().contains("edu: works"));
    device.end();
}
