//! What handles request while a device is handed over is done, or the hand-over is refused.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use vfio_user::protocol::RegionIndex;
use vfio_user::{Error, Handle, ServedId, Server, Socket, TakeOver};
use vfio_user_tests::raw::RawClient;

use super::peers::Peer;
use super::{Card, Upgrades, serve};

const READY: u16 = 4;
const REFUSED: u16 = 6;

/// Requests something between the two messages before the commit.
fn request_while_it_commits(upgrades: &Upgrades, request: impl FnOnce(&Handle, ServedId)) {
    let mut successor = Peer::successor(upgrades);
    successor.hello(upgrades);
    successor.receive_until(2);
    request(&upgrades.current.handle, upgrades.current.card);
    successor.send(READY, b"null");
    successor.receive_until(REFUSED);
}

#[test]
fn a_client_that_is_disconnected_meanwhile_is_disconnected() {
    let upgrades = Upgrades::start();
    let mut client = RawClient::connect(&upgrades.socket());
    client.negotiate();
    request_while_it_commits(&upgrades, Handle::disconnect);
    client.expect_closed();
    upgrades.end();
}

#[test]
fn a_device_that_is_added_meanwhile_is_served() {
    let upgrades = Upgrades::start();
    let path = upgrades.folder.path().join("second.sock");
    request_while_it_commits(&upgrades, |handle, _| {
        handle.add(Socket::bind(&path).unwrap(), Card::default).unwrap();
    });
    RawClient::connect(&path).negotiate();
    upgrades.end();
}

#[test]
fn a_device_that_is_removed_meanwhile_is_removed() {
    let upgrades = Upgrades::start();
    let mut client = RawClient::connect(&upgrades.socket());
    client.negotiate();
    request_while_it_commits(&upgrades, Handle::remove);
    client.expect_closed();
    upgrades.end();
}

#[test]
fn a_handle_of_a_server_that_was_succeeded_adds_nothing() {
    let mut upgrades = Upgrades::start();
    let (handle, card) = (upgrades.current.handle.clone(), upgrades.current.card);
    let client = upgrades.client();
    upgrades.upgrade();
    let path = upgrades.folder.path().join("second.sock");
    let added = handle.add(Socket::bind(&path).unwrap(), Card::default);
    assert!(matches!(added, Err(Error::Ended)), "{added:?}");
    assert!(!path.exists());
    // The device is gone from that server.
    handle.disconnect(card);
    handle.remove(card);
    handle.shutdown();
    client.region(RegionIndex::Bar0).read::<u32>(0).unwrap();
    upgrades.end();
}

#[test]
fn a_server_in_a_foreign_loop_says_that_another_program_serves() {
    let folder = tempfile::tempdir().unwrap();
    let take_over = TakeOver::at(folder.path().join("upgrade.sock")).unwrap();
    let mut server = Server::new().unwrap();
    let socket = take_over.bind_with_mode(folder.path().join("card.sock"), 0o640).unwrap();
    server.add(socket, Card::default).unwrap();
    server = server.take_over(take_over);
    assert!(server.process().unwrap());
    let successor = serve::<Card>(folder.path());
    while server.process().unwrap() {
        assert!(!server.is_handed_over());
        let mut fds = [PollFd::new(server.poll_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::NONE).unwrap();
    }
    assert!(server.is_handed_over());
    drop(server);
    RawClient::connect(&folder.path().join("card.sock")).negotiate();
    successor.handle.shutdown();
    successor.thread.join().unwrap().unwrap();
}
