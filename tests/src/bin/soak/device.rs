//! The device under load.

use std::thread;

use vfio_user::{Cx, Device, DmaError, PciDevice, Virtual};

/// Registers of BAR 0.
pub(crate) mod reg {
    pub(crate) const WORDS: u64 = 0x100;
    pub(crate) const RAISE: u64 = 0x00;
    pub(crate) const SOURCE: u64 = 0x08;
    pub(crate) const TARGET: u64 = 0x10;
    pub(crate) const FETCH: u64 = 0x18;
    pub(crate) const COPY: u64 = 0x1c;
    pub(crate) const PANIC: u64 = 0x20;
}

/// The number of words that keep what is written.
pub(crate) const WORDS: usize = 64;
/// The number of vectors. A copy raises the last one, however it ends.
pub(crate) const VECTORS: u32 = 8;
const COPIED: u16 = 7;

#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f4, name = "loaded")]
#[bar(0: mem32, size = 0x1000)]
#[irq(msix = 8)]
pub(crate) struct Loaded {
    #[reg(0x00, wo, write_with = Self::raise)]
    raise: Virtual<u32>,
    #[reg(0x08)]
    source: u64,
    #[reg(0x10)]
    target: u64,
    /// Copies as many bytes from `source` to `target`, by an event.
    #[reg(0x18, wo, write_with = Self::fetch)]
    fetch: Virtual<u32>,
    /// The same, by a thread.
    #[reg(0x1c, wo, write_with = Self::copy)]
    copy: Virtual<u32>,
    #[reg(0x20, wo, write_with = Self::panic)]
    panic: Virtual<u32>,
    #[reg(0x100)]
    words: [u64; WORDS],
}

impl Default for Loaded {
    fn default() -> Self {
        Loaded {
            raise: Virtual::default(),
            source: 0,
            target: 0,
            fetch: Virtual::default(),
            copy: Virtual::default(),
            panic: Virtual::default(),
            words: [0; WORDS],
        }
    }
}

pub(crate) enum Event {
    Fetched(Result<Vec<u8>, DmaError>),
    Copied,
}

impl Device for Loaded {
    type Event = Event;

    fn event(&mut self, cx: &mut Cx<'_, Self>, event: Event) {
        if let Event::Fetched(Ok(bytes)) = event {
            // The client finds out that the bytes are not there.
            let _ = cx.dma().write(self.target, &bytes);
        }
        cx.irq(COPIED).raise();
    }
}

impl Loaded {
    #[expect(clippy::unused_self, reason = "a hook")]
    fn raise(&mut self, cx: &mut Cx<'_, Self>, vector: u32) {
        if let Some(vector) = u16::try_from(vector).ok().filter(|vector| *vector < COPIED) {
            cx.irq(vector).raise();
        }
    }

    fn fetch(&mut self, cx: &mut Cx<'_, Self>, count: u32) {
        cx.fetch(self.source, limited(count), Event::Fetched);
    }

    fn copy(&mut self, cx: &mut Cx<'_, Self>, count: u32) {
        let (dma, remote) = (cx.dma().for_session(), cx.session_remote());
        let (source, target) = (self.source, self.target);
        thread::spawn(move || {
            let mut bytes = vec![0; limited(count)];
            let _ = dma.read(source, &mut bytes).and_then(|()| dma.write(target, &bytes));
            // The client may be gone.
            let _ = remote.post(Event::Copied);
        });
    }

    #[expect(clippy::unused_self, reason = "a hook")]
    fn panic(&mut self, _: &mut Cx<'_, Self>, _: u32) {
        panic!("as a client wants");
    }
}

/// A client may request any number of bytes.
fn limited(count: u32) -> usize {
    count.min(1 << 16) as usize
}
