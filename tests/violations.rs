//! The bug checks of WDF_VIOLATION that a request or a target can end in, each with its parameters, and the calls whose
//! end nothing in Windows decides.

mod common;

use common::bench::*;
use vbus::iotarget::{Data, IoTarget, OpenParams, SendOptions, SendRequest};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{BugCheck, IoctlCode, Machine, StackLocation};

const BUFFERED: IoctlCode = IoctlCode(0x0022_2000);

/// The parameters of the bug check that `act` ends in, by name.
fn violation(bench: Bench, names: &[(u64, &str)], act: impl FnOnce(&mut Machine)) -> String {
    let globals = bench.driver.globals_address();
    let own = [
        (bench.target.object().handle(), "target"),
        (bench.device.object().handle(), "device"),
        (globals, "the driver's globals"),
    ];
    let BugCheck { code, parameters, ddi, .. } = bench.bug_check(act);
    let shown = parameters.map(|word| match own.iter().chain(names).find(|(value, _)| *value == word) {
        Some((_, name)) => (*name).to_owned(),
        None if word < 0x1_0000 => format!("{word:#x}"),
        None => "?".to_owned(),
    });
    format!("{code:#x} ({}) in {ddi}", shown.join(", "))
}

fn names(request: Request) -> [(u64, &'static str); 2] {
    [(request.object().handle(), "the request"), (request.object().address(), "the request's object")]
}

/// A request whose IRP has no location left below the driver's own.
fn without_a_location(bench: &mut Bench) -> Request {
    bench.own_stack_is(1);
    bench.dispatched(BUFFERED, b"", 0)
}

#[test]
fn a_request_without_a_location_to_copy_to_is_0x10d_6_1() {
    let mut bench = bench();
    let request = without_a_location(&mut bench);
    let irp = bench.run(|m| request.irp(m)).unwrap().address();
    assert_eq!(
        violation(bench, &[(irp, "its IRP")], |m| request.format_using_current_type(m)),
        "0x10d (0x6, 0x1, its IRP, the driver's globals) in WdfRequestFormatRequestUsingCurrentType"
    );
}

#[test]
fn the_same_with_a_location_of_the_drivers_own_names_the_frameworks_wrapper_of_the_irp() {
    let mut bench = bench();
    let request = without_a_location(&mut bench);
    let wrapper = request.object().address() + 0x80;
    assert_eq!(
        violation(bench, &[(wrapper, "its FxIrp")], |m| {
            request.format_using_stack_location(m, StackLocation::default());
        }),
        "0x10d (0x6, 0x1, its FxIrp, the driver's globals) in WdfRequestWdmFormatUsingStackLocation"
    );
}

#[test]
fn a_request_without_an_irp_is_0x10d_6_2() {
    let mut bench = bench();
    let driver = bench.driver;
    let request = bench.run(|m| Request::create(m, driver, Attributes::none()).unwrap());
    assert_eq!(
        violation(bench, &names(request), |m| request.format_using_current_type(m)),
        "0x10d (0x6, 0x2, the request, the driver's globals) in WdfRequestFormatRequestUsingCurrentType"
    );
}

#[test]
fn but_the_call_with_a_location_never_sees_that_there_is_none() {
    let mut bench = bench();
    let driver = bench.driver;
    let request = bench.run(|m| Request::create(m, driver, Attributes::none()).unwrap());
    let rule = bench.broken_rule(|m| request.format_using_stack_location(m, StackLocation::default()));
    assert!(rule.contains("the check for it never fires"), "{rule}");
}

#[test]
fn a_request_that_is_sent_while_it_is_out_is_0x10d_6_3() {
    for synchronous in [false, true] {
        let mut bench = bench();
        bench.lower_is(Lower::HoldsDeaf);
        let (request, _) = bench.sent(SendOptions::none());
        let target = bench.target;
        let options = if synchronous { SendOptions::synchronous() } else { SendOptions::none() };
        assert_eq!(
            violation(bench, &names(request), |m| _ = request.send(m, target, options)),
            "0x10d (0x6, 0x3, the request, the driver's globals) in WdfRequestSend"
        );
    }
}

#[test]
fn more_information_than_the_sender_has_room_for_is_0x10d_6_4_under_the_verifier() {
    let mut bench = verified();
    let request = bench.dispatched(BUFFERED, b"", 4);
    assert_eq!(
        violation(bench, &names(request), |m| request.complete_with_information(m, STATUS_SUCCESS, 5)),
        "0x10d (0x6, 0x4, ?, the driver's globals) in WdfRequestComplete"
    );
    let mut bench = verified();
    let request = bench.dispatched(BUFFERED, b"", 4);
    bench.run(|m| request.complete_with_information(m, STATUS_UNSUCCESSFUL, 5));
}

#[test]
fn a_request_that_is_completed_while_others_use_its_memories_is_0x10d_3_with_how_many() {
    let mut bench = bench();
    let (target, request) = (bench.target, bench.dispatched(BUFFERED, b"text", 4));
    let others = [bench.created(), bench.created()];
    bench.run(|m| {
        let [input, output] = [request.input_memory(m).unwrap(), request.output_memory(m).unwrap()];
        target.format_ioctl(m, others[0], BUFFERED, Data::Memory(input), Data::Memory(output)).unwrap();
        target.format_write(m, others[1], Data::Memory(input), 0).unwrap();
    });
    assert_eq!(
        violation(bench, &names(request), |m| request.complete(m, STATUS_SUCCESS)),
        "0x10d (0x3, the request, 0x3, the driver's globals) in WdfRequestComplete"
    );
}

#[test]
fn what_others_used_and_gave_back_is_no_reason() {
    let mut bench = bench();
    let (target, request, other) = (bench.target, bench.dispatched(BUFFERED, b"text", 4), bench.created());
    bench.run(|m| {
        let input = request.input_memory(m).unwrap();
        target.format_write(m, other, Data::Memory(input), 0).unwrap();
        other.delete(m);
        request.complete(m, STATUS_SUCCESS);
    });
}

#[test]
fn its_own_format_call_is_no_reason_either() {
    let mut bench = bench();
    let (target, request) = (bench.target, bench.dispatched(BUFFERED, b"text", 4));
    bench.run(|m| {
        target.format_ioctl(m, request, BUFFERED, Data::Request, Data::Request).unwrap();
        request.complete(m, STATUS_SUCCESS);
    });
}

#[test]
fn a_null_where_one_is_needed_is_0x10d_4() {
    type Call = fn(&mut Machine, Driver, Request);
    let calls: [(&str, Call); 4] = [
        ("WdfRequestCreateFromIrp", |m, driver, _| {
            _ = Request::create_from_irp(m, driver, None, true, Attributes::none());
        }),
        ("WdfRequestWdmFormatUsingStackLocation", |m, _, request| request.format_using_stack_location(m, None)),
        ("WdfRequestProbeAndLockUserBufferForRead", |m, _, request| _ = request.probe_and_lock_for_read(m, None)),
        ("WdfRequestProbeAndLockUserBufferForWrite", |m, _, request| _ = request.probe_and_lock_for_write(m, None)),
    ];
    for (ddi, call) in calls {
        let mut bench = bench();
        let (driver, request) = (bench.driver, bench.created());
        assert_eq!(
            violation(bench, &[], |m| call(m, driver, request)),
            format!("0x10d (0x4, 0x0, ?, the driver's globals) in {ddi}")
        );
    }
}

#[test]
fn the_log_of_that_one_says_fatally_what_was_null_without_saying_which() {
    let bench = bench();
    let driver = bench.driver;
    let check = bench.bug_check(|m| _ = Request::create_from_irp(m, driver, None, true, Attributes::none()));
    let last = check.log.last().unwrap();
    assert!(last.contains("FxVerifierNullBugCheck - NULL Required Parameter Passed to a DDI"), "{last}");
}

#[test]
fn a_handle_of_another_type_is_0x10d_5_with_the_type_that_was_wanted() {
    type Call = fn(&mut Machine, Driver, Device);
    let calls: [(&str, u64, Call); 3] = [
        ("a device for a target", 0x1200, |m, driver, device| _ = IoTarget::from_handle(m, driver, device.object())),
        ("a device for a memory", 0x100A, |m, _, device| _ = Memory::Own(device.object()).span(m)),
        ("nothing for a target", 0x1200, |m, driver, _| _ = IoTarget::from_handle(m, driver, Object::null())),
    ];
    for (what, wanted, call) in calls {
        let bench = bench();
        let (driver, device) = (bench.driver, bench.device);
        let shown = violation(bench, &[], |m| call(m, driver, device));
        let handle = if what.starts_with("nothing") { "0x0" } else { "device" };
        assert!(shown.starts_with(&format!("0x10d (0x5, {handle}, {wanted:#x}, ")), "{what}: {shown}");
    }
}

#[test]
fn a_request_of_the_drivers_own_that_is_completed_is_0x10d_7_when_its_last_user_lets_go() {
    let mut bench = bench();
    let request = bench.formatted();
    assert_eq!(
        violation(bench, &names(request), |m| request.complete(m, STATUS_SUCCESS)),
        "0x10d (0x7, the request, the request's object, the driver's globals) in WdfObjectDereference"
    );
}

#[test]
fn a_bug_check_of_the_drivers_own_has_its_log_in_the_dump() {
    let bench = bench();
    let driver = bench.driver;
    let check = bench.bug_check(|m| driver.bug_check(m, 0xDEAD, [1, 2, 3, 4]));
    assert_eq!((check.code, check.parameters, check.driver.as_deref()), (0xDEAD, [1, 2, 3, 4], Some("sender")));
    assert!(!check.log.is_empty());
}

#[test]
fn debugger_breaks_follow_dbg_break_on_error_and_not_the_verifier() {
    for (verifier, break_on_error, breaks) in
        [(false, None, 0), (true, None, 1), (false, Some(true), 1), (true, Some(false), 0)]
    {
        let mut bench = Setup { verifier, break_on_error, ..Setup::default() }.open();
        let (target, request) = (bench.target, bench.dispatched(BUFFERED, b"", 0));
        bench.forget_log();
        // A dispatched request without a completion routine: a check that is made with the verifier and without.
        assert!(!bench.run(|m| request.send(m, target, SendOptions::none())));
        assert_eq!(bench.breaks(), breaks, "verifier {verifier}, {break_on_error:?}");
    }
}

#[test]
fn a_call_on_a_request_that_was_completed_is_undefined() {
    type Call = fn(&mut Machine, IoTarget, Request);
    let calls: [Call; 4] = [
        |m, target, request| _ = request.send(m, target, SendOptions::none()),
        |m, target, request| _ = target.format_read(m, request, Data::None, 0),
        |m, _, request| _ = request.cancel_sent(m),
        |m, _, request| _ = request.status(m),
    ];
    for call in calls {
        let mut bench = bench();
        let (target, request) = (bench.target, bench.dispatched(BUFFERED, b"", 0));
        bench.run(|m| request.complete(m, STATUS_SUCCESS));
        let rule = bench.broken_rule(|m| call(m, target, request));
        assert!(rule.contains("a handle is not used after its object is gone"), "{rule}");
    }
}

#[test]
fn a_call_on_a_target_that_was_deleted_is_undefined() {
    let mut bench = bench();
    let target = bench.target;
    bench.run(|m| target.delete(m));
    let rule = bench.broken_rule(|m| _ = target.open(m, OpenParams::reopen()));
    assert!(rule.contains("a handle is not used after its object is gone"), "{rule}");
}
