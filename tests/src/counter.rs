//! A device that counts time, with a state that [`Device::saving`] brings up to date.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

use vfio_user::{Cx, Device, PciDevice, Result, Virtual};

/// Offsets of the registers in BAR 0.
pub mod reg {
    #![allow(missing_docs, reason = "named as the fields of the device")]
    pub const ELAPSED: u64 = 0x00;
    pub const SAVINGS: u64 = 0x08;
}

/// Counts microseconds from its start, over migrations.
#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10fa)]
#[bar(0: mem32, size = 0x1000)]
pub struct Counter {
    #[reg(0x00, ro, read_with = Self::elapsed)]
    elapsed: Virtual<u64>,
    /// How often a state of it was about to be taken; a state carries that on.
    #[reg(0x08, ro)]
    savings: u32,
    /// Microseconds before `since`.
    before: u64,
    #[migrate(skip)]
    since: Instant,
    /// How often that was in all, of this device alone.
    #[migrate(skip)]
    calls: Arc<AtomicU32>,
}

impl Counter {
    /// Creates a device that counts calls of [`Device::saving`] in `calls`.
    pub fn new(calls: &Arc<AtomicU32>) -> Self {
        let (since, calls) = (Instant::now(), Arc::clone(calls));
        Counter { elapsed: Virtual::default(), savings: 0, before: 0, since, calls }
    }

    fn elapsed(&mut self, cx: &mut Cx<'_, Self>) -> u64 {
        let now = cx.now().saturating_duration_since(self.since).as_micros();
        self.before + u64::try_from(now).unwrap_or(u64::MAX)
    }
}

impl Device for Counter {
    type Event = ();

    fn start(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        self.since = cx.now();
        Ok(())
    }

    fn saving(&mut self, cx: &mut Cx<'_, Self>) {
        (self.before, self.since) = (self.elapsed(cx), cx.now());
        self.savings += 1;
        self.calls.fetch_add(1, SeqCst);
    }

    fn loaded(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        self.since = cx.now();
        Ok(())
    }
}
