//! What a program sees of its DeviceIoControl: transfer types, copy-back, pending, overlapped requests, access.

use vbus::wdm::constants::*;
use vbus::wdm::{
    Access, Context, Control, DeviceObject, IoStatus, IoctlCode, Irp, Machine, Major, Method, NtStatus, OpenOptions,
    Parameters, Ticks,
};

/// How the driver under test answers: status, Information, and whether it pends first.
#[derive(Clone, Copy)]
struct Answer {
    status: NtStatus,
    information: u64,
    pends: bool,
}

/// What the driver under test was given.
#[derive(Default, Debug, PartialEq)]
struct Given {
    system_buffer: Option<Vec<u8>>,
    mdl: Option<Vec<u8>>,
    type3_input: Option<Vec<u8>>,
    user_buffer: Option<Vec<u8>>,
}

fn code(method: Method) -> IoctlCode {
    IoctlCode::new(0x8000, 0x801, method, Access::READ)
}

/// A machine with one WDM device that fills the output with 0xEE and answers as told.
fn machine(answer: Answer) -> Machine {
    let mut m = Machine::new();
    let driver = m.create_driver("answers");
    for major in [Major::Create, Major::Cleanup, Major::Close] {
        driver.set_major(&mut m, major, |m, _, irp| irp.complete_with(m, STATUS_SUCCESS, 0));
    }
    driver.set_major(&mut m, Major::DeviceControl, device_control);
    let device = m.create_device(driver);
    m[device].initializing = false;
    m.create_symbolic_link("\\DosDevices\\Answers", device).unwrap();
    m.add_extension(answer);
    m.add_extension(Given::default());
    m
}

fn device_control(m: &mut Machine, _: DeviceObject, irp: Irp) -> NtStatus {
    let Parameters::DeviceIoControl { code, output_length, type3_input, .. } = m[irp].current().parameters else {
        return irp.complete_with(m, STATUS_INVALID_DEVICE_REQUEST, 0);
    };
    let (system, mdl, user) = (m[irp].system_buffer, m[irp].mdl, m[irp].user_buffer);
    let mut read = |span: Option<vbus::wdm::Span>| span.map(|span| m.bytes(span).to_vec());
    let given = Given {
        system_buffer: read(system),
        mdl: read(mdl),
        type3_input: read(type3_input),
        // The program's own pointer is the driver's business with METHOD_NEITHER only.
        user_buffer: if code.method() == Method::Neither { read(user) } else { None },
    };
    *m.extension_mut() = given;
    let output = match code.method() {
        Method::Buffered => system.and_then(|span| span.part(0, output_length)),
        Method::InDirect | Method::OutDirect => mdl,
        Method::Neither => user,
    };
    if let Some(output) = output {
        m.bytes_mut(output).fill(0xEE);
    }
    let answer = *m.extension::<Answer>();
    if answer.pends {
        irp.mark_pending(m);
        m.set_timer(Ticks::from_millis(1), finish, irp.to_context());
        return STATUS_PENDING;
    }
    irp.complete_with(m, answer.status, answer.information)
}

fn finish(m: &mut Machine, context: Context) {
    let answer = *m.extension::<Answer>();
    Irp::from_context(context).unwrap().complete_with(m, answer.status, answer.information);
}

/// Four bytes in, six bytes of 0x11 for the answer: what DeviceIoControl returned, and the six bytes after it.
fn control(answer: Answer, method: Method) -> (IoStatus, [u8; 6], Given) {
    let mut m = machine(answer);
    let file = m.create_file("\\\\.\\Answers", OpenOptions::READ_WRITE).unwrap().unwrap();
    let mut output = [0x11; 6];
    let result = m.device_io_control(file, code(method), &[1, 2, 3, 4], &mut output).unwrap();
    (result, output, std::mem::take(m.extension_mut()))
}

fn answer(status: NtStatus, information: u64, pends: bool) -> Answer {
    Answer { status, information, pends }
}

#[test]
fn each_transfer_type_puts_the_data_where_the_documentation_says() {
    let ok = answer(STATUS_SUCCESS, 6, false);
    let input = Some(vec![1, 2, 3, 4]);
    let output = Some(vec![0x11; 6]);
    let expected = [
        (Method::Buffered, Given { system_buffer: Some(vec![1, 2, 3, 4, 0, 0]), ..Given::default() }),
        (Method::InDirect, Given { system_buffer: input.clone(), mdl: output.clone(), ..Given::default() }),
        (Method::OutDirect, Given { system_buffer: input.clone(), mdl: output.clone(), ..Given::default() }),
        (Method::Neither, Given { type3_input: input, user_buffer: output, ..Given::default() }),
    ];
    for (method, given) in expected {
        assert_eq!(control(ok, method).2, given, "{method:?}");
    }
}

#[test]
fn a_buffered_answer_is_copied_back_as_far_as_information_says_unless_the_status_is_an_error() {
    for pends in [false, true] {
        for (status, information, copied) in [
            (STATUS_SUCCESS, 6, 6),
            (STATUS_SUCCESS, 3, 3),
            (STATUS_SUCCESS, 0, 0),
            // A warning is no error: it is copied.
            (STATUS_BUFFER_OVERFLOW, 6, 6),
            (STATUS_BUFFER_TOO_SMALL, 6, 0),
            // The one warning that is not: whoever sent it is to verify the volume and ask again.
            (STATUS_VERIFY_REQUIRED, 6, 0),
        ] {
            let (result, output, _) = control(answer(status, information, pends), Method::Buffered);
            assert_eq!(result.status, status);
            let mut expected = [0x11; 6];
            expected[..copied].fill(0xEE);
            assert_eq!(output, expected, "{status}, Information {information}, pends {pends}");
        }
    }
}

#[test]
fn a_direct_or_neither_answer_is_in_the_programs_pages_whatever_the_status_is() {
    for method in [Method::InDirect, Method::OutDirect, Method::Neither] {
        for status in [STATUS_SUCCESS, STATUS_BUFFER_TOO_SMALL] {
            assert_eq!(control(answer(status, 0, false), method).1, [0xEE; 6], "{method:?}, {status}");
        }
    }
}

#[test]
fn information_of_an_error_reaches_nobody() {
    for pends in [false, true] {
        let (result, ..) = control(answer(STATUS_DEVICE_BUSY, 5, pends), Method::OutDirect);
        assert_eq!(result, IoStatus { status: STATUS_DEVICE_BUSY, information: 5 }, "a warning's does");
        let (result, ..) = control(answer(STATUS_UNSUCCESSFUL, 5, pends), Method::OutDirect);
        assert_eq!(result, IoStatus { status: STATUS_UNSUCCESSFUL, information: 0 });
    }
}

#[test]
fn more_information_than_the_program_asked_for_is_where_the_machine_stops() {
    let mut m = machine(answer(STATUS_SUCCESS, 7, false));
    let file = m.create_file("\\\\.\\Answers", OpenOptions::READ_WRITE).unwrap().unwrap();
    let stop = m.device_io_control(file, code(Method::Buffered), &[0; 10], &mut [0; 6]).unwrap_err();
    assert!(stop.to_string().contains("at most its output length"), "{stop}");
}

#[test]
fn an_overlapped_request_pends_and_is_announced_once() {
    let mut m = machine(answer(STATUS_SUCCESS, 6, true));
    let file = m.create_file("\\\\.\\Answers", OpenOptions::OVERLAPPED).unwrap().unwrap();
    let request = m.start_io_control(file, code(Method::OutDirect), &[1], &[0x11; 6]).unwrap().unwrap();
    let mut output = [0; 6];
    assert_eq!((m.next_completion(), m.overlapped_result(request, &mut output)), (None, None));
    m.advance(Ticks::from_millis(1)).unwrap();
    assert_eq!(m.next_completion(), Some(request));
    assert_eq!(m.overlapped_result(request, &mut output), Some(IoStatus { status: STATUS_SUCCESS, information: 6 }));
    assert_eq!(output, [0xEE; 6]);
    assert_eq!((m.next_completion(), m.overlapped_result(request, &mut output)), (None, None));
}

#[test]
fn an_overlapped_error_that_never_pended_is_returned_and_announced_to_nobody() {
    let mut m = machine(answer(STATUS_DEVICE_NOT_READY, 0, false));
    let file = m.create_file("\\\\.\\Answers", OpenOptions::OVERLAPPED).unwrap().unwrap();
    let started = m.start_io_control(file, code(Method::OutDirect), &[], &[]).unwrap();
    assert_eq!(started, Err(STATUS_DEVICE_NOT_READY));
    assert_eq!(m.next_completion(), None);
}

#[test]
fn an_overlapped_error_that_pended_is_announced() {
    let mut m = machine(answer(STATUS_DEVICE_NOT_READY, 0, true));
    let file = m.create_file("\\\\.\\Answers", OpenOptions::OVERLAPPED).unwrap().unwrap();
    let request = m.start_io_control(file, code(Method::OutDirect), &[], &[]).unwrap().unwrap();
    m.advance(Ticks::from_millis(1)).unwrap();
    assert_eq!(m.next_completion(), Some(request));
    assert_eq!(m.overlapped_result(request, &mut []).unwrap().status, STATUS_DEVICE_NOT_READY);
}

#[test]
fn the_access_bits_of_a_code_are_checked_against_the_handle_before_there_is_an_irp() {
    let mut m = machine(answer(STATUS_SUCCESS, 0, false));
    let read_only = OpenOptions { access: Access::READ, ..OpenOptions::default() };
    let file = m.create_file("\\\\.\\Answers", read_only).unwrap().unwrap();
    m.watch_irps();
    for (access, expected) in [
        (Access::ANY, STATUS_SUCCESS),
        (Access::READ, STATUS_SUCCESS),
        (Access::WRITE, STATUS_ACCESS_DENIED),
        (Access::READ_WRITE, STATUS_ACCESS_DENIED),
    ] {
        let code = IoctlCode::new(0x8000, 0x801, Method::Buffered, access);
        assert_eq!(m.device_io_control(file, code, &[], &mut []).unwrap().status, expected, "{access:?}");
        assert_eq!(m.take_observations().is_empty(), expected == STATUS_ACCESS_DENIED);
    }
}

#[test]
fn what_is_not_there_or_not_open_any_more_has_the_documented_status() {
    let mut m = machine(answer(STATUS_SUCCESS, 0, false));
    assert_eq!(m.create_file("\\\\.\\Nobody", OpenOptions::READ_WRITE).unwrap(), Err(STATUS_OBJECT_NAME_NOT_FOUND));
    let file = m.create_file("\\\\.\\Answers", OpenOptions::READ_WRITE).unwrap().unwrap();
    m.close_handle(file).unwrap();
    let result = m.device_io_control(file, code(Method::Buffered), &[], &mut []).unwrap();
    assert_eq!(result.status, STATUS_INVALID_HANDLE);
}

#[test]
fn forgetting_to_propagate_pending_hangs_a_synchronous_error() {
    let mut m = machine(answer(STATUS_UNSUCCESSFUL, 0, true));
    let filter = m.create_driver("forgetful");
    filter.set_all_majors(&mut m, |m, device, irp| {
        m[irp].copy_current_to_next();
        m[irp].set_completion_routine(|_, _, _, _| STATUS_SUCCESS, Context(0), Control::INVOKE_ALWAYS);
        let lower = device.lower_device(m).unwrap();
        irp.call_driver(m, lower)
    });
    let device = m.create_device(filter);
    let named = m.create_file("\\\\.\\Answers", OpenOptions::READ_WRITE).unwrap().unwrap();
    let lower = named.related_device(&m).unwrap();
    device.attach_to_stack(&mut m, lower).unwrap();
    m[device].initializing = false;
    let stop = m.device_io_control(named, code(Method::OutDirect), &[], &mut []).unwrap_err();
    assert!(stop.to_string().starts_with("hang: waiting for the program's request"), "{stop}");
}

#[test]
fn an_overlapped_warning_brings_its_output_along_as_a_success_does() {
    for pends in [false, true] {
        let mut m = machine(answer(STATUS_BUFFER_OVERFLOW, 2, pends));
        let file = m.create_file("\\\\.\\Answers", OpenOptions::OVERLAPPED).unwrap().unwrap();
        let request = m.start_io_control(file, code(Method::Buffered), &[], &[0; 4]).unwrap().unwrap();
        m.advance(Ticks::from_millis(1)).unwrap();
        assert_eq!(m.next_completion(), Some(request));
        let mut output = [0; 4];
        let result = m.overlapped_result(request, &mut output).unwrap();
        assert_eq!((result.status, result.information, output), (STATUS_BUFFER_OVERFLOW, 2, [0xEE, 0xEE, 0, 0]));
    }
}

#[test]
fn only_an_overlapped_handle_starts_a_request_without_waiting() {
    let mut m = machine(answer(STATUS_SUCCESS, 0, false));
    let file = m.create_file("\\\\.\\Answers", OpenOptions::READ_WRITE).unwrap().unwrap();
    let started = m.start_io_control(file, code(Method::Buffered), &[], &[]).unwrap();
    assert_eq!(started, Err(STATUS_INVALID_PARAMETER));
}

#[test]
fn an_irp_that_a_driver_keeps_without_saying_so_is_answered_into_memory_of_a_program_that_went_on() {
    let mut m = machine(Answer { status: STATUS_SUCCESS, information: 0, pends: false });
    let file = m.create_file("\\\\.\\Answers", OpenOptions::READ_WRITE).unwrap().unwrap();
    let keeper = file.related_device(&m).unwrap().driver(&mut m);
    keeper.set_major(&mut m, Major::DeviceControl, |m, _, irp| {
        irp.mark_pending(m);
        m.set_timer(
            Ticks::from_millis(1),
            |m, irp| _ = Irp::from_context(irp).unwrap().complete_with(m, STATUS_SUCCESS, 0),
            irp.to_context(),
        );
        STATUS_SUCCESS
    });
    let answer = m.device_io_control(file, code(Method::Buffered), &[], &mut [0; 4]).unwrap();
    assert_eq!(answer, IoStatus { status: STATUS_SUCCESS, information: 0 });
    let stop = m.advance(Ticks::from_millis(1)).unwrap_err();
    assert!(stop.to_string().contains("a dispatch routine that keeps an IRP returns STATUS_PENDING"), "{stop}");
}
