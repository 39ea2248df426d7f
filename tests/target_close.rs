//! Closing and deleting a target, and calls that come while another one waits.

mod common;

use common::bench::*;
use vbus::iotarget::{CompletionParams, Data, IoTarget, ReuseParams, SendOptions, SendRequest, SentIo, TargetState};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, Irql, Machine, Stop};

#[test]
fn a_close_completes_what_waits_before_it_cancels_what_is_out() {
    let mut bench = bench();
    bench.lower_is(Lower::Holds);
    let target = bench.target;
    bench.sent(SendOptions::none());
    bench.run(|m| target.stop(m, SentIo::LeavePending));
    bench.sent(SendOptions::none());
    bench.run(|m| target.close(m));
    assert_eq!(bench.back(), [STATUS_WDF_DEVICE_REMOVED_NOT_SENT, STATUS_CANCELLED]);
}

#[test]
fn a_target_lets_go_of_its_device_before_the_last_completion_routine_runs() {
    fn look(m: &mut Machine, _: Request, target: IoTarget, _: &CompletionParams, _: Context) {
        let seen = (target.state(m), target.stack_size(m), target.device_object(m).is_some());
        note(m, &format!("{seen:?}"));
    }
    let mut bench = bench();
    bench.lower_is(Lower::Holds);
    let (target, first, last) = (bench.target, bench.formatted(), bench.formatted());
    for request in [first, last] {
        bench.run(|m| {
            request.set_completion_routine(m, look, Context(0));
            request.send(m, target, SendOptions::none())
        });
    }
    bench.run(|m| target.close(m));
    assert_eq!(bench.world().notes, ["(Closed, 1, true)", "(Closed, 0, false)"]);
}

#[test]
fn what_was_never_opened_is_closed_in_so_many_words() {
    let mut bench = Setup::default().closed();
    let target = bench.target;
    bench.run(|m| target.close(m));
    approve!("close_of_what_is_not_open", bench.log(&[]).join("\n"));
}

#[test]
fn a_close_with_a_request_out_says_what_it_waits_for() {
    let mut bench = bench();
    bench.lower_is(Lower::Holds);
    let (request, _) = bench.sent(SendOptions::none());
    let target = bench.target;
    let irp = bench.run(|m| request.irp(m)).unwrap();
    bench.forget_log();
    bench.run(|m| target.close(m));
    let names =
        [(request.object().handle(), "request"), (request.object().address(), "request"), (irp.address(), "irp")];
    approve!("close_with_a_request_out", bench.log(&names).join("\n"));
}

#[test]
fn a_target_that_its_own_requests_completion_routine_deletes_waits_for_ever() {
    fn delete(m: &mut Machine, _: Request, target: IoTarget, _: &CompletionParams, _: Context) {
        target.delete(m);
    }
    let mut bench = bench();
    let (target, request) = (bench.target, bench.formatted());
    let sent = bench.machine.run(|m| {
        request.set_completion_routine(m, delete, Context(0));
        request.send(m, target, SendOptions::none())
    });
    assert!(matches!(sent, Err(Stop::Hang { waiting_for }) if waiting_for.contains("done with")), "{sent:?}");
}

#[test]
fn a_deleted_target_is_deleted_before_its_requests_come_back() {
    fn look(m: &mut Machine, request: Request, target: IoTarget, _: &CompletionParams, _: Context) {
        let state = target.state(m);
        note(m, &format!("{state:?}"));
        let driver = request.driver(m);
        let other = Request::create(m, driver, Attributes::none()).unwrap();
        let formatted = target.format_internal_ioctl(m, other, CODE, Data::None, Data::None);
        assert_eq!(formatted, Err(STATUS_INVALID_DEVICE_STATE));
    }
    let mut bench = bench();
    bench.lower_is(Lower::Holds);
    let (target, request) = (bench.target, bench.formatted());
    bench.run(|m| {
        request.set_completion_routine(m, look, Context(0));
        request.send(m, target, SendOptions::none());
        target.delete(m);
    });
    assert_eq!(bench.world().notes, ["Deleted"]);
}

#[test]
fn a_start_while_a_stop_waits_says_so_and_waits_too() {
    let mut bench = verified();
    bench.lower_is(Lower::HoldsDeaf);
    bench.sent(SendOptions::none());
    let target = bench.target;
    bench.forget_log();
    bench.machine.extension_mut::<World>().when_blocked = Some(|m| {
        m.extension_mut::<World>().when_blocked = Some(|m| complete_held(m, STATUS_SUCCESS, 0));
        let target = m.extension::<World>().target.unwrap();
        target.start(m).unwrap();
        note(m, "started");
    });
    bench.run(|m| target.stop(m, SentIo::WaitForCompletion));
    assert_eq!((bench.back(), bench.world().notes.len()), (vec![STATUS_SUCCESS], 1));
    // Whoever comes last is right.
    assert_eq!(bench.run(|m| target.state(m)), TargetState::Started);
    assert_eq!(
        bench.messages(&[])[0],
        "WDFIOTARGET <target> is being started while it is being stopped or purged by another thread. WdfIoTargetStart \
         and WdfIoTargetStop/WdfIoTargetPurge must be called synchronously. After the driver calls one of these \
         functions, it must not call the other function before the first one returns."
    );
}

#[test]
fn a_purge_while_a_stop_waits_waits_for_the_same_requests() {
    let mut bench = verified();
    bench.lower_is(Lower::HoldsDeaf);
    bench.sent(SendOptions::none());
    let target = bench.target;
    bench.machine.extension_mut::<World>().when_blocked = Some(|m| {
        m.extension_mut::<World>().when_blocked = Some(|m| complete_held(m, STATUS_SUCCESS, 0));
        let target = m.extension::<World>().target.unwrap();
        target.purge(m, true);
    });
    bench.run(|m| target.stop(m, SentIo::WaitForCompletion));
    assert_eq!((bench.run(|m| target.state(m)), bench.back()), (TargetState::Purged, vec![STATUS_SUCCESS]));
    assert_eq!(bench.breaks(), 0);
}

/// A request that is out and says that it ignored the target's state, although it did so only when it was refused.
fn out_with_a_stale_mark(bench: &mut Bench) {
    bench.lower_is(Lower::HoldsDeaf);
    let (target, request) = (bench.target, bench.formatted());
    bench.run(|m| {
        request.cancel_sent(m);
        assert!(!request.send(m, target, SendOptions::none().ignoring_target_state()));
        assert_eq!(request.status(m), STATUS_CANCELLED);
        request.reuse(m, ReuseParams::default()).unwrap();
        target.format_internal_ioctl(m, request, CODE, Data::None, Data::None).unwrap();
        assert!(request.send(m, target, SendOptions::none()));
    });
}

#[test]
fn a_refused_send_that_ignored_the_state_makes_a_stop_wait_for_ever_for_the_next_one() {
    let mut bench = bench();
    out_with_a_stale_mark(&mut bench);
    bench.machine.extension_mut::<World>().when_blocked = Some(|m| complete_held(m, STATUS_SUCCESS, 0));
    let target = bench.target;
    let stopped = bench.machine.run(|m| target.stop(m, SentIo::WaitForCompletion));
    assert!(matches!(stopped, Err(Stop::Hang { .. })), "{stopped:?}");
}

#[test]
fn a_purge_of_what_such_a_stop_waits_for_is_an_error_that_breaks_into_the_debugger() {
    let mut bench = verified();
    out_with_a_stale_mark(&mut bench);
    bench.forget_log();
    let target = bench.target;
    bench.machine.extension_mut::<World>().when_blocked = Some(|m| {
        complete_held(m, STATUS_SUCCESS, 0);
        let target = m.extension::<World>().target.unwrap();
        target.purge(m, true);
    });
    assert!(matches!(bench.machine.run(|m| target.stop(m, SentIo::WaitForCompletion)), Err(Stop::Hang { .. })));
    assert_eq!(bench.breaks(), 1);
    assert_eq!(
        bench.messages(&[]).last().unwrap(),
        "WDFIOTARGET <target> is already in the process of being purged or stopped from another thread. Driver must wait \
         for the first WdfIoTargetPurge or WdfIoTargetStop to complete before calling it again."
    );
}

#[test]
fn a_close_while_a_stop_waits_waits_first_and_says_so() {
    let mut bench = bench();
    bench.lower_is(Lower::HoldsDeaf);
    bench.sent(SendOptions::none());
    let target = bench.target;
    bench.forget_log();
    bench.machine.extension_mut::<World>().when_blocked = Some(|m| {
        m.extension_mut::<World>().when_blocked = Some(|m| complete_held(m, STATUS_SUCCESS, 0));
        let target = m.extension::<World>().target.unwrap();
        target.close(m);
    });
    bench.run(|m| target.stop(m, SentIo::WaitForCompletion));
    assert_eq!(bench.run(|m| target.state(m)), TargetState::Closed);
    let warned =
        bench.messages(&[]).iter().any(|line| line.contains("is being deleted while it is being stopped/purged"));
    assert!(warned, "{:#?}", bench.messages(&[]));
}

#[test]
fn above_passive_level_only_the_verifier_keeps_a_call_from_waiting() {
    for verifier in [false, true] {
        let mut bench = Setup { verifier, ..Setup::default() }.open();
        bench.lower_is(Lower::HoldsDeaf);
        bench.sent(SendOptions::none());
        let target = bench.target;
        bench.machine.set_irql(Irql::Dispatch);
        let stopped = bench.machine.run(|m| target.stop(m, SentIo::WaitForCompletion));
        if verifier {
            assert_eq!((stopped, bench.run(|m| target.state(m))), (Ok(()), TargetState::Started), "nothing was done");
        } else {
            assert!(matches!(stopped, Err(Stop::Undefined { ddi: "KeWaitForSingleObject", .. })), "{stopped:?}");
        }
    }
}

#[test]
fn a_stop_that_leaves_requests_alone_may_be_called_at_any_level() {
    let mut bench = verified();
    let target = bench.target;
    bench.machine.set_irql(Irql::Dispatch);
    bench.run(|m| {
        target.stop(m, SentIo::LeavePending);
        target.purge(m, false);
    });
    assert_eq!((bench.run(|m| target.state(m)), bench.breaks()), (TargetState::Purged, 0));
}

#[test]
fn stop_and_purge_leave_the_state_of_a_closed_target_alone() {
    let mut bench = bench();
    let target = bench.target;
    bench.run(|m| target.close(m));
    bench.forget_log();
    bench.run(|m| {
        target.stop(m, SentIo::Cancel);
        target.purge(m, true);
    });
    assert_eq!(bench.run(|m| target.state(m)), TargetState::Closed);
    approve!("stop_and_purge_of_a_closed_target", bench.log(&[]).join("\n"));
}

#[test]
fn the_devices_own_target_goes_with_its_device() {
    let mut bench = bench();
    let (device, driver) = (bench.device, bench.driver);
    let local = bench.run(|m| IoTarget::default_of(m, device)).unwrap();
    bench.forget_log();
    let node = bench.machine.root_devnodes()[0];
    bench.machine.remove_device(node).unwrap().unwrap();
    assert!(!local.object().exists(&bench.machine));
    let waited = driver.log(&bench.machine).iter().any(|line| line.message.contains("Waiting on Dispose event"));
    assert!(waited);
}
