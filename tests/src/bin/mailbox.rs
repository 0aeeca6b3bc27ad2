//! Memory that a guest maps, for the tests of guests.

use vfio_user_tests::mailbox::Mailbox;

fn main() -> vfio_user::Result<()> {
    // A small guest has no room for the page tables of more.
    vfio_user::main(|| Mailbox::of_size(1 << 30))
}
