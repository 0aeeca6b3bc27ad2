//! What holds for all bytes a peer may send.

use proptest::collection::vec;
use proptest::prelude::*;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::*;

/// Reads the structure from the front of `bytes`, if it fits, and expects the same bytes back.
fn round_trip<T>(bytes: &[u8])
where
    T: FromBytes + IntoBytes + KnownLayout + Immutable + Unaligned,
{
    match T::read_from_prefix(bytes) {
        Ok((value, rest)) => {
            assert_eq!(value.as_bytes(), &bytes[..size_of::<T>()]);
            assert_eq!(rest.len(), bytes.len() - size_of::<T>());
        }
        Err(_) => assert!(bytes.len() < size_of::<T>()),
    }
}

proptest! {
    #[test]
    fn structures_of_any_bytes_round_trip(bytes in vec(any::<u8>(), 0..64)) {
        round_trip::<Header>(&bytes);
        round_trip::<DmaMap>(&bytes);
        round_trip::<DmaUnmap>(&bytes);
        round_trip::<DirtyBitmap>(&bytes);
        round_trip::<DmaAccess>(&bytes);
        round_trip::<DeviceInfo>(&bytes);
        round_trip::<RegionInfo>(&bytes);
        round_trip::<RegionAccess>(&bytes);
        round_trip::<RegionIoFds>(&bytes);
        round_trip::<IoFd>(&bytes);
        round_trip::<WriteMulti>(&bytes);
        round_trip::<WriteMultiEntry>(&bytes);
        round_trip::<CapabilityHeader>(&bytes);
        round_trip::<SparseMmap>(&bytes);
        round_trip::<SparseArea>(&bytes);
        round_trip::<TypeCapability>(&bytes);
        round_trip::<IrqInfo>(&bytes);
        round_trip::<IrqSet>(&bytes);
        round_trip::<DeviceFeature>(&bytes);
        round_trip::<MigrationInfo>(&bytes);
        round_trip::<MigDeviceState>(&bytes);
        round_trip::<DmaLoggingStart>(&bytes);
        round_trip::<DmaLoggingRange>(&bytes);
        round_trip::<DmaLoggingReport>(&bytes);
        round_trip::<MigDataSize>(&bytes);
        round_trip::<MigData>(&bytes);
    }

    #[test]
    fn headers_of_any_bytes_answer_every_question(bytes: [u8; HEADER_SIZE]) {
        let header = Header::read_from_bytes(&bytes).unwrap();
        prop_assert_eq!(header.payload_size().is_some(), header.total_size() >= HEADER_SIZE);
        prop_assert_eq!(header.errno().is_some(), bytes[8] & 0x20 != 0);
        prop_assert_eq!(header.no_reply(), bytes[8] & 0x10 != 0);
        if let Ok(command) = header.command() {
            prop_assert_eq!(u16::from(command), header.command.get());
        }
        for reply in [header.reply(5), header.error_reply(Errno::EIO)] {
            prop_assert_eq!(reply.message_type(), Some(MessageType::Reply));
            prop_assert_eq!(reply.message_id, header.message_id);
            prop_assert_eq!(reply.command, header.command);
            prop_assert!(!reply.no_reply());
        }
    }

    #[test]
    fn errnos_of_any_number_are_in_range(number: u32) {
        prop_assert!((1..=0xffff).contains(&Errno::from_wire(number).get()));
    }

    #[test]
    fn feature_flags_of_any_number_split_or_not(flags: u32) {
        if let Some((index, operation)) = FeatureFlags::split(flags) {
            prop_assert_eq!(u32::from(index) | operation.bits(), flags);
        }
    }

    #[test]
    fn capabilities_of_any_bytes_take_no_more_memory_than_the_bytes(
        bytes in vec(prop_oneof![4 => 0..4_u8, 2 => 32..128_u8, 1 => any::<u8>()], 0..256),
        cap_offset in prop_oneof![4 => 32..64_u32, 1 => any::<u32>()],
    ) {
        if let Ok(capabilities) = RegionCapabilities::parse(&bytes, cap_offset) {
            let areas = capabilities.sparse.unwrap_or_default();
            prop_assert!(areas.capacity() * size_of::<SparseArea>() <= bytes.len());
        }
    }

    #[test]
    fn capabilities_of_plausible_chains_never_panic(
        words in vec(prop_oneof![
            Just(0_u32), Just(1), Just(2), Just(0x1_0001), Just(0x1_0002), (0..256_u32), any::<u32>()
        ], 0..64),
    ) {
        let payload = [&[0; 32], words.as_bytes()].concat();
        if let Ok(capabilities) = RegionCapabilities::parse(&payload, 32) {
            let areas = capabilities.sparse.unwrap_or_default();
            prop_assert!(areas.capacity() * size_of::<SparseArea>() <= payload.len());
        }
    }

    #[test]
    fn capabilities_round_trip(
        areas in vec(any::<[u64; 2]>(), 0..20),
        ty in any::<Option<[u32; 2]>>(),
    ) {
        let areas: Vec<_> = areas
            .into_iter()
            .map(|[offset, size]| SparseArea { offset: offset.into(), size: size.into() })
            .collect();
        let type_ = ty.map(|[ty, sub]| TypeCapability { type_: ty.into(), subtype: sub.into() });
        let all = RegionCapabilities { sparse: Some(areas), type_ };
        let payload = [&[0; 32], all.encode().as_slice()].concat();
        prop_assert_eq!(RegionCapabilities::parse(&payload, 32).unwrap(), all);
    }

    #[test]
    fn versions_of_any_bytes_never_panic(mut bytes in vec(any::<u8>(), 0..64)) {
        let _ = Version::decode(&bytes);
        bytes.push(0);
        let _ = Version::decode(&bytes);
    }

    #[test]
    fn versions_of_any_text_like_json_are_refused_or_stay_the_same(
        json in r#"\{"capabilities":\{("(max_msg_fds|pgsizes|migration|twin_socket|other)":(\{\}|-?[0-9]{1,22}(\.0)?|true|\[\]),?){0,3}\}\}"#,
    ) {
        let payload = [&[0; 4], json.as_bytes(), b"\0"].concat();
        if let Ok(version) = Version::decode(&payload) {
            prop_assert_eq!(Version::decode(&version.encode()).unwrap(), version);
        }
    }
}
