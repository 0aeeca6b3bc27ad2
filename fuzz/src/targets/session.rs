//! Whole sessions: several clients of two devices, one of which uses every attribute while the
//! other one reaches memory. Bytes, descriptors and cuts are the input's.

mod body;
mod host;
mod kinds;
mod peer;

use std::sync::Once;

use arbitrary::Arbitrary;

use crate::resources::Resources;
pub(super) use body::Message;
use host::Host;
pub(super) use kinds::Kinds;
pub(super) use peer::Peer;

/// The clients of a session.
const CLIENTS: usize = 4;

/// What one of the clients does.
#[derive(Arbitrary, Debug)]
struct Step {
    client: u8,
    action: Action,
}

#[derive(Arbitrary, Debug)]
enum Action {
    /// Connects, in place of an earlier connection, and negotiates a version.
    Attach,
    /// Connects, in place of an earlier connection.
    Connect,
    Leave,
    /// Ends the direction to the server.
    Finish,
    /// Sends a message, cut in two at this byte.
    Send(Message, u8),
    /// Sends a message with another size in its header.
    Misframe(Message, u32),
    SendBytes(Vec<u8>, Vec<u8>),
    /// Changes the size of the memory that it has passed, in pages.
    Resize(u8),
    /// Replies to the oldest request of the server.
    Reply(Reply),
}

/// How a client replies to a request of the server.
#[derive(Arbitrary, Debug)]
enum Reply {
    Right,
    Error(u8),
    /// With these bytes, and another id if that is not 0.
    Wrong(Vec<u8>, u8),
}

/// Plays a session, and checks that the devices serve other clients afterwards, and that nothing is
/// left.
pub fn run(input: &[u8]) {
    let Some(steps) = super::parse::<Vec<Step>>(input) else { return };
    warm_up();
    let before = Resources::count();
    play(&steps);
    before.assert_back();
}

/// Plays a first session, which leaves what the process needs from then on, such as the thread that
/// closes descriptors.
pub(super) fn warm_up() {
    static FIRST: Once = Once::new();
    FIRST.call_once(|| {
        let bytes = Action::SendBytes(vec![0; 16], (0..8).collect());
        play(
            &[(0, Action::Attach), (1, Action::Attach), (0, bytes)]
                .map(|(client, action)| Step { client, action }),
        );
    });
}

fn play(steps: &[Step]) {
    let mut host = Host::new();
    for step in steps {
        host.play(usize::from(step.client) % CLIENTS, &step.action);
    }
    host.finish();
}
