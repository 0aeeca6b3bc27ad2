//! Configuration spaces, decoded by pciutils and compared with what was declared.

use vfio_user::declaration::{Capability, CapabilityKind, Descriptor};
use vfio_user::{Bench, Device, PciDevice, describe};
use vfio_user_tests::lspci;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve;
use vfio_user_tests::wire::region::CONFIG;
use vfio_user_tests::zoo::Zoo;

fn zoo() -> Descriptor {
    let mut descriptor = Zoo::DESCRIPTOR;
    Zoo::default().configure(&mut descriptor).unwrap();
    descriptor
}

fn served(client: &mut RawClient) -> String {
    lspci::dump(&client.read(CONFIG, 0, 4096))
}

/// Without the line that names the device.
fn lines(dump: &str) -> Vec<&str> {
    dump.lines().skip(1).filter(|line| !line.is_empty()).collect()
}

#[test]
fn what_is_described_is_what_is_served() {
    let (_running, mut client, _kit) = serve::zoo();
    assert_eq!(lines(&describe::lspci(&zoo())), lines(&served(&mut client)));
}

#[test]
fn pciutils_find_every_capability_where_it_was_declared() {
    let (_running, mut client, _kit) = serve::zoo();
    let Some(decoded) = lspci::decode(&served(&mut client)) else { return };
    let descriptor = zoo();
    for (capability, offset) in descriptor.capabilities_at() {
        let said = decoded.capability(offset.into());
        let expected = expected(&descriptor, capability);
        assert!(said.starts_with(&expected), "{expected:?} at {offset:#x}: {said}");
    }
    assert_eq!(decoded.capabilities(), descriptor.capabilities_at().count());
}

/// As a driver has set it up, and as a reset leaves it.
#[test]
fn pciutils_see_what_software_has_written() {
    let (_running, mut client, _kit) = serve::zoo();
    let find = |id| usize::from(zoo().find_capability(id).unwrap()) as u64;
    let (pm, msi, express, msix) = (find(0x01), find(0x05), find(0x10), find(0x11));
    client.write(CONFIG, 0x04, &0x0406_u16.to_le_bytes());
    client.write(CONFIG, 0x10, &0xfebf_0000_u32.to_le_bytes());
    client.write(CONFIG, 0x14, &0xc000_u32.to_le_bytes());
    client.write(CONFIG, 0x18, &0x78_0000_0000_u64.to_le_bytes());
    client.write(CONFIG, 0x30, &0xfe00_0001_u32.to_le_bytes());
    client.write(CONFIG, 0x3c, &[11]);
    client.write(CONFIG, msi + 2, &0x0031_u16.to_le_bytes());
    client.write(CONFIG, msi + 4, &0xfee0_1004_u64.to_le_bytes());
    client.write(CONFIG, msi + 12, &0x4021_u16.to_le_bytes());
    client.write(CONFIG, express + 8, &0x281f_u16.to_le_bytes());
    client.write(CONFIG, express + 0x28, &0x0400_u16.to_le_bytes());
    client.write(CONFIG, msix + 2, &0xc000_u16.to_le_bytes());
    let Some(decoded) = lspci::decode(&served(&mut client)) else { return };
    decoded.holds(&[
        "Control: I/O- Mem+ BusMaster+",
        "DisINTx+\n",
        "routed to IRQ 11\n",
        "Region 0: Memory at febf0000 (32-bit, non-prefetchable)\n",
        "Region 1: I/O ports at c000 [disabled]\n",
        "Region 2: Memory at 7800000000 (64-bit, prefetchable)\n",
        "Expansion ROM at fe000000\n",
        "MSI: Enable+ Count=8/8",
        "Address: 00000000fee01004  Data: 4021\n",
        "DevCtl:\tCorrErr+ NonFatalErr+ FatalErr+ UnsupReq+",
        "MaxPayload 128 bytes, MaxReadReq 512 bytes\n",
        "LTR+ 10BitTagReq-",
        "MSI-X: Enable+ Count=256 Masked+\n",
        "Status: D0 NoSoftRst",
    ]);
    client.write(CONFIG, pm + 4, &0x0003_u16.to_le_bytes());
    let Some(decoded) = lspci::decode(&served(&mut client)) else { return };
    decoded.holds(&["Status: D3 NoSoftRst"]);
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe, self_test)]
#[capability(express(speed = 4, width = 8, payload = 512, extended_tags))]
struct Linked {}

impl Device for Linked {
    type Event = ();
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe, min_gnt = 8, max_lat = 32)]
struct Conventional {}

impl Device for Conventional {
    type Event = ();
}

/// Decodes the configuration space of a device that the guest has made bus master.
fn decoded<D: PciDevice>(device: D, size: u64) -> Option<lspci::Decoded> {
    let mut bench = Bench::new(device).unwrap();
    bench.write_config(0x04, 0x0004_u16);
    bench.write_config(0x0d, 64_u8);
    let space: Vec<u8> = (0..size).map(|at| bench.read_config(at)).collect();
    lspci::decode(&lspci::dump(&space))
}

#[test]
fn pciutils_see_links_and_latencies() {
    let Some(linked) = decoded(Linked::default(), 4096) else { return };
    linked.holds(&[
        "DevCap:\tMaxPayload 512 bytes",
        "ExtTag+",
        "LnkCap:\tPort #0, Speed 16GT/s, Width x8",
        "LnkSta:\tSpeed 16GT/s, Width x8",
        "Supported Link Speeds: 2.5-16GT/s",
        "Target Link Speed: 16GT/s",
        "10BitTagComp+",
        "BIST result: 00\n",
    ]);
    let Some(conventional) = decoded(Conventional::default(), 256) else { return };
    conventional.holds(&["Latency: 64 (2000ns min, 8000ns max)"]);
}

/// How pciutils begin the line of a capability.
fn expected(descriptor: &Descriptor, capability: &Capability) -> String {
    let ids = descriptor.ids();
    match capability.kind() {
        CapabilityKind::Pm(_) => "Power Management version 3".to_owned(),
        CapabilityKind::Msi(_) => {
            format!("MSI: Enable- Count=1/{} Maskable+ 64bit+", descriptor.msi_vectors())
        }
        CapabilityKind::Msix => {
            let msix = descriptor.msix_layout().unwrap();
            format!(
                "MSI-X: Enable- Count={} Masked-\n\t\tVector table: BAR={} offset={:08x}\n\t\tPBA: BAR={} offset={:08x}",
                msix.vectors, msix.bar, msix.table, msix.bar, msix.pba
            )
        }
        CapabilityKind::Express(_) => "Express (v2) Endpoint".to_owned(),
        CapabilityKind::Vendor => "Vendor Specific Information: Len=".to_owned(),
        CapabilityKind::Subsystem => {
            format!("Subsystem: {:04x}:{:04x}", ids.subsystem_vendor, ids.subsystem)
        }
        CapabilityKind::Serial(number) => {
            let bytes = number.to_be_bytes().map(|byte| format!("{byte:02x}"));
            format!("Device Serial Number {}", bytes.join("-"))
        }
        CapabilityKind::Vsec { id, revision } => {
            format!("Vendor Specific Information: ID={id:04x} Rev={revision} Len=010")
        }
        CapabilityKind::Dvsec { vendor, id, revision } => {
            format!(
                "Designated Vendor-Specific: Vendor={vendor:04x} ID={id:04x} Rev={revision} Len=17"
            )
        }
        CapabilityKind::Vpd => "Vital Product Data".to_owned(),
        CapabilityKind::Aer => "Advanced Error Reporting".to_owned(),
        CapabilityKind::Ltr => "Latency Tolerance Reporting".to_owned(),
        CapabilityKind::Custom { id: 0x06 } => "CompactPCI hot-swap".to_owned(),
        CapabilityKind::Extended { id, .. } => format!("Extended Capability ID {id:#x}"),
        other => panic!("what do pciutils say of {other:?}?"),
    }
}
