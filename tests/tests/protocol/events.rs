//! Events of hooks and of other threads, between the requests of a client.

use vfio_user_tests::journal::Call;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve;
use vfio_user_tests::wire::{self, command};
use vfio_user_tests::zoo::reg;

fn set(client: &mut RawClient, register: u64, value: u32) {
    client.write(0, register, &value.to_le_bytes());
}

fn is_event(call: &Call) -> bool {
    matches!(call, Call::Event(_))
}

#[test]
fn a_posted_event_is_handled_before_the_next_request() {
    let (_running, client, kit) = serve::zoo();
    let mut pipelined = Vec::new();
    for number in 0..50u16 {
        let post = wire::write(0, reg::POST, &u32::from(number).to_le_bytes());
        pipelined.extend(wire::message(number, command::REGION_WRITE, 0, &post));
        let events = wire::access(0, reg::EVENTS, 4);
        pipelined.extend(wire::message(number, command::REGION_READ, 0, &events));
    }
    client.send(&pipelined, &[]);
    for number in 0..50 {
        assert_eq!(client.answer_to(number, command::REGION_WRITE).errno(), None);
        let events = client.answer_to(number, command::REGION_READ).ok();
        assert_eq!(wire::u32_at(&events, 16), u32::from(number) + 1);
    }
    let calls = kit.journal.wait_for(50, is_event);
    let numbers: Vec<_> = calls.into_iter().filter(is_event).collect();
    assert_eq!(numbers, (0..50).map(Call::Event).collect::<Vec<_>>(), "in order");
}

#[test]
fn an_event_posted_without_reply_is_handled_as_well() {
    let (_running, mut client, _kit) = serve::zoo();
    for number in 1..=20u32 {
        client.posted_write(0, reg::POST, &number.to_le_bytes());
        assert_eq!(client.number(0, reg::EVENTS, 4), u64::from(number));
    }
}

#[test]
fn events_of_other_threads_arrive_in_order_while_the_client_is_idle() {
    let (_running, mut client, kit) = serve::zoo();
    set(&mut client, reg::WORKER, 500);
    let calls = kit.journal.wait_for(500, is_event);
    let numbers: Vec<_> = calls.into_iter().filter(is_event).collect();
    assert_eq!(numbers, (0..500).map(Call::Event).collect::<Vec<_>>());
    assert_eq!(client.number(0, reg::EVENTS, 4), 500);
}

#[test]
fn events_and_requests_do_not_hold_each_other_up() {
    let (_running, mut client, kit) = serve::zoo();
    for _ in 0..8 {
        set(&mut client, reg::WORKER, 200);
    }
    for value in 0..500 {
        set(&mut client, reg::SCRATCH, value);
        assert_eq!(client.number(0, reg::SCRATCH, 4), u64::from(value));
    }
    kit.journal.wait_for(1600, is_event);
    assert_eq!(client.number(0, reg::EVENTS, 4), 1600);
}

#[test]
fn a_device_is_served_whether_a_remote_lives_or_not() {
    let (_running, mut client, _kit) = serve::zoo();
    for round in 0..20 {
        set(&mut client, reg::KEEP, round % 2);
        for value in 0..10u16 {
            let write = wire::write(0, reg::SCRATCH, &u32::from(value).to_le_bytes());
            let message = wire::message(value, command::REGION_WRITE, 0, &write);
            client.send(&message[..5], &[]);
            client.send(&message[5..], &[]);
            assert_eq!(client.answer_to(value, command::REGION_WRITE).errno(), None);
        }
        client.sync();
    }
}

#[test]
fn an_event_that_posts_itself_for_ever_starves_no_client() {
    let (running, kit) = serve::zoo_at_path();
    let mut client = running.client();
    set(&mut client, reg::CHAIN, 1);
    let first = client.number(0, reg::EVENTS, 4);
    while client.number(0, reg::EVENTS, 4) < first + 3 {}
    set(&mut client, reg::WORKER, 10);
    kit.journal.wait_for(10, is_event);
    drop(client);
    running.client().sync();
}

#[test]
fn events_are_handled_while_no_client_is_there() {
    let (running, kit) = serve::zoo_at_path();
    let mut client = running.client();
    client.posted_write(0, reg::WORKER, &100u32.to_le_bytes());
    client.sync();
    drop(client);
    kit.journal.wait_for(100, is_event);
    assert_eq!(running.client().number(0, reg::EVENTS, 4), 100);
}

#[test]
fn a_panic_in_an_event_ends_the_session() {
    let (running, _kit) = serve::zoo_at_path();
    let mut client = running.client();
    set(&mut client, reg::SCRATCH, 7);
    // The answer to the request that posted it goes first.
    set(&mut client, reg::POST, vfio_user_tests::zoo::PANICS);
    client.expect_closed();
    assert_eq!(running.client().number(0, reg::SCRATCH, 4), 0, "a new device");
}
