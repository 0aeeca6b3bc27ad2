//! Devices whose end needs others: threads that they wait for, events that post further ones.

use std::os::fd::AsFd as _;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use vfio_user::{Cx, Device, Error, PciDevice, PostError, Remote, Virtual, Work, WorkCx, Worker};
use vfio_user_tests::serve::{self, Running};
use vfio_user_tests::wire::{dma, errno};
use vfio_user_tests::{PATIENCE, files};

/// An event that posts another one when it is dropped, unless it is handled.
struct Chained(Option<Remote<Chained>>);

impl std::fmt::Debug for Chained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Chained")
    }
}

impl Drop for Chained {
    fn drop(&mut self) {
        if let Some(remote) = self.0.take() {
            let _ = remote.post(Chained(None));
        }
    }
}

/// Waits for its worker when it is dropped; that ends when an event cannot be posted.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f8)]
#[bar(0: mem32, size = 0x1000)]
struct Employer {
    #[reg(0x0, wo, write_with = Self::panic)]
    panic: Virtual<u32>,
    #[reg(0x4, wo, write_with = Self::fill)]
    fill: Virtual<u32>,
    #[reg(0x8)]
    scratch: u32,
    #[migrate(skip)]
    worker: Option<JoinHandle<()>>,
}

impl Device for Employer {
    type Event = Chained;

    fn start(&mut self, cx: &mut Cx<'_, Self>) -> vfio_user::Result<()> {
        let remote = cx.remote();
        self.worker = Some(thread::spawn(move || {
            while !matches!(remote.post(Chained(None)), Err(PostError::Gone(_))) {
                thread::sleep(Duration::from_millis(1));
            }
        }));
        Ok(())
    }

    fn event(&mut self, _: &mut Cx<'_, Self>, mut event: Chained) {
        event.0 = None;
    }
}

#[expect(clippy::unused_self, reason = "hooks are methods")]
impl Employer {
    fn panic(&mut self, _: &mut Cx<'_, Self>, _: u32) {
        panic!("as the test wants");
    }

    /// Posts events that post others when they are dropped, and panics before any is handled.
    fn fill(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        for _ in 0..10 {
            let remote = cx.remote();
            let _ = cx.remote().post(Chained(Some(remote.clone())));
            cx.post(Chained(Some(remote)));
        }
        panic!("as the test wants");
    }
}

impl Drop for Employer {
    fn drop(&mut self) {
        if let Some(worker) = self.worker.take() {
            worker.join().expect("the worker");
        }
    }
}

#[test]
fn a_device_that_waits_for_its_worker_is_made_anew_after_a_panic() {
    let running = Running::at_path(Employer::default);
    for register in [0, 4, 0, 4] {
        let mut client = running.client();
        assert_eq!(client.try_write(0, register, &[1, 0, 0, 0]), Err(errno::EIO));
        client.expect_closed();
    }
    running.client().sync();
}

#[test]
fn a_device_that_waits_for_its_worker_is_dropped_at_the_end() {
    let (running, mut client) = serve::over_pair(Employer::default);
    client.negotiate();
    client.write(0, 8, &[1, 0, 0, 0]);
    drop(client);
    running.join().unwrap();
}

/// Whatever the event is, also one that has no text.
#[test]
fn why_an_event_is_not_posted_is_an_error_of_the_library() {
    struct Mute;
    fn post(error: PostError<Mute>) -> vfio_user::Result<()> {
        Err(error)?
    }
    assert!(matches!(post(PostError::Full(Mute)), Err(Error::MailboxFull)));
    assert!(matches!(post(PostError::Gone(Mute)), Err(Error::DeviceGone)));
}

/// Work whose first turn never ends.
struct Endless(Sender<()>);

impl Work for Endless {
    fn turn(&mut self, _: &WorkCx) -> bool {
        let _ = self.0.send(());
        loop {
            thread::park();
        }
    }
}

#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f8)]
#[bar(0: mem32, size = 0x1000)]
struct Overseer {
    #[reg(0x0, wo, write_with = Self::run)]
    run: Virtual<u32>,
    #[reg(0x4, wo, write_with = Self::panic)]
    panic: Virtual<u32>,
    #[migrate(skip)]
    worker: Worker<Endless>,
}

impl Device for Overseer {
    type Event = ();
}

impl Overseer {
    fn run(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        self.worker.run(cx).expect("a thread");
    }

    #[expect(clippy::unused_self, reason = "a hook")]
    fn panic(&mut self, _: &mut Cx<'_, Self>, _: u32) {
        panic!("as the test wants");
    }
}

/// It keeps its own memory, and neither its device nor the next client.
#[test]
fn a_worker_that_never_ends_is_left_behind() {
    let (begun, begins) = channel();
    let running = Running::at_path(move || Overseer {
        run: Virtual::default(),
        panic: Virtual::default(),
        worker: Worker::new(Endless(begun.clone())),
    });
    for _ in 0..2 {
        let mut client = running.client();
        let memory = files::memory(0x1000);
        client.dma_map(dma::BOTH, 0, 0, 0x1000, Some(memory.as_fd())).ok();
        client.write(0, 0, &[1, 0, 0, 0]);
        begins.recv_timeout(PATIENCE).expect("a turn");
        assert_eq!(client.try_write(0, 4, &[1, 0, 0, 0]), Err(errno::EIO));
        client.expect_closed();
    }
    running.client().sync();
}
