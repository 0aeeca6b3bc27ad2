//! A device that is silent until the guest has set bus master, and the hook that reports changes of
//! the command register, for a client over a socket.

use std::os::fd::AsFd;

use vfio_user::pci::CommandBits;
use vfio_user::{Cx, Device, PciDevice, ResetKind, Virtual};
use vfio_user_tests::driver::{Driver, PAGE, at, numbers, tagged};
use vfio_user_tests::irqs::{eventfds, taken};
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve;
use vfio_user_tests::wire::region::CONFIG;
use vfio_user_tests::wire::{self, command, dma};

const COPY: u64 = 0x00;
const REFUSED: u64 = 0x04;
const CHANGES: u64 = 0x08;
const SEEN: u64 = 0x0c;

const IOVA: u64 = 0x10_0000;
const VALUE: u64 = 0x5555_5555_5555_5555;
const MEMORY: u16 = 1 << 1;
const MASTER: u16 = 1 << 2;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f9, strict_command)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 2)]
struct Strict {
    #[reg(COPY, wo, write_with = Self::copy)]
    copy: Virtual<u32>,
    #[reg(REFUSED, ro)]
    refused: u32,
    /// How often the command register has changed since the last reset.
    #[reg(CHANGES, ro)]
    changes: u32,
    /// The command register, as the hook has seen it last.
    #[reg(SEEN, ro)]
    seen: u16,
}

impl Device for Strict {
    type Event = ();

    fn command_changed(&mut self, cx: &mut Cx<'_, Self>, _: CommandBits, new: CommandBits) {
        assert_eq!(cx.command(), new);
        self.changes += 1;
        self.seen = new.bits();
    }

    fn reset(&mut self, cx: &mut Cx<'_, Self>, _: ResetKind) {
        self.seen = cx.command().bits();
    }
}

impl Strict {
    /// Stores a value in the guest's memory, and raises an interrupt however that went.
    fn copy(&mut self, cx: &mut Cx<'_, Self>, offset: u32) {
        let stored = cx.dma().write_obj(IOVA + u64::from(offset), &VALUE);
        self.refused += u32::from(stored.is_err());
        cx.irq(0).raise();
    }
}

fn set_command(client: &mut RawClient, bits: u16) {
    client.write(CONFIG, 0x04, &bits.to_le_bytes());
}

fn copy(client: &mut RawClient, offset: u32) {
    client.write(0, COPY, &offset.to_le_bytes());
}

#[test]
fn neither_memory_nor_messages_before_bus_master_and_after_a_reset() {
    let (_running, mut client) = serve::over_pair(Strict::default);
    client.negotiate();
    let file = numbers(PAGE, 7);
    assert_eq!(client.map(dma::BOTH, 0, IOVA, PAGE, &file), None);
    let fds = eventfds(1);
    client.assign(wire::irq::MSIX, 0, &[fds[0].as_fd()]);

    copy(&mut client, 0x10);
    assert_eq!((client.number(0, REFUSED, 4), at(&file, 0x10)), (1, tagged(0x10, 7)));
    assert_eq!(taken(&fds), [0], "the message waits");
    set_command(&mut client, MEMORY);
    assert_eq!(taken(&fds), [0], "for bus master");
    set_command(&mut client, MEMORY | MASTER);
    assert_eq!(taken(&fds), [1]);
    copy(&mut client, 0x18);
    assert_eq!((client.number(0, REFUSED, 4), at(&file, 0x18)), (1, VALUE));
    assert_eq!(taken(&fds), [1]);

    client.request(command::RESET, &[], &[]).ok();
    copy(&mut client, 0x20);
    assert_eq!((client.number(0, REFUSED, 4), at(&file, 0x20)), (1, tagged(0x20, 7)));
    assert_eq!(taken(&fds), [0], "the reset has cleared the bit");
    set_command(&mut client, MEMORY | MASTER);
    copy(&mut client, 0x20);
    assert_eq!((client.number(0, REFUSED, 4), at(&file, 0x20)), (1, VALUE));
}

#[test]
fn a_client_that_never_writes_the_register_finds_it_silent_as_well() {
    let (_running, mut client) = serve::over_pair(Strict::default);
    client.negotiate();
    let file = numbers(PAGE, 7);
    assert_eq!(client.map(dma::BOTH, 0, IOVA, PAGE, &file), None);
    for attempts in 1..4 {
        copy(&mut client, 0);
        assert_eq!((client.number(0, REFUSED, 4), at(&file, 0)), (attempts, tagged(0, 7)));
    }
}

#[test]
fn the_device_sees_each_change_of_the_command_register_once() {
    let (_running, mut client) = serve::over_pair(Strict::default);
    client.negotiate();
    let changes =
        |client: &mut RawClient| (client.number(0, CHANGES, 4), client.number(0, SEEN, 2));
    set_command(&mut client, MEMORY);
    assert_eq!(changes(&mut client), (1, MEMORY.into()));
    set_command(&mut client, MEMORY);
    assert_eq!(changes(&mut client), (1, MEMORY.into()), "nothing has changed");
    client.write(CONFIG, 0x04, &[u8::try_from(MEMORY | MASTER).unwrap()]);
    assert_eq!(changes(&mut client), (2, (MEMORY | MASTER).into()), "one byte of it");
    client.request(command::RESET, &[], &[]).ok();
    assert_eq!(changes(&mut client), (0, 0), "a reset calls `reset` alone");
}
