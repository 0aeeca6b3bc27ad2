//! The whole stack without a virtual machine: a device in a process of its own, and this process in
//! the role of the VMM and of the guest's driver.

mod device;
mod lspci;
mod migration;

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::time::Duration;

use device::{Copier, DONE, regs};
use nix::sys::memfd::{MFdFlags, memfd_create};
use vfio_user::client::DmaMapping;
use vfio_user::client::{self, Client};
use vfio_user::protocol::{DmaMapFlags, IrqIndex, RegionIndex};
use vfio_user::{EventFd, Server};

/// The argument with which this program starts itself as the device.
const SERVE: &str = "--serve";

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let done = match arguments.as_slice() {
        [] => drive(),
        [serve, path] if serve == SERVE => serve_device(Path::new(path)),
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

fn serve_device(path: &Path) -> Result<()> {
    Ok(Server::bind(path)?.once().serve(Copier::default)?)
}

fn drive() -> Result<()> {
    let server = ServerProcess::start("device")?;
    say(&format!(
        "A device is served by process {}, on {}.",
        server.child.id(),
        server.path.display()
    ));
    let client = server.attach()?;
    say("We have attached to it. Its configuration space, as lspci would show it:");
    lspci::print(&client)?;
    registers(&client)?;
    memory_and_interrupt(&client)?;

    let successor = ServerProcess::start("successor")?;
    let new_client = successor.attach()?;
    migration::run(&client, &new_client)?;
    for (client, server) in [(client, server), (new_client, successor)] {
        drop(client);
        server.wait()?;
    }
    say("We have left both, and so have the devices. That was all.");
    Ok(())
}

fn registers(client: &Client) -> Result<()> {
    let bar = client.region(RegionIndex::Bar0);
    let id = bar.read::<u32>(regs::ID)?;
    say(&format!("Its ID register reads {id:#010x}: {:?}.", text(id)));
    bar.write(regs::SCRATCH, 0x1234_5678_u32)?;
    bar.write(regs::SCRATCH + 1, 0xff_u8)?;
    let scratch = bar.read::<u32>(regs::SCRATCH)?;
    say(&format!("SCRATCH was 0x12345678; after one byte was written it reads {scratch:#010x}."));
    expect(scratch == 0x1234_ff78, "one byte of SCRATCH changes")
}

/// Works like a driver: puts work into memory, notifies the device, waits for the interrupt.
fn memory_and_interrupt(client: &Client) -> Result<()> {
    const IOVA: u64 = 0x10_0000;
    const SIZE: u64 = 0x2000;
    const WORK: &[u8] = b"bytes that the device has to copy";
    let memory = guest_memory(SIZE)?;
    let rights = DmaMapFlags::READ | DmaMapFlags::WRITE;
    client.dma_map(DmaMapping {
        iova: IOVA,
        size: SIZE,
        file: memory.as_fd(),
        offset: 0,
        rights,
    })?;
    let interrupt = EventFd::new()?;
    client.set_irqs(IrqIndex::Msix, 0, &[Some(&interrupt)])?;
    say(&format!("{SIZE} bytes of our memory are mapped for it at {IOVA:#x}, vector 0 is ours."));

    memory.write_all_at(WORK, 0)?;
    let bar = client.region(RegionIndex::Bar0);
    bar.write(regs::SOURCE, IOVA)?;
    bar.write(regs::TARGET, IOVA + 0x1000)?;
    bar.write(regs::LENGTH, u32::try_from(WORK.len())?)?;
    bar.post(regs::START, 1_u32)?;
    let count = interrupt.wait(Duration::from_secs(5))?.ok_or("no interrupt came")?;
    let status = bar.read::<u32>(regs::STATUS)?;
    let mut copy = vec![0; WORK.len()];
    memory.read_exact_at(&mut copy, 0x1000)?;
    say(&format!(
        "{count} interrupt came; STATUS reads {status:#x}; the copy at {:#x} says:",
        IOVA + 0x1000
    ));
    println!("    {}", String::from_utf8_lossy(&copy));
    expect(status == DONE && copy == WORK, "the device copies")?;

    bar.write(regs::STATUS, DONE)?;
    let status = bar.read::<u32>(regs::STATUS)?;
    say(&format!("STATUS is acknowledged by writing a one to it and reads {status:#x}."));
    client.dma_unmap(IOVA, SIZE)?;
    expect(status == 0, "a one clears STATUS")
}

fn guest_memory(size: u64) -> Result<File> {
    let memory: OwnedFd = memfd_create(c"guest memory", MFdFlags::MFD_CLOEXEC)?;
    let memory = File::from(memory);
    memory.set_len(size)?;
    Ok(memory)
}

/// The device's process, and the folder of its socket; dropping this removes both.
struct ServerProcess {
    child: Child,
    folder: PathBuf,
    path: PathBuf,
}

impl ServerProcess {
    fn start(name: &str) -> Result<Self> {
        let folder = env::temp_dir().join(format!("vfio-user-demo.{}.{name}", std::process::id()));
        fs::create_dir(&folder)?;
        let path = folder.join("device.sock");
        let child = Command::new(env::current_exe()?).arg(SERVE).arg(&path).spawn()?;
        Ok(ServerProcess { child, folder, path })
    }

    /// Attaches to the device as soon as it listens.
    fn attach(&self) -> Result<Client> {
        let patience = Duration::from_secs(10);
        let options = client::AttachOptions { patience, ..client::AttachOptions::default() };
        Ok(Client::attach_with(&self.path, options)?)
    }

    fn wait(mut self) -> Result<()> {
        let status = self.child.wait()?;
        expect(status.success(), "the server ends well")
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Nothing can be done about a process that is gone, or a folder that stays.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn text(word: u32) -> String {
    word.to_be_bytes().map(char::from).iter().collect()
}

fn say(sentence: &str) {
    println!("\n* {sentence}");
}

fn expect(holds: bool, what: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(format!("it does not hold that {what}").into()) }
}
