//! A device with 1 GiB of shared memory, half of it zeros, moves: how fast its stream is, next to
//! plain messages over the same socket, and for how long it stands still.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use vfio_user::client::{AttachOptions, Client};
use vfio_user::protocol::{MigrationState, RegionIndex};
use vfio_user::{Cx, Device, PciDevice, Result, Server, Shared};

const SIZE: u64 = 1 << 30;
const MIB: usize = 1 << 20;
/// Bytes a second.
const WRITES: u64 = 10_000_000;

#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1234, device = 0x5a5b)]
#[bar(0: mem64, size = SIZE, prefetchable, shared)]
struct Memory {
    #[migrate(skip)]
    give: Sender<Shared>,
}

impl Device for Memory {
    type Event = ();

    fn start(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        let _ = self.give.send(cx.shared(0).clone());
        Ok(())
    }
}

/// A device on a thread of its own, its client, and its memory.
fn serve() -> Result<(Client, Shared)> {
    let (ours, theirs) = UnixStream::pair()?;
    let (give, take) = channel();
    let server = Server::from_stream(theirs)?;
    thread::spawn(move || server.serve(move || Memory { give: give.clone() }));
    let client = Client::from_stream(ours, AttachOptions::default())?;
    let memory = take.recv().map_err(|_| vfio_user::Error::device("it does not start"))?;
    Ok((client, memory))
}

/// Fills every second MiB with what does not repeat.
fn fill(memory: &Shared) -> Result<()> {
    let mut state = 1_u64;
    for offset in (0..SIZE).step_by(2 * MIB) {
        let words = (0..MIB / 8).flat_map(|_| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            state.to_le_bytes()
        });
        memory.write(offset, &words.collect::<Vec<_>>())?;
    }
    Ok(())
}

/// Bytes a second.
#[expect(clippy::cast_precision_loss, reason = "to look at")]
fn rate(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / time.as_secs_f64()
}

/// Bytes, and the time that reading and writing them took.
struct Moved {
    bytes: u64,
    read: Duration,
    written: Duration,
}

/// What is not zeros, by plain messages of 1 MiB, into memory that was not touched before.
fn plain(from: &Client, to: &Client) -> Result<Moved> {
    let (from, to) = (from.region(RegionIndex::Bar0), to.region(RegionIndex::Bar0));
    let mut places = (0..SIZE).step_by(2 * MIB);
    move_all(
        |data| match places.next() {
            Some(place) => from.read_bytes(place, data).map(|()| data.len()),
            None => Ok(0),
        },
        |written, data| to.write_bytes(2 * written, data),
    )
}

/// All that there is to be read of the stream now.
fn pass(from: &Client, to: &Client) -> Result<Moved> {
    move_all(|data| from.read_migration_data(data), |_, data| to.write_migration_data(data))
}

fn move_all(
    mut read: impl FnMut(&mut [u8]) -> Result<usize>,
    write: impl Fn(u64, &[u8]) -> Result<()>,
) -> Result<Moved> {
    let mut data = vec![0; MIB];
    let mut moved = Moved { bytes: 0, read: Duration::ZERO, written: Duration::ZERO };
    loop {
        let start = Instant::now();
        let size = read(&mut data)?;
        moved.read += start.elapsed();
        if size == 0 {
            return Ok(moved);
        }
        let start = Instant::now();
        write(moved.bytes, &data[..size])?;
        moved.written += start.elapsed();
        moved.bytes += size as u64;
    }
}

/// Writes to memory at a fixed rate until it is stopped.
fn write(memory: &Shared, stop: &AtomicBool) {
    let (start, mut written) = (Instant::now(), 0);
    while !stop.load(Ordering::Relaxed) {
        let due = u64::try_from(start.elapsed().as_micros()).unwrap_or(0) * (WRITES / 1_000_000);
        while written < due {
            let page = (written / 4096).wrapping_mul(0x9e37_79b9) % (SIZE / 4096);
            let _ = memory.write(page * 4096, &written.to_le_bytes());
            written += 4096;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn main() -> Result<()> {
    let (from, memory) = serve()?;
    fill(&memory)?;
    // The first time warms up.
    plain(&from, &serve()?.0)?;
    let plain = plain(&from, &serve()?.0)?;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (memory, stop) = (memory.clone(), Arc::clone(&stop));
        thread::spawn(move || write(&memory, &stop))
    };
    let (to, _) = serve()?;
    to.set_migration_state(MigrationState::Resuming)?;
    from.set_migration_state(MigrationState::PreCopy)?;
    let first = pass(&from, &to)?;
    println!("first round: {} MiB in {:?}", first.bytes >> 20, first.read + first.written);
    let ratio = |time: fn(&Moved) -> Duration| {
        rate(first.bytes, time(&first)) / rate(plain.bytes, time(&plain))
    };
    println!("reads: {:.2} of plain messages", ratio(|moved| moved.read));
    println!("writes: {:.2} of plain messages", ratio(|moved| moved.written));
    println!("both: {:.2} of plain messages", ratio(|moved| moved.read + moved.written));
    for round in 2..8 {
        let Moved { bytes, read, written } = pass(&from, &to)?;
        println!("round {round}: {} KiB in {:?}", bytes >> 10, read + written);
    }
    stop.store(true, Ordering::Relaxed);
    let _ = writer.join();
    let start = Instant::now();
    from.set_migration_state(MigrationState::StopCopy)?;
    let last = pass(&from, &to)?;
    to.set_migration_state(MigrationState::Running)?;
    println!("stands still: {:?} for {} KiB", start.elapsed(), last.bytes >> 10);
    Ok(())
}
