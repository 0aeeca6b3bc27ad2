//! How programs end, and sockets that they inherit.

use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};

use vfio_user::client;
use vfio_user::client::Client;
use vfio_user::protocol::RegionIndex;

use crate::program::{Folder, Program, assert_is_trivial, attach};

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
