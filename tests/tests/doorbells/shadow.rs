//! Doorbells in libvfio-user's layout: eventfds, and memory for the written values.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use vfio_user::function::{
    BackgroundWork, Function, Interrupts, Migrate, Region, ShadowIoEventFd, ShadowIoEventFds,
};
use vfio_user::protocol::{Errno, RegionIndex};
use vfio_user::{Dma, EventFd};
use vfio_user_tests::files;
use vfio_user_tests::ram::Ram;
use vfio_user_tests::raw::{Answer, RawClient};
use vfio_user_tests::serve::{self, Running};
use vfio_user_tests::wire::{self, command};

/// Memory whose BAR 1 has two doorbells, which share an eventfd.
struct Shadowed {
    ram: Ram,
    bell: EventFd,
    values: File,
}

impl Shadowed {
    fn serve(self, max_msg_fds: u32) -> (Running, RawClient) {
        let (running, mut client) = serve::silent_function(self);
        let json = format!(r#"{{"capabilities":{{"max_msg_fds":{max_msg_fds}}}}}"#);
        client.request(command::VERSION, &wire::version(0, &json), &[]).ok();
        (running, client)
    }
}

impl Migrate for Shadowed {}

impl BackgroundWork for Shadowed {}

impl Function for Shadowed {
    fn region(&self, index: RegionIndex) -> Region<'_> {
        self.ram.region(index)
    }

    fn read(&mut self, _: RegionIndex, _: u64, _: &mut [u8]) -> Result<(), Errno> {
        Ok(())
    }

    fn write(&mut self, _: RegionIndex, _: u64, _: &[u8]) -> Result<(), Errno> {
        Ok(())
    }

    fn shadow_ioeventfds(&self, region: RegionIndex) -> Option<ShadowIoEventFds<'_>> {
        if region != RegionIndex::Bar1 {
            return Some(ShadowIoEventFds::default());
        }
        let plain = ShadowIoEventFd {
            offset: 0x10,
            size: 4,
            flags: 1,
            data_match: 0x1234_5678_9abc,
            fd: Some(0),
            shadow: None,
        };
        let shadowed = ShadowIoEventFd { offset: 0x20, size: 8, shadow: Some((1, 0x108)), ..plain };
        let (entries, fds) = (vec![plain, shadowed], vec![self.bell.as_fd(), self.values.as_fd()]);
        Some(ShadowIoEventFds { entries, fds })
    }

    fn reset(&mut self) {}

    fn interrupts(&self) -> &Arc<Interrupts> {
        self.ram.interrupts()
    }

    fn dma(&self) -> &Dma {
        self.ram.dma()
    }
}

fn ask(client: &mut RawClient, argsz: u32, index: u32) -> Answer {
    client.request(command::GET_REGION_IO_FDS, &wire::words(&[argsz, 0, index, 0]), &[])
}

fn shadowed() -> (Shadowed, EventFd, File) {
    let (bell, values) = (EventFd::new().unwrap(), files::memory(0x1000));
    let ours = (bell.try_clone().unwrap(), values.try_clone().unwrap());
    (Shadowed { ram: Ram::new(), bell, values }, ours.0, ours.1)
}

#[test]
fn each_doorbell_has_48_bytes_and_each_descriptor_comes_once() {
    let (function, bell, values) = shadowed();
    let (_running, mut client) = function.serve(2);
    for argsz in [16, 111] {
        let answer = ask(&mut client, argsz, 1);
        assert!(answer.fds.is_empty(), "argsz {argsz}");
        assert_eq!(answer.ok(), wire::words(&[112, 0, 1, 2]));
    }
    let mut answer = ask(&mut client, 112, 1);
    let fds: Vec<OwnedFd> = std::mem::take(&mut answer.fds);
    let match_ = [0x5678_9abc, 0x1234];
    let expected = [
        &[112, 0, 1, 2][..],
        &[0x10, 0, 4, 0, 0, 0, 1, 0, 0, 0, match_[0], match_[1]],
        &[0x20, 0, 8, 0, 0, 2, 1, 1, 0x108, 0, match_[0], match_[1]],
    ];
    assert_eq!(answer.ok(), wire::words(&expected.concat()));
    let [eventfd, memory] = <[OwnedFd; 2]>::try_from(fds).unwrap();
    EventFd::from_fd(eventfd).unwrap().signal();
    assert_eq!(bell.take(), Some(1));
    File::from(memory).write_all_at(&[1, 2, 3], 0x108).unwrap();
    let mut written = [0; 3];
    values.read_exact_at(&mut written, 0x108).unwrap();
    assert_eq!(written, [1, 2, 3]);
}

#[test]
fn a_client_without_room_for_all_descriptors_gets_no_doorbells() {
    let (function, ..) = shadowed();
    let (_running, mut client) = function.serve(1);
    let answer = ask(&mut client, 4096, 1);
    assert!(answer.fds.is_empty());
    assert_eq!(answer.ok(), wire::words(&[16, 0, 1, 0]));
}

#[test]
fn a_region_may_have_none() {
    let (function, ..) = shadowed();
    let (_running, mut client) = function.serve(8);
    assert_eq!(ask(&mut client, 4096, 2).ok(), wire::words(&[16, 0, 2, 0]));
}
