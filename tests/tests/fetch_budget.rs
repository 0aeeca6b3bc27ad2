//! What fetches take that were begun by one message. A test of its own process: it looks at how
//! much memory that has.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;

use vfio_user::{Cx, Device, DmaError, PciDevice, Virtual};
use vfio_user_tests::files;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve;
use vfio_user_tests::wire::{self, command, dma};

static ALONE: Mutex<()> = Mutex::new(());

/// A number of `/proc/self/status`, in bytes.
fn status(name: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

/// How much more memory than before the process had at most meanwhile.
fn peak_of(run: impl FnOnce()) -> usize {
    // Resets the peak.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status("VmRSS");
    run();
    status("VmHWM").saturating_sub(before)
}

const LEN: usize = 1 << 20;
const MEMORY: u64 = 2 << 20;

/// Fetches a mebibyte for each doorbell that is rung.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f8)]
#[bar(0: mem32, size = 0x2000)]
struct Fetcher {
    #[reg(0x0, wo, write_with = ring)]
    doorbells: [Virtual<u32>; 32],
    #[reg(0x1000)]
    good: u32,
    #[reg(0x1004)]
    refused: u32,
}

fn ring(_: &mut Fetcher, cx: &mut Cx<'_, Fetcher>, _: usize, _: u32) {
    cx.fetch(0x1000, LEN, std::convert::identity);
}

impl Device for Fetcher {
    type Event = Result<Vec<u8>, DmaError>;

    fn event(&mut self, _: &mut Cx<'_, Self>, event: Self::Event) {
        match event {
            Ok(bytes) if bytes.len() == LEN && bytes[5] == 7 => self.good += 1,
            Ok(_) => panic!("other bytes"),
            Err(_) => self.refused += 1,
        }
    }
}

fn with_memory(flags: u32, run: impl FnOnce(&mut RawClient)) {
    let (_running, mut client) = serve::over_pair(Fetcher::default);
    client.negotiate();
    let memory = files::memory(MEMORY);
    memory_write(&memory);
    client.dma_map(dma::BOTH | flags, 0, 0, MEMORY, Some(memory.as_fd())).ok();
    client.write(7, 4, &[6, 0]);
    run(&mut client);
}

fn memory_write(memory: &fs::File) {
    memory.write_all_at(&[7; 4096], 0x1000).unwrap();
}

fn multi(count: usize) -> Vec<u8> {
    let writes: Vec<(u32, u64, &[u8])> = vec![(0, 0, &[0; 4]); count];
    wire::write_multi(&writes)
}

#[test]
fn fetches_of_one_message_take_little_memory_at_a_time() {
    let _alone = ALONE.lock().unwrap();
    for flags in [0, dma::FILE_IO] {
        with_memory(flags, |client| {
            let (count, payload) = (300, multi(300));
            let peak = peak_of(|| {
                client.request(command::REGION_WRITE_MULTI, &payload, &[]).ok();
                assert_eq!(client.number(0, 0x1000, 4), count);
            });
            assert!(peak < 32 << 20, "{peak} bytes");
            let peak = peak_of(|| {
                (0..3).for_each(|_| client.write(0, 0, &[0; 128]));
                assert_eq!(client.number(0, 0x1000, 4), count + 3 * 32);
            });
            assert!(peak < 32 << 20, "{peak} bytes");
            assert_eq!(client.number(0, 0x1004, 4), 0);
        });
    }
}
