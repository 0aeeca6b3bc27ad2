//! A process that may open no more descriptors. The limit is the whole process's, so this is the
//! only test of its program.

use std::fs;
use std::os::fd::AsFd;
use std::path::PathBuf;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use vfio_user::EventFd;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::wire::{self, command, irq};
use vfio_user_tests::{files, serve};

/// The limit that leaves room for `room` more: it is one of numbers, and they may have gaps.
fn limit_with(room: usize) -> u64 {
    let names = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
    let names: Vec<_> = names.collect();
    // The directory's own is gone by now.
    let taken = names.iter().filter(|name| fs::read_link(name).is_ok());
    let number = |name: &PathBuf| name.file_name()?.to_str()?.parse::<usize>().ok();
    let taken: Vec<usize> = taken.filter_map(number).collect();
    let mut free = (0..).filter(|number| !taken.contains(number));
    free.nth(room).unwrap() as u64
}

#[test]
fn descriptors_that_are_lost_on_the_way_end_the_connection_and_the_others_are_closed() {
    let (running, _kit) = serve::zoo_at_path();
    let mut client = running.client();
    client.sync();
    let eventfd = EventFd::new().unwrap();
    let open = files::count_open();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let set = wire::set_irqs(irq::EVENTFD | irq::TRIGGER, irq::MSIX, 0, 200);
    let message = wire::message(1, command::SET_IRQS, 0, &set);
    for room in [0, 1, 10, 199] {
        setrlimit(Resource::RLIMIT_NOFILE, limit_with(room), hard).unwrap();
        client.send(&message, &[eventfd.as_fd(); 200]);
        client.expect_closed();
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
        assert_eq!(files::count_eventfd(&eventfd), 1, "with room for {room}");
        drop(client);
        client = RawClient::connect(running.path());
        client.negotiate();
        assert_eq!(files::count_open(), open, "with room for {room}");
    }
    setrlimit(Resource::RLIMIT_NOFILE, limit_with(200), hard).unwrap();
    client.assign(irq::MSIX, 0, &[eventfd.as_fd(); 200]);
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    assert_eq!(files::count_eventfd(&eventfd), 201, "with room for all");
}
