//! Blocks that are added, and arrays that grow.

use super::*;

fn used<const N: usize>() -> [Queue; N] {
    std::array::from_fn(|_| Queue { base: 1, size: 2 })
}

#[test]
fn blocks_that_are_added() {
    family! {
        Without { x: u8 } = { x: 1 }
        #[migrate(version = 2)]
        Added after(Without) { x: u8, #[block(0x100)] #[migrate(since = 2)] q: [Queue; 2] } =
            { x: 1, q: used() }
        #[migrate(version = 2)]
        Single after(Without) { x: u8, #[block(0x100)] #[migrate(since = 2)] q: Queue } =
            { x: 1, q: Queue { base: 1, size: 2 } }
        #[migrate(version = 2)]
        Required { x: u8, #[block(0x100)] q: [Queue; 2] } = { x: 1, q: used() }
        #[migrate(version = 3)]
        Renamed after(Without, Added) {
            x: u8,
            #[block(0x100)] #[migrate(since = 2, renamed_from = "q")] r: [Queue; 2],
        } = { x: 1, r: used() }
        #[migrate(version = 3)]
        Grown after(Without, Added) {
            x: u8,
            #[block(0x100)] #[migrate(since = 2, grown_from = 2)] q: [Queue; 3],
        } = { x: 1, q: used() }
    }
}

#[test]
fn blocks_and_arrays_that_have_grown_are_removed() {
    family! {
        Two { x: [u8; 2], #[block(0x100)] q: [Queue; 2] } = { x: [1; 2], q: used() }
        #[migrate(version = 2)]
        Three after(Two) {
            #[migrate(grown_from = 2)] x: [u8; 3],
            #[block(0x100)] #[migrate(grown_from = 2)] q: [Queue; 3],
        } = { x: [1; 3], q: used() }
        #[migrate(version = 3, removed("block.q", "x"))]
        Gone after(Two, Three) { #[migrate(skip)] w: u8 } = { w: 1 }
    }
}

#[derive(Debug, Default, RegisterBlock)]
struct Few2 {
    #[reg(0x00)]
    base: [u32; 2],
    sizes: [u16; 2],
    bytes: [u8; 2],
}

#[derive(Debug, Default, RegisterBlock)]
#[migrate(version = 2)]
struct Few4 {
    #[reg(0x00)]
    #[migrate(grown_from = 2)]
    base: [u32; 4],
    #[migrate(grown_from = 2)]
    sizes: [u16; 4],
    #[migrate(grown_from = 2)]
    bytes: [u8; 4],
}

fn few<const N: usize>() -> [Few2; N] {
    std::array::from_fn(|_| Few2 { base: [1; 2], sizes: [2; 2], bytes: [3; 2] })
}

fn more<const N: usize>() -> [Few4; N] {
    std::array::from_fn(|_| Few4 { base: [1; 4], sizes: [2; 4], bytes: [3; 4] })
}

#[test]
fn arrays_of_registers_that_have_grown() {
    family! {
        One { #[reg(0x00)] x: u32 } = { x: 7 }
        #[migrate(version = 2)]
        OneTwo after(One) { #[reg(0x00)] #[migrate(grown_from = 1)] x: [u32; 2] } = { x: [7; 2] }
        Two { #[reg(0x00)] x: [u32; 2] } = { x: [7; 2] }
        #[migrate(version = 2)]
        Three after(Two) { #[reg(0x00)] #[migrate(grown_from = 2)] x: [u32; 3] } = { x: [7; 3] }
        #[migrate(version = 3)]
        Five after(Two, Three) { #[reg(0x00)] #[migrate(grown_from(2, 3))] x: [u32; 5] } = { x: [7; 5] }
        #[migrate(version = 3)]
        Forgot { #[reg(0x00)] #[migrate(grown_from = 3)] x: [u32; 5] } = { x: [7; 5] }
        #[migrate(version = 3)]
        Renamed after(Two, Three) {
            #[reg(0x00)] #[migrate(grown_from(2, 3), renamed_from = "x")] y: [u32; 4],
        } = { y: [7; 4] }
    }
}

#[test]
fn private_arrays_that_have_grown() {
    family! {
        Two { x: [u32; 2] } = { x: [7; 2] }
        #[migrate(version = 2)]
        Three after(Two) { #[migrate(grown_from = 2)] x: [u32; 3] } = { x: [7; 3] }
        #[migrate(version = 3)]
        Five after(Two, Three) { #[migrate(grown_from(2, 3))] x: [u32; 5] } = { x: [7; 5] }
        #[migrate(version = 3)]
        Renamed after(Two, Three) {
            #[migrate(grown_from(2, 3), renamed_from = "x")] y: [u32; 4],
        } = { y: [7; 4] }
        Bytes { x: [u8; 2] } = { x: [7; 2] }
        #[migrate(version = 2)]
        MoreBytes after(Bytes) { #[migrate(grown_from = 2)] x: [u8; 30] } = { x: [7; 30] }
        #[migrate(version = 2)]
        List { #[migrate(max_len = 8)] x: Vec<u32> } = { x: vec![7; 7] }
        #[migrate(version = 2)]
        Empty { #[migrate(skip)] w: u8 } = { w: 7 }
        #[migrate(version = 3)]
        Since after(Empty) { #[migrate(since = 3, default = [1; 2])] z: [u16; 2] } = { z: [7; 2] }
        #[migrate(version = 4)]
        SinceMore after(Empty, Since) {
            #[migrate(since = 3, default = [1; 4], grown_from = 2)] z: [u16; 4],
        } = { z: [7; 4] }
    }
}

#[test]
fn arrays_of_blocks_that_have_grown() {
    family! {
        Two { #[block(0x100)] q: [Few2; 2] } = { q: few() }
        One { #[block(0x100)] q: Few2 } = { q: few::<1>().into_iter().next().unwrap() }
        #[migrate(version = 2)]
        OneTwo after(One) { #[block(0x100)] #[migrate(grown_from = 1)] q: [Few2; 2] } = { q: few() }
        #[migrate(version = 2)]
        Three after(Two) { #[block(0x100)] #[migrate(grown_from = 2)] q: [Few2; 3] } = { q: few() }
        #[migrate(version = 2)]
        Wide after(Two) { #[block(0x100)] q: [Few4; 2] } = { q: more() }
        #[migrate(version = 3)]
        WideThree after(Two, Three, Wide) { #[block(0x100)] #[migrate(grown_from = 2)] q: [Few4; 3] } =
            { q: more() }
        #[migrate(version = 3)]
        Renamed after(Two, Three) {
            #[block(0x100)] #[migrate(grown_from(2, 3), renamed_from = "q")] r: [Few4; 4],
        } = { r: more() }
    }
}
