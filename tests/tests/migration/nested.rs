//! Blocks in blocks over sockets: a client reaches their registers, and their state moves.

use std::ops::ControlFlow;

use vfio_user::client::{Client, Migration};
use vfio_user::protocol::RegionIndex;
use vfio_user::{Cx, Device, PciDevice, RegisterBlock, Virtual};
use vfio_user_tests::serve::Running;

const BAR0: RegionIndex = RegionIndex::Bar0;

#[derive(Clone, Copy, Default, RegisterBlock)]
#[block(host = ChannelHost, levels = 2)]
struct Channel {
    #[reg(0x00, ro)]
    head: u32,
    #[reg(0x04, wo, write_with = rung)]
    doorbell: Virtual<u32>,
    #[reg(0x08, ro, read_with = rings)]
    rings: Virtual<u32>,
    count: u32,
}

#[derive(Clone, Copy, Default, RegisterBlock)]
struct Ring {
    #[reg(0x00)]
    base: u64,
    #[block(0x10, stride = 0x10)]
    channels: [Channel; 3],
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xe001)]
#[bar(0: mem32, size = 0x1000)]
struct Engine {
    #[block(0x200, stride = 0x80)]
    rings: [Ring; 4],
}

impl Device for Engine {
    type Event = ();
}

impl ChannelHost for Engine {
    fn rung(&mut self, _: &mut Cx<'_, Self>, [ring, channel]: [usize; 2], value: u32) {
        let channel = &mut self.rings[ring].channels[channel];
        channel.head = channel.head.wrapping_add(value);
        channel.count += 1;
    }

    fn rings(&mut self, _: &mut Cx<'_, Self>, [ring, channel]: [usize; 2]) -> u32 {
        self.rings[ring].channels[channel].count
    }
}

/// The start of a channel, and a number of its own.
fn channels() -> impl Iterator<Item = (u64, u32)> {
    (0..4).flat_map(|ring| {
        (0..3).map(move |channel| {
            let at = 0x200 + 0x80 * ring + 0x10 + 0x10 * channel;
            (at, u32::try_from(ring * 3 + channel + 1).unwrap())
        })
    })
}

#[track_caller]
fn assert_rung(client: &Client) {
    let bar = client.region(BAR0);
    for (at, number) in channels() {
        assert_eq!(bar.read::<u32>(at).unwrap(), number * (number + 1), "{at:#x}");
        assert_eq!(bar.read::<u32>(at + 8).unwrap(), number, "{at:#x}");
    }
}

#[test]
fn every_channel_of_every_ring_is_reached_and_moves() {
    let (source, destination) =
        (Running::at_path(Engine::default), Running::at_path(Engine::default));
    let from = Client::attach(source.path()).unwrap();
    let to = Client::attach(destination.path()).unwrap();
    let bar = from.region(BAR0);
    bar.write(0x280, 0x1000_u64).unwrap();
    for (at, number) in channels() {
        (0..number).for_each(|_| bar.write(at + 4, number + 1).unwrap());
    }
    assert_rung(&from);
    Migration::new(&from, &to).run(|_| ControlFlow::Continue(())).unwrap();
    assert_rung(&to);
    assert_eq!(to.region(BAR0).read::<u64>(0x280).unwrap(), 0x1000);
}
