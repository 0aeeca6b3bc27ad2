//! The examples under valgrind: no memory errors, and no leaks.

use std::path::Path;
use std::process::Command;

use vfio_user::client::PciView;
use vfio_user::protocol::{MigrationState, RegionIndex};

use crate::installation::Installation;
use crate::{ADDRESS, COUNT, PATIENCE, STEP};

/// Returns the command that runs a program under valgrind, which fails after an error or a leak.
fn memcheck(program: &Path) -> Option<Command> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "valgrind cannot be run");
        eprintln!("\n*** SKIPPED: valgrind cannot be run ***\n");
        return None;
    }
    let suppressions = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/c/valgrind.supp");
    let mut command = Command::new("valgrind");
    command
        .args(["--quiet", "--error-exitcode=9", "--leak-check=full", "--num-callers=40"])
        .args(["--show-leak-kinds=definite,indirect,possible"])
        .args(["--errors-for-leak-kinds=definite,indirect,possible"])
        .arg(format!("--suppressions={suppressions}"))
        .arg(program);
    Some(command)
}

#[test]
fn the_counter_is_clean_under_valgrind() {
    let installation = Installation::new();
    let program = installation.build("cc", "examples/counter.c");
    let Some(mut command) = memcheck(&program) else { return };
    let program = installation.run(&mut command);
    let counter = program.attach();
    let vectors = counter.enable_msi(1).unwrap();
    let memory = counter.allocate(0x1000).unwrap();
    let bar = counter.bar(0).unwrap();
    bar.write(STEP, 5_u32).unwrap();
    bar.write(ADDRESS, u32::try_from(memory.iova()).unwrap() + 8).unwrap();
    bar.write(COUNT, 0_u32).unwrap();
    assert_eq!(vectors[0].wait(PATIENCE).unwrap(), Some(1));
    assert_eq!(memory.load::<u32>(8).unwrap(), 5);
    assert!(bar.read::<u8>(COUNT).is_err(), "the device refuses bytes");
    drop((memory, vectors));
    migrate_to_itself(&counter);
    assert_eq!(counter.client().region(RegionIndex::Bar0).read::<u32>(COUNT).unwrap(), 5);
    counter.client().reset().unwrap();
    drop(counter);
    program.end();
}

/// Saves the state of a device, and loads it there again.
fn migrate_to_itself(counter: &PciView) {
    let client = counter.client();
    client.set_migration_state(MigrationState::StopCopy).unwrap();
    let mut state = Vec::new();
    client.save(&mut state).unwrap();
    client.set_migration_state(MigrationState::Resuming).unwrap();
    client.load(&mut state.as_slice()).unwrap();
    client.set_migration_state(MigrationState::Running).unwrap();
}

#[test]
fn the_card_is_clean_under_valgrind() {
    let installation = Installation::new();
    let program = installation.build("cc", "examples/idio16.c");
    let Some(mut command) = memcheck(&program) else { return };
    let program = installation.run(&mut command);
    for outputs in [0x08_u8, 0x80] {
        let client = program.client();
        let ports = client.region(RegionIndex::Bar2);
        ports.write(0, outputs).unwrap();
        assert_eq!(ports.read::<u8>(0).unwrap(), outputs);
        client.reset().unwrap();
    }
    program.terminate();
}
