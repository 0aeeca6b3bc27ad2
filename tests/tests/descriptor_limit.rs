//! A process that may open no more descriptors. The limit is the whole process's, so these tests
//! run one at a time, in a program of their own.

use std::fs;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use vfio_user::{Cx, Device, EventFd, PciDevice, Server, SessionDma, Socket, Virtual};
use vfio_user_tests::journal::Call;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::scripted::reply;
use vfio_user_tests::serve::{self, Running};
use vfio_user_tests::stepped::settle;
use vfio_user_tests::wire::{self, command, dma, errno, irq};
use vfio_user_tests::zoo::{Kit, Zoo, reg};
use vfio_user_tests::{files, puppet};

static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Leaves room for so many descriptors more while it lives.
struct Limit(u64, u64);

impl Limit {
    fn with_room(room: usize) -> Self {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, limit_with(room), hard).unwrap();
        Limit(soft, hard)
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        setrlimit(Resource::RLIMIT_NOFILE, self.0, self.1).unwrap();
    }
}

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
fn descriptors_that_are_lost_on_the_way_fail_their_request_alone() {
    let _alone = alone();
    let (running, _kit) = serve::zoo_at_path();
    let mut client = running.client();
    client.sync();
    let eventfd = EventFd::new().unwrap();
    let open = files::count_open();
    let set = wire::set_irqs(irq::EVENTFD | irq::TRIGGER, irq::MSIX, 0, 200);
    let map = wire::dma_map(dma::BOTH, 0, 0, 0x1000);
    for room in [0, 1, 10, 199] {
        let limit = Limit::with_room(room);
        let answer = client.request(command::SET_IRQS, &set, &[eventfd.as_fd(); 200]);
        answer.fails_with(errno::EMFILE);
        if room == 0 {
            let answer = client.request(command::DMA_MAP, &map, &[eventfd.as_fd()]);
            answer.fails_with(errno::EMFILE);
        }
        client.sync();
        drop(limit);
        assert_eq!(files::count_eventfd(&eventfd), 1, "with room for {room}");
        assert_eq!(files::count_open(), open, "with room for {room}");
    }
    let limit = Limit::with_room(200);
    client.assign(irq::MSIX, 0, &[eventfd.as_fd(); 200]);
    drop(limit);
    assert_eq!(files::count_eventfd(&eventfd), 201, "with room for all");
}

/// Also if a session has more to wait for than before, which takes descriptors.
#[test]
fn sessions_go_on_while_there_is_no_room() {
    let _alone = alone();
    let server = Server::new().unwrap();
    let handle = server.handle();
    let kits = [Kit::default(), Kit::default()];
    let mut clients: Vec<_> =
        kits.iter().map(|kit| puppet::add(&handle, Zoo::factory(kit)).1).collect();
    let _running = Running::start(server, Server::run);
    for client in &mut clients {
        client.negotiate();
    }
    let limit = Limit::with_room(0);
    for (client, kit) in clients.iter_mut().zip(&kits) {
        client.write(0, reg::KEEP, &[1, 0, 0, 0]);
        client.write(0, reg::SCRATCH, &[7, 0, 0, 0]);
        client.write(0, reg::WORKER, &[20, 0, 0, 0]);
        kit.journal.wait_for(20, |call| matches!(call, Call::Event(_)));
    }
    drop(limit);
    for client in &mut clients {
        assert_eq!(client.number(0, reg::SCRATCH, 4), 7);
    }
}

/// A device that lends the client's memory to a thread.
#[derive(PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f8)]
#[bar(0: mem32, size = 0x1000)]
struct Lender {
    #[reg(0, wo, write_with = Self::lend)]
    lend: Virtual<u32>,
    #[migrate(skip)]
    lent: Sender<SessionDma>,
}

impl Device for Lender {
    type Event = ();
}

impl Lender {
    fn lend(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        self.lent.send(cx.dma().for_session()).unwrap();
    }
}

/// The device's thread waits for the requests of others without a descriptor of its own for that.
#[test]
fn a_thread_reaches_memory_by_messages_without_room() {
    let _alone = alone();
    let (lent, memory) = channel();
    let factory = move || Lender { lend: Virtual::default(), lent: lent.clone() };
    let (_running, mut client) = serve::over_pair(factory);
    client.negotiate();
    client.dma_map(dma::BOTH, 0, 0, 0x1000, None).ok();
    client.sync();
    let limit = Limit::with_room(0);
    client.write(0, 0, &[1, 0, 0, 0]);
    let memory = memory.recv().unwrap();
    let reading = thread::spawn(move || {
        let mut data = [0; 5];
        memory.read(0x234, &mut data).map(|()| data)
    });
    let request = client.receive();
    reply(&client, &request, &wire::dma_access(0x234, 5, b"hello"));
    assert_eq!(&reading.join().unwrap().unwrap(), b"hello");
    drop(limit);
}

/// A silent connection is the first that has a deadline there.
#[test]
fn a_foreign_loop_meets_its_first_deadline_without_room() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("device.sock");
    let mut server = Server::new().unwrap();
    let kit = Kit::default();
    server.add(Socket::bind(&path).unwrap(), Zoo::factory(&kit)).unwrap();
    settle(&mut server);
    let silent = RawClient::connect(&path);
    let _spare = silent.stream().try_clone().unwrap();
    let limit = Limit::with_room(1);
    for _ in 0..10 {
        assert!(server.process().unwrap());
    }
    drop(limit);
}

/// One tenant leaves descriptors to the others.
#[test]
fn a_device_keeps_a_quarter_of_the_descriptors_for_mapped_files() {
    let _alone = alone();
    let (running, _kit) = serve::zoo_at_path();
    let mut client = running.client();
    client.sync();
    let _limit = Limit::with_room(400);
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let map = |client: &mut RawClient, iova| {
        let file = files::memory(0x1000);
        client.dma_map(dma::BOTH, 0, iova, 0x1000, Some(file.as_fd()))
    };
    let quarter = soft / 4;
    for page in 0..quarter {
        map(&mut client, page * 0x1000).ok();
    }
    for _ in 0..3 {
        map(&mut client, quarter * 0x1000).fails_with(errno::EMFILE);
        client.sync();
    }
    client.dma_unmap(0, 0, 0x1000).unwrap();
    map(&mut client, quarter * 0x1000).ok();
    map(&mut client, 0).fails_with(errno::EMFILE);
}

/// Several tenants that take all they can get leave descriptors to a quiet one, and to the process.
#[test]
fn devices_together_leave_descriptors_to_other_tenants() {
    let _alone = alone();
    let server = Server::new().unwrap();
    let handle = server.handle();
    let kits = [(); 6].map(|()| Kit::default());
    let mut clients: Vec<_> =
        kits.iter().map(|kit| puppet::add(&handle, Zoo::factory(kit)).1).collect();
    let _running = Running::start(server, Server::run);
    for client in &mut clients {
        client.negotiate();
        client.sync();
    }
    let _limit = Limit::with_room(800);
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let map = |client: &mut RawClient, page: u64| {
        let file = files::memory(0x1000);
        client.dma_map(dma::BOTH, 0, page * 0x1000, 0x1000, Some(file.as_fd())).errno()
    };
    let (quiet, greedy) = clients.split_first_mut().unwrap();
    let mut taken = 0;
    for client in greedy.iter_mut() {
        let mut pages = 0..;
        taken += loop {
            let page = pages.next().unwrap();
            match map(client, page) {
                None => {}
                Some(errno) => {
                    assert_eq!(errno, errno::EMFILE);
                    break page;
                }
            }
        };
    }
    assert!((soft / 4..=soft / 2 + 16 * 5).contains(&taken), "{taken} of {soft}");
    // The quiet one has its memory, its interrupts and its session; so have the others.
    for page in 0..16 {
        assert_eq!(map(quiet, page), None, "page {page}");
    }
    let eventfd = EventFd::new().unwrap();
    quiet.assign(irq::MSIX, 0, &[eventfd.as_fd(); 100]);
    clients.iter_mut().for_each(RawClient::sync);
    // What one returns another may have.
    clients[1].dma_unmap(0, 0, taken * 0x1000).unwrap();
    assert_eq!(map(&mut clients[5], 1 << 20), None);
}
