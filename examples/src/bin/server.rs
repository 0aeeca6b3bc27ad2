//! The server of the classic pair: a clock that wakes its client, and memory to inspect while it
//! migrates.
//!
//! BAR 0 holds a time in seconds since the epoch. Writing it arms a timer, which raises INTx and
//! then exercises the client's memory; reading it returns the seconds since then. BAR 1 is memory,
//! of which clients may map the first and the last page. Its stream is that of libvfio-user's
//! sample, so each can take over from the other: BAR 1 as often as it is read while the device
//! runs, and finally BAR 1 and BAR 0.

use std::ffi::OsString;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use vfio_user::{
    Cx, Device, DmaError, DmaSegment, Error, Options, PciDevice, Result, Resumed, SavePhase, Timer,
    Virtual,
};

/// Serves the server of the classic pair, PCI device dead:beef, over vfio-user
#[derive(Parser)]
struct Program {
    #[command(flatten)]
    options: Options,
}

const BAR1: usize = 0x4000;
/// The range between the pages that clients may map.
const MIDDLE: std::ops::Range<usize> = 0x1000..0x3000;

#[derive(PciDevice)]
#[pci(vendor = 0xdead, device = 0xbeef, subsystem = (0xcafe, 0xbabe))]
#[bar(0: io, size = 8, access = 8, unmapped = refuse)]
#[bar(1: mem32, size = 0x4000, shared(0..0x1000, 0x3000..0x4000))]
#[irq(intx)]
#[migrate(raw)]
struct Server {
    #[reg(0, read_with = Self::elapsed, write_with = Self::set_time)]
    time: Virtual<u64>,
    #[reg(0x1000, bar = 1)]
    middle: [u32; 0x800],
    /// What was written to BAR 0.
    alarm: u64,
    #[timer(Self::wake)]
    timer: Timer,
    /// What has come of a state.
    incoming: Vec<u8>,
}

impl Server {
    fn new() -> Self {
        let (time, middle) = (Virtual::default(), [0; 0x800]);
        Server { time, middle, alarm: 0, timer: Timer::default(), incoming: Vec::new() }
    }

    fn elapsed(&mut self, _: &mut Cx<'_, Self>) -> u64 {
        now().wrapping_sub(self.alarm)
    }

    fn set_time(&mut self, cx: &mut Cx<'_, Self>, time: u64) {
        self.alarm = time;
        self.arm(cx);
    }

    fn arm(&mut self, cx: &mut Cx<'_, Self>) {
        // A time that has passed arms no timer.
        if let Some(left) = self.alarm.checked_sub(now()) {
            self.timer.arm(cx, Duration::from_secs(left));
        }
    }

    #[expect(clippy::unused_self, reason = "a hook like any other")]
    fn wake(&mut self, cx: &mut Cx<'_, Self>) {
        cx.irq(0).raise();
        let regions = cx.dma().regions();
        let iova = |place: usize| regions.get(place).map(DmaSegment::iova);
        let (by_messages, directly) = (iova(0), iova(1));
        let (memory, messages) = (cx.dma().for_session(), cx.dma_messages());
        // A hook cannot wait for the client's replies; a thread can.
        thread::spawn(move || {
            if let Some(iova) = directly {
                let read = |bytes: &mut [u8]| memory.read(iova, bytes);
                report(exercise(|bytes| memory.write(iova, bytes), read));
            }
            if let (Some(iova), Ok(messages)) = (by_messages, messages) {
                let read = |bytes: &mut [u8]| messages.read(iova, bytes);
                report(exercise(|bytes| messages.write(iova, bytes), read));
            }
        });
    }

    /// BAR 1 as its guest sees it.
    fn bar1(&self, cx: &Cx<'_, Self>) -> Result<Vec<u8>> {
        let (mut bytes, shared) = (vec![0; BAR1], cx.shared(1));
        shared.read(0, &mut bytes[..MIDDLE.start])?;
        shared.read(MIDDLE.end as u64, &mut bytes[MIDDLE.end..])?;
        for (bytes, word) in bytes[MIDDLE].chunks_exact_mut(4).zip(self.middle) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Ok(bytes)
    }

    fn set_bar1(&mut self, cx: &Cx<'_, Self>, bytes: &[u8]) -> Result<()> {
        let shared = cx.shared(1);
        shared.write(0, &bytes[..MIDDLE.start])?;
        shared.write(MIDDLE.end as u64, &bytes[MIDDLE.end..])?;
        for (word, bytes) in self.middle.iter_mut().zip(bytes[MIDDLE].as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        Ok(())
    }
}

impl Device for Server {
    type Event = ();

    fn save_stream(
        &mut self,
        cx: &mut Cx<'_, Self>,
        phase: SavePhase,
        offset: u64,
        data: &mut [u8],
    ) -> Result<usize> {
        let mut state = self.bar1(cx)?;
        if phase == SavePhase::Stopped {
            state.extend(self.alarm.to_le_bytes());
        }
        let rest = usize::try_from(offset).ok().and_then(|offset| state.get(offset..));
        let rest = rest.unwrap_or_default();
        let len = rest.len().min(data.len());
        data[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn load_stream(&mut self, _: &mut Cx<'_, Self>, offset: u64, data: &[u8]) -> Result<()> {
        if offset == 0 {
            self.incoming.clear();
        }
        self.incoming.extend_from_slice(data);
        // The final copy replaces everything that arrived while the source ran.
        let old = self.incoming.len().saturating_sub(BAR1 + 8) / BAR1 * BAR1;
        self.incoming.drain(..old);
        Ok(())
    }

    fn loaded(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        let start = self.incoming.len().checked_sub(BAR1 + 8);
        let state = start.map(|start| self.incoming.split_off(start));
        let state = state.ok_or_else(|| Error::device("a part of the state is missing"))?;
        let (bar1, alarm) = state.split_at(BAR1);
        self.set_bar1(cx, bar1)?;
        self.alarm = alarm.try_into().map_or(0, u64::from_le_bytes);
        Ok(())
    }

    fn resume(&mut self, cx: &mut Cx<'_, Self>, resumed: Resumed) {
        if resumed == Resumed::Loaded {
            self.arm(cx);
        }
    }
}

/// Writes a page, reads it back and compares it.
fn exercise(
    write: impl Fn(&[u8]) -> Result<(), DmaError>,
    read: impl Fn(&mut [u8]) -> Result<(), DmaError>,
) -> Result<bool, DmaError> {
    let written: Vec<u8> = (b'A'..=b'D').flat_map(|letter| [letter; 1024]).collect();
    let mut found = vec![0; written.len()];
    write(&written)?;
    read(&mut found)?;
    Ok(found == written)
}

fn report(exercised: Result<bool, DmaError>) {
    match exercised {
        Ok(true) => {}
        Ok(false) => eprintln!("server: memory is not what was written there"),
        Err(error) => eprintln!("server: {error}"),
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// `server -v PATH` serves one client, as libvfio-user's sample does.
fn arguments() -> Vec<OsString> {
    let mut arguments: Vec<_> = std::env::args_os().collect();
    let is_path = |argument: &OsString| !argument.as_encoded_bytes().starts_with(b"-");
    if let Some(path) = arguments.pop_if(|path| is_path(path)) {
        if arguments.is_empty() {
            return vec![path];
        }
        let mut option = OsString::from("--socket-path=");
        option.push(path);
        arguments.extend([option, "--once".into()]);
    }
    arguments
}

fn main() -> Result<()> {
    Program::parse_from(arguments()).options.run(Server::new)
}
