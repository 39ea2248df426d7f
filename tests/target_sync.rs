//! The calls that format a request, send it and wait for it.

mod common;

use common::bench::*;
use vbus::iotarget::{
    CompletionParams, Data, IoTarget, MemoryDescriptor, SendOptions, SendRequest, SentIo, Synchronous,
};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, IoType, IoctlCode, Irql, Machine, NtStatus, Parameters, Span, Stop, Ticks};

const BUFFERED: IoctlCode = IoctlCode(0x0022_2000);
const NONE: MemoryDescriptor = MemoryDescriptor::None;

fn done(status: NtStatus, bytes: u64) -> Synchronous {
    Synchronous { status, bytes_returned: Some(bytes) }
}

fn refused(status: NtStatus) -> Synchronous {
    Synchronous { status, bytes_returned: None }
}

/// Answers a buffered control request, or a read, with its input in capitals.
fn shouts(bench: &mut Bench) {
    bench.lower_is(Lower::Does(|m, _, irp| {
        let Some(buffer) = m[irp].system_buffer else { return irp.complete_with(m, STATUS_SUCCESS, 0) };
        let length = match m[irp].current().parameters {
            Parameters::DeviceIoControl { input_length, .. } => input_length,
            Parameters::Transfer { length, .. } => length,
            _ => 0,
        };
        m.bytes_mut(buffer)[..length as usize].make_ascii_uppercase();
        irp.complete_with(m, STATUS_SUCCESS, length.into())
    }));
}

fn local(bench: &mut Bench, bytes: &[u8]) -> Span {
    bench.machine.allocate_block(bytes, u32::try_from(bytes.len()).unwrap())
}

#[test]
fn data_may_be_a_buffer_an_mdl_or_a_memory() {
    let mut bench = bench();
    shouts(&mut bench);
    let (target, driver) = (bench.target, bench.driver);
    let kinds: [fn(&mut Machine, Driver, Span) -> MemoryDescriptor; 3] = [
        |_, _, span| MemoryDescriptor::Buffer(span),
        |_, _, span| MemoryDescriptor::Mdl(span),
        |m, driver, span| {
            let memory = Memory::create(m, driver, span.len() + 2, Attributes::none()).unwrap();
            let all = memory.span(m).unwrap();
            let bytes = m.bytes(span).to_vec();
            m.bytes_mut(all)[2..].copy_from_slice(&bytes);
            MemoryDescriptor::Handle(Data::Part { memory, offset: 2, length: 0 })
        },
    ];
    for kind in kinds {
        let (input, output) = (local(&mut bench, b"hello"), local(&mut bench, &[0; 8]));
        let sent = bench.run(|m| {
            let input = kind(m, driver, input);
            target.send_ioctl_synchronously(
                m,
                None,
                BUFFERED,
                input,
                MemoryDescriptor::Buffer(output),
                SendOptions::none(),
            )
        });
        assert_eq!(sent, done(STATUS_SUCCESS, 5));
        assert_eq!(bench.machine.bytes(output), b"HELLO\0\0\0");
    }
}

#[test]
fn reads_writes_and_internal_requests_are_sent_alike() {
    let mut bench = Setup::default().closed();
    let (target, lower) = (bench.target, bench.lower);
    bench.machine[lower].io_type = IoType::Buffered;
    bench.run(|m| target.open_existing_device(m, lower)).unwrap();
    shouts(&mut bench);
    let data = MemoryDescriptor::Buffer(local(&mut bench, b"data"));
    let [read, write, internal, others] = bench.run(|m| {
        [
            target.send_read_synchronously(m, None, data, 0, SendOptions::none()),
            target.send_write_synchronously(m, None, data, 0, SendOptions::none()),
            target.send_internal_ioctl_synchronously(m, None, BUFFERED, data, NONE, SendOptions::none()),
            target.send_internal_ioctl_others_synchronously(m, None, CODE, [data, NONE, NONE], SendOptions::none()),
        ]
    });
    assert_eq!([read, write, internal, others], [4, 4, 4, 0].map(|bytes| done(STATUS_SUCCESS, bytes)));
}

#[test]
fn a_request_of_the_drivers_own_comes_back_unformatted_and_without_its_completion_routine() {
    let mut bench = verified();
    shouts(&mut bench);
    let (target, request) = (bench.target, bench.formatted());
    let sent =
        bench.run(|m| target.send_ioctl_synchronously(m, Some(request), BUFFERED, NONE, NONE, SendOptions::none()));
    assert_eq!((sent, bench.back()), (done(STATUS_SUCCESS, 0), vec![]));
    assert!(!bench.run(|m| request.send(m, target, SendOptions::none())), "it has to be formatted again");
    assert_eq!(bench.status(request), STATUS_REQUEST_NOT_ACCEPTED);
}

#[test]
fn a_request_on_the_calls_own_stack_is_gone_with_it() {
    let mut bench = bench();
    let target = bench.target;
    fn below(m: &mut Machine, _: vbus::wdm::DeviceObject, irp: vbus::wdm::Irp) -> NtStatus {
        note(m, &format!("{:#x}", irp.address()));
        irp.complete_with(m, STATUS_SUCCESS, 0)
    }
    bench.lower_is(Lower::Does(below));
    bench.run(|m| {
        for _ in 0..2 {
            target.send_read_synchronously(m, None, NONE, 0, SendOptions::none());
        }
    });
    let notes = &bench.world().notes;
    assert_eq!(notes[0], notes[1], "the IRP of the first was freed, and its place used again");
    approve!("synchronous_read", bench.log(&[]).join("\n"));
}

#[test]
fn a_time_out_cancels_the_request_and_the_call_still_waits_for_it() {
    let mut bench = bench();
    bench.lower_is(Lower::Holds);
    let (target, before) = (bench.target, bench.machine.now());
    let options = SendOptions::none().with_timeout(Ticks::from_millis(100));
    let sent = bench.run(|m| target.send_read_synchronously(m, None, NONE, 0, options));
    assert_eq!(sent.status, STATUS_IO_TIMEOUT);
    assert_eq!(bench.machine.now(), Ticks(before.0 + Ticks::from_millis(100).0));
    // Deaf to the cancel, the driver below has the call wait on.
    bench.lower_is(Lower::HoldsDeaf);
    bench.machine.extension_mut::<World>().when_blocked = Some(|m| complete_held(m, STATUS_SUCCESS, 1));
    let sent = bench.run(|m| target.send_read_synchronously(m, None, NONE, 0, options));
    assert_eq!(sent, done(STATUS_SUCCESS, 1), "what came back late came back as it was");
}

#[test]
fn a_deadline_counts_from_the_clock_and_not_from_the_send() {
    let mut bench = bench();
    bench.lower_is(Lower::Holds);
    bench.machine.advance(Ticks::from_millis(50)).unwrap();
    let (target, before) = (bench.target, bench.machine.now());
    for (deadline, ends) in [(before.0 + 300, before.0 + 300), (1, before.0 + 300)] {
        let options = SendOptions::none().with_deadline(Ticks(deadline));
        let sent = bench.run(|m| target.send_read_synchronously(m, None, NONE, 0, options));
        assert_eq!((sent.status, bench.machine.now().0), (STATUS_IO_TIMEOUT, ends));
    }
}

#[test]
fn what_is_refused_before_it_is_sent_is_refused_in_one_line_more() {
    type Call = fn(&mut Machine, IoTarget, MemoryDescriptor, SendOptions) -> Synchronous;
    let calls: [(&str, Call); 4] = [
        ("ioctl, input", |m, target, data, options| {
            target.send_ioctl_synchronously(m, None, BUFFERED, data, NONE, options)
        }),
        ("internal ioctl, output", |m, target, data, options| {
            target.send_internal_ioctl_synchronously(m, None, BUFFERED, NONE, data, options)
        }),
        ("others, fourth", |m, target, data, options| {
            target.send_internal_ioctl_others_synchronously(m, None, CODE, [NONE, NONE, data], options)
        }),
        ("write", |m, target, data, options| target.send_write_synchronously(m, None, data, 0, options)),
    ];
    let wrong = SendOptions::none().with_flags(0x40);
    let mut table = String::new();
    for (what, call) in calls {
        let mut bench = bench();
        let (target, driver) = (bench.target, bench.driver);
        let memory = bench.run(|m| Memory::create(m, driver, 4, Attributes::none())).unwrap();
        let cases = [
            ("a NULL buffer", MemoryDescriptor::Buffer(Span::null(4)), SendOptions::none(), STATUS_INVALID_PARAMETER),
            ("a NULL MDL", MemoryDescriptor::Mdl(Span::null(4)), SendOptions::none(), STATUS_INVALID_PARAMETER),
            ("no memory", MemoryDescriptor::Handle(Data::None), SendOptions::none(), STATUS_INVALID_PARAMETER),
            (
                "offsets outside",
                MemoryDescriptor::Handle(Data::Part { memory, offset: 3, length: 2 }),
                SendOptions::none(),
                STATUS_INTEGER_OVERFLOW,
            ),
            ("options", NONE, wrong, STATUS_INVALID_PARAMETER),
        ];
        for (why, data, options, status) in cases {
            bench.forget_log();
            assert_eq!(bench.run(|m| call(m, target, data, options)), refused(status));
            table += &format!("{what}: {why}\n    {}\n", bench.log(&[]).join("\n    "));
        }
        bench.run(|m| target.close(m));
        bench.forget_log();
        assert_eq!(bench.run(|m| call(m, target, NONE, SendOptions::none())), refused(STATUS_INVALID_DEVICE_STATE));
        table += &format!("{what}: closed\n    {}\n", bench.log(&[]).join("\n    "));
    }
    approve!("refused_synchronous_sends", table);
}

#[test]
fn a_stopped_target_makes_the_call_wait_for_its_start_and_a_purged_one_fails_it() {
    let mut bench = bench();
    let target = bench.target;
    bench.run(|m| target.stop(m, SentIo::LeavePending));
    bench.machine.extension_mut::<World>().when_blocked = Some(|m| {
        let target = m.extension::<World>().target.unwrap();
        target.start(m).unwrap();
    });
    let read = |m: &mut Machine| target.send_read_synchronously(m, None, NONE, 0, SendOptions::none());
    assert_eq!(bench.run(read), done(STATUS_SUCCESS, 0));
    bench.run(|m| target.purge(m, true));
    assert_eq!(bench.run(read), done(STATUS_INVALID_DEVICE_STATE, 0));
    let ignoring = SendOptions::none().ignoring_target_state();
    let sent = bench.run(|m| target.send_read_synchronously(m, None, NONE, 0, ignoring));
    assert_eq!(sent, done(STATUS_SUCCESS, 0));
}

#[test]
fn above_passive_level_the_verifier_refuses_and_without_it_a_wait_is_undefined() {
    let mut verified = verified();
    let target = verified.target;
    verified.machine.set_irql(Irql::Dispatch);
    let read = |m: &mut Machine| target.send_read_synchronously(m, None, NONE, 0, SendOptions::none());
    assert_eq!(verified.run(read), refused(STATUS_INVALID_DEVICE_REQUEST));
    let mut bench = bench();
    let target = bench.target;
    let read = |m: &mut Machine| target.send_read_synchronously(m, None, NONE, 0, SendOptions::none());
    bench.machine.set_irql(Irql::Dispatch);
    assert_eq!(bench.run(read).status, STATUS_SUCCESS, "what is back at once is not waited for");
    bench.lower_is(Lower::Holds);
    assert!(matches!(bench.machine.run(read), Err(Stop::Undefined { ddi: "KeWaitForSingleObject", .. })));
}

#[test]
fn a_refused_call_leaves_a_completion_routine_behind_that_leads_nowhere() {
    let mut bench = bench();
    let (target, request) = (bench.target, bench.created());
    bench.run(|m| {
        target.purge(m, false);
        let sent = target.send_read_synchronously(m, Some(request), NONE, 0, SendOptions::none());
        assert_eq!(sent.status, STATUS_INVALID_DEVICE_STATE);
        target.start(m).unwrap();
        target.format_read(m, request, Data::None, 0).unwrap();
    });
    let rule = bench.broken_rule(|m| _ = request.send(m, target, SendOptions::none()));
    assert!(rule.contains("a context on a stack that is gone"), "{rule}");
}

#[test]
fn the_same_request_serves_one_call_after_the_other() {
    let mut bench = bench();
    shouts(&mut bench);
    let (target, request) = (bench.target, bench.created());
    for text in [&b"one"[..], b"three", b"2"] {
        let data = local(&mut bench, text);
        let sent = bench.run(|m| {
            let data = MemoryDescriptor::Buffer(data);
            target.send_ioctl_synchronously(m, Some(request), BUFFERED, data, data, SendOptions::none())
        });
        assert_eq!(sent, done(STATUS_SUCCESS, text.len() as u64));
        assert_eq!(bench.machine.bytes(data), text.to_ascii_uppercase());
    }
}

#[test]
fn a_synchronous_send_calls_the_completion_routine_which_may_send_synchronously_again() {
    fn again(m: &mut Machine, request: Request, target: IoTarget, params: &CompletionParams, context: Context) {
        note(m, &format!("{:?}, {} to go", params.io_status.status, context.0));
        if context.0 > 0 {
            target.format_read(m, request, Data::None, 0).unwrap();
            request.set_completion_routine(m, again, Context(context.0 - 1));
            assert!(request.send(m, target, SendOptions::synchronous()));
            note(m, "back");
        }
    }
    let mut bench = bench();
    let (target, request) = (bench.target, bench.formatted());
    assert!(bench.run(|m| {
        request.set_completion_routine(m, again, Context(2));
        request.send(m, target, SendOptions::synchronous())
    }));
    assert_eq!(
        bench.world().notes,
        ["STATUS_SUCCESS, 2 to go", "STATUS_SUCCESS, 1 to go", "STATUS_SUCCESS, 0 to go", "back", "back"]
    );
}

#[test]
fn a_refused_synchronous_send_leaves_the_drivers_own_routine_in_its_place() {
    let mut bench = bench();
    let (target, request) = (bench.target, bench.formatted());
    bench.run(|m| {
        target.purge(m, false);
        assert!(!request.send(m, target, SendOptions::synchronous()));
        target.start(m).unwrap();
        assert!(request.send(m, target, SendOptions::none()));
    });
    assert_eq!(bench.back(), [STATUS_SUCCESS]);
}
