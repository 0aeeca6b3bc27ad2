//! `vfu` on files that say anything: register maps, descriptions, states, logs, recordings.

use std::fs::{self, File};
use std::io::Write as _;
use std::mem;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use arbitrary::Arbitrary;
use nix::unistd::{dup, dup2_stderr, dup2_stdout};
use tempfile::TempDir;
use vfio_user::{Bench, Server, describe};
use vfio_user_tests::language::Language;
use vfio_user_tests::serve::Running;

use crate::active::Active;
use crate::sealed::{self, Edit};
use crate::{recording, stream};

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    /// CMSIS-SVD, IP-XACT or JSON of `SystemRDL`.
    Map(&'a [u8]),
    /// A description, by which a state is printed.
    Description {
        at: u16,
        len: u8,
        by: &'a [u8],
    },
    State {
        edits: Vec<Edit>,
        json: bool,
    },
    Stream(&'a [u8]),
    Log(&'a [u8]),
    Recording(Vec<Edit>),
    Tape(&'a [u8]),
}

/// Files that are right, of which the others are changes.
struct Files {
    dir: TempDir,
    /// Where a device is served, for logs to be played against.
    socket: PathBuf,
    state: Vec<u8>,
    description: Vec<u8>,
    recording: Vec<u8>,
}

fn files() -> &'static Files {
    static FILES: OnceLock<Files> = OnceLock::new();
    FILES.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let mut bench = Bench::new(Language::constructed()).expect("a device");
        let description = describe::json(bench.function().descriptor()).into_bytes();
        let recording = recording::of_active(&dir.path().join("recording"));
        let socket = dir.path().join("socket");
        let server = Server::bind(&socket).expect("a server");
        // It runs as long as the process.
        mem::forget(Running::start(server, |server| server.serve(Active::default)));
        Files { socket, state: bench.save(), description, recording, dir }
    })
}

/// Has `vfu` read a file, whatever comes of it.
pub fn run(input: &[u8]) {
    let Some(input) = super::parse::<Input<'_>>(input) else { return };
    let files = files();
    let path = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = files.dir.path().join(name);
        fs::write(&path, bytes).expect("a file");
        path
    };
    match input {
        Input::Map(map) => vfu(&["import", "--module"], &[&path("map", map)]),
        Input::Description { at, len, by } => {
            let mut description = files.description.clone();
            let start = usize::from(at) % description.len();
            let end = (start + usize::from(len)).min(description.len());
            drop(description.splice(start..end, by.iter().copied()));
            let description = path("description", &description);
            vfu(&["state", "--describe"], &[&description, &path("state", &files.state)]);
        }
        Input::State { edits, json } => {
            let mut frames = stream::frames(&files.state);
            sealed::apply(&mut frames, &edits);
            let state = path("state", &stream::seal(&files.state, &frames));
            vfu(if json { &["state", "--json"] } else { &["state"] }, &[&state]);
            let right = path("right", &files.state);
            vfu(&["state", "--diff"], &[&right, &state]);
        }
        Input::Stream(bytes) => vfu(&["state"], &[&path("state", bytes)]),
        Input::Log(bytes) => {
            vfu(&["replay", "--timeout=0.01"], &[&path("log", bytes), &files.socket]);
        }
        Input::Recording(edits) => {
            let mut frames = recording::frames(&files.recording);
            sealed::apply(&mut frames, &edits);
            replay(&path("tape", &recording::seal(&files.recording, &frames)));
        }
        Input::Tape(bytes) => replay(&path("tape", bytes)),
    }
}

fn replay(path: &Path) {
    // What an error is, is not the question here.
    let _ = Bench::replay(Active::default(), path);
}

/// Runs `vfu`, which prints nothing meanwhile.
fn vfu(words: &[&str], paths: &[&Path]) {
    let words = ["vfu"].iter().chain(words).map(Into::into);
    let arguments: Vec<_> = words.chain(paths.iter().map(|path| path.as_os_str().into())).collect();
    let _silence = Silence::new();
    let _ = vfio_user_cli::run(arguments);
}

/// Discards what is printed, until it is dropped.
struct Silence([OwnedFd; 2]);

impl Silence {
    fn new() -> Self {
        let outputs = [dup(std::io::stdout()), dup(std::io::stderr())].map(|fd| fd.expect("dup"));
        let null = File::options().write(true).open("/dev/null").expect("/dev/null");
        dup2_stdout(&null).expect("dup2");
        dup2_stderr(&null).expect("dup2");
        Silence(outputs)
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // What is buffered is not printed later.
        let _ = std::io::stdout().flush();
        let [stdout, stderr] = &self.0;
        let restored = dup2_stdout(stdout).and_then(|()| dup2_stderr(stderr));
        restored.expect("dup2");
    }
}
