mod matrix;

use super::compare::{changes, describe};
use super::text::Schema;
use super::*;

const RECORDED: &str = "\
# What a test compares, as format 3. VFIO_USER_BLESS=1 records what may change.
state of edu

section layout, version 2, min 1
    bar0: mem32 0x1000

section device, version 2, min 1
    len: u32
    slot: u8
    name: bytes  at most 8
    pace: f64  since 2  default 1.5
    kind: <Off | On(u8)>  was mode, type
    old: removed

section registers, version 2, min 1
    ring: bits 0xffffffff  elements 8  at 0:0x10 step 0x4 width 4  policy rw
    mode: bits 0xff  at 0:0x0 width 4  policy rw  reset 0x1  fields kind[1:0]!Off=0x0/On=0x1

section block.queues, version 1, min 1
    base: bits 0xffffffffffffffff  elements 4  at 0:0x100 step 0x10 +0x0 width 8  policy rw
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
    (is_allowed, describe("edu", changes.iter()).unwrap_or_default())
}

const NEXT: (&str, &str) = ("version 2, min 1", "version 3, min 1");
const BLOCK: &str = "section block.queues, version 1, min 1\n    base: bits 0xffffffffffffffff  elements 4  at \
     0:0x100 step 0x10 +0x0 width 8  policy rw\n";
const FRESH: (&str, &str) = ("version 2, min 1", "version 3, min 3");

#[test]
fn a_record_is_read_as_it_was_written() {
    let schema = Schema::parse(RECORDED).unwrap();
    assert_eq!(Schema::parse(&schema.to_string()).unwrap(), schema);
    let old = RECORDED.replace("format 3", "format 2");
    assert!(Schema::parse(&old).unwrap_err().contains("record it anew"));
    for text in ["section device", "    len: u32", "section a, version x, min 1", "nonsense"] {
        let head = RECORDED.lines().next().unwrap();
        assert!(Schema::parse(&format!("{head}\n{text}")).is_err(), "{text}");
    }
}

#[test]
fn the_order_of_fields_is_no_change() {
    let len = "    len: u32\n";
    let edits = [(len, ""), ("    old: removed\n", "    old: removed\n    len: u32\n")];
    assert_eq!(said(&edits), (true, String::new()));
}

#[test]
fn changes_without_a_version_are_named() {
    for (from, to, what) in [
        ("at most 8", "at most 9", "field `name` at most 8 → 9 in section `device` without"),
        (
            "default 1.5",
            "default 2.5",
            "field `pace` default 1.5 → 2.5 in section `device` without",
        ),
        ("reset 0x1", "reset 0x2", "field `mode` reset 0x1 → 0x2 in section `registers` without"),
        (
            "width 4  policy rw\n",
            "width 4  policy w1c\n",
            "field `ring` policy rw → w1c in section",
        ),
        ("at 0:0x10", "at 0:0x20", "field `ring` at 0:0x10 step 0x4 width 4 → 0:0x20 step"),
        ("    len: u32", "    len: u32  with minutes", "field `len` with nothing → minutes"),
        ("On(u8)>", "On(u8) | More>", "field `kind` <Off | On(u8)> → <Off | On(u8) | More>"),
        ("    len: u32", "    length: u32  was len", "field len u32 → length u32  was len"),
        ("    len: u32", "    len: removed", "field `len` is removed in section `device` without"),
        ("version 2", "version 1", "section `device` goes back from version 2 to 1"),
        ("state of edu", "state of edo", "it was the state of `edu`"),
    ] {
        let (is_allowed, text) = said(&[(from, to)]);
        assert!(!is_allowed && text.contains("changed incompatibly: "), "{text}");
        assert!(text.contains(what), "{text}");
    }
}

#[test]
fn some_changes_take_a_version() {
    for (from, to) in [
        ("at most 8", "at most 9"),
        ("default 1.5", "default 2.5"),
        ("On(u8)>", "On(u8) | More>"),
        ("bits 0xff ", "bits 0xffff "),
        ("Off=0x0/On=0x1", "Off=0x0/On=0x1/More=0x2"),
        ("    len: u32", "    length: u32  was len"),
        ("    len: u32", "    len: removed"),
        ("policy rw  reset 0x1", "policy w1c"),
        ("    pace: f64", "    new: u8  since 3  default 0\n    pace: f64"),
    ] {
        let (is_allowed, text) = said(&[(from, to), NEXT]);
        assert!(is_allowed && text.contains("changed: "), "{text}");
    }
}

#[test]
fn some_changes_are_refused_when_they_load() {
    for (from, to, what) in [
        ("len: u32", "len: i32", "which is refused: it is `u32` in the state and `i32` in this"),
        ("len: u32", "len: u64", "which is refused: it is `u32` in the state and `u64` in this"),
        (
            "slot: u8",
            "slot: u8 but 0/127..=255",
            "which is refused: it may be 0/127..=255: convert",
        ),
        ("slot: u8", "slot: any", "which is refused: it is `u8` in the state and `any` in this"),
        ("pace: f64", "pace: f32", "which is refused: it is `f64` in the state and `f32` in this"),
        ("On(u8)>", "On(u16)>", "`On` in it is `u8` in the state and `u16` in this version"),
        ("<Off | On(u8)>", "<On(u8)>", "which is refused: it may be `Off`"),
        ("at most 8", "at most 7", "so state with more than 7 elements is refused"),
        ("was mode, type", "was type", "so it is not found as `mode` any more"),
        ("  since 2  default 1.5", "", "so state before version 2 lacks it"),
        ("elements 8", "elements 16", "which has another number of elements"),
        ("elements 4", "elements 5", "which has another number of elements"),
        ("bits 0xff ", "bits 0xf ", "so state with any of the bits 0xf0 is refused"),
        ("Off=0x0/On=0x1", "Off=0x0", "so state with another value of `kind[1:0]` is refused"),
    ] {
        let (is_allowed, text) =
            said(&[(from, to), NEXT, ("version 1, min 1", "version 3, min 1")]);
        assert!(!is_allowed && text.contains(what), "{text}");
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
        ("    len: u32", "    len: u32\n    new: u8  since 2", "new field `new`"),
        ("old: removed", "old: u8  since 3", "field `old` has the name of one that was removed"),
        (
            "0x1000",
            "0x2000",
            "field `bar0` mem32 0x1000 → mem32 0x2000 in section `layout`: accept",
        ),
        (BLOCK, "", "section `block.queues` is gone"),
        ("block.queues", "block.rings", "section `block.rings` is new"),
    ] {
        let (is_allowed, text) = said(&[(from, to), NEXT]);
        assert!(!is_allowed, "{text}");
        assert!(text.contains(what), "{text}");
        let (is_allowed, text) = said(&[(from, to), FRESH]);
        assert!(is_allowed, "{text}");
    }
}

#[test]
fn sections_of_timers_come_and_blocks_go_when_said_so() {
    let timers = (
        "section registers",
        "section timers, version 3, min 1\n    beat: timer\n\nsection registers",
    );
    assert!(said(&[NEXT, timers]).0);
    let block = (BLOCK, "");
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
    edu!(Wrong { #[migrate(version = 2)] struct Wrong { len: u64 } });
    edu!(Right { #[migrate(version = 2)] struct Right { len: u32, #[migrate(since = 2, default = 7)] more: u64 } });

    #[test]
    fn what_may_change_is_recorded_when_asked_for() {
        let path = env::temp_dir().join(format!("vfio-user-schema.{}", std::process::id()));
        let missing = check::<First>(&path, false).unwrap_err();
        assert!(missing.ends_with("VFIO_USER_BLESS=1 records it"), "{missing}");
        check::<First>(&path, true).unwrap();
        check::<First>(&path, false).unwrap();
        let wrong = "state of `edu` changed incompatibly: field `len` u32 → u64 in section `device`, \
                     which is refused: it is `u32` in the state and `u64` in this version: convert \
                     it (`convert`), or accept no state of before (`min = 2`)";
        for is_blessed in [false, true] {
            let text = check::<Wrong>(&path, is_blessed).unwrap_err();
            assert!(text.starts_with(wrong), "{text}");
        }
        let changed = check::<Right>(&path, false).unwrap_err();
        assert!(changed.contains("state of `edu` changed: new field `more`"), "{changed}");
        check::<Right>(&path, true).unwrap();
        check::<Right>(&path, false).unwrap();
        let back = check::<First>(&path, false).unwrap_err();
        assert!(back.contains("goes back from version 2 to 1"), "{back}");
        let _ = fs::remove_file(&path);
    }
}

/// What a device was, and what `convert` makes of it: each kind of change that needs one.
mod converted {
    use super::super::check;
    use crate::bench::Bench;
    use crate::migration::{OldState, StateError};
    use crate::{Device, PciDevice, RegisterBlock};

    #[derive(Default, RegisterBlock)]
    struct Queue {
        #[reg(0x00)]
        base: u32,
    }

    #[derive(Default, PciDevice)]
    #[pci(vendor = 0x1234, device = 0xcafe, name = "card")]
    #[bar(0: mem32, size = 0x1000)]
    struct Card {
        #[reg(0x00)]
        mode: u32,
        #[block(0x100)]
        queues: [Queue; 4],
        bytes: u32,
        lost: u8,
    }

    /// Another count, another type, a register that is private now, a block that is new, a field
    /// gone.
    #[derive(Default, PciDevice)]
    #[pci(vendor = 0x1234, device = 0xcafe, name = "card")]
    #[bar(0: mem32, size = 0x1000)]
    #[migrate(version = 2, convert = Self::from_old)]
    struct Converting {
        #[block(0x100)]
        queues: [Queue; 8],
        #[block(0x800)]
        admin: Queue,
        bytes: u64,
        is_fast: bool,
    }

    impl Converting {
        fn from_old(old: &mut OldState) -> Result<(), StateError> {
            let mode: Option<u64> = old.take("registers", "mode")?;
            old.put("device", "is_fast", &(mode == Some(1)))?;
            let bytes: Option<u32> = old.take("device", "bytes")?;
            old.put("device", "bytes", &u64::from(bytes.unwrap_or(0)))?;
            old.take::<u8>("device", "lost")?;
            let mut base: Vec<u64> = old.take("block.queues", "base")?.unwrap_or_default();
            base.resize(8, 0);
            old.put("block.queues", "base", &base)?;
            old.put("block.admin", "base", &vec![0_u64])
        }
    }

    /// The same without the function.
    #[derive(Default, PciDevice)]
    #[pci(vendor = 0x1234, device = 0xcafe, name = "card")]
    #[bar(0: mem32, size = 0x1000)]
    #[migrate(version = 3)]
    struct Forgetful {
        #[block(0x100)]
        queues: [Queue; 8],
        #[block(0x800)]
        admin: Queue,
        bytes: u64,
        is_fast: bool,
    }

    /// No function makes another BAR of a BAR.
    #[derive(Default, PciDevice)]
    #[pci(vendor = 0x1234, device = 0xcafe, name = "card")]
    #[bar(0: mem32, size = 0x2000)]
    #[migrate(version = 2, convert = Self::from_old)]
    struct Larger {
        #[reg(0x00)]
        mode: u32,
        #[block(0x100)]
        queues: [Queue; 4],
        bytes: u32,
        lost: u8,
    }

    impl Larger {
        fn from_old(old: &mut OldState) -> Result<(), StateError> {
            let lost: Option<u8> = old.take("device", "lost")?;
            old.put("device", "lost", &lost.unwrap_or(1))
        }
    }

    macro_rules! devices {
        ($($name:ident),*) => { $(impl Device for $name { type Event = (); })* };
    }
    devices!(Card, Converting, Forgetful, Larger);

    /// What the check says of a record of the first device, and whether its state loads.
    fn follow<Old, New>() -> (Result<(), String>, bool)
    where
        Old: PciDevice + Default,
        New: PciDevice + Default,
    {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("card.schema");
        check::<Old>(&path, true).unwrap();
        let stream = Bench::new(Old::default()).unwrap().save();
        let loads = Bench::new(New::default()).unwrap().load(&stream).is_ok();
        let verdict = check::<New>(&path, true);
        // What was recorded is compared from then on.
        assert!(verdict.is_err() || check::<New>(&path, false).is_ok());
        (verdict, loads)
    }

    #[test]
    fn what_convert_makes_of_older_state_is_left_to_it() {
        assert_eq!(follow::<Card, Converting>(), (Ok(()), true));
    }

    #[test]
    fn without_convert_each_change_is_refused() {
        let (verdict, loads) = follow::<Card, Forgetful>();
        let text = verdict.unwrap_err();
        assert!(!loads);
        for change in
            ["field `base` elements 4 → 8", "field `bytes` u32 → u64", "`block.admin` is new"]
        {
            assert!(text.contains(change), "{text}");
        }
        assert!(text.contains("convert it (`convert`), or accept no state of before"), "{text}");
    }

    #[test]
    fn what_no_conversion_changes_is_refused() {
        let (verdict, loads) = follow::<Card, Larger>();
        assert!(!loads && verdict.unwrap_err().contains("bar0"));
    }

    /// The first version's state is not converted any more, though the second's still loads.
    #[test]
    fn a_conversion_that_is_dropped_is_named() {
        let (verdict, loads) = follow::<Converting, Forgetful>();
        let text = verdict.unwrap_err();
        assert!(
            loads && text.contains("state before version 2 is not converted any more"),
            "{text}"
        );
    }
}
