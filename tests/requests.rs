//! What a driver can ask of a request, what it can do with it, and what the verifier makes of that.

mod common;

use common::bench::*;
use vbus::iotarget::{Data, SendOptions, SendRequest};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, IoctlCode, Machine, Major, NtStatus, OpenOptions, Parameters, RequestorMode, Stop};

const BUFFERED: IoctlCode = IoctlCode(0x0022_2000);
const NEITHER: IoctlCode = IoctlCode(0x0022_2003);

#[test]
fn a_dispatched_request_knows_its_sender_its_queue_and_its_parameters() {
    let mut bench = verified();
    let (request, device) = (bench.dispatched(BUFFERED, b"in", 7), bench.device);
    bench.run(|m| {
        let parameters = request.parameters(m);
        let expected =
            Parameters::DeviceIoControl { output_length: 7, input_length: 2, code: BUFFERED, type3_input: None };
        assert_eq!((parameters.major, parameters.minor, parameters.parameters), (Major::DeviceControl, 0, expected));
        assert_eq!(request.ioctl_code(m), Some(BUFFERED));
        assert_eq!(request.io_queue(m), device.default_queue(m));
        assert_eq!(request.requestor_mode(m), RequestorMode::User);
        assert_ne!(request.requestor_process_id(m), 0);
        assert!(!request.is_from_32bit_process(m) && !request.is_reserved(m));
        assert_eq!(request.ownership(m), Ownership::FromIo);
    });
    assert_eq!(bench.breaks(), 0);
}

#[test]
fn information_and_status_are_the_irps_own() {
    let mut bench = bench();
    let request = bench.dispatched(BUFFERED, b"", 8);
    let irp = bench.run(|m| request.irp(m)).unwrap();
    bench.run(|m| request.set_information(m, 5));
    assert_eq!(bench.machine[irp].io_status.information, 5);
    bench.machine[irp].io_status.status = STATUS_DEVICE_BUSY;
    assert_eq!(bench.run(|m| (request.status(m), request.information(m))), (STATUS_DEVICE_BUSY, 5));
}

#[test]
fn a_request_of_the_drivers_own_has_no_queue_and_the_log_says_so() {
    let mut bench = verified();
    let request = bench.created();
    bench.forget_log();
    assert_eq!(bench.run(|m| (request.io_queue(m), request.device(m))), (None, None));
    let names = [(request.object().handle(), "request")];
    assert_eq!(
        bench.log(&names),
        ["Verbose imp_WdfRequestGetIoQueue - WDFREQUEST <request> doesn't belong to any queue"]
    );
    assert_eq!(bench.breaks(), 0);
}

#[test]
fn the_queue_that_creates_come_through_is_not_given_away() {
    fn look(m: &mut Machine, _: Device, request: Request, _: Option<WdfFileObject>) {
        let queue = request.io_queue(m);
        note(m, &format!("{:?}", queue.is_some()));
        request.complete(m, STATUS_SUCCESS);
    }
    let mut bench = Setup { verifier: true, on_create: Some(look), ..Setup::default() }.open();
    bench.forget_log();
    bench.machine.create_file("\\\\.\\SENDER", OpenOptions::OVERLAPPED).unwrap().unwrap();
    assert_eq!((&bench.world().notes[..], bench.breaks()), (&["false".to_owned()][..], 1));
    let said = bench
        .messages(&[])
        .iter()
        .any(|line| line.starts_with("Getting queue handle for Create request is not allowed"));
    assert!(said, "{:#?}", bench.messages(&[]));
}

/// Asks everything of a request that has no IRP (yet).
fn ask(m: &mut Machine, request: Request, what: usize) -> String {
    match what {
        0 => format!("{:?}", request.irp(m)),
        1 => format!("{:?}", request.parameters(m).major),
        2 => format!("{:?}", request.information(m)),
        3 => format!("{:?}", request.requestor_mode(m)),
        4 => format!("{:?}", request.requestor_process_id(m)),
        5 => format!("{:?}", request.file_object(m).is_some()),
        6 => format!("{:?}", request.input_buffer(m, 0)),
        _ => {
            request.set_information(m, 9);
            "set".to_owned()
        }
    }
}

#[test]
fn a_request_without_an_irp_answers_under_the_verifier_and_is_undefined_without() {
    let mut table = String::new();
    let calls = ["irp", "parameters", "information", "mode", "process", "file", "input", "set information"];
    for (what, call) in calls.into_iter().enumerate() {
        let mut bench = verified();
        let driver = bench.driver;
        let request = bench.run(|m| Request::create(m, driver, Attributes::none()).unwrap());
        bench.forget_log();
        let answer = bench.machine.run(|m| ask(m, request, what));
        let answer = answer.unwrap_or_else(|stop| {
            assert!(matches!(stop, Stop::Undefined { .. }), "{stop:?}");
            "undefined".to_owned()
        });
        table += &format!("{call}: {answer}, {} breaks\n", bench.breaks());
        bench.log(&[(request.object().handle(), "request")]).iter().for_each(|line| table += &format!("    {line}\n"));
        if what > 0 {
            let mut bench = common::bench::bench();
            let driver = bench.driver;
            let request = bench.run(|m| Request::create(m, driver, Attributes::none()).unwrap());
            let stopped = bench.machine.run(|m| ask(m, request, what));
            assert!(matches!(stopped, Err(Stop::Undefined { .. })), "{call}: {stopped:?}");
        }
    }
    approve!("asking_a_request_without_an_irp", table);
}

#[test]
fn a_request_is_completed_in_three_ways_that_the_log_tells_apart() {
    type Complete = fn(&mut Machine, Request);
    let ways: [Complete; 3] = [
        |m, request| request.complete(m, STATUS_SUCCESS),
        |m, request| request.complete_with_information(m, STATUS_SUCCESS, 3),
        |m, request| request.complete_with_priority_boost(m, STATUS_UNSUCCESSFUL),
    ];
    let mut lines = String::new();
    for complete in ways {
        let mut bench = verified();
        let request = bench.dispatched(BUFFERED, b"", 4);
        let irp = bench.run(|m| request.irp(m)).unwrap();
        bench.forget_log();
        bench.run(|m| complete(m, request));
        lines += &bench.log(&[(request.object().handle(), "request"), (irp.address(), "irp")])[0];
        lines.push('\n');
    }
    approve!("completing_in_three_ways", lines);
}

#[test]
fn a_status_of_the_frameworks_own_is_translated_for_others() {
    let mut bench = bench();
    for (status, translated) in [
        (STATUS_WDF_PAUSED, STATUS_DEVICE_BUSY),
        (STATUS_WDF_INTERNAL_ERROR, STATUS_INTERNAL_ERROR),
        (STATUS_WDF_TOO_FRAGMENTED, STATUS_INVALID_DEVICE_REQUEST),
        (STATUS_WDF_NOT_ENOUGH_MAP_REGISTERS, STATUS_INSUFFICIENT_RESOURCES),
        (STATUS_WDF_QUEUED, STATUS_INVALID_DEVICE_REQUEST),
    ] {
        let file = bench.machine.create_file("\\\\.\\SENDER", OpenOptions::OVERLAPPED).unwrap().unwrap();
        let sent = bench.machine.start_io_control(file, BUFFERED, &[], &[]).unwrap().unwrap();
        let request = bench.machine.extension_mut::<World>().presented.take().unwrap();
        bench.run(|m| request.complete(m, status));
        let result = bench.machine.overlapped_result(sent, &mut []).unwrap();
        assert_eq!(result.status, translated, "{status:?}");
    }
}

#[test]
fn cleanup_callbacks_of_a_request_run_before_its_irp_is_completed() {
    let mut bench = bench();
    let request = bench.dispatched(BUFFERED, b"", 0);
    let irp = bench.run(|m| request.irp(m)).unwrap();
    bench.machine.add_extension(Watched(irp));
    struct Watched(vbus::wdm::Irp);
    fn look(m: &mut Machine, what: &str) {
        let irp = m.extension::<Watched>().0;
        let completed = !irp.exists(m) || m[irp].is_completed();
        note(m, &format!("{what}, completed: {completed}"));
    }
    bench.run(|m| {
        let attributes =
            Attributes::none().context(()).on_cleanup(|m, _| look(m, "cleanup")).on_destroy(|m, _| look(m, "destroy"));
        request.object().allocate_context(m, attributes).unwrap();
        request.complete(m, STATUS_SUCCESS);
    });
    assert_eq!(bench.world().notes, ["cleanup, completed: false", "destroy, completed: true"]);
}

#[test]
fn a_sequential_queue_waits_for_the_request_that_is_out_at_a_target() {
    let mut bench = Setup { without_queue: true, ..Setup::default() }.open();
    bench.lower_is(Lower::HoldsDeaf);
    let device = bench.device;
    bench.run(|m| {
        let queue = Queue::config(Dispatch::Sequential).power_managed(false).on_default(|m, _, request| {
            let target = m.extension::<World>().target.unwrap();
            note(m, "presented");
            request.format_using_current_type(m);
            request.set_completion_routine(m, |m, request, _, _, _| request.complete(m, STATUS_SUCCESS), Context(0));
            assert!(request.send(m, target, SendOptions::none()));
        });
        queue.create_default(m, device).unwrap();
    });
    let file = bench.machine.create_file("\\\\.\\SENDER", OpenOptions::OVERLAPPED).unwrap().unwrap();
    for _ in 0..2 {
        bench.machine.start_io_control(file, BUFFERED, &[], &[]).unwrap().unwrap();
    }
    assert_eq!(bench.world().notes.len(), 1);
    bench.run(|m| complete_held(m, STATUS_SUCCESS, 0));
    assert_eq!(bench.world().notes.len(), 2, "completed by its driver, it makes room for the next");
}

#[test]
fn deleting_a_dispatched_request_is_silent_and_leaves_its_irp_hanging() {
    let mut bench = verified();
    let file = bench.machine.create_file("\\\\.\\SENDER", OpenOptions::OVERLAPPED).unwrap().unwrap();
    let sent = bench.machine.start_io_control(file, BUFFERED, &[], &[]).unwrap().unwrap();
    let request = bench.machine.extension_mut::<World>().presented.take().unwrap();
    bench.forget_log();
    bench.run(|m| request.delete(m));
    assert_eq!((bench.log(&[]), bench.breaks()), (vec![], 0));
    assert_eq!(bench.machine.overlapped_result(sent, &mut []), None, "its sender waits for ever");
}

#[test]
fn unmarking_a_request_that_was_never_marked_says_that_it_is_cancelled() {
    let mut bench = bench();
    let request = bench.dispatched(BUFFERED, b"", 0);
    assert_eq!(bench.run(|m| request.unmark_cancelable(m)), Err(STATUS_CANCELLED));
}

#[test]
fn only_what_a_queue_presented_can_be_made_cancelable() {
    fn never(_: &mut Machine, _: Request) {}
    let mut bench = verified();
    let request = bench.created();
    bench.forget_log();
    bench.run(|m| {
        request.mark_cancelable(m, never);
        assert_eq!(request.mark_cancelable_ex(m, never), Err(STATUS_INVALID_DEVICE_REQUEST));
        assert_eq!(request.unmark_cancelable(m), Err(STATUS_INVALID_DEVICE_REQUEST));
    });
    let names = [(request.object().handle(), "request")];
    approve!("cancelable_without_a_queue", format!("{}\n{} breaks\n", bench.log(&names).join("\n"), bench.breaks()));
}

#[test]
fn a_cancelled_request_calls_back_at_the_mark_or_says_so_at_the_other() {
    fn cancelled(m: &mut Machine, request: Request) {
        note(m, "cancelled");
        request.complete(m, STATUS_CANCELLED);
    }
    for ex in [false, true] {
        let mut bench = bench();
        let request = bench.dispatched(BUFFERED, b"", 0);
        let irp = bench.run(|m| request.irp(m)).unwrap();
        bench.run(|m| {
            irp.cancel(m);
            if ex {
                assert_eq!(request.mark_cancelable_ex(m, cancelled), Err(STATUS_CANCELLED));
            } else {
                request.mark_cancelable(m, cancelled);
            }
        });
        assert_eq!(bench.world().notes.len(), usize::from(!ex));
        assert_eq!(request.object().exists(&bench.machine), ex);
    }
}

/// A program's pointer reaches EvtIoInCallerContext; what is done with it there.
fn in_callers_context(act: InCallerContext) -> Bench {
    let mut bench = Setup { verifier: true, in_caller_context: Some(act), ..Setup::default() }.open();
    let file = bench.machine.create_file("\\\\.\\SENDER", OpenOptions::OVERLAPPED).unwrap().unwrap();
    bench.forget_log();
    bench.machine.start_io_control(file, NEITHER, b"from the program", &[0; 4]).unwrap().unwrap();
    bench
}

#[test]
fn a_programs_own_buffer_is_locked_in_its_context_for_as_long_as_the_request_lasts() {
    let mut bench = in_callers_context(|m, device, request| {
        let input = request.unsafe_user_input_buffer(m, 4).unwrap();
        let memory = request.probe_and_lock_for_read(m, input).unwrap();
        let span = memory.span(m).unwrap();
        let text = String::from_utf8_lossy(m.bytes(span)).into_owned();
        note(m, &text);
        let output = request.unsafe_user_output_buffer(m, 4).unwrap();
        let memory = request.probe_and_lock_for_write(m, output).unwrap();
        let span = memory.span(m).unwrap();
        m.bytes_mut(span).copy_from_slice(b"back");
        device.enqueue_request(m, request).unwrap();
    });
    assert_eq!(bench.world().notes, ["from the program"]);
    let request = bench.machine.extension_mut::<World>().presented.take().unwrap();
    bench.run(|m| request.complete(m, STATUS_SUCCESS));
    assert_eq!(bench.breaks(), 0);
}

#[test]
fn no_length_cannot_be_locked() {
    let bench = in_callers_context(|m, _, request| {
        let nothing = request.unsafe_user_input_buffer(m, 0).unwrap().and_then(|input| input.part(0, 0));
        assert_eq!(request.probe_and_lock_for_read(m, nothing).map(|_| ()), Err(STATUS_INVALID_USER_BUFFER));
        assert_eq!(request.probe_and_lock_for_write(m, nothing).map(|_| ()), Err(STATUS_INVALID_USER_BUFFER));
        request.complete(m, STATUS_SUCCESS);
    });
    let lines: Vec<_> = bench.log(&[]).into_iter().filter(|line| line.starts_with("Error")).collect();
    approve!("locking_no_length", lines.join("\n"));
}

#[test]
fn outside_that_callback_the_verifier_gives_no_pointer_of_a_program() {
    let mut bench = verified();
    let request = bench.dispatched(NEITHER, b"text", 0);
    assert_eq!(bench.run(|m| request.unsafe_user_input_buffer(m, 1)).map(|_| ()), Err(STATUS_INVALID_DEVICE_REQUEST));
    let parameters = bench.run(|m| request.parameters(m)).parameters;
    assert!(matches!(parameters, Parameters::DeviceIoControl { type3_input: None, .. }), "{parameters:?}");
}

#[test]
fn a_memory_that_is_given_back_once_too_often_is_an_error_and_the_request_cannot_end_well() {
    let mut bench = verified();
    let request = bench.dispatched(BUFFERED, b"text", 0);
    bench.forget_log();
    let given = bench.run(|m| {
        let memory = request.input_memory(m).unwrap();
        memory.reference(m);
        memory.dereference(m);
        memory.dereference(m);
        memory
    });
    assert!(!given.is_null());
    let names = [(request.object().handle(), "request")];
    assert_eq!(
        (bench.messages(&names), bench.breaks()),
        (vec!["Attempt to release an IRP reference without adding one first WDFREQUEST <request>".to_owned()], 1)
    );
}

#[test]
fn a_drivers_request_is_formatted_with_the_memories_of_the_one_that_it_serves() {
    let mut bench = bench();
    bench.lower_is(Lower::Does(|m, _, irp| {
        let buffer = m[irp].system_buffer.unwrap();
        m.bytes_mut(buffer).make_ascii_uppercase();
        irp.complete_with(m, STATUS_SUCCESS, 4)
    }));
    let (target, served, own) = (bench.target, bench.dispatched(BUFFERED, b"text", 4), bench.created());
    let outcome: Result<(), NtStatus> = bench.run(|m| {
        let input = Data::Memory(served.input_memory(m)?);
        let output = Data::Memory(served.output_memory(m)?);
        target.format_ioctl(m, own, BUFFERED, input, output)?;
        assert!(own.send(m, target, SendOptions::synchronous()));
        let answer = served.output_buffer(m, 4)?;
        let text = m.bytes(answer).to_vec();
        note(m, &String::from_utf8_lossy(&text));
        own.delete(m);
        served.complete_with_information(m, STATUS_SUCCESS, 4);
        Ok(())
    });
    assert_eq!((outcome, &bench.world().notes[..]), (Ok(()), &["TEXT".to_owned()][..]));
}
