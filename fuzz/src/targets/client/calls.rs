//! Calls of the client.

use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};

use arbitrary::Arbitrary;
use vfio_user::EventFd;
use vfio_user::client::{Client, DmaMapping, MappedBars, PciView};
use vfio_user::protocol::{DmaMapFlags, IrqAction, IrqIndex, MigrationState, RegionIndex};
use vfio_user_tests::files;

use crate::numbers::Number;

/// A call, whatever its result.
#[derive(Arbitrary, Debug)]
pub(super) enum Call {
    RegionDetails(u8),
    Map { region: u8, any_file: bool },
    Ioeventfds(u8),
    IrqDetails(u8),
    SetIrqs { index: u8, start: u8, count: u8 },
    ActOnIrqs { index: u8, action: u8, start: u8, count: u8 },
    Read { region: u8, offset: Number },
    ReadBytes { region: u8, offset: Number, len: u16 },
    Write { region: u8, offset: Number, value: u64 },
    WriteBytes { region: u8, offset: Number, data: Vec<u8> },
    Post { region: u8, offset: Number },
    WriteMulti(Vec<Number>),
    Start { offset: Number, len: u16 },
    DmaMap { iova: Number, size: Number },
    DmaMapMemory { iova: Number, pages: u8 },
    Unmap { iova: Number, size: Number },
    UnmapDirty { iova: Number, size: Number, page_size: Number },
    UnmapAll,
    Features,
    SetState(u8),
    StartLog { page_size: Number, ranges: Vec<(Number, Number)> },
    Dirty { iova: Number, size: Number, page_size: Number },
    Save,
    Load(Vec<u8>),
    Reset,
    Pci,
    MappedBars,
}

/// The most memory of one call, in bytes.
const MOST_MEMORY: u64 = 1 << 20;
const RIGHTS: DmaMapFlags = DmaMapFlags::READ.union(DmaMapFlags::WRITE);

impl Call {
    pub(super) fn perform(&self, client: &Arc<Client>) {
        // What an error is, is not the question here.
        let _ = self.try_perform(client);
    }

    fn try_perform(&self, client: &Arc<Client>) -> vfio_user::Result<()> {
        match self {
            Call::RegionDetails(index) => drop(client.region_details(region(*index))?),
            Call::Map { region: index, any_file } => map(client, region(*index), *any_file)?,
            Call::Ioeventfds(index) => drop(client.ioeventfds(region(*index))?),
            Call::IrqDetails(index) => drop(client.irq_details(irq(*index))?),
            Call::SetIrqs { index, start, count } => {
                let eventfd = EventFd::new()?;
                let all: Vec<_> =
                    (0..*count % 16).map(|n| (n % 3 > 0).then_some(&eventfd)).collect();
                client.set_irqs(irq(*index), (*start).into(), &all)?;
            }
            Call::ActOnIrqs { index, action, start, count } => {
                let action = [IrqAction::Mask, IrqAction::Unmask, IrqAction::Trigger]
                    [usize::from(action % 3)];
                let start = u32::from(*start);
                client.act_on_irqs(irq(*index), action, start..start + u32::from(*count))?;
            }
            Call::Read { region: index, offset } => {
                client.region(region(*index)).read::<u32>(offset.0)?;
            }
            Call::ReadBytes { region: index, offset, len } => {
                client.region(region(*index)).read_bytes(offset.0, &mut vec![0; (*len).into()])?;
            }
            Call::Write { region: index, offset, value } => {
                client.region(region(*index)).write(offset.0, *value)?;
            }
            Call::WriteBytes { region: index, offset, data } => {
                client.region(region(*index)).write_bytes(offset.0, data)?;
            }
            Call::Post { region: index, offset } => {
                client.region(region(*index)).post(offset.0, 1_u32)?;
            }
            Call::WriteMulti(offsets) => {
                let bar = client.region(RegionIndex::Bar0);
                let writes: Vec<_> =
                    offsets.iter().map(|offset| bar.entry(offset.0, 1_u32)).collect();
                client.write_multi(&writes)?;
            }
            Call::Start { offset, len } => {
                let bar = client.region(RegionIndex::Bar0);
                let (one, other) =
                    (bar.start_read_bytes(offset.0, (*len).into())?, bar.start_write(0, 1_u8)?);
                other.wait()?;
                drop(one.wait()?);
            }
            Call::SetState(state) => {
                client.set_migration_state(STATES[usize::from(*state) % STATES.len()])?;
            }
            Call::Features => features(client)?,
            Call::Save => drop(client.save(&mut io::sink())?),
            Call::Load(bytes) => drop(client.load(&mut &bytes[..])?),
            Call::Reset => client.reset()?,
            Call::Pci => pci(client),
            Call::MappedBars => drop(MappedBars::new(client)?),
            memory => memory.reach_memory(client)?,
        }
        Ok(())
    }

    fn reach_memory(&self, client: &Client) -> vfio_user::Result<()> {
        match self {
            Call::DmaMap { iova, size } => {
                let file = files::memory(0x1000);
                let (iova, size, file) = (iova.0, size.0, file.as_fd());
                client.dma_map(DmaMapping { iova, size, file, offset: 0, rights: RIGHTS })
            }
            Call::DmaMapMemory { iova, pages } => {
                let size = u64::from(*pages % 16) << 12;
                let memory = vec![0; usize::try_from(size).unwrap_or(0)];
                client.dma_map_memory(iova.0, size, Arc::new(Mutex::new(memory)), RIGHTS)
            }
            Call::Unmap { iova, size } => client.dma_unmap(iova.0, size.0),
            Call::UnmapDirty { iova, size, page_size } => {
                let size = size.0.min(MOST_MEMORY);
                client.dma_unmap_dirty(iova.0, size, page_size.0).map(drop)
            }
            Call::UnmapAll => client.dma_unmap_all(),
            Call::StartLog { page_size, ranges } => {
                let ranges: Vec<_> = ranges.iter().map(|(iova, size)| (iova.0, size.0)).collect();
                client.start_dirty_log(page_size.0, &ranges).map(drop)
            }
            Call::Dirty { iova, size, page_size } => {
                let pages = client.dirty_pages(iova.0, size.0.min(MOST_MEMORY), page_size.0)?;
                assert_eq!(pages.iter().count(), pages.count());
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

const STATES: [MigrationState; 5] = [
    MigrationState::Running,
    MigrationState::Stop,
    MigrationState::StopCopy,
    MigrationState::PreCopy,
    MigrationState::Resuming,
];

fn region(index: u8) -> RegionIndex {
    RegionIndex::from(u32::from(index % 11))
}

fn irq(index: u8) -> IrqIndex {
    [IrqIndex::Intx, IrqIndex::Msi, IrqIndex::Msix, IrqIndex::Err, IrqIndex::Req]
        [usize::from(index % 5)]
}

fn map(client: &Client, index: RegionIndex, any_file: bool) -> vfio_user::Result<()> {
    let region = client.region_details(index)?;
    let map = if any_file { region.map_any_file()? } else { region.map()? };
    // A map of a file that is shorter, or shrinks.
    for area in map.areas().collect::<Vec<_>>() {
        let _ = map.load::<u8>(area.start);
        let _ = map.read(area.end.saturating_sub(4), &mut [0; 4]);
    }
    Ok(())
}

fn features(client: &Client) -> vfio_user::Result<()> {
    client.migration_flags()?;
    client.migration_state()?;
    client.migration_data_size()?;
    client.stop_dirty_log()
}

/// Sets the function up as a driver does.
fn pci(client: &Arc<Client>) {
    let Ok(view) = PciView::new(Arc::clone(client)) else { return };
    let _ = view.rom_details();
    for bar in 0..6 {
        if let Ok(region) = view.bar(bar) {
            let _ = region.read::<u32>(0);
        }
    }
    if let Ok(vectors) = view.enable_msix(2) {
        let _ = (vectors.mask(0), vectors.unmask(0), vectors.disable());
    }
    if let Ok(buffer) = view.allocate(0x2000) {
        let _ = (buffer.store(0, 1_u32), buffer.unmap());
    }
    let _ = view.reset();
}
