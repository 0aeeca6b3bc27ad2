//! The whole stack without a virtual machine: a device in a process of its own, and this process in
//! the role of the VMM and of the guest's driver.

mod device;
mod driver;
mod function;
mod look;
mod migration;
mod process;
mod rounds;
mod screen;

use std::env;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use device::CopierDriver;
use process::ServerProcess;
use screen::{heading, line};
use vfio_user::client::PciView;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let done = match arguments.as_slice() {
        [] => drive(),
        [serve, path] if serve == process::SERVE => process::serve(Path::new(path)),
        _ => Err("demo takes no arguments".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn drive() -> Result<()> {
    let server = ServerProcess::start("device")?;
    heading(&format!("A device, in process {}", server.id()));
    let view = PciView::attach_with(server.socket(), process::patient())?;
    function::print(&view)?;

    heading("Its driver, generated from the declaration of the device");
    let vectors = view.enable_msix(2)?;
    let mut copier = CopierDriver::new(&view);
    driver::registers(&mut copier)?;
    driver::copy(&mut copier, &view.allocate(0x2000)?, &vectors)?;

    heading("A look at the running device, by its monitor");
    look::print(&server.monitor())?;

    let successor = ServerProcess::start("successor")?;
    heading(&format!("Migration to process {}, while a guest writes its memory", successor.id()));
    let new_view = PciView::attach_with(successor.socket(), process::patient())?;
    migration::run(&view, &vectors, &new_view)?;

    drop((view, vectors, new_view));
    server.wait()?;
    successor.wait()?;
    line("Both processes have ended. That was all.");
    Ok(())
}

fn expect(holds: bool, what: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(format!("it does not hold that {what}").into()) }
}
