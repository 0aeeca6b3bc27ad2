//! What is logged when a recording starts.

use tracing::Level;
use vfio_user::function::PciFunction;
use vfio_user::record::Recorded;
use vfio_user::{Cx, Device, PciDevice};

use super::log::logged;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
struct Plain {}

impl Device for Plain {
    type Event = ();
}

/// Its events lack the traits of serde.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
struct Opaque {}

struct Event;

impl Device for Opaque {
    type Event = Event;

    fn event(&mut self, _: &mut Cx<'_, Self>, Event: Event) {}
}

fn starts<D: PciDevice>(device: D) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    logged(Level::WARN, || {
        let function = PciFunction::new(device).unwrap();
        drop(Recorded::new(function, folder.path().join("start.rec")).unwrap());
    })
}

#[test]
fn a_recording_says_at_its_start_that_events_are_missing() {
    let text = "events that threads post are not recorded: their type lacks the traits of serde";
    assert_eq!(starts(Opaque::default()), [text]);
    assert_eq!(starts(Plain::default()), [""; 0]);
}
