//! A device with a stream of its own making.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;

use vfio_user::client::{AttachOptions, Client};
use vfio_user::protocol::{MigrationState, RegionIndex};
use vfio_user::{
    Bench, Cx, Device, Error, PciDevice, ResetKind, Result, Resumed, SavePhase, Server,
};
use vfio_user_tests::serve::Running;

use MigrationState::{PreCopy, Resuming, Running as Runs, Stop, StopCopy};

/// Four letters that may go ahead, and one that is saved last. It gives at most two at a time.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f8)]
#[bar(0: mem32, size = 0x1000)]
#[migrate(raw)]
struct Letters {
    #[reg(0)]
    first: u32,
    #[reg(4)]
    last: u32,
    #[reg(8, ro)]
    resumed: u32,
    #[reg(12, ro)]
    saved: u32,
    taken: Vec<u8>,
}

impl Device for Letters {
    type Event = ();

    fn save_stream(
        &mut self,
        cx: &mut Cx<'_, Self>,
        phase: SavePhase,
        offset: u64,
        data: &mut [u8],
    ) -> Result<usize> {
        assert_eq!(cx.migration_state().is_running(), phase == SavePhase::PreCopy);
        let mut all = self.first.to_le_bytes().to_vec();
        if phase == SavePhase::Stopped {
            all.push(self.last.to_le_bytes()[0]);
        }
        if all[0] == b'!' {
            return Err(Error::device("it does not want to"));
        }
        let rest = &all[usize::try_from(offset).unwrap().min(all.len())..];
        let len = rest.len().min(data.len()).min(2);
        data[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn load_stream(&mut self, _: &mut Cx<'_, Self>, offset: u64, data: &[u8]) -> Result<()> {
        assert_eq!(offset, self.taken.len() as u64);
        self.taken.extend_from_slice(data);
        let is_good = self.taken.len() < 10 && !self.taken.contains(&b'?');
        if is_good { Ok(()) } else { Err(Error::device("these are no letters")) }
    }

    fn loaded(&mut self, _: &mut Cx<'_, Self>) -> Result<()> {
        let letters = self.taken.len().checked_sub(5).map(|start| self.taken.split_off(start));
        self.taken.clear();
        match letters.as_deref() {
            Some(&[a, b, c, d, last]) => {
                self.first = u32::from_le_bytes([a, b, c, d]);
                self.last = last.into();
                Ok(())
            }
            _ => Err(Error::device("there are letters missing")),
        }
    }

    fn saved(&mut self, _: &mut Cx<'_, Self>) {
        self.saved += 1;
    }

    fn resume(&mut self, _: &mut Cx<'_, Self>, resumed: Resumed) {
        self.resumed = if resumed == Resumed::Loaded { 2 } else { 1 };
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        self.taken.clear();
    }
}

fn serve() -> (Running, Client) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = Server::from_stream(theirs).unwrap();
    let running = Running::start(server, |server| server.serve(Letters::default));
    (running, Client::from_stream(ours, AttachOptions::default()).unwrap())
}

fn save(client: &Client) -> Vec<u8> {
    let mut stream = Vec::new();
    client.save(&mut stream).unwrap();
    stream
}

fn register(client: &Client, offset: u64) -> u32 {
    client.region(RegionIndex::Bar0).read(offset).unwrap()
}

#[test]
fn the_stream_is_what_the_device_makes_of_it_and_nothing_else() {
    let (_running, from) = serve();
    from.region(RegionIndex::Bar0).write(0, u32::from_le_bytes(*b"abcd")).unwrap();
    from.region(RegionIndex::Bar0).write(4, u32::from(b'e')).unwrap();
    from.set_migration_state(PreCopy).unwrap();
    let ahead = save(&from);
    assert_eq!((ahead.as_slice(), register(&from, 12)), (&b"abcd"[..], 0));
    from.region(RegionIndex::Bar0).write(0, b'X').unwrap();
    from.set_migration_state(StopCopy).unwrap();
    let rest = save(&from);
    assert_eq!((rest.as_slice(), register(&from, 12)), (&b"Xbcde"[..], 1));
    assert_eq!((save(&from).len(), register(&from, 12)), (0, 1), "it is notified once");
    let (_running, to) = serve();
    to.set_migration_state(Resuming).unwrap();
    for piece in [&ahead[..], &rest[..3], &rest[3..]] {
        to.write_migration_data(piece).unwrap();
    }
    to.set_migration_state(Runs).unwrap();
    assert_eq!(register(&to, 0).to_le_bytes(), *b"Xbcd");
    assert_eq!([register(&to, 4), register(&to, 8)], [u32::from(b'e'), 2]);
    from.set_migration_state(Runs).unwrap();
    assert_eq!(register(&from, 8), 1);
    from.set_migration_state(PreCopy).unwrap();
    assert_eq!(save(&from), b"Xbcd", "anew");
}

#[test]
fn a_device_that_refuses_its_stream_is_broken_until_it_is_reset() {
    let (_running, client) = serve();
    for bad in [&b"abc?"[..], b"abc"] {
        client.set_migration_state(Resuming).unwrap();
        let taken = client.write_migration_data(bad);
        assert_eq!(taken.is_ok(), bad == b"abc");
        assert!(client.set_migration_state(Stop).is_err());
        assert_eq!(client.migration_state().unwrap(), MigrationState::Error);
        assert!(client.set_migration_state(Runs).is_err());
        assert!(client.read_migration_data(&mut [0; 4]).is_err());
        assert!(client.write_migration_data(b"a").is_err());
        client.reset().unwrap();
        assert_eq!(client.migration_state().unwrap(), Runs);
    }
    client.region(RegionIndex::Bar0).write(0, b'!').unwrap();
    client.set_migration_state(StopCopy).unwrap();
    assert!(client.read_migration_data(&mut [0; 4]).is_err());
    assert!(client.write_migration_data(b"a").is_err());
    client.set_migration_state(Runs).unwrap();
}

#[test]
fn what_a_client_leaves_half_loaded_is_reset() {
    let running = Running::at_path(Letters::default);
    let attach = || Client::attach(running.path()).unwrap();
    for left in [&b"abc"[..], b"abc?", b""] {
        let client = attach();
        client.region(RegionIndex::Bar0).write(4, 7_u32).unwrap();
        client.set_migration_state(Resuming).unwrap();
        assert_eq!(client.write_migration_data(left).is_ok(), left != b"abc?");
        drop(client);
        let client = attach();
        assert_eq!(client.migration_state().unwrap(), Runs);
        assert_eq!(register(&client, 4), if left.is_empty() { 7 } else { 0 });
        // Of what came before, nothing is left.
        client.set_migration_state(Resuming).unwrap();
        client.write_migration_data(b"abcde").unwrap();
        client.set_migration_state(Runs).unwrap();
        assert_eq!([register(&client, 4), register(&client, 8)], [u32::from(b'e'), 2]);
    }
}

/// A device whose stream is kept in a file, and what became of that.
fn keeping(file: &Path, prepare: impl FnOnce(&mut Bench<Letters>)) -> (Bench<Letters>, Result<()>) {
    let mut bench = Bench::new(Letters::default()).unwrap();
    prepare(&mut bench);
    let kept = bench.function_mut().keep_state(file);
    (bench, kept)
}

#[test]
fn the_stream_is_kept_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state");
    let (_, kept) = keeping(&file, |bench| {
        bench.write(0, 0, u32::from_le_bytes(*b"abcd"));
        bench.write(0, 4, u32::from(b'e'));
    });
    kept.unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"abcde");
    let (other, kept) = keeping(&file, |_| {});
    kept.unwrap();
    assert_eq!((other.device().first.to_le_bytes(), other.device().last), (*b"abcd", b'e'.into()));
    for bad in ["abc", "abc?e", ""] {
        fs::write(&file, bad).unwrap();
        let (mut other, kept) = keeping(&file, |bench| bench.write(0, 4, 7_u32));
        assert!(matches!(kept, Err(Error::State { .. })), "{kept:?}");
        // It is not half of this and half of that, and it runs.
        assert_eq!((other.device().last, other.device().taken.len()), (0, 0));
        other.write(0, 4, 8_u32);
        assert_eq!(other.device().last, 8);
        assert_eq!(fs::read(&file).unwrap(), bad.as_bytes());
    }
    fs::remove_file(&file).unwrap();
    let (_, kept) = keeping(&file, |bench| bench.write(0, 0, u32::from(b'!')));
    assert!(matches!(kept, Err(Error::StateFile { .. })), "{kept:?}");
    assert!(!file.exists());
}
