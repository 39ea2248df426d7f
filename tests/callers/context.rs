//! Requests before they are in a queue: of no length, in the context of whoever sent them, and seen as IRPs first.

use std::fmt::Write;

use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{IoStatus, IoType, IoctlCode, Machine, Major, NtStatus, RequestorMode, Span, Stop};

use crate::bench::{Handles, IO, Plan, Scene, Sent, note};

fn name(major: Major) -> &'static str {
    major.name().trim_start_matches("IRP_MJ_")
}

#[test]
fn a_transfer_of_nothing_succeeds_without_the_driver_unless_its_queue_wants_it() {
    let mut page = String::new();
    for zero_length in [false, true] {
        writeln!(page, "{}", if zero_length { "AllowZeroLengthRequests" } else { "as by default" }).unwrap();
        for major in IO {
            let plan = Plan { default_queue: Some(Handles::EachKind), zero_length, ..Plan::default() };
            let line = plan.open().send(Sent { input: 0, output: 0, ..Sent::of(major) });
            writeln!(page, "  {:<24} {line}", name(major)).unwrap();
        }
    }
    approve!("callers_no_length", page);
}

#[test]
fn a_manual_queue_completes_a_transfer_of_nothing_when_it_is_asked_for_it() {
    for zero_length in [false, true] {
        let mut bench = Plan { default_queue: Some(Handles::Manual), zero_length, ..Plan::default() }.open();
        let line = bench.send(Sent { input: 0, ..Sent::of(Major::Read) });
        assert_eq!(line, "a queue: waits (dispatch: PENDING)");
        let (request, done) = bench.retrieve();
        let nothing = IoStatus { status: STATUS_SUCCESS, information: 0 };
        match zero_length {
            false => assert_eq!((request.err(), done), (Some(STATUS_NO_MORE_ENTRIES), Some(nothing))),
            true => assert_eq!((request.err(), done), (None, None)),
        }
    }
}

fn enqueue(m: &mut Machine, device: Device, request: Request) {
    note(m, "EvtIoInCallerContext");
    if let Err(status) = device.enqueue_request(m, request) {
        note(m, format!("not enqueued, still the driver's: {}", status.name().unwrap_or("?")));
        request.complete(m, status);
    }
}

fn refuse(m: &mut Machine, _: Device, request: Request) {
    note(m, "EvtIoInCallerContext");
    request.complete(m, STATUS_ACCESS_DENIED);
}

#[test]
fn evt_io_in_caller_context_is_before_every_queue_and_passes_on_what_it_enqueues() {
    let mut page = String::new();
    let majors = [Major::Read, Major::InternalDeviceControl, Major::FlushBuffers, Major::Create];
    let callbacks: [(&str, InCallerContext); 2] = [("enqueues", enqueue), ("completes", refuse)];
    for (what, callback) in callbacks {
        for default_queue in [Some(Handles::EachKind), Some(Handles::Read), None] {
            for filter in [false, true] {
                let kind = if filter { "filter" } else { "function driver" };
                let queue = default_queue.map_or("no queue".to_owned(), |handles| format!("a queue with {handles:?}"));
                writeln!(page, "a {kind} that {what}, {queue}").unwrap();
                for major in majors {
                    let plan = Plan { filter, default_queue, in_caller_context: Some(callback), ..Plan::default() };
                    writeln!(page, "  {:<24} {}", name(major), plan.open().send(Sent::of(major))).unwrap();
                }
            }
        }
    }
    approve!("callers_in_caller_context", page);
}

fn found(what: &str, result: Result<Option<Span>, NtStatus>) -> String {
    match result {
        Ok(Some(span)) => format!("{what} of {}", span.len()),
        Ok(None) => format!("no {what}"),
        Err(status) => format!("{what} {}", status.name().unwrap_or("?").trim_start_matches("STATUS_")),
    }
}

fn unsafe_buffers(m: &mut Machine, device: Device, request: Request) {
    let input = request.unsafe_user_input_buffer(m, 8);
    note(m, found("input", input));
    let output = request.unsafe_user_output_buffer(m, 8);
    note(m, found("output", output));
    _ = device.enqueue_request(m, request);
}

#[test]
fn a_programs_own_pointers_are_given_only_where_the_io_manager_left_them_alone() {
    let mut page = String::new();
    let plan = |io_type| Plan {
        io_type,
        default_queue: Some(Handles::EachKind),
        in_caller_context: Some(unsafe_buffers),
        ..Plan::default()
    };
    for io_type in [IoType::Buffered, IoType::Direct, IoType::Neither] {
        for (major, length) in [(Major::Read, 8), (Major::Read, 4), (Major::Write, 8)] {
            let sent = Sent { input: length, mode: RequestorMode::User, ..Sent::of(major) };
            let line = plan(io_type).open().send(sent);
            writeln!(page, "{:<24} {io_type:?}, {length} bytes\n  {line}", name(major)).unwrap();
        }
    }
    for major in [Major::DeviceControl, Major::InternalDeviceControl] {
        for method in 0..4 {
            for length in [8, 4] {
                let code = IoctlCode(0x0022_2000 | method);
                let sent = Sent { code, input: length, output: length, mode: RequestorMode::User, ..Sent::of(major) };
                let line = plan(IoType::Buffered).open().send(sent);
                writeln!(page, "{:<24} {:?}, {length} bytes\n  {line}", name(major), code.method()).unwrap();
            }
        }
    }
    approve!("callers_unsafe_buffers", page);
}

fn dispatches(m: &mut Machine, device: Device, asked: WdmIrp) -> NtStatus {
    note(m, format!("EvtDeviceWdmIrpDispatch({:#x})", asked.code));
    device.dispatch_irp(m, asked.irp)
}

fn dispatches_to_the_second(m: &mut Machine, device: Device, asked: WdmIrp) -> NtStatus {
    note(m, "EvtDeviceWdmIrpDispatch");
    let queue = m.extension::<Scene>().second.unwrap();
    device.dispatch_irp_to_queue(m, asked.irp, queue, DispatchIrpFlags::NONE)
}

fn completes(m: &mut Machine, _: Device, asked: WdmIrp) -> NtStatus {
    note(m, "EvtDeviceWdmIrpDispatch");
    asked.irp.complete_with(m, STATUS_ACCESS_DENIED, 0)
}

#[test]
fn a_driver_that_sees_the_irp_first_chooses_its_queue_or_completes_it() {
    let callbacks: [(&str, WdmIrpDispatch); 3] = [
        ("dispatches as without it", dispatches),
        ("dispatches to another queue", dispatches_to_the_second),
        ("completes", completes),
    ];
    let mut page = String::new();
    for (what, callback) in callbacks {
        for default_queue in [Some(Handles::EachKind), None] {
            let plan = Plan {
                default_queue,
                second_queue: Some(Handles::Everything),
                wdm_dispatch: Some(callback),
                ..Plan::default()
            };
            writeln!(page, "{what}, {}", if default_queue.is_some() { "default queue" } else { "no default queue" })
                .unwrap();
            for major in [Major::DeviceControl, Major::Read] {
                writeln!(page, "  {:<24} {}", name(major), plan.open().send(Sent::of(major))).unwrap();
            }
        }
    }
    approve!("callers_wdm_dispatch", page);
}

#[test]
fn only_the_four_kinds_of_requests_can_be_seen_as_irps_and_only_by_a_callback() {
    fn configure(
        m: &mut Machine,
        major: Major,
        callback: Option<WdmIrpDispatch>,
    ) -> Result<Result<(), NtStatus>, Stop> {
        m.run(|m| m.extension::<Scene>().device.unwrap().configure_wdm_irp_dispatch(m, major, callback, 0u64))
    }
    let mut m = Plan::default().open().machine;
    for major in [Major::Create, Major::Shutdown, Major::Pnp] {
        assert_eq!(configure(&mut m, major, Some(completes)), Ok(Err(STATUS_INVALID_PARAMETER)));
    }
    let late = configure(&mut m, Major::Read, Some(completes));
    assert_eq!(late, Ok(Err(STATUS_INVALID_DEVICE_STATE)), "the device is started");
    let stop = configure(&mut m, Major::Read, None).unwrap_err();
    let Stop::BugCheck(check) = stop else { panic!("{stop}") };
    assert_eq!((check.code, check.parameters[0]), (0x10D, 4));
}
