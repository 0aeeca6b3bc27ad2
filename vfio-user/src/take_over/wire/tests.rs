use std::io::Write;
use std::os::fd::OwnedFd;

use super::*;

fn pair() -> (Peer, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut peer = Peer::new(ours).unwrap();
    peer.wait_until(Some(Instant::now() + Duration::from_secs(10)));
    (peer, theirs)
}

fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(HEADER_SIZE + payload.len()).unwrap();
    let header = Header { command: kind.into(), size: size.into(), ..Header::default() };
    [header.as_bytes(), payload].concat()
}

/// Receives what another program has sent, and then nothing more.
fn received(bytes: &[u8]) -> Result<String, TakeOverError> {
    let (mut peer, mut theirs) = pair();
    theirs.write_all(bytes).unwrap();
    drop(theirs);
    peer.expect(Kind::Hello)
}

#[test]
fn parcels_arrive_as_they_were_sent() {
    for (bytes, fds) in [(0, 0), (1, 0), (0, 1), (3 * PART + 5, 2), (10, 300)] {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let sender = thread::spawn(move || {
            let mut parcel = Packing::default();
            let range = parcel.add_bytes(&vec![7; bytes]);
            let numbers: Vec<_> = (0..fds)
                .map(|_| parcel.add(OwnedFd::from(UnixStream::pair().unwrap().0)))
                .collect();
            Peer::new(ours).unwrap().send_parcel(&(range, numbers), &parcel).unwrap();
        });
        let mut peer = Peer::new(theirs).unwrap();
        let (records, parcel) = peer.receive_parcel().unwrap();
        let (range, numbers): (crate::parcel::ByteRange, Vec<crate::parcel::FdNumber>) = records;
        assert_eq!(parcel.bytes(range).unwrap(), vec![7; bytes]);
        assert_eq!(numbers.len(), fds);
        assert!(numbers.iter().all(|number| parcel.fd(*number).is_ok()));
        sender.join().unwrap();
    }
}

#[test]
fn messages_that_are_wrong_are_errors() {
    use TakeOverError as E;
    assert!(matches!(received(b""), Err(E::Closed("HELLO"))));
    assert!(matches!(received(&message(1, b"\"hi\"")[..9]), Err(E::Closed("HELLO"))));
    assert!(matches!(received(&message(2, b"")), Err(E::Unexpected { kind: 2, .. })));
    assert!(matches!(received(&message(1, b"{")), Err(E::Malformed { message: "HELLO", .. })));
    assert!(matches!(received(&message(1, &vec![0; LONGEST])), Err(E::Malformed { .. })));
    assert!(matches!(received(&[0xff; 64]), Err(E::Framing(_))));
    let refused = received(&message(6, b"no \x1b[m"));
    assert!(matches!(refused, Err(E::Refused(reason)) if reason == "no ?[m"));
    assert_eq!(received(&message(1, b"\"hi\"")).unwrap(), "hi");
}

#[test]
fn a_message_that_does_not_come_is_not_waited_for() {
    let (mut peer, mut theirs) = pair();
    peer.wait_until(Some(Instant::now()));
    assert!(matches!(peer.expect::<()>(Kind::Ready), Err(TakeOverError::Late("READY"))));
    theirs.write_all(&message(4, b"nul")).unwrap();
    assert!(matches!(peer.expect::<()>(Kind::Ready), Err(TakeOverError::Malformed { .. })));
}

#[test]
fn parcels_beyond_the_limits_and_others_than_they_say_are_errors() {
    let contents = |records, bytes, fds, crc| {
        let contents = Contents { records, bytes, fds, crc };
        message(2, &serde_json::to_vec(&contents).unwrap())
    };
    let null = crc32c::crc32c(b"null");
    for (first, part) in [
        (contents(usize::MAX, 1, 0, 0), ""),
        (contents(0, MAX_BYTES + 1, 0, 0), ""),
        (contents(4, 0, MAX_FDS + 1, 0), "null"),
        (contents(4, 0, 0, null ^ 1), "null"),
        (contents(4, 0, 0, null), "nulls"),
        (contents(4, 0, 1, null), "null"),
        (contents(5, 0, 0, null), "null"),
    ] {
        let (mut peer, mut theirs) = pair();
        theirs.write_all(&[first, message(3, part.as_bytes())].concat()).unwrap();
        drop(theirs);
        assert!(peer.receive_parcel::<()>().is_err(), "{part:?}");
    }
}
