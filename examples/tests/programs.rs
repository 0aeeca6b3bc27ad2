//! The device programs, as processes.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vfio_user::EventFd;
use vfio_user::client::DmaMapping;
use vfio_user::client::{self, Client};
use vfio_user::protocol::{DmaMapFlags, IrqIndex, MigrationState, RegionIndex};

const TRIVIAL: &str = env!("CARGO_BIN_EXE_trivial");
const EDU: &str = env!("CARGO_BIN_EXE_edu");
const NULL: &str = env!("CARGO_BIN_EXE_null");
const IOEVENTFD: &str = env!("CARGO_BIN_EXE_ioeventfd");
const IOEVENTFD_BENCH: &str = env!("CARGO_BIN_EXE_ioeventfd-bench");
const DMA_ENGINE: &str = env!("CARGO_BIN_EXE_dma-engine");
const DEMO: &str = env!("CARGO_BIN_EXE_demo");

/// A folder that is gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("vfio-user-{name}.{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("device.sock")
    }

    fn state(&self) -> PathBuf {
        self.0.join("state")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A program that is killed at the latest when this is dropped.
struct Program(Child);

impl Program {
    fn start(stdin: Stdio, arguments: &[&str]) -> Self {
        Self::of(TRIVIAL, stdin, arguments)
    }

    fn of(program: &str, stdin: Stdio, arguments: &[&str]) -> Self {
        Program(Command::new(program).stdin(stdin).args(arguments).spawn().unwrap())
    }

    fn serving(socket: &Path, arguments: &[&str]) -> Self {
        let path = format!("--socket-path={}", socket.display());
        let arguments: Vec<_> =
            [path.as_str()].into_iter().chain(arguments.iter().copied()).collect();
        Self::start(Stdio::null(), &arguments)
    }

    fn terminate(&self) {
        kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGTERM).unwrap();
    }

    fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match self.0.try_wait().unwrap() {
                Some(status) => return status,
                None => assert!(Instant::now() < deadline, "the program does not end"),
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn attach(socket: &Path) -> Client {
    let patience = Duration::from_secs(10);
    Client::attach_with(
        socket,
        client::AttachOptions { patience, ..client::AttachOptions::default() },
    )
    .unwrap()
}

fn assert_is_trivial(client: &Client) {
    assert_eq!(client.region(RegionIndex::Bar0).read::<u32>(0).unwrap(), 0x7472_6976);
}

#[test]
fn demo_shows_the_whole_way() {
    let output = Command::new(DEMO).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
    for line in [
        "1234:c0b1, class 120000",
        "4.00 MiB",
        "MSI-X with 2 vectors",
        "copier.set_start(1)                  1 interrupt",
        "bytes that the device has to copy",
        "scratch       2      2  0x1234ff78",
        "msix 0: raised 1, delivered 1",
        "round 3  ",
        "stopped  ",
        "checksums of the memory: ",
        "scratch is 0x1234ff78 there, and the alarm that was set here rings there",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
}

#[test]
fn a_program_records_and_replays() {
    let folder = Folder::new("record");
    let recording = format!("--record={}", folder.0.join("rec").display());
    let mut program = Program::serving(&folder.socket(), &["--once", &recording]);
    let client = attach(&folder.socket());
    client.region(RegionIndex::Bar0).write(0x04, 5_u32).unwrap();
    assert_is_trivial(&client);
    drop(client);
    assert!(program.ended().success());
    let replay = format!("--replay={}", folder.0.join("rec").display());
    let replayed = |program: &str| Command::new(program).arg(&replay).output().unwrap();
    let same = replayed(TRIVIAL);
    let text = String::from_utf8(same.stdout).unwrap();
    assert!(same.status.success() && text.contains("replayed without a difference"), "{text}");
    let other = replayed(EDU);
    let text = String::from_utf8(other.stderr).unwrap();
    assert_eq!(other.status.code(), Some(2), "{text}");
    assert!(text.contains("the recording is of `trivial"), "{text}");
}

/// A file size limit of 4 KiB ends the recording in the middle of a write, as a full disk does.
#[test]
fn a_recording_that_cannot_be_written_ends_alone() {
    let folder = Folder::new("full");
    let recording = folder.0.join("rec");
    let options = [
        format!("--socket-path={}", folder.socket().display()),
        format!("--record={}", recording.display()),
        "--once".into(),
    ];
    let limited = ["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"", TRIVIAL];
    let mut command = Command::new("sh");
    command.args(limited).args(options).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut program = Program(command.spawn().unwrap());
    let client = attach(&folder.socket());
    for value in 0..1000_u32 {
        client.region(RegionIndex::Bar0).write(0x04, value).unwrap();
        assert_eq!(client.region(RegionIndex::Bar0).read::<u32>(0x04).unwrap(), value);
    }
    drop(client);
    assert!(program.ended().success());
    assert_eq!(fs::metadata(&recording).unwrap().len(), 4096);
    let log = io::read_to_string(program.0.stderr.take().unwrap()).unwrap();
    assert_eq!(log.matches("the recording ends here").count(), 1, "{log}");
    let replay = format!("--replay={}", recording.display());
    let replayed = Command::new(TRIVIAL).arg(replay).output().unwrap();
    let text = String::from_utf8(replayed.stderr).unwrap();
    assert_eq!(replayed.status.code(), Some(2), "{text}");
    assert!(text.contains("the recording ends in the middle"), "{text}");
}

/// `VFIO_USER_BLESS=1` records what is printed now.
#[test]
fn describe_prints_what_was_declared() {
    for (option, file) in [
        ("--describe", "trivial.txt"),
        ("--describe=text", "trivial.txt"),
        ("--describe=markdown", "trivial.md"),
        ("--describe=json", "trivial.json"),
    ] {
        let output = Command::new(TRIVIAL).arg(option).output().unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/describe").join(file);
        if env::var_os("VFIO_USER_BLESS").is_some_and(|value| value == "1") {
            fs::write(&path, &output.stdout).unwrap();
        }
        assert!(output.status.success());
        let described = String::from_utf8(output.stdout).unwrap();
        assert_eq!(described, fs::read_to_string(&path).unwrap(), "{}", path.display());
    }
}

/// What the guide shows of it is what `edu` says.
#[test]
fn the_guide_shows_a_true_description() {
    let guide = include_str!("../../docs/guide.md");
    let shown = guide.split("```console\n").nth(1).and_then(|rest| rest.split("```").next());
    let output = Command::new(EDU).arg("--describe").output().unwrap();
    let described = String::from_utf8(output.stdout).unwrap();
    assert!(described.contains(shown.expect("a block of `console`")), "{described}");
}

#[test]
fn options_that_make_no_sense_are_refused() {
    for arguments in [&[][..], &["--socket-path=x", "--fd=3"], &["--fd=x"], &["--describe=ps"]] {
        let output = Command::new(TRIVIAL).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn a_program_that_cannot_serve_says_why() {
    for (argument, why) in [
        ("--socket-path=/nowhere/device.sock", "No such file or directory"),
        ("--fd=77", "Bad file descriptor"),
        ("--fd=2", "descriptor 2 cannot be served"),
    ] {
        let output = Command::new(TRIVIAL).arg(argument).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{argument}");
        assert!(error.contains(why), "{argument}: {error}");
    }
}

#[test]
fn sigterm_ends_a_program_and_removes_its_socket() {
    let folder = Folder::new("sigterm");
    let mut program = Program::serving(&folder.socket(), &[]);
    assert_is_trivial(&attach(&folder.socket()));
    program.terminate();
    assert!(program.ended().success());
    assert!(!folder.socket().exists());
}

#[test]
fn sigterm_ends_a_program_that_serves_a_client() {
    let folder = Folder::new("sigterm-client");
    let mut program = Program::serving(&folder.socket(), &[]);
    let client = attach(&folder.socket());
    assert_is_trivial(&client);
    program.terminate();
    assert!(program.ended().success());
    assert!(client.region(RegionIndex::Bar0).read::<u32>(0).is_err());
}

#[test]
fn once_ends_with_the_first_client() {
    let folder = Folder::new("once");
    let mut program = Program::serving(&folder.socket(), &["--once"]);
    assert_is_trivial(&attach(&folder.socket()));
    assert!(program.ended().success());
    assert!(!folder.socket().exists());
}

#[test]
fn an_inherited_listener_is_served_again_and_again() {
    let folder = Folder::new("listener");
    let listener = UnixListener::bind(folder.socket()).unwrap();
    let mut program = Program::start(OwnedFd::from(listener).into(), &["--fd=0"]);
    for _ in 0..3 {
        assert_is_trivial(&attach(&folder.socket()));
    }
    program.terminate();
    assert!(program.ended().success());
    assert!(folder.socket().exists(), "it belongs to another process");
}

#[test]
fn an_inherited_connection_is_served_to_its_end() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut program = Program::start(OwnedFd::from(theirs).into(), &["--fd=0"]);
    let client = Client::from_stream(ours, client::AttachOptions::default()).unwrap();
    assert_is_trivial(&client);
    drop(client);
    assert!(program.ended().success());
}

/// A connection to a program that serves it.
fn serving(program: &str) -> (Program, Client) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let program = Program::of(program, OwnedFd::from(theirs).into(), &["--fd=0"]);
    (program, Client::from_stream(ours, client::AttachOptions::default()).unwrap())
}

#[test]
fn null_is_a_configuration_space() {
    let (mut program, client) = serving(NULL);
    assert_eq!(client.region(RegionIndex::Config).read::<u32>(0).unwrap(), 0x0000_1234);
    for bar in &RegionIndex::ALL[..6] {
        assert_eq!(client.region_details(*bar).unwrap().size, 0);
    }
    drop(client);
    assert!(program.ended().success());
}

#[test]
fn the_doorbells_of_ioeventfd_count() {
    let (mut program, client) = serving(IOEVENTFD);
    let bar = client.region(RegionIndex::Bar0);
    let rung = || [0x10, 0x14, 0x18, 0x1c].map(|at| bar.read::<u32>(at).unwrap());
    bar.write(0x00, 1_u32).unwrap();
    bar.post(0x00, 1_u32).unwrap();
    bar.post(0x04, 1_u32).unwrap();
    bar.write(0x08, 2_u32).unwrap();
    assert_eq!(rung(), [2, 1, 1, 0]);
    let details = client.region_details(RegionIndex::Bar0).unwrap();
    let page = details.files[0].as_fd().try_clone_to_owned().unwrap();
    fs::File::from(page).write_all_at(&1_u32.to_le_bytes(), 0x1000).unwrap();
    assert_eq!(rung(), [2, 1, 1, 1]);
    drop(client);
    assert!(program.ended().success());
}

#[test]
fn ioeventfd_bench_compares_four_ways() {
    let folder = Folder::new("bench");
    let path = format!("--socket-path={}", folder.socket().display());
    let mut program = Program::of(IOEVENTFD, Stdio::null(), &[&path, "--once"]);
    while !folder.socket().exists() {
        thread::sleep(Duration::from_millis(2));
    }
    let arguments = [path.as_str(), "--rounds=30", "--gaps=0,300"];
    let output = Command::new(IOEVENTFD_BENCH).args(arguments).output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{table}{}", String::from_utf8_lossy(&output.stderr));
    let rows: Vec<_> = table.lines().skip(2).map(str::trim_start).collect();
    assert_eq!(rows.len(), 3, "{table}");
    for (row, name) in rows.into_iter().zip(["0 µs", "300 µs", "to ring"]) {
        assert!(row.starts_with(name) && row.matches(" / ").count() == 5, "{table}");
    }
    assert!(program.ended().success());
}

#[test]
fn dma_engine_copies_for_a_client() {
    let (mut program, client) = serving(DMA_ENGINE);
    let memory = memfd_create(c"guest", MFdFlags::MFD_CLOEXEC).map(fs::File::from).unwrap();
    memory.set_len(0x10_0000).unwrap();
    let irq = EventFd::new().unwrap();
    client.set_irqs(IrqIndex::Msix, 0, &[Some(&irq)]).unwrap();
    let rights = DmaMapFlags::READ | DmaMapFlags::WRITE;
    client
        .dma_map(DmaMapping {
            iova: 0x8000_0000,
            size: 0x10_0000,
            file: memory.as_fd(),
            offset: 0,
            rights,
        })
        .unwrap();
    let data = vec![0xa5; 0x5000];
    memory.write_all_at(&data, 0x1_0000).unwrap();
    // The second descriptor names memory that is not there.
    for (at, source) in [(0, 0x8001_0000), (1, 0x1000)] {
        let descriptor = [source, 0x8002_0000, 0x5000_u64].map(u64::to_le_bytes);
        memory.write_all_at(descriptor.as_flattened(), at * 24).unwrap();
    }
    let bar = client.region(RegionIndex::Bar0);
    bar.write(0x00, 0x8000_0000_u64).unwrap();
    bar.write(0x08, 16_u32).unwrap();
    bar.write(0x0c, 2_u32).unwrap();
    while bar.read::<u32>(0x10).unwrap() != 2 {
        irq.wait(Duration::from_secs(10)).unwrap().expect("an interrupt");
    }
    let mut copy = vec![0; 0x5001];
    memory.read_exact_at(&mut copy, 0x2_0000).unwrap();
    assert_eq!((&copy[..0x5000], copy[0x5000]), (&data[..], 0));
    let mut status = [0; 2];
    memory.read_exact_at(&mut status[..1], 20).unwrap();
    memory.read_exact_at(&mut status[1..], 44).unwrap();
    assert_eq!((status, bar.read::<u32>(0x14).unwrap()), ([1, 2], 1));
    drop(client);
    assert!(program.ended().success());
}

/// A migration that is cancelled stops the device in the midst of its work, and then it goes on.
#[test]
fn a_dma_engine_that_was_stopped_fails_nothing() {
    const RING: u64 = 24 * 64;
    let (mut program, client) = serving(DMA_ENGINE);
    let memory = memfd_create(c"guest", MFdFlags::MFD_CLOEXEC).map(fs::File::from).unwrap();
    memory.set_len(0x40_0000).unwrap();
    let irq = EventFd::new().unwrap();
    client.set_irqs(IrqIndex::Msix, 0, &[Some(&irq)]).unwrap();
    let rights = DmaMapFlags::READ | DmaMapFlags::WRITE;
    client
        .dma_map(DmaMapping { iova: 0, size: 0x40_0000, file: memory.as_fd(), offset: 0, rights })
        .unwrap();
    let bar = client.region(RegionIndex::Bar0);
    bar.write(0x08, 64_u32).unwrap();
    for round in 0..20_u8 {
        memory.write_all_at(&vec![0; usize::try_from(RING).unwrap()], 0).unwrap();
        memory.write_all_at(&vec![round; 0x8000], 0x10_0000).unwrap();
        let first = u64::from(round) * 40 % 64;
        for n in 0..40 {
            let (at, target) = ((first + n) % 64, 0x20_0000 + n * 0x8000);
            let descriptor = [0x10_0000, target, 0x8000].map(u64::to_le_bytes);
            memory.write_all_at(descriptor.as_flattened(), at * 24).unwrap();
        }
        let end = u32::try_from((first + 40) % 64).unwrap();
        bar.write(0x0c, end).unwrap();
        while bar.read::<u32>(0x10).unwrap() != end {
            client.set_migration_state(MigrationState::Stop).unwrap();
            client.set_migration_state(MigrationState::Running).unwrap();
            thread::sleep(Duration::from_micros(u64::from(round) * 20));
        }
        for n in 0..40 {
            let (mut status, mut copy) = ([0; 4], vec![0; 0x8000]);
            memory.read_exact_at(&mut status, (first + n) % 64 * 24 + 20).unwrap();
            memory.read_exact_at(&mut copy, 0x20_0000 + n * 0x8000).unwrap();
            assert_eq!(u32::from_le_bytes(status), 1, "descriptor {n} of round {round}");
            assert!(copy.iter().all(|byte| *byte == round), "descriptor {n} of round {round}");
        }
    }
    assert_eq!(bar.read::<u32>(0x14).unwrap(), 0, "failures");
    drop(client);
    assert!(program.ended().success());
}

/// Where `edu` has a register that keeps what is written, inverted.
const LIVENESS: u64 = 0x04;

/// The folder's `edu`, with its state in a file.
fn keeping_edu(folder: &Folder) -> Program {
    let path = format!("--socket-path={}", folder.socket().display());
    let state = format!("--state={}", folder.state().display());
    Program::of(EDU, Stdio::null(), &[&path, &state])
}

fn liveness(client: &Client) -> u32 {
    !client.region(RegionIndex::Bar0).read::<u32>(LIVENESS).unwrap()
}

fn set_liveness(client: &Client, value: u32) {
    client.region(RegionIndex::Bar0).write(LIVENESS, value).unwrap();
}

#[test]
fn sigterm_saves_the_state_for_the_next_run() {
    let folder = Folder::new("state-sigterm");
    for value in [0, 1, 2] {
        let mut program = keeping_edu(&folder);
        let client = attach(&folder.socket());
        assert_eq!(liveness(&client), if value == 0 { u32::MAX } else { value - 1 });
        set_liveness(&client, value);
        // With its client there, or without.
        if value == 1 {
            drop(client);
        }
        program.terminate();
        assert!(program.ended().success());
    }
}

#[test]
fn a_client_that_leaves_has_its_state_saved() {
    let folder = Folder::new("state-left");
    let mut program = keeping_edu(&folder);
    set_liveness(&attach(&folder.socket()), 7);
    // The next one is served when that is done.
    assert_eq!(liveness(&attach(&folder.socket())), 7);
    program.0.kill().unwrap();
    program.ended();
    let _again = keeping_edu(&folder);
    assert_eq!(liveness(&attach(&folder.socket())), 7);
}

#[test]
fn a_program_that_is_killed_while_it_saves_leaves_a_whole_file() {
    let folder = Folder::new("state-killed");
    let mut saved = 0;
    for round in 0..12 {
        let mut program = keeping_edu(&folder);
        let patience = Duration::from_millis(5);
        let mut last = liveness(&attach(&folder.socket()));
        last = if last == u32::MAX { 0 } else { last };
        assert!(last >= saved, "{last} was saved after {saved}");
        saved = last;
        let pid = Pid::from_raw(program.0.id().cast_signed());
        let killer = thread::spawn(move || {
            thread::sleep(Duration::from_micros(700 * round));
            kill(pid, Signal::SIGKILL).unwrap();
        });
        let options = client::AttachOptions { patience, ..client::AttachOptions::default() };
        while let Ok(client) = Client::attach_with(folder.socket(), options) {
            // Each device that is served has loaded the value that the one before has saved.
            match client.region(RegionIndex::Bar0).read::<u32>(LIVENESS) {
                Ok(value) if value != 0 => saved = !value,
                _ => {}
            }
            last += 1;
            if client.region(RegionIndex::Bar0).write(LIVENESS, last).is_err() {
                break;
            }
        }
        killer.join().unwrap();
        program.ended();
    }
    let mut program = keeping_edu(&folder);
    assert!(liveness(&attach(&folder.socket())) >= saved);
    program.terminate();
    assert!(program.ended().success());
}

/// What a program says that does not start.
fn refusal(program: &str, folder: &Folder) -> String {
    let path = format!("--socket-path={}", folder.socket().display());
    let state = format!("--state={}", folder.state().display());
    let output = Command::new(program).args([path, state]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn state_that_is_of_no_use_is_reported_and_left_alone() {
    let folder = Folder::new("state-refused");
    let mut program = keeping_edu(&folder);
    set_liveness(&attach(&folder.socket()), 7);
    program.terminate();
    assert!(program.ended().success());
    let stream = fs::read(folder.state()).unwrap();
    let error = refusal(TRIVIAL, &folder);
    assert!(error.contains("the state is of device `edu` (1234:11e8)"), "{error}");
    assert_eq!(fs::read(folder.state()).unwrap(), stream);
    for (damaged, why) in [
        (stream[..stream.len() / 2].to_vec(), "the stream ends early"),
        ([&stream[..], b"more"].concat(), "something follows the end of the stream"),
        (Vec::new(), "the stream ends early"),
        (vec![0; 4096], "this is no stream of device state"),
    ] {
        fs::write(folder.state(), &damaged).unwrap();
        let error = refusal(EDU, &folder);
        assert!(error.contains(why), "{error}");
        assert!(error.contains(&folder.state().display().to_string()), "{error}");
        assert_eq!(fs::read(folder.state()).unwrap(), damaged);
    }
}

#[test]
fn a_file_that_cannot_be_written_is_reported_at_the_start() {
    let folder = Folder::new("state-nowhere");
    let path = format!("--socket-path={}", folder.socket().display());
    let output = Command::new(EDU).args([&path, "--state=/nowhere/state"]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("state file /nowhere/state cannot be used"), "{error}");
}
