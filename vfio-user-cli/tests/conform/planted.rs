//! Faults are found, each by the check that is for it.

use vfio_user_tests::raw::Answer;
use vfio_user_tests::wire::{command, flag};

use crate::faulty::{Fault, Faulty};
use crate::{conform_at, stdout};

/// Checks that a check passes without a fault, and fails with it for a reason.
#[track_caller]
fn finds(check: &str, fault: Fault, reason: &str) {
    let only = format!("--only={check}");
    let good = Faulty::start(Fault::Request(|_| {}));
    let output = conform_at(&good.path(), &[&only, "--timeout=20"]);
    assert_eq!(stdout(&output), format!("pass  {check}\n1 passed, 0 failed, 0 skipped\n"));

    let bad = Faulty::start(fault);
    // Only a fault that is silence is waited for.
    let timeout = if matches!(fault, Fault::Silent(_)) { "--timeout=2" } else { "--timeout=20" };
    let output = conform_at(&bad.path(), &[&only, timeout]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.starts_with(&format!("FAIL  {check}: ")) && text.contains(reason), "{text}");
}

/// Alters the payload of a command.
macro_rules! payload {
    ($which:ident, $command:expr, $at:expr, $byte:expr) => {
        Fault::$which(|message: &mut Answer| {
            if message.command == $command && message.payload.len() > $at {
                message.payload[$at] = $byte;
            }
        })
    };
}

#[test]
fn wrong_versions() {
    finds("version-agreed", payload!(Reply, command::VERSION, 0, 1), "major version is 1");
    finds("version-later-minor", payload!(Reply, command::VERSION, 2, 99), "minor version is 99");
    let text = payload!(Reply, command::VERSION, 6, b'\n');
    finds("version-limits", text, "malformed");
    let other = payload!(Request, command::VERSION, 0, 0);
    finds("version-other-major", other, "succeeds");
}

#[test]
fn wrong_headers() {
    finds("header-reply", Fault::Reply(|message| message.id ^= 1), "has id");
    let alone = Fault::Reply(|message| {
        if message.errno().is_some() {
            message.payload = vec![0; 16];
        }
    });
    finds("header-error-alone", alone, "payload of an error is 16");
    let number = Fault::Reply(|message| {
        if message.errno().is_some() {
            message.error = 0;
        }
    });
    finds("header-error-number", number, "the error number is 0");
    let answered = Fault::Request(|message| message.flags &= !flag::NO_REPLY);
    finds("header-no-reply", answered, "a reply to ");
    let unknown = Fault::Request(|message| {
        if message.command > command::MIG_DATA_WRITE {
            (message.command, message.payload) = (command::RESET, Vec::new());
        }
    });
    finds("header-unknown-command", unknown, "a reply to ");
}

#[test]
fn wrong_descriptions() {
    let few = payload!(Reply, command::GET_INFO, 8, 3);
    finds("device-info", few, "num_regions is 3");
    let index = payload!(Reply, command::GET_REGION_INFO, 8, 9);
    finds("region-info", index, "the index in the reply");
    let lax = payload!(Request, command::GET_INFO, 0, 16);
    finds("device-info-argsz-small", lax, "an argsz of 0: DEVICE_GET_INFO succeeds");
    let outside = payload!(Reply, command::GET_REGION_INFO, 12, 200);
    finds("region-info-capabilities", outside, "region 2: the reply has");
    let no_file = Fault::Reply(|message| message.fds.clear());
    finds("region-info-areas", no_file, "region 2: the number of descriptors is 0");
    let many = payload!(Reply, command::GET_IRQ_INFO, 13, 16);
    finds("irq-info", many, "vectors, most are 1");
}

#[test]
fn wrong_accesses() {
    let short = Fault::Reply(|message| {
        if message.command == command::REGION_READ {
            message.payload.pop();
        }
    });
    finds("read", short, "the length of the reply is 19, expected 20");
    let ignored = payload!(Request, command::REGION_WRITE, 16, 0);
    finds("write", ignored, "the interrupt line register is 0, expected 90");
    let anywhere = Fault::Request(|message| {
        if message.command == command::REGION_READ {
            message.payload[..8].fill(0);
        }
    });
    finds("read-beyond", anywhere, "REGION_READ succeeds, expected an error");
}

#[test]
fn wrong_interrupts() {
    let lost = Fault::Request(|message| message.fds.clear());
    finds("set-irqs-descriptors", lost, "two eventfds for one vector: DEVICE_SET_IRQS succeeds");
    let wrong_vector = payload!(Request, command::SET_IRQS, 12, 0);
    finds("set-irqs-range", wrong_vector, "DEVICE_SET_IRQS succeeds");
}

#[test]
fn wrong_mappings() {
    let number = Fault::Reply(|message| {
        if message.errno() == Some(17) {
            message.error = 22;
        }
    });
    finds("map-overlap", number, "the error is EINVAL");
    let kept = Fault::Request(|message| {
        if message.command == command::DMA_UNMAP {
            // Nothing is mapped there.
            message.payload[8..16].fill(0);
        }
    });
    finds("unmap-releases", kept, "the reply to DMA_UNMAP");
}

#[test]
fn wrong_states_of_a_migration() {
    let state = payload!(Reply, command::DEVICE_FEATURE, 8, 7);
    finds("migration-arcs", state, "the state is PreCopyP2p, expected Stop");
    let endless = Fault::Reply(|message| {
        if message.command == command::MIG_DATA_READ && message.errno().is_none() {
            message.payload = [vec![0; 4], 0x8000_u32.to_le_bytes().to_vec()].concat();
        }
    });
    finds("migration-data", endless, "a read of 16384 bytes returns 32768");
}

#[test]
fn servers_that_do_not_answer() {
    finds("read", Fault::Silent(command::REGION_READ), "no answer within 2s");
}

#[test]
fn servers_that_serve_no_second_client() {
    finds("life-next-client", Fault::OneClient, "the server accepts no connection");
}
