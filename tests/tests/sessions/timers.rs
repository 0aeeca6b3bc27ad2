//! Timers of a device that is served.

use std::time::{Duration, Instant};

use vfio_user::{Bench, Cx, Device, PciDevice, ResetKind, Server, Timer, Virtual};
use vfio_user_tests::PATIENCE;
use vfio_user_tests::puppet;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve::{self, Running};

/// Two timers, counted.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f9)]
#[bar(0: mem32, size = 0x1000)]
#[migrate(none)]
struct Clocks {
    /// Expires after so many milliseconds, once.
    #[reg(0x00, wo, write_with = Self::arm_once)]
    once: Virtual<u32>,
    /// Expires every so many microseconds; 0 cancels.
    #[reg(0x04, on_write = Self::arm_ticks)]
    period: u32,
    #[reg(0x08, ro)]
    expired: u32,
    #[reg(0x0c, ro)]
    ticks: u32,
    /// Whether a hook came before its time.
    #[reg(0x10, ro)]
    early: u32,
    #[reg(0x14, wo, write_with = Self::panic)]
    panics: Virtual<u32>,
    #[timer(Self::alarm)]
    alarm: Timer,
    #[timer(Self::tick)]
    tick: Timer,
    #[timer(Self::explode)]
    bomb: Timer,
    due: Option<Instant>,
}

impl Device for Clocks {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        assert!(!self.alarm.is_armed() && !self.tick.is_armed());
    }
}

impl Clocks {
    fn arm_once(&mut self, cx: &mut Cx<'_, Self>, milliseconds: u32) {
        let after = Duration::from_millis(milliseconds.into());
        self.due = Some(cx.now() + after);
        self.alarm.arm(cx, after);
    }

    fn alarm(&mut self, cx: &mut Cx<'_, Self>) {
        self.expired += 1;
        self.early |= u32::from(self.due.is_none_or(|due| cx.now() < due));
    }

    fn arm_ticks(&mut self, cx: &mut Cx<'_, Self>, _: u32, period: u32) {
        match period {
            0 => self.tick.cancel(),
            period => self.tick.arm(cx, Duration::from_micros(period.into())),
        }
    }

    fn tick(&mut self, cx: &mut Cx<'_, Self>) {
        self.ticks += 1;
        self.tick.arm_again(cx, Duration::from_micros(self.period.into()));
    }

    fn panic(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        self.bomb.arm(cx, Duration::ZERO);
    }

    #[expect(clippy::unused_self, reason = "hooks are methods")]
    fn explode(&mut self, _: &mut Cx<'_, Self>) {
        panic!("as the test wants");
    }
}

fn set(client: &mut RawClient, register: u64, value: u32) {
    client.write(0, register, &value.to_le_bytes());
}

/// Waits until a register holds at least `value`.
fn wait_for(client: &mut RawClient, register: u64, value: u64) {
    let deadline = Instant::now() + PATIENCE;
    while client.number(0, register, 4) < value {
        assert!(Instant::now() < deadline, "register {register:#x} never gets to {value}");
    }
}

#[test]
fn a_timer_expires_once_and_never_early() {
    let (_running, mut client) = serve::over_pair(Clocks::default);
    client.negotiate();
    for round in 1..=5 {
        set(&mut client, 0x00, round * 3);
        wait_for(&mut client, 0x08, round.into());
    }
    assert_eq!(client.number(0, 0x08, 4), 5);
    assert_eq!(client.number(0, 0x10, 4), 0, "early");
}

#[test]
fn a_timer_expires_while_the_client_is_idle_or_gone() {
    let running = Running::at_path(Clocks::default);
    let mut client = running.client();
    set(&mut client, 0x00, 20);
    // Nothing else wakes the device meanwhile.
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(client.number(0, 0x08, 4), 1);
    set(&mut client, 0x00, 20);
    drop(client);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(running.client().number(0, 0x08, 4), 2);
}

#[test]
fn ticks_of_several_devices_share_a_thread_with_requests() {
    let server = Server::new().unwrap();
    let handle = server.handle();
    let mut clients: Vec<_> = (0..4).map(|_| puppet::add(&handle, Clocks::default).1).collect();
    drop(handle);
    let _running = Running::start(server, Server::run);
    for (period, client) in (1..).zip(&mut clients) {
        client.negotiate();
        set(client, 0x04, period * 1000);
    }
    for client in &mut clients {
        wait_for(client, 0x0c, 10);
    }
}

#[test]
fn what_is_armed_for_ever_or_for_now_delays_nothing() {
    let (_running, mut client) = serve::over_pair(Clocks::default);
    client.negotiate();
    set(&mut client, 0x00, u32::MAX);
    set(&mut client, 0x04, 1);
    for _ in 0..200 {
        client.sync();
    }
    wait_for(&mut client, 0x0c, 5);
    set(&mut client, 0x04, 0);
    let ticks = client.number(0, 0x0c, 4);
    client.sync();
    assert_eq!(client.number(0, 0x0c, 4), ticks, "cancelled");
}

#[test]
fn a_panic_in_a_timer_ends_the_session() {
    let running = Running::at_path(Clocks::default);
    let mut client = running.client();
    set(&mut client, 0x04, 1);
    wait_for(&mut client, 0x0c, 1);
    client.posted_write(0, 0x14, &[0; 4]);
    client.expect_closed();
    assert_eq!(running.client().number(0, 0x0c, 4), 0, "a new device");
}

#[test]
fn a_reset_disarms() {
    let mut bench = Bench::new(Clocks::default()).unwrap();
    bench.write(0, 0x00, 5_u32);
    bench.write(0, 0x04, 1000_u32);
    bench.reset();
    bench.advance(Duration::from_secs(1));
    assert_eq!((bench.peek("expired"), bench.peek("ticks")), (0, 0));
}

#[test]
fn on_a_bench_time_goes_on_by_a_call_alone() {
    let mut bench = Bench::new(Clocks::default()).unwrap();
    bench.write(0, 0x00, 5_u32);
    bench.write(0, 0x04, 300_u32);
    bench.advance(Duration::from_millis(4));
    assert_eq!((bench.peek("expired"), bench.peek("ticks")), (0, 13));
    bench.advance(Duration::from_millis(1));
    assert_eq!((bench.peek("expired"), bench.peek("ticks")), (1, 16));
    bench.write(0, 0x04, 0_u32);
    bench.advance(Duration::from_secs(60));
    assert_eq!((bench.peek("expired"), bench.peek("ticks")), (1, 16));
    assert_eq!(bench.peek("early"), 0);
}

#[test]
fn a_foreign_loop_need_not_know_of_timers() {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    let mut server = Server::new().unwrap();
    let (_, mut client) = puppet::add(&server.handle(), Clocks::default);
    let worker = std::thread::spawn(move || {
        client.negotiate();
        set(&mut client, 0x04, 1000);
        std::thread::sleep(Duration::from_millis(50));
        assert!(client.number(0, 0x0c, 4) > 5);
    });
    while server.process().unwrap() {
        let mut fds = [PollFd::new(server.poll_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::NONE).unwrap();
    }
    worker.join().unwrap();
}

/// One timer, in state that migrates.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10fa)]
#[bar(0: mem32, size = 0x1000)]
#[migrate(version = 1)]
struct Egg {
    #[reg(0x00, on_write = Self::boil)]
    seconds: u32,
    #[reg(0x04, ro)]
    done: u32,
    #[timer(Self::ring)]
    left: Timer,
}

impl Device for Egg {
    type Event = ();
}

impl Egg {
    fn boil(&mut self, cx: &mut Cx<'_, Self>, _: u32, seconds: u32) {
        self.left.arm(cx, Duration::from_secs(seconds.into()));
    }

    fn ring(&mut self, _: &mut Cx<'_, Self>) {
        self.done += 1;
    }
}

#[test]
fn what_is_left_of_the_time_migrates() {
    let mut source = Bench::new(Egg::default()).unwrap();
    let mut target = Bench::new(Egg::default()).unwrap();
    let idle = source.function().save().unwrap();
    source.write(0, 0x00, 300_u32);
    source.advance(Duration::from_secs(100));
    let state = source.function().save().unwrap();
    target.advance(Duration::from_secs(5000));
    target.function_mut().load(&state).unwrap();
    target.advance(Duration::from_secs(199));
    assert_eq!(target.peek("done"), 0);
    target.advance(Duration::from_secs(1));
    assert_eq!(target.peek("done"), 1);
    source.function_mut().load(&idle).unwrap();
    source.advance(Duration::from_secs(300));
    assert_eq!(source.peek("done"), 0, "not armed");
}
