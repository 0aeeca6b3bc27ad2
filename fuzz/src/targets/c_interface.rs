//! The functions of the C interface, called with numbers that say anything and pointers that are
//! right, and clients of the device that they make.

#![expect(unsafe_code, reason = "the functions of the C interface take pointers")]

mod functions;
mod program;

use arbitrary::Arbitrary;

use super::session::{self, Message};
use crate::numbers::Number;
use crate::resources::Resources;
use program::Program;

/// What the program, or its client, does.
#[derive(Arbitrary, Debug)]
enum Step {
    Set(Setup),
    Realize,
    Attach,
    Run,
    Trigger(Number),
    /// Reaches the client's memory.
    Transfer {
        iova: Number,
        len: Number,
        prot: u8,
        most: u8,
        is_write: bool,
    },
    Quiesced(u8),
    /// Changes what the program's functions return from now on.
    Return(u8),
    Capability {
        id: u16,
        is_extended: bool,
        position: Number,
    },
    /// The client connects, in place of an earlier connection, and proposes a version.
    Connect,
    Leave,
    Send(Message),
}

/// What a program says of its device.
#[derive(Arbitrary, Debug)]
enum Setup {
    Kind {
        pci_type: u8,
        header: u8,
    },
    Ids([u16; 4]),
    Region {
        index: u8,
        size: Number,
        flags: u8,
        has_callback: bool,
        areas: Vec<(Number, Number)>,
        file: bool,
    },
    Irqs {
        index: u8,
        count: Number,
    },
    Ioeventfd {
        region: u8,
        offset: Number,
        size: u8,
        flags: u8,
    },
    Dma {
        regions: Number,
        has_unregister: bool,
    },
    Quiesce,
    Reset,
    IrqState(u8),
    Migration {
        version: u8,
    },
    Capability {
        bytes: [u8; 16],
        position: Number,
        flags: u8,
    },
}

/// Plays a program and its client, and checks that nothing is left.
pub fn run(input: &[u8]) {
    let Some(steps) = super::parse::<Vec<Step>>(input) else { return };
    session::warm_up();
    let before = Resources::count();
    let mut program = Program::new();
    for step in &steps {
        program.play(step);
    }
    drop(program);
    before.assert_back();
}
