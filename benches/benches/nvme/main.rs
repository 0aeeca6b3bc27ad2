//! The data path of an NVMe controller: 4 KiB at random places, by a driver that polls.
//!
//! ```console
//! $ nice -n -10 cargo bench -p vfio-user-benches --bench nvme
//! $ cargo bench -p vfio-user-benches --bench nvme -- --seconds 5 --socket-path /run/vm/other.sock
//! ```
//!
//! It starts the `nvme` example with `--memory` and `--poll`, each side on a processor of its own,
//! and drives it; or the controller at another socket. Beside each figure is its floor: the same
//! commands and copies between two threads over shared memory, without a device. It prints a table,
//! and the same as JSON, and draws the times of a command.

mod floor;
mod pattern;
mod table;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use vfio_user::Result;
use vfio_user_benches::cpu;
use vfio_user_tests::nvme::{Controller, Direction, Memory, Workload};
use vfio_user_tests::vm::Program;

use floor::Floor;
use pattern::{Random, Sequential};
use table::Figures;

/// Bytes of the driver's memory: queues, and a page for each command.
const MEMORY: usize = 4 << 20;
/// Entries of a queue.
const ENTRIES: u16 = 256;

/// Measures an NVMe controller, beside its floor
#[derive(Parser)]
struct Arguments {
    /// Socket of a controller to measure, instead of the example
    #[arg(long, value_name = "PATH")]
    socket_path: Option<PathBuf>,

    /// Seconds of each measurement
    #[arg(long, value_name = "N", default_value_t = 2)]
    seconds: u64,

    /// Numbers of commands under way
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 32, 128])]
    #[arg(value_parser = clap::value_parser!(u16).range(1..i64::from(ENTRIES)))]
    depths: Vec<u16>,

    /// Size of the example's namespace
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    memory: usize,

    /// Processor of the driver
    #[arg(long, value_name = "CPU", default_value_t = 0)]
    driver_cpu: usize,

    /// Processor of the controller
    #[arg(long, value_name = "CPU", default_value_t = 1)]
    controller_cpu: usize,

    /// Leave out the floor
    #[arg(long)]
    no_floor: bool,

    /// What cargo passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let floor = if arguments.no_floor { Vec::new() } else { arguments.measure_floor()? };
    let figures = match &arguments.socket_path {
        Some(path) => arguments.measure_at(path)?,
        None => arguments.measure_example()?,
    };
    table::print(&figures, &floor)?;
    if floor.is_empty() { Ok(()) } else { table::draw(&figures, &floor) }
}

impl Arguments {
    fn measure_example(&self) -> Result<Vec<Figures>> {
        let path = Program::example_path("nvme");
        cpu::pin(self.controller_cpu)?;
        let program = Program::start(&path, &[&format!("--memory={}", self.memory), "--poll"]);
        self.measure_at(&program.socket())
    }

    fn measure_at(&self, socket: &Path) -> Result<Vec<Figures>> {
        cpu::pin(self.driver_cpu)?;
        let memory = Arc::new(Memory::new(MEMORY)?);
        let mut controller = Controller::attach(socket, &memory)?;
        let namespace = controller.namespace(1)?;
        let queues = controller.create_queues(1, ENTRIES)?;
        self.measure(Workload::new(queues, namespace, ENTRIES - 1))
    }

    fn measure_floor(&self) -> Result<Vec<Figures>> {
        cpu::pin(self.driver_cpu)?;
        let memory = Arc::new(Memory::new(MEMORY)?);
        let (floor, queues) =
            Floor::start(&memory, ENTRIES, self.memory << 20, self.controller_cpu);
        self.measure(Workload::new(queues, floor.namespace(), ENTRIES - 1))
    }

    fn measure(&self, mut workload: Workload) -> Result<Vec<Figures>> {
        let places = workload.places();
        // Memory that was never written is one page of zeros.
        workload.run(Direction::Write, 32, &mut Sequential::new(places))?;
        let mut figures = Vec::new();
        for direction in [Direction::Read, Direction::Write] {
            for depth in &self.depths {
                let warm = Duration::from_millis(100);
                workload.run(direction, *depth, &mut Random::new(places, warm))?;
                let time = Duration::from_secs(self.seconds);
                let report = workload.run(direction, *depth, &mut Random::new(places, time))?;
                figures.push(Figures::new(direction, *depth, &report));
            }
        }
        Ok(figures)
    }
}
