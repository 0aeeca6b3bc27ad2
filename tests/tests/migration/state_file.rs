//! State that is kept in a file, from one server to the next.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use vfio_user::client::Client;
use vfio_user::function::PciFunction;
use vfio_user::migration::{Hello, StreamWriter};
use vfio_user::protocol::{MigrationState, RegionIndex};
use vfio_user::{Bench, Cx, Device, Error, PciDevice, Resumed, Server};
use vfio_user_tests::migrating_device::{Called, MigratingDevice, Outside, Pinned, Seen, reg};
use vfio_user_tests::serve::Running;

const BAR0: RegionIndex = RegionIndex::Bar0;
const BAR2: RegionIndex = RegionIndex::Bar2;

/// A device that is served with its state in a file.
fn keeping(socket: &Path, file: &Path) -> (Running, Seen) {
    let (outside, seen) = Outside::new();
    let (server, file) = (Server::bind(socket).unwrap(), file.to_owned());
    let running = Running::start(server, move |server| {
        server.serve_functions(move || {
            let mut function = PciFunction::new(MigratingDevice::new(&outside))?;
            function.keep_state(&file)?;
            Ok(Box::new(function))
        })
    });
    (running, seen)
}

#[test]
fn a_device_stands_still_until_it_has_a_client_again() {
    let folder = tempfile::tempdir().unwrap();
    let [socket, file] = ["socket", "state"].map(|name| folder.path().join(name));
    let (first, seen) = keeping(&socket, &file);
    let client = Client::attach(&socket).unwrap();
    client.region(BAR0).write(reg::SCRATCH, 0xcafe_u32).unwrap();
    client.region(BAR0).write(reg::DELAY, 1_u32).unwrap();
    client.region(BAR2).write_bytes(0x12_3456, b"in memory").unwrap();
    seen.expect(Called::Expired);
    drop(client);
    drop(first);
    let (_second, seen) = keeping(&socket, &file);
    seen.expect(Called::Loaded);
    seen.expect_nothing();
    let client = Client::attach(&socket).unwrap();
    seen.expect(Called::Resume(Resumed::Loaded));
    assert_eq!(client.migration_state().unwrap(), MigrationState::Running);
    assert_eq!(client.region(BAR0).read::<u32>(reg::SCRATCH).unwrap(), 0xcafe);
    let mut bytes = [0; 9];
    client.region(BAR2).read_bytes(0x12_3456, &mut bytes).unwrap();
    assert_eq!(&bytes, b"in memory");
    drop(client);
    let client = Client::attach(&socket).unwrap();
    assert_eq!(client.region(BAR0).read::<u32>(reg::SCRATCH).unwrap(), 0xcafe);
    seen.expect_nothing();
}

#[test]
fn a_refused_file_leaves_the_device_and_itself_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state");
    let mut bench = Bench::new(MigratingDevice::new(&Outside::new().0)).unwrap();
    bench.write(2, 0x1000, 0x1234_u32);
    bench.function_mut().keep_state(&file).unwrap();
    let mut stream = fs::read(&file).unwrap();
    let last = stream.len() - 1;
    stream[last] ^= 1;
    fs::write(&file, &stream).unwrap();
    let mut other = Bench::new(MigratingDevice::new(&Outside::new().0)).unwrap();
    other.write(2, 0x1000, 0x5555_u32);
    let before = other.save();
    let error = other.function_mut().keep_state(&file).unwrap_err();
    assert!(matches!(error, Error::State { .. }), "{error}");
    assert!(other.save() == before);
    assert_eq!(fs::read(&file).unwrap(), stream);
    let error = other.function_mut().keep_state(folder.path()).unwrap_err();
    assert!(matches!(error, Error::StateFile { .. }), "{error}");
}

#[test]
fn a_device_that_does_not_migrate_keeps_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state");
    let mut bench = Bench::new(Pinned {}).unwrap();
    let error = bench.function_mut().keep_state(&file).unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "device `pinned` does not migrate");
    assert!(!file.exists());
}

/// The number that is kept in a file.
fn scratch_in(file: &Path) -> Option<u32> {
    let mut bench = Bench::new(MigratingDevice::new(&Outside::new().0)).unwrap();
    bench.load(&fs::read(file).ok()?).unwrap();
    Some(bench.read(0, reg::SCRATCH))
}

#[test]
fn what_may_run_elsewhere_is_kept_aside() {
    let folder = tempfile::tempdir().unwrap();
    let [socket, file, moved] =
        ["socket", "state", "state.moved"].map(|name| folder.path().join(name));
    let kept = || [&file, &moved].map(|file| scratch_in(file));
    let (first, _) = keeping(&socket, &file);
    let client = Client::attach(&socket).unwrap();
    let set = |client: &Client, value: u32| client.region(BAR0).write(reg::SCRATCH, value).unwrap();
    set(&client, 1);
    client.set_migration_state(MigrationState::StopCopy).unwrap();
    client.read_migration_data(&mut [0; 100]).unwrap();
    assert_eq!(kept(), [Some(0x55), None], "it is not all of it");
    client.save(&mut std::io::sink()).unwrap();
    assert_eq!(kept(), [None, Some(0x55)], "at once");
    client.set_migration_state(MigrationState::Running).unwrap();
    assert_eq!(kept(), [Some(0x55), None], "it runs here after all");
    set(&client, 2);
    client.set_migration_state(MigrationState::StopCopy).unwrap();
    client.save(&mut std::io::sink()).unwrap();
    client.set_migration_state(MigrationState::Stop).unwrap();
    drop((client, first));
    assert_eq!(kept(), [None, Some(2)]);
    // The next one is another device.
    let (second, _) = keeping(&socket, &file);
    let client = Client::attach(&socket).unwrap();
    assert_eq!(client.region(BAR0).read::<u32>(reg::SCRATCH).unwrap(), 0x55);
    set(&client, 3);
    drop((client, second));
    assert_eq!(kept(), [Some(3), Some(2)]);
}

#[test]
fn what_is_reset_after_it_has_moved_is_another_device() {
    let folder = tempfile::tempdir().unwrap();
    let [socket, file, moved] =
        ["socket", "state", "state.moved"].map(|name| folder.path().join(name));
    let (running, _) = keeping(&socket, &file);
    let client = Client::attach(&socket).unwrap();
    client.region(BAR0).write(reg::SCRATCH, 1_u32).unwrap();
    drop(client);
    let client = Client::attach(&socket).unwrap();
    client.set_migration_state(MigrationState::StopCopy).unwrap();
    client.save(&mut std::io::sink()).unwrap();
    client.reset().unwrap();
    assert_eq!([scratch_in(&file), scratch_in(&moved)], [None, Some(1)]);
    drop((client, running));
    assert_eq!([scratch_in(&file), scratch_in(&moved)], [Some(0x55), Some(1)]);
}

/// A device whose own conversion writes what it does not read back: one value of many.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
struct Forgetful {
    #[reg(0x00)]
    #[migrate(skip)]
    set: u32,
    #[migrate(with = odd)]
    value: u32,
}

mod odd {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature of `with`")]
    pub(super) fn save(value: &u32) -> u32 {
        *value
    }

    pub(super) fn load(value: u32) -> Result<u32, &'static str> {
        if value == 7 { Err("seven is not accepted") } else { Ok(value) }
    }
}

impl Device for Forgetful {
    type Event = ();

    fn connected(&mut self, _: &mut Cx<'_, Self>) {
        self.value = 3;
    }

    fn disconnected(&mut self, _: &mut Cx<'_, Self>) {
        self.value = self.set;
    }
}

#[test]
fn a_file_that_would_not_load_does_not_replace_one_that_does() {
    let folder = tempfile::tempdir().unwrap();
    let [socket, file] = ["socket", "state"].map(|name| folder.path().join(name));
    let server = Server::bind(&socket).unwrap();
    let shutdown = server.shutdown_handle();
    let kept = file.clone();
    let thread = std::thread::spawn(move || {
        server.serve_functions(move || {
            let mut function = PciFunction::new(Forgetful::default())?;
            function.keep_state(&kept)?;
            Ok(Box::new(function))
        })
    });
    let client = Client::attach(&socket).unwrap();
    let before = fs::read(&file).unwrap();
    client.region(BAR0).write(0, 7_u32).unwrap();
    drop(client);
    shutdown.shutdown();
    let error = thread.join().unwrap().unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    let message = "field `value` of section `device`: seven is not accepted";
    assert_eq!(source.to_string(), message);
    assert_eq!(fs::read(&file).unwrap(), before);
    assert!(!folder.path().join("state.new").exists());
}

/// What another user has put where the new state is written is neither followed nor written to.
#[test]
fn a_file_that_is_written_is_new_and_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let [file, new, victim] = ["state", "state.new", "victim"].map(|name| folder.path().join(name));
    let save = || {
        let mut bench = Bench::new(MigratingDevice::new(&Outside::new().0)).unwrap();
        bench.function_mut().keep_state(&file).map(|()| bench)
    };
    let assert_saved = |what: &str| {
        let metadata = fs::symlink_metadata(&file).unwrap();
        assert!(metadata.is_file(), "{what}");
        assert_eq!(metadata.permissions().mode() & 0o7777, 0o600, "{what}");
        assert!(scratch_in(&file).is_some(), "{what}");
        assert!(!new.exists(), "{what}");
        fs::remove_file(&file).unwrap();
    };
    save().unwrap();
    assert_saved("nothing there");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, &new).unwrap();
    save().unwrap();
    assert_saved("a link");
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
    symlink(folder.path().join("nowhere"), &new).unwrap();
    save().unwrap();
    assert_saved("a link to nothing");
    assert!(!folder.path().join("nowhere").exists());
    fs::hard_link(&victim, &new).unwrap();
    save().unwrap();
    assert_saved("another name of a file");
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
    fs::write(&new, "left by a process that was killed").unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o666)).unwrap();
    let watched = fs::File::open(&new).unwrap();
    save().unwrap();
    assert_saved("a file that another process has open");
    assert_eq!(std::io::read_to_string(watched).unwrap(), "left by a process that was killed");
    fs::create_dir(&new).unwrap();
    assert!(save().is_err(), "a folder is not removed");
    assert!(!file.exists());
}

/// A name in a stream does not forge lines of a log.
#[test]
fn a_refusal_is_one_line_whatever_the_stream_says() {
    let mut bench = Bench::new(MigratingDevice::new(&Outside::new().0)).unwrap();
    for name in ["a\n2026-01-01 INFO all is well", "\u{1b}[2J", "\r", "\u{9b}31m", "a`b"] {
        let hello = Hello { name: name.to_owned(), vendor: 1, device: 2, layout: 3 };
        let mut writer = StreamWriter::new(&hello);
        writer.state(&[]);
        writer.end();
        let error = bench.load(&writer.take()).unwrap_err().to_string();
        assert!(!error.chars().any(char::is_control), "{error:?}");
        assert!(error.contains("migrating_device"), "{error}");
    }
}
