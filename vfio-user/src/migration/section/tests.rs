use proptest::prelude::*;

use super::*;

fn state() -> Vec<u8> {
    let mut writer = SectionsWriter::default();
    let mut device = writer.section("device", 3, 1);
    device.field("head", &0x1234_u16).unwrap();
    device.field("label", "x").unwrap();
    device.needs(2);
    device.finish();
    writer.section("timers", 1, 1).finish();
    writer.finish()
}

fn problem(state: &[u8]) -> SectionProblem {
    match sections(state) {
        Err(StreamError::Section { problem, .. }) => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_written_is_read() {
    let state = state();
    let sections = sections(&state).unwrap();
    let [device, timers] = &sections[..] else { panic!("{sections:?}") };
    assert_eq!((device.id, device.version, device.min_reader), ("device", 3, 2));
    assert!(device.is_critical && device.fields.iter().all(|field| field.is_critical));
    let values: Vec<_> = device.fields.iter().map(|field| (field.name, field.value)).collect();
    assert_eq!(values, [("head", &[3, 0xfb, 0x34, 0x12][..]), ("label", &[15, 1, b'x'])]);
    assert_eq!((timers.id, timers.fields.len()), ("timers", 0));
}

#[test]
fn a_part_of_it_is_refused() {
    let state = state();
    let first = state.len() - "timers".len() - 1 - HEADER;
    for len in (1..state.len()).filter(|len| *len != first) {
        assert_eq!(problem(&state[..len]), SectionProblem::Truncated, "{len} bytes");
    }
}

#[test]
fn what_is_wrong_is_reported() {
    let state = state();
    let changed = |at: usize, byte: u8| {
        let mut state = state.clone();
        state[at] = byte;
        problem(&state)
    };
    assert_eq!(changed(0, 0), SectionProblem::Name);
    assert_eq!(changed(1, b'-'), SectionProblem::Name);
    assert_eq!(changed(11, 0x81), SectionProblem::Flags(0x81));
    assert_eq!(changed(14, 0xff), SectionProblem::Fields(0xff02));
    assert_eq!(changed(13, 1), SectionProblem::Filling);
    let twice = [&state[..], &state[..]].concat();
    assert_eq!(problem(&twice), SectionProblem::Duplicate("device".into()));
}

#[test]
fn sections_have_an_end() {
    let mut writer = SectionsWriter::default();
    for place in 0..=MAX_SECTIONS {
        writer.section(&format!("s{place}"), 1, 1).finish();
    }
    assert_eq!(problem(&writer.finish()), SectionProblem::Sections);
}

proptest! {
    #[test]
    fn anything_may_come(bytes: Vec<u8>) {
        let _ = sections(&bytes);
    }
}
