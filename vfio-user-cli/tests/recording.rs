//! `vfu replay` and `vfu shrink` of recordings, and `vfu conform` of programs. This program is the
//! device program, too: by the name of the link that starts it, with a fault or without.

use std::ffi::OsStr;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use tempfile::TempDir;
use vfio_user::{Cx, Device, PciDevice};
use vfio_user_tests::recording::record;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe, name = "meter")]
#[bar(0: mem32, size = 0x1000)]
struct Meter {
    #[reg(0x00, on_write = Self::add)]
    value: u32,
    #[reg(0x04, ro)]
    sum: u32,
    /// Whether a 7 counts as 8.
    #[migrate(skip)]
    is_bad: bool,
}

impl Device for Meter {
    type Event = ();
}

impl Meter {
    fn add(&mut self, _: &mut Cx<'_, Self>, _old: u32, new: u32) {
        self.sum += new + u32::from(self.is_bad && new == 7);
    }
}

fn main() -> vfio_user::Result<()> {
    let program = env::args_os().next().map(PathBuf::from).unwrap_or_default();
    match program.file_name().and_then(OsStr::to_str) {
        Some("good") => vfio_user::main(Meter::default),
        Some("crashes") => crash_at_a_connection(),
        Some("bad") => vfio_user::main(|| Meter { is_bad: true, ..Meter::default() }),
        _ => {
            a_program_replays_its_recording();
            options_of_logs_are_refused_for_recordings();
            a_recording_shrinks_to_what_shows_the_fault();
            what_cannot_be_shrunk_is_said();
            a_program_is_started_for_each_check();
            a_crash_is_found();
            println!("6 tests passed");
            Ok(())
        }
    }
}

/// Listens at the last argument, `--socket-path=PATH`.
fn crash_at_a_connection() -> ! {
    let option = env::args().next_back().unwrap();
    let path = option.strip_prefix("--socket-path=").unwrap();
    UnixListener::bind(path).unwrap().accept().unwrap();
    panic!("as planned");
}

/// A recording, and links to the device programs.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let files = Files(tempfile::tempdir().unwrap());
        let this = env::current_exe().unwrap();
        symlink(&this, files.path("good")).unwrap();
        symlink(&this, files.path("bad")).unwrap();
        symlink(&this, files.path("crashes")).unwrap();
        record(Meter::default(), &files.path("meter.rec"), |meter| {
            let bar = meter.bar(0).unwrap();
            for value in 1..=20_u32 {
                bar.write(0x00, value).unwrap();
                bar.read::<u32>(0x04).unwrap();
            }
        });
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `vfu` in the folder.
    fn vfu(&self, arguments: &str) -> (Option<i32>, String) {
        let mut vfu = Command::new(env!("CARGO_BIN_EXE_vfu"));
        let arguments = arguments.split(' ').map(|one| match one {
            "good" | "bad" | "crashes" => self.path(one),
            other => PathBuf::from(other),
        });
        let Output { status, stdout, stderr } =
            vfu.current_dir(self.0.path()).args(arguments).output().unwrap();
        let text = [stdout, stderr].concat();
        (status.code(), String::from_utf8(text).unwrap())
    }
}

const DIFFERENCE: &str = "read of meter.sum: the recording has 0x1c, the replay 0x1d";

#[track_caller]
fn assert_ends((code, text): (Option<i32>, String), expected: i32, part: &str) {
    assert!(code == Some(expected) && text.contains(part), "{code:?}: {text}");
}

fn a_program_replays_its_recording() {
    let files = Files::new();
    assert_ends(files.vfu("replay meter.rec -- good"), 0, "replayed without a difference");
    assert_ends(files.vfu("replay meter.rec -- bad"), 1, DIFFERENCE);
    assert_ends(files.vfu("replay meter.rec meter.sock"), 2, "needs the program that made it");
    assert_ends(files.vfu("replay meter.rec -- ./missing"), 2, "./missing: No such file");
}

fn options_of_logs_are_refused_for_recordings() {
    let files = Files::new();
    for option in [
        "--json",
        "--all",
        "--ignore=data",
        "--timed",
        "--connection=1",
        "--timeout=5",
        "--describe=x",
    ] {
        let name = option.split('=').next().unwrap();
        let refused = files.vfu(&format!("replay meter.rec {option} -- good"));
        assert_ends(refused, 2, &format!("meter.rec: {name} is for logs of `vfu proxy`"));
    }
}

fn a_recording_shrinks_to_what_shows_the_fault() {
    let files = Files::new();
    let shrunk = files.vfu("shrink meter.rec -o small.rec --good good -- bad");
    assert_ends(shrunk.clone(), 0, DIFFERENCE);
    // The writes of 1 to 7, and the read of their sum.
    assert_ends(shrunk, 0, "\n8 of ");
    assert_ends(files.vfu("replay small.rec -- bad"), 1, DIFFERENCE);
    assert_ends(files.vfu("replay small.rec -- good"), 0, "replayed without a difference");
    let smaller = |name: &Path| fs::metadata(name).unwrap().len();
    assert!(smaller(&files.path("small.rec")) < smaller(&files.path("meter.rec")));
    let limited = files.vfu("shrink meter.rec -o limited.rec --runs 2 -- bad");
    assert_ends(limited, 0, "after 2 runs; more runs may remove more");
}

fn what_cannot_be_shrunk_is_said() {
    let files = Files::new();
    let same = files.vfu("shrink meter.rec -o small.rec -- good");
    assert_ends(same, 2, "the program replays it without a difference");
    let bad = files.vfu("shrink meter.rec -o small.rec --good bad -- bad");
    assert_ends(bad, 2, "it differs as well");
    fs::write(files.path("text"), "a text, and no recording").unwrap();
    assert_ends(files.vfu("shrink text -o small.rec -- bad"), 2, "text: this is no recording");
    assert_ends(files.vfu("shrink meter.rec -o small.rec -- false"), 2, "it ended with");
    assert!(!files.path("small.rec").exists());
}

fn a_program_is_started_for_each_check() {
    let files = Files::new();
    let conform = files.vfu("conform --only=version-short --only=read --timeout=20 -- good");
    assert_ends(conform, 0, "2 passed, 0 failed");
}

fn a_crash_is_found() {
    let files = Files::new();
    let conform = files.vfu("conform --only=life-silent-client --timeout=20 -- crashes");
    assert_ends(conform, 1, "the server crashes: exit status: 101");
}
