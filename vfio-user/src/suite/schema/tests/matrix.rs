//! What a schema says of a change is what loading does: for every pair of many declarations.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::super::compare::changes;
use super::super::declared::schema;
use super::super::text::{Entry, Schema};
use crate::bench::Bench;
use crate::migration::is_removed;
use crate::{Device, PciDevice, Register, RegisterBlock};

/// A declaration, and the state of a device that is used.
struct Member {
    name: &'static str,
    /// Those whose state it loads, being their next version.
    after: &'static [&'static str],
    schema: Schema,
    stream: Vec<u8>,
    load: fn(&[u8]) -> Result<(), String>,
}

impl Member {
    fn new<D: PciDevice + Default>(
        name: &'static str,
        after: &'static [&'static str],
        used: D,
    ) -> Self {
        let load = |stream: &[u8]| {
            let loaded = Bench::new(D::default()).unwrap().load(stream);
            loaded.map_err(|error| error.to_string())
        };
        // It comes to be used: it is not constructed like that.
        let mut bench = Bench::new(D::default()).unwrap();
        bench.load(&Bench::new(used).unwrap().save()).unwrap();
        let stream = bench.save();
        Member { name, after, schema: schema::<D>().unwrap(), stream, load }
    }

    /// Whether state of this, and of what came before, is loaded by the other, as their schemas
    /// have it.
    fn verdict(&self, other: &Member) -> (bool, String) {
        let version = |member: &Member| member.schema.sections[0].version;
        let mut next = other.schema.clone();
        for section in &mut next.sections {
            section.version = version(self).max(version(other)) + 1;
        }
        let changes = changes(&self.schema, &next);
        // All that is new is in use, so an older version does not understand it.
        let is_newer = self.schema.sections.iter().any(|section| {
            let other = other.schema.sections.iter().find(|other| other.id == section.id);
            let version = other.map_or(u64::MAX, |other| other.version.into());
            let removed: Vec<_> = other.map(|other| other.removed().collect()).unwrap_or_default();
            let lacks = |name: &str| {
                !is_removed(&removed, name)
                    && other
                        .is_some_and(|other| !other.entries.iter().any(|entry| is_it(entry, name)))
            };
            section.entries.iter().any(|entry| entry.is_part() && lacks(&entry.name))
                || section.entries.iter().any(|entry| entry.since() > version)
        });
        let is_allowed = changes.iter().all(|change| change.is_allowed);
        (is_allowed && !is_newer, format!("{changes:?}"))
    }

    fn loads(&self, old: &Member, all: &[Member]) -> Result<(), String> {
        let before = all.iter().filter(|member| old.after.contains(&member.name));
        before.chain([old]).try_for_each(|member| (self.load)(&member.stream))
    }
}

/// Whether it is a field, under any of its names.
fn is_it(entry: &Entry, name: &str) -> bool {
    entry.name == name || entry.was().any(|was| was == name)
}

fn check(members: &[Member]) {
    let mut wrong = Vec::new();
    for old in members {
        for new in members {
            let ((verdict, changes), loaded) = (old.verdict(new), new.loads(old, members));
            if verdict != loaded.is_ok() {
                wrong.push(format!("{} to {}: {loaded:?}, but {changes}", old.name, new.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

macro_rules! family {
    ($(
        $(#[$attribute:meta])*
        $name:ident $(after($($after:ident),*))? { $($body:tt)* } = { $($used:tt)* }
    )*) => {
        $(
            #[derive(Default, PciDevice)]
            #[pci(vendor = 0x1234, device = 0xcafe, name = "family")]
            #[bar(0: mem32, size = 0x1000)]
            $(#[$attribute])*
            #[allow(dead_code, reason = "only saved and loaded")]
            struct $name { $($body)* }

            impl Device for $name {
                type Event = ();
            }
        )*
        check(&[$(Member::new(
            stringify!($name),
            &[$($(stringify!($after)),*)?],
            #[allow(clippy::needless_update, reason = "some are whole")]
            $name { $($used)*, ..$name::default() },
        )),*]);
    };
}

mod growth;
mod narrow;
mod queues;

#[derive(Debug, Default, Serialize, Deserialize)]
enum Step {
    #[default]
    Idle,
    Copy(u32),
}

#[derive(Debug, Default, Serialize, Deserialize)]
enum More {
    #[default]
    Idle,
    Copy(u32),
    Move {
        to: u8,
    },
}

#[derive(Debug, Default, Serialize, Deserialize)]
enum Other {
    #[default]
    Idle,
    Copy(u64),
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Job {
    head: u16,
    tail: u16,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Swapped {
    tail: u16,
    head: u16,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Longer {
    head: u16,
    tail: u16,
    #[serde(default)]
    more: u8,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Stricter {
    head: u16,
    tail: u16,
    more: u8,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Renamed {
    #[serde(alias = "head")]
    first: u16,
    tail: u16,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct RenamedBehind {
    #[serde(alias = "head")]
    last: u16,
    tail: u16,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Retyped {
    #[serde(alias = "head")]
    first: u32,
    tail: u16,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct RetypedBehind {
    #[serde(alias = "head")]
    last: u32,
    tail: u16,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct NewName {
    first: u16,
    tail: u16,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Wrapped(u32);

mod minutes {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "what a conversion takes")]
    pub(super) fn save(seconds: &u32) -> u64 {
        u64::from(*seconds) / 60
    }

    #[expect(clippy::unnecessary_wraps, reason = "a conversion may refuse")]
    pub(super) fn load(minutes: u64) -> Result<u32, &'static str> {
        Ok(u32::try_from(minutes).unwrap_or(u32::MAX).saturating_mul(60))
    }
}

#[test]
fn types_of_private_fields() {
    family! {
        U32 { x: u32 } = { x: 7 }
        I32 { x: i32 } = { x: 7 }
        U64 { x: u64 } = { x: 7 }
        U8 { x: u8 } = { x: 7 }
        Bool { x: bool } = { x: true }
        F32 { x: f32 } = { x: 7.0 }
        F64 { x: f64 } = { x: 7.0 }
        Char { x: char } = { x: 'x' }
        Maybe { x: Option<u32> } = { x: Some(7) }
        Nothing { x: Option<i32> } = { x: None }
        One { x: (u32,) } = { x: (7,) }
        Pair { x: (u32, u32) } = { x: (7, 7) }
        Newtype { x: Wrapped } = { x: Wrapped(7) }
        Boxed { x: Box<u32> } = { x: Box::new(7) }
        Text { #[migrate(max_len = 8)] x: String } = { x: "seven".into() }
        Converted { #[migrate(with = minutes)] x: u32 } = { x: 420 }
        Map { #[migrate(max_len = 8)] x: BTreeMap<u8, u32> } = { x: BTreeMap::from([(1, 2)]) }
        Wider { #[migrate(max_len = 8)] x: BTreeMap<u16, u32> } = { x: BTreeMap::new() }
    }
}

#[test]
fn lists() {
    family! {
        Four { x: [u8; 4] } = { x: [7; 4] }
        Eight { x: [u8; 8] } = { x: [7; 8] }
        Most4 { #[migrate(max_len = 4)] x: Vec<u8> } = { x: vec![7; 3] }
        Most8 { #[migrate(max_len = 8)] x: Vec<u8> } = { x: vec![7; 7] }
        Words4 { x: [u32; 4] } = { x: [7; 4] }
        Words8 { x: [u32; 8] } = { x: [7; 8] }
        List4 { #[migrate(max_len = 4)] x: Vec<u32> } = { x: vec![7; 3] }
        List8 { #[migrate(max_len = 8)] x: Vec<u32> } = { x: vec![7; 7] }
        Signed { #[migrate(max_len = 8)] x: Vec<i32> } = { x: vec![] }
        Pairs { #[migrate(max_len = 8)] x: Vec<(u8, [u32; 2])> } = { x: vec![(1, [2, 3])] }
        Triples { #[migrate(max_len = 8)] x: Vec<(u8, [u32; 3])> } = { x: vec![(1, [2, 3, 4])] }
        Set { #[migrate(max_len = 8)] x: HashSet<u32> } = { x: (0..7).collect() }
    }
}

/// The fullest that `max_len` allows of texts, lists and maps in others.
#[test]
fn lists_in_lists() {
    let names = |count, len| vec!["x".repeat(len); count];
    family! {
        Names44 { #[migrate(max_len = (4, 4))] x: Vec<String> } = { x: names(4, 4) }
        Names48 { #[migrate(max_len = (4, 8))] x: Vec<String> } = { x: names(4, 8) }
        Names84 { #[migrate(max_len = (8, 4))] x: Vec<String> } = { x: names(8, 4) }
        Names88 { #[migrate(max_len = (8, 8))] x: Vec<String> } = { x: names(8, 8) }
        Bytes48 { #[migrate(max_len = (4, 8))] x: Vec<Vec<u8>> } = { x: vec![vec![7; 8]; 4] }
    }
    family! {
        Deep444 { #[migrate(max_len = (4, 4, 4))] x: Vec<Vec<String>> } = { x: vec![names(4, 4); 4] }
        Deep448 { #[migrate(max_len = (4, 4, 8))] x: Vec<Vec<String>> } = { x: vec![names(4, 8); 4] }
        Deep484 { #[migrate(max_len = (4, 8, 4))] x: Vec<Vec<String>> } = { x: vec![names(8, 4); 4] }
        Deep844 { #[migrate(max_len = (8, 4, 4))] x: Vec<Vec<String>> } = { x: vec![names(4, 4); 8] }
    }
    family! {
        Map42 { #[migrate(max_len = (4, 2))] x: BTreeMap<u8, Vec<u32>> }
            = { x: (0..4).map(|key| (key, vec![7; 2])).collect() }
        Map43 { #[migrate(max_len = (4, 3))] x: BTreeMap<u8, Vec<u32>> }
            = { x: (0..4).map(|key| (key, vec![7; 3])).collect() }
        Map32 { #[migrate(max_len = (3, 2))] x: BTreeMap<u8, Vec<u32>> }
            = { x: (0..3).map(|key| (key, vec![7; 2])).collect() }
    }
    family! {
        Pair4 { #[migrate(max_len = (2, 4))] x: [Vec<String>; 2] } = { x: [names(2, 4), names(2, 4)] }
        Pair5 { #[migrate(max_len = (2, 5))] x: [Vec<String>; 2] } = { x: [names(2, 5), names(2, 5)] }
        Rows2 { #[migrate(max_len = 2)] x: [Vec<u8>; 4] } = { x: std::array::from_fn(|_| vec![7; 2]) }
        Rows3 { #[migrate(max_len = 3)] x: [Vec<u8>; 4] } = { x: std::array::from_fn(|_| vec![7; 3]) }
        List52 { #[migrate(max_len = (5, 2))] x: Vec<Vec<u8>> } = { x: vec![vec![7; 2]; 5] }
        List33 { #[migrate(max_len = (3, 3))] x: Vec<Vec<u8>> } = { x: vec![vec![7; 3]; 3] }
        Maybe4 { #[migrate(max_len = (2, 4))] x: Option<Vec<String>> } = { x: Some(names(2, 4)) }
        Maybe5 { #[migrate(max_len = (2, 5))] x: Option<Vec<String>> } = { x: Some(names(2, 5)) }
    }
}

#[derive(Debug, Default, RegisterBlock)]
struct Labels {
    #[reg(0x00)]
    base: u32,
    #[migrate(max_len = (2, 4))]
    labels: Vec<String>,
}

#[derive(Debug, Default, RegisterBlock)]
#[migrate(version = 2)]
struct LongLabels {
    #[reg(0x00)]
    base: u32,
    #[migrate(max_len = (2, 5))]
    labels: Vec<String>,
}

#[test]
fn lists_in_lists_of_blocks() {
    family! {
        Short { #[block(0x100)] x: Labels }
            = { x: Labels { base: 1, labels: vec!["four".into(); 2] } }
        #[migrate(version = 2)]
        Long { #[block(0x100)] x: LongLabels }
            = { x: LongLabels { base: 1, labels: vec!["fives".into(); 2] } }
    }
}

#[test]
fn types_of_an_author() {
    family! {
        Steps { x: Step } = { x: Step::Copy(7) }
        MoreSteps { x: More } = { x: More::Move { to: 7 } }
        OtherSteps { x: Other } = { x: Other::Copy(7) }
        Jobs { x: Job } = { x: Job { head: 1, tail: 2 } }
        SwappedJobs { x: Swapped } = { x: Swapped { head: 1, tail: 2 } }
        LongerJobs { x: Longer } = { x: Longer { head: 1, tail: 2, more: 3 } }
        StricterJobs { x: Stricter } = { x: Stricter { head: 1, tail: 2, more: 3 } }
        RenamedJobs { x: Renamed } = { x: Renamed { first: 1, tail: 2 } }
        RenamedBehindJobs { x: RenamedBehind } = { x: RenamedBehind { last: 1, tail: 2 } }
        RetypedJobs { x: Retyped } = { x: Retyped { first: 1, tail: 2 } }
        RetypedBehindJobs { x: RetypedBehind } = { x: RetypedBehind { last: 1, tail: 2 } }
        NewNameJobs { x: NewName } = { x: NewName { first: 1, tail: 2 } }
        ManyJobs { #[migrate(max_len = 2)] x: Vec<Job> } = { x: vec![Job { head: 1, tail: 2 }] }
        MaybeJobs { x: Option<(Step, Job)> } = { x: None }
        MaybeMore { x: Option<(More, Job)> } = { x: Some((More::Move { to: 7 }, Job::default())) }
    }
}

#[test]
fn fields_that_come_and_go() {
    family! {
        Plain { x: u32 } = { x: 7 }
        Empty { #[migrate(skip)] x: u32 } = { x: 7 }
        Named { y: u32 } = { y: 7 }
        Was after(Plain) { #[migrate(renamed_from = "x")] y: u32 } = { y: 7 }
        WasTwice after(Plain, Named) { #[migrate(renamed_from("x", "y"))] z: u32 } = { z: 7 }
        #[migrate(version = 2, removed("x"))]
        Gone after(Plain) { #[migrate(skip)] w: u32 } = { w: 7 }
        #[migrate(version = 2)]
        Added after(Plain) { x: u32, #[migrate(since = 2, default = 1)] more: u8 } = { x: 7, more: 3 }
        #[migrate(version = 2)]
        Required { x: u32, more: u8 } = { x: 7, more: 3 }
        #[migrate(version = 3)]
        Later after(Plain) { x: u32, #[migrate(since = 3, default = 2)] more: u8 } = { x: 7, more: 3 }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
enum Mode {
    #[default]
    Off,
    On,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
enum Speed {
    #[default]
    Off,
    On,
    Fast,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
#[register(u32)]
struct Few {
    #[field(bits = 0..=3, reserved = reject)]
    mode: Mode,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
#[register(u32)]
struct Many {
    #[field(bits = 0..=3, reserved = reject)]
    mode: Speed,
}

#[test]
fn registers() {
    family! {
        Whole { #[reg(0x00)] x: u32 } = { x: 0xffff_ffff }
        Byte { #[reg(0x00, mask = 0xff)] x: u32 } = { x: 0xff }
        High { #[reg(0x00, mask = 0xff00)] x: u32 } = { x: 0xff00 }
        Short { #[reg(0x00)] x: u16 } = { x: 0xffff }
        Long { #[reg(0x00)] x: u64 } = { x: u64::MAX }
        Moved { #[reg(0x10)] x: u32 } = { x: 0xffff_ffff }
        Reset { #[reg(0x00, reset = 0xffff_ffff)] x: u32 } = { x: 0xffff_ffff }
        Sticky { #[reg(0x00, w1c)] x: u32 } = { x: 0xffff_ffff }
        Old after(Whole) { #[reg(0x00)] #[migrate(renamed_from = "x")] y: u32 } = { y: 0xffff_ffff }
        New { #[reg(0x00)] y: u32 } = { y: 0xffff_ffff }
        Modes { #[reg(0x00)] x: Few } = { x: Few { mode: Mode::On } }
        Speeds { #[reg(0x00)] x: Many } = { x: Many { mode: Speed::Fast } }
        Two { #[reg(0x00)] x: [u32; 2] } = { x: [0xffff_ffff; 2] }
        Three { #[reg(0x00)] x: [u32; 3] } = { x: [0xffff_ffff; 3] }
        Left { #[reg(0x00)] #[migrate(skip)] x: u32 } = { x: 0xffff_ffff }
        #[migrate(version = 2)]
        Added after(Left) { #[reg(0x00)] #[migrate(since = 2, default = 3)] x: u32 } = { x: 0xffff_ffff }
    }
}

#[derive(Debug, Default, RegisterBlock)]
struct Queue {
    #[reg(0x00)]
    base: u32,
    size: u16,
}

#[derive(Debug, Default, RegisterBlock)]
struct Signed {
    #[reg(0x00)]
    base: u32,
    size: i16,
}

#[derive(Debug, Default, RegisterBlock)]
#[migrate(version = 2)]
struct Larger {
    #[reg(0x00)]
    base: u32,
    #[reg(0x04)]
    #[migrate(since = 2, default = 0)]
    more: u32,
    size: u16,
}

#[test]
fn blocks() {
    family! {
        Two { #[block(0x100)] q: [Queue; 2] } = { q: std::array::from_fn(|_| Queue { base: 1, size: 2 }) }
        Three { #[block(0x100)] q: [Queue; 3] } = { q: std::array::from_fn(|_| Queue { base: 1, size: 2 }) }
        SignedTwo { #[block(0x100)] q: [Signed; 2] } =
            { q: std::array::from_fn(|_| Signed { base: 1, size: 2 }) }
        LargerTwo { #[block(0x100)] q: [Larger; 2] } =
            { q: std::array::from_fn(|_| Larger { base: 1, more: 3, size: 2 }) }
        Renamed { #[block(0x100)] r: [Queue; 2] } = { r: std::array::from_fn(|_| Queue { base: 1, size: 2 }) }
        None { #[migrate(skip)] x: u8 } = { x: 1 }
        #[migrate(version = 2, removed("block.q"))]
        Gone after(Two) { #[migrate(skip)] x: u8 } = { x: 1 }
    }
}
