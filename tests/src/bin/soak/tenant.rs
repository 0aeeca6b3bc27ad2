//! A client of two devices, one of which has its state.

use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::net::Shutdown;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use vfio_user::EventFd;
use vfio_user::client::{DmaBuffer, Migration, PciView, Pending};
use vfio_user_tests::files;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::wire::{self, command};

use super::check::{Checked, Interrupts, Words, attach, equal, place, said};
use super::device::{VECTORS, WORDS, reg};
use super::random::Random;
use super::victim::Line;

/// What was done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    sessions: u64,
    writes: u64,
    copies: u64,
    interrupts: u64,
    invalid: u64,
    kills: u64,
    panics: u64,
    moves: u64,
}

impl Tally {
    pub(crate) fn plus(self, other: Tally) -> Tally {
        Tally {
            sessions: self.sessions + other.sessions,
            writes: self.writes + other.writes,
            copies: self.copies + other.copies,
            interrupts: self.interrupts + other.interrupts,
            invalid: self.invalid + other.invalid,
            kills: self.kills + other.kills,
            panics: self.panics + other.panics,
            moves: self.moves + other.moves,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { sessions, writes, copies, interrupts, invalid, kills, panics, moves } = self;
        write!(
            f,
            "{sessions} sessions: {writes} writes in place, {copies} copies, {interrupts} interrupts \
             raised and seen, {invalid} invalid connections, {kills} clients killed, {panics} panics, \
             {moves} migrations"
        )
    }
}

/// A way to use a device.
type Way = fn(&mut Tenant) -> Checked<()>;

const WAYS: [Way; 6] = [
    Tenant::work,
    Tenant::work,
    Tenant::send_nonsense,
    Tenant::kill_a_client,
    Tenant::make_it_panic,
    Tenant::migrate,
];

pub(crate) struct Tenant {
    /// The first one has the state.
    sockets: [PathBuf; 2],
    random: Random,
    words: Words,
    pub(crate) tally: Tally,
}

impl Tenant {
    pub(crate) fn new(sockets: [PathBuf; 2], random: Random) -> Self {
        Tenant { sockets, random, words: Words::default(), tally: Tally::default() }
    }

    /// Uses the devices in each way.
    pub(crate) fn visit_in_every_way(&mut self) -> Checked<()> {
        // Twice: a migration changes which device is used.
        for way in WAYS.into_iter().chain(WAYS) {
            way(self)?;
        }
        Ok(())
    }

    /// Uses the devices in one way.
    pub(crate) fn visit(&mut self) -> Checked<()> {
        let way = WAYS[self.random.index(WAYS.len())];
        way(self)
    }

    /// Checks what the device holds.
    pub(crate) fn verify(&mut self) -> Checked<()> {
        let view = self.view()?;
        self.words.check(&view)
    }

    fn view(&mut self) -> Checked<PciView> {
        self.tally.sessions += 1;
        PciView::new(attach(&self.sockets[0])?).map_err(said)
    }

    fn work(&mut self) -> Checked<()> {
        let view = self.view()?;
        self.words.check(&view)?;
        let mut interrupts = Interrupts::new(&view)?;
        let memory = view.allocate(0x2_0000).map_err(said)?;
        for _ in 0..=self.random.below(40) {
            match self.random.below(4) {
                0 => self.copy(&view, &memory, &mut interrupts)?,
                1 => self.raise(&view, &mut interrupts)?,
                _ => self.write(&view)?,
            }
        }
        self.tally.interrupts += interrupts.wait_for_all()?;
        self.words.check(&view)
    }

    fn write(&mut self, view: &PciView) -> Checked<()> {
        let (index, value) = (self.random.index(WORDS), self.random.next());
        let bar = view.bar(0).map_err(said)?;
        match self.random.below(3) {
            0 => bar.post(place(index), value),
            1 => bar.start_write(place(index), value).and_then(Pending::wait),
            _ => bar.write(place(index), value),
        }
        .map_err(said)?;
        self.words.set(index, value);
        self.tally.writes += 1;
        equal("a word that was written", bar.read(place(index)).map_err(said)?, value)
    }

    #[expect(clippy::cast_possible_truncation, reason = "there are few vectors")]
    fn raise(&mut self, view: &PciView, interrupts: &mut Interrupts) -> Checked<()> {
        let vector = self.random.below((VECTORS - 1).into());
        view.bar(0).map_err(said)?.write(reg::RAISE, vector as u32).map_err(said)?;
        interrupts.raised(vector as usize);
        Ok(())
    }

    fn copy(
        &mut self,
        view: &PciView,
        memory: &DmaBuffer,
        interrupts: &mut Interrupts,
    ) -> Checked<()> {
        let mut bytes = self.random.bytes(0x1_0000);
        bytes.push(1);
        memory.write(0, &bytes).map_err(said)?;
        let bar = view.bar(0).map_err(said)?;
        bar.write(reg::SOURCE, memory.iova()).map_err(said)?;
        bar.write(reg::TARGET, memory.iova() + 0x1_0000).map_err(said)?;
        let register = if self.random.below(2) == 0 { reg::FETCH } else { reg::COPY };
        bar.write(register, u32::try_from(bytes.len()).map_err(said)?).map_err(said)?;
        let last = VECTORS as usize - 1;
        interrupts.raised(last);
        interrupts.wait(last)?;
        let mut copied = vec![0; bytes.len()];
        memory.read(0x1_0000, &mut copied).map_err(said)?;
        self.tally.copies += 1;
        if copied == bytes { Ok(()) } else { Err("a copy is not what was copied".to_owned()) }
    }

    /// Sends what no client should, and leaves.
    fn send_nonsense(&mut self) -> Checked<()> {
        let mut client = RawClient::connect(&self.sockets[0]);
        if self.random.below(4) != 0 {
            client.negotiate();
        }
        let descriptors: [OwnedFd; 2] =
            [files::memory(0x1000).into(), EventFd::new().map_err(said)?.into()];
        for _ in 0..=self.random.below(20) {
            let message = self.nonsense();
            let count = self.random.index(descriptors.len() + 1);
            // The server may have closed the connection.
            if client.try_send(&message, &files::borrow(&descriptors[..count])).is_err() {
                break;
            }
        }
        // A child that another tenant starts has a copy of the socket until it runs its program.
        let _ = client.stream().shutdown(Shutdown::Both);
        self.tally.invalid += 1;
        Ok(())
    }

    /// Returns bytes that change no state of the device: none of its commands that could is whole.
    #[expect(clippy::cast_possible_truncation, reason = "any number will do")]
    fn nonsense(&mut self) -> Vec<u8> {
        let (command, flags) = (self.random.below(24) as u16, self.random.next() as u32);
        let short = matches!(
            command,
            command::REGION_WRITE
                | command::REGION_WRITE_MULTI
                | command::DEVICE_FEATURE
                | command::MIG_DATA_WRITE
        );
        match self.random.below(4) {
            0 => self.random.bytes(15),
            1 => wire::header(1, command, self.random.next() as u32, flags),
            _ if command == command::RESET => Vec::new(),
            _ => {
                let payload = self.random.bytes(if short { 8 } else { 64 });
                wire::message(1, command, flags & 0x30, &payload)
            }
        }
    }

    /// Starts a client, and kills it at some point.
    fn kill_a_client(&mut self) -> Checked<()> {
        let own = std::env::current_exe().map_err(said)?;
        let seed = self.random.next().to_string();
        let mut victim = Command::new(own)
            .arg("victim")
            .args([self.sockets[0].as_os_str(), seed.as_ref()])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(said)?;
        let mut lines = BufReader::new(victim.stdout.take().ok_or("no output")?).lines();
        let last = self.random.below(70);
        for _ in 0..last {
            let line = lines.next().transpose().map_err(said)?.ok_or("a client has ended")?;
            if !self.heed(&line)? {
                break;
            }
        }
        victim.kill().map_err(said)?;
        victim.wait().map_err(said)?;
        // What it has printed until then.
        for line in lines {
            let _ = self.heed(&line.map_err(said)?);
        }
        self.tally.kills += 1;
        self.verify()
    }

    /// Notes what a client has written. Returns whether it continues.
    fn heed(&mut self, line: &str) -> Checked<bool> {
        match Line::parse(line).ok_or_else(|| format!("a line `{line}`"))? {
            Line::Writes { index, value } => self.words.set_unsure(index, value),
            Line::Done => {
                self.words.confirm();
                self.tally.writes += 1;
            }
            Line::Half => return Ok(false),
        }
        Ok(true)
    }

    /// Makes a hook panic: the device is new then.
    fn make_it_panic(&mut self) -> Checked<()> {
        let view = self.view()?;
        let panics = view.bar(0).map_err(said)?.write(reg::PANIC, 1_u32);
        equal("the panic's answer", panics.is_err(), true)?;
        self.words = Words::default();
        self.tally.panics += 1;
        Ok(())
    }

    /// Moves the state to the other device.
    fn migrate(&mut self) -> Checked<()> {
        let [source, destination] = [attach(&self.sockets[0])?, attach(&self.sockets[1])?];
        let migration = Migration::new(&source, &destination);
        migration.run(|_| ControlFlow::Continue(())).map_err(said)?;
        // The source is not used any more with this state.
        source.reset().map_err(said)?;
        self.sockets.swap(0, 1);
        self.tally.moves += 1;
        drop((source, destination));
        self.verify()
    }
}
