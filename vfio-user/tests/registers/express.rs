//! Links, payloads and tags of PCI Express functions.

use std::error::Error as _;

use vfio_user::declaration::{Capability, Descriptor, Express, ExpressPort};
use vfio_user::{Bench, Device, PciDevice, Result};

const DEVICE_CAPABILITIES: u64 = 0x04;
const DEVICE_CONTROL: u64 = 0x08;
const LINK_CAPABILITIES: u64 = 0x0c;
const LINK_STATUS: u64 = 0x12;
const DEVICE_CAPABILITIES_2: u64 = 0x24;
const LINK_CAPABILITIES_2: u64 = 0x2c;
const LINK_CONTROL_2: u64 = 0x30;

const LANES: u8 = 16;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[capability(express(speed = 5, width = LANES, payload = 512, extended_tags))]
struct Fast {}

impl Device for Fast {
    type Event = ();
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[capability(express)]
struct Plain {}

impl Device for Plain {
    type Event = ();
}

/// Its capability is what `configure` adds.
#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[migrate(none)]
struct Configured {
    express: Express,
}

impl Device for Configured {
    type Event = ();

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        descriptor.add_capability(Capability::express_with(self.express));
        Ok(())
    }
}

/// Where the capability is, in a function that has no other.
const AT: u64 = 0x40;

#[test]
fn software_reads_what_is_declared() {
    let mut bench = Bench::new(Fast::default()).unwrap();
    let capabilities = bench.read_config::<u32>(AT + DEVICE_CAPABILITIES);
    assert_eq!(capabilities & 0b11_1111, 0b10_0010, "512 bytes, tags of 8 bits");
    let link = 5 | u32::from(LANES) << 4;
    assert_eq!(bench.read_config::<u32>(AT + LINK_CAPABILITIES) & 0x3ff, link);
    assert_eq!(u32::from(bench.read_config::<u16>(AT + LINK_STATUS)), link);
    assert_eq!(bench.read_config::<u32>(AT + LINK_CAPABILITIES_2), 0b11_1110);
    assert_eq!(bench.read_config::<u16>(AT + LINK_CONTROL_2), 5);
    let completes_tags_of_10_bits = bench.read_config::<u32>(AT + DEVICE_CAPABILITIES_2) >> 16 & 1;
    assert_eq!(completes_tags_of_10_bits, 1, "as every function with 16 GT/s");
}

#[test]
fn a_link_has_one_slow_lane_unless_declared() {
    let mut bench = Bench::new(Plain::default()).unwrap();
    assert_eq!(bench.read_config::<u32>(AT + DEVICE_CAPABILITIES) & 0b11_1111, 0);
    assert_eq!(bench.read_config::<u16>(AT + LINK_STATUS), 0x11);
    assert_eq!(bench.read_config::<u32>(AT + LINK_CAPABILITIES_2), 0b10);
    bench.write_config(AT + LINK_CONTROL_2, 0x2_u16);
    assert_eq!(bench.read_config::<u16>(AT + LINK_CONTROL_2), 1, "there is no other speed");
    bench.write_config(AT + DEVICE_CONTROL, 0x0100_u16);
    assert_eq!(bench.read_config::<u16>(AT + DEVICE_CONTROL) & 0x100, 0, "tags have 5 bits");
}

#[test]
fn software_sets_payload_tags_and_target_speed() {
    let mut bench = Bench::new(Fast::default()).unwrap();
    bench.write_config(AT + DEVICE_CONTROL, 0x0140_u16);
    assert_eq!(bench.read_config::<u16>(AT + DEVICE_CONTROL), 0x0140);
    bench.write_config(AT + LINK_CONTROL_2, 0x0033_u16);
    assert_eq!(bench.read_config::<u16>(AT + LINK_CONTROL_2), 3);
    bench.reset();
    assert_eq!(bench.read_config::<u16>(AT + DEVICE_CONTROL) & 0x1e0, 0);
    assert_eq!(bench.read_config::<u16>(AT + LINK_CONTROL_2), 3, "it is sticky");
}

#[test]
fn the_whole_is_described() {
    let described = vfio_user::describe::text(&Fast::DESCRIPTOR);
    let line = "PCI Express, endpoint, x16 of generation 5, payloads of 512 bytes, extended tags";
    assert!(described.contains(line), "{described}");
}

#[test]
fn links_that_cannot_be_are_refused_at_run_time_too() {
    let endpoint = Express::new(ExpressPort::Endpoint);
    let integrated = Express::new(ExpressPort::Integrated);
    for (express, says) in [
        (endpoint.with_speed(0), "generation"),
        (endpoint.with_speed(7), "generation"),
        (endpoint.with_width(24), "lanes, not 24"),
        (endpoint.with_payload(8192), "4096 bytes, not 8192"),
        (integrated.with_speed(1), "drop `speed`"),
        (integrated.with_width(1), "drop `width`"),
    ] {
        let error = Bench::new(Configured { express }).map(drop).unwrap_err();
        let error = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        assert!(error.contains(says), "{express:?}: {error}");
    }
    let possible = Bench::new(Configured { express: integrated.with_payload(4096) });
    assert!(possible.is_ok());
}

mod suite {
    vfio_user::device_tests!(super::Fast, super::Fast::default);
}
