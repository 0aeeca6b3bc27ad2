//! What programs print, and options that they refuse.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use crate::program::{DEMO, EDU, TRIVIAL};

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
    let guide = include_str!("../../../docs/guide.md");
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
