//! The classic server: its clock, its memory, and its way from one process to another.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{fs, thread};

use nix::sys::memfd::{MFdFlags, memfd_create};
use vfio_user::client::{AttachOptions, Client, DmaMapping};
use vfio_user::protocol::{DmaMapFlags, IrqIndex, MigrationState, RegionIndex};
use vfio_user::{Error, EventFd};

const PATIENCE: Duration = Duration::from_secs(20);
const PAGE: u64 = 0x1000;

/// A server of one client, as `server -v PATH`, and its client.
struct Pair {
    client: Client,
    irq: EventFd,
    messages: Arc<Mutex<Vec<u8>>>,
    direct: File,
    server: Child,
}

impl Pair {
    fn new(path: &Path) -> Self {
        Self::with(&[], path)
    }

    fn with(options: &[String], path: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
        let server = command.args(options).arg("-v").arg(path).spawn().unwrap();
        let options = AttachOptions { patience: PATIENCE, ..AttachOptions::default() };
        let client = Client::attach_with(path, options).unwrap();
        let (irq, messages) = (EventFd::new().unwrap(), Arc::new(Mutex::new(vec![0; 0x1000])));
        client.set_irqs(IrqIndex::Intx, 0, &[Some(&irq)]).unwrap();
        let rights = DmaMapFlags::READ | DmaMapFlags::WRITE;
        client.dma_map_memory(0, PAGE, Arc::clone(&messages) as _, rights).unwrap();
        let direct = File::from(memfd_create(c"memory", MFdFlags::MFD_CLOEXEC).unwrap());
        direct.set_len(PAGE).unwrap();
        client
            .dma_map(DmaMapping { iova: PAGE, size: PAGE, file: direct.as_fd(), offset: 0, rights })
            .unwrap();
        Pair { client, irq, messages, direct, server }
    }

    fn set_time(&self, time: u64) {
        self.client.region(RegionIndex::Bar0).write(0, time).unwrap();
    }

    /// The interrupt comes, and then a page of letters in each kind of memory.
    fn wakes(&self) {
        assert!(self.irq.wait(PATIENCE).unwrap().is_some());
        let deadline = Instant::now() + PATIENCE;
        let letters: Vec<u8> = (b'A'..=b'D').flat_map(|letter| [letter; 1024]).collect();
        loop {
            // What the server asks for is answered while something is asked of it.
            self.client.region(RegionIndex::Config).read::<u16>(0).unwrap();
            let mut direct = vec![0; 0x1000];
            self.direct.read_exact_at(&mut direct, 0).unwrap();
            if direct == letters && *self.messages.lock().unwrap() == letters {
                return;
            }
            assert!(Instant::now() < deadline, "no memory is written");
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn bar1(&self) -> Vec<u8> {
        let mut bytes = vec![0; 0x4000];
        self.client.region(RegionIndex::Bar1).read_bytes(0, &mut bytes).unwrap();
        bytes
    }

    fn ends(mut self) {
        drop(self.client);
        assert!(self.server.wait().unwrap().success());
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn a_time_that_comes_wakes_the_client_and_is_moved_with_the_server() {
    let folder = std::env::temp_dir().join(format!("vfio-user-server.{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let from = Pair::new(&folder.join("from.sock"));
    let clock = from.client.region(RegionIndex::Bar0);
    for refused in [clock.read::<u32>(0).err(), clock.write(4, 1_u32).err()] {
        assert!(matches!(refused, Some(Error::Refused { .. })), "{refused:?}");
    }
    from.set_time(now() + 1);
    from.wakes();
    from.set_time(now() - 100);
    assert!((100..110).contains(&clock.read::<u64>(0).unwrap()));

    let memory: Vec<u8> = (0..=250).cycle().take(0x4000).collect();
    from.client.set_migration_state(MigrationState::PreCopy).unwrap();
    let mut stream = Vec::new();
    assert_eq!(from.client.save(&mut stream).unwrap(), 0x4000);
    from.client.region(RegionIndex::Bar1).write_bytes(0, &memory).unwrap();
    from.set_time(now() + 2);
    from.client.set_migration_state(MigrationState::StopCopy).unwrap();
    assert_eq!(from.client.save(&mut stream).unwrap(), 0x4008);
    assert_eq!(stream[0x4000..0x8000], memory);

    let to = Pair::new(&folder.join("to.sock"));
    to.client.set_migration_state(MigrationState::Resuming).unwrap();
    to.client.load(&mut &stream[..]).unwrap();
    to.client.set_migration_state(MigrationState::Running).unwrap();
    assert_eq!(to.bar1(), memory);
    to.wakes();
    assert_eq!(from.irq.take(), None);
    from.ends();
    to.ends();
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_stream_of_its_own_is_kept_in_a_file() {
    let folder =
        std::env::temp_dir().join(format!("vfio-user-server-state.{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (socket, file) = (folder.join("device.sock"), folder.join("state"));
    let options = [format!("--state={}", file.display())];
    let memory: Vec<u8> = (0..=250).cycle().take(0x4000).collect();
    let first = Pair::with(&options, &socket);
    first.client.region(RegionIndex::Bar1).write_bytes(0, &memory).unwrap();
    let alarm = now() + 2;
    first.set_time(alarm);
    first.ends();
    assert_eq!(fs::read(&file).unwrap(), [&memory[..], &alarm.to_le_bytes()].concat());
    let second = Pair::with(&options, &socket);
    assert_eq!(second.bar1(), memory);
    second.wakes();
    second.ends();

    fs::write(&file, &memory).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
    let output = command.args(&options).arg(&socket).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("a part of the state is missing"), "{error}");
    assert!(error.contains(&file.display().to_string()), "{error}");
    assert_eq!(fs::read(&file).unwrap(), memory);
    fs::remove_dir_all(&folder).unwrap();
}
