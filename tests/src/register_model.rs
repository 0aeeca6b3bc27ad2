//! A model of the registers of a [`Zoo`] that knows nothing but bits.

use crate::zoo::Zoo;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Policy {
    Ro,
    Rw,
    Wo,
    W1c,
    W1s,
}
use Policy::{Ro, Rw, W1c, W1s, Wo};

/// A register as declared: offset, bytes, policy, implemented bits, writable bits, value at reset.
type Spec = (u64, u64, Policy, u64, u64, u64);

const ALL: u64 = u64::MAX;

/// The part of BAR 0 without hooks, in bytes.
pub const PLAIN: u64 = 0x98;

fn specs() -> Vec<Spec> {
    let mut specs = vec![
        (0x00, 1, Ro, ALL, ALL, 0xa5),
        (0x02, 2, Ro, ALL, ALL, 0xa55a),
        (0x04, 4, Ro, ALL, ALL, 0xa55a_1234),
        (0x08, 8, Ro, ALL, ALL, 0xa55a_1234_8765_4321),
        (0x10, 1, Rw, ALL, ALL, 0),
        (0x12, 2, Rw, ALL, ALL, 0x0102),
        (0x14, 4, Rw, ALL, ALL, 0),
        (0x18, 8, Rw, ALL, ALL, 0),
        (0x20, 1, Wo, ALL, ALL, 0),
        (0x22, 2, Wo, ALL, ALL, 0),
        (0x24, 4, Wo, ALL, ALL, 0x1111_2222),
        (0x28, 8, Wo, ALL, ALL, 0),
        (0x30, 1, W1c, ALL, ALL, 0xff),
        (0x32, 2, W1c, ALL, ALL, 0xffff),
        (0x34, 4, W1c, ALL, ALL, 0x0101_0101),
        (0x38, 8, W1c, ALL, ALL, ALL),
        (0x40, 1, W1s, ALL, ALL, 0),
        (0x42, 2, W1s, ALL, ALL, 0),
        (0x44, 4, W1s, ALL, ALL, 0x8000_0001),
        (0x48, 8, W1s, ALL, ALL, 0),
        (0x50, 4, Rw, 0x00ff_f00f, 0x00ff_f00f, 0),
        (0x54, 4, Rw, ALL, 0x0000_ffff, 0xabcd_0000),
        (0x58, 2, W1c, 0x0f0f, 0x000f, 0x0f0f),
        (0x90, 4, Rw, ALL, ALL, Zoo::CONSTRUCTED.into()),
        (0x94, 4, Ro, ALL, ALL, 0x7472_6976),
    ];
    specs.extend((0..3).map(|i| (0x60 + 2 * i, 2, Rw, ALL, ALL, 0)));
    specs.extend((0..4).map(|i| (0x70 + 8 * i, 4, Rw, ALL, ALL, 0)));
    specs.extend((0..4).map(|i| (0x74 + 8 * i, 4, W1c, ALL, ALL, 0xffff_0000)));
    specs
}

/// The model, one byte at a time, one bit at a time.
#[derive(Debug)]
pub struct Model {
    bytes: Vec<Option<(Spec, u8)>>,
}

impl Default for Model {
    fn default() -> Self {
        Self::new()
    }
}

impl Model {
    /// Creates the model of a new device.
    #[expect(clippy::cast_possible_truncation, reason = "offsets in a BAR are small")]
    pub fn new() -> Self {
        let mut bytes = vec![None; 0x1000];
        for spec in specs() {
            let (offset, width, .., reset) = spec;
            for at in 0..width {
                let byte = reset.to_le_bytes()[at as usize];
                bytes[(offset + at) as usize] = Some((spec, byte));
            }
        }
        Model { bytes }
    }

    /// Writes bytes.
    #[expect(clippy::cast_possible_truncation, reason = "offsets in a BAR are small")]
    pub fn write(&mut self, offset: u64, data: &[u8]) {
        for (at, written) in (offset..).zip(data) {
            let Some((spec, stored)) = &mut self.bytes[at as usize] else { continue };
            let (start, _, policy, mask, writable, _) = *spec;
            let lane = (at - start) as usize;
            let reach = (mask & writable).to_le_bytes()[lane];
            let value = match policy {
                Ro => *stored,
                Rw | Wo => *written,
                W1c => *stored & !written,
                W1s => *stored | written,
            };
            *stored = (*stored & !reach) | (value & reach);
        }
    }

    /// Reads bytes.
    #[expect(clippy::cast_possible_truncation, reason = "offsets in a BAR are small")]
    pub fn read(&self, offset: u64, len: usize) -> Vec<u8> {
        let visible = |byte: &Option<(Spec, u8)>| match byte {
            Some(((_, _, policy, ..), stored)) if *policy != Wo => *stored,
            _ => 0,
        };
        self.bytes[offset as usize..][..len].iter().map(visible).collect()
    }
}
