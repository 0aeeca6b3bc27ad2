//! A device that delays the cleanup after its client.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use vfio_user::function::{
    Admission, BackgroundWork, Function, Interrupts, Migrate, PciFunction, Region, Step,
};
use vfio_user::monitor::{Answer, Monitor, Observer, Question, Reply, Request};
use vfio_user::protocol::{Errno, RegionIndex};
use vfio_user::{Device, Dma, PciDevice, Server};
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve::Running;

use crate::station;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10fb)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[reg(0x00, reset = 7)]
    status: u32,
}

impl Device for Card {
    type Event = ();
}

/// A card that delays its cleanup until the test ends that.
struct Busy {
    card: PciFunction<Card>,
    cleanup: Arc<Cleanup>,
}

#[derive(Default)]
struct Cleanup {
    is_delayed: AtomicBool,
    may_begin: AtomicBool,
}

impl Migrate for Busy {}

impl BackgroundWork for Busy {}

impl Function for Busy {
    fn region(&self, index: RegionIndex) -> Region<'_> {
        self.card.region(index)
    }

    fn read(&mut self, region: RegionIndex, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        self.card.read(region, offset, data)
    }

    fn write(&mut self, region: RegionIndex, offset: u64, data: &[u8]) -> Result<(), Errno> {
        self.card.write(region, offset, data)
    }

    fn admit(&mut self, step: Step<'_>) -> Admission {
        if !matches!(step, Step::Cleanup) || self.cleanup.may_begin.load(Ordering::SeqCst) {
            return Admission::Now;
        }
        self.cleanup.is_delayed.store(true, Ordering::SeqCst);
        Admission::Later
    }

    fn reset(&mut self) {
        self.card.reset();
    }

    fn interrupts(&self) -> &Arc<Interrupts> {
        self.card.interrupts()
    }

    fn dma(&self) -> &Dma {
        self.card.dma()
    }

    fn observe(&mut self) -> Option<Arc<Observer>> {
        self.card.observe()
    }

    fn answer(&mut self, question: &Question) -> Answer {
        self.card.answer(question)
    }
}

#[test]
fn a_monitor_answers_while_the_cleanup_is_delayed() {
    let dir = tempfile::tempdir().unwrap();
    let [path, socket] = ["monitor.sock", "card.sock"].map(|name| dir.path().join(name));
    let server = Server::bind(&socket).unwrap().monitor(Monitor::bind(&path).unwrap());
    let cleanup = Arc::new(Cleanup::default());
    let its_cleanup = Arc::clone(&cleanup);
    let _running = Running::start(server, move |server| {
        server.serve_functions(move || {
            let card = PciFunction::new(Card::default())?;
            let cleanup = Arc::clone(&its_cleanup);
            Ok(Box::new(Busy { card, cleanup }) as Box<dyn Function>)
        })
    });
    let mut client = RawClient::connect(&socket);
    client.negotiate();
    drop(client);
    let mut tool = station::connect(&path);
    let mut look = || {
        let reply = tool.ask(&Request::Register { name: "status".to_owned() }).unwrap();
        assert!(matches!(reply, Reply::Register(status) if status.value == 7));
    };
    // The first answers may come from before the cleanup.
    while !cleanup.is_delayed.load(Ordering::SeqCst) {
        look();
    }
    look();
    // The next question makes the server ask the card again.
    cleanup.may_begin.store(true, Ordering::SeqCst);
    look();
}
