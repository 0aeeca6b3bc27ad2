//! Measures many devices in one process, each with its client. `many idle COUNT` measures their
//! cost while idle. `many fair SECONDS` measures how eight clients share a thread that they keep
//! busy without waiting for replies, and `many answer SECONDS` the same with clients that wait for
//! each reply.

use std::fs;
use std::io;
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use vfio_user::Server;
use vfio_user_benches::small::Derived;
use vfio_user_tests::puppet;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::wire::{self, command, flag};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let measured = match arguments.as_slice() {
        [what, count] if what == "idle" => count.parse().ok().map(idle),
        [what, seconds] if what == "fair" => {
            seconds.parse().ok().map(|seconds| fair(seconds, flood))
        }
        [what, seconds] if what == "answer" => {
            seconds.parse().ok().map(|seconds| fair(seconds, ask))
        }
        _ => None,
    };
    match measured {
        Some(Ok(line)) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Some(Err(error)) => {
            eprintln!("many: {error}");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("usage: many idle COUNT | many fair SECONDS | many answer SECONDS");
            ExitCode::from(2)
        }
    }
}

/// Returns memory and time of devices that were accessed once, and now wait.
fn idle(count: usize) -> io::Result<String> {
    const TIME: Duration = Duration::from_secs(2);
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    let before = resident()?;
    let (server, mut clients) = devices(count);
    let (sender, receiver) = channel();
    thread::spawn(move || {
        // The receiver is gone when the process ends.
        let _ = sender.send(fs::read_link("/proc/thread-self"));
        server.run()
    });
    let thread = receiver.recv().map_err(io::Error::other)??;
    for client in &mut clients {
        client.negotiate();
        client.write(0, 0, &[1; 4]);
        client.read(0, 0, 4);
    }
    let each = resident()?.saturating_sub(before) / count.max(1);
    let figures = || fs::read_to_string(format!("/proc/{}/schedstat", thread.display()));
    // The thread waits again soon after its last reply.
    thread::sleep(TIME / 10);
    let start = figures()?;
    thread::sleep(TIME);
    let is_idle = figures()? == start;
    let cpu = if is_idle { "no CPU, not once woken" } else { "some CPU" };
    Ok(format!("{count} idle devices and clients: {each} KiB each, {cpu} in {TIME:?}"))
}

/// Returns the writes that a thread handles for each of eight clients that keep it busy.
fn fair(seconds: u64, keep_busy: fn(RawClient, Instant) -> u64) -> io::Result<String> {
    let (server, clients) = devices(8);
    thread::spawn(move || server.run());
    let end = Instant::now() + Duration::from_secs(seconds);
    let threads: Vec<_> =
        clients.into_iter().map(|client| thread::spawn(move || keep_busy(client, end))).collect();
    let counts = threads.into_iter().map(thread::JoinHandle::join).collect::<Result<Vec<u64>, _>>();
    let counts = counts.map_err(|_| io::Error::other("a client has failed"))?;
    let (least, most) = (counts.iter().min(), counts.iter().max());
    let (least, most) = (least.copied().unwrap_or(0), most.copied().unwrap_or(0));
    let permille = most * 1000 / least.max(1);
    let ratio = format!("{}.{:03}", permille / 1000, permille % 1000);
    Ok(format!("8 clients in {seconds} s: {least} to {most} writes each, ratio {ratio}"))
}

/// Creates devices in one server, each with a client that has sent nothing yet.
fn devices(count: usize) -> (Server, Vec<RawClient>) {
    let server = Server::new().expect("server");
    let handle = server.handle();
    let clients = (0..count).map(|_| puppet::add(&handle, Derived::default).1).collect();
    (server, clients)
}

/// Sends more than the device can handle, without requesting replies, and counts the handled
/// writes.
fn flood(mut client: RawClient, end: Instant) -> u64 {
    const BATCH: u16 = 256;
    let write = wire::write(0, 0, &[1; 4]);
    let write = |id| wire::message(id, command::REGION_WRITE, flag::NO_REPLY, &write);
    let batch: Vec<u8> = (0..BATCH).flat_map(write).collect();
    client.negotiate();
    let mut taken = 0;
    while Instant::now() < end {
        client.send(&batch, &[]);
        taken += u64::from(BATCH);
    }
    taken
}

/// Sends one write after the other, and waits for the replies.
fn ask(mut client: RawClient, end: Instant) -> u64 {
    client.negotiate();
    let mut taken = 0;
    while Instant::now() < end {
        client.write(0, 0, &[1; 4]);
        taken += 1;
    }
    taken
}

/// Returns the resident memory of this process, in KiB.
fn resident() -> io::Result<usize> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| io::Error::other("no VmRSS in /proc/self/status"))
}
