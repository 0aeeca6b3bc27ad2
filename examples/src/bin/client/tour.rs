//! Every command of the protocol.

use std::sync::Arc;

use vfio_user::Error;
use vfio_user::EventFd;
use vfio_user::client::{Client, PciHeader, PciView, RegionDetails};
use vfio_user::pci::CommandBits;
use vfio_user::protocol::{
    Feature, FeatureFlags, IrqAction, IrqIndex, MigrationFlags, RegionIndex,
};

use crate::end::End;
use crate::guest::pattern;
use crate::memory::Memory;
use crate::{PATIENCE, Result, expect};

/// Sends every command, except those of a migration.
pub(crate) fn run(end: &End) -> Result<()> {
    information(&end.client)?;
    features(&end.client)?;
    end.client.reset()?;
    println!("the device is reset");
    configuration(&end.client)?;
    wrong_accesses(&end.client)?;
    bar1(end)?;
    end.set_up()?;
    interrupts(end)?;
    alarm(end)
}

fn information(client: &Client) -> Result<()> {
    let details = client.details();
    println!("attached: {} regions, {} interrupt indices", details.regions, details.irqs);
    for index in (0..details.regions).map(RegionIndex::from) {
        let region = client.region_details(index)?;
        if region.size > 0 {
            let (doorbells, mapped) = (client.ioeventfds(index)?.len(), mapped(&region)?);
            println!("{index}: {:#x} bytes{mapped}, {doorbells} doorbells", region.size);
        }
    }
    for index in (0..details.irqs).map(IrqIndex::try_from) {
        let index = index?;
        println!("{index}: vectors: {}", client.irq_details(index)?.count);
    }
    let bar0 = client.region_details(RegionIndex::Bar0)?.size;
    let vectors = client.irq_details(IrqIndex::Intx)?.count;
    expect((bar0, vectors) == (8, 1), "BAR 0 has 8 bytes, and INTx is there")
}

fn mapped(region: &RegionDetails) -> Result<String> {
    let areas: Vec<_> = region.map_any_file()?.areas().map(|area| format!("{area:#x?}")).collect();
    Ok(if areas.is_empty() { String::new() } else { format!(", mapped {}", areas.join(" and ")) })
}

fn features(client: &Client) -> Result<()> {
    let (get, set) = (FeatureFlags::GET, FeatureFlags::SET);
    for (feature, operations) in [
        (Feature::Migration, get),
        (Feature::MigDeviceState, get | set),
        (Feature::DmaLoggingStart, set),
        (Feature::DmaLoggingStop, set),
        (Feature::DmaLoggingReport, get),
    ] {
        let is_there = client.has_feature(feature, operations)?;
        expect(is_there, &format!("the server has the feature {feature:?}"))?;
    }
    expect(
        !client.has_feature(Feature::Migration, set)?,
        "the capabilities of a device cannot be set",
    )?;
    let both = MigrationFlags::STOP_COPY | MigrationFlags::PRE_COPY;
    expect(client.migration_flags()?.contains(both), "it migrates in pre-copy and stopped")?;
    println!("features: migration in pre-copy and stopped, the log of dirty pages");
    Ok(())
}

fn configuration(client: &Arc<Client>) -> Result<()> {
    let function = PciView::new(Arc::clone(client))?;
    let PciHeader { vendor, device, subsystem_vendor: by, subsystem, .. } = *function.header();
    println!("config space: {vendor:04x}:{device:04x}, subsystem {by:04x}:{subsystem:04x}");
    let ids = [vendor, device, by, subsystem];
    expect(ids == [0xdead, 0xbeef, 0xcafe, 0xbabe], "this is the classic pair's server")?;
    let enabled = CommandBits::IO_SPACE | CommandBits::MEMORY_SPACE | CommandBits::BUS_MASTER;
    expect(function.command()? == enabled, "the device is enabled")
}

fn wrong_accesses(client: &Client) -> Result<()> {
    let (clock, memory) = (client.region(RegionIndex::Bar0), client.region(RegionIndex::Bar1));
    let nowhere = client.region(RegionIndex::Specific(0));
    for (what, refused) in [
        ("4 bytes of BAR 0 to be read", clock.read::<u32>(0).err()),
        ("a byte of BAR 0 to be read", clock.read::<u8>(7).err()),
        ("2 bytes of BAR 0 to be written", clock.write(0, 0_u16).err()),
        ("8 bytes behind BAR 1 to be read", memory.read::<u64>(1 << 20).err()),
        ("a region that is not there to be read", nowhere.read::<u32>(0).err()),
    ] {
        expect(matches!(refused, Some(Error::Refused { .. })), &format!("{what} is refused"))?;
    }
    println!("accesses of other sizes, and outside, are refused");
    Ok(())
}

fn bar1(end: &End) -> Result<()> {
    let mut expected = pattern(end.bar1.size, 0);
    end.bar1.write(&expected)?;
    expect(end.bar1.read()? == expected, "BAR 1 holds what was written there")?;
    println!("BAR 1: written where it is mapped and by messages, and read by a message");

    let region = end.client.region(RegionIndex::Bar1);
    region.post(0x1000, 0x1122_3344_u32)?;
    let clock = end.client.region(RegionIndex::Bar0);
    let writes = [region.entry(0x1008, 0x5566_7788_u32), region.entry(0x2000, u64::MAX)];
    let refused = [clock.entry(0, 0_u16), region.entry(0x2008, 0_u64)];
    let done = end.client.write_multi(&[writes, refused].concat())?;
    for (offset, bytes) in [
        (0x1000, &[0x44, 0x33, 0x22, 0x11][..]),
        (0x1008, &[0x88, 0x77, 0x66, 0x55]),
        (0x2000, &[0xff; 8]),
    ] {
        expected[offset..][..bytes.len()].copy_from_slice(bytes);
    }
    expect(done == 2, "of several writes those before a wrong one are done")?;
    expect(end.bar1.read()? == expected, "BAR 1 holds what was written there in other ways")?;
    let how =
        if end.client.server_capabilities().write_multiple { "one message" } else { "several" };
    println!("BAR 1: written without an answer, and at several places in {how}");
    Ok(())
}

fn interrupts(end: &End) -> Result<()> {
    let act = |action| end.client.act_on_irqs(IrqIndex::Intx, action, 0..1);
    act(IrqAction::Trigger)?;
    end.expect_irq(PATIENCE)?;
    act(IrqAction::Mask)?;
    act(IrqAction::Trigger)?;
    act(IrqAction::Unmask)?;
    end.expect_irq(PATIENCE)?;
    let unmask = EventFd::new()?;
    end.client.unmask_intx_by(&unmask)?;
    act(IrqAction::Mask)?;
    act(IrqAction::Trigger)?;
    unmask.signal();
    end.expect_irq(PATIENCE)?;
    end.client.disable_irqs(IrqIndex::Intx)?;
    end.client.set_irqs(IrqIndex::Intx, 0, &[Some(&end.irq)])?;
    println!(
        "INTx: triggered, masked, unmasked by a message and by an eventfd, disabled, assigned"
    );
    Ok(())
}

fn alarm(end: &End) -> Result<()> {
    let client = &end.client;
    client.start_dirty_log(Memory::SIZE, &[])?;
    end.set_alarm(1)?;
    let since = client.region(RegionIndex::Bar0).read::<u64>(0)?.cast_signed();
    println!("BAR 0: {since} s since its time");
    expect(since >= -1, "BAR 0 holds the time")?;
    end.expect_alarm(1)?;
    for iova in [Memory::MESSAGES, Memory::DIRECT] {
        let pages = client.dirty_pages(iova, Memory::SIZE, Memory::SIZE)?;
        expect(pages.contains(iova), &format!("the page at {iova:#x} is dirty"))?;
    }
    println!("the interrupt has come; the server has written memory and read it, which is logged");
    let pages = client.dma_unmap_dirty(Memory::DIRECT, Memory::SIZE, Memory::SIZE)?;
    expect(pages.count() == 0, "what was reported is not dirty any more")?;
    client.stop_dirty_log()?;
    client.dma_unmap(Memory::MESSAGES, Memory::SIZE)?;
    println!("memory is taken back");
    end.memory.map_messages(client)?;
    end.memory.map_direct(client)
}
