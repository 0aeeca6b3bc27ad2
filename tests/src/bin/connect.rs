//! Attaches to the device at a path, as the user that it runs as.

use vfio_user::client::Client;

fn main() -> vfio_user::Result<()> {
    let path = std::env::args_os().nth(1).unwrap_or_default();
    Client::attach(path).map(drop)
}
