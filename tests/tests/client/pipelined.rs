//! Requests of our own client that are awaited later.

use std::thread;
use std::time::Duration;

use vfio_user::client::{Client, ClientLimits, Pending};
use vfio_user::protocol::RegionIndex;
use vfio_user::{ArgumentError, Error, ReplyError};
use vfio_user_tests::raw::{Answer, RawClient};
use vfio_user_tests::scripted::{
    answer, attach, attached, options, refuse, reply, server, welcome,
};
use vfio_user_tests::serve::{Running, zoo_at_path};
use vfio_user_tests::wire::{self, command, errno, flag};
use vfio_user_tests::zoo::reg;

use RegionIndex::Bar0;

/// Answers a read with its own offset, as often as it takes.
fn echo(server: &RawClient, request: &Answer) {
    let count = wire::u32_at(&request.payload, 12) as usize;
    let data: Vec<u8> = request.payload[..4].iter().copied().cycle().take(count).collect();
    reply(server, request, &[&request.payload[..], &data].concat());
}

fn start_reads(client: &Client, offsets: std::ops::Range<u32>) -> Vec<(u32, Pending<'_, u32>)> {
    let bar = client.region(Bar0);
    offsets.map(|offset| (offset, bar.start_read(offset.into()).unwrap())).collect()
}

#[test]
fn answers_are_awaited_in_any_order() {
    let (client, server) = attached(|server| {
        for turn in [0, 7, 40] {
            let mut requests: Vec<_> = (0..64).map(|_| server.receive()).collect();
            requests.rotate_left(turn);
            requests.iter().rev().for_each(|request| echo(&server, request));
        }
    });
    for turn in [0, 1, 50] {
        let mut reads = start_reads(&client, 0..64);
        reads.rotate_left(turn);
        for (offset, read) in reads {
            assert_eq!(read.wait().unwrap(), offset);
        }
    }
    server.join().unwrap();
}

#[test]
fn no_more_requests_are_sent_than_may_be_without_an_answer() {
    let (client, server) = attached(|server| {
        let requests: Vec<_> =
            (0..ClientLimits::default().pending).map(|_| server.receive()).collect();
        assert!(!server.has_message(Duration::from_millis(100)));
        for request in &requests {
            echo(&server, request);
        }
        echo(&server, &server.receive());
        // Two reads of 64 KiB fill the window as well.
        let [one, two] = [server.receive(), server.receive()];
        assert!(!server.has_message(Duration::from_millis(100)));
        echo(&server, &two);
        let three = server.receive();
        echo(&server, &three);
        echo(&server, &one);
    });
    let reads = start_reads(&client, 0..65);
    for (offset, read) in reads {
        assert_eq!(read.wait().unwrap(), offset);
    }
    let bar = client.region(Bar0);
    let large = [4, 5, 6].map(|offset| bar.start_read_bytes(offset, 0x1_0000).unwrap());
    for (offset, read) in [4, 5, 6].into_iter().zip(large) {
        assert_eq!(read.wait().unwrap(), [offset, 0, 0, 0].repeat(0x4000));
    }
    for len in [0x1_0001, usize::MAX] {
        let refused = bar.start_read_bytes(0, len);
        assert!(matches!(refused, Err(Error::Argument(ArgumentError::TooLong { .. }))));
    }
    assert!(matches!(bar.start_write_bytes(0, &vec![0; 0x8000]), Err(Error::Argument(_))));
    assert!(matches!(bar.start_read::<u64>(u64::MAX), Err(Error::Argument(_))));
    server.join().unwrap();
}

#[test]
fn a_request_that_is_given_up_keeps_its_id_until_it_is_answered() {
    let (client, server) = attached(|server| {
        let given_up = server.receive();
        for _ in 0..=u16::MAX {
            assert_ne!(server.receive().id, given_up.id);
        }
        let last = server.receive();
        echo(&server, &given_up);
        echo(&server, &last);
        let ids: Vec<_> = (0..=u16::MAX).map(|_| server.receive().id).collect();
        assert!(ids.contains(&given_up.id));
    });
    let bar = client.region(Bar0);
    drop(bar.start_read::<u32>(4).unwrap());
    let post_all = || (0..=u16::MAX).for_each(|_| bar.post(0, 0_u8).unwrap());
    post_all();
    assert_eq!(bar.read::<u32>(8).unwrap(), 8);
    post_all();
    server.join().unwrap();
}

#[test]
fn an_answer_that_has_arrived_is_dropped_with_its_request() {
    let (client, server) = attached(|server| {
        for _ in 0..3 * ClientLimits::default().pending {
            echo(&server, &server.receive());
        }
        echo(&server, &server.receive());
    });
    for _ in 0..3 {
        let mut reads = start_reads(&client, 0..64);
        let (offset, last) = reads.pop().unwrap();
        assert_eq!(last.wait().unwrap(), offset);
    }
    assert_eq!(client.region(Bar0).read::<u32>(12).unwrap(), 12);
    server.join().unwrap();
}

#[test]
fn a_server_that_does_not_answer_is_not_waited_for() {
    let (stream, server) = server(|server| {
        welcome(&server);
        let requests: Vec<_> =
            (0..ClientLimits::default().pending).map(|_| server.receive()).collect();
        // The client asks for more once it has given these up.
        let last = server.receive();
        for request in &requests {
            echo(&server, request);
        }
        reply(&server, &last, &[]);
        echo(&server, &server.receive());
    });
    let client = Client::from_stream(stream, options(Duration::from_secs(1))).unwrap();
    let mut reads = start_reads(&client, 0..64);
    let (_, late) = reads.pop().unwrap();
    assert!(matches!(late.wait(), Err(Error::Timeout(_))));
    assert!(matches!(client.region(Bar0).start_read::<u32>(0), Err(Error::Timeout(_))));
    client.reset().unwrap();
    for (offset, read) in reads {
        assert_eq!(read.wait().unwrap(), offset);
    }
    assert_eq!(client.region(Bar0).start_read::<u32>(4).unwrap().wait().unwrap(), 4);
    server.join().unwrap();
}

#[test]
fn wrong_answers_are_errors_of_their_requests_alone() {
    let (client, server) = attached(|server| {
        let requests: Vec<_> = (0..6).map(|_| server.receive()).collect();
        reply(&server, &requests[0], &requests[0].payload);
        reply(&server, &requests[1], &[requests[1].payload.clone(), vec![0; 5]].concat());
        reply(&server, &requests[2], &[0; 15]);
        server.send(&wire::message(requests[3].id, command::RESET, flag::REPLY, &[]), &[]);
        refuse(&server, &requests[4], errno::EIO);
        // An answer without a request.
        server.send(&wire::message(0x7777, command::REGION_READ, flag::REPLY, &[0; 20]), &[]);
        echo(&server, &requests[5]);
    });
    let mut results = start_reads(&client, 0..6).into_iter().map(|(_, read)| read.wait());
    let mut problem = || match results.next().unwrap() {
        Err(Error::Malformed { problem, .. }) => problem,
        other => panic!("{other:?}"),
    };
    assert_eq!(problem(), ReplyError::Length { got: 0, expected: 4 });
    assert_eq!(problem(), ReplyError::Length { got: 5, expected: 4 });
    assert_eq!(problem(), ReplyError::TooShort { got: 15, least: 16 });
    assert_eq!(problem(), ReplyError::Command(command::RESET));
    assert!(matches!(results.next(), Some(Err(Error::Refused { .. }))));
    assert_eq!(results.next().unwrap().unwrap(), 5);
    server.join().unwrap();
}

#[test]
fn the_end_of_the_server_ends_all_that_is_in_flight() {
    let (client, server) = attached(|server| {
        let requests: Vec<_> = (0..8).map(|_| server.receive()).collect();
        echo(&server, &requests[6]);
    });
    let mut reads = start_reads(&client, 0..8);
    server.join().unwrap();
    let (offset, answered) = reads.remove(6);
    thread::scope(|scope| {
        for (_, read) in reads {
            scope.spawn(|| assert!(matches!(read.wait(), Err(Error::Disconnected))));
        }
    });
    assert_eq!(answered.wait().unwrap(), offset);
    let after = client.region(Bar0).start_write(0, 1_u32);
    assert!(matches!(after, Err(Error::Disconnected)), "{after:?}");
}

#[test]
fn several_writes_in_one_message_are_awaited_later() {
    let (stream, server) = server(|server| {
        let agreed = r#"{"capabilities":{"write_multiple":true}}"#;
        answer(&server, &wire::version(0, agreed));
        answer(&server, &wire::words(&[16, 3, 9, 5]));
        let requests = [server.receive(), server.receive()];
        reply(&server, &requests[1], &3_u64.to_le_bytes());
        reply(&server, &requests[0], &1_u64.to_le_bytes());
    });
    let client = attach(stream).unwrap();
    let entry = client.region(Bar0).entry(0, 1_u32);
    let writes = [(); 2].map(|()| client.start_write_multi(&[entry; 2]).unwrap());
    let [one, two] = writes.map(Pending::wait);
    assert_eq!(one.unwrap(), 1);
    let problem = ReplyError::Writes { done: 3, sent: 2 };
    assert!(matches!(two, Err(Error::Malformed { problem: p, .. }) if p == problem));
    assert!(matches!(client.start_write_multi(&vec![entry; 5000]), Err(Error::Argument(_))));
    server.join().unwrap();
    let (client, server) = attached(|server| server.expect_closed());
    let refused = client.start_write_multi(&[entry]).err();
    assert!(matches!(refused, Some(Error::Argument(ArgumentError::NoWriteMultiple))));
    drop(client);
    server.join().unwrap();
}

fn zoo() -> (Running, Client) {
    let (running, _) = zoo_at_path();
    let client = Client::attach(running.path()).unwrap();
    (running, client)
}

#[test]
fn our_server_performs_pipelined_requests_in_order() {
    let (_running, client) = zoo();
    client.region(RegionIndex::Config).write(4, 7_u16).unwrap();
    let bar = client.region(Bar0);
    let started: Vec<_> = (0..500_u32)
        .map(|number| {
            let write = bar.start_write(reg::SCRATCH, number).unwrap();
            (number, write, bar.start_read::<u32>(reg::SCRATCH).unwrap())
        })
        .collect();
    for (number, write, read) in started.into_iter().rev() {
        assert_eq!(read.wait().unwrap(), number);
        write.wait().unwrap();
    }
}
