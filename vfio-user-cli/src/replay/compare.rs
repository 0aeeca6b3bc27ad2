//! Compares two messages field by field.

use super::difference::What;
use super::ignore::Ignored;
use crate::descriptor::Descriptor;
use crate::message::{Decoded, Value};

/// Compares a message of the log with one of the server. Ids are not compared.
pub(super) fn compare(
    log: (&Decoded, &[Descriptor]),
    server: (&Decoded, &[Descriptor]),
    ignored: &[Ignored],
) -> Vec<What> {
    let ((log, log_fds), (server, server_fds)) = (log, server);
    let command = |message: &Decoded| message.command().to_string();
    let kind = [
        differ("command", command(log), command(server)),
        differ("reply", outcome(log), outcome(server)),
    ];
    let fds = differ("fds", list(log_fds), list(server_fds));
    let mut found: Vec<_> = kind.into_iter().flatten().collect();
    if found.is_empty() {
        // The fields of another kind of message have other meanings.
        found = fields(log, server);
    }
    found.extend(fds);
    found.retain(|what| !ignored.iter().any(|ignored| ignored.is_difference(what)));
    found
}

fn fields(log: &Decoded, server: &Decoded) -> Vec<What> {
    let names = log.fields.0.iter().map(|field| field.name);
    let others = server.fields.0.iter().map(|field| field.name);
    let others = others.filter(|name| log.fields.get(name).is_none());
    let differ = |name| {
        let (log, server) = (log.fields.get(name), server.fields.get(name));
        let (log, server) = (log != server).then(|| texts(log, server))?;
        Some(What::Field { name: name.to_owned(), log, server })
    };
    names.chain(others).filter_map(differ).collect()
}

fn differ(name: &str, log: String, server: String) -> Option<What> {
    (log != server).then(|| What::Field { name: name.to_owned(), log, server })
}

fn outcome(message: &Decoded) -> String {
    match message.header.errno() {
        Some(errno) => errno.to_string(),
        None => "ok".into(),
    }
}

fn list(descriptors: &[Descriptor]) -> String {
    let names: Vec<_> = descriptors.iter().map(ToString::to_string).collect();
    if names.is_empty() { "none".into() } else { names.join(",") }
}

/// Returns the texts of two values, of long data from the first difference on.
fn texts(log: Option<&Value>, server: Option<&Value>) -> (String, String) {
    let text = |value: Option<&Value>| value.map_or("none".into(), ToString::to_string);
    let (Some(Value::Data(one)), Some(Value::Data(other))) = (log, server) else {
        return (text(log), text(server));
    };
    if one.len() <= 8 && other.len() <= 8 {
        return (text(log), text(server));
    }
    let at = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let from = |data: &[u8]| {
        let shown = Value::Data(data[at..].iter().take(16).copied().collect());
        format!("{shown} at byte {at:#x} of {}", data.len())
    };
    (from(one), from(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::decode;

    /// A reply to a read of `data` at a place of BAR 0.
    fn read(id: u16, data: &[u8]) -> Decoded {
        let size = u32::try_from(32 + data.len()).unwrap();
        let mut bytes =
            [&id.to_le_bytes()[..], &[9, 0], &size.to_le_bytes(), &[1], &[0; 7]].concat();
        let count = u32::try_from(data.len()).unwrap();
        bytes.extend([&[0x10][..], &[0; 11], &count.to_le_bytes(), data].concat());
        let message = decode(&bytes);
        assert!(message.problem.is_none(), "{message:?}");
        message
    }

    fn found(log: &Decoded, server: &Decoded, fds: &[Descriptor]) -> Vec<String> {
        let found = compare((log, &[]), (server, fds), &[]);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn ids_are_no_difference() {
        assert!(found(&read(1, &[5; 4]), &read(2, &[5; 4]), &[]).is_empty());
    }

    #[test]
    fn each_field_that_differs_is_named() {
        let expected = [
            "count: the log has 2, the server sends 4",
            "data: the log has 0x0505, the server sends 0x06060606",
            "fds: the log has none, the server sends eventfd",
        ];
        assert_eq!(found(&read(1, &[5; 2]), &read(1, &[6; 4]), &[Descriptor::EventFd]), expected);
    }

    #[test]
    fn an_error_is_a_difference_of_its_own() {
        let mut refused = decode(&[1, 0, 9, 0, 16, 0, 0, 0, 0x21, 0, 0, 0, 22, 0, 0, 0]);
        let expected = ["reply: the log has ok, the server sends EINVAL (22)"];
        assert_eq!(found(&read(1, &[5]), &refused, &[]), expected);
        let ignored = ["reply".parse().unwrap()];
        assert!(compare((&read(1, &[5]), &[]), (&refused, &[]), &ignored).is_empty());
        refused.header.command = 10.into();
        assert_eq!(found(&read(1, &[5]), &refused, &[]).len(), 2);
    }

    #[test]
    fn long_data_is_shown_where_it_differs() {
        let (one, mut other) = ([7; 600], [7; 600]);
        other[0x101] = 8;
        let found = found(&read(1, &one), &read(1, &other), &[]);
        assert_eq!(found.len(), 1);
        let (log, server) = found[0].split_once(", the server sends ").unwrap();
        assert!(
            log.starts_with("data: the log has [07 07 ") && log.ends_with("at byte 0x101 of 600")
        );
        assert!(server.starts_with("[08 07 ") && server.ends_with("at byte 0x101 of 600"));
    }
}
