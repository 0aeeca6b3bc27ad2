//! The server, its devices, and the clients.

use std::net::Shutdown;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use vfio_user::{PciDevice, Server, Socket};
use vfio_user_tests::PATIENCE;
use vfio_user_tests::config_model::{Author, Model, Reset, capabilities, extended_capabilities};
use vfio_user_tests::language::Language;
use vfio_user_tests::stepped::has_work;
use vfio_user_tests::wire::{self, command, region};

use super::body::{MOST_DESCRIPTORS, Message};
use super::kinds::{Kinds, MEMORY};
use super::peer::{Answer, Peer};
use super::{Action, CLIENTS};
use crate::active::Active;

/// The turns that a server gets for a step: a client need not wait until it is idle.
const TURNS: u32 = 100;

pub(super) struct Host {
    server: Server,
    /// Where the devices are served.
    addresses: [SocketAddr; 2],
    /// Their configuration spaces before any client.
    initial: Vec<Vec<u8>>,
    clients: [Option<Peer>; CLIENTS],
    kinds: Kinds,
}

impl Host {
    pub(super) fn new() -> Self {
        let server = Server::new().expect("a server");
        let addresses = [serve(&server, Language::constructed), serve(&server, Active::default)];
        let clients = std::array::from_fn(|_| None);
        let mut host =
            Host { server, addresses, initial: Vec::new(), clients, kinds: Kinds::new() };
        host.initial = (0..2).map(|device| host.visit(device)).collect();
        host
    }

    pub(super) fn play(&mut self, client: usize, action: &Action) {
        match action {
            Action::Attach => {
                self.clients[client] = Some(self.connect(client % 2));
                self.request_version(client);
            }
            Action::Connect => self.clients[client] = Some(self.connect(client % 2)),
            Action::Leave => self.clients[client] = None,
            Action::Finish => {
                if let Some(peer) = &self.clients[client] {
                    // The server may have closed the connection.
                    let _ = peer.stream().shutdown(Shutdown::Write);
                }
            }
            Action::Send(message, cut) => self.send(client, message, Some(*cut), None),
            Action::Misframe(message, size) => self.send(client, message, None, Some(*size)),
            Action::SendBytes(bytes, kinds) => {
                if let Some(peer) = &mut self.clients[client] {
                    peer.unframe();
                }
                self.send_part(client, bytes, &kinds[..kinds.len().min(MOST_DESCRIPTORS)]);
            }
            Action::Resize(pages) => self.kinds.resize(u64::from(*pages) << 12),
            Action::Reply(reply) => {
                if let Some(peer) = &mut self.clients[client] {
                    peer.reply(reply);
                }
            }
        }
        self.turn();
    }

    fn connect(&self, device: usize) -> Peer {
        Peer::new(UnixStream::connect_addr(&self.addresses[device]).expect("connect"))
    }

    fn request_version(&mut self, client: usize) {
        if let Some(peer) = &mut self.clients[client] {
            let id = peer.next_id();
            let json = r#"{"capabilities":{"max_msg_fds":8,"write_multiple":true}}"#;
            peer.expect_reply(id);
            peer.send(&wire::message(id, command::VERSION, 0, &wire::version(0, json)), &[]);
        }
    }

    fn send(&mut self, client: usize, message: &Message, cut: Option<u8>, size: Option<u32>) {
        let Some(peer) = &mut self.clients[client] else { return };
        let id = peer.next_id();
        let (mut bytes, is_request) = message.bytes(id);
        if is_request && size.is_none() {
            peer.expect_reply(id);
        } else if size.is_some() || !message.is_command() {
            peer.unframe();
        }
        if let Some(size) = size {
            bytes[4..8].copy_from_slice(&size.to_le_bytes());
        }
        let kinds = message.descriptors.kinds();
        let (head, tail) = bytes.split_at(usize::from(cut.unwrap_or(0)).min(bytes.len()));
        self.send_part(client, head, kinds);
        if !head.is_empty() {
            self.turn();
        }
        self.send_part(client, tail, if head.is_empty() { kinds } else { &[] });
    }

    /// Sends bytes, unless there are none.
    fn send_part(&mut self, client: usize, bytes: &[u8], kinds: &[u8]) {
        let kinds: Vec<_> = kinds.iter().map(|kind| self.kinds.pick(*kind)).collect();
        if let (Some(peer), false) = (&mut self.clients[client], bytes.is_empty()) {
            peer.send(bytes, &kinds);
        }
    }

    /// Lets the server and the clients do what there is to do.
    fn turn(&mut self) {
        for _ in 0..TURNS {
            assert!(self.server.process().expect("a turn"), "the server has ended");
            for client in &mut self.clients {
                if client.as_mut().is_some_and(|peer| !peer.receive()) {
                    *client = None;
                }
            }
            if !has_work(&self.server, 0) {
                return;
            }
        }
    }

    /// Ends all sessions, and checks what is left of the devices.
    pub(super) fn finish(mut self) {
        self.clients = std::array::from_fn(|_| None);
        self.kinds.resize(MEMORY);
        self.turn();
        for device in 0..2 {
            let (space, initial) = (self.visit(device), &self.initial[device]);
            assert_eq!(capabilities(&space), capabilities(initial));
            assert_eq!(extended_capabilities(&space), extended_capabilities(initial));
            // Only sticky bits outlast a reset.
            let mut model = Model::new(initial, &Author::default());
            model.bytes.clone_from(&space);
            model.reset(Reset::Device);
            assert_eq!(model.bytes, space, "a device that has been reset");
        }
    }

    /// Attaches a new client, resets the device, and returns its configuration space.
    fn visit(&mut self, device: usize) -> Vec<u8> {
        let mut peer = self.connect(device);
        self.ask(&mut peer, command::VERSION, &wire::version(0, "{}"));
        self.ask(&mut peer, command::RESET, &[]);
        let read = wire::access(region::CONFIG, 0, 4096);
        let mut reply = self.ask(&mut peer, command::REGION_READ, &read);
        drop(peer);
        self.turn();
        reply.payload.split_off(16)
    }

    /// Sends a request, and waits for its reply.
    fn ask(&mut self, peer: &mut Peer, command: u16, payload: &[u8]) -> Answer {
        let id = peer.next_id();
        peer.expect_reply(id);
        peer.send(&wire::message(id, command, 0, payload), &[]);
        let start = Instant::now();
        loop {
            assert!(self.server.process().expect("a turn"), "the server has ended");
            assert!(peer.receive(), "a client that does no harm is not served");
            if let Some(reply) = peer.take_reply(id) {
                assert!(!reply.is_error, "command {command} fails");
                return reply;
            }
            assert!(start.elapsed() < PATIENCE, "no reply to command {command}");
            has_work(&self.server, 1);
        }
    }
}

/// Adds a device, at an address of its own.
fn serve<D: PciDevice>(server: &Server, factory: impl FnMut() -> D + Send + 'static) -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("vfio-user-fuzz-{}-{number}", std::process::id());
    let address = SocketAddr::from_abstract_name(name).expect("a short name");
    let listener = UnixListener::bind_addr(&address).expect("an address");
    let socket = Socket::from_listener(listener).expect("a socket").write_multiple();
    server.add(socket, factory).expect("a device");
    address
}
