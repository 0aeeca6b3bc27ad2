use super::*;

/// The text QEMU 10.1 to 11.1 sends.
const QEMU: &str = r#"{"capabilities": {"pgsizes": 4096, "max_msg_fds": 16, "max_dma_maps": 65535, "max_data_xfer_size": 1048576, "migration": {"max_bitmap_size": 268435456, "pgsize": 4096}, "write_multiple": true}}"#;

/// QEMU takes no more text than it sends, NUL included.
const QEMU_LIMIT: usize = 194;

fn decode(json: &str) -> Result<Capabilities, VersionError> {
    let payload = [&[0; 4], json.as_bytes(), b"\0"].concat();
    Version::decode(&payload).map(|version| version.capabilities)
}

fn everything() -> Capabilities {
    Capabilities {
        twin_socket: Some(TwinSocket { supported: true, fd_index: Some(0) }),
        write_multiple: true,
        migration: Some(MigrationCapability { pgsize: 4096, max_bitmap_size: Some(1 << 28) }),
        ..Capabilities::ours()
    }
}

#[test]
fn the_request_of_qemu_is_decoded() {
    assert_eq!(QEMU.len() + 1, QEMU_LIMIT);
    let expected = Capabilities { twin_socket: None, ..everything() };
    assert_eq!(decode(QEMU).unwrap(), expected);
}

#[test]
fn the_request_of_rust_vmm_is_decoded() {
    let json = r#"{"capabilities":{"max_msg_fds":1,"max_data_xfer_size":1048576,"migration":{"pgsize":4096}}}"#;
    let payload = [&[0, 0, 1, 0], json.as_bytes(), b"\0"].concat();
    let version = Version::decode(&payload).unwrap();
    assert_eq!((version.major, version.minor), (0, 1));
    let migration = Some(MigrationCapability::default());
    assert_eq!(version.capabilities, Capabilities { migration, ..Capabilities::default() });
}

#[test]
fn the_request_of_spdk_without_text_is_decoded() {
    let version = Version::decode(&[0, 0, 1, 0]).unwrap();
    assert_eq!((version.major, version.minor), (0, 1));
    assert_eq!(version.capabilities, Capabilities::default());
}

#[test]
fn absent_members_have_the_defaults_of_the_specification() {
    for json in ["{}", r#"{"capabilities":{}}"#, r#" {"other": [1, {}]} "#] {
        let capabilities = decode(json).unwrap();
        assert_eq!(capabilities, Capabilities::default());
        assert_eq!(capabilities.max_msg_fds, 1);
        assert_eq!(capabilities.max_data_xfer_size, 1_048_576);
        assert_eq!(capabilities.max_dma_maps, 65535);
        assert_eq!(capabilities.pgsizes, 4096);
    }
    let twin = decode(r#"{"capabilities":{"twin_socket":{}}}"#).unwrap().twin_socket;
    assert_eq!(twin, Some(TwinSocket { supported: false, fd_index: None }));
}

#[test]
fn unknown_members_are_ignored() {
    let json = r#"{"x":1.5,"capabilities":{"y":null,"max_msg_fds":3,"twin_socket":{"z":"","supported":true}}}"#;
    let capabilities = decode(json).unwrap();
    assert_eq!(capabilities.max_msg_fds, 3);
    assert_eq!(capabilities.twin_socket, Some(TwinSocket { supported: true, fd_index: None }));
}

#[test]
fn wrong_types_and_values_are_refused() {
    for member in [
        r#""max_msg_fds":8.0"#,
        r#""max_msg_fds":-1"#,
        r#""max_msg_fds":4294967296"#,
        r#""max_msg_fds":"8""#,
        r#""max_msg_fds":null"#,
        r#""max_data_xfer_size":1e6"#,
        r#""max_data_xfer_size":18446744073709551616"#,
        r#""pgsizes":true"#,
        r#""write_multiple":1"#,
        r#""twin_socket":true"#,
        r#""twin_socket":[true]"#,
        r#""twin_socket":null"#,
        r#""migration":[4096]"#,
        r#""migration":{"pgsize":0.5}"#,
        r#""pgsizes":4096,"pgsizes":4096"#,
    ] {
        let result = decode(&format!(r#"{{"capabilities":{{{member}}}}}"#));
        assert!(matches!(result, Err(VersionError::Json(_))), "{member}: {result:?}");
    }
}

#[test]
fn text_that_is_no_json_object_is_refused() {
    for json in ["", " ", "[]", "[{}]", "1", "null", "{", "{}{}", "{} x", r#"{"capabilities":[1]}"#]
    {
        let result = decode(json);
        assert!(matches!(result, Err(VersionError::Json(_))), "{json}: {result:?}");
    }
}

#[test]
fn a_payload_without_a_version_is_refused() {
    for length in 0..4 {
        let error = Version::decode(&[0; 4][..length]).unwrap_err();
        assert!(matches!(error, VersionError::TooShort(n) if n == length));
    }
}

#[test]
fn the_nul_must_be_there_and_last() {
    let error = Version::decode(b"\0\0\0\0{}").unwrap_err();
    assert_eq!(error.to_string(), "version capabilities end with byte 0x7d, accepted is a NUL");
    for payload in [&b"\0\0\0\0{}\0\0"[..], b"\0\0\0\0{}\0{}\0"] {
        assert!(matches!(Version::decode(payload), Err(VersionError::EarlyNul(2, _))));
    }
}

#[test]
fn text_that_is_not_utf_8_is_refused() {
    let result = Version::decode(b"\0\0\0\0{\"\xff\":1}\0");
    assert!(matches!(result, Err(VersionError::Utf8(_))));
}

#[test]
fn deep_nesting_neither_overflows_the_stack_nor_passes_as_a_known_member() {
    let deep = "[".repeat(500_000);
    let closed = "[".repeat(200_000) + &"]".repeat(200_000);
    let objects = r#"{"a":"#.repeat(200_000);
    for value in [&deep, &closed, &objects] {
        assert!(decode(value).is_err());
        for member in ["max_msg_fds", "migration", "twin_socket"] {
            assert!(decode(&format!(r#"{{"capabilities":{{"{member}":{value}}}}}"#)).is_err());
        }
    }
    // An ignored member is skipped without recursion, so whatever this says, it returns.
    let _ = decode(&format!(r#"{{"capabilities":{{"other":{closed}}}}}"#));
}

#[test]
fn what_we_advertise_fits_qemu() {
    for capabilities in [
        Capabilities::ours(),
        Capabilities { migration: Some(MigrationCapability::default()), ..Capabilities::ours() },
        Capabilities { twin_socket: everything().twin_socket, ..Capabilities::ours() },
    ] {
        let payload = Version { capabilities, ..Version::default() }.encode();
        assert!(payload.len() - 4 <= QEMU_LIMIT, "{}", payload.len());
    }
}

#[test]
fn the_encoding_is_compact_and_ends_with_a_nul() {
    let version = Version { major: 0, minor: 2, capabilities: Capabilities::ours() };
    let json = r#"{"capabilities":{"max_msg_fds":16,"max_data_xfer_size":1048576,"max_dma_maps":65535,"pgsizes":4096}}"#;
    assert_eq!(version.encode(), [&[0, 0, 2, 0], json.as_bytes(), b"\0"].concat());
}

#[test]
fn what_is_encoded_is_decoded() {
    for capabilities in [Capabilities::default(), Capabilities::ours(), everything()] {
        let version = Version { major: 0x102, minor: 0x304, capabilities };
        assert_eq!(Version::decode(&version.encode()).unwrap(), version);
    }
}
