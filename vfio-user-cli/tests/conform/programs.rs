//! The example programs have no fault, and none crashes.

use std::thread;

use vfio_user_tests::vm::Program;

use crate::{conform, stdout};

/// Each check starts the program anew.
fn finds_nothing(name: &str, arguments: &[&str]) {
    let path = Program::example_path(name);
    let program = ["--timeout=20", "--", path.to_str().expect("a path of text")];
    let output = conform(&[&program, arguments].concat());
    let text = stdout(&output);
    assert!(output.status.success(), "{name}: {text}{output:?}");
    // `REGION_WRITE_MULTI` is offered only on request.
    assert!(text.ends_with(" 0 failed, 3 skipped\n"), "{name}: {text}");
}

/// Most of a check is waiting, so the programs are checked at the same time.
#[test]
fn nothing_is_found_in_the_example_programs() {
    let programs: [(&str, &[&str]); 4] =
        [("edu", &[]), ("nvme", &[]), ("serial", &[]), ("virtio-blk", &["--memory=1"])];
    thread::scope(|scope| {
        for (name, arguments) in programs {
            scope.spawn(move || finds_nothing(name, arguments));
        }
    });
}
