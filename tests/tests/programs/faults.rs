//! Device programs whose system calls fail, are interrupted, or are the last ones. strace injects
//! the faults.

use std::fs::{self, File};
use std::io::sink;
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use nix::libc;
use vfio_user::Error;
use vfio_user::client::{Client, DmaMapping};
use vfio_user::protocol::{DmaMapFlags, MigrationState, RegionIndex};
use vfio_user_tests::files;

use super::program::{ESCAPE, EVERYTHING, Program, copy_both_ways};

/// The register of `escape` that the tests change from `OLD` to `NEW`.
const KEPT: u64 = 8;
const OLD: u32 = 1;
const NEW: u32 = 2;

/// What a client does before it leaves.
type Visit = fn(&Client) -> vfio_user::Result<()>;

fn set(client: &Client, value: u32) -> vfio_user::Result<()> {
    client.region(RegionIndex::Bar0).write(KEPT, value)
}

fn change(client: &Client) -> vfio_user::Result<()> {
    set(client, NEW)
}

fn change_and_move(client: &Client) -> vfio_user::Result<()> {
    set(client, NEW)?;
    client.set_migration_state(MigrationState::StopCopy)?;
    client.save(&mut sink())?;
    Ok(())
}

fn is_strace_missing() -> bool {
    let Err(error) = Command::new("strace").arg("--version").output() else { return false };
    assert!(std::env::var_os("CI").is_none(), "strace: {error}");
    eprintln!("\n*** SKIPPED: strace cannot be run ({error}) ***\n");
    true
}

/// Serves one client a device whose state is in a folder.
fn serve<T>(
    command: Command,
    folder: &Path,
    visit: impl FnOnce(&Client) -> vfio_user::Result<T>,
) -> (vfio_user::Result<T>, ExitStatus, String) {
    let state = format!("--state={}", folder.join("state").display());
    let program = Program::start(command, folder, &["--once".to_owned(), state]);
    let result = program.attach().and_then(|client| visit(&client));
    let (status, said) = program.ended();
    (result, status, said)
}

/// Returns the value in a state, which a later run has to accept.
fn load(state: &Path) -> u32 {
    let dir = tempfile::tempdir().unwrap();
    fs::copy(state, dir.path().join("state")).unwrap();
    let read = |client: &Client| client.region(RegionIndex::Bar0).read(KEPT);
    let (value, status, said) = serve(Command::new(ESCAPE), dir.path(), read);
    assert!(status.success(), "{said}");
    value.unwrap()
}

/// A run under strace, of a program that has kept `OLD`.
struct Run {
    folder: tempfile::TempDir,
    status: ExitStatus,
    said: String,
    /// The names of the calls that use its files, from the first one that saves.
    calls: Vec<(String, usize)>,
}

impl Run {
    fn new(visit: Visit, fault: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let (result, status, said) = serve(Command::new(ESCAPE), path, |client| set(client, OLD));
        assert!(result.is_ok() && status.success(), "{said}");
        let log = path.join("log");
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o"]).arg(&log).arg("-P").arg(path);
        for name in ["state", "state.new", "state.moved", "state.moved.new"] {
            strace.arg("-P").arg(path.join(name));
        }
        if let Some(fault) = fault {
            strace.args(["-e", &format!("inject={fault}")]);
        }
        strace.arg(ESCAPE);
        // The program may die before it answers.
        let (_, status, said) = serve(strace, path, visit);
        let calls = calls(&fs::read_to_string(&log).unwrap());
        fs::remove_file(log).unwrap();
        let _ = fs::remove_file(path.join("device.sock"));
        Run { folder, status, said, calls }
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Returns the file that holds the state: there is exactly one.
    fn state(&self) -> PathBuf {
        let whole = |name: &&str| self.folder.path().join(name).exists();
        let found: Vec<_> = ["state", "state.moved"].into_iter().filter(whole).collect();
        assert_eq!(found.len(), 1, "{found:?}: {}", self.said);
        self.folder.path().join(found[0])
    }
}

/// Returns each call that saves, with the number of calls of this name up to it.
fn calls(log: &str) -> Vec<(String, usize)> {
    let mut counts = std::collections::HashMap::new();
    let mut calls = Vec::new();
    for line in log.lines() {
        let Some((name, _)) =
            line.split_once(' ').and_then(|(_, call)| call.trim().split_once('('))
        else {
            continue;
        };
        let count: &mut usize = counts.entry(name.to_owned()).or_default();
        *count += 1;
        if !calls.is_empty() || line.contains("O_CREAT") || line.contains("rename(") {
            calls.push((name.to_owned(), *count));
        }
    }
    calls
}

/// Ends the program at each of its steps; afterwards the old state or the new one is there.
#[test]
fn a_crash_between_any_two_steps_of_a_save_leaves_a_whole_state() {
    if is_strace_missing() {
        return;
    }
    for visit in [change as Visit, change_and_move] {
        let steps = Run::new(visit, None).calls;
        assert!(steps.len() >= 10, "{steps:?}");
        let mut values = Vec::new();
        for (call, count) in steps {
            let run = Run::new(visit, Some(&format!("{call}:signal=KILL:when={count}")));
            assert_eq!(run.status.signal(), Some(libc::SIGKILL), "{call} {count}: {}", run.said);
            let value = load(&run.state());
            assert!([OLD, NEW].contains(&value), "{value} after {call} {count}");
            values.push(value);
            // What the crash has left does not disturb the next run.
            let (result, status, said) = serve(Command::new(ESCAPE), run.folder.path(), change);
            assert!(result.is_ok() && status.success(), "{said}");
            for unfinished in ["state.new", "state.moved.new"] {
                assert!(!run.names().contains(&unfinished.to_owned()), "{call} {count}");
            }
        }
        assert!(values.is_sorted() && values[0] == OLD, "{values:?}");
        assert_eq!(values.last(), Some(&NEW));
    }
}

/// The error of a call that a full or broken disk, or a process without descriptors, returns.
fn error_of(call: &str) -> Option<&'static str> {
    Some(match call {
        "openat" => "EMFILE",
        "write" | "rename" => "ENOSPC",
        "fsync" | "read" => "EIO",
        _ => return None,
    })
}

/// A save that fails leaves the old state, and the next one succeeds.
#[test]
fn a_save_that_fails_once_is_made_up_for_by_the_next() {
    if is_strace_missing() {
        return;
    }
    let steps = Run::new(change, None).calls;
    // The state is saved when the client leaves, and when the program ends.
    let first = steps.iter().position(|(call, _)| call == "rename").unwrap();
    let failing = steps[..=first].iter().filter_map(|step| Some((step, error_of(&step.0)?)));
    for ((call, count), errno) in failing {
        let run = Run::new(change, Some(&format!("{call}:error={errno}:when={count}")));
        assert!(run.status.success(), "{call} {count}: {}", run.said);
        assert!(run.said.contains("state"), "it is logged: {}", run.said);
        assert_eq!((load(&run.state()), run.names()), (NEW, vec!["state".to_owned()]), "{call}");
    }
}

#[test]
fn a_save_that_never_succeeds_leaves_the_old_state_alone() {
    if is_strace_missing() {
        return;
    }
    let steps = Run::new(change, None).calls;
    let first = steps.iter().position(|(call, _)| call == "rename").unwrap();
    let mut failing: Vec<_> = steps[..=first]
        .iter()
        .filter_map(|(call, count)| Some(format!("{call}:error={}:when={count}+", error_of(call)?)))
        .collect();
    // A disk that does not keep what it has accepted.
    let write = steps.iter().find(|(call, _)| call == "write").unwrap();
    failing.push(format!("write:retval=1:when={}+", write.1));
    for fault in failing {
        let run = Run::new(change, Some(&fault));
        assert_eq!(run.status.code(), Some(1), "{fault}: {}", run.said);
        assert_eq!((load(&run.state()), run.names()), (OLD, vec!["state".to_owned()]), "{fault}");
    }
}

/// Calls that can wait, so that a signal can interrupt them. Each first, third, fifth of them is;
/// of those that load the program, only later ones.
const INTERRUPTED: [&str; 2] = [
    "inject=accept4,epoll_pwait2,epoll_wait,fallocate,fsync,ftruncate,poll,ppoll,preadv,pwrite64,pwritev,pwritev2,\
     recvfrom,recvmsg,sendmsg,sendto,write,writev:error=EINTR:when=1+2",
    "inject=pread64,read:error=EINTR:when=20+2",
];

#[test]
fn every_call_may_be_interrupted() {
    if is_strace_missing() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = files::memory(0x1000);
    // Two runs: the second one loads what the first has saved.
    for _ in 0..2 {
        let mut strace = Command::new("strace");
        // From its start on, and not while it is loaded, which the C library does not expect.
        strace.args(["-f", "-qq", "-o", "/dev/null"]);
        strace.args(INTERRUPTED.iter().flat_map(|fault| ["-e", fault])).args([EVERYTHING, "-vvv"]);
        let (result, status, said) = serve(strace, dir.path(), |client| {
            let rights = DmaMapFlags::READ | DmaMapFlags::WRITE | DmaMapFlags::FILE_IO;
            let mapping = mapping(&file, 0x1000, rights);
            client.dma_map(mapping)?;
            client.region(RegionIndex::Bar0).write(0x10, mapping.iova)?;
            client.region(RegionIndex::Bar0).write(0x20, 9_u32)?;
            client.dma_unmap_all()
        });
        assert!(result.is_ok() && status.success(), "{result:?} {status}: {said}");
    }
}

fn mapping(file: &File, size: u64, rights: DmaMapFlags) -> DmaMapping<'_> {
    DmaMapping { iova: 1 << 40, size, file: file.as_fd(), offset: 0, rights }
}

/// A process that may not have more than a gibibyte.
#[test]
fn what_does_not_fit_into_the_address_space_is_read_and_written() {
    const SIZE: u64 = 4 << 30;
    let dir = tempfile::tempdir().unwrap();
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -v 1048576; exec \"$0\" \"$@\"", EVERYTHING]);
    let program = Program::start(limited, dir.path(), &[]);
    let client = program.attach().unwrap();
    let file = files::memory(SIZE);
    let rights = DmaMapFlags::READ | DmaMapFlags::WRITE;
    let refused = client.dma_map(mapping(&file, SIZE, rights | DmaMapFlags::MMAP));
    assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    client.dma_map(mapping(&file, SIZE, rights)).unwrap();
    drop(client);
    copy_both_ways(program.attach().unwrap());
    program.end();
}
