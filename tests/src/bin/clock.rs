//! The classic pair's server with a derived state, as a process.

use vfio_user_tests::clock::Clock;

fn main() -> vfio_user::Result<()> {
    vfio_user::main(Clock::default)
}
