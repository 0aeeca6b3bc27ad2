//! Our servers have no fault.

use std::path::Path;

use vfio_user::Server;
use vfio_user_tests::serve::{Running, zoo_at_path};

use crate::{Card, conform_at, stdout};

#[track_caller]
fn finds_nothing(socket: &Path, skipped: usize) {
    let output = conform_at(socket, &["--timeout=20"]);
    let text = stdout(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.ends_with(&format!(" 0 failed, {skipped} skipped\n")), "{text}");
}

/// `REGION_WRITE_MULTI` is offered only on request.
const MULTI: usize = 3;

#[test]
fn nothing_is_found_in_a_device_of_registers() {
    finds_nothing(Running::at_path(Card::default).path(), MULTI);
}

#[test]
fn nothing_is_found_in_a_device_that_uses_memory_and_interrupts() {
    let (running, _kit) = zoo_at_path();
    finds_nothing(running.path(), MULTI);
}

#[test]
fn nothing_is_found_where_several_writes_are_taken_in_one_message() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("device.sock");
    let server = Server::bind(&path).unwrap().write_multiple();
    let _running = Running::start(server, |server| server.serve(Card::default));
    finds_nothing(&path, 0);
}
