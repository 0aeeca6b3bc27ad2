//! The states of interrupts, without a client.

use std::os::fd::OwnedFd;
use std::time::Duration;

use super::*;
use crate::model::Ids;
use crate::pci::MessageControl;

/// INTx, 4 messages of MSI, 8 of MSI-X.
pub(super) fn interrupts() -> Arc<Interrupts> {
    const DESCRIPTOR: Descriptor = Descriptor::new(
        "test",
        Ids { vendor: 1, device: 1, class: 0, revision: 0, subsystem_vendor: 0, subsystem: 0 },
    )
    .with_intx()
    .with_msi(4)
    .with_msix_in_own_bar(8, None);
    Arc::new(Interrupts::new(&DESCRIPTOR))
}

/// An eventfd, and a descriptor of it to give away.
pub(super) fn eventfd_of() -> (EventFd, OwnedFd) {
    let eventfd = EventFd::new().unwrap();
    let fd = eventfd.try_clone().unwrap().into();
    (eventfd, fd)
}

/// Assigns new eventfds to `count` vectors.
fn assign(interrupts: &Interrupts, index: IrqIndex, count: u32) -> Vec<EventFd> {
    let (eventfds, fds): (_, Vec<_>) = (0..count).map(|_| eventfd_of()).unzip();
    interrupts.assign(index, 0, fds.into()).unwrap();
    eventfds
}

fn unmask(interrupts: &Interrupts, index: IrqIndex) {
    interrupts.act(index, IrqAction::Unmask, [0]);
}

#[test]
fn the_line_fires_again_on_unmask_while_it_is_asserted() {
    let interrupts = interrupts();
    let line = &assign(&interrupts, IrqIndex::Intx, 1)[0];
    interrupts.irq(0).set(true);
    interrupts.irq(1).set(true);
    assert_eq!(line.take(), Some(1), "one line, and masked by its own signal");
    interrupts.irq(0).set(false);
    unmask(&interrupts, IrqIndex::Intx);
    assert_eq!(line.take(), Some(1), "source 1 still asserts it");
    interrupts.irq(1).set(false);
    unmask(&interrupts, IrqIndex::Intx);
    assert_eq!(line.take(), None);
}

#[test]
fn a_level_that_came_and_went_under_the_mask_is_forgotten_and_a_pulse_is_not() {
    let interrupts = interrupts();
    let line = &assign(&interrupts, IrqIndex::Intx, 1)[0];
    interrupts.act(IrqIndex::Intx, IrqAction::Mask, [0]);
    interrupts.irq(0).set(true);
    interrupts.irq(0).set(false);
    unmask(&interrupts, IrqIndex::Intx);
    assert_eq!(line.take(), None);
    interrupts.act(IrqIndex::Intx, IrqAction::Mask, [0]);
    interrupts.irq(0).raise();
    interrupts.irq(0).raise();
    unmask(&interrupts, IrqIndex::Intx);
    assert_eq!(line.take(), Some(1));
}

#[test]
fn a_line_that_the_guest_has_disabled_is_asserted_in_silence() {
    let interrupts = interrupts();
    let line = &assign(&interrupts, IrqIndex::Intx, 1)[0];
    let disable = |line_disabled| {
        interrupts.apply_controls(InterruptControls { line_disabled, ..Default::default() });
    };
    disable(true);
    interrupts.irq(0).set(true);
    interrupts.irq(0).raise();
    assert!(interrupts.signals().line);
    assert_eq!(line.take(), None);
    disable(false);
    assert_eq!(line.take(), Some(1));
}

#[test]
fn a_line_that_is_asserted_already_fires_when_it_is_assigned() {
    let interrupts = interrupts();
    interrupts.irq(3).set(true);
    assert_eq!(assign(&interrupts, IrqIndex::Intx, 1)[0].take(), Some(1));
}

#[test]
fn messages_go_to_the_table_before_msi_before_the_line() {
    let interrupts = interrupts();
    let line = assign(&interrupts, IrqIndex::Intx, 1);
    let msi = assign(&interrupts, IrqIndex::Msi, 2);
    interrupts.irq(5).raise();
    assert_eq!(msi[1].take(), Some(1), "source 5 of 2 enabled messages");
    let msix = assign(&interrupts, IrqIndex::Msix, 8);
    interrupts.irq(5).raise();
    assert_eq!(msix[5].take(), Some(1));
    interrupts.disable(IrqIndex::Msix);
    interrupts.disable(IrqIndex::Msi);
    interrupts.irq(5).raise();
    assert_eq!(line[0].take(), Some(1));
}

#[test]
fn the_line_takes_over_what_is_asserted_when_messages_end() {
    let end: [fn(&Interrupts); 3] = [
        |interrupts| interrupts.disable(IrqIndex::Msix),
        |interrupts| interrupts.deassign(IrqIndex::Msix, 0, 8),
        |interrupts| interrupts.disconnect(),
    ];
    for (end, expected) in end.into_iter().zip([Some(1), Some(1), None]) {
        let interrupts = interrupts();
        let line = assign(&interrupts, IrqIndex::Intx, 1);
        let msix = assign(&interrupts, IrqIndex::Msix, 8);
        interrupts.irq(1).set(true);
        assert_eq!((line[0].take(), msix[1].take()), (None, Some(1)));
        end(&interrupts);
        assert_eq!(line[0].take(), expected);
    }
}

#[test]
fn a_level_sends_a_message_on_its_rising_edge_only() {
    let interrupts = interrupts();
    let msix = assign(&interrupts, IrqIndex::Msix, 8);
    for level in [true, true, false, true] {
        interrupts.irq(2).set(level);
    }
    assert_eq!(msix[2].take(), Some(2));
}

#[test]
fn a_masked_message_pends_and_shows_it() {
    let interrupts = interrupts();
    let msix = assign(&interrupts, IrqIndex::Msix, 8);
    interrupts.act(IrqIndex::Msix, IrqAction::Mask, [3, 5]);
    interrupts.irq(3).raise();
    assert_eq!(interrupts.pending(IrqIndex::Msix, 0), 1 << 3);
    assert_eq!(interrupts.pending(IrqIndex::Msix, 1), 0);
    interrupts.act(IrqIndex::Msix, IrqAction::Unmask, [3, 5]);
    assert_eq!((msix[3].take(), msix[5].take()), (Some(1), None));
    assert_eq!(interrupts.pending(IrqIndex::Msix, 0), 0);
}

#[test]
fn reset_forgets_what_is_asserted_and_keeps_what_is_assigned() {
    let interrupts = interrupts();
    let line = &assign(&interrupts, IrqIndex::Intx, 1)[0];
    interrupts.act(IrqIndex::Intx, IrqAction::Mask, [0]);
    interrupts.irq(0).set(true);
    interrupts.irq(0).raise();
    interrupts.reset();
    unmask(&interrupts, IrqIndex::Intx);
    assert_eq!(line.take(), None);
    interrupts.irq(0).raise();
    assert_eq!(line.take(), Some(1));
}

#[test]
fn an_eventfd_may_unmask() {
    let interrupts = interrupts();
    let line = &assign(&interrupts, IrqIndex::Intx, 1)[0];
    let resample = EventFd::new().unwrap();
    assert!(!interrupts.has_control_changes());
    let fds: Vec<OwnedFd> = vec![resample.try_clone().unwrap().into()];
    interrupts.listen(IrqIndex::Intx, IrqAction::Unmask, 0, fds.into()).unwrap();
    assert!(interrupts.has_control_changes());
    interrupts.irq(0).set(true);
    assert_eq!(line.take(), Some(1));
    let controls = interrupts.take_control_changes();
    let [(id, Some(control))] = &controls[..] else { panic!("{controls:?}") };
    interrupts.poll_control(control);
    assert_eq!(line.take(), None, "it has not been signalled");
    resample.signal();
    interrupts.poll_control(control);
    assert_eq!(line.wait(Duration::ZERO).unwrap(), Some(1));
    interrupts.disable(IrqIndex::Intx);
    let removed = interrupts.take_control_changes();
    assert!(matches!(&removed[..], [(other, None)] if other == id));
    assert!(!interrupts.has_control_changes());
}

/// What a message costs does not depend on what the client has set up before.
#[test]
fn one_control_eventfd_is_changed_beside_all_others() {
    let interrupts = interrupts();
    let vectors = interrupts.count(IrqIndex::Msix);
    let eventfds = |count: u32| -> PeerFds {
        (0..count).map(|_| EventFd::new().unwrap().into()).collect::<Vec<OwnedFd>>().into()
    };
    for action in [IrqAction::Mask, IrqAction::Unmask] {
        interrupts.listen(IrqIndex::Msix, action, 0, eventfds(vectors)).unwrap();
    }
    assert_eq!(interrupts.take_control_changes().len(), 2 * vectors as usize);
    interrupts.listen(IrqIndex::Msix, IrqAction::Mask, 3, eventfds(1)).unwrap();
    let replaced = interrupts.take_control_changes();
    assert!(matches!(&replaced[..], [(_, Some(_))]), "{replaced:?}");
    interrupts.ignore(IrqIndex::Msix, IrqAction::Mask, 3, 2);
    let removed = interrupts.take_control_changes();
    assert!(matches!(&removed[..], [(first, None), (_, None)] if *first == replaced[0].0));
    interrupts.ignore(IrqIndex::Msix, IrqAction::Mask, 3, 2);
    assert!(!interrupts.has_control_changes(), "they are gone already");
    interrupts.disconnect();
    assert_eq!(interrupts.take_control_changes().len(), 2 * vectors as usize - 2);
}

#[test]
fn what_is_no_eventfd_is_refused() {
    let file = std::fs::File::open("/dev/null").unwrap();
    let refused = interrupts().assign(IrqIndex::Msix, 0, vec![file.into()].into());
    assert_eq!(refused, Err(Errno::EINVAL));
}

#[test]
fn errors_and_requests_wait_for_their_eventfds() {
    let interrupts = interrupts();
    interrupts.signal_err();
    interrupts.signal_err();
    let error = &assign(&interrupts, IrqIndex::Err, 1)[0];
    let request = &assign(&interrupts, IrqIndex::Req, 1)[0];
    assert_eq!((error.take(), request.take()), (Some(1), None));
    interrupts.request_release();
    interrupts.signal_err();
    assert_eq!((error.take(), request.take()), (Some(1), Some(1)));
}

#[test]
fn a_stopped_device_interrupts_when_it_goes_on() {
    let interrupts = interrupts();
    let line = assign(&interrupts, IrqIndex::Intx, 1);
    interrupts.hold();
    interrupts.irq(0).set(true);
    interrupts.irq(0).set(false);
    interrupts.release();
    assert_eq!(line[0].take(), None, "a level that came and went is none");
    let msix = assign(&interrupts, IrqIndex::Msix, 8);
    interrupts.hold();
    interrupts.irq(2).raise();
    interrupts.irq(2).raise();
    assert_eq!((msix[2].take(), interrupts.pending(IrqIndex::Msix, 0)), (None, 1 << 2));
    interrupts.release();
    interrupts.release();
    assert_eq!(msix[2].take(), Some(1));
}

/// The client assigns anew while threads raise: each vector's last message always arrives.
#[test]
fn a_message_raised_while_eventfds_are_replaced_is_not_lost() {
    let interrupts = interrupts();
    let mut vectors = assign(&interrupts, IrqIndex::Msix, 8);
    for _ in 0..200 {
        let raised = std::thread::scope(|scope| {
            let raise = |source| {
                let irq = interrupts.irq(source);
                scope.spawn(move || irq.raise())
            };
            let threads: Vec<_> = (0..8).map(raise).collect();
            let before = std::mem::take(&mut vectors);
            let msix = MessageControl { enabled: 8, masked: false, masks: None };
            let messages = [MessageControl::default(), msix];
            interrupts.apply_controls(InterruptControls { line_disabled: false, messages });
            interrupts.disable(IrqIndex::Msix);
            vectors = assign(&interrupts, IrqIndex::Msix, 8);
            for thread in threads {
                thread.join().unwrap();
            }
            before
        });
        for (before, after) in raised.iter().zip(&vectors) {
            assert_eq!(before.take().unwrap_or(0) + after.take().unwrap_or(0), 1);
        }
    }
}

#[test]
fn a_data_path_gets_the_eventfd_of_a_message_and_none_of_a_line() {
    let interrupts = interrupts();
    let _line = assign(&interrupts, IrqIndex::Intx, 1);
    assert!(interrupts.irq(0).eventfd().unwrap().is_none(), "a line is a level");
    let messages = assign(&interrupts, IrqIndex::Msix, 8);
    let own = interrupts.irq(3).eventfd().unwrap().expect("an eventfd");
    interrupts.mask_by_guest(3, true);
    own.signal();
    assert_eq!(messages[3].take(), Some(1), "whatever is masked");
    assert!(interrupts.irq(8).eventfd().unwrap().is_none(), "there is no such message");
    interrupts.deassign(IrqIndex::Msix, 3, 1);
    assert!(interrupts.irq(3).eventfd().unwrap().is_none());
    let (again, fd) = eventfd_of();
    interrupts.assign(IrqIndex::Msix, 3, vec![fd].into()).unwrap();
    interrupts.irq(3).eventfd().unwrap().expect("an eventfd").signal();
    assert_eq!((again.take(), messages[3].take()), (Some(1), None), "that of now");
}
