//! The kernel refuses descriptors while a user has too many of them in flight. The limit is one of
//! the process that sends, so this test runs in a process of its own; root has no limit, so that
//! process belongs to another user.

use std::env;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use vfio_user::{Cx, Device, EventFd, PciDevice, Server, Virtual};
use vfio_user_tests::puppet::{self, Puppet};
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve::Running;
use vfio_user_tests::wire::{self, command, errno};

const NAME: &str = "descriptors_that_the_kernel_refuses_wait_and_fail_alone";
const IN_CHILD: &str = "DESCRIPTORS_IN_FLIGHT";
const NOBODY: u32 = 65534;
const LIMIT: u64 = 64;

#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xbe12)]
#[bar(0: mem32, size = 0x1000)]
struct Bells {
    #[reg(0x00, wo, kick = Self::kicked)]
    bells: [Virtual<u32>; 8],
    #[reg(0x100)]
    kicks: u32,
}

impl Bells {
    fn kicked(&mut self, _: &mut Cx<'_, Self>, _: usize) {
        self.kicks += 1;
    }
}

impl Device for Bells {
    type Event = ();
}

#[test]
fn descriptors_that_the_kernel_refuses_wait_and_fail_alone() {
    if env::var_os(IN_CHILD).is_some() {
        return in_a_process_with_a_limit();
    }
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", NAME, "--nocapture"]).env(IN_CHILD, "1").current_dir("/");
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        child.uid(NOBODY).gid(NOBODY);
    }
    match child.status() {
        Ok(status) => assert!(status.success(), "{status}"),
        Err(error) => println!("SKIPPED: another user cannot run this test: {error}"),
    }
}

/// Leaves more descriptors in flight than the limit while the result lives.
fn fill() -> UnixStream {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let eventfd = EventFd::new().unwrap();
    let fds: [BorrowedFd<'_>; 20] = [eventfd.as_fd(); 20];
    let ours = RawClient::new(ours);
    (0..4).for_each(|_| ours.send(&[0], &fds));
    theirs
}

fn in_a_process_with_a_limit() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, LIMIT, hard).unwrap();
    let server = Server::new().unwrap();
    let handle = server.handle();
    let (_, mut client) = puppet::add(&handle, Bells::default);
    let (_, mut other) = puppet::add(&handle, Puppet::factory(|_| {}));
    let _running = Running::start(server, Server::run);
    client.negotiate();
    other.negotiate();
    let io_fds = wire::words(&[16 + 8 * 40, 0, 0, 0]);
    let request = |id| wire::message(id, command::GET_REGION_IO_FDS, 0, &io_fds);

    let in_flight = fill();
    client.send(&request(1), &[]);
    other.sync();
    let read = wire::access(0, 0x100, 4);
    client.send(&wire::message(2, command::REGION_READ, 0, &read), &[]);
    client.answer_to(1, command::GET_REGION_IO_FDS).fails_with(errno::EMFILE);
    client.answer_to(2, command::REGION_READ).ok();
    other.sync();

    client.send(&request(3), &[]);
    other.sync();
    drop(in_flight);
    let answer = client.answer_to(3, command::GET_REGION_IO_FDS);
    assert_eq!(answer.fds.len(), 8);
    answer.ok();
    client.sync();
    other.sync();
}
