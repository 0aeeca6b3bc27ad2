//! The classic pair with a derived state, from process to process.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;

use vfio_user::EventFd;
use vfio_user::client::{AttachOptions, Client, DmaMapping, RegionMap};
use vfio_user::protocol::{DmaMapFlags, IrqAction, IrqIndex, MigrationState, RegionIndex};
use vfio_user_tests::clock::BAR1;
use vfio_user_tests::vm::Program;
use vfio_user_tests::{PATIENCE, files};

use MigrationState::{PreCopy, Resuming, Running, Stop, StopCopy};

const PAGE: usize = 0x1000;

/// A client of a clock.
struct Place {
    client: Client,
    bar1: RegionMap,
    irq: EventFd,
    memory: File,
}

impl Place {
    fn at(program: &Program) -> Self {
        let options = AttachOptions { patience: PATIENCE, ..AttachOptions::default() };
        let client = Client::attach_with(program.socket(), options).unwrap();
        let bar1 = client.region_details(RegionIndex::Bar1).unwrap().map().unwrap();
        let (irq, memory) = (EventFd::new().unwrap(), files::memory(PAGE as u64));
        client.set_irqs(IrqIndex::Intx, 0, &[Some(&irq)]).unwrap();
        let rights = DmaMapFlags::READ | DmaMapFlags::WRITE;
        client
            .dma_map(DmaMapping {
                iova: 0,
                size: PAGE as u64,
                file: memory.as_fd(),
                offset: 0,
                rights,
            })
            .unwrap();
        Place { client, bar1, irq, memory }
    }

    fn go(&self, state: MigrationState) {
        self.client.set_migration_state(state).unwrap();
    }

    fn set_alarm(&self, alarm: u64) {
        self.client.region(RegionIndex::Bar0).write(0, alarm).unwrap();
    }

    /// The interrupt comes, and memory says of which alarm it is.
    #[track_caller]
    fn wakes(&self, alarm: u64) {
        assert!(self.irq.wait(PATIENCE).unwrap().is_some());
        let mut bytes = [0; 8];
        self.memory.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(u64::from_le_bytes(bytes), alarm);
        self.client.act_on_irqs(IrqIndex::Intx, IrqAction::Unmask, 0..1).unwrap();
    }

    fn bar1(&self) -> Vec<u8> {
        let mut bytes = vec![0; BAR1];
        self.client.region(RegionIndex::Bar1).read_bytes(0, &mut bytes).unwrap();
        bytes
    }

    /// Fills BAR 1 again and again, where it is mapped and by messages; gives what it wrote last.
    fn write_until(&self, stopped: &Receiver<()>) -> Vec<u8> {
        let region = self.client.region(RegionIndex::Bar1).through(&self.bar1);
        let mut bytes = Vec::new();
        for time in 1_u32.. {
            bytes = (0..0x1000_u32).flat_map(|place| (place * time).to_le_bytes()).collect();
            for (offset, page) in (0..).step_by(PAGE).zip(bytes.chunks(PAGE)) {
                region.write_bytes(offset, page).unwrap();
            }
            if stopped.try_recv() == Err(TryRecvError::Disconnected) {
                break;
            }
        }
        bytes
    }

    /// Moves what there is to be moved now.
    fn copy(&self, to: &Place) {
        let mut state = Vec::new();
        self.client.save(&mut state).unwrap();
        to.client.write_migration_data(&state).unwrap();
    }
}

fn migrate(from: &Place, to: &Place, alarm: u64) {
    from.go(PreCopy);
    to.go(Resuming);
    let last = thread::scope(|scope| {
        let (stop, stopped) = channel();
        let guest = scope.spawn(move || from.write_until(&stopped));
        (0..3).for_each(|_| from.copy(to));
        drop(stop);
        guest.join().unwrap()
    });
    from.set_alarm(alarm);
    from.go(StopCopy);
    from.copy(to);
    to.go(Stop);
    assert_eq!(from.bar1(), last);
    assert_eq!(to.bar1(), last);
    to.go(Running);
    from.go(Stop);
}

#[test]
fn what_was_programmed_in_one_process_happens_in_the_other_one_there_and_back() {
    let programs = [(); 2].map(|()| Program::start(Path::new(env!("CARGO_BIN_EXE_clock")), &[]));
    let [first, second] = programs.each_ref().map(Place::at);
    for (from, to, alarm) in [(&first, &second, 1000), (&second, &first, 1001)] {
        migrate(from, to, alarm);
        to.wakes(alarm);
        assert_eq!(from.irq.take(), None);
    }
    drop([first, second]);
    programs.into_iter().for_each(Program::end);
}
