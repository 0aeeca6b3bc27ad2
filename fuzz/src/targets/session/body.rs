//! Messages, most of which are well-formed.

use arbitrary::Arbitrary;
use vfio_user_tests::wire::{self, command, flag};

use crate::numbers::Number;

/// A message of a client.
#[derive(Arbitrary, Debug)]
pub(in crate::targets) struct Message {
    body: Body,
    flags: Flags,
    /// The kinds of descriptors that go along.
    pub(in crate::targets) descriptors: Descriptors,
}

/// The bits of a header's flags that are the type of the message; 0 for a command.
pub(in crate::targets) const TYPE: u32 = 0xf;

/// The most descriptors that go along; Linux passes no more than 253 with one send.
pub(in crate::targets) const MOST_DESCRIPTORS: usize = 64;

/// How many descriptors go along.
#[derive(Arbitrary, Debug)]
pub(in crate::targets) enum Descriptors {
    None,
    One(u8),
    Many(Vec<u8>),
}

impl Descriptors {
    /// Their kinds.
    pub(in crate::targets) fn kinds(&self) -> &[u8] {
        match self {
            Descriptors::None => &[],
            Descriptors::One(kind) => std::slice::from_ref(kind),
            Descriptors::Many(kinds) => &kinds[..kinds.len().min(MOST_DESCRIPTORS)],
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Flags {
    Request,
    Posted,
    Any(u8),
}

/// An access to a region.
#[derive(Arbitrary, Debug)]
struct Access {
    region: u8,
    offset: Number,
    /// Instead of the number of bytes.
    count: Option<Number>,
}

impl Access {
    fn bytes(&self, count: u32) -> Vec<u8> {
        let count = self.count.map_or(count, Number::word);
        wire::access(u32::from(self.region % 11), self.offset.0, count)
    }
}

#[derive(Arbitrary, Debug)]
enum Body {
    Version {
        minor: u8,
        json: u8,
    },
    Map {
        flags: u8,
        offset: Number,
        iova: Number,
        size: Number,
    },
    /// A page of memory that fits.
    MapPage {
        page: u8,
        flags: u8,
    },
    Unmap {
        flags: u8,
        iova: Number,
        size: Number,
    },
    Info([Number; 2]),
    RegionInfo {
        size: u8,
        index: u8,
    },
    IoFds {
        size: Number,
        index: u8,
    },
    IrqInfo {
        size: u8,
        index: u8,
    },
    SetIrqs {
        flags: u8,
        index: u8,
        start: u8,
        count: u8,
        data: Vec<u8>,
    },
    Read(Access, u16),
    Write(Access, Vec<u8>),
    /// A register of the device that acts.
    Act {
        register: u8,
        value: Number,
    },
    Multi(Vec<(Access, [u8; 8])>),
    Reset,
    Feature {
        size: Number,
        flags: u8,
        feature: u8,
        fields: Vec<Number>,
    },
    MigrationRead(Number),
    MigrationWrite(Vec<u8>),
    /// A reply or request that a client never sends, or a command that does not exist.
    Other {
        command: u8,
        bytes: Vec<u8>,
    },
}

impl Message {
    /// Whether it is a command, and not a reply or of another type.
    pub(in crate::targets) fn is_command(&self) -> bool {
        !matches!(self.flags, Flags::Any(bits) if u32::from(bits) & TYPE != 0)
    }

    /// Returns the message, and whether it requests a reply.
    pub(in crate::targets) fn bytes(&self, id: u16) -> (Vec<u8>, bool) {
        let flags = match self.flags {
            Flags::Request => 0,
            Flags::Posted => flag::NO_REPLY,
            Flags::Any(bits) => bits.into(),
        };
        let (command, payload) = self.body.payload();
        (wire::message(id, command, flags, &payload), flags & (TYPE | flag::NO_REPLY) == 0)
    }
}

impl Body {
    fn payload(&self) -> (u16, Vec<u8>) {
        match self {
            Body::Version { minor, json } => (command::VERSION, version(*minor, *json)),
            Body::Map { flags, offset, iova, size } => {
                (command::DMA_MAP, wire::dma_map((*flags).into(), offset.0, iova.0, size.0))
            }
            Body::MapPage { page, flags } => {
                let at = u64::from(page % 64) << 12;
                (command::DMA_MAP, wire::dma_map(u32::from(flags % 4), at, at, 0x1000))
            }
            Body::Unmap { flags, iova, size } => {
                (command::DMA_UNMAP, wire::dma_unmap((*flags).into(), iova.0, size.0))
            }
            Body::Info([size, flags]) => {
                (command::GET_INFO, wire::words(&[size.word(), flags.word(), 0, 0]))
            }
            Body::RegionInfo { size, index } => {
                (command::GET_REGION_INFO, wire::region_info((*size).into(), (*index).into()))
            }
            Body::IoFds { size, index } => {
                (command::GET_REGION_IO_FDS, wire::words(&[size.word(), 0, (*index).into(), 0]))
            }
            Body::IrqInfo { size, index } => {
                (command::GET_IRQ_INFO, wire::words(&[(*size).into(), 0, (*index).into(), 0]))
            }
            Body::SetIrqs { flags, index, start, count, data } => {
                let [flags, index, start, count] =
                    [flags & 0x3f, index % 7, *start, *count].map(u32::from);
                let fields = wire::set_irqs(flags, index, start, count);
                (command::SET_IRQS, [&fields, &data[..]].concat())
            }
            Body::Read(access, count) => (command::REGION_READ, access.bytes((*count).into())),
            Body::Write(access, data) => (command::REGION_WRITE, write(access, data)),
            Body::Act { register, value } => {
                let offset = u64::from(register % 20) * 4;
                (command::REGION_WRITE, wire::write(0, offset, &value.word().to_le_bytes()))
            }
            Body::Multi(writes) => (command::REGION_WRITE_MULTI, write_multi(writes)),
            Body::Reset => (command::RESET, Vec::new()),
            Body::Feature { size, flags, feature, fields } => {
                let flags = u32::from(flags % 8) << 16 | u32::from(feature % 12);
                let head = wire::words(&[size.word(), flags]);
                let fields: Vec<_> = fields.iter().map(|field| field.0).collect();
                (command::FEATURE, [head, wire::longs(&fields)].concat())
            }
            Body::MigrationRead(size) => {
                (command::MIG_DATA_READ, wire::words(&[size.word(), size.word()]))
            }
            Body::MigrationWrite(data) => {
                let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
                let head = wire::words(&[size.saturating_add(8), size]);
                (command::MIG_DATA_WRITE, [&head, &data[..]].concat())
            }
            Body::Other { command, bytes } => ((*command).into(), bytes.clone()),
        }
    }
}

fn write(access: &Access, data: &[u8]) -> Vec<u8> {
    let count = u32::try_from(data.len()).unwrap_or(u32::MAX);
    [access.bytes(count), data.to_vec()].concat()
}

fn write_multi(writes: &[(Access, [u8; 8])]) -> Vec<u8> {
    let mut bytes = (writes.len() as u64).to_le_bytes().to_vec();
    for (access, data) in writes {
        bytes.extend(access.bytes(8));
        bytes.extend(data);
    }
    bytes
}

/// Versions that a client may propose, in texts of JSON.
fn version(minor: u8, json: u8) -> Vec<u8> {
    const TEXTS: [&str; 8] = [
        "",
        "{}",
        r#"{"capabilities":{"max_msg_fds":8}}"#,
        r#"{"capabilities":{"max_msg_fds":1,"max_data_xfer_size":16}}"#,
        r#"{"capabilities":{"twin_socket":{"supported":true},"write_multiple":true}}"#,
        r#"{"capabilities":{"migration":{"pgsize":4096},"pgsizes":4096,"max_dma_maps":1}}"#,
        r#"{"capabilities":{"max_msg_fds":-1,"max_data_xfer_size":18446744073709551615}}"#,
        r#"{"capabilities":[[[[]]]]"#,
    ];
    wire::version((minor % 3).into(), TEXTS[usize::from(json % 8)])
}
