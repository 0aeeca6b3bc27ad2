//! Queues, whose types bound them as `max_len` does others.

use std::collections::VecDeque;

use super::*;
use crate::Fifo;

fn full<T: From<u8>, const N: usize>() -> Fifo<T, N> {
    let mut fifo = Fifo::new();
    while fifo.push(T::from(7)).is_ok() {}
    fifo
}

#[test]
fn capacities() {
    family! {
        Four { x: Fifo<u8, 4> } = { x: full() }
        Eight { x: Fifo<u8, 8> } = { x: full() }
        Words { x: Fifo<u32, 4> } = { x: full() }
        List4 { #[migrate(max_len = 4)] x: VecDeque<u8> } = { x: VecDeque::from([7; 4]) }
        List9 { #[migrate(max_len = 9)] x: VecDeque<u8> } = { x: VecDeque::from([7; 9]) }
        Rows4 { x: [Fifo<u8, 4>; 2] } = { x: [full(), full()] }
        Rows8 { x: [Fifo<u8, 8>; 2] } = { x: [full(), full()] }
    }
}

#[derive(Debug, Default, RegisterBlock)]
struct Port4 {
    #[reg(0x00)]
    base: u32,
    received: Fifo<u8, 4>,
}

#[derive(Debug, Default, RegisterBlock)]
struct Port8 {
    #[reg(0x00)]
    base: u32,
    received: Fifo<u8, 8>,
}

#[test]
fn capacities_in_blocks() {
    family! {
        Four { #[block(0x100)] x: [Port4; 2] }
            = { x: std::array::from_fn(|_| Port4 { base: 1, received: full() }) }
        Eight { #[block(0x100)] x: [Port8; 2] }
            = { x: std::array::from_fn(|_| Port8 { base: 1, received: full() }) }
    }
}
