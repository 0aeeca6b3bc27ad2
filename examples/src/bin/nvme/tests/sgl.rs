//! Scatter gather lists.

use super::*;

const DATA_BLOCK: u8 = 0x00;
const BIT_BUCKET: u8 = 0x10;
const SEGMENT: u8 = 0x20;
const LAST_SEGMENT: u8 = 0x30;
/// Bytes of a transfer.
const LEN: u32 = 0x1000;

/// A descriptor: type, address, length.
type Descriptor = (u8, u64, u32);
/// A segment and its address.
type Segment = (u64, Vec<Descriptor>);

impl Driver {
    /// Writes segments to memory, each at its address.
    fn write_segments(&mut self, segments: &[(u64, &[Descriptor])]) {
        for (address, segment) in segments {
            let words = segment.iter().map(|(kind, address, len)| {
                [address.to_le_bytes(), (u64::from(*len) | u64::from(*kind) << 56).to_le_bytes()]
            });
            let bytes: Vec<u8> = words.flatten().flatten().collect();
            self.nvme.write_memory(*address, &bytes);
        }
    }

    fn bytes(&self, address: u64, len: u32) -> Vec<u8> {
        let mut bytes = vec![0; len as usize];
        self.nvme.read_memory(address, &mut bytes);
        bytes
    }
}

/// A transfer of 4 KiB from block 16 on.
fn with_sgl(opcode: u8, (kind, address, len): Descriptor) -> Command {
    let mut command = transfer(opcode, 16, LEN / 512, (address, 0));
    command.flags = 0x40;
    command.prp2 = (u64::from(len) | u64::from(kind) << 56).into();
    command
}

fn pattern(seed: u32) -> Vec<u8> {
    (0..LEN).map(|at| ((at + seed) * 7 % 251) as u8).collect()
}

/// Lists of 4 KiB, as a first descriptor and segments. The addresses differ.
fn lists() -> Vec<(Descriptor, Vec<Segment>)> {
    let block = |offset: u32, len: u32| {
        // Nothing is aligned, and gaps are between the blocks.
        (DATA_BLOCK, DATA + 0x2003 + u64::from(offset) * 2, len)
    };
    let nothing = (DATA_BLOCK, u64::MAX, 0);
    let blocks = vec![block(0, 1), nothing, block(1, 0x7fe), block(0x7ff, LEN - 0x7ff)];
    let link = |kind, address, count: u32| (kind, address, 16 * count);
    let [first, second, third] = [LIST, LIST + 0x108, LIST + 0x200];
    vec![
        ((DATA_BLOCK, DATA + 0x2001, LEN), vec![]),
        (link(LAST_SEGMENT, first, 4), vec![(first, blocks.clone())]),
        (
            link(SEGMENT, first, 2),
            vec![
                (first, vec![blocks[0], link(SEGMENT, second, 3)]),
                (second, vec![nothing, blocks[2], link(LAST_SEGMENT, third, 1)]),
                (third, vec![blocks[3]]),
            ],
        ),
    ]
}

#[test]
fn data_is_moved_by_lists_of_every_form() {
    let mut driver = Driver::new(false);
    let mut io = driver.create_io_queue(&mut Queue::default());
    for (seed, (first, segments)) in (1..).zip(lists()) {
        for (address, segment) in &segments {
            driver.write_segments(&[(*address, segment)]);
        }
        // A read by the list, a comparison by the list, and what is in memory then.
        driver.nvme.write_memory(DATA, &pattern(seed));
        driver.succeed(&mut io, &transfer(nvm::WRITE, 16, 8, (DATA, 0)));
        driver.nvme.write_memory(DATA + 0x2000, &[0xff; 0x3000]);
        driver.succeed(&mut io, &with_sgl(nvm::READ, first));
        driver.succeed(&mut io, &with_sgl(nvm::COMPARE, first));
        let descriptors = segments.iter().flat_map(|(_, segment)| segment).chain([&first]);
        let blocks = descriptors.filter(|(kind, _, len)| *kind == DATA_BLOCK && *len > 0);
        let read: Vec<u8> = blocks.flat_map(|(_, at, len)| driver.bytes(*at, *len)).collect();
        assert!(read == pattern(seed), "list {seed}");
        driver.succeed(&mut io, &transfer(nvm::WRITE_ZEROES, 16, 8, (0, 0)));
        driver.succeed(&mut io, &with_sgl(nvm::WRITE, first));
        driver.succeed(&mut io, &transfer(nvm::COMPARE, 16, 8, (DATA, 0)));
    }
}

#[test]
fn bit_buckets_discard_what_is_read_and_mean_nothing_for_what_is_written() {
    let mut driver = Driver::new(false);
    let mut io = driver.create_io_queue(&mut Queue::default());
    let data = pattern(3);
    driver.nvme.write_memory(DATA, &data);
    driver.succeed(&mut io, &transfer(nvm::WRITE, 16, 8, (DATA, 0)));
    let (target, rest) = (DATA + 0x3000, LEN - 700);
    let list = [
        (BIT_BUCKET, 0, 100),
        (DATA_BLOCK, target, 300),
        (BIT_BUCKET, 0, 200),
        (BIT_BUCKET, 7, 100),
        (DATA_BLOCK, target + 300, rest),
    ];
    driver.write_segments(&[(LIST, &list)]);
    driver.nvme.write_memory(target, &[0xff; 0x1000]);
    driver.succeed(&mut io, &with_sgl(nvm::READ, (LAST_SEGMENT, LIST, 80)));
    let expected = [&data[100..400], &data[700..], &[0xff; 400]].concat();
    assert!(driver.bytes(target, 0x1000) == expected);
    // Everything is discarded: a read of the medium.
    driver.succeed(&mut io, &with_sgl(nvm::READ, (BIT_BUCKET, 0, LEN)));
    // As a source the list has too little: buckets add nothing.
    let write = with_sgl(nvm::WRITE, (LAST_SEGMENT, LIST, 80));
    driver.fail(&mut io, &write, Status::DATA_SGL_LENGTH_INVALID);
    let list = [
        (BIT_BUCKET, 0, 5000),
        (DATA_BLOCK, DATA, 0x800),
        (BIT_BUCKET, 0, 1),
        (DATA_BLOCK, DATA + 0x800, 0x800),
    ];
    driver.write_segments(&[(LIST, &list)]);
    driver.succeed(&mut io, &with_sgl(nvm::COMPARE, (LAST_SEGMENT, LIST, 64)));
}

#[test]
fn a_wrong_list_is_a_status() {
    let mut driver = Driver::new(false);
    let mut io = driver.create_io_queue(&mut Queue::default());
    let block = (DATA_BLOCK, DATA, LEN);
    let (lone, two) = (LIST + 0x800, LIST + 0x900);
    driver.write_segments(&[
        (LIST, &[block, (SEGMENT, LIST, 32)]),
        (lone, &[block]),
        (two, &[(LAST_SEGMENT, lone, 16), block]),
        (two + 0x100, &[(DATA_BLOCK, 1 << 50, 512), (DATA_BLOCK, DATA, LEN - 512)]),
        (two + 0x200, &[(DATA_BLOCK, DATA, 0), (SEGMENT, two + 0x200, 32)]),
    ]);
    let wrong = [
        // Too short, too long.
        ((DATA_BLOCK, DATA, LEN - 1), Status::DATA_SGL_LENGTH_INVALID),
        ((DATA_BLOCK, DATA, LEN + 1), Status::DATA_SGL_LENGTH_INVALID),
        ((SEGMENT, LIST, 32), Status::DATA_SGL_LENGTH_INVALID),
        // Types: keyed, transport, of the vendor; an offset in place of an address.
        ((0x40, DATA, LEN), Status::SGL_TYPE_INVALID),
        ((0x5a, DATA, LEN), Status::SGL_TYPE_INVALID),
        ((0xf0, DATA, LEN), Status::SGL_TYPE_INVALID),
        ((0x01, DATA, LEN), Status::SGL_TYPE_INVALID),
        ((0x31, lone, 16), Status::SGL_TYPE_INVALID),
        // The end of the address space, and no memory.
        ((DATA_BLOCK, u64::MAX - 100, LEN), Status::SGL_TYPE_INVALID),
        ((SEGMENT, 0_u64.wrapping_sub(16), 32), Status::SGL_TYPE_INVALID),
        ((DATA_BLOCK, 1 << 50, LEN), Status::DATA_TRANSFER_ERROR),
        ((LAST_SEGMENT, 1 << 50, 16), Status::DATA_TRANSFER_ERROR),
        ((LAST_SEGMENT, two + 0x100, 32), Status::DATA_TRANSFER_ERROR),
        // Segments: empty, no multiple of a descriptor, not aligned.
        ((LAST_SEGMENT, lone, 0), Status::SGL_SEGMENT_INVALID),
        ((LAST_SEGMENT, lone, 24), Status::SGL_SEGMENT_INVALID),
        ((SEGMENT, lone, 8), Status::SGL_SEGMENT_INVALID),
        ((LAST_SEGMENT, lone + 4, 16), Status::SGL_SEGMENT_INVALID),
        // One that is not the last and leads nowhere; a last one that leads on.
        ((SEGMENT, lone, 16), Status::SGL_SEGMENT_INVALID),
        ((LAST_SEGMENT, LIST, 32), Status::SGL_SEGMENT_INVALID),
        // A link before the end, a circle, and more than the controller accepts.
        ((LAST_SEGMENT, two, 32), Status::SGL_COUNT_INVALID),
        ((SEGMENT, two + 0x200, 32), Status::SGL_COUNT_INVALID),
        ((LAST_SEGMENT, LIST, 16 * 4097), Status::SGL_COUNT_INVALID),
        ((LAST_SEGMENT, LIST, !15), Status::SGL_COUNT_INVALID),
    ];
    for (first, status) in wrong {
        driver.fail(&mut io, &with_sgl(nvm::READ, first), status);
        driver.fail(&mut io, &with_sgl(nvm::WRITE, first), status);
    }
}

#[test]
fn where_lists_are_not_allowed_they_are_refused() {
    let mut driver = Driver::new(false);
    let mut admin = Queue::default();
    let mut io = driver.create_io_queue(&mut admin);
    let whole = (DATA_BLOCK, DATA, LEN);
    driver.succeed(&mut io, &with_sgl(nvm::READ, whole));
    // SGLs for metadata, a reserved value, fused operations.
    for flags in [0x80, 0xc0, 0x41, 0x42] {
        let command = Command { flags, ..with_sgl(nvm::READ, whole) };
        driver.fail(&mut io, &command, Status::INVALID_FIELD);
    }
    let mut identify = command(admin::IDENTIFY, 0, DATA);
    identify.cdw10 = 1.into();
    driver.succeed(&mut admin, &identify);
    assert_eq!(driver.bytes(DATA + 536, 4), [1, 0, 1, 0], "SGLS");
    identify.flags = 0x40;
    driver.fail(&mut admin, &identify, Status::INVALID_FIELD);
}
