//! The look-alikes of STATUS_REQUEST_NOT_ACCEPTED, each told from the others. All but the verifiers' own bug checks are
//! made by the model itself.

use vbus::iotarget::{Data, SendOptions, SendRequest};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{BugCheck, Context, IoctlCode};

use crate::common::bench::*;
use crate::dress::{self, Dress, analysis, causes, told};

const BUFFERED: IoctlCode = IoctlCode(0x0022_2000);

/// What a default log of the bench's driver has from now on: no verbose lines.
fn default_log(bench: &Bench) -> String {
    let lines = bench.driver.log(&bench.machine);
    let newest = lines.iter().filter(|line| line.level < Level::Verbose);
    newest.map(|record| dress::line(record, Dress::Plain) + "\n").collect()
}

fn verbose_log(bench: &Bench) -> String {
    dress::log(&bench.machine, bench.driver, "sender", Dress::Plain)
}

/// The story: a program's request with too few locations.
fn too_small() -> Bench {
    let mut bench = Setup { stack: 4, ..Setup::default() }.open();
    bench.own_stack_is(2);
    let (request, target) = (bench.dispatched(BUFFERED, b"", 0), bench.target);
    let refused = bench.run(|m| target.format_internal_ioctl(m, request, CODE, Data::None, Data::None));
    assert_eq!(refused, Err(STATUS_REQUEST_NOT_ACCEPTED));
    bench.run(|m| request.complete(m, STATUS_REQUEST_NOT_ACCEPTED));
    bench
}

#[test]
fn an_irp_that_is_too_small_and_not_the_frameworks() {
    let bench = too_small();
    approve_explanation!("explain_irp_too_small", told(&verbose_log(&bench)));
}

#[test]
fn the_same_from_the_one_line_of_a_default_log() {
    let text = default_log(&too_small());
    assert_eq!(causes(&text), ["irp-too-small"]);
    approve_explanation!("explain_irp_too_small_default_log", told(&text));
}

#[test]
fn a_request_that_was_never_formatted() {
    let mut bench = verified();
    let (request, target) = (bench.created(), bench.target);
    bench.run(|m| request.set_completion_routine(m, came_back, Context(0)));
    assert!(!bench.run(|m| request.send(m, target, SendOptions::none())));
    assert_eq!(bench.status(request), STATUS_REQUEST_NOT_ACCEPTED);
    approve_explanation!("explain_never_formatted", told(&default_log(&bench)));
}

#[test]
fn a_request_that_was_formatted_for_a_smaller_target() {
    let mut bench = Setup { verifier: true, stack: 4, ..Setup::default() }.open();
    bench.own_stack_is(2);
    let (request, target) = (bench.dispatched(BUFFERED, b"", 0), bench.target);
    bench.run(|m| {
        request.format_using_current_type(m);
        request.set_completion_routine(m, came_back, Context(0));
    });
    assert!(!bench.run(|m| request.send(m, target, SendOptions::none())));
    approve_explanation!("explain_smaller_target", told(&default_log(&bench)));
}

#[test]
fn a_target_that_was_closed() {
    let mut bench = bench();
    let (request, target) = (bench.created(), bench.target);
    bench.run(|m| target.close(m));
    let refused = bench.run(|m| target.format_internal_ioctl(m, request, CODE, Data::None, Data::None));
    assert_eq!(refused, Err(STATUS_INVALID_DEVICE_STATE));
    approve_explanation!("explain_target_closed", told(&verbose_log(&bench)));
}

#[test]
fn a_target_that_was_never_opened() {
    let mut bench = Setup::default().closed();
    let (request, target) = (bench.dispatched(BUFFERED, b"", 0), bench.target);
    let refused = bench.run(|m| target.format_internal_ioctl(m, request, CODE, Data::None, Data::None));
    assert_eq!(refused, Err(STATUS_INVALID_DEVICE_STATE));
    assert_eq!(causes(&default_log(&bench)), ["target-closed"]);
}

#[test]
fn an_irp_of_the_frameworks_own_that_finds_no_memory() {
    let status = u64::from(STATUS_INSUFFICIENT_RESOURCES.0);
    let message = sites::IRP_NOT_ALLOCATED.render(&[0x307E_6A7E_D198, 0x307E_7136_DC48, status]);
    let text = format!("12: {} - {message}\n", sites::IRP_NOT_ALLOCATED.function);
    approve_explanation!("explain_no_memory_for_irp", told(&text));
}

#[test]
fn memory_that_is_short_for_a_request_and_a_reserve_that_is_for_others() {
    let [queue, request, device] = [0x307E_7136_DC48_u64, 0x307E_6A7E_D198, 0x307E_7000_1008];
    let line = |site: &Site, arguments: &[u64]| format!("12: {} - {}\n", site.function, site.render(arguments));
    let unsuccessful = u64::from(STATUS_UNSUCCESSFUL.0);
    let cases = [
        (line(&sites::IO_NO_REQUEST, &[STATUS_INSUFFICIENT_RESOURCES.0.into()]), "no-memory-for-request"),
        (line(&sites::PROGRESS_FAILS, &[queue, 0xFFFF_E000_D2B2_E8C0, unsuccessful]), "reserve-refused"),
        (line(&sites::PROGRESS_INVALID_ACTION, &[queue, 7, unsuccessful]), "reserve-refused"),
        (
            line(&sites::FORWARD_RESERVED, &[request, device, STATUS_INVALID_DEVICE_REQUEST.0.into()]),
            "forward-reserved",
        ),
    ];
    for (text, cause) in &cases {
        assert_eq!(causes(text), [*cause], "{text}");
    }
    approve_explanation!("explain_reserve_refused", told(&cases[1].0));
}

#[test]
fn a_request_that_was_sent_twice() {
    let mut bench = bench();
    bench.lower_is(Lower::Holds);
    let (request, _) = bench.sent(SendOptions::none());
    let target = bench.target;
    let check = bench.bug_check(|m| _ = request.send(m, target, SendOptions::none()));
    let log: String = check.log.iter().map(|line| line.clone() + "\n").collect();
    let text =
        analysis(&check) + "0: kd> !wdfkd.wdflogdump sender\n--- start of log ---\n" + &log + "---- end of log ----\n";
    assert_eq!(causes(&text), ["already-sent"], "the line and the bug check are one failure");
    approve_explanation!("explain_already_sent", told(&text));
}

#[test]
fn the_verifiers_own_line_for_a_second_send_is_the_same_failure() {
    let text =
        "9: FxIoTarget::Vf_VerifySubmitLocked - WDFREQUEST 0000307E6A7ED198 is already pending on a WDFIOTARGET\n";
    assert_eq!(causes(text), ["already-sent"]);
}

/// The bug check of a driver that passes an IRP with one location down.
fn out_of_locations() -> BugCheck {
    let mut bench = bench();
    let lower = bench.lower;
    let irp = bench.run(|m| m.allocate_irp(1)).unwrap();
    bench.bug_check(|m| {
        m[irp].set_next_location();
        _ = irp.call_driver(m, lower);
    })
}

#[test]
fn an_irp_without_a_location_for_the_driver_below() {
    let check = out_of_locations();
    assert_eq!(check.code, 0x35);
    approve_explanation!("explain_no_locations_left", told(&analysis(&check)));
}

#[test]
fn an_irp_that_driver_verifier_sees_running_out() {
    let parameters: [u64; 4] = [0x208, 0xFFFF_E000_7E50_1010, 0, 0];
    let text = format!(
        "DRIVER_VERIFIER_IOMANAGER_VIOLATION (c9)\nArguments:\n{}",
        parameters
            .iter()
            .enumerate()
            .map(|(at, word)| format!("Arg{}: {word:016x}, ...\n", at + 1))
            .collect::<String>()
    );
    approve_explanation!("explain_about_to_run_out", told(&text));
}

#[test]
fn a_request_that_was_formatted_below_its_last_location() {
    let mut bench = bench();
    bench.own_stack_is(1);
    let request = bench.dispatched(BUFFERED, b"", 0);
    let check = bench.bug_check(|m| request.format_using_current_type(m));
    approve_explanation!("explain_below_last_location", told(&analysis(&check)));
}

/// One status, three failures: what the tool is for.
#[test]
fn the_look_alikes_of_one_status_are_three_causes() {
    let mut verified_sender = verified();
    let (request, target) = (verified_sender.created(), verified_sender.target);
    verified_sender.run(|m| request.set_completion_routine(m, came_back, Context(0)));
    verified_sender.run(|m| request.send(m, target, SendOptions::none()));
    let text = default_log(&too_small()) + &default_log(&verified_sender);
    assert_eq!(causes(&text), ["irp-too-small", "never-formatted"]);
    let explanation = dress::of(&text);
    let statuses: Vec<_> = explanation.failures.iter().map(|failure| failure.status.as_deref()).collect();
    assert_eq!(statuses, [Some("STATUS_REQUEST_NOT_ACCEPTED"); 2]);
}
