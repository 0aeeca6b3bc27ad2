//! Wrong messages: an error reply with the header alone, and the next message is understood.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use vfio_user::EventFd;
use vfio_user_tests::ram::Ram;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::wire::{self, command, dma, errno, flag, irq};
use vfio_user_tests::zoo::reg;
use vfio_user_tests::{files, serve};

const MIB: u32 = 1 << 20;
/// Header, access, data.
const LARGEST: u32 = 16 + 16 + MIB;
const DRAINED: u32 = 16 << 20;

/// Every command with a payload that is right and does no harm.
fn valid() -> Vec<(u16, Vec<u8>, usize)> {
    vec![
        (command::DMA_MAP, wire::dma_map(dma::BOTH, 0, 0x5000, 0x1000), 32),
        (command::DMA_UNMAP, wire::dma_unmap(0, 0x5000, 0x1000), 24),
        (command::GET_INFO, wire::words(&[16, 0, 0, 0]), 16),
        (command::GET_REGION_INFO, wire::region_info(32, 0), 32),
        (command::GET_IRQ_INFO, wire::words(&[16, 0, 0, 0]), 16),
        (command::SET_IRQS, wire::set_irqs(irq::NONE | irq::TRIGGER, irq::MSIX, 0, 0), 20),
        (command::REGION_READ, wire::access(0, reg::SCRATCH, 4), 16),
        (command::REGION_WRITE, wire::write(0, reg::SCRATCH, &[1, 2, 3, 4]), 20),
        (command::RESET, vec![], 0),
    ]
}

/// Every command with a payload that is refused.
fn refused() -> Vec<(u16, Vec<u8>)> {
    vec![
        (command::VERSION, wire::version(0, "{}")),
        (command::DMA_MAP, wire::dma_map(0x10, 0, 0, 0x1000)),
        (command::DMA_UNMAP, wire::dma_unmap(0, 0, 0)),
        (command::GET_INFO, wire::words(&[15, 0, 0, 0])),
        (command::GET_REGION_INFO, wire::region_info(32, 9)),
        (command::GET_IRQ_INFO, wire::words(&[16, 0, 5, 0])),
        (command::SET_IRQS, wire::set_irqs(irq::NONE | irq::TRIGGER, 5, 0, 0)),
        (command::REGION_READ, wire::access(0, 0x1000, 1)),
        (command::REGION_WRITE, wire::write(3, 0, &[0; 4])),
        (11, wire::words(&[0, 0, 4, 0])),
        (12, wire::words(&[0, 0, 0, 0])),
        (14, vec![0; 24]),
        (0xffff, vec![0; 100]),
    ]
}

#[test]
fn a_refused_request_is_answered_with_a_header_alone() {
    let (_running, mut client, _kit) = serve::zoo();
    for (command, payload) in refused() {
        client.request(command, &payload, &[]).fails_with(errno::EINVAL);
        client.sync();
    }
}

#[test]
fn an_error_carries_nothing_of_a_reply_that_was_begun() {
    let (_running, client, _kit) = serve::zoo();
    // The data has its place in the reply before the device refuses to fill it.
    let refused = wire::message(1, command::REGION_READ, 0, &wire::access(4, 0, 256));
    let good = wire::message(2, command::REGION_READ, 0, &wire::access(4, 0, 8));
    client.send(&[&good[..], &refused, &good, &refused, &refused, &good].concat(), &[]);
    for id in [2, 1, 2, 1, 1, 2] {
        let answer = client.answer_to(id, command::REGION_READ);
        match id {
            1 => answer.fails_with(errno::EINVAL),
            _ => assert_eq!(answer.ok().len(), 24),
        }
    }
}

#[test]
fn unknown_commands_are_refused_and_their_payload_is_skipped() {
    let (_running, mut client, _kit) = serve::zoo();
    for command in [0, 11, 12, 14, 16, 17, 18, 19, 100, 0x7fff, 0xffff] {
        for len in [0, 1, 16, 5000] {
            let answer = client.request(command, &vec![0xee; len], &[]);
            answer.fails_with(errno::EINVAL);
        }
        client.sync();
    }
}

#[test]
fn payloads_that_are_too_short_are_refused_at_every_length() {
    let (_running, mut client, _kit) = serve::zoo();
    for (command, payload, fixed) in valid() {
        for len in 0..fixed {
            client.request(command, &payload[..len], &[]).fails_with(errno::EINVAL);
        }
        client.sync();
        assert_eq!(client.request(command, &payload, &[]).errno(), None, "command {command}");
    }
}

#[test]
fn payloads_that_are_longer_than_needed_are_tolerated() {
    let (_running, mut client, _kit) = serve::zoo();
    for (command, mut payload, _) in valid() {
        if command == command::REGION_WRITE {
            continue;
        }
        for more in [1, 16, 4032, MIB as usize - 4096] {
            payload.resize(payload.len() + more, 0xee);
            assert_eq!(client.request(command, &payload, &[]).errno(), None, "command {command}");
            // A repeated map is an exact duplicate.
        }
        client.sync();
    }
}

#[test]
fn the_data_of_a_write_is_as_long_as_it_says() {
    let (_running, mut client, _kit) = serve::zoo();
    for (count, len) in [(4, 3), (4, 5), (0, 1), (4, 0), (u32::MAX, 4)] {
        let payload = [wire::access(0, reg::SCRATCH, count), vec![0xee; len]].concat();
        client.request(command::REGION_WRITE, &payload, &[]).fails_with(errno::EINVAL);
    }
    assert_eq!(client.number(0, reg::SCRATCH, 4), 0);
}

#[test]
fn a_request_without_reply_is_silent_whether_it_fails_or_not() {
    let (_running, mut client, _kit) = serve::zoo();
    let valid = valid().into_iter().map(|(command, payload, _)| (command, payload));
    for (command, payload) in valid.chain(refused()) {
        client.post(command, &payload, &[]);
        client.post(command, &[], &[]);
        client.sync();
        assert!(!client.has_message(Duration::ZERO), "command {command} was answered");
    }
}

#[test]
fn a_mebibyte_is_written_and_read() {
    let (_running, mut client) = serve::function(Ram::new());
    let data: Vec<u8> = (0..MIB).map(|i| (i % 251) as u8).collect();
    client.write(1, 4096, &data);
    assert!(client.read(1, 4096, MIB) == data);
    assert!(client.read(1, 4096 + 250, MIB - 250) == data[250..]);
    client.posted_write(1, 0, &data);
    assert!(client.read(1, 0, MIB) == data);
}

#[test]
fn pipelined_mebibytes_arrive_in_order() {
    let (_running, mut client) = serve::function(Ram::new());
    let writes: Vec<_> = (0..3u8).map(|i| (client.id(), vec![i; MIB as usize])).collect();
    let reader = RawClient::new(client.stream().try_clone().unwrap());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for (id, data) in &writes {
                let payload = wire::write(1, 0, data);
                client.send(&wire::message(*id, command::REGION_WRITE, 0, &payload), &[]);
                let read = wire::access(1, 0, MIB);
                client.send(&wire::message(*id, command::REGION_READ, 0, &read), &[]);
            }
        });
        for (id, data) in &writes {
            assert_eq!(reader.answer_to(*id, command::REGION_WRITE).payload.len(), 16);
            let read = reader.answer_to(*id, command::REGION_READ).ok();
            assert!(read[16..] == data[..], "message {id}");
        }
    });
}

#[test]
fn more_than_a_mebibyte_is_refused_and_skipped() {
    let (_running, mut client) = serve::function(Ram::new());
    assert_eq!(client.try_read(1, 0, MIB + 1), Err(errno::EINVAL));
    assert_eq!(client.try_read(1, 0, u32::MAX), Err(errno::EINVAL));
    assert_eq!(client.try_write(1, 0, &vec![1; MIB as usize + 1]), Err(errno::E2BIG));
    client.sync();
    assert_eq!(client.read(1, 0, 8), [0; 8], "nothing was written");
}

#[test]
fn an_oversized_message_is_refused_at_once_and_drained() {
    let (_running, mut client, _kit) = serve::zoo();
    for size in [LARGEST + 1, 2 * MIB, DRAINED] {
        for command in [command::REGION_WRITE, command::GET_INFO, 999] {
            client.send(&wire::header(7, command, size, 0), &[]);
            client.answer_to(7, command).fails_with(errno::E2BIG);
            // The payload looks like messages, and is none.
            let lookalike = wire::message(9, command::RESET, 0, &[]);
            let payload: Vec<u8> =
                lookalike.iter().copied().cycle().take(size as usize - 16).collect();
            client.send(&payload, &[]);
            client.sync();
        }
    }
}

#[test]
fn an_oversized_message_without_reply_is_drained_in_silence() {
    let (_running, mut client, _kit) = serve::zoo();
    client.send(&wire::header(7, command::REGION_WRITE, LARGEST + 1, flag::NO_REPLY), &[]);
    client.send(&vec![0; LARGEST as usize + 1 - 16], &[]);
    client.sync();
}

#[test]
fn an_oversized_message_is_skipped_exactly_wherever_it_is_split() {
    let (_running, mut client, _kit) = serve::zoo();
    let size = LARGEST + 1;
    let info = wire::message(8, command::GET_INFO, 0, &wire::words(&[16, 0, 0, 0]));
    let oversized = [wire::header(7, 10, size, 0), vec![0xff; size as usize - 16]].concat();
    let stream = [&info[..], &oversized, &info].concat();
    for cut in [1, 32, 33, 47, 48, 49, 100, 65536, 1 << 20, stream.len() - 33, stream.len() - 1] {
        client.send(&stream[..cut], &[]);
        client.send(&stream[cut..], &[]);
        assert_eq!(client.answer_to(8, command::GET_INFO).errno(), None);
        client.answer_to(7, 10).fails_with(errno::E2BIG);
        assert_eq!(client.answer_to(8, command::GET_INFO).errno(), None);
    }
    client.sync();
}

#[test]
fn a_message_beyond_all_measure_ends_the_connection() {
    for size in [DRAINED + 1, 0x7fff_ffff, u32::MAX] {
        let (_running, client, _kit) = serve::zoo();
        client.send(&wire::header(7, command::REGION_WRITE, size, 0), &[]);
        client.expect_closed();
    }
}

#[test]
fn a_size_below_the_header_ends_the_connection() {
    for size in 0..16 {
        let (_running, client, _kit) = serve::zoo();
        client.send(&wire::header(7, command::GET_INFO, size, 0), &[]);
        client.expect_closed();
    }
}

#[test]
fn a_type_that_is_neither_command_nor_reply_ends_the_connection() {
    for kind in 2..=15 {
        let (_running, client, _kit) = serve::zoo();
        let info = wire::words(&[16, 0, 0, 0]);
        let good = wire::message(6, command::GET_INFO, 0, &info);
        let bad = wire::message(7, command::GET_INFO, kind, &info);
        client.send(&[good, bad].concat(), &[]);
        assert_eq!(client.answer_to(6, command::GET_INFO).errno(), None, "what came before");
        client.expect_closed();
    }
}

#[test]
fn unknown_header_flags_are_ignored() {
    let (_running, client, _kit) = serve::zoo();
    for flags in [0x20, 0x40, 0x8000_0000, 0xffff_ffe0] {
        let info = wire::words(&[16, 0, 0, 0]);
        client.send(&wire::message(6, command::GET_INFO, flags, &info), &[]);
        assert_eq!(client.answer_to(6, command::GET_INFO).errno(), None);
    }
}

#[test]
fn stray_replies_are_ignored() {
    let (_running, mut client, _kit) = serve::zoo();
    for command in [command::GET_INFO, 11, 12, 999] {
        for flags in [flag::REPLY, flag::REPLY | flag::ERROR, flag::REPLY | flag::NO_REPLY] {
            client.send(&wire::message(7, command, flags, &[0xee; 40]), &[]);
            client.sync();
        }
    }
    client.send(&wire::header(7, 11, LARGEST + 100, flag::REPLY), &[]);
    client.send(&vec![0; LARGEST as usize + 100 - 16], &[]);
    client.sync();
}

#[test]
fn descriptors_with_messages_that_take_none_are_closed() {
    let (_running, mut client, _kit) = serve::zoo();
    let valid = valid().into_iter().map(|(command, payload, _)| (command, payload));
    for (command, payload) in valid.chain(refused()) {
        // A map takes one, a trigger of eventfds takes some: with a pipe both are refused.
        let (mut reader, writer) = files::new_pipe();
        let answer = client.request(command, &payload, &[writer.as_fd(), writer.as_fd()]);
        drop((answer, writer));
        client.sync();
        files::assert_closed(&mut reader);
    }
}

#[test]
fn descriptors_with_replies_and_skipped_messages_are_closed() {
    let (_running, mut client, _kit) = serve::zoo();
    let (mut reader, writer) = files::new_pipe();
    client.send(&wire::message(7, 11, flag::REPLY, &[0; 32]), &[writer.as_fd()]);
    client.send(&wire::header(7, 10, LARGEST + 1, flag::NO_REPLY), &[writer.as_fd()]);
    client.send(&vec![0; LARGEST as usize - 15 - 100], &[writer.as_fd()]);
    client.send(&[0; 100], &[writer.as_fd()]);
    drop(writer);
    client.sync();
    files::assert_closed(&mut reader);
}

#[test]
fn descriptors_of_half_a_message_are_closed_with_the_connection() {
    let (running, client, _kit) = serve::zoo();
    let (mut reader, writer) = files::new_pipe();
    let message = wire::message(7, command::DMA_MAP, 0, &wire::dma_map(dma::BOTH, 0, 0, 0x1000));
    client.send(&message[..20], &[writer.as_fd()]);
    drop((writer, client));
    running.join().unwrap();
    files::assert_closed(&mut reader);
}

#[test]
fn as_many_descriptors_as_linux_passes_are_taken_at_once() {
    let (_running, mut client, _kit) = serve::zoo();
    let interrupts: Vec<_> = (0..2).map(|_| EventFd::new().unwrap()).collect();
    let mut fds = vec![interrupts[0].as_fd(); 252];
    fds.push(interrupts[1].as_fd());
    client.assign(irq::MSIX, 0, &fds);
    client.write(0, reg::RAISE, &252u32.to_le_bytes());
    assert_eq!((interrupts[0].take(), interrupts[1].take()), (None, Some(1)));
    client.write(0, reg::RAISE, &251u32.to_le_bytes());
    assert_eq!((interrupts[0].take(), interrupts[1].take()), (Some(1), None));
}

#[test]
fn more_descriptors_than_one_send_can_carry_are_no_message() {
    let (_running, mut client, _kit) = serve::zoo();
    let (mut reader, writer) = files::new_pipe();
    let set = wire::set_irqs(irq::EVENTFD | irq::TRIGGER, irq::MSIX, 0, 256);
    let message = wire::message(7, command::SET_IRQS, 0, &set);
    let fds = vec![writer.as_fd(); 128];
    client.send(&message[..8], &fds);
    client.send(&message[8..], &fds);
    client.answer_to(7, command::SET_IRQS).fails_with(errno::EINVAL);
    drop(writer);
    client.sync();
    files::assert_closed(&mut reader);
}

#[test]
fn a_descriptor_of_any_kind_may_arrive() {
    let (_running, mut client, _kit) = serve::zoo();
    let (socket, _other) = UnixStream::pair().unwrap();
    let kinds: Vec<OwnedFd> = vec![
        socket.into(),
        std::fs::File::open("/").unwrap().into(),
        std::fs::File::open("/dev/null").unwrap().into(),
        client.stream().try_clone().unwrap().into(),
    ];
    for fd in &kinds {
        let answer = client.dma_map(dma::BOTH, 0, 0, 0x1000, Some(fd.as_fd()));
        assert!(answer.errno().is_some(), "{fd:?} is no memory");
        let trigger = irq::EVENTFD | irq::TRIGGER;
        client.set_irqs(trigger, irq::MSIX, 0, 1, &[fd.as_fd()]).fails_with(errno::EINVAL);
    }
    client.sync();
}
