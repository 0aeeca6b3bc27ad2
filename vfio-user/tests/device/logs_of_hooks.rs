//! Hooks that do not return are logged by name, whichever loop runs them.

use std::fmt::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, Once};
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber, subscriber};
use vfio_user::client::{self, Client};
use vfio_user::protocol::RegionIndex;
use vfio_user::{Cx, Device, PciDevice, RegisterBlock, ResetKind, Server, Socket, Timer, Virtual};

/// The longest that a hook waits to be logged.
const PATIENCE: Duration = Duration::from_secs(20);

/// Lines about hooks that do not return, with their fields.
static SLOW: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps these lines, of all threads that have no subscriber of their own.
struct Slow;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, "{}={value:?};", field.name()).expect("a string takes everything");
    }
}

impl Subscriber for Slow {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().contains("watchdog")
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        SLOW.lock().unwrap().push(line.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn line_with(hook: &str) -> Option<String> {
    let hook = format!("hook={hook};");
    SLOW.lock().unwrap().iter().find(|line| line.contains(&hook)).cloned()
}

#[derive(Clone, Copy, Default, RegisterBlock)]
#[block(host = LaneHost)]
struct Lane {
    #[reg(0x0, on_write = started)]
    start: [u32; 2],
}

/// Every hook of it waits until it has been logged, or for long.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
struct Sleeper {
    #[reg(0x00, read_with = Self::read)]
    slow_read: Virtual<u32>,
    #[reg(0x04, wo, write_with = Self::write)]
    slow_write: [Virtual<u32>; 3],
    #[reg(0x10, on_read = Self::was_read)]
    read: u32,
    #[reg(0x14, wo, kick = Self::kicked)]
    kick: Virtual<u32>,
    #[reg(0x18, wo, write_with = Self::posts)]
    posts: Virtual<u32>,
    #[reg(0x1c, wo, write_with = Self::arms)]
    arms: Virtual<u32>,
    #[block(0x100, stride = 0x10)]
    lanes: [Lane; 4],
    #[timer(Self::rings)]
    alarm: Timer,
}

/// Whether it has been logged.
fn sleep(hook: &str) {
    let began = Instant::now();
    while line_with(hook).is_none() && began.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(10));
    }
}

#[expect(clippy::unused_self, reason = "hooks")]
impl Sleeper {
    fn read(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        sleep("read_with of sleeper.slow_read");
        5
    }

    fn write(&mut self, _: &mut Cx<'_, Self>, index: usize, _: u32) {
        sleep(&format!("write_with of sleeper.slow_write[{index}]"));
    }

    fn was_read(&mut self, _: &mut Cx<'_, Self>, _: u32) {
        sleep("on_read of sleeper.read");
    }

    fn kicked(&mut self, _: &mut Cx<'_, Self>) {
        sleep("kick of sleeper.kick");
    }

    fn posts(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        cx.post(());
    }

    fn arms(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        self.alarm.arm(cx, Duration::ZERO);
    }

    fn rings(&mut self, _: &mut Cx<'_, Self>) {
        sleep("timer alarm");
    }
}

impl LaneHost for Sleeper {
    fn started(&mut self, _: &mut Cx<'_, Self>, lane: usize, index: usize, _: u32, _: u32) {
        sleep(&format!("on_write of sleeper.lanes[{lane}].start[{index}]"));
    }
}

impl Device for Sleeper {
    type Event = ();

    fn event(&mut self, _: &mut Cx<'_, Self>, (): ()) {
        sleep("Device::event");
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        sleep("Device::reset");
    }
}

/// What a client does, and the hook that runs then.
type Case = (fn(&Client), &'static str);

const CASES: [Case; 8] = [
    (|client| drop(bar(client).read::<u32>(0x00)), "read_with of sleeper.slow_read"),
    (|client| drop(bar(client).write(0x0c, 1_u32)), "write_with of sleeper.slow_write[2]"),
    (|client| drop(bar(client).read::<u32>(0x10)), "on_read of sleeper.read"),
    (|client| drop(bar(client).write(0x14, 1_u32)), "kick of sleeper.kick"),
    (|client| drop(bar(client).write(0x134, 1_u32)), "on_write of sleeper.lanes[3].start[1]"),
    (|client| drop(bar(client).write(0x18, 1_u32)), "Device::event"),
    (|client| drop(bar(client).write(0x1c, 1_u32)), "timer alarm"),
    (|client| drop(client.reset()), "Device::reset"),
];

fn bar(client: &Client) -> client::ClientRegion<'_> {
    client.region(RegionIndex::Bar0)
}

/// A server on a stream: in its own loop, or in the loop of a caller.
fn serve(stream: UnixStream, is_foreign: bool) {
    if !is_foreign {
        Server::from_stream(stream).unwrap().serve(Sleeper::default).unwrap();
        return;
    }
    let mut server = Server::new().unwrap();
    server.add(Socket::from_stream(stream).unwrap(), Sleeper::default).unwrap();
    while server.process().unwrap() {
        let mut fds = [PollFd::new(server.poll_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::NONE).unwrap();
    }
}

#[test]
fn a_hook_that_does_not_return_is_logged_by_name_in_every_loop() {
    static LOG: Once = Once::new();
    LOG.call_once(|| subscriber::set_global_default(Slow).expect("no other is global"));
    for is_foreign in [false, true] {
        SLOW.lock().unwrap().clear();
        thread::scope(|scope| {
            for (act, hook) in CASES {
                scope.spawn(move || {
                    let (ours, theirs) = UnixStream::pair().unwrap();
                    let server = thread::spawn(move || serve(theirs, is_foreign));
                    let options =
                        client::AttachOptions { timeout: PATIENCE * 2, ..Default::default() };
                    let client = Client::from_stream(ours, options).unwrap();
                    act(&client);
                    drop(client);
                    server.join().unwrap();
                    let line = line_with(hook);
                    let line = line.unwrap_or_else(|| panic!("{hook}, {:?}", SLOW.lock().unwrap()));
                    assert!(line.contains("has not returned for a second"), "{line}");
                });
            }
        });
    }
}
