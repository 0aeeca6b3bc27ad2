//! The program that hands the DMA engine over is killed at each of its system calls.

use std::collections::HashMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus};

use nix::libc;
use vfio_user::protocol::RegionIndex;
use vfio_user_tests::generations::{Generations, wait_for};

use crate::driver::{Driver, HEAD};
use crate::engine::ENGINE;

/// The calls of a hand-over. Each thread counts its own calls; of these, other threads do few.
const STEPS: [&str; 8] =
    ["close", "epoll_ctl", "exit_group", "fcntl", "io_submit", "recvmsg", "sendmsg", "sendto"];

/// A hand-over while copies are under way, by a program under strace.
struct HandOver {
    programs: Generations,
    driver: Driver,
    under_way: Vec<u32>,
    successor: Child,
    /// How the first program has ended.
    status: ExitStatus,
}

impl HandOver {
    /// Returns `None` if the program was killed before: it has made more calls than in another run.
    fn run(strace: &[&str]) -> Option<Self> {
        let mut first = Command::new("strace");
        first.args(["-f", "-qq"]).args(strace).arg(ENGINE);
        let mut programs = Generations::start_under(first, ENGINE, &[]);
        let mut driver = Driver::attach(&programs.socket());
        let Ok(under_way) = driver.try_submit() else {
            let status = wait_for(|| programs.running().try_wait().unwrap());
            assert_eq!(status.signal(), Some(libc::SIGKILL), "{status}");
            return None;
        };
        let successor = programs.spawn();
        let status = wait_for(|| programs.running().try_wait().unwrap());
        Some(HandOver { programs, driver, under_way, successor, status })
    }

    /// Checks that all is done once by the successor, or that it has ended. Returns whether it
    /// serves.
    fn check(mut self) -> bool {
        let is_served = self.driver.client.region(RegionIndex::Bar0).read::<u32>(HEAD).is_ok();
        if is_served {
            self.driver.complete(&self.under_way);
            self.driver.round();
            self.driver.finish();
        } else {
            let status = wait_for(|| self.successor.try_wait().unwrap());
            assert!(!status.success(), "it has nothing to serve");
            // What the crash has left does not disturb the next program.
            self.successor = self.programs.spawn();
            let mut driver = Driver::attach(&self.programs.socket());
            driver.round();
            driver.finish();
        }
        self.successor.kill().unwrap();
        self.successor.wait().unwrap();
        is_served
    }
}

/// Returns the calls of the thread that serves, from the first message of a successor on: the name
/// of each, and the number of calls of this name up to it.
fn steps(log: &str) -> Vec<(&str, usize)> {
    let mut counts = HashMap::<&str, usize>::new();
    let (mut steps, mut has_begun) = (Vec::new(), false);
    let serving = log.split_whitespace().next();
    for line in log.lines() {
        has_begun |= line.contains("format") && line.contains("devices");
        let mut words = line.split_whitespace();
        let call =
            words.next().filter(|thread| Some(*thread) == serving).and_then(|_| words.next());
        let Some((name, _)) = call.and_then(|call| call.split_once('(')) else { continue };
        let count = counts.entry(name).or_default();
        *count += 1;
        if has_begun && STEPS.contains(&name) {
            steps.push((name, *count));
        }
    }
    steps
}

#[test]
fn a_program_that_is_killed_while_it_hands_over_is_succeeded_or_not_at_all() {
    if let Err(error) = Command::new("strace").arg("--version").output() {
        assert!(std::env::var_os("CI").is_none(), "strace: {error}");
        eprintln!("\n*** SKIPPED: strace cannot be run ({error}) ***\n");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let whole = HandOver::run(&["-s", "100", "-o", path.to_str().unwrap()]).unwrap();
    assert!(whole.status.success(), "{}", whole.status);
    assert!(whole.check());
    let log = fs::read_to_string(&path).unwrap();
    let mut steps = steps(&log);
    // The first call of the thread that waits for successors.
    steps.insert(0, ("geteuid", 1));
    let mut outcomes = Vec::new();
    for (call, count) in &steps {
        let fault = format!("inject={call}:signal=KILL:when={count}");
        let Some(run) = HandOver::run(&["-o", "/dev/null", "-e", &fault]) else { continue };
        let is_killed = run.status.signal() == Some(libc::SIGKILL);
        assert!(is_killed || run.status.success(), "{fault}: {}", run.status);
        outcomes.push((is_killed, run.check()));
    }
    let of = |is_served: bool| outcomes.iter().filter(|one| **one == (true, is_served)).count();
    println!(
        "of {} programs, {} were killed before the commit, {} after it",
        steps.len(),
        of(false),
        of(true)
    );
    assert!(of(false) > 0 && of(true) > 0, "{outcomes:?}");
}
