//! Register accesses over the socket, beside a bare echo of the same bytes.
//!
//! ```console
//! $ nice -n -10 cargo bench -p vfio-user-benches --bench socket
//! ```
//!
//! Both sides are threads of one process. They share a processor, or have one each; then the server
//! can also poll. Rounds of ours and of the echo alternate. It prints a table, and writes
//! `target/tmp/socket.json` and `target/tmp/socket.svg`.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use std::{iter, thread};

use clap::Parser;
use vfio_user::Result;
use vfio_user_benches::cpu;
use vfio_user_benches::exchange::{self, Access, Exchange, Wait};
use vfio_user_benches::report::{Report, Row};

/// Measures register accesses over a socket, beside their floor
#[derive(Parser)]
struct Arguments {
    /// Accesses of a round
    #[arg(long, value_name = "N", default_value_t = 2000)]
    accesses: u32,

    /// Rounds of each measurement
    #[arg(long, value_name = "N", default_value_t = 31)]
    rounds: usize,

    /// Processors of the client and, where it has one of its own, of the server
    #[arg(long, value_name = "CPU", value_delimiter = ',', default_values_t = [0, 1])]
    cpus: Vec<usize>,

    /// What cargo passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// Where the two sides run, and how they wait.
struct Placement {
    name: &'static str,
    server: usize,
    spin: Duration,
    wait: Wait,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let client = arguments.cpus[0];
    let other = arguments.cpus.get(1).copied().unwrap_or(client);
    let none = Duration::ZERO;
    let mut placements = vec![
        Placement { name: "one CPU", server: client, spin: none, wait: Wait::Sleep },
        Placement { name: "two CPUs", server: other, spin: none, wait: Wait::Sleep },
    ];
    if other != client {
        let spin = Duration::from_secs(1);
        placements.push(Placement {
            name: "two CPUs, polling",
            server: other,
            spin,
            wait: Wait::Poll,
        });
    }
    let mut report = Report::new("socket", "ns");
    for placement in &placements {
        for (name, access) in [("read", Access::Read), ("write", Access::Write)] {
            let pairs = arguments.measure(placement, access)?;
            report.push(Row::new(format!("{name} 4 bytes, {}", placement.name), &pairs));
        }
    }
    Ok(report.publish(Path::new(env!("CARGO_TARGET_TMPDIR")))?)
}

impl Arguments {
    fn measure(&self, placement: &Placement, access: Access) -> Result<Vec<[f64; 2]>> {
        let mut ours = Exchange::new(placement.serve()?, access, placement.wait)?;
        // The floor always sleeps: it is what a server costs that does nothing.
        let mut echo = Exchange::new(placement.echo(access)?, access, Wait::Sleep)?;
        cpu::pin(self.cpus[0])?;
        let rounds = iter::repeat_with(|| {
            let ours = ours.time(self.accesses)?;
            Ok([ours, echo.time(self.accesses)?])
        });
        // The first round warms up.
        rounds.take(self.rounds + 1).skip(1).collect()
    }
}

impl Placement {
    fn serve(&self) -> Result<UnixStream> {
        let (client, server) = exchange::server(self.spin)?;
        self.start(server);
        exchange::negotiate(&client)?;
        Ok(client)
    }

    fn echo(&self, access: Access) -> Result<UnixStream> {
        let (client, server) = UnixStream::pair()?;
        self.start(move || exchange::echo(&server, access));
        Ok(client)
    }

    fn start(&self, serve: impl FnOnce() + Send + 'static) {
        let processor = self.server;
        thread::spawn(move || {
            cpu::pin(processor).expect("the processor exists");
            serve();
        });
    }
}
