//! `vfu state`, as a process.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use vfio_user::{Bench, Function};
use vfio_user_tests::traveller::{Outside, Traveller, reg};

fn vfu(arguments: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vfu")).arg("state").args(arguments).output().unwrap()
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn edu() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/tests/streams/edu/v1.stream")
}

/// The state of a device that holds these.
fn traveller(scratch: u32, memory: &[(u64, u8)]) -> Vec<u8> {
    let mut bench = Bench::new(Traveller::new(&Outside::new().0)).unwrap();
    bench.write(0, reg::SCRATCH, scratch);
    for (offset, byte) in memory {
        bench.write(2, *offset, *byte);
    }
    bench.hosted_mut().stop();
    bench.save()
}

/// `VFIO_USER_BLESS=1` records what is printed now.
#[test]
fn a_stream_is_printed_by_the_names_in_it() {
    let output = vfu(&[&edu()]);
    assert!(output.status.success());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/edu.txt");
    if env::var_os("VFIO_USER_BLESS").is_some() {
        fs::write(&path, &output.stdout).unwrap();
    }
    assert_eq!(printed(&output), fs::read_to_string(path).unwrap());
}

#[test]
fn memory_is_printed_as_ranges() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state");
    fs::write(&file, traveller(0xcafe, &[(0x1000, 1), (0x2fff, 2), (0x1f_0000, 3)])).unwrap();
    let text = printed(&vfu(&[&file]));
    for line in [
        "device traveller (1af4:10f9)",
        "    scratch = 0xcafe",
        "memory that is not zero\n    BAR 2 0x1000..0x3000\n    BAR 2 0x1f0000..0x1f1000\n",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
}

#[test]
fn differences_are_printed_and_told_by_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
    fs::write(&one, traveller(0xcafe, &[(0x1000, 1)])).unwrap();
    fs::write(&other, traveller(0xbeef, &[(0x1000, 1), (0x5000, 2)])).unwrap();
    let diff = |other: &Path| vfu(&[&one, Path::new("--diff"), other]);
    let same = diff(&one);
    assert_eq!((same.status.code(), printed(&same).as_str()), (Some(0), ""));
    let different = diff(&other);
    assert_eq!(different.status.code(), Some(1));
    let expected = "- registers.scratch = 0xcafe\n+ registers.scratch = 0xbeef\n\
                    ! memory of BAR 2 0x5000..0x6000\n";
    assert_eq!(printed(&different), expected);
    let another = printed(&diff(&edu()));
    for line in
        ["- device = traveller (1af4:10f9)\n+ device = edu (1234:11e8)", "+ registers.source"]
    {
        assert!(another.contains(line), "{line:?} is not in\n{another}");
    }
}

#[test]
fn what_is_no_stream_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state");
    let stream = fs::read(edu()).unwrap();
    let (mut damaged, cut) = (stream.clone(), &stream[..stream.len() - 1]);
    damaged[stream.len() / 2] ^= 1;
    for (bytes, why) in [
        (&b"no stream"[..], "this is no stream of device state"),
        (&damaged, "has been damaged: its checksum does not match"),
        (cut, "the stream ends early"),
        (b"", "the stream ends early"),
    ] {
        fs::write(&file, bytes).unwrap();
        let output = vfu(&[&file]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(why), "{error}");
    }
    assert_eq!(vfu(&[Path::new("/nowhere")]).status.code(), Some(2));
}
