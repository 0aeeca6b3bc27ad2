//! Accesses memory as a worker does, for counting instructions: `dma publish|hold|ring COUNT`.

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::mpsc::{Sender, channel};

use vfio_user::{Bench, Cx, Device, DmaError, PciDevice, Ring, Virtual, Work, WorkCx, Worker};

#[derive(Clone, Copy)]
enum Step {
    /// Publishes an entry of 16 bytes.
    Publish,
    /// Holds a page, and releases it.
    Hold,
    /// Reads an entry of 64 bytes.
    Ring,
}

struct Steps {
    step: Step,
    count: u32,
    done: Sender<Result<(), DmaError>>,
}

impl Steps {
    fn perform(&self, cx: &WorkCx) -> Result<(), DmaError> {
        let ring = Ring::new(0x1000, 16);
        let held = ring.hold::<[u8; 16]>(cx.dma())?;
        for n in 0..self.count {
            match self.step {
                Step::Publish => held.publish(u64::from(n % 16) * 16, black_box(&[1; 16]))?,
                Step::Hold => drop(black_box(cx.dma().map_writable(black_box(0x8000), 0x1000)?)),
                Step::Ring => {
                    black_box(ring.read::<[u8; 64]>(cx.dma())?);
                }
            }
        }
        Ok(())
    }
}

impl Work for Steps {
    fn turn(&mut self, cx: &WorkCx) -> bool {
        if self.count == 0 {
            return false;
        }
        let done = self.perform(cx);
        self.count = 0;
        self.done.send(done).is_ok()
    }
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 0x5a5c)]
#[bar(0: mem32, size = 0x1000)]
#[migrate(none)]
struct Memory {
    #[reg(0x00, wo, write_with = Self::run)]
    run: Virtual<u32>,
    steps: Worker<Steps>,
}

impl Device for Memory {
    type Event = ();
}

impl Memory {
    fn run(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        self.steps.run(cx).expect("a thread");
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (step, count) = match arguments[..] {
        ["publish", count] => (Step::Publish, count.parse()),
        ["hold", count] => (Step::Hold, count.parse()),
        ["ring", count] => (Step::Ring, count.parse()),
        _ => return usage(),
    };
    let Ok(count) = count else { return usage() };
    let (done, result) = channel();
    let steps = Worker::new(Steps { step, count, done });
    let mut bench = Bench::new(Memory { run: Virtual::default(), steps }).expect("a device");
    bench.write(0, 0, 1_u32);
    match result.recv() {
        Ok(Ok(())) => ExitCode::SUCCESS,
        failed => {
            eprintln!("dma: {failed:?}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: dma publish|hold|ring COUNT");
    ExitCode::from(2)
}
