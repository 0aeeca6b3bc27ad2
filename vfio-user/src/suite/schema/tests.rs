use super::compare::{changes, told};
use super::text::Schema;
use super::*;

const RECORDED: &str = "\
state of edu

section layout, version 2, min 1
    bar0: mem32 0x1000

section device, version 2, min 1
    len: u32
    name: Vec<u8>, at most 8
    pace: f64, since 2
    old: removed

section registers, version 2, min 1
    ring: [u32; 8]

section block.queues, version 1, min 1
    base: [u64; 4]
";

/// What is said of a record that was edited, and whether the edited state is one that may follow.
fn said(edits: &[(&str, &str)]) -> (bool, String) {
    let old = Schema::parse(RECORDED).unwrap();
    let edited = edits.iter().fold(RECORDED.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    let changes = changes(&old, &Schema::parse(&edited).unwrap());
    let is_allowed = changes.iter().all(|change| change.is_allowed);
    (is_allowed, told("edu", changes.iter()).unwrap_or_default())
}

const NEXT: (&str, &str) = ("version 2, min 1", "version 3, min 1");
const FRESH: (&str, &str) = ("version 2, min 1", "version 3, min 3");

#[test]
fn a_record_is_read_as_it_was_written() {
    let schema = Schema::parse(RECORDED).unwrap();
    assert_eq!(Schema::parse(&schema.to_string()).unwrap(), schema);
    for text in ["section device", "    len: u32", "section a, version x, min 1", "nonsense"] {
        assert!(Schema::parse(text).is_err(), "{text}");
    }
}

#[test]
fn the_order_of_fields_is_no_change() {
    let len = "    len: u32\n";
    let edits = [(len, ""), ("    old: removed\n", "    old: removed\n    len: u32\n")];
    assert_eq!(said(&edits), (true, String::new()));
}

#[test]
fn changes_without_a_version_are_told() {
    for (from, to, what) in [
        ("len: u32", "len: u64", "field `len` u32 → u64 in section `device` without a new version"),
        ("[u32; 8]", "[u32; 9]", "field `ring` [u32; 8] → [u32; 9] in section `registers` without"),
        ("at most 8", "at most 9", "field `name` Vec<u8>, at most 8 → Vec<u8>, at most 9"),
        ("    len: u32", "    length: u32, was len", "field len u32 → length u32, was len"),
        ("    len: u32", "    len: removed", "field `len` is removed in section `device` without"),
        ("[u64; 4]", "[u64; 5]", "field `base` [u64; 4] → [u64; 5] in section `block.queues`"),
        ("version 2", "version 1", "section `device` goes back from version 2 to 1"),
        ("state of edu", "state of edo", "it was the state of `edu`"),
    ] {
        let (is_allowed, told) = said(&[(from, to)]);
        assert!(!is_allowed && told.contains("changed incompatibly: "), "{told}");
        assert!(told.contains(what), "{told}");
    }
}

#[test]
fn some_changes_take_a_version() {
    for (from, to) in [
        ("len: u32", "len: u64"),
        ("    len: u32", "    length: u32, was len"),
        ("    len: u32", "    len: removed"),
        ("    ring: [u32; 8]\n", ""),
        ("    pace: f64, since 2", "    pace: f64, since 2\n    new: u8, since 3"),
    ] {
        let ring = ("    old: removed", "    old: removed\n    ring: removed");
        let (is_allowed, told) = said(&[(from, to), NEXT, ring]);
        assert!(is_allowed && told.contains("changed: "), "{told}");
    }
}

#[test]
fn some_changes_leave_older_state_behind() {
    for (from, to, what) in [
        (
            "    len: u32\n",
            "",
            "field `len` is gone in section `device`: name it in `removed(..)`, or \
          accept no state of before (`min = 3`)",
        ),
        (
            "    len: u32",
            "    len: u32\n    new: u8",
            "new field `new` in section `device`: say `since` and \
          `default`, or accept no state of before (`min = 3`)",
        ),
        ("    len: u32", "    len: u32\n    new: u8, since 2", "new field `new`"),
        ("old: removed", "old: u8, since 3", "field `old` has the name of one that was removed"),
        (
            "0x1000",
            "0x2000",
            "field `bar0` mem32 0x1000 → mem32 0x2000 in section `layout`: accept",
        ),
        (
            "section block.queues, version 1, min 1\n    base: [u64; 4]\n",
            "",
            "section `block.queues` is gone",
        ),
        ("block.queues", "block.rings", "section `block.rings` is new"),
    ] {
        let (is_allowed, told) = said(&[(from, to), NEXT]);
        assert!(!is_allowed, "{told}");
        assert!(told.contains(what), "{told}");
        let (is_allowed, told) = said(&[(from, to), FRESH]);
        assert!(is_allowed, "{told}");
    }
}

#[test]
fn sections_of_timers_come_and_blocks_go_when_said_so() {
    let timers = (
        "section registers",
        "section timers, version 3, min 1\n    beat: timer\n\nsection registers",
    );
    assert!(said(&[NEXT, timers]).0);
    let block = ("section block.queues, version 1, min 1\n    base: [u64; 4]\n", "");
    assert!(said(&[NEXT, block, ("old: removed", "old: removed\n    block.queues: removed")]).0);
}

mod record {
    use super::*;
    use crate::{Device, PciDevice};

    macro_rules! edu {
        ($name:ident { $($item:tt)* }) => {
            #[derive(Default, PciDevice)]
            #[pci(vendor = 0x1234, device = 0x11e8, name = "edu")]
            $($item)*
            impl Device for $name {
                type Event = ();
            }
        };
    }
    edu!(First { struct First { len: u32 } });
    edu!(Wrong { struct Wrong { len: u64 } });
    edu!(Right { #[migrate(version = 2)] struct Right { len: u64 } });

    #[test]
    fn what_may_change_is_recorded_when_asked_for() {
        let path = env::temp_dir().join(format!("vfio-user-schema.{}", std::process::id()));
        let missing = check::<First>(&path, false).unwrap_err();
        assert!(missing.ends_with("VFIO_USER_BLESS=1 records it"), "{missing}");
        check::<First>(&path, true).unwrap();
        check::<First>(&path, false).unwrap();
        let wrong = "state of `edu` changed incompatibly: field `len` u32 → u64 in section `device` \
                     without a new version";
        for is_blessed in [false, true] {
            let told = check::<Wrong>(&path, is_blessed).unwrap_err();
            assert!(told.starts_with(wrong), "{told}");
        }
        let changed = check::<Right>(&path, false).unwrap_err();
        assert!(changed.contains("state of `edu` changed: field `len` u32 → u64"), "{changed}");
        check::<Right>(&path, true).unwrap();
        check::<Right>(&path, false).unwrap();
        let back = check::<First>(&path, false).unwrap_err();
        assert!(back.contains("goes back from version 2 to 1"), "{back}");
        let _ = fs::remove_file(&path);
    }
}
