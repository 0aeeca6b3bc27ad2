//! A device that is notified when its client sets up interrupts.

use std::os::fd::AsFd;

use vfio_user::{Cx, Device, EventFd, PciDevice, Virtual};
use vfio_user_tests::irqs::{eventfds, none, taken};
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::wire::irq::{BOOL, EVENTFD, INTX, MASK, MSIX, TRIGGER, UNMASK};
use vfio_user_tests::wire::{self, command, errno};
use vfio_user_tests::{files, serve};

const CHANGES: u64 = 0x00;
const SIGNAL: u64 = 0x04;

/// It signals its eventfds itself.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f8)]
#[bar(0: mem32, size = 0x1000)]
#[irq(intx, msix = 4)]
struct Path {
    #[reg(CHANGES, ro)]
    changes: u32,
    #[reg(SIGNAL, wo, write_with = Self::signal)]
    signal: Virtual<u32>,
    #[migrate(skip)]
    eventfds: Vec<Option<EventFd>>,
}

impl Device for Path {
    type Event = ();

    fn irqs_changed(&mut self, cx: &mut Cx<'_, Self>) {
        self.changes += 1;
        self.eventfds = (0..4).map(|n| cx.irq(n).eventfd().expect("a descriptor")).collect();
    }

    fn disconnected(&mut self, _: &mut Cx<'_, Self>) {
        self.eventfds.clear();
    }
}

impl Path {
    fn signal(&mut self, _: &mut Cx<'_, Self>, number: u32) {
        let eventfd = self.eventfds.get(number as usize).and_then(Option::as_ref);
        eventfd.into_iter().for_each(EventFd::signal);
    }
}

/// How often the device has been notified since the last call.
fn notified(client: &mut RawClient, before: &mut u64) -> u64 {
    let now = client.number(0, CHANGES, 4);
    now - std::mem::replace(before, now)
}

#[test]
fn a_device_has_the_eventfds_that_were_assigned_last() {
    let (_running, mut client) = serve::over_pair(Path::default);
    client.negotiate();
    let mut before = 0;
    let (old, new) = (eventfds(4), eventfds(1));
    client.assign(MSIX, 0, &files::borrow(&old));
    client.assign(MSIX, 2, &[new[0].as_fd()]);
    client.set_irqs(EVENTFD | TRIGGER, MSIX, 3, 1, &[]).ok();
    assert_eq!(notified(&mut client, &mut before), 3);
    (0..4u32).for_each(|number| client.write(0, SIGNAL, &number.to_le_bytes()));
    assert_eq!((taken(&old), taken(&new)), (vec![1, 1, 0, 0], vec![1]));
    none(&mut client, TRIGGER, MSIX, 0, 0);
    assert_eq!(notified(&mut client, &mut before), 1);
    (0..4u32).for_each(|number| client.write(0, SIGNAL, &number.to_le_bytes()));
    assert_eq!((taken(&old), taken(&new)), (vec![0; 4], vec![0]));
}

#[test]
fn masks_of_messages_are_reported_and_neither_those_of_the_line_nor_tests_nor_what_is_refused() {
    let (_running, mut client) = serve::over_pair(Path::default);
    client.negotiate();
    let mut before = 0;
    let line = EventFd::new().unwrap();
    client.assign(INTX, 0, &[line.as_fd()]);
    none(&mut client, MASK, MSIX, 1, 2);
    let payload = [wire::set_irqs(BOOL | UNMASK, MSIX, 1, 2), vec![0, 1]].concat();
    client.request(command::SET_IRQS, &payload, &[]).ok();
    assert_eq!(notified(&mut client, &mut before), 3);
    none(&mut client, MASK, INTX, 0, 1);
    none(&mut client, UNMASK, INTX, 0, 1);
    client.set_irqs(EVENTFD | UNMASK, INTX, 0, 1, &[line.as_fd()]).ok();
    none(&mut client, TRIGGER, INTX, 0, 1);
    client.set_irqs(EVENTFD | TRIGGER, MSIX, 0, 5, &[]).fails_with(errno::EINVAL);
    assert_eq!(notified(&mut client, &mut before), 0);
}
