//! Blocks in blocks in blocks, with what a block can have at each level.

use std::time::Duration;

use vfio_user::{Cx, Register, RegisterBlock, Timer, Virtual};

use super::Language;

/// A pair of registers for each page of a channel.
#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
pub struct Lane {
    #[reg(0x00, reset = 5)]
    weight: u8,
    #[reg(0x01, w1)]
    fuse: u8,
}

/// What a channel does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
#[register(u16)]
pub struct Flow {
    #[field(bit = 0)]
    paused: bool,
    #[field(bits = 4..=7, w1c, reset = 3)]
    faults: u8,
}

/// One of the channels of a ring.
#[derive(Debug, Default, RegisterBlock)]
#[block(host = ChannelHost, levels = 2)]
pub struct Channel {
    /// Where it stands.
    #[reg(0x00)]
    head: u32,
    #[reg(0x04, wo, write_with = rung)]
    doorbell: Virtual<u32>,
    #[reg(0x08, w1c)]
    #[intr(status, enable = enable, test = test)]
    status: u8,
    #[reg(0x09)]
    enable: u8,
    #[reg(0x0a, wo)]
    test: Virtual<u8>,
    #[reg(0x0b)]
    page: u8,
    #[reg(0x0c, lock = page)]
    limits: [u8; 2],
    #[reg(0x0e)]
    flow: Flow,
    #[block(0x10, select = page)]
    lanes: [Lane; 2],
    moved: u64,
    #[timer(stalled)]
    patience: Timer,
}

/// One of the rings.
#[derive(Debug, Default, RegisterBlock)]
pub struct Ring {
    #[reg(0x00, reset = 0x1000)]
    base: u64,
    /// All of them work at once.
    #[block(0x20, stride = 0x18, vector_stride = 1, reset(soft(super::RESTART) = keep))]
    channels: [Channel; 2],
    #[block(0x10)]
    monitor: Monitor,
    generation: u32,
}

/// Counts what a ring does.
#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
pub struct Monitor {
    #[reg(0x00, wide)]
    count: u64,
    #[reg(0x08, w1t)]
    toggles: [u16; 3],
}

impl Ring {
    /// Clears the private state.
    pub(super) fn forget(&mut self) {
        self.generation = 0;
        self.channels.iter_mut().for_each(|channel| channel.moved = 0);
    }
}

impl ChannelHost for Language {
    fn rung(&mut self, cx: &mut Cx<'_, Self>, [ring, channel]: [usize; 2], value: u32) {
        let ring = &mut self.rings[ring];
        ring.generation += 1;
        let channel = &mut ring.channels[channel];
        channel.moved += u64::from(value);
        channel.patience.arm(cx, Duration::from_secs(1));
    }

    fn stalled(&mut self, _: &mut Cx<'_, Self>, [ring, channel]: [usize; 2]) {
        self.rings[ring].channels[channel].moved = 0;
    }
}
