//! A server takes the devices of another one over, with their clients.

mod handles;
mod peers;
mod waits;

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use vfio_user::client::{AttachOptions, Client};
use vfio_user::protocol::{IrqAction, IrqIndex, RegionIndex};
use vfio_user::{
    Cx, Device, Error, EventFd, Handle, PciDevice, Result, Resumed, ServedId, Server, ServerEnd,
    TakeOver, TakeOverError,
};
use vfio_user_tests::PATIENCE;
use vfio_user_tests::nvme::Memory;
use vfio_user_tests::raw::RawClient;

/// Registers of the card.
const SCRATCH: u64 = 0x00;
const RAISE: u64 = 0x04;
const LEVEL: u64 = 0x08;

const RUNG: u64 = 0x10;
const FILL: u64 = 0x18;
const HOLD: u64 = 0x20;
/// The memory that the card holds.
const HELD: u64 = 1 << 32;
/// Memory that clients map.
const SHARED: u64 = 0x2000;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x7a4e, name = "card")]
#[bar(0: mem32, size = 0x4000, shared(0x2000..0x4000))]
#[irq(intx, msix = 4, bar = 0, table = 0x1000)]
struct Card {
    #[reg(0x00)]
    scratch: u32,
    #[reg(0x04, on_write = Self::raise)]
    raise: u32,
    #[reg(0x08, on_write = Self::set_level)]
    level: u32,
    #[reg(0x0c, wo, kick = Self::ring)]
    bell: u32,
    #[reg(0x10, ro)]
    rung: u32,
    /// Fills a page of the client's memory with ones.
    #[reg(0x18, on_write = Self::fill)]
    fill: u64,
    /// Holds memory for as many milliseconds.
    #[reg(0x20, on_write = Self::hold)]
    hold: u32,
    resumed: u32,
}

impl Device for Card {
    type Event = ();

    fn start(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        // It must not reach what clients see after a take-over.
        cx.shared(0).store(SHARED + 8, 0xbad_u32)?;
        Ok(())
    }

    fn resume(&mut self, _: &mut Cx<'_, Self>, resumed: Resumed) {
        self.resumed += u32::from(resumed == Resumed::Loaded);
    }
}

#[expect(clippy::unused_self, reason = "hooks are methods")]
impl Card {
    fn raise(&mut self, cx: &mut Cx<'_, Self>, _: u32, source: u32) {
        cx.irq(u16::try_from(source).unwrap_or(0)).raise();
    }

    fn set_level(&mut self, cx: &mut Cx<'_, Self>, _: u32, level: u32) {
        cx.irq(0).set(level != 0);
    }

    fn ring(&mut self, _: &mut Cx<'_, Self>) {
        self.rung += 1;
    }

    fn fill(&mut self, cx: &mut Cx<'_, Self>, _: u64, iova: u64) {
        let _ = cx.dma().fill(iova, 4096, 1);
    }

    fn hold(&mut self, cx: &mut Cx<'_, Self>, _: u32, time: u32) {
        let held = cx.dma().map(HELD, 8).unwrap();
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(time.into()));
            drop(held);
        });
    }
}

/// The same card, with another layout.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x7a4e, name = "card")]
#[bar(0: mem32, size = 0x4000, shared(0x2000..0x4000))]
#[irq(intx, msix = 8, bar = 0, table = 0x1000)]
struct OtherCard {}

impl Device for OtherCard {
    type Event = ();
}

/// Another device.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x7a4f, name = "other")]
struct Other {}

impl Device for Other {
    type Event = ();
}

/// Servers of one device, of which each takes over from the one before.
struct Upgrades {
    folder: TempDir,
    current: Running,
}

/// A server on a thread.
struct Running {
    handle: Handle,
    card: ServedId,
    thread: thread::JoinHandle<Result<ServerEnd>>,
}

impl Upgrades {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let current = serve::<Card>(folder.path());
        Upgrades { folder, current }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("card.sock")
    }

    fn upgrade_socket(&self) -> PathBuf {
        self.folder.path().join("upgrade.sock")
    }

    fn client(&self) -> Client {
        let options =
            AttachOptions { timeout: PATIENCE, patience: PATIENCE, ..AttachOptions::default() };
        let client = Client::attach_with(self.socket(), options).unwrap();
        // Memory and bus master.
        client.region(RegionIndex::Config).write(4, 6_u16).unwrap();
        client
    }

    fn upgrade(&mut self) {
        let successor = serve::<Card>(self.folder.path());
        let before = std::mem::replace(&mut self.current, successor);
        let deadline = Instant::now() + PATIENCE;
        while !before.thread.is_finished() {
            assert!(!self.current.thread.is_finished(), "the successor is refused");
            assert!(Instant::now() < deadline, "the devices are not handed over in time");
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(before.thread.join().unwrap().unwrap(), ServerEnd::HandedOver);
    }

    /// Starts a server that cannot take over, and returns why.
    fn fail<D: PciDevice + Default>(&self) -> TakeOverError {
        let error = serve::<D>(self.folder.path()).thread.join().unwrap().unwrap_err();
        let Error::TakeOver(error) = error else { panic!("{error}") };
        *error
    }

    fn end(self) {
        let Upgrades { folder, current } = self;
        current.handle.shutdown();
        assert_eq!(current.thread.join().unwrap().unwrap(), ServerEnd::Finished);
        assert_eq!(folder.path().read_dir().unwrap().count(), 0, "its sockets are removed");
    }
}

fn serve<D: PciDevice + Default>(folder: &Path) -> Running {
    let take_over = TakeOver::at(folder.join("upgrade.sock")).unwrap();
    let server = Server::new().unwrap();
    let socket = take_over.bind(folder.join("card.sock")).unwrap();
    let card = server.add(socket, D::default).unwrap();
    let handle = server.handle();
    let thread = thread::spawn(move || server.take_over(take_over).run());
    Running { handle, card, thread }
}

#[test]
fn a_client_keeps_its_memory_eventfds_and_registers() {
    let mut upgrades = Upgrades::start();
    let client = upgrades.client();
    let bar = client.region(RegionIndex::Bar0);
    let memory = Memory::new(1 << 20).unwrap();
    memory.share(&client).unwrap();
    let eventfds = [(); 2].map(|()| EventFd::new().unwrap());
    client.set_irqs(IrqIndex::Msix, 1, &[Some(&eventfds[0]), Some(&eventfds[1])]).unwrap();
    let bells = client.ioeventfds(RegionIndex::Bar0).unwrap();
    let shared = client.region_details(RegionIndex::Bar0).unwrap().map().unwrap();
    shared.write(SHARED, &7_u32.to_le_bytes()).unwrap();
    shared.write(SHARED + 8, &8_u32.to_le_bytes()).unwrap();
    for round in 1..=3_u32 {
        bar.write(SCRATCH, round).unwrap();
        upgrades.upgrade();
        assert_eq!(bar.read::<u32>(SCRATCH).unwrap(), round);
        // The memory of the BAR is the same.
        assert_eq!(bar.read::<u32>(SHARED + 8).unwrap(), 8);
        bar.write(SHARED, 100 + round).unwrap();
        let mut word = [0; 4];
        shared.read(SHARED, &mut word).unwrap();
        assert_eq!(u32::from_le_bytes(word), 100 + round);
        // So is the guest's.
        let page = memory.allocate(4096);
        bar.write(FILL, page).unwrap();
        let mut bytes = [0; 4096];
        memory.read(page, &mut bytes);
        assert_eq!(bytes, [1; 4096]);
        for (vector, eventfd) in (1_u32..).zip(&eventfds) {
            bar.write(RAISE, vector).unwrap();
            assert_eq!(eventfd.wait(PATIENCE).unwrap(), Some(1));
        }
        // Rung between the two, and after.
        bells[0].eventfd.signal();
        let deadline = Instant::now() + PATIENCE;
        while bar.read::<u32>(RUNG).unwrap() != round {
            assert!(Instant::now() < deadline);
        }
    }

    drop(client);
    upgrades.client();
    upgrades.end();
}

#[test]
fn a_level_is_signalled_once_and_again_when_it_is_unmasked() {
    let mut upgrades = Upgrades::start();
    let client = upgrades.client();
    let bar = client.region(RegionIndex::Bar0);
    let (interrupt, unmask) = (EventFd::new().unwrap(), EventFd::new().unwrap());
    client.set_irqs(IrqIndex::Intx, 0, &[Some(&interrupt)]).unwrap();
    client.unmask_intx_by(&unmask).unwrap();
    bar.write(LEVEL, 1_u32).unwrap();
    assert_eq!(interrupt.wait(PATIENCE).unwrap(), Some(1));
    upgrades.upgrade();
    bar.read::<u32>(LEVEL).unwrap();
    assert_eq!(interrupt.take(), None, "the guest has not acknowledged the first signal");
    unmask.signal();
    assert_eq!(interrupt.wait(PATIENCE).unwrap(), Some(1));
    upgrades.upgrade();
    client.act_on_irqs(IrqIndex::Intx, IrqAction::Unmask, 0..1).unwrap();
    assert_eq!(interrupt.wait(PATIENCE).unwrap(), Some(1));
    bar.write(LEVEL, 0_u32).unwrap();
    client.act_on_irqs(IrqIndex::Intx, IrqAction::Unmask, 0..1).unwrap();
    assert_eq!(interrupt.take(), None);
    upgrades.end();
}

/// Bytes of a message that is not complete, a descriptor that came with it, and a connection that
/// has not negotiated.
#[test]
fn what_has_arrived_is_handled_by_the_successor() {
    let mut upgrades = Upgrades::start();
    let mut client = RawClient::connect(&upgrades.socket());
    client.negotiate();
    let eventfd = EventFd::new().unwrap();
    let mut message = Vec::new();
    message.extend([9_u16.to_le_bytes(), 8_u16.to_le_bytes()].concat());
    message.extend([36_u32, 0, 0].map(u32::to_le_bytes).concat());
    // Trigger MSI-X 0 by an eventfd.
    message.extend([20_u32, 0b10_0100, 2, 0, 1].map(u32::to_le_bytes).concat());
    client.send(&message[..21], &[eventfd.as_fd()]);
    let late = UnixStream::connect(upgrades.socket()).unwrap();
    upgrades.upgrade();
    client.send(&message[21..], &[]);
    client.answer_to(9, 8).ok();
    client.write(0, RAISE, &0_u32.to_le_bytes());
    assert_eq!(eventfd.wait(PATIENCE).unwrap(), Some(1));
    drop(client);
    RawClient::new(late).negotiate();
    upgrades.end();
}

#[test]
fn a_version_that_refuses_the_state_leaves_the_device_where_it_is() {
    let mut upgrades = Upgrades::start();
    let client = upgrades.client();
    let bar = client.region(RegionIndex::Bar0);
    for round in 0..5_u32 {
        bar.write(SCRATCH, round).unwrap();
        let error = upgrades.fail::<OtherCard>();
        assert!(matches!(error, TakeOverError::State { .. }), "{error}");
        assert_eq!(bar.read::<u32>(SCRATCH).unwrap(), round);
        let error = upgrades.fail::<Other>();
        assert!(error.to_string().contains("the devices differ"), "{error}");
        assert_eq!(bar.read::<u32>(SCRATCH).unwrap(), round);
    }
    upgrades.upgrade();
    assert_eq!(bar.read::<u32>(SCRATCH).unwrap(), 4);
    upgrades.end();
}

#[test]
fn several_threads_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let take_over = TakeOver::at(folder.path().join("upgrade.sock")).unwrap();
    let error = Server::new().unwrap().take_over(take_over).run_on(2).unwrap_err();
    let Error::TakeOver(error) = error else { panic!("{error}") };
    assert!(matches!(*error, TakeOverError::SeveralThreads), "{error}");
}
