//! A JSON description of a device, for tools. `docs/describe.md` documents each key.

mod bar;
mod capability;
mod register;

use serde::{Serialize, Serializer};

use bar::{Bar, Block};
use capability::Capability;
use register::Register;

use super::{Family, phrases};
use crate::layout::CONFIG;
use crate::model::{
    self, ComposedInterrupt, DeclaredTimer, Descriptor, Hooks, RegionType, SpecificRegion, Trigger,
};
use crate::protocol::RegionFlags;

/// The version of the JSON layout. It changes when tools for the previous version would misread the
/// new one; added keys do not change it.
pub const VERSION: u32 = 1;

pub(super) fn render(descriptor: &Descriptor) -> String {
    let mut json = serde_json::to_string_pretty(&Device::of(descriptor))
        .expect("there is nothing in it that JSON cannot say");
    json.push('\n');
    json
}

/// A value that may need 64 bits: a string, because many JSON readers hold only 53 bits in a
/// number.
struct Hex(u64);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:#x}", self.0))
    }
}

#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own")]
struct Device {
    version: u32,
    name: &'static str,
    doc: &'static str,
    ids: Ids,
    express: bool,
    needs_bus_master: bool,
    min_gnt: u8,
    max_lat: u8,
    self_test: bool,
    capabilities: Vec<Capability>,
    interrupts: Interrupts,
    timers: Vec<Timer>,
    bars: Vec<Bar>,
    config: Config,
    rom: Option<Rom>,
    vga: bool,
    regions: Vec<Region>,
}

#[derive(Serialize)]
struct Config {
    registers: Vec<Register>,
    blocks: Vec<Block>,
}

#[derive(Serialize)]
struct Ids {
    vendor: u16,
    device: u16,
    class: u32,
    revision: u8,
    subsystem_vendor: u16,
    subsystem: u16,
}

#[derive(Serialize)]
struct Interrupts {
    intx: bool,
    msi: Option<Msi>,
    msix: Option<Msix>,
    composed: Vec<Composed>,
}

#[derive(Serialize)]
struct Composed {
    vector: u16,
    trigger: &'static str,
    status: &'static str,
    computed: bool,
    observed: bool,
    enable: Option<&'static str>,
    mask: Option<&'static str>,
}

#[derive(Serialize)]
struct Msi {
    vectors: u16,
}

#[derive(Serialize)]
struct Msix {
    vectors: u16,
    bar: u8,
    table: Hex,
    pba: Hex,
}

#[derive(Serialize)]
struct Timer {
    name: &'static str,
    doc: &'static str,
    block: Option<String>,
    count: u32,
}

#[derive(Serialize)]
struct Rom {
    size: Hex,
}

#[derive(Serialize)]
struct Region {
    index: u32,
    #[serde(rename = "type")]
    ty: Hex,
    subtype: Hex,
    size: Hex,
    readable: bool,
    writable: bool,
}

impl Timer {
    fn of((timer, block): (&DeclaredTimer, Option<&'static model::Block>)) -> Self {
        Timer {
            name: timer.name(),
            doc: timer.doc(),
            block: block.map(model::Block::path),
            count: timer.count(),
        }
    }
}

impl Device {
    fn of(descriptor: &Descriptor) -> Self {
        let bars = (0..).zip(descriptor.bars());
        Device {
            version: VERSION,
            name: descriptor.name(),
            doc: descriptor.doc(),
            ids: Ids::of(descriptor),
            express: descriptor.is_express(),
            needs_bus_master: descriptor.needs_bus_master(),
            min_gnt: descriptor.min_gnt(),
            max_lat: descriptor.max_lat(),
            self_test: descriptor.has_self_test(),
            capabilities: capability::all(descriptor),
            interrupts: Interrupts::of(descriptor),
            timers: phrases::timers_and_blocks(descriptor).map(Timer::of).collect(),
            bars: bars
                .filter_map(|(index, bar)| Some(Bar::of(descriptor, index, bar.as_ref()?)))
                .collect(),
            config: Config {
                registers: bar::registers(descriptor, CONFIG),
                blocks: bar::blocks(descriptor, CONFIG),
            },
            rom: descriptor.rom().map(|_| Rom { size: Hex(descriptor.rom_size()) }),
            vga: descriptor.has_vga(),
            regions: descriptor.specific_regions().iter().zip(9..).map(Region::of).collect(),
        }
    }
}

impl Region {
    fn of((region, index): (&SpecificRegion, u32)) -> Self {
        let SpecificRegion { ty: RegionType { ty, subtype }, size, access } = *region;
        Region {
            index,
            ty: Hex(ty.into()),
            subtype: Hex(subtype.into()),
            size: Hex(size),
            readable: access.contains(RegionFlags::READ),
            writable: access.contains(RegionFlags::WRITE),
        }
    }
}

impl Ids {
    fn of(descriptor: &Descriptor) -> Self {
        let model::Ids { vendor, device, class, revision, subsystem_vendor, subsystem } =
            descriptor.ids();
        Ids { vendor, device, class, revision, subsystem_vendor, subsystem }
    }
}

impl Interrupts {
    fn of(descriptor: &Descriptor) -> Self {
        let msi = Some(descriptor.msi_vectors()).filter(|vectors| *vectors > 0);
        let msix = descriptor.msix_layout().map(|msix| Msix {
            vectors: msix.vectors,
            bar: msix.bar,
            table: Hex(msix.table),
            pba: Hex(msix.pba),
        });
        let family = Family::of(descriptor);
        Interrupts {
            intx: descriptor.has_intx(),
            msi: msi.map(|vectors| Msi { vectors }),
            msix,
            composed: Composed::all(family),
        }
    }
}

impl Composed {
    fn all(family: Family) -> Vec<Self> {
        family.intrs.iter().filter_map(|intr| Composed::of(intr, family)).collect()
    }

    fn of(intr: &ComposedInterrupt, family: Family) -> Option<Self> {
        let status = family.registers.get(intr.status)?;
        Some(Composed {
            vector: family.vector(intr),
            trigger: match intr.trigger {
                Trigger::Event => "event",
                Trigger::Level => "level",
            },
            status: status.name(),
            computed: status.has(Hooks::STATUS_WITH),
            observed: status.has(Hooks::ON_COMPOSED),
            enable: intr.enable.and_then(|index| family.name(index)),
            mask: intr.mask.and_then(|index| family.name(index)),
        })
    }
}
