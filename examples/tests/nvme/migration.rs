//! A controller moves between two servers while commands are under way.

use std::ops::ControlFlow::Continue;
use std::path::Path;
use std::sync::Arc;

use tempfile::NamedTempFile;
use vfio_user::client::{AttachOptions, Client, Migration, MigrationProgress};
use vfio_user_tests::PATIENCE;
use vfio_user_tests::nvme::{Controller, Doorbells, Shadow, Writer};
use vfio_user_tests::vm::Program;

use crate::{NVME, attach};

const MIGRATIONS: usize = 100;
/// Bytes of a command: all that are under way take the controller more than one turn.
const LEN: u32 = 256 << 10;

/// How the guest rings.
enum Bells {
    Registers,
    Shadow(Arc<Shadow>),
}

impl Bells {
    fn of(&self, client: &Arc<Client>) -> Doorbells {
        let registers = Doorbells::of(client).unwrap();
        match self {
            Bells::Registers => registers,
            Bells::Shadow(shadow) => Doorbells::Shadow(shadow.with_registers(registers).into()),
        }
    }
}

/// Moves a controller to and fro, with commands under way each time.
fn migrate(arguments: &[&str], share: impl FnOnce(&mut Controller) -> Bells) {
    let disk = NamedTempFile::new().unwrap();
    disk.as_file().set_len(Writer::namespace(LEN)).unwrap();
    let file = format!("--disk={}", disk.path().display());
    let arguments = [&[&file[..]], arguments].concat();
    let servers = [(); 2].map(|()| Program::start(Path::new(NVME), &arguments));
    let (memory, mut controller) = attach(&servers[0], 16 << 20);
    let bells = share(&mut controller);
    let options = AttachOptions { patience: PATIENCE, ..AttachOptions::default() };
    let other = Arc::new(Client::attach_with(servers[1].socket(), options).unwrap());
    memory.share(&other).unwrap();
    let clients = [Arc::clone(controller.client()), other];
    let queues = controller.create_queues(1, Writer::ENTRIES).unwrap();
    let mut guest = Writer::new(queues, LEN);
    let mut moved = 0;
    for number in 0..MIGRATIONS {
        let (from, to) = (number % 2, (number + 1) % 2);
        let migration = Migration::new(&clients[from], &clients[to]).rounds(1);
        let mut is_running = true;
        let report = migration.run(|progress| {
            if matches!(progress, MigrationProgress::Round { number: None, .. }) {
                // The source is stopped, and so is the guest.
                is_running = false;
                moved += guest.take();
            } else if is_running {
                guest.take();
                guest.submit();
            }
            Continue(())
        });
        assert_eq!(report.unwrap().rounds, 1);
        guest.queues().set_doorbells(bells.of(&clients[to]));
        guest.queues().release().unwrap();
    }
    println!("{} commands, {moved} of them completed by the destination", guest.submitted());
    assert!(moved > 100);
    guest.finish(disk.as_file());
}

#[test]
fn every_command_is_completed_once_over_100_migrations() {
    migrate(&[], |_| Bells::Registers);
}

#[test]
fn every_command_is_completed_once_over_100_migrations_of_a_controller_that_polls() {
    migrate(&["--poll"], |_| Bells::Registers);
}

#[test]
fn every_command_is_completed_once_over_100_migrations_with_doorbells_in_memory() {
    migrate(&[], |controller| Bells::Shadow(controller.share_doorbells().unwrap()));
}
