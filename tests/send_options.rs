//! The options of a send, together and alone, and what becomes of what they ask for.

mod common;

use common::bench::*;
use vbus::iotarget::{Data, SendOptions, SendRequest, SentIo};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, Irql, Machine, Major, OpenOptions, Ticks};

const TIMEOUT: Ticks = Ticks::from_millis(100);

#[test]
fn unknown_flags_and_company_for_send_and_forget_are_refused_with_a_debugger_break() {
    let forget = SendOptions::send_and_forget();
    let mut table = String::new();
    for (what, options) in [
        ("a user-mode driver's impersonation", SendOptions::none().with_flags(0x1_0000)),
        ("an unknown bit", SendOptions::none().with_flags(0x10)),
        ("send and forget, synchronous", forget.and_synchronous()),
        ("send and forget, with a time-out", forget.with_timeout(TIMEOUT)),
        ("send and forget, ignoring the state", forget.ignoring_target_state()),
    ] {
        let mut bench = verified();
        let (target, request) = (bench.target, bench.formatted());
        bench.forget_log();
        assert!(!bench.run(|m| request.send(m, target, options)));
        assert_eq!((bench.status(request), bench.breaks()), (STATUS_INVALID_PARAMETER, 1));
        table += &format!("{what}\n    {}\n", bench.log(&[]).join("\n    "));
    }
    approve!("refused_send_options", table);
}

#[test]
fn every_other_combination_is_allowed() {
    for (timed, synchronous, ignoring) in (0..8).map(|bits| (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0)) {
        let mut options = SendOptions::none();
        options = if timed { options.with_timeout(TIMEOUT) } else { options };
        options = if synchronous { options.and_synchronous() } else { options };
        options = if ignoring { options.ignoring_target_state() } else { options };
        let mut bench = bench();
        assert!(bench.sent(options).1, "{options:?}");
        assert_eq!(bench.back(), [STATUS_SUCCESS], "{options:?}");
    }
}

#[test]
fn a_dispatched_request_that_nobody_waits_for_needs_a_completion_routine() {
    let mut bench = verified();
    let (target, request) = (bench.target, bench.dispatched(CODE, b"", 0));
    bench.run(|m| request.format_using_current_type(m));
    bench.forget_log();
    assert!(!bench.run(|m| request.send(m, target, SendOptions::none())));
    let names = [(request.object().handle(), "request")];
    assert_eq!((bench.status(request), bench.breaks()), (STATUS_INVALID_DEVICE_REQUEST, 1));
    assert_eq!(
        bench.messages(&names),
        [
            "WDFREQUEST <request> is a WDFQUEUE presented request with no completion routine, 0xc0000010(STATUS_INVALID_DEVICE_REQUEST)"
        ]
    );
    assert!(bench.run(|m| request.send(m, target, SendOptions::synchronous())), "a call that waits is routine enough");
}

#[test]
fn a_request_of_the_drivers_own_needs_none() {
    let mut bench = bench();
    let (target, request) = (bench.target, bench.formatted());
    bench.run(|m| request.clear_completion_routine(m));
    assert!(bench.run(|m| request.send(m, target, SendOptions::none())));
    assert_eq!((bench.back(), bench.status(request)), (vec![], STATUS_SUCCESS));
}

#[test]
fn only_what_a_queue_presented_is_sent_and_forgotten_and_only_as_it_came() {
    let mut bench = verified();
    let (target, request) = (bench.target, bench.formatted());
    bench.forget_log();
    assert!(!bench.run(|m| request.send(m, target, SendOptions::send_and_forget())));
    assert_eq!((bench.status(request), bench.breaks()), (STATUS_INVALID_DEVICE_STATE, 0));
    let names = [(request.object().handle(), "request")];
    assert_eq!(bench.messages(&names), ["WDFREQUEST <request> must be a WDFQUEUE presented request"]);
    let request = bench.dispatched(CODE, b"", 0);
    bench.run(|m| target.format_internal_ioctl(m, request, CODE, Data::None, Data::None)).unwrap();
    bench.forget_log();
    assert!(!bench.run(|m| request.send(m, target, SendOptions::send_and_forget())));
    assert_eq!((bench.status(request), bench.breaks()), (STATUS_INVALID_DEVICE_REQUEST, 1));
    let names = [(request.object().handle(), "request")];
    assert_eq!(
        bench.messages(&names),
        [
            "Cannot send-and-forget WDFREQUEST <request> with formatted IO context, 0xc0000010(STATUS_INVALID_DEVICE_REQUEST)"
        ]
    );
}

#[test]
fn what_is_sent_and_forgotten_takes_the_drivers_own_location_unless_the_next_one_is_formatted() {
    for formatted in [false, true] {
        let mut bench = bench();
        let (target, request) = (bench.target, bench.dispatched(CODE, b"", 0));
        let irp = bench.run(|m| request.irp(m)).unwrap();
        let at = bench.machine[irp].current_location();
        bench.lower_is(Lower::Does(|m, _, irp| {
            let location = m[irp].current_location();
            note(m, &location.to_string());
            irp.complete_with(m, STATUS_SUCCESS, 0)
        }));
        bench.run(|m| {
            if formatted {
                request.format_using_current_type(m);
            }
            assert!(request.send(m, target, SendOptions::send_and_forget()));
        });
        assert_eq!(bench.world().notes, [(at - i8::from(formatted)).to_string()]);
        assert!(!request.object().exists(&bench.machine));
    }
}

#[test]
fn what_is_sent_and_forgotten_looks_neither_at_the_state_nor_at_the_stack_size() {
    let mut bench = Setup { stack: 9, verifier: true, ..Setup::default() }.open();
    bench.own_stack_is(1);
    let (target, request) = (bench.target, bench.dispatched(CODE, b"", 0));
    bench.run(|m| target.purge(m, true));
    assert!(bench.run(|m| request.send(m, target, SendOptions::send_and_forget())));
    assert_eq!(bench.world().arrived, [Major::DeviceControl]);
}

#[test]
fn a_closed_target_is_no_place_to_send_and_forget_to() {
    let mut bench = bench();
    let (target, request) = (bench.target, bench.dispatched(CODE, b"", 0));
    bench.run(|m| target.close(m));
    let rule = bench.broken_rule(|m| _ = request.send(m, target, SendOptions::send_and_forget()));
    assert!(rule.contains("only to a target that is open"), "{rule}");
}

#[test]
fn a_routine_that_will_never_run_is_an_error_under_the_verifier_and_the_request_goes_all_the_same() {
    let mut bench = verified();
    let (target, request) = (bench.target, bench.dispatched(CODE, b"", 0));
    bench.run(|m| request.set_completion_routine(m, came_back, Context(0)));
    bench.forget_log();
    assert!(bench.run(|m| request.send(m, target, SendOptions::send_and_forget())));
    let names = [(request.object().handle(), "request")];
    assert_eq!(
        bench.messages(&names)[0],
        "WDFREQUEST <request> cannot send and forget will not execute completion routine <?>"
    );
    assert_eq!((bench.breaks(), bench.back(), bench.world().arrived.len()), (1, vec![], 1));
}

#[test]
fn a_stopped_target_pends_a_purged_one_fails_and_both_are_formatted_for() {
    let mut bench = bench();
    let (target, first, second) = (bench.target, bench.formatted(), bench.formatted());
    bench.run(|m| target.stop(m, SentIo::Cancel));
    let third = bench.formatted();
    assert!(bench.run(|m| first.send(m, target, SendOptions::none())));
    assert_eq!(bench.world().arrived, []);
    bench.run(|m| target.purge(m, true));
    assert_eq!(bench.back(), [STATUS_WDF_DEVICE_REMOVED_NOT_SENT]);
    let fourth = bench.formatted();
    for request in [second, third, fourth] {
        assert!(!bench.run(|m| request.send(m, target, SendOptions::none())));
        assert_eq!(bench.status(request), STATUS_INVALID_DEVICE_STATE);
    }
}

#[test]
fn the_state_is_ignored_but_for_a_target_that_is_closed() {
    let mut bench = bench();
    let target = bench.target;
    let ignoring = SendOptions::none().ignoring_target_state();
    bench.run(|m| target.stop(m, SentIo::LeavePending));
    assert!(bench.sent(ignoring).1);
    bench.run(|m| target.purge(m, false));
    assert!(bench.sent(ignoring).1);
    let request = bench.formatted();
    bench.run(|m| target.close(m));
    bench.forget_log();
    assert!(!bench.run(|m| request.send(m, target, ignoring)));
    let names = [(request.object().handle(), "request")];
    assert_eq!(
        bench.log(&names),
        [
            "Information FxIoTarget::SubmitLocked - WDFIOTARGET <target> state WdfIoTargetClosed, sending WDFREQUEST <request> cannot ignore current state, 0xc0000184(STATUS_INVALID_DEVICE_STATE)"
        ]
    );
}

#[test]
fn a_closed_target_that_waits_for_its_requests_still_takes_those_that_ignore_its_state() {
    let mut bench = bench();
    bench.lower_is(Lower::HoldsDeaf);
    bench.sent(SendOptions::none());
    let target = bench.target;
    let late = bench.formatted();
    bench.machine.add_extension(Late(late));
    struct Late(Request);
    bench.machine.extension_mut::<World>().when_blocked = Some(|m| {
        m.extension_mut::<World>().when_blocked = Some(|m| {
            complete_held(m, STATUS_SUCCESS, 0);
            complete_held(m, STATUS_SUCCESS, 0);
        });
        let (target, late) = (m.extension::<World>().target.unwrap(), m.extension::<Late>().0);
        assert!(!late.send(m, target, SendOptions::none()));
        assert!(late.send(m, target, SendOptions::none().ignoring_target_state()));
    });
    bench.run(|m| target.close(m));
    assert_eq!(bench.back(), [STATUS_SUCCESS, STATUS_SUCCESS]);
}

#[test]
fn a_time_out_is_lost_when_a_start_sends_what_waited() {
    let mut bench = bench();
    bench.lower_is(Lower::Holds);
    let target = bench.target;
    bench.run(|m| target.stop(m, SentIo::LeavePending));
    bench.sent(SendOptions::none().with_timeout(TIMEOUT));
    bench.run(|m| target.start(m)).unwrap();
    bench.machine.advance(Ticks(TIMEOUT.0 * 10)).unwrap();
    assert_eq!((bench.back(), bench.world().held.len()), (vec![], 1));
}

#[test]
fn a_time_out_ends_a_wait_at_a_stopped_target_too() {
    let mut bench = bench();
    let target = bench.target;
    bench.run(|m| target.stop(m, SentIo::LeavePending));
    bench.sent(SendOptions::none().with_timeout(TIMEOUT));
    bench.machine.advance(TIMEOUT).unwrap();
    assert_eq!((bench.back(), bench.world().arrived.len()), (vec![STATUS_IO_TIMEOUT], 0));
}

#[test]
fn a_time_out_of_nothing_is_none_and_a_deadline_that_is_over_ends_the_request_at_once() {
    let mut bench = bench();
    bench.lower_is(Lower::Holds);
    bench.sent(SendOptions::none().with_timeout(Ticks(0)));
    bench.machine.advance(Ticks(TIMEOUT.0 * 10)).unwrap();
    assert_eq!(bench.back(), []);
    // WDF_REL_TIMEOUT forgotten: a span taken for a time of the clock.
    bench.sent(SendOptions::none().with_deadline(Ticks::from_millis(5)));
    bench.machine.advance(Ticks(1)).unwrap();
    assert_eq!(bench.back(), [STATUS_IO_TIMEOUT]);
}

#[test]
fn only_a_cancelled_status_becomes_a_time_out() {
    let mut bench = bench();
    bench.lower_is(Lower::HoldsDeaf);
    bench.sent(SendOptions::none().with_timeout(TIMEOUT));
    bench.machine.advance(TIMEOUT).unwrap();
    bench.run(|m| complete_held(m, STATUS_UNSUCCESSFUL, 0));
    bench.sent(SendOptions::none().with_timeout(TIMEOUT));
    bench.machine.advance(TIMEOUT).unwrap();
    bench.run(|m| complete_held(m, STATUS_CANCELLED, 0));
    assert_eq!(bench.back(), [STATUS_UNSUCCESSFUL, STATUS_IO_TIMEOUT]);
}

#[test]
fn a_request_that_was_cancelled_before_it_was_sent_is_refused_until_it_is_reused() {
    let mut bench = bench();
    let (target, request) = (bench.target, bench.formatted());
    assert!(!bench.run(|m| request.cancel_sent(m)), "nobody had it");
    assert!(!bench.run(|m| request.send(m, target, SendOptions::none())));
    assert_eq!(bench.status(request), STATUS_CANCELLED);
    bench.run(|m| {
        request.reuse(m, vbus::iotarget::ReuseParams::default()).unwrap();
        target.format_internal_ioctl(m, request, CODE, Data::None, Data::None).unwrap();
        assert!(request.send(m, target, SendOptions::none()));
    });
}

#[test]
fn without_the_verifier_nothing_is_looked_at_and_too_small_an_irp_stops_the_machine() {
    let mut bench = Setup { stack: 3, ..Setup::default() }.open();
    bench.own_stack_is(1);
    let (target, request) = (bench.target, bench.dispatched(CODE, b"", 0));
    let irp = bench.run(|m| request.irp(m)).unwrap().address();
    let check = bench.bug_check(|m| {
        request.set_completion_routine(m, came_back, Context(0));
        _ = request.send(m, target, SendOptions::none());
    });
    assert_eq!((check.code, check.parameters[0]), (0x35, irp), "NO_MORE_IRP_STACK_LOCATIONS");
}

#[test]
fn a_request_without_an_irp_cannot_be_sent_and_cannot_say_why_either() {
    let mut bench = verified();
    let (driver, target) = (bench.driver, bench.target);
    let request = bench.run(|m| Request::create(m, driver, Attributes::none()).unwrap());
    let rule = bench.broken_rule(|m| _ = request.send(m, target, SendOptions::none()));
    assert!(rule.contains("has an IRP"), "{rule}");
}

#[test]
fn a_target_is_sent_to_at_dispatch_level_as_well() {
    let mut bench = verified();
    bench.machine.set_irql(Irql::Dispatch);
    assert!(bench.sent(SendOptions::none()).1);
    assert_eq!(bench.back(), [STATUS_SUCCESS]);
}

#[test]
fn a_create_that_the_framework_keeps_a_file_object_for_has_to_come_back() {
    fn forget(m: &mut Machine, _: Device, request: Request, _: Option<WdfFileObject>) {
        let target = m.extension::<World>().target.unwrap();
        assert!(request.send(m, target, SendOptions::send_and_forget()));
    }
    let mut bench = Setup { verifier: true, on_create: Some(forget), ..Setup::default() }.open();
    bench.forget_log();
    bench.machine.create_file("\\\\.\\SENDER", OpenOptions::OVERLAPPED).unwrap().unwrap();
    assert_eq!((bench.breaks(), bench.world().arrived.last()), (1, Some(&Major::Create)));
    let said =
        bench.messages(&[]).iter().any(|line| line.contains("must have a completion routine and be post processsed"));
    assert!(said, "{:#?}", bench.messages(&[]));
}
