//! Logs as they are written, and logs of any bytes.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn route() -> impl Strategy<Value = Route> {
    (1..4_u32, any::<bool>(), any::<bool>()).prop_map(|(connection, is_twin, is_client)| {
        let from = if is_client { Sender::Client } else { Sender::Server };
        Route { connection, is_twin, from }
    })
}

fn descriptor() -> impl Strategy<Value = Descriptor> {
    prop_oneof![
        (0..=i64::MAX as u64).prop_map(Descriptor::File),
        Just(Descriptor::EventFd),
        Just(Descriptor::Socket),
        Just(Descriptor::Other),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let kinds = [Kind::Connected, Kind::Message, Kind::Unframed, Kind::End];
    let kind = (0..4_usize).prop_map(move |kind| kinds[kind]);
    let parts = (any::<u64>(), kind, route(), vec(descriptor(), 0..4), vec(any::<u8>(), 0..40));
    parts.prop_map(|(time, kind, route, descriptors, body)| {
        let time = Duration::from_nanos(time);
        let body = if kind == Kind::Message { message(&body) } else { body };
        Record { time, kind, route, descriptors, body }
    })
}

/// Returns a message with a payload.
fn message(payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(16 + payload.len()).unwrap();
    [&[0; 4][..], &size.to_le_bytes(), &[0; 8], payload].concat()
}

fn written(records: &[Record]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes).unwrap();
    for record in records {
        writer.write(record).unwrap();
    }
    bytes
}

/// Reads records until the end or an error.
fn read(bytes: &[u8]) -> (Vec<Record>, Option<LogError>) {
    let mut records = Vec::new();
    let mut reader = match Reader::new(bytes) {
        Ok(reader) => reader,
        Err(error) => return (records, Some(error)),
    };
    loop {
        match reader.next() {
            Ok(Some(record)) => records.push(record),
            Ok(None) => return (records, None),
            Err(error) => return (records, Some(error)),
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(records in vec(record(), 0..6)) {
        let (found, error) = read(&written(&records));
        prop_assert!(error.is_none());
        prop_assert_eq!(found, records);
    }

    /// The records before the cut are read, and a cut within a record is an error.
    #[test]
    fn a_cut_is_found(records in vec(record(), 1..4), cut: prop::sample::Index) {
        let bytes = written(&records);
        let cut = FILE_HEAD + cut.index(bytes.len() - FILE_HEAD);
        let (found, error) = read(&bytes[..cut]);
        prop_assert_eq!(&found[..], &records[..found.len()]);
        let is_at_end_of_record = written(&found).len() == cut;
        match error {
            None => prop_assert!(is_at_end_of_record),
            Some(LogError::Truncated(at)) => prop_assert_eq!(at, written(&found).len() as u64),
            Some(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn any_bytes_are_records_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
        read(&[&written(&[])[..], &bytes].concat());
    }
}

#[test]
fn other_files_and_versions_are_refused() {
    assert!(matches!(read(b"").1, Some(LogError::Magic)));
    assert!(matches!(read(b"VFUPROX").1, Some(LogError::Magic)));
    assert!(matches!(read(&[0; 100]).1, Some(LogError::Magic)));
    let mut newer = written(&[]);
    newer[8] = 2;
    assert!(matches!(read(&newer).1, Some(LogError::Version(2))));
}

#[test]
fn fields_out_of_range_are_named() {
    for (at, byte, expected) in
        [(3, 0xff, "a size of"), (4, 5, "kind 5"), (5, 4, "flags 4"), (7, 1, "descriptors: 256")]
    {
        let mut bytes = written(&[]);
        let mut head = [0; RECORD_HEAD];
        head[4] = 3;
        head[at] = byte;
        bytes.extend(head);
        let error = read(&bytes).1.expect("it is wrong").to_string();
        assert!(error.contains("byte 16") && error.contains(expected), "{error}");
    }
}

#[test]
fn messages_have_the_size_in_their_header() {
    let route = Route { connection: 1, is_twin: false, from: Sender::Client };
    let time = Duration::ZERO;
    let record = |body| Record { time, kind: Kind::Message, route, descriptors: Vec::new(), body };
    let refuse = |body: Vec<u8>| {
        let error = read(&written(&[record(body)])).1.expect("it is wrong").to_string();
        assert!(error.contains("byte 16"), "{error}");
        error
    };
    let mut long = message(&[1, 2, 3]);
    long.push(4);
    assert!(refuse(long).ends_with("has 20 bytes, its message says 19"));
    assert!(refuse(message(&[])[..15].to_vec()).ends_with("has 15 bytes, its message says 0"));
    refuse(Vec::new());
}
