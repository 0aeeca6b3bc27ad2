//! A driver of the teaching device, which is generated from the device's own declaration. It makes
//! the same accesses over a socket and in the mapped BAR of a function:
//!
//! ```text
//! edu-driver /run/edu.sock
//! edu-driver /sys/bus/pci/devices/0000:00:05.0/resource0
//! ```

#[expect(dead_code, reason = "a driver runs no device")]
#[path = "../edu.rs"]
mod edu;
mod exercise;
mod mapped;

use std::env;
use std::error::Error;
use std::os::unix::fs::FileTypeExt as _;
use std::path::PathBuf;
use std::thread::yield_now;

use exercise::exercise;
use mapped::MappedBar;
use vfio_user::client::Client;

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args_os().nth(1).map(PathBuf::from);
    let path =
        path.ok_or("usage: edu-driver SOCKET | edu-driver /sys/bus/pci/devices/*/resource0")?;
    if path.metadata()?.file_type().is_socket() {
        exercise(&Client::attach(&path)?, |_| yield_now())?;
    } else {
        exercise(MappedBar::of_sysfs(&path)?, |_| yield_now())?;
    }
    println!("edu: works");
    Ok(())
}
