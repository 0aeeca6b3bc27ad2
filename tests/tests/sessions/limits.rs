//! What happens at the limits of a device, when a program sets them.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use vfio_user::{Cx, Device, DmaError, Limits, PciDevice, PostError, Remote, Server, SessionDma};
use vfio_user::{DmaGuard, Virtual};
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve::Running;
use vfio_user_tests::wire::{dma, errno};
use vfio_user_tests::{PATIENCE, files};

const PAGE: u64 = 0x1000;
const HOLD: u64 = 0;
const FETCH: u64 = 4;

/// A device that holds memory, or fetches it, and lends out its handles.
#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f8)]
#[bar(0: mem32, size = 0x2000)]
struct Lender {
    #[reg(HOLD, wo, write_with = Self::hold)]
    hold: Virtual<u32>,
    #[reg(FETCH, wo, write_with = Self::fetch)]
    fetch: Virtual<u32>,
    #[migrate(skip)]
    held: Option<DmaGuard>,
    #[migrate(skip)]
    lent: std::sync::mpsc::Sender<(SessionDma, Remote<Fetched>)>,
    #[migrate(skip)]
    fetched: std::sync::mpsc::Sender<bool>,
}

/// Whether a fetch has failed because there were too many.
type Fetched = bool;

impl Device for Lender {
    type Event = Fetched;

    fn start(&mut self, cx: &mut Cx<'_, Self>) -> vfio_user::Result<()> {
        let _ = self.lent.send((cx.dma().for_session(), cx.remote()));
        Ok(())
    }

    fn event(&mut self, _: &mut Cx<'_, Self>, is_too_much: Fetched) {
        let _ = self.fetched.send(is_too_much);
    }
}

impl Lender {
    fn hold(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        self.held = cx.dma().map(0, 8).ok();
    }

    #[expect(clippy::unused_self, reason = "a hook")]
    fn fetch(&mut self, cx: &mut Cx<'_, Self>, count: u32) {
        for _ in 0..count {
            cx.fetch(0, 8, |bytes| matches!(bytes, Err(DmaError::TooMuch { .. })));
        }
    }
}

/// A device with changed limits, and what it has lent.
struct Limited {
    client: RawClient,
    dma: SessionDma,
    remote: Remote<Fetched>,
    fetched: Receiver<Fetched>,
    _running: Running,
}

impl Limited {
    fn new(change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits::default();
        change(&mut limits);
        let (ours, theirs) = UnixStream::pair().unwrap();
        let server = Server::from_stream(theirs).unwrap().limits(limits);
        let ((lent, lends), (fetched, results)) = (channel(), channel());
        let factory = move || Lender {
            hold: Virtual::default(),
            fetch: Virtual::default(),
            held: None,
            lent: lent.clone(),
            fetched: fetched.clone(),
        };
        let running = Running::start(server, |server| server.serve(factory));
        let (dma, remote) = lends.recv_timeout(PATIENCE).expect("the device starts");
        Limited { client: RawClient::new(ours), dma, remote, fetched: results, _running: running }
    }

    fn map(&mut self, flags: u32, page: u64, pages: u64) -> Option<u32> {
        let file = files::memory(pages * PAGE);
        let file = Some(file.as_fd());
        self.client.dma_map(dma::BOTH | flags, 0, page * PAGE, pages * PAGE, file).errno()
    }
}

#[test]
fn the_client_learns_them() {
    let mut limited = Limited::new(|limits| {
        limits.message_data = 8192;
        limits.dma_maps = 2;
    });
    let version = String::from_utf8_lossy(&limited.client.negotiate()).into_owned();
    assert!(version.contains(r#""max_data_xfer_size":8192"#), "{version}");
    assert!(version.contains(r#""max_dma_maps":2"#), "{version}");
}

#[test]
fn an_access_with_more_data_is_refused() {
    let mut limited = Limited::new(|limits| limits.message_data = 4096);
    let client = &mut limited.client;
    client.negotiate();
    assert_eq!(client.read(0, 0, 4096).len(), 4096);
    assert_eq!(client.try_read(0, 0, 4097), Err(errno::EINVAL));
    assert_eq!(client.try_write(0, 0, &[0; 4097]), Err(errno::EINVAL));
    assert_eq!(client.try_write(0, 0, &vec![0; 70_000]), Err(errno::E2BIG), "it is skipped");
    client.sync();
}

#[test]
fn limits_beyond_the_protocol_are_those_of_the_protocol() {
    let mut limited = Limited::new(|limits| {
        limits.message_data = usize::MAX;
        limits.dma_maps = usize::MAX;
        limits.negotiation = Duration::MAX;
        limits.answer = Duration::MAX;
        limits.release = Duration::MAX;
    });
    let version = String::from_utf8_lossy(&limited.client.negotiate()).into_owned();
    assert!(version.contains(r#""max_data_xfer_size":1048576"#), "{version}");
    assert!(version.contains(r#""max_dma_maps":65535"#), "{version}");
    limited.client.sync();
}

#[test]
fn one_more_region_is_refused_until_another_goes() {
    let mut limited = Limited::new(|limits| limits.dma_maps = 2);
    limited.client.negotiate();
    assert_eq!(limited.map(0, 0, 1), None);
    assert_eq!(limited.map(0, 2, 1), None);
    assert_eq!(limited.map(0, 4, 1), Some(errno::ENOSPC));
    assert_eq!(limited.client.dma_unmap(0, 0, PAGE), Ok(()));
    assert_eq!(limited.map(0, 4, 1), None);
}

#[test]
fn what_would_exceed_the_mapped_bytes_is_read_and_written() {
    let mut limited = Limited::new(|limits| limits.mapped_bytes = 2 * PAGE);
    limited.client.negotiate();
    assert_eq!(limited.map(dma::MMAP, 0, 2), None);
    assert_eq!(limited.map(dma::MMAP, 4, 1), Some(errno::ENOMEM));
    assert_eq!(limited.map(0, 4, 1), None);
    let dma = limited.dma;
    thread::spawn(move || dma.write(4 * PAGE, &[7])).join().unwrap().expect("by file I/O");
}

#[test]
fn fetches_beyond_it_fail() {
    let mut limited = Limited::new(|limits| limits.fetches = 3);
    limited.client.negotiate();
    assert_eq!(limited.map(0, 0, 1), None);
    limited.client.write(0, FETCH, &5u32.to_le_bytes());
    let failed = (0..5).map(|_| limited.fetched.recv_timeout(PATIENCE).expect("an event"));
    assert_eq!(failed.filter(|is_too_much| *is_too_much).count(), 2);
}

#[test]
fn a_fetch_of_more_bytes_than_may_be_under_way_fails() {
    let mut limited = Limited::new(|limits| limits.queued_bytes = 4);
    limited.client.negotiate();
    assert_eq!(limited.map(0, 0, 1), None);
    limited.client.write(0, FETCH, &1u32.to_le_bytes());
    assert!(limited.fetched.recv_timeout(PATIENCE).expect("an event"));
}

#[test]
fn events_beyond_it_are_given_back() {
    let mut limited = Limited::new(|limits| limits.events = 0);
    // From when it is served, which is after its start.
    limited.client.negotiate();
    let refused = limited.remote.post(false);
    assert!(matches!(refused, Err(PostError::Full(false))), "{refused:?}");
}

#[test]
fn a_client_that_does_not_answer_in_time_is_not_waited_for() {
    let mut limited = Limited::new(|limits| limits.answer = Duration::from_millis(20));
    limited.client.negotiate();
    limited.client.dma_map(dma::BOTH, 0, 0, PAGE, None).ok();
    let dma = limited.dma;
    let read = thread::spawn(move || dma.read(0, &mut [0; 8])).join().unwrap();
    assert!(matches!(read, Err(DmaError::Unanswered { .. })), "{read:?}");
}

#[test]
fn a_device_that_does_not_release_memory_in_time_is_not_waited_for() {
    let mut limited = Limited::new(|limits| limits.release = Duration::ZERO);
    limited.client.negotiate();
    assert_eq!(limited.map(0, 0, 1), None);
    limited.client.write(0, HOLD, &[0; 4]);
    assert_eq!(limited.client.dma_unmap(0, 0, PAGE), Err(errno::EBUSY));
    limited.client.sync();
}
