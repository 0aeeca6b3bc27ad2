//! Tools that behave badly: the device goes on, and so does the monitor.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use vfio_user::monitor::Request;
use vfio_user_tests::PATIENCE;

use crate::station::{self, CONTROL, Observed};

fn connect(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends a line, and returns the line in reply.
fn exchange(stream: &UnixStream, line: &[u8]) -> String {
    (&*stream).write_all(&[line, b"\n"].concat()).unwrap();
    let mut reply = String::new();
    BufReader::new(stream).read_line(&mut reply).unwrap();
    reply
}

/// The device answers its client, and the monitor a tool, after connections have been closed.
fn assert_alive(observed: &mut Observed) {
    observed.client.write(0, CONTROL, &[0x21, 0, 0, 0]);
    let start = Instant::now();
    loop {
        let mut tool = station::connect(&observed.path);
        if tool.ask(&Request::Register { name: "control".to_owned() }).is_ok() {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "the monitor does not recover");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn garbage_is_answered_with_errors() {
    let mut observed = station::observe();
    let stream = connect(&observed.path);
    let deep = [b'['; 4000];
    let garbage: [&[u8]; 9] = [
        b"",
        b"garbage",
        b"\0\xff\xfe",
        b"{}",
        b"{\"ask\":\"everything\"}",
        b"{\"ask\":\"registers\",\"from\":-1}",
        b"{\"ask\":\"registers\",\"from\":18446744073709551616}",
        b"{\"ask\":\"registers\",\"too\":1}",
        &deep,
    ];
    for line in garbage {
        let reply = exchange(&stream, line);
        let expected = r#"{"version":1,"error":"the request cannot be understood: "#;
        assert!(reply.starts_with(expected), "{reply}");
    }
    for ask in ["registers", "interrupts", "dma", "accesses", "hooks", "unmodelled"] {
        let line = format!(r#"{{"ask":"{ask}","from":{}}}"#, u64::MAX);
        let reply = exchange(&stream, line.as_bytes());
        assert_eq!(reply, format!("{{\"version\":1,\"{ask}\":{{\"items\":[],\"next\":null}}}}\n"));
    }
    drop(stream);
    assert_alive(&mut observed);
}

#[test]
fn a_line_that_is_too_long_ends_the_connection() {
    let mut observed = station::observe();
    let stream = connect(&observed.path);
    // The monitor may close the connection while this is sent.
    let _ = (&stream).write_all(&vec![b'x'; 16 << 20]);
    let mut rest = Vec::new();
    let ended = (&stream).take(1 << 20).read_to_end(&mut rest);
    assert!(ended.is_ok() || ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
    assert!(rest.len() < 200, "{}", rest.len());
    assert_alive(&mut observed);
}

#[test]
fn a_thousand_connections_are_no_harm() {
    let mut observed = station::observe();
    let mut held = Vec::new();
    for _ in 0..1000 {
        held.push(connect(&observed.path));
        observed.client.number(0, CONTROL, 4);
    }
    let open = |stream: &UnixStream| {
        stream.set_nonblocking(true).unwrap();
        let is_waiting = |error: std::io::Error| error.kind() == ErrorKind::WouldBlock;
        (&*stream).read(&mut [0]).is_err_and(is_waiting)
    };
    let start = Instant::now();
    while held.iter().filter(|stream| open(stream)).count() > 15 {
        assert!(start.elapsed() < PATIENCE, "more than 16 connections are open");
        thread::sleep(Duration::from_millis(5));
    }
    drop(held);
    assert_alive(&mut observed);
}

#[test]
fn a_tool_that_reads_nothing_is_asked_nothing_more() {
    let mut observed = station::observe();
    let stream = connect(&observed.path);
    stream.set_nonblocking(true).unwrap();
    let line = b"{\"ask\":\"registers\"}\n";
    let start = Instant::now();
    let (mut sent, mut blocked) = (0, 0);
    // Until the socket is full in both directions, and stays so.
    while blocked < 50 {
        assert!(start.elapsed() < PATIENCE, "{sent} bytes were accepted");
        match (&stream).write(line) {
            Ok(count) => (sent, blocked) = (sent + count, 0),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                blocked += 1;
                thread::sleep(Duration::from_millis(2));
            }
            Err(error) => panic!("{error}"),
        }
        observed.client.number(0, CONTROL, 4);
    }
    assert_eq!(observed.value("control"), 0);
    drop(stream);
    assert_alive(&mut observed);
}

/// A request may arrive byte by byte, and several may arrive at once; other tools do not wait.
#[test]
fn slow_and_hasty_tools_are_answered() {
    let mut observed = station::observe();
    let (slow, hasty) = (connect(&observed.path), connect(&observed.path));
    let line = b"{\"ask\":\"register\",\"name\":\"events\"}\n";
    for byte in line {
        (&slow).write_all(&[*byte]).unwrap();
        assert_eq!(observed.value("control"), 0);
    }
    (&hasty).write_all(&line.repeat(20)).unwrap();
    for (stream, replies) in [(&slow, 1), (&hasty, 20)] {
        let lines = BufReader::new(stream).lines().take(replies);
        let shown = lines.map(|reply| reply.unwrap().contains("\"name\":\"events\""));
        assert_eq!(shown.filter(|is_shown| *is_shown).count(), replies);
    }
    assert_alive(&mut observed);
}

/// Names are texts of JSON, with all that may be in them, and none of them is a name here.
#[test]
fn names_with_escapes_are_no_names() {
    let mut observed = station::observe_with(vfio_user::monitor::Monitor::allow_pokes);
    let stream = connect(&observed.path);
    for name in [
        r"",
        r"\u0000",
        r"events\n",
        r"\u001b[2J",
        r"\ud83d\ude00",
        r"ring[9]",
        r"ring[-1]",
        r"a.b.c",
        r"events\u0000",
    ] {
        for ask in ["register", "poke"] {
            let value = if ask == "poke" { ",\"value\":7" } else { "" };
            let line = format!(r#"{{"ask":"{ask}","name":"{name}"{value}}}"#);
            let reply = exchange(&stream, line.as_bytes());
            assert!(reply.starts_with(r#"{"version":1,"error":""#), "{name}: {reply}");
            assert!(reply.trim_end().chars().all(|letter| !letter.is_control()), "{reply:?}");
        }
    }
    assert_eq!(observed.value("control"), 0);
    assert_alive(&mut observed);
}

#[test]
fn connections_that_end_in_the_middle_are_forgotten() {
    let mut observed = station::observe();
    for n in 0..100 {
        let stream = connect(&observed.path);
        (&stream).write_all(b"{\"ask\":\"regi").unwrap();
        if n % 2 == 0 {
            stream.shutdown(Shutdown::Write).unwrap();
        }
    }
    assert_alive(&mut observed);
}

#[test]
fn requests_without_a_pause_leave_the_device_its_time() {
    let mut observed = station::observe();
    let path = observed.path.clone();
    let tools: Vec<_> = (0..4).map(|_| station::connect(&path)).collect();
    thread::scope(|scope| {
        let (stop, is_stopped) = std::sync::mpsc::channel::<()>();
        let is_stopped = std::sync::Arc::new(std::sync::Mutex::new(is_stopped));
        for mut tool in tools {
            let is_stopped = std::sync::Arc::clone(&is_stopped);
            scope.spawn(move || {
                let running = std::sync::mpsc::TryRecvError::Empty;
                while is_stopped.lock().unwrap().try_recv() == Err(running) {
                    tool.ask(&Request::Registers { from: 0 }).unwrap();
                }
            });
        }
        for n in 0..2000u32 {
            observed.client.write(0, station::RING, &n.to_le_bytes());
            assert_eq!(observed.client.number(0, station::RING, 4), u64::from(n));
        }
        drop(stop);
    });
    assert_eq!(observed.counters().writes, 2000);
}
