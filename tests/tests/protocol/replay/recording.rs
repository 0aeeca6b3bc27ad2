//! The lines of a recording; `tests/data/traces/README.md` says what is in them.

use vfio_user_tests::wire::{self, command, flag, irq};

/// A request, and what its answer was.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) line: &'a str,
    pub(crate) id: u16,
    pub(crate) command: u16,
    pub(crate) flags: u32,
    pub(crate) fds: usize,
    pub(crate) payload: Vec<u8>,
    /// Behind `->`.
    pub(crate) answer: &'a str,
}

impl<'a> Request<'a> {
    /// # Panics
    ///
    /// If the line does not say what it has to, or not with the size that it says.
    pub(crate) fn parse(line: &'a str) -> Self {
        let (asked, answer) = line.split_once(" -> ").unwrap_or((line, ""));
        let fields = Fields(asked);
        let (command, payload) = fields.message();
        let request = Request {
            line,
            id: fields.small("id"),
            command,
            flags: if asked.contains(" NO_REPLY ") { flag::NO_REPLY } else { 0 },
            fds: if asked.contains(" fds=") { fields.small("fds") } else { 0 },
            payload,
            answer,
        };
        let size = format!(" size={} ", request.message().len());
        assert!(line.contains(&size), "not{size}: {line}");
        request
    }

    pub(crate) fn wants_reply(&self) -> bool {
        self.flags & flag::NO_REPLY == 0
    }

    pub(crate) fn message(&self) -> Vec<u8> {
        wire::message(self.id, self.command, self.flags, &self.payload)
    }

    /// A number of the answer, if it has a field of that name.
    pub(crate) fn answered(&self, name: &str) -> u64 {
        Fields(self.answer).number(name)
    }

    /// The bytes that were read, as a number; `None` if they were too many to be recorded.
    pub(crate) fn value(&self) -> Option<u64> {
        u64::from_str_radix(self.answer, 16).ok()
    }
}

/// Words, most of them `name=value`.
struct Fields<'a>(&'a str);

impl Fields<'_> {
    /// The last one of that name: `flags` and `size` of the header come before the payload's.
    fn text(&self, name: &str) -> &str {
        let words = self.0.split(' ').filter_map(|word| word.split_once('='));
        let found = words.filter(|(key, _)| *key == name).map(|(_, value)| value).next_back();
        found.unwrap_or_else(|| panic!("no {name} in: {}", self.0))
    }

    fn number(&self, name: &str) -> u64 {
        let text = self.text(name);
        let number = match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => text.parse(),
        };
        number.unwrap_or_else(|error| panic!("{name}: {error} in: {}", self.0))
    }

    fn small<T: TryFrom<u64>>(&self, name: &str) -> T {
        T::try_from(self.number(name))
            .unwrap_or_else(|_| panic!("{name} is too large in: {}", self.0))
    }

    fn message(&self) -> (u16, Vec<u8>) {
        let name = self.0.split(' ').nth(1).unwrap_or_default();
        match name {
            "VERSION" => (command::VERSION, wire::version(0, self.json())),
            "DMA_MAP" => (command::DMA_MAP, self.dma_map()),
            "DMA_UNMAP" => (command::DMA_UNMAP, self.dma_unmap()),
            "GET_INFO" => (command::GET_INFO, wire::words(&[16, 0, 0, 0])),
            "GET_REGION_INFO" => (command::GET_REGION_INFO, self.region_info()),
            "GET_IRQ_INFO" => {
                (command::GET_IRQ_INFO, wire::words(&[16, 0, self.small("index"), 0]))
            }
            "SET_IRQS" => (command::SET_IRQS, self.set_irqs()),
            "REGION_READ" => (command::REGION_READ, self.access()),
            "REGION_WRITE" => (command::REGION_WRITE, self.write()),
            "RESET" => (command::RESET, Vec::new()),
            _ => panic!("unknown command in: {}", self.0),
        }
    }

    fn json(&self) -> &str {
        let text = self.0.split_once("b'").and_then(|(_, text)| text.strip_suffix("\\x00'"));
        text.unwrap_or_else(|| panic!("no JSON in: {}", self.0))
    }

    fn dma_map(&self) -> Vec<u8> {
        let numbers = ["offset", "addr", "size"].map(|name| self.number(name));
        wire::dma_map(self.small("flags"), numbers[0], numbers[1], numbers[2])
    }

    fn dma_unmap(&self) -> Vec<u8> {
        wire::dma_unmap(self.small("flags"), self.number("addr"), self.number("size"))
    }

    fn region_info(&self) -> Vec<u8> {
        wire::region_info(self.small("argsz"), self.small("index"))
    }

    fn set_irqs(&self) -> Vec<u8> {
        let bit = |name: &str| match name {
            "NONE" => irq::NONE,
            "EVENTFD" => irq::EVENTFD,
            "MASK" => irq::MASK,
            "UNMASK" => irq::UNMASK,
            "TRIGGER" => irq::TRIGGER,
            _ => panic!("unknown {name} in: {}", self.0),
        };
        let flags = self.0.split(' ').find(|word| word.contains('|')).unwrap_or_default();
        let index = match self.text("index") {
            "INTX" => irq::INTX,
            "MSI" => irq::MSI,
            "MSIX" => irq::MSIX,
            "ERR" => irq::ERR,
            _ => panic!("unknown index in: {}", self.0),
        };
        let flags = flags.split('|').map(bit).sum();
        wire::set_irqs(flags, index, self.small("start"), self.small("count"))
    }

    /// `rN+OFFSET n=COUNT`
    fn place(&self) -> (u32, u64, u32) {
        let place = self.0.split(' ').find_map(|word| word.strip_prefix('r')?.split_once("+0x"));
        let parsed = place.and_then(|(region, offset)| {
            Some((region.parse().ok()?, u64::from_str_radix(offset, 16).ok()?))
        });
        let (region, offset) = parsed.unwrap_or_else(|| panic!("no region in: {}", self.0));
        (region, offset, self.small("n"))
    }

    fn access(&self) -> Vec<u8> {
        let (region, offset, count) = self.place();
        wire::access(region, offset, count)
    }

    fn write(&self) -> Vec<u8> {
        let (region, offset, count) = self.place();
        let value = self.0.split_once("<- ").and_then(|(_, hex)| u64::from_str_radix(hex, 16).ok());
        let value = value.unwrap_or_else(|| panic!("no data in: {}", self.0));
        wire::write(region, offset, &value.to_le_bytes()[..count as usize])
    }
}
