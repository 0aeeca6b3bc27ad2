use std::env;

use super::*;
use crate::{Device, PciDevice};

macro_rules! device {
    ($name:ident $(version $version:literal)? { $($body:tt)* }) => {
        #[derive(Default, PciDevice)]
        #[pci(vendor = 0x1234, device = 0xcafe, name = "recorded")]
        $(#[migrate(version = $version)])?
        struct $name { $($body)* }

        impl Device for $name {
            type Event = ();
        }
    };
}

device!(Counter { count: u64, step: u32 });
device!(Reordered { step: u32, count: u64 });
device!(Short version 2 { count: u64, step: u32 });
device!(Longer version 2 {
    count: u64,
    step: u32,
    #[migrate(since = 2, default = false)]
    is_fast: bool,
});
device!(Longest version 2 {
    count: u64,
    step: u32,
    #[migrate(since = 2, default = false)]
    is_fast: bool,
    #[migrate(since = 2, default = 0)]
    rate: u16,
});
device!(Narrow { count: u32, step: u32 });

/// A folder of a test's own.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder =
            env::temp_dir().join(format!("vfio-user-streams.{name}.{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        Folder(folder)
    }

    fn check<D: PciDevice + Default>(&self, used: D, is_blessed: bool) -> Result<(), String> {
        check(&Bench::new(used).unwrap(), &mut D::default, &self.0, is_blessed)
    }

    fn recorded(&self) -> Vec<u8> {
        fs::read(self.0.join("v1.stream")).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn saved<D: PciDevice>(device: D) -> Vec<u8> {
    Bench::new(device).unwrap().state()
}

#[test]
fn a_stream_is_recorded_when_that_is_said() {
    let folder = Folder::new("recorded");
    let used = || Counter { count: 7, step: 1 };
    let missing = folder.check(used(), false).unwrap_err();
    assert!(missing.ends_with("VFIO_USER_BLESS=1 records it"), "{missing}");
    folder.check(used(), true).unwrap();
    folder.check(used(), false).unwrap();
    assert!(folder.recorded() == saved(used()));
}

#[test]
fn another_stream_replaces_the_one_that_was_recorded() {
    let folder = Folder::new("replaced");
    folder.check(Counter { count: 7, step: 1 }, true).unwrap();
    let before = folder.recorded();
    // Another use of the device: what was recorded still loads, and is what is saved again.
    folder.check(Counter { count: 8, step: 1 }, false).unwrap();
    assert!(folder.recorded() == before);
    folder.check(Counter { count: 8, step: 1 }, true).unwrap();
    assert!(folder.recorded() == saved(Counter { count: 8, step: 1 }));
    // Another device: what was recorded loads, and is saved as something else.
    let used = || Reordered { step: 1, count: 8 };
    let differs = folder.check(used(), false).unwrap_err();
    assert!(differs.ends_with("VFIO_USER_BLESS=1 records it"), "{differs}");
    folder.check(used(), true).unwrap();
    assert!(folder.recorded() == saved(used()));
    folder.check(used(), false).unwrap();
}

/// Streams with fewer fields may be in the field: they stay, and have to load for ever.
#[test]
fn a_stream_of_another_layout_stays_beside_the_new_one() {
    let folder = Folder::new("aside");
    let read = |name: &str| fs::read(folder.0.join(name)).ok();
    let first = || Short { count: 7, step: 1 };
    let second = || Longer { count: 8, step: 1, is_fast: true };
    let third = || Longest { count: 9, step: 1, is_fast: true, rate: 3 };
    folder.check(first(), true).unwrap();
    folder.check(Short { count: 6, step: 1 }, true).unwrap();
    assert_eq!(read("v2.2.stream"), None, "values alone");
    folder.check(first(), true).unwrap();
    for _ in 0..2 {
        folder.check(second(), true).unwrap();
        assert!(read("v2.stream") == Some(saved(second())));
        assert!(read("v2.2.stream") == Some(saved(first())));
        assert_eq!(read("v2.3.stream"), None);
    }
    folder.check(third(), true).unwrap();
    folder.check(third(), false).unwrap();
    assert!(read("v2.stream") == Some(saved(third())));
    assert!(read("v2.2.stream") == Some(saved(first())));
    assert!(read("v2.3.stream") == Some(saved(second())));
    // Each of them has to load.
    fs::write(folder.0.join("v2.2.stream"), b"damaged").unwrap();
    let refused = folder.check(third(), false).unwrap_err();
    assert!(refused.contains("v2.2.stream does not load"), "{refused}");
}

#[test]
fn a_stream_that_loads_no_more_is_not_replaced() {
    let folder = Folder::new("kept");
    folder.check(Counter { count: 7, step: 1 }, true).unwrap();
    let before = folder.recorded();
    for is_blessed in [false, true] {
        let refused = folder.check(Narrow { count: 7, step: 1 }, is_blessed).unwrap_err();
        assert!(refused.contains("does not load: field `count` of section `device`"), "{refused}");
        assert!(folder.recorded() == before);
    }
}

/// The name of a stream may say its format, and then it is the one that is replaced.
#[test]
fn a_stream_is_replaced_under_its_own_name() {
    let folder = Folder::new("named");
    let named = format!("v1.format{FORMAT}.stream");
    let [first, second] = ["v1.stream", &named].map(|name| folder.0.join(name));
    keep(&second, &saved(Counter { count: 7, step: 1 })).unwrap();
    folder.check(Counter { count: 8, step: 1 }, true).unwrap();
    assert!(!first.exists());
    assert!(fs::read(second).unwrap() == saved(Counter { count: 8, step: 1 }));
}
