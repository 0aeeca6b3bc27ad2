use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use vfio_user::Bench;

use crate::line::{Connector, Line};
use crate::uart::Uart;

vfio_user::device_tests!(Uart, Uart::default);

#[test]
fn most_registers_are_accessed() {
    let coverage = device_suite().coverage();
    assert!(coverage.accessed * 5 >= coverage.registers_total * 4, "{coverage}");
}

const DATA: u64 = 0;
const INTERRUPT_ENABLE: u64 = 1;
const IDENTITY: u64 = 2;
const MODEM_CONTROL: u64 = 4;
const LINE_STATUS: u64 = 5;

const READY: u8 = 1;
const EMPTY: u8 = 0x60;

/// Returns a port whose line leads to the result's other part, through a socket.
fn port() -> (Bench<Uart>, UnixStream) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line.sock");
    let line = Line::open(&Connector::Unix(path.clone())).unwrap();
    let mut port = Bench::new(Uart::new(line)).unwrap();
    let peer = UnixStream::connect(path).unwrap();
    port.handle_events();
    (port, peer)
}

/// Reads what has arrived, as a driver does.
fn receive(port: &mut Bench<Uart>) -> Vec<u8> {
    let mut received = Vec::new();
    while port.read::<u8>(0, LINE_STATUS) & READY != 0 {
        received.push(port.read(0, DATA));
    }
    received
}

#[test]
fn bytes_reach_the_peer_and_come_back() {
    let (mut port, mut peer) = port();
    for byte in b"to the peer" {
        port.write(0, DATA, *byte);
    }
    let mut sent = [0; 11];
    peer.read_exact(&mut sent).unwrap();
    assert_eq!(&sent, b"to the peer");

    port.write(0, INTERRUPT_ENABLE, 1_u8);
    peer.write_all(b"!").unwrap();
    port.handle_events();
    assert_eq!(port.read::<u8>(0, IDENTITY) & 0xf, 0b100);
    assert_eq!(receive(&mut port), b"!");
    assert_eq!(port.read::<u8>(0, IDENTITY) & 0xf, 1);
}

#[test]
fn more_than_the_fifo_holds_waits_in_the_line() {
    let (mut port, mut peer) = port();
    let sent: Vec<u8> = (0..=255).collect();
    peer.write_all(&sent).unwrap();
    port.handle_events();
    assert_eq!(receive(&mut port), sent);
}

#[test]
fn the_rest_of_a_closed_connection_is_received_and_the_next_peer_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line.sock");
    let line = Line::open(&Connector::Unix(path.clone())).unwrap();
    let mut port = Bench::new(Uart::new(line)).unwrap();
    for text in [[b'a'; 40], [b'b'; 40]] {
        let mut peer = UnixStream::connect(&path).unwrap();
        peer.write_all(&text).unwrap();
        drop(peer);
        port.handle_events();
        port.handle_events();
        assert_eq!(receive(&mut port), text);
    }
}

#[test]
fn a_line_without_room_keeps_the_transmitter_full_until_it_has_room() {
    let (mut port, mut peer) = port();
    let mut count = 0;
    while port.read::<u8>(0, LINE_STATUS) & EMPTY != 0 {
        port.write(0, DATA, 0_u8);
        count += 1;
    }
    port.advance(Duration::from_millis(5));
    assert_eq!(port.read::<u8>(0, LINE_STATUS) & EMPTY, 0);

    let mut received = vec![0; count - 1];
    peer.read_exact(&mut received).unwrap();
    port.advance(Duration::from_millis(5));
    assert_eq!(port.read::<u8>(0, LINE_STATUS) & EMPTY, EMPTY);
    peer.read_exact(&mut [0]).unwrap();
}

#[test]
fn a_port_in_loopback_mode_hears_only_itself() {
    let (mut port, mut peer) = port();
    port.write(0, MODEM_CONTROL, 0x10_u8);
    peer.write_all(b"outside").unwrap();
    port.handle_events();
    port.write(0, DATA, b'x');
    assert_eq!(receive(&mut port), b"x");
    port.write(0, MODEM_CONTROL, 0_u8);
    assert_eq!(receive(&mut port), b"outside");
}

#[test]
fn connectors_have_a_text() {
    assert_eq!("pty".parse(), Ok(Connector::Pty));
    assert_eq!("unix:/a:b".parse(), Ok(Connector::Unix("/a:b".into())));
    for wrong in ["", "unix:", "unix", "tty"] {
        wrong.parse::<Connector>().unwrap_err();
    }
}
