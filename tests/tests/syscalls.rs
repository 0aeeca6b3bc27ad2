//! How many system calls a message costs, counted by strace.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use vfio_user::EventFd;
use vfio_user_tests::irqs::none;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::wire::irq::{self, INTX};
use vfio_user_tests::wire::{self, command, dma, flag};
use vfio_user_tests::{PATIENCE, files};

const MARK: u64 = 0x00;
const HOLD: u64 = 0x04;
const KEEP: u64 = 0x08;
const SCRATCH: u64 = 0x0c;
const LEVEL: u64 = 0x14;

/// A server under strace. Killed when dropped, unless it has ended.
struct Traced {
    strace: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    trace: PathBuf,
    socket: PathBuf,
    _dir: TempDir,
}

impl Traced {
    /// `None` without strace, which is an error where it has to be there.
    fn start() -> Option<Self> {
        Self::spinning(0)
    }

    /// One that looks for so many seconds before it sleeps.
    fn spinning(seconds: u32) -> Option<Self> {
        Self::with(&[], &[&seconds.to_string()])
    }

    /// One with more arguments, of strace and of its own.
    fn with(options: &[&str], arguments: &[&str]) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let (trace, socket) = (dir.path().join("trace"), dir.path().join("socket"));
        let strace = Command::new("strace")
            .arg("-o")
            .arg(&trace)
            .args(options)
            .arg(env!("CARGO_BIN_EXE_traced_server"))
            .arg(&socket)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut strace = match strace {
            Ok(strace) => strace,
            Err(error) => {
                assert!(std::env::var_os("CI").is_none(), "strace: {error}");
                eprintln!("\n*** SKIPPED: strace cannot be run ({error}) ***\n");
                return None;
            }
        };
        let input = strace.stdin.take().unwrap();
        let mut output = BufReader::new(strace.stdout.take().unwrap());
        expect_line(&mut output, "listening");
        Some(Traced { strace, input, output, trace, socket, _dir: dir })
    }

    fn client(&self) -> RawClient {
        let mut client = RawClient::connect(&self.socket);
        client.negotiate();
        client
    }

    /// The names of the system calls between each mark and the next, once the client is gone.
    fn finish(self) -> Vec<Vec<String>> {
        let name = |line: &str| line.split('(').next().unwrap_or_default().to_owned();
        let named = |part: Vec<String>| part.iter().map(|line| name(line)).collect();
        self.lines().into_iter().map(named).collect()
    }

    /// The system calls between each mark and the next, once the client is gone.
    fn lines(mut self) -> Vec<Vec<String>> {
        let deadline = Instant::now() + PATIENCE;
        while self.strace.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the server does not end");
            std::thread::yield_now();
        }
        let trace = fs::read_to_string(&self.trace).unwrap();
        // A debug build of ours looks at a descriptor before it closes it.
        let calls = trace.lines().filter(|line| !line.contains("F_GETFD"));
        let calls: Vec<_> = calls.map(str::to_owned).collect();
        let parts = calls.split(|call| call.starts_with("getppid")).map(<[String]>::to_vec);
        let parts: Vec<_> = parts.collect();
        assert!(parts.len() > 2, "there are marks in the trace");
        parts[1..parts.len() - 1].to_vec()
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}

fn expect_line(output: &mut BufReader<ChildStdout>, expected: &str) {
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line.trim_end(), expected);
}

fn mark(client: &mut RawClient) {
    client.write(0, MARK, &[0; 4]);
}

/// The calls without the looks for other connections, of which there are few: the server listens,
/// and looks from time to time.
fn without_looks(calls: &[String]) -> Vec<String> {
    let rest: Vec<_> = calls.iter().filter(|call| *call != "epoll_wait").cloned().collect();
    let looks = calls.len() - rest.len();
    assert!(looks <= 1 + calls.len() / 20, "{looks} looks in {} calls", calls.len());
    rest
}

fn repeat<'a>(names: &[&'a str], times: usize) -> Vec<&'a str> {
    std::iter::repeat_n(names, times).flatten().copied().collect()
}

#[test]
fn an_access_costs_two_calls_and_three_where_something_else_can_wake_the_device() {
    const COUNT: usize = 200;
    let Some(traced) = Traced::start() else { return };
    let mut client = traced.client();
    for keep in [false, true] {
        if keep {
            client.write(0, KEEP, &[0; 4]);
            client.sync();
        }
        mark(&mut client);
        (0..COUNT).for_each(|_| drop(client.read(0, SCRATCH, 4)));
        mark(&mut client);
        (0..COUNT).for_each(|_| client.write(0, SCRATCH, &[0; 4]));
        mark(&mut client);
        (0..COUNT).for_each(|_| drop(client.read(7, 0, 4)));
        mark(&mut client);
    }
    drop(client);
    let parts = traced.finish();
    assert_eq!(parts.len(), 7);
    // Each part begins with the answer to its mark and ends with the receipt of the next one.
    for part in &parts[..3] {
        assert_eq!(without_looks(part), repeat(&["sendto", "recvmsg"], COUNT + 1));
    }
    for part in &parts[4..] {
        assert_eq!(*part, repeat(&["sendto", "epoll_wait", "recvmsg"], COUNT + 1));
    }
}

/// Memory that is reached by messages, and a second socket, cost nothing while they are not used.
#[test]
fn an_access_costs_two_calls_where_the_client_could_be_asked() {
    const COUNT: usize = 200;
    let Some(traced) = Traced::start() else { return };
    let mut client = RawClient::connect(&traced.socket);
    let proposal = wire::version(0, r#"{"capabilities":{"twin_socket":{"supported":true}}}"#);
    let answer = client.request(command::VERSION, &proposal, &[]);
    assert_eq!(answer.fds.len(), 1);
    client.dma_map(dma::BOTH, 0, 0, 0x1000, None).ok();
    mark(&mut client);
    (0..COUNT).for_each(|_| drop(client.read(0, SCRATCH, 4)));
    mark(&mut client);
    drop(client);
    let parts = traced.finish();
    assert_eq!(without_looks(&parts[0]), repeat(&["sendto", "recvmsg"], COUNT + 1));
}

#[test]
fn posted_writes_that_wait_in_the_socket_share_their_calls() {
    let Some(mut traced) = Traced::start() else { return };
    let mut client = traced.client();
    mark(&mut client);
    client.posted_write(0, HOLD, &[0; 4]);
    expect_line(&mut traced.output, "held");
    mark_posted(&client);
    let write = wire::write(0, SCRATCH, &[1, 2, 3, 4]);
    let message = wire::message(1, command::REGION_WRITE, flag::NO_REPLY, &write);
    client.stream().set_nonblocking(true).unwrap();
    let mut count = 0;
    while client.try_send(&message, &[]).is_ok() {
        count += 1;
    }
    client.stream().set_nonblocking(false).unwrap();
    assert!(count > 100, "{count} writes filled the socket");
    traced.input.write_all(b"!").unwrap();
    mark(&mut client);
    drop(client);
    let parts = traced.finish();
    let calls = without_looks(parts.last().unwrap());
    assert!(calls.iter().all(|call| call == "recvmsg"), "{calls:?}");
    assert!(calls.len() <= count / 10, "{} calls for {count} writes", calls.len());
}

/// A mark in front of the writes, which wait behind it.
fn mark_posted(client: &RawClient) {
    let write = wire::write(0, MARK, &[0; 4]);
    client.send(&wire::message(1, command::REGION_WRITE, flag::NO_REPLY, &write), &[]);
}

#[test]
fn memory_that_comes_and_goes_costs_eleven_calls_and_less_where_its_file_is_shared() {
    const PAGE: u64 = 0x1000;
    let Some(traced) = Traced::start() else { return };
    let mut client = traced.client();
    let file = files::memory(8 * PAGE);
    let pair = |client: &mut RawClient, page: u64| {
        client.dma_map(dma::BOTH, page * PAGE, page * PAGE, PAGE, Some(file.as_fd())).ok();
        assert_eq!(client.dma_unmap(0, page * PAGE, PAGE), Ok(()));
    };
    // What is allocated for the first time is not counted.
    pair(&mut client, 0);
    mark(&mut client);
    pair(&mut client, 0);
    mark(&mut client);
    client.dma_map(dma::BOTH, 0, 0, PAGE, Some(file.as_fd())).ok();
    mark(&mut client);
    pair(&mut client, 1);
    mark(&mut client);
    drop(client);
    let parts = traced.finish();
    // Whether it has seals, which file it is, whether its pages are huge; no core dump has it.
    let map = ["fcntl", "newfstatat", "fstatfs", "mmap", "madvise", "sendto", "recvmsg"];
    let unmap = ["munmap", "close", "sendto", "recvmsg"];
    let parts: Vec<_> = parts.iter().map(|part| without_looks(part)).collect();
    assert_eq!(parts[0], [&["sendto", "recvmsg"][..], &map, &unmap].concat());
    // The second question is for the rights that the descriptor gives.
    let shared = ["fcntl", "newfstatat", "fstatfs", "fcntl", "close", "sendto", "recvmsg"];
    assert_eq!(parts[2], [&["sendto", "recvmsg"][..], &shared, &["sendto", "recvmsg"]].concat());
}

#[test]
fn a_line_costs_its_signal_and_a_look_at_who_unmasks_it_while_it_is_masked() {
    let Some(traced) = Traced::start() else { return };
    let mut client = traced.client();
    let [line, resample] = [0, 0].map(|_| EventFd::new().unwrap());
    client.assign(INTX, 0, &[line.as_fd()]);
    let unmask = |client: &mut RawClient| none(client, irq::UNMASK, INTX, 0, 1);
    let assert_and_unmask = |client: &mut RawClient| {
        for level in [1, 0] {
            client.write(0, LEVEL, &[level, 0, 0, 0]);
        }
        unmask(client);
        unmask(client);
    };
    mark(&mut client);
    assert_and_unmask(&mut client);
    mark(&mut client);
    client.set_irqs(irq::EVENTFD | irq::UNMASK, INTX, 0, 1, &[resample.as_fd()]).ok();
    mark(&mut client);
    assert_and_unmask(&mut client);
    mark(&mut client);
    (0..50).for_each(|_| resample.signal());
    mark(&mut client);
    drop(client);
    let parts = traced.finish();
    let turn = ["sendto", "recvmsg"];
    let signal = ["io_submit"];
    assert_eq!(without_looks(&parts[0]), [&turn[..], &signal, &repeat(&turn, 4)].concat());
    let turn = ["sendto", "epoll_wait", "recvmsg"];
    let watch = ["preadv2", "epoll_ctl"];
    let unmasked = repeat(&turn, 2);
    let expected = [&turn[..], &watch, &signal, &unmasked, &["epoll_ctl"], &unmasked].concat();
    assert_eq!(parts[2], expected);
    assert_eq!(
        without_looks(&parts[3]),
        ["sendto", "recvmsg"],
        "while it is not masked, it is not read"
    );
}

/// The device's thread is not on the path of a doorbell that its worker has taken.
#[test]
fn a_doorbell_of_a_worker_costs_the_thread_of_the_device_nothing() {
    const COUNT: usize = 200;
    let Some(traced) = Traced::with(&[], &["0", "work"]) else { return };
    let mut client = traced.client();
    let interrupt = EventFd::new().unwrap();
    client.assign(irq::MSIX, 0, &[interrupt.as_fd()]);
    let wanted = wire::words(&[1 << 12, 0, 0, 0]);
    let bell = client.request(command::GET_REGION_IO_FDS, &wanted, &[]).fds.remove(0);
    let bell = EventFd::from_fd(bell).unwrap();
    client.write(0, 4, &[0; 4]);
    mark(&mut client);
    let start = Instant::now();
    for round in 0..COUNT {
        bell.signal();
        assert!(interrupt.wait(PATIENCE).unwrap().is_some(), "round {round}");
    }
    mark(&mut client);
    // Ten times a second, a look for other connections ends its receive.
    let looks = 4 * (start.elapsed().as_millis() / 100 + 1);
    drop(client);
    let parts = traced.finish();
    // It reads no eventfd and wakes no thread.
    let is_look = |call: &String| ["sendto", "recvmsg", "epoll_wait"].contains(&&**call);
    let calls = &parts[0];
    let most = COUNT / 2 + usize::try_from(looks).unwrap();
    assert!(calls.len() < most && calls.iter().all(is_look), "{calls:?}");
}

/// A server that looks long enough never sleeps while its client goes on.
#[test]
fn a_thread_that_spins_does_not_sleep_between_requests() {
    let Some(traced) = Traced::spinning(3600) else { return };
    let mut client = traced.client();
    mark(&mut client);
    (0..50).for_each(|value| client.write(0, SCRATCH, &u32::to_le_bytes(value)));
    mark(&mut client);
    drop(client);
    let calls = traced.lines().concat();
    let count = |name: &str| calls.iter().filter(|call| call.starts_with(name)).count();
    let looks = calls.iter().filter(|call| call.starts_with("epoll_wait") && call.contains(", 0)"));
    assert!(count("epoll_wait") >= 50, "one for each request at least");
    assert_eq!(looks.count(), count("epoll_wait"), "none of them waits: {calls:#?}");
    let receives = calls.iter().filter(|call| call.starts_with("recvmsg"));
    assert!(receives.into_iter().all(|call| call.contains("MSG_DONTWAIT")), "{calls:#?}");
    assert_eq!(count("sendto"), 51);
}

/// Before Linux 5.8 nothing reads an eventfd of a client's without waiting for it, and without
/// asynchronous I/O nothing signals one.
#[test]
fn a_kernel_on_which_a_client_could_hang_the_device_is_refused_at_the_start() {
    let lacks = [
        ("preadv2", "EOPNOTSUPP", "Linux 5.8"),
        ("io_setup", "ENOSYS", "CONFIG_AIO"),
        ("io_setup", "EAGAIN", "fs.aio-max-nr"),
    ];
    for (call, errno, expected) in lacks {
        let dir = tempfile::tempdir().unwrap();
        let ran = Command::new("strace")
            .args(["-f", "-o", "/dev/null", "-e"])
            .arg(format!("inject={call}:error={errno}"))
            .arg(env!("CARGO_BIN_EXE_traced_server"))
            .args([dir.path().join("socket").as_os_str(), "0".as_ref()])
            .stdin(Stdio::null())
            .output();
        let Ok(ran) = ran else {
            assert!(std::env::var_os("CI").is_none(), "strace cannot be run");
            eprintln!("\n*** SKIPPED: strace cannot be run ***\n");
            return;
        };
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(!ran.status.success() && said.contains(expected), "{call}: {said}");
    }
}

/// What a server waits by that looks at a page, while it is quiet for 400 ms and then rung: long
/// enough for pauses, though each call is traced on a loaded machine.
fn watched(options: &[&str], spin: &str) -> Option<Vec<String>> {
    let traced = Traced::with(options, &[spin, "watch"])?;
    let mut client = traced.client();
    let mut answer = client.request(command::GET_REGION_INFO, &wire::region_info(4096, 0), &[]);
    let page = fs::File::from(answer.fds.remove(0));
    mark(&mut client);
    for round in 1..=3_u32 {
        std::thread::sleep(Duration::from_millis(400));
        page.write_all_at(&round.to_le_bytes(), 0x1000).unwrap();
        while client.number(0, 4, 4) != u64::from(round) {}
    }
    mark(&mut client);
    drop(client);
    let calls = traced.lines().concat();
    Some(calls.into_iter().filter(|call| call.contains("poll")).collect())
}

/// The time-out of `epoll_wait` is the last argument, in milliseconds.
fn waits_for_milliseconds(call: &str) -> bool {
    call.starts_with("epoll_wait") && !call.contains(", 0)") && !call.contains(", -1)")
}

#[test]
fn a_page_is_looked_at_in_pauses_of_less_than_a_millisecond() {
    let Some(calls) = watched(&[], "0") else { return };
    let pauses = calls.iter().filter(|call| call.starts_with("epoll_pwait2"));
    let short = pauses.clone().filter(|call| call.contains("tv_sec=0, tv_nsec="));
    assert!(short.count() >= 1 && pauses.count() >= 1, "{calls:#?}");
    assert!(!calls.iter().any(|call| waits_for_milliseconds(call)), "{calls:#?}");
}

#[test]
fn a_kernel_or_a_sandbox_without_the_newer_wait_gets_the_older_one() {
    for errno in ["ENOSYS", "EPERM"] {
        let inject = format!("inject=epoll_pwait2:error={errno}");
        let Some(calls) = watched(&["-e", &inject], "0") else { return };
        let count = |name: &str| calls.iter().filter(|call| call.starts_with(name)).count();
        assert!(count("ppoll") >= 1, "{calls:#?}");
        assert!(count("epoll_pwait2") <= 1, "it is tried once: {calls:#?}");
        assert!(!calls.iter().any(|call| waits_for_milliseconds(call)), "{calls:#?}");
    }
}

#[test]
fn a_thread_that_spins_looks_at_pages_without_sleeping() {
    let Some(calls) = watched(&[], "3600") else { return };
    assert!(!calls.is_empty());
    assert!(calls.iter().all(|call| call.starts_with("epoll_wait") && call.contains(", 0)")));
}
