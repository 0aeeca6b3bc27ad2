//! What the devices do for a client.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use nix::sys::memfd::{MFdFlags, memfd_create};
use vfio_user::client::{Client, DmaMapping};
use vfio_user::protocol::{DmaMapFlags, IrqIndex, MigrationState, RegionIndex};
use vfio_user::{EventFd, client};

use crate::program::{DMA_ENGINE, Folder, IOEVENTFD, IOEVENTFD_BENCH, NULL, Program};

/// A connection to a program that serves it.
fn serving(program: &str) -> (Program, Client) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let program = Program::of(program, OwnedFd::from(theirs).into(), &["--fd=0"]);
    (program, Client::from_stream(ours, client::AttachOptions::default()).unwrap())
}

#[test]
fn null_is_a_configuration_space() {
    let (mut program, client) = serving(NULL);
    assert_eq!(client.region(RegionIndex::Config).read::<u32>(0).unwrap(), 0x0000_1234);
    for bar in &RegionIndex::ALL[..6] {
        assert_eq!(client.region_details(*bar).unwrap().size, 0);
    }
    drop(client);
    assert!(program.ended().success());
}

#[test]
fn the_doorbells_of_ioeventfd_count() {
    let (mut program, client) = serving(IOEVENTFD);
    let bar = client.region(RegionIndex::Bar0);
    let rung = || [0x10, 0x14, 0x18, 0x1c].map(|at| bar.read::<u32>(at).unwrap());
    bar.write(0x00, 1_u32).unwrap();
    bar.post(0x00, 1_u32).unwrap();
    bar.post(0x04, 1_u32).unwrap();
    bar.write(0x08, 2_u32).unwrap();
    assert_eq!(rung(), [2, 1, 1, 0]);
    let details = client.region_details(RegionIndex::Bar0).unwrap();
    let page = details.files[0].as_fd().try_clone_to_owned().unwrap();
    fs::File::from(page).write_all_at(&1_u32.to_le_bytes(), 0x1000).unwrap();
    assert_eq!(rung(), [2, 1, 1, 1]);
    drop(client);
    assert!(program.ended().success());
}

#[test]
fn ioeventfd_bench_compares_four_ways() {
    let folder = Folder::new("bench");
    let path = format!("--socket-path={}", folder.socket().display());
    let mut program = Program::of(IOEVENTFD, Stdio::null(), &[&path, "--once"]);
    while !folder.socket().exists() {
        thread::sleep(Duration::from_millis(2));
    }
    let arguments = [path.as_str(), "--rounds=30", "--gaps=0,300"];
    let output = Command::new(IOEVENTFD_BENCH).args(arguments).output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{table}{}", String::from_utf8_lossy(&output.stderr));
    let rows: Vec<_> = table.lines().skip(2).map(str::trim_start).collect();
    assert_eq!(rows.len(), 3, "{table}");
    for (row, name) in rows.into_iter().zip(["0 µs", "300 µs", "to ring"]) {
        assert!(row.starts_with(name) && row.matches(" / ").count() == 5, "{table}");
    }
    assert!(program.ended().success());
}

#[test]
fn dma_engine_copies_for_a_client() {
    let (mut program, client) = serving(DMA_ENGINE);
    let memory = memfd_create(c"guest", MFdFlags::MFD_CLOEXEC).map(fs::File::from).unwrap();
    memory.set_len(0x10_0000).unwrap();
    let irq = EventFd::new().unwrap();
    client.set_irqs(IrqIndex::Msix, 0, &[Some(&irq)]).unwrap();
    let rights = DmaMapFlags::READ | DmaMapFlags::WRITE;
    client
        .dma_map(DmaMapping {
            iova: 0x8000_0000,
            size: 0x10_0000,
            file: memory.as_fd(),
            offset: 0,
            rights,
        })
        .unwrap();
    let data = vec![0xa5; 0x5000];
    memory.write_all_at(&data, 0x1_0000).unwrap();
    // The second descriptor names memory that is not there.
    for (at, source) in [(0, 0x8001_0000), (1, 0x1000)] {
        let descriptor = [source, 0x8002_0000, 0x5000_u64].map(u64::to_le_bytes);
        memory.write_all_at(descriptor.as_flattened(), at * 24).unwrap();
    }
    let bar = client.region(RegionIndex::Bar0);
    bar.write(0x00, 0x8000_0000_u64).unwrap();
    bar.write(0x08, 16_u32).unwrap();
    bar.write(0x0c, 2_u32).unwrap();
    while bar.read::<u32>(0x10).unwrap() != 2 {
        irq.wait(Duration::from_secs(10)).unwrap().expect("an interrupt");
    }
    let mut copy = vec![0; 0x5001];
    memory.read_exact_at(&mut copy, 0x2_0000).unwrap();
    assert_eq!((&copy[..0x5000], copy[0x5000]), (&data[..], 0));
    let mut status = [0; 2];
    memory.read_exact_at(&mut status[..1], 20).unwrap();
    memory.read_exact_at(&mut status[1..], 44).unwrap();
    assert_eq!((status, bar.read::<u32>(0x14).unwrap()), ([1, 2], 1));
    drop(client);
    assert!(program.ended().success());
}

/// A migration that is cancelled stops the device in the midst of its work, and then it goes on.
#[test]
fn a_dma_engine_that_was_stopped_fails_nothing() {
    const RING: u64 = 24 * 64;
    let (mut program, client) = serving(DMA_ENGINE);
    let memory = memfd_create(c"guest", MFdFlags::MFD_CLOEXEC).map(fs::File::from).unwrap();
    memory.set_len(0x40_0000).unwrap();
    let irq = EventFd::new().unwrap();
    client.set_irqs(IrqIndex::Msix, 0, &[Some(&irq)]).unwrap();
    let rights = DmaMapFlags::READ | DmaMapFlags::WRITE;
    client
        .dma_map(DmaMapping { iova: 0, size: 0x40_0000, file: memory.as_fd(), offset: 0, rights })
        .unwrap();
    let bar = client.region(RegionIndex::Bar0);
    bar.write(0x08, 64_u32).unwrap();
    for round in 0..20_u8 {
        memory.write_all_at(&vec![0; usize::try_from(RING).unwrap()], 0).unwrap();
        memory.write_all_at(&vec![round; 0x8000], 0x10_0000).unwrap();
        let first = u64::from(round) * 40 % 64;
        for n in 0..40 {
            let (at, target) = ((first + n) % 64, 0x20_0000 + n * 0x8000);
            let descriptor = [0x10_0000, target, 0x8000].map(u64::to_le_bytes);
            memory.write_all_at(descriptor.as_flattened(), at * 24).unwrap();
        }
        let end = u32::try_from((first + 40) % 64).unwrap();
        bar.write(0x0c, end).unwrap();
        while bar.read::<u32>(0x10).unwrap() != end {
            client.set_migration_state(MigrationState::Stop).unwrap();
            client.set_migration_state(MigrationState::Running).unwrap();
            thread::sleep(Duration::from_micros(u64::from(round) * 20));
        }
        for n in 0..40 {
            let (mut status, mut copy) = ([0; 4], vec![0; 0x8000]);
            memory.read_exact_at(&mut status, (first + n) % 64 * 24 + 20).unwrap();
            memory.read_exact_at(&mut copy, 0x20_0000 + n * 0x8000).unwrap();
            assert_eq!(u32::from_le_bytes(status), 1, "descriptor {n} of round {round}");
            assert!(copy.iter().all(|byte| *byte == round), "descriptor {n} of round {round}");
        }
    }
    assert_eq!(bar.read::<u32>(0x14).unwrap(), 0, "failures");
    drop(client);
    assert!(program.ended().success());
}
