//! A PCI function that consists of numbers, so that each of them can be wrong.

use crate::raw::{Answer, RawClient};
use crate::scripted::{self, refuse, reply};
use crate::wire::{self, command, errno, region};

/// A function with two BARs of memory of 4 KiB, MSI-X in the second one, and nothing that works.
#[derive(Clone, Debug)]
pub struct Forged {
    /// Configuration space.
    pub config: Vec<u8>,
    /// The bits of it that software can write.
    pub writable: Vec<u8>,
    /// The sizes of the regions.
    pub regions: [u64; 9],
    /// The numbers of vectors.
    pub vectors: [u32; 5],
    /// The flags of the device: 1 can be reset by a message, 2 is of PCI.
    pub flags: u32,
    /// Whether writes to BARs are refused.
    pub refuses_writes: bool,
    /// The region whose description is refused.
    pub refuses_region: Option<u32>,
    /// How often the vendor id reads as ones after a function-level reset.
    pub ones: u32,
}

impl Default for Forged {
    fn default() -> Self {
        let mut forged = Forged {
            config: vec![0; 0x1000],
            writable: vec![0; 0x1000],
            regions: [0x1000, 0x1000, 0, 0, 0, 0, 0, 0x1000, 0],
            vectors: [0, 0, 4, 0, 0],
            flags: 2,
            refuses_writes: false,
            refuses_region: None,
            ones: 0,
        };
        forged.set(0x00, &[0xf4, 0x1a, 0x01, 0x10]);
        forged.set(0x06, &[0x10]);
        forged.set(0x34, &[0x40]);
        // MSI-X: 4 vectors, the table at 0x000 and the pending bits at 0x800 of BAR 1.
        forged.set(0x40, &[0x11, 0, 3, 0, 1, 0, 0, 0, 1, 8, 0, 0]);
        forged.writable[0x04..0x06].fill(0xff);
        forged.writable[0x42..0x44].copy_from_slice(&[0, 0xc0]);
        forged.set_bar(0, 0, 0xffff_f000);
        forged.set_bar(1, 0, 0xffff_f000);
        forged
    }
}

impl Forged {
    /// Sets bytes of configuration space.
    pub fn set(&mut self, at: usize, bytes: &[u8]) {
        self.config[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Sets the type bits of a BAR, and the bits that software can write.
    pub fn set_bar(&mut self, bar: usize, bits: u32, writable: u32) {
        let at = 0x10 + 4 * bar;
        self.set(at, &bits.to_le_bytes());
        self.writable[at..at + 4].copy_from_slice(&writable.to_le_bytes());
    }

    /// Adds the capability of PCI Express, with a function-level reset.
    pub fn add_express(&mut self) {
        self.config[0x41] = 0x50;
        self.set(0x50, &[0x10, 0, 0, 0, 0, 0, 0, 0x10]);
    }

    /// Serves it until the client leaves.
    pub fn serve(mut self, server: &RawClient) {
        while let Some(request) = server.try_receive() {
            match self.answer(&request) {
                Ok(payload) => reply(server, &request, &payload),
                Err(errno) => refuse(server, &request, errno),
            }
        }
    }

    /// Counts a read of the vendor id while it is all ones.
    fn count_read(&mut self) {
        match self.ones.checked_sub(1) {
            Some(left) => self.ones = left,
            None => self.set(0, &[0xf4, 0x1a]),
        }
    }

    /// Answers a request: a payload, or an error number.
    ///
    /// # Errors
    ///
    /// That number.
    ///
    /// # Panics
    ///
    /// If an access is outside a region.
    pub fn answer(&mut self, request: &Answer) -> Result<Vec<u8>, u32> {
        let payload = &request.payload[..];
        let field = |at| wire::u32_at(payload, at);
        Ok(match request.command {
            command::VERSION => wire::version(0, scripted::AGREED),
            command::GET_INFO => wire::words(&[16, self.flags, 9, 5]),
            command::GET_REGION_INFO if self.refuses_region == Some(field(8)) => {
                return Err(errno::EINVAL);
            }
            command::GET_REGION_INFO => {
                let size = self.regions[field(8) as usize];
                [wire::words(&[32, 3, field(8), 0]), wire::longs(&[size, 0])].concat()
            }
            command::GET_IRQ_INFO => {
                wire::words(&[16, 1, field(8), self.vectors[field(8) as usize]])
            }
            command::REGION_READ => {
                let (at, len) = (field(0) as usize, field(12) as usize);
                let is_config = field(8) == region::CONFIG;
                if is_config && at == 0 && self.config[0] == 0xff && len == 2 {
                    self.count_read();
                }
                let data =
                    if is_config { self.config[at..at + len].to_vec() } else { vec![0; len] };
                [payload, &data].concat()
            }
            command::REGION_WRITE if field(8) != region::CONFIG && self.refuses_writes => {
                return Err(errno::EINVAL);
            }
            command::REGION_WRITE => {
                if field(8) == region::CONFIG {
                    self.write_config(field(0) as usize, &payload[16..]);
                }
                payload[..16].to_vec()
            }
            command::DMA_MAP | command::SET_IRQS => Vec::new(),
            command::DMA_UNMAP => payload.to_vec(),
            _ => return Err(errno::ENOSYS),
        })
    }

    /// Writes configuration space, as far as it can be written.
    pub fn write_config(&mut self, at: usize, data: &[u8]) {
        if at == 0x58 && data.get(1).is_some_and(|control| control & 0x80 != 0) {
            self.set(0, &[0xff; 2]);
        }
        for (at, new) in (at..).zip(data) {
            let writable = self.writable[at];
            self.config[at] = self.config[at] & !writable | new & writable;
        }
    }
}
