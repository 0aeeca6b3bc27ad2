//! Migration and the log of dirty pages, as our own client asks for them.

use std::sync::{Arc, Mutex};

use vfio_user::Error;
use vfio_user::protocol::{DmaMapFlags, Feature, FeatureFlags, MigrationFlags, MigrationState};
use vfio_user_tests::scripted::{answer, attached, refuse, reply};
use vfio_user_tests::wire::{self, command, errno};

const GET: u32 = 0x1_0000;
const SET: u32 = 0x2_0000;
const PROBE: u32 = 0x4_0000;

/// Words of 64 bits one behind the other.
fn longs(longs: &[u64]) -> Vec<u8> {
    longs.iter().flat_map(|long| long.to_le_bytes()).collect()
}

#[test]
fn features_are_probed_and_refusals_mean_no() {
    let (client, thread) = attached(|server| {
        let probe = wire::words(&[8, PROBE | GET | SET | 2]);
        assert_eq!(answer(&server, &probe), probe);
        refuse(&server, &server.receive(), errno::EINVAL);
        refuse(&server, &server.receive(), errno::EINVAL);
    });
    let both = FeatureFlags::GET | FeatureFlags::SET;
    assert!(client.has_feature(Feature::MigDeviceState, both).unwrap());
    assert!(!client.has_feature(Feature::MigDeviceState, both).unwrap());
    assert_eq!(client.migration_flags().unwrap(), MigrationFlags::empty());
    thread.join().unwrap();
}

#[test]
fn migration_states_are_asked_for_and_set() {
    let (client, thread) = attached(|server| {
        let asked = answer(&server, &wire::words(&[16, GET | 1, 5, 0]));
        assert_eq!(asked, wire::words(&[16, GET | 1]));
        let asked = answer(&server, &wire::words(&[16, GET | 2, 6, 0]));
        assert_eq!(asked, wire::words(&[16, GET | 2]));
        let set = wire::words(&[16, SET | 2, 3, u32::MAX]);
        assert_eq!(answer(&server, &set), set);
        answer(&server, &wire::words(&[16, GET | 2, 8, 0]));
        answer(&server, &wire::words(&[16, GET | 2, 8]));
    });
    let flags = MigrationFlags::STOP_COPY | MigrationFlags::PRE_COPY;
    assert_eq!(client.migration_flags().unwrap(), flags);
    assert_eq!(client.migration_state().unwrap(), MigrationState::PreCopy);
    client.set_migration_state(MigrationState::StopCopy).unwrap();
    for _ in 0..2 {
        assert!(matches!(client.migration_state(), Err(Error::Malformed { .. })));
    }
    thread.join().unwrap();
}

#[test]
fn state_is_saved_until_there_is_no_more_even_from_padded_answers() {
    let (client, thread) = attached(|server| {
        for data in [&b"the sta"[..], b"te", b""] {
            let request = server.receive();
            assert_eq!(request.command, command::MIG_DATA_READ);
            let most = wire::u32_at(&request.payload, 4);
            assert_eq!((wire::u32_at(&request.payload, 0), most), (8 + (1 << 20), 1 << 20));
            let size = u32::try_from(data.len()).unwrap();
            let mut payload = [wire::words(&[8 + size, size]), data.to_vec()].concat();
            payload.resize(8 + most as usize, 0);
            reply(&server, &request, &payload);
        }
    });
    let mut stream = Vec::new();
    assert_eq!(client.save(&mut stream).unwrap(), 9);
    assert_eq!(stream, b"the state");
    thread.join().unwrap();
}

#[test]
fn more_state_than_asked_for_or_than_there_is_is_malformed() {
    let (client, thread) = attached(|server| {
        answer(&server, &[wire::words(&[13, 5]), vec![0; 5]].concat());
        answer(&server, &[wire::words(&[12, 4]), vec![0; 3]].concat());
        answer(&server, &[0; 7]);
    });
    for _ in 0..3 {
        let read = client.read_migration_data(&mut [0; 4]);
        assert!(matches!(read, Err(Error::Malformed { .. })), "{read:?}");
    }
    thread.join().unwrap();
}

#[test]
fn state_is_loaded_in_pieces_that_arrive_whole() {
    let state: Vec<u8> = (0..100_000u32).map(|n| n.to_le_bytes()[1]).collect();
    let expected = state.clone();
    let (client, thread) = attached(move |server| {
        let mut loaded = Vec::new();
        while loaded.len() < expected.len() {
            let request = server.receive();
            assert_eq!(request.command, command::MIG_DATA_WRITE);
            assert!(request.size <= 32 * 1024);
            let size = wire::u32_at(&request.payload, 4);
            assert_eq!(wire::u32_at(&request.payload, 0), 8 + size);
            assert_eq!(request.payload.len(), 8 + size as usize);
            loaded.extend_from_slice(&request.payload[8..]);
            reply(&server, &request, &[]);
        }
        assert_eq!(loaded, expected);
    });
    assert_eq!(client.load(&mut &state[..]).unwrap(), 100_000);
    thread.join().unwrap();
}

#[test]
fn a_report_has_what_the_server_logged_and_what_messages_wrote() {
    let (client, thread) = attached(|mut server| {
        answer(&server, &[]);
        let start = [wire::words(&[40, SET | 6]), longs(&[4096, 1, 0, 0x10_0000])].concat();
        assert_eq!(answer(&server, &start), start);
        let write = wire::dma_access(0x1fff, 2, &[1, 2]);
        server.post(command::DMA_WRITE, &write, &[]);
        let report = |bits: &[u8]| {
            [wire::words(&[40, GET | 8]), longs(&[0, 0x10_000, 4096]), bits.to_vec()].concat()
        };
        assert_eq!(answer(&server, &report(&[0x80, 0, 0xff, 0, 0, 0, 0, 0])), report(&[]));
        answer(&server, &report(&[0; 8]));
        refuse(&server, &server.receive(), errno::EINVAL);
        answer(&server, &report(&[0; 7]));
        answer(&server, &wire::words(&[8, SET | 7]));
        refuse(&server, &server.receive(), errno::EINVAL);
    });
    let rights = DmaMapFlags::READ | DmaMapFlags::WRITE;
    let memory = Arc::new(Mutex::new(vec![0; 0x10_000]));
    client.dma_map_memory(0, 0x10_000, memory, rights).unwrap();
    assert_eq!(client.start_dirty_log(4096, &[(0, 0x10_0000)]).unwrap(), 4096);
    let report = || client.dirty_pages(0, 0x10_000, 4096);
    let dirty = report().unwrap();
    assert_eq!(dirty.iter().collect::<Vec<_>>(), [0x1000, 0x2000, 0x7000]);
    assert_eq!(report().unwrap().count(), 0);
    assert_eq!(report().unwrap().count(), 0, "the server knows nothing of this memory");
    assert!(matches!(report(), Err(Error::Malformed { .. })));
    client.stop_dirty_log().unwrap();
    assert!(matches!(report(), Err(Error::Refused { .. })), "nothing is logged");
    thread.join().unwrap();
}
