//! Types that are written as something else than they are read as: found when a device is
//! constructed.

use std::time::Duration;

use vfio_user::serde::{Deserialize, Serialize};

use super::*;

/// A module of serde whose two functions do not fit.
mod as_text {
    use vfio_user::serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde has it")]
    pub(super) fn serialize<S: Serializer>(number: &u32, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
        u32::deserialize(from)
    }
}

/// One whose two functions do.
mod as_bytes {
    use vfio_user::serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde has it")]
    pub(super) fn serialize<S: Serializer>(number: &u32, to: S) -> Result<S::Ok, S::Error> {
        number.to_be_bytes().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
        <[u8; 4]>::deserialize(from).map(u32::from_be_bytes)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(crate = "vfio_user::serde")]
struct Mixed {
    #[serde(with = "as_text")]
    number: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(crate = "vfio_user::serde")]
struct Fitting {
    #[serde(with = "as_bytes")]
    number: u32,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(crate = "vfio_user::serde", into = "u64", from = "i64")]
#[derive(Clone)]
struct Signed(u32);

impl From<Signed> for u64 {
    fn from(signed: Signed) -> Self {
        signed.0.into()
    }
}

impl From<i64> for Signed {
    fn from(number: i64) -> Self {
        Signed(u32::try_from(number).unwrap_or(0))
    }
}

/// What travels of a time is of a type that is not read as it is written.
mod mixed_seconds {
    use super::{Duration, Mixed};

    pub(super) fn save(time: &Duration) -> Mixed {
        Mixed { number: u32::try_from(time.as_secs()).unwrap_or(u32::MAX) }
    }

    #[expect(clippy::unnecessary_wraps, reason = "as the attribute has it")]
    pub(super) fn load(Mixed { number }: Mixed) -> Result<Duration, &'static str> {
        Ok(Duration::from_secs(number.into()))
    }
}

macro_rules! device {
    ($name:ident { $($body:tt)* }) => {
        #[derive(Debug, Default, PciDevice)]
        #[pci(vendor = 0x1234, device = 0xcafe)]
        #[bar(0: mem32, size = 0x1000)]
        struct $name { $($body)* }

        impl Device for $name {
            type Event = ();
        }
    };
}

device!(Converted {
    #[migrate(with = mixed_seconds)]
    elapsed: Duration,
});
device!(Nested { pair: (bool, Option<Mixed>) });
device!(Listed {
    #[migrate(max_len = 4)]
    jobs: Vec<Mixed>,
});
device!(Long {
    #[migrate(max_len = 4)]
    numbers: Vec<u16>,
});
device!(Signs { count: Signed });
device!(Works { last: Fitting, pair: (bool, Option<Fitting>) });

#[derive(Debug, Default, RegisterBlock)]
struct Lane {
    #[reg(0x00)]
    base: u32,
    job: Mixed,
}

device!(Lanes {
    #[block(0x100, stride = 0x10)]
    lanes: [Lane; 2],
});

device!(Grown {
    #[migrate(grown_from = 1)]
    jobs: [Mixed; 2],
});

/// A block that a version has added.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
#[migrate(version = 2)]
struct NewLanes {
    #[block(0x100, stride = 0x10)]
    #[migrate(since = 2)]
    lanes: [Lane; 2],
}

impl Device for NewLanes {
    type Event = ();
}

/// The same, and a collection that is constructed too long.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
#[migrate(version = 2)]
struct LongAndGrown {
    #[migrate(max_len = 4)]
    numbers: Vec<u16>,
    #[migrate(grown_from = 1)]
    counts: [u32; 2],
}

impl Device for LongAndGrown {
    type Event = ();
}

#[test]
fn a_device_that_has_grown_is_checked_as_any_other() {
    let differs = "it is written as `str` and read as `u32`";
    for (error, section, field) in [
        (refused(Grown { jobs: [Mixed::default(), Mixed::default()] }), "device", "jobs"),
        (refused(NewLanes::default()), "block.lanes", "job"),
    ] {
        let start =
            format!("a new device cannot be saved: field `{field}` of section `{section}`: ");
        assert!(error.starts_with(&start) && error.ends_with(differs), "{error}");
    }
    // Too long is an error of a save.
    let bench =
        Bench::new(LongAndGrown { numbers: vec![0; 5], ..LongAndGrown::default() }).unwrap();
    let error = bench.function().save().unwrap_err().to_string();
    assert!(error.contains("`numbers`") && error.contains('5'), "{error}");
}

/// The error of a device that is not constructed.
fn refused<D: PciDevice>(device: D) -> String {
    let error = Bench::new(device).map(drop).unwrap_err();
    assert!(matches!(error, Error::Unsavable(_)), "{error:?}");
    error.to_string()
}

#[test]
fn a_type_that_is_read_as_another_is_refused_by_name() {
    let differs = "it is written as `str` and read as `u32`";
    let of = |section: &str, field: &str| {
        format!("a new device cannot be saved: field `{field}` of section `{section}`: {differs}")
    };
    assert_eq!(refused(Converted::default()), of("device", "elapsed"));
    assert_eq!(refused(Nested { pair: (true, Some(Mixed::default())) }), of("device", "pair"));
    assert_eq!(refused(Listed { jobs: vec![Mixed::default()] }), of("device", "jobs"));
    assert_eq!(refused(Lanes::default()), of("block.lanes", "job"));
    let signs = refused(Signs::default());
    assert!(
        signs.ends_with("`count` of section `device`: it is written as `u64` and read as `i64`")
    );
}

#[test]
fn a_type_that_is_read_as_it_is_written_works() {
    let used = Works { last: Fitting { number: 7 }, pair: (true, Some(Fitting { number: 8 })) };
    let mut target = Bench::new(Works::default()).unwrap();
    target.load(&Bench::new(used).unwrap().save()).unwrap();
    let Works { last, pair } = target.device();
    assert_eq!((last.number, pair.1.as_ref().map(|of| of.number)), (7, Some(8)));
}

/// A device that holds a job only when its guest has asked for it.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
struct Late {
    #[reg(0x00, wo, write_with = Self::start)]
    start: Virtual<u32>,
    job: Option<Mixed>,
}

impl Device for Late {
    type Event = ();
}

impl Late {
    fn start(&mut self, _: &mut Cx<'_, Self>, number: u32) {
        self.job = Some(Mixed { number });
    }
}

/// What a new device does not hold is found by the first state that has it.
#[test]
#[should_panic(
    expected = "field `job` of section `device`: it is written as `str` and read as `u32`"
)]
fn what_comes_later_is_refused_when_it_is_saved() {
    let mut bench = Bench::new(Late::default()).unwrap();
    bench.save();
    bench.write(0, 0x00, 7_u32);
    bench.save();
}

/// The length of a collection counts when it is saved.
#[test]
#[should_panic(expected = "it holds 5 elements; at most 4 are accepted")]
fn a_collection_that_is_too_long_is_refused_when_it_is_saved() {
    let mut bench = Bench::new(Long { numbers: vec![7; 5] }).unwrap();
    bench.save();
}
