//! The network of the adapter: one other host.

const HOST: [u8; 6] = [0x52, 0x54, 0x00, 0x65, 0x43, 0x21];
const ADDRESS: [u8; 4] = [10, 0, 0, 1];
const ARP_REQUEST: [u8; 10] = [0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 1];
const IPV4: [u8; 3] = [0x08, 0x00, 0x45];
const ICMP: u8 = 1;
const ECHO_REQUEST: u8 = 8;

/// Returns the reply to a frame.
pub(crate) fn reply(frame: &[u8]) -> Option<Vec<u8>> {
    let mut reply = frame.to_vec();
    reply.get_mut(0..6)?.copy_from_slice(frame.get(6..12)?);
    reply[6..12].copy_from_slice(&HOST);
    let rest = frame.get(12..42)?;
    if rest.starts_with(&ARP_REQUEST) && rest.ends_with(&ADDRESS) {
        reply[21] = 2;
        reply[32..42].copy_from_slice(&frame[22..32]);
        reply[22..28].copy_from_slice(&HOST);
        reply[28..32].copy_from_slice(&ADDRESS);
    } else if rest.starts_with(&IPV4) && frame[23] == ICMP && frame[30..35] == to_host() {
        reply[26..30].copy_from_slice(&ADDRESS);
        reply[30..34].copy_from_slice(&frame[26..30]);
        reply[34] = 0;
        let sum = u16::from_be_bytes([frame[36], frame[37]]);
        let (sum, carry) = sum.overflowing_add(u16::from(ECHO_REQUEST) << 8);
        reply[36..38].copy_from_slice(&(sum + u16::from(carry)).to_be_bytes());
    } else {
        return None;
    }
    Some(reply)
}

fn to_host() -> [u8; 5] {
    let [a, b, c, d] = ADDRESS;
    [a, b, c, d, ECHO_REQUEST]
}
