//! The NVMe controller is handed over with commands under way.

use std::sync::Arc;

use tempfile::NamedTempFile;
use vfio_user_tests::generations::Generations;
use vfio_user_tests::nvme::{Controller, Memory, Writer};

const NVME: &str = env!("CARGO_BIN_EXE_nvme");
const UPGRADES: u32 = 100;
/// Bytes of a command.
const LEN: u32 = 64 << 10;

#[test]
fn a_controller_with_commands_under_way_is_handed_over_100_times() {
    let disk = NamedTempFile::new().unwrap();
    disk.as_file().set_len(Writer::namespace(LEN)).unwrap();
    let mut programs = Generations::start(NVME, &[&format!("--disk={}", disk.path().display())]);
    let memory = Arc::new(Memory::new(16 << 20).unwrap());
    let mut controller = Controller::attach(&programs.socket(), &memory).unwrap();
    let queues = controller.create_queues(1, Writer::ENTRIES).unwrap();
    let mut guest = Writer::new(queues, LEN);
    for _ in 0..UPGRADES {
        let before = guest.completed();
        programs.upgrade_while(|| {
            guest.take();
            guest.submit();
            guest.queues().release().unwrap();
        });
        assert!(guest.completed() > before);
    }
    println!("{} commands", guest.submitted());
    guest.finish(disk.as_file());
}
