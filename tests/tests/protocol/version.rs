//! The first message, and what is no first message.

use std::os::fd::AsFd;

use vfio_user_tests::wire::{self, command, errno, flag};
use vfio_user_tests::{files, serve};

const QEMU: &str = r#"{"capabilities": {"pgsizes": 4096, "max_msg_fds": 16, "max_dma_maps": 65535, "max_data_xfer_size": 1048576, "migration": {"max_bitmap_size": 268435456, "pgsize": 4096}, "write_multiple": true}}"#;
const RUST_VMM: &str = r#"{"capabilities":{"max_msg_fds":1,"max_data_xfer_size":1048576,"migration":{"pgsize":4096}}}"#;

/// The reply to a version that is accepted.
#[track_caller]
fn accepted(payload: &[u8]) -> Vec<u8> {
    let (_running, mut client, _kit) = serve::silent_zoo();
    let reply = client.request(command::VERSION, payload, &[]).ok();
    client.sync();
    reply
}

#[track_caller]
fn refused(payload: &[u8]) {
    let (_running, mut client, _kit) = serve::silent_zoo();
    client.request(command::VERSION, payload, &[]).fails_with(errno::EINVAL);
    client.expect_closed();
}

#[test]
fn qemu_gets_a_reply_that_it_understands() {
    let proposal = wire::version(0, QEMU);
    assert_eq!(wire::HEADER + proposal.len(), 214, "as QEMU sends it");
    let reply = accepted(&proposal);
    assert!(wire::HEADER + reply.len() <= 214, "QEMU takes no more than it sent");
    assert_eq!(reply[..4], [0, 0, 0, 0], "version 0.0");
    let (nul, json) = reply[4..].split_last().unwrap();
    assert_eq!(*nul, 0);
    let json = std::str::from_utf8(json).unwrap();
    let keys = [
        r#""max_msg_fds":16"#,
        r#""max_data_xfer_size":1048576"#,
        r#""max_dma_maps":65535"#,
        r#""pgsizes":4096"#,
    ];
    for key in keys {
        assert!(json.contains(key), "{json}");
    }
    assert!(json.starts_with(r#"{"capabilities":{"#), "{json}");
    assert!(!json.contains("write_multiple") && !json.contains("twin_socket"), "{json}");
    assert!(!json.contains('.'), "integers only: {json}");
}

#[test]
fn the_minor_is_no_later_than_either_side_knows() {
    for (asked, agreed) in [(0, 0), (1, 1), (2, 2), (3, 2), (0xffff, 2)] {
        let reply = accepted(&wire::version(asked, "{}"));
        assert_eq!(reply[..4], [0, 0, agreed, 0], "0.{asked}");
    }
}

#[test]
fn rust_vmm_and_spdk_are_understood_and_get_capabilities() {
    for payload in [wire::version(1, RUST_VMM), vec![0, 0, 1, 0]] {
        let reply = accepted(&payload);
        assert_eq!(reply[..4], [0, 0, 1, 0]);
        assert!(reply.len() > 5 && reply.ends_with(b"}}\0"), "capabilities are always sent");
    }
}

#[test]
fn unknown_members_are_ignored() {
    for json in [
        "{}",
        r#"{"capabilities":{}}"#,
        r#"{"other":[1,{}],"capabilities":{"new":{"a":1.5},"max_msg_fds":2}}"#,
        r#" { "capabilities" : { "twin_socket" : { "supported" : true } } } "#,
        r#"{"capabilities":{"max_data_xfer_size":18446744073709551615}}"#,
    ] {
        accepted(&wire::version(0, json));
    }
}

#[test]
fn malformed_proposals_are_refused_and_end_the_connection() {
    for payload in [&b""[..], b"\0", b"\0\0\0", b"\x01\0\0\0", b"\0\x01\0\0", b"\xff\xff\0\0"] {
        refused(payload);
    }
    for json in [
        "",
        "{",
        "}",
        "null",
        "[]",
        "17",
        r#"{"capabilities":[]}"#,
        r#"{"capabilities":null}"#,
        r#"{"capabilities":{"max_msg_fds":8.0}}"#,
        r#"{"capabilities":{"max_msg_fds":-1}}"#,
        r#"{"capabilities":{"max_msg_fds":"8"}}"#,
        r#"{"capabilities":{"max_msg_fds":4294967296}}"#,
        r#"{"capabilities":{"pgsizes":true}}"#,
        r#"{"capabilities":{"migration":4096}}"#,
        r#"{"capabilities":{"twin_socket":true}}"#,
        r#"{"capabilities":{"write_multiple":1}}"#,
        "{}{}",
        "{}x",
        "{}\0",
        "\0{}",
    ] {
        refused(&wire::version(0, json));
    }
    refused(b"\0\0\0\0{}");
    refused(b"\0\0\0\0{\xff}\0");
    refused(b"\0\0\0\0\0\0");
    refused(&wire::version(0, &"[".repeat(10_000)));
    refused(&wire::version(0, &format!(r#"{{"a":{}"#, "[".repeat(100_000))));
}

#[test]
fn a_major_of_another_age_is_refused() {
    for major in [1u16, 2, 0xffff] {
        refused(&[major.to_le_bytes().to_vec(), wire::version(0, QEMU)[2..].to_vec()].concat());
    }
}

#[test]
fn nothing_may_come_before_the_version() {
    for command in (0..=20).filter(|command| *command != command::VERSION) {
        let (_running, mut client, _kit) = serve::silent_zoo();
        client.request(command, &wire::words(&[16, 0, 0, 0]), &[]).fails_with(errno::EINVAL);
        client.expect_closed();
    }
}

#[test]
fn an_oversized_first_message_ends_the_connection() {
    let (_running, client, _kit) = serve::silent_zoo();
    client.send(&wire::header(7, command::VERSION, 2 << 20, 0), &[]);
    client.answer_to(7, command::VERSION).fails_with(errno::EINVAL);
    client.expect_closed();
}

#[test]
fn a_first_message_that_wants_no_reply_gets_none() {
    let (_running, mut client, kit) = serve::silent_zoo();
    client.post(command::GET_INFO, &wire::words(&[16, 0, 0, 0]), &[]);
    client.expect_closed();
    assert!(!kit.journal.take().contains(&vfio_user_tests::journal::Call::Connected));

    let (_running, mut client, _kit) = serve::silent_zoo();
    client.post(command::VERSION, &wire::version(0, "{}"), &[]);
    client.sync();
}

#[test]
fn what_follows_a_refused_version_is_not_done() {
    let (_running, client, kit) = serve::silent_zoo();
    let bad = wire::message(1, command::VERSION, 0, b"\x01\0\0\0");
    let reset = wire::message(2, command::RESET, flag::NO_REPLY, &[]);
    client.send(&[bad, reset].concat(), &[]);
    client.answer_to(1, command::VERSION).fails_with(errno::EINVAL);
    client.expect_closed();
    assert!(!kit.journal.take().contains(&vfio_user_tests::journal::Call::Reset));
}

#[test]
fn a_second_version_is_refused_and_changes_nothing() {
    let (_running, mut client, _kit) = serve::zoo();
    for payload in [wire::version(0, QEMU), vec![], vec![1, 0, 0, 0]] {
        client.request(command::VERSION, &payload, &[]).fails_with(errno::EINVAL);
        client.sync();
    }
}

#[test]
fn a_version_with_descriptors_is_refused_and_they_are_closed() {
    let (_running, mut client, _kit) = serve::silent_zoo();
    let (mut reader, writer) = files::new_pipe();
    let answer = client.request(command::VERSION, &wire::version(0, "{}"), &[writer.as_fd()]);
    answer.fails_with(errno::EINVAL);
    drop(writer);
    client.expect_closed();
    files::assert_closed(&mut reader);
}

#[test]
fn requests_may_follow_the_version_without_waiting() {
    let (_running, client, _kit) = serve::silent_zoo();
    let version = wire::message(1, command::VERSION, 0, &wire::version(0, QEMU));
    let info = wire::message(2, command::GET_INFO, 0, &wire::words(&[16, 0, 0, 0]));
    client.send(&[version, info].concat(), &[]);
    assert_eq!(client.answer_to(1, command::VERSION).errno(), None);
    assert_eq!(client.answer_to(2, command::GET_INFO).ok(), wire::words(&[16, 3, 9, 5]));
}
