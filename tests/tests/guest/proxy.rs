//! A guest whose device is behind `vfu proxy`, and the log of its boot.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vfio_user_tests::PATIENCE;
use vfio_user_tests::vm::{Program, Vm};

/// The driver finds the device, and drives outputs.
const SCRIPT: &str = r#"
set -e
modprobe gpio-pci-idio-16
readlink /sys/bus/pci/devices/0000:00:01.0/driver
chip=$(gpiodetect | sed -n 's/ .*0000:00:01.0.*32 lines.*//p')
gpioset -t0 -c "$chip" 3=1
gpioset -t0 -c "$chip" 15=1
gpioget --numeric -c "$chip" 16 17 31
rmmod gpio-pci-idio-16
"#;

/// A proxy in a process. Dropping this ends it.
struct Proxy(Child);

impl Proxy {
    /// Starts a proxy that prints into `folder/printed` and logs into `folder/log`, and waits until
    /// it listens.
    fn start(server: &Path, folder: &Path) -> Self {
        let printed = File::create(folder.join("printed")).expect("a file");
        let child = Command::new(Program::vfu_path())
            .arg("proxy")
            .arg(folder.join("proxy.sock"))
            .arg(server)
            .arg(format!("--log={}", folder.join("log").display()))
            .stdin(Stdio::null())
            .stdout(printed)
            .spawn()
            .expect("it runs");
        let deadline = Instant::now() + PATIENCE;
        while !folder.join("proxy.sock").exists() {
            assert!(Instant::now() < deadline, "it listens in time");
            thread::sleep(Duration::from_millis(1));
        }
        Proxy(child)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).expect("a pid"));
        // Errors mean that it has ended.
        let _ = kill(pid, Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

#[test]
fn a_guest_boots_through_the_proxy_and_its_log_is_played_without_a_difference() {
    let Some(vm) = Vm::find() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let device = Program::example("gpio-pci-idio-16", &[]);
    let proxy = Proxy::start(&device.socket(), folder.path());
    let socket = folder.path().join("proxy.sock").display().to_string();
    let output = vm.guest(SCRIPT).option("--device").option(&socket).run();
    assert!(output.contains("drivers/pci-idio-16") && output.contains("\n0 0 0\n"), "{output}");
    drop(proxy);
    device.end();

    let printed = fs::read_to_string(folder.path().join("printed")).expect("it prints text");
    assert!(printed.contains("DMA_MAP address=0x0 size="), "{printed}");
    assert!(printed.contains("fds=file:") && !printed.contains("malformed"), "{printed}");
    // Output 3: the lower half of the outputs is the first byte of BAR 2.
    let output_3 = "REGION_WRITE region=bar2 offset=0x0 count=1 data=0x08";
    assert!(printed.contains(output_3), "{printed}");

    let log = folder.path().join("log");
    let (same, text) = replay(&log, "gpio-pci-idio-16");
    assert!(same == Some(0) && text.contains("no difference"), "{text}");
    let (other, text) = replay(&log, "edu");
    assert!(other == Some(1) && text.contains("region=bar0: size: the log has 0x0"), "{text}");
}

/// Plays a log against a device program; returns the exit code and the output.
fn replay(log: &Path, program: &str) -> (Option<i32>, String) {
    let mut vfu = Command::new(Program::vfu_path());
    vfu.arg("replay").arg(log).arg("--").arg(Program::example_path(program));
    let output = vfu.output().expect("it runs");
    let text = format!("{output:?}");
    (output.status.code(), text)
}
