//! When a completion routine runs, with what, and when it is set no more.

mod common;

use common::bench::*;
use vbus::iotarget::{CompletionParams, Data, IoTarget, ReuseParams, SendOptions, SendRequest, SentKind};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, Irql, Machine};

fn again(m: &mut Machine, request: Request, target: IoTarget, params: &CompletionParams, context: Context) {
    note(m, &format!("{:?}, {} to go", params.io_status.status, context.0));
    if context.0 > 0 {
        request.reuse(m, ReuseParams::default()).unwrap();
        target.format_internal_ioctl(m, request, CODE, Data::None, Data::None).unwrap();
        request.set_completion_routine(m, again, Context(context.0 - 1));
        assert!(request.send(m, target, SendOptions::none()));
    }
}

#[test]
fn a_completion_routine_may_send_its_request_again() {
    let mut bench = bench();
    let (target, request) = (bench.target, bench.formatted());
    bench.run(|m| {
        request.set_completion_routine(m, again, Context(2));
        assert!(request.send(m, target, SendOptions::none()));
    });
    assert_eq!(bench.world().notes, ["STATUS_SUCCESS, 2 to go", "STATUS_SUCCESS, 1 to go", "STATUS_SUCCESS, 0 to go"]);
}

#[test]
fn a_completion_routine_may_send_another_request() {
    fn next(m: &mut Machine, _: Request, target: IoTarget, _: &CompletionParams, context: Context) {
        note(m, "the first is back");
        let other = Request::from_context(context).unwrap();
        assert!(other.send(m, target, SendOptions::none()));
        note(m, "the second is sent");
    }
    let mut bench = bench();
    let (target, first, second) = (bench.target, bench.formatted(), bench.formatted());
    bench.run(|m| {
        second.set_completion_routine(m, |m, _, _, _, _| note(m, "the second is back"), Context(0));
        first.set_completion_routine(m, next, second.to_context());
        first.send(m, target, SendOptions::none());
    });
    assert_eq!(bench.world().notes, ["the first is back", "the second is back", "the second is sent"]);
}

#[test]
fn the_routine_that_is_set_last_is_the_one() {
    let mut bench = bench();
    let (target, request) = (bench.target, bench.formatted());
    bench.run(|m| {
        request.set_completion_routine(m, |m, _, _, _, _| note(m, "first"), Context(0));
        request.set_completion_routine(m, |m, _, _, _, context| note(m, &format!("second, {}", context.0)), Context(7));
        request.send(m, target, SendOptions::none());
    });
    assert_eq!(bench.world().notes, ["second, 7"]);
}

#[test]
fn every_completion_and_every_reuse_clears_it() {
    let mut bench = bench();
    let (target, request) = (bench.target, bench.formatted());
    let format = |m: &mut Machine| target.format_internal_ioctl(m, request, CODE, Data::None, Data::None).unwrap();
    bench.run(|m| {
        request.send(m, target, SendOptions::none());
        format(m);
        request.send(m, target, SendOptions::none());
    });
    assert_eq!(bench.back(), [STATUS_SUCCESS], "the second time nobody was told");
    bench.run(|m| {
        request.set_completion_routine(m, came_back, Context(0));
        request.reuse(m, ReuseParams::default()).unwrap();
        format(m);
        request.send(m, target, SendOptions::none());
    });
    assert_eq!(bench.back(), [STATUS_SUCCESS]);
}

#[test]
fn a_refused_send_leaves_it_set() {
    let mut bench = bench();
    let (target, request) = (bench.target, bench.formatted());
    bench.run(|m| {
        target.purge(m, true);
        assert!(!request.send(m, target, SendOptions::none()));
        target.start(m).unwrap();
        assert!(request.send(m, target, SendOptions::none()));
    });
    assert_eq!(bench.back(), [STATUS_SUCCESS]);
}

#[test]
fn it_runs_at_the_level_at_which_the_driver_below_completes() {
    let mut bench = bench();
    bench.lower_is(Lower::HoldsDeaf);
    let (target, request) = (bench.target, bench.formatted());
    bench.run(|m| {
        request.set_completion_routine(
            m,
            |m, _, _, _, _| {
                let irql = m.irql();
                note(m, &format!("{irql:?}"));
            },
            Context(0),
        );
        request.send(m, target, SendOptions::none());
        m.queue_dpc(|m, _| complete_held(m, STATUS_SUCCESS, 0), Context(0));
    });
    assert_eq!(bench.world().notes, ["Dispatch"]);
    assert_eq!(bench.machine.irql(), Irql::Passive);
}

#[test]
fn a_dispatched_request_is_completed_in_the_routine_and_its_irp_goes_on_upwards_only_then() {
    let mut bench = bench();
    bench.lower_is(Lower::Completes(STATUS_SUCCESS, 3));
    let (target, request) = (bench.target, bench.dispatched(CODE, b"", 8));
    let irp = bench.run(|m| request.irp(m)).unwrap();
    bench.run(|m| {
        request.format_using_current_type(m);
        request.set_completion_routine(m, came_back, Context(0));
        assert!(request.send(m, target, SendOptions::none()));
    });
    let CompletionParams { kind, output_length, io_status, .. } = bench.world().back[0];
    assert_eq!((kind, output_length, io_status.information), (SentKind::NoFormat, 0, 3));
    assert!(irp.exists(&bench.machine) && request.object().exists(&bench.machine));
    let information = bench.run(|m| {
        let information = request.information(m);
        request.complete(m, STATUS_SUCCESS);
        information
    });
    assert_eq!((information, irp.exists(&bench.machine)), (3, false));
}

#[test]
fn a_synchronous_send_returns_after_the_routine_which_may_delete_the_request() {
    let mut bench = bench();
    let (target, request) = (bench.target, bench.formatted());
    bench.run(|m| {
        request.set_completion_routine(
            m,
            |m, request, _, _, _| {
                request.delete(m);
                let exists = request.object().exists(m);
                note(m, &format!("deleted, still there: {exists}"));
            },
            Context(0),
        );
        assert!(request.send(m, target, SendOptions::synchronous()));
    });
    assert_eq!(bench.world().notes, ["deleted, still there: true"]);
    assert!(!request.object().exists(&bench.machine));
}

#[test]
fn a_request_that_is_deleted_while_it_is_out_comes_back_as_one_that_was_never_formatted() {
    let mut bench = verified();
    bench.lower_is(Lower::HoldsDeaf);
    let (request, _) = bench.sent(SendOptions::none());
    bench.forget_log();
    bench.run(|m| request.delete(m));
    let names = [(request.object().handle(), "request")];
    assert_eq!(
        bench.messages(&names)[0],
        "Driver is trying to delete WDFREQUEST <request> while it is still active on WDFIOTARGET <target>. "
    );
    assert_eq!(bench.breaks(), 1);
    bench.run(|m| complete_held(m, STATUS_SUCCESS, 5));
    let CompletionParams { kind, io_status, output_length, .. } = bench.world().back[0];
    assert_eq!((kind, io_status.information, output_length), (SentKind::NoFormat, 5, 0));
    assert!(!request.object().exists(&bench.machine));
}

#[test]
fn a_cancel_inside_the_drivers_own_call_completes_the_request_in_it() {
    let mut bench = bench();
    bench.lower_is(Lower::Holds);
    let (request, _) = bench.sent(SendOptions::none());
    let irp = bench.run(|m| request.irp(m)).unwrap();
    bench.forget_log();
    assert!(bench.run(|m| request.cancel_sent(m)));
    assert_eq!(bench.back(), [STATUS_CANCELLED]);
    let names =
        [(request.object().handle(), "request"), (request.object().address(), "request"), (irp.address(), "irp")];
    approve!("cancel_of_a_sent_request", bench.log(&names).join("\n"));
    bench.forget_log();
    assert!(!bench.run(|m| request.cancel_sent(m)), "it is back");
    approve!("cancel_of_a_request_that_is_back", bench.log(&names).join("\n"));
}

#[test]
fn a_deaf_driver_below_keeps_what_is_cancelled_and_says_so() {
    let mut bench = bench();
    bench.lower_is(Lower::HoldsDeaf);
    let (request, _) = bench.sent(SendOptions::none());
    assert!(!bench.run(|m| request.cancel_sent(m)));
    assert_eq!(bench.back(), []);
    bench.run(|m| complete_held(m, STATUS_SUCCESS, 0));
    assert_eq!(bench.back(), [STATUS_SUCCESS], "however late, as it ended");
}

#[test]
fn the_verifier_clears_the_drivers_words_in_the_irp_when_it_comes_back() {
    for verifier in [false, true] {
        let mut bench = Setup { verifier, ..Setup::default() }.open();
        bench.lower_is(Lower::Does(|m, _, irp| {
            m[irp].driver_context = [1, 2, 3, 4];
            irp.complete_with(m, STATUS_SUCCESS, 0)
        }));
        let (request, _) = bench.sent(SendOptions::none());
        let irp = bench.run(|m| request.irp(m)).unwrap();
        assert_eq!(bench.machine[irp].driver_context, if verifier { [0; 4] } else { [1, 2, 3, 4] });
    }
}

#[test]
fn a_request_that_is_out_is_nobodys_to_give_to_a_queue() {
    let mut bench = bench();
    bench.lower_is(Lower::HoldsDeaf);
    let (target, request, device) = (bench.target, bench.dispatched(CODE, b"", 0), bench.device);
    let rule = bench.broken_rule(|m| {
        let other = Queue::config(Dispatch::Manual).create(m, device).unwrap();
        request.format_using_current_type(m);
        request.set_completion_routine(m, came_back, Context(0));
        request.send(m, target, SendOptions::none());
        _ = request.forward_to(m, other);
        complete_held(m, STATUS_SUCCESS, 0);
    });
    assert_eq!(rule, "a request that is out at a target is not handed to a queue");
}

#[test]
fn the_verifier_does_not_see_a_dispatched_request_completed_while_it_is_out() {
    let mut bench = verified();
    bench.lower_is(Lower::HoldsDeaf);
    let (target, request) = (bench.target, bench.dispatched(CODE, b"", 0));
    let irp = bench.run(|m| request.irp(m)).unwrap();
    bench.forget_log();
    bench.run(|m| {
        request.format_using_current_type(m);
        request.set_completion_routine(m, came_back, Context(0));
        request.send(m, target, SendOptions::none());
        request.complete(m, STATUS_SUCCESS);
    });
    assert_eq!((bench.breaks(), bench.back()), (0, vec![STATUS_SUCCESS]));
    // The completion took the location of the driver below, whose completion routine is the framework's: it kept the IRP.
    assert!(irp.exists(&bench.machine));
    assert_eq!(bench.machine[irp].current_location(), bench.machine[irp].stack_count());
}
