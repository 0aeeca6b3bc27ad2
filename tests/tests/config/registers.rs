//! Accesses to registers, against a model that knows nothing but bits.

#![expect(clippy::cast_possible_truncation, reason = "numbers of tests are small")]

use proptest::prelude::*;
use vfio_user_tests::journal::Call;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::register_model::{Model, PLAIN};
use vfio_user_tests::wire::{command, errno};
use vfio_user_tests::{serve, wire};

const ALL: u64 = u64::MAX;

#[derive(Clone, Debug)]
enum Step {
    Read(u64, usize),
    Write(u64, Vec<u8>),
    Reset,
}

fn step() -> impl Strategy<Value = Step> {
    let read = (0..PLAIN, 1..24usize);
    let write = (0..PLAIN, proptest::collection::vec(any::<u8>(), 1..24));
    prop_oneof![
        8 => read.prop_map(|(offset, len)| Step::Read(offset, len)),
        12 => write.prop_map(|(offset, data)| Step::Write(offset, data)),
        1 => Just(Step::Reset),
    ]
}

fn all(client: &mut RawClient) -> Vec<u8> {
    client.read(0, 0, u32::try_from(PLAIN).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_access_does_what_the_model_does(
        steps in proptest::collection::vec(step(), 1..60),
        posted: bool,
    ) {
        let (_running, mut client, _kit) = serve::zoo();
        let mut model = Model::new();
        for step in steps {
            match step {
                Step::Read(offset, len) => {
                    let len = len.min((PLAIN - offset) as usize);
                    let read = client.read(0, offset, len as u32);
                    prop_assert_eq!(read, model.read(offset, len), "{}+{}", offset, len);
                }
                Step::Write(offset, mut data) => {
                    data.truncate((PLAIN - offset) as usize);
                    if posted {
                        client.posted_write(0, offset, &data);
                    } else {
                        client.write(0, offset, &data);
                    }
                    model.write(offset, &data);
                }
                Step::Reset => {
                    client.request(command::RESET, &[], &[]).ok();
                    model = Model::new();
                }
            }
            prop_assert_eq!(all(&mut client), model.read(0, PLAIN as usize));
        }
    }
}

#[test]
fn every_size_at_every_offset_reads_like_the_whole() {
    let (_running, mut client, _kit) = serve::zoo();
    let whole = all(&mut client);
    assert_eq!(whole, Model::new().read(0, PLAIN as usize), "values at construction");
    for size in [1, 2, 3, 4, 5, 6, 7, 8, 16] {
        for offset in 0..PLAIN - size {
            let part = &whole[offset as usize..(offset + size) as usize];
            assert_eq!(client.read(0, offset, size as u32), part, "{offset:#x}+{size}");
        }
    }
}

#[test]
fn every_policy_in_every_width_follows_its_name() {
    let (_running, mut client, _kit) = serve::zoo();
    for (column, width) in [(0, 1u64), (2, 2), (4, 4), (8, 8)] {
        let mask = ALL >> (64 - 8 * width);
        let at = |row: u64| row * 0x10 + column;
        let mut write_then_read = |row, value: u64| {
            client.write(0, at(row), &value.to_le_bytes()[..width as usize]);
            client.number(0, at(row), width as u32)
        };
        assert_eq!(write_then_read(1, 0x0123_4567_89ab_cdef), 0x0123_4567_89ab_cdef & mask);
        assert_eq!(write_then_read(1, ALL), mask);
        assert_eq!(write_then_read(2, ALL), 0, "write-only");
        assert_eq!(write_then_read(3, ALL), 0, "all acknowledged");
        assert_eq!(write_then_read(4, 1), if width == 4 { 0x8000_0001 } else { 1 });
        assert_eq!(write_then_read(4, 6), if width == 4 { 0x8000_0007 } else { 7 });
        assert_eq!(write_then_read(4, 0), if width == 4 { 0x8000_0007 } else { 7 });
        let before = write_then_read(0, 0);
        assert_eq!(write_then_read(0, ALL), before, "read-only");
    }
}

#[test]
fn a_byte_acknowledges_its_own_bits_only() {
    let (_running, mut client, _kit) = serve::zoo();
    client.write(0, 0x34, &[1]);
    assert_eq!(client.number(0, 0x34, 4), 0x0101_0100);
    client.write(0, 0x36, &[0xff, 0]);
    assert_eq!(client.number(0, 0x34, 4), 0x0100_0100);
}

#[test]
fn an_access_across_registers_and_gaps_is_split() {
    let (_running, mut client, _kit) = serve::zoo();
    client.write(0, 0x10, &[0xee; 16]);
    assert_eq!(client.read(0, 0x10, 16)[..3], [0xee, 0, 0xee], "the gap stays zero");
    client.write(0, 0x16, &[1, 2, 3, 4]);
    assert_eq!(client.read(0, 0x14, 8), [0xee, 0xee, 1, 2, 3, 4, 0xee, 0xee]);
    client.write(0, 0x66, &[0xff; 10]);
    assert_eq!(client.read(0, 0x60, 10), [0; 10], "nothing but a gap");
    assert_eq!(client.read(0, 0x300, 200), [0; 200]);
}

#[test]
fn elements_of_arrays_are_where_their_stride_says() {
    let (_running, mut client, _kit) = serve::zoo();
    for index in 0..4u64 {
        client.write(0, 0x70 + 8 * index, &(index as u32 + 1).to_le_bytes());
        client.write(0, 0x74 + 8 * index, &(1u32 << (16 + index)).to_le_bytes());
    }
    for index in 0..4u64 {
        let pair = client.read(0, 0x70 + 8 * index, 8);
        assert_eq!(wire::u32_at(&pair, 0), index as u32 + 1);
        assert_eq!(wire::u32_at(&pair, 4), 0xffff_0000 & !(1 << (16 + index)));
    }
}

#[test]
fn gaps_read_as_the_bar_says() {
    let (_running, mut client, _kit) = serve::zoo();
    assert_eq!(client.read(1, 0, 8), [0, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    assert_eq!(client.read(1, 0xf0, 16), [0xff; 16]);
    client.write(1, 0, &[0x11; 12]);
    assert_eq!(client.read(1, 0, 10), [0x11, 0xff, 0xff, 0xff, 0x11, 0x11, 0x11, 0x11, 0xff, 0xff]);
    assert_eq!(client.read(2, 8, 8), [0; 8]);
}

#[test]
fn registers_beyond_4_gib_are_reached() {
    let (_running, mut client, _kit) = serve::zoo();
    client.write(2, 0x1_ffff_fff8, &[1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(client.read(2, 0x1_ffff_fff4, 12), [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(client.read(2, 0, 8), [0; 8], "no alias");
    assert_eq!(client.read(2, 0xffff_fff8, 8), [0; 8], "no alias");
}

#[test]
fn where_gaps_are_refused_nothing_is_half_done() {
    let (_running, mut client, kit) = serve::zoo();
    client.write(4, 0, &[1, 0, 0, 0, 2, 0, 0, 0]);
    client.write(4, 0x10, &[3, 0, 0, 0]);
    kit.journal.take();
    for (offset, len) in
        [(0, 9), (4, 5), (7, 2), (8, 1), (8, 8), (0xf, 2), (0, 0x14), (0x13, 2), (0x80, 4)]
    {
        assert_eq!(
            client.try_write(4, offset, &vec![0xff; len]),
            Err(errno::EINVAL),
            "{offset}+{len}"
        );
        assert_eq!(client.try_read(4, offset, len as u32), Err(errno::EINVAL), "{offset}+{len}");
    }
    assert_eq!(kit.journal.take(), [], "no hook was called");
    assert_eq!(client.read(4, 0, 8), [1, 0, 0, 0, 2, 0, 0, 0]);
    assert_eq!(client.read(4, 0x10, 4), [3, 0, 0, 0]);
    assert_eq!(client.try_write(4, 0, &[]), Ok(()));
    client.posted_write(4, 8, &[0; 4]);
    client.sync();
}

#[test]
fn observers_see_whole_registers_after_the_fact() {
    let (_running, mut client, kit) = serve::zoo();
    let calls = |client: &mut RawClient, access: &dyn Fn(&mut RawClient)| {
        kit.journal.take();
        access(client);
        kit.journal.take()
    };
    let write =
        |at: u64, data: &'static [u8]| move |client: &mut RawClient| client.write(0, at, data);
    let after = |old, new| vec![Call::AfterWrite("observed", old, new)];
    let seen = |value| vec![Call::AfterRead("observed", value)];
    let read = |at: u64, len: u32| move |client: &mut RawClient| drop(client.read(0, at, len));

    assert_eq!(calls(&mut client, &write(0x100, &[1, 2, 3, 4])), after(0, 0x0403_0201));
    assert_eq!(calls(&mut client, &write(0x102, &[9])), after(0x0403_0201, 0x0409_0201));
    assert_eq!(calls(&mut client, &write(0x100, &[1])), after(0x0409_0201, 0x0409_0201));
    assert_eq!(calls(&mut client, &read(0x100, 4)), seen(0x0409_0201));
    assert_eq!(calls(&mut client, &read(0x103, 1)), seen(0x0409_0201));

    let halves = [
        (0x110, &[1u8, 0, 0, 0][..], 0, 1),
        (0x114, &[2, 0, 0, 0], 1, 1 | 2 << 32),
        (0x117, &[3], 1 | 2 << 32, 1 | 2 << 32 | 3 << 56),
    ];
    for (at, data, old, new) in halves {
        let made = calls(&mut client, &|client| client.write(0, at, data));
        assert_eq!(made, [Call::AfterWrite("wide", old, new)], "a 64-bit register in parts");
    }
    let made = calls(&mut client, &write(0x118, &[0, 0x0f]));
    assert_eq!(made, [Call::AfterWrite("status", 0xffff_ffff, 0xffff_f0ff)]);
}

#[test]
fn replacements_take_the_value_on_the_bus() {
    let (_running, mut client, kit) = serve::zoo();
    kit.journal.take();
    client.write(0, 0x108, &[0xff, 0xff, 0, 0]);
    assert_eq!(client.number(0, 0x108, 4), 0x1_0000, "what the hook stored");
    client.write(0, 0x109, &[0x22]);
    assert_eq!(client.number(0, 0x108, 4), 0x1_2201);
    client.write(0, 0x10e, &[0x12, 0x34]);
    assert_eq!(client.number(0, 0x10c, 4), 0, "write-only");
    client.write(0, 0x11d, &[0xff]);
    let calls = [
        Call::Write("replaced", 0xffff),
        Call::Write("replaced", 0x1_2200),
        Call::Write("command", 0x3412_0000),
        Call::Write("raw_status", 0xff00),
    ];
    assert_eq!(kit.journal.take(), calls);

    client.write(0, 0x104, &[0x0f, 0, 0, 0]);
    assert_eq!(client.number(0, 0x104, 4), 0xffff_fff0, "what the hook gives");
    assert_eq!(client.read(0, 0x105, 2), [0xff, 0xff]);
    assert_eq!(kit.journal.take(), [Call::Read("provided"), Call::Read("provided")]);
}

#[test]
fn an_access_calls_the_hooks_of_what_it_touches_in_address_order() {
    let (_running, mut client, kit) = serve::zoo();
    kit.journal.take();
    client.write(0, 0xfe, &[0x11; 0x28]);
    let word = 0x1111_1111;
    let calls = [
        Call::AfterWrite("observed", 0, word),
        Call::Write("replaced", word),
        Call::Write("command", word),
        Call::AfterWrite("wide", 0, word | word << 32),
        Call::AfterWrite("status", 0xffff_ffff, 0xeeee_eeee),
        Call::Write("raw_status", word),
        Call::AfterElement(0, 0, word),
        Call::AfterElement(1, 0, 0x1111),
    ];
    assert_eq!(kit.journal.take(), calls);
    client.read(0, 0xf0, 0x20);
    assert_eq!(kit.journal.take(), [Call::AfterRead("observed", word), Call::Read("provided")]);
}

#[test]
fn hooks_of_arrays_get_the_index() {
    let (_running, mut client, kit) = serve::zoo();
    kit.journal.take();
    client.write(0, 0x12a, &[0xab, 0xcd, 0xef]);
    let calls = [Call::AfterElement(2, 0, 0xcdab_0000), Call::AfterElement(3, 0, 0xef)];
    assert_eq!(kit.journal.take(), calls);
}

#[test]
fn a_reset_restores_declared_and_constructed_values_and_calls_no_register_hook() {
    let (_running, mut client, kit) = serve::zoo();
    let before = all(&mut client);
    client.write(0, 0, &[0xff; PLAIN as usize]);
    client.write(0, 0x100, &[0xff; 4]);
    client.write(2, 0, &[0xff; 8]);
    assert_ne!(all(&mut client), before);
    kit.journal.take();
    client.request(command::RESET, &[], &[]).ok();
    assert_eq!(kit.journal.take(), [Call::Reset]);
    assert_eq!(all(&mut client), before);
    assert_eq!(client.read(2, 0, 8), [0; 8]);
    assert_eq!(client.number(0, 0x100, 4), 0);
}
