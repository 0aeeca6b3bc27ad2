//! A load generator: clients that do valid and invalid things, migrate, and die at random points,
//! for a bounded time. Afterwards the server has what it had before, and its devices hold what was
//! written.
//!
//! ```sh
//! cargo run --release -p vfio-user-tests --bin soak -- run --seconds 3600
//! ```

mod check;
mod device;
mod random;
mod server;
mod tenant;
mod victim;

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Parser;
use random::Random;
use server::{Server, Used};
use tenant::{Tally, Tenant};

#[derive(Parser)]
enum Command {
    /// Loads a server, and checks what is left
    Run(Load),
    /// Serves devices, as the server of a run
    #[command(hide = true)]
    Serve(Box<vfio_user::Options>),
    /// Writes until it is killed, as a client of a run
    #[command(hide = true)]
    Victim { socket: PathBuf, seed: u64 },
}

#[derive(clap::Args)]
struct Load {
    /// The time to run
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// The number of clients at a time; each has two devices
    #[arg(long, default_value_t = 4)]
    clients: usize,
    /// What the clients do depends on this number alone; a random one by default
    #[arg(long)]
    seed: Option<u64>,
}

fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::Run(load) => run(&load),
        Command::Serve(options) => options.run(device::Loaded::default).map_err(check::said),
        Command::Victim { socket, seed } => victim::run(&socket, seed).map_err(check::said),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(load: &Load) -> Result<(), String> {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = load.seed.unwrap_or(since_epoch.as_secs());
    println!("seed {seed}");
    let server = Server::start(2 * load.clients)?;
    let mut tenants: Vec<_> = (0..load.clients)
        .map(|index| {
            let sockets = [server.socket(2 * index), server.socket(2 * index + 1)];
            Tenant::new(sockets, Random::new(seed).fork(index as u64))
        })
        .collect();
    // Each kind of visit once: what the server creates when it is first needed, it keeps.
    for tenant in &mut tenants {
        tenant.visit_in_every_way()?;
    }
    let before = server.used_at_rest(&mut tenants, |_| true)?;
    let until = Instant::now() + Duration::from_secs(load.seconds);
    visit_all(&mut tenants, until)?;
    let after = server.used_at_rest(&mut tenants, |used: &Used| used.equals(&before))?;
    after.compare(&before)?;
    let tally = tenants.iter().map(|tenant| tenant.tally).fold(Tally::default(), Tally::plus);
    println!("{tally}");
    println!("before {before}\nafter  {after}");
    server.end()
}

/// Lets all tenants visit their devices at the same time.
fn visit_all(tenants: &mut [Tenant], until: Instant) -> Result<(), String> {
    thread::scope(|scope| {
        let visits: Vec<_> = tenants
            .iter_mut()
            .map(|tenant| {
                scope.spawn(move || {
                    while Instant::now() < until {
                        tenant.visit()?;
                    }
                    Ok(())
                })
            })
            .collect();
        visits.into_iter().try_for_each(|visit| {
            visit.join().unwrap_or_else(|_| Err("a client panicked".to_owned()))
        })
    })
}
