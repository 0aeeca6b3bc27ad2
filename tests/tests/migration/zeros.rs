//! Zeros of shared memory, which a load writes in several turns.

use std::os::unix::net::UnixStream;

use vfio_user::client::{AttachOptions, Client};
use vfio_user::protocol::MigrationState::{Resuming, Running as Runs, Stop};
use vfio_user::protocol::RegionIndex::Bar0;
use vfio_user::{Bench, Cx, Device, PciDevice, Server};
use vfio_user_tests::serve::Running;

/// A device whose memory is full of data when it starts.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xf111)]
#[bar(0: mem64, size = 0x200_0000, shared)]
struct Full {
    is_full: bool,
}

impl Device for Full {
    type Event = ();

    fn start(&mut self, cx: &mut Cx<'_, Self>) -> vfio_user::Result<()> {
        if self.is_full {
            cx.shared(0).fill(0..0x200_0000, 7)?;
        }
        Ok(())
    }
}

/// Zeros over all of it take several turns, before which nothing else of the client is done.
#[test]
fn zeros_that_take_turns_are_written_before_the_answer() {
    let stream = Bench::new(Full::default()).unwrap().save();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = Server::from_stream(theirs).unwrap();
    let _running = Running::start(server, |server| server.serve(|| Full { is_full: true }));
    let client = Client::from_stream(ours, AttachOptions::default()).unwrap();
    client.set_migration_state(Stop).unwrap();
    client.set_migration_state(Resuming).unwrap();
    client.load(&mut &stream[..]).unwrap();
    client.set_migration_state(Runs).unwrap();
    let mut bytes = vec![1; 0x10_0000];
    for piece in 0..32_u64 {
        client.region(Bar0).read_bytes(piece * 0x10_0000, &mut bytes).unwrap();
        assert!(bytes.iter().all(|byte| *byte == 0), "piece {piece}");
    }
}
