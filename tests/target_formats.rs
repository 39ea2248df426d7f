//! What the format calls put into a request, what they leave beside it, and what they refuse.

mod common;

use common::bench::*;
use vbus::iotarget::{CompletionParams, Data, IoTarget, ReuseParams, SendOptions, SendRequest, SentIo, SentKind};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{
    BugCheck, Context, Control, IoType, IoctlCode, Machine, Major, NtStatus, Parameters, Span, StackLocation,
};

const BUFFERED: IoctlCode = IoctlCode(0x0022_2000);
const NEITHER: IoctlCode = IoctlCode(0x0022_2003);

fn memory(bench: &mut Bench, bytes: &[u8]) -> Memory {
    let driver = bench.driver;
    let length = u32::try_from(bytes.len()).unwrap();
    let memory = bench.run(|m| Memory::create(m, driver, length, Attributes::none())).unwrap();
    let span = span(bench, memory);
    bench.machine.bytes_mut(span).copy_from_slice(bytes);
    memory
}

fn span(bench: &mut Bench, memory: Memory) -> Span {
    bench.run(|m| memory.span(m)).unwrap()
}

type Format = fn(&mut Machine, IoTarget, Request, Data) -> Result<(), NtStatus>;

#[test]
fn data_that_ends_behind_its_memory_is_refused_by_every_call() {
    let calls: [(&str, Format); 7] = [
        ("input", |m, target, request, data| target.format_ioctl(m, request, BUFFERED, data, Data::None)),
        ("output", |m, target, request, data| target.format_internal_ioctl(m, request, BUFFERED, Data::None, data)),
        ("read", |m, target, request, data| target.format_read(m, request, data, 0)),
        ("write", |m, target, request, data| target.format_write(m, request, data, 0)),
        ("first argument", |m, target, request, data| {
            target.format_internal_ioctl_others(m, request, CODE, [data, Data::None, Data::None])
        }),
        ("second argument", |m, target, request, data| {
            target.format_internal_ioctl_others(m, request, CODE, [Data::None, data, Data::None])
        }),
        ("fourth argument", |m, target, request, data| {
            target.format_internal_ioctl_others(m, request, CODE, [Data::None, Data::None, data])
        }),
    ];
    let mut table = String::new();
    for (what, format) in calls {
        for (offset, length) in [(8, 9), (17, 0), (u32::MAX, u32::MAX)] {
            let mut bench = bench();
            let (target, memory, request) = (bench.target, memory(&mut bench, &[0; 16]), bench.created());
            bench.forget_log();
            let formatted = bench.run(|m| format(m, target, request, Data::Part { memory, offset, length }));
            assert_eq!(formatted, Err(STATUS_INTEGER_OVERFLOW));
            if offset == 8 {
                let names = [(request.object().handle(), "request"), (memory.handle(), "memory")];
                table += &format!("{what}\n    {}\n", bench.log(&names).join("\n    "));
            }
        }
    }
    approve!("data_behind_its_memory", table);
}

#[test]
fn data_may_end_where_its_memory_does_and_begin_there() {
    let mut bench = bench();
    let (target, memory, request) = (bench.target, memory(&mut bench, &[0; 16]), bench.created());
    for (offset, length, expected) in [(8, 8, 8), (8, 0, 8), (0, 0, 16), (16, 0, 0)] {
        bench.run(|m| target.format_write(m, request, Data::Part { memory, offset, length }, 0)).unwrap();
        let irp = bench.run(|m| request.irp(m)).unwrap();
        let Parameters::Transfer { length, .. } = bench.machine[irp].next().parameters else { panic!("a write") };
        assert_eq!(length, expected, "from {offset}");
    }
}

#[test]
fn null_is_no_memory() {
    let mut bench = bench();
    let (target, request) = (bench.target, bench.created());
    bench.run(|m| target.format_ioctl(m, request, BUFFERED, Data::Memory(Memory::null()), Data::None)).unwrap();
    let irp = bench.run(|m| request.irp(m)).unwrap();
    assert_eq!((bench.machine[irp].system_buffer, bench.machine[irp].user_buffer), (None, None));
}

#[test]
fn a_handle_that_is_no_memorys_is_a_bug_check() {
    let mut bench = bench();
    let (target, request, driver) = (bench.target, bench.created(), bench.driver);
    let object = bench.run(|m| create_object(m, driver, Attributes::none()).unwrap());
    let BugCheck { code, parameters, .. } =
        bench.bug_check(|m| _ = target.format_read(m, request, Data::Memory(Memory::Own(object)), 0));
    assert_eq!((code, parameters), (0x10D, [5, object.handle(), 0x100A, driver.globals_address()]));
}

#[test]
fn a_failed_format_throws_away_the_good_one_before_it() {
    let mut bench = verified();
    let (target, request) = (bench.target, bench.formatted());
    let memory = memory(&mut bench, &[1; 4]);
    bench.run(|m| target.format_write(m, request, Data::Memory(memory), 0)).unwrap();
    bench.run(|m| target.close(m));
    let lower = bench.lower;
    let again = bench.run(|m| target.format_write(m, request, Data::Memory(memory), 0));
    assert_eq!(again, Err(STATUS_INVALID_DEVICE_STATE));
    bench.run(|m| target.open_existing_device(m, lower)).unwrap();
    bench.forget_log();
    assert!(!bench.run(|m| request.send(m, target, SendOptions::none())));
    assert_eq!(
        bench.messages(&[(request.object().handle(), "request")]),
        ["WDFREQUEST <request> has not been formatted, cannot send, 0xc00000d0(STATUS_REQUEST_NOT_ACCEPTED)"]
    );
}

#[test]
fn a_target_that_is_closed_says_so_to_a_request_that_is_too_small_for_it_as_well() {
    let mut bench = Setup { stack: 9, ..Setup::default() }.open();
    let (target, request) = (bench.target, bench.dispatched(BUFFERED, b"", 0));
    let format = |m: &mut Machine| target.format_ioctl(m, request, BUFFERED, Data::None, Data::None);
    assert_eq!(bench.run(format), Err(STATUS_REQUEST_NOT_ACCEPTED));
    bench.run(|m| target.close(m));
    assert_eq!(bench.run(format), Err(STATUS_INVALID_DEVICE_STATE));
}

#[test]
fn a_format_that_is_refused_for_its_offsets_leaves_the_one_before_it_alone() {
    let mut bench = verified();
    let (target, request, memory) = (bench.target, bench.formatted(), memory(&mut bench, &[1; 4]));
    let refused = bench.run(|m| target.format_write(m, request, Data::Part { memory, offset: 5, length: 0 }, 0));
    assert_eq!(refused, Err(STATUS_INTEGER_OVERFLOW));
    assert!(bench.run(|m| request.send(m, target, SendOptions::none())));
}

#[test]
fn the_system_buffer_of_one_formatting_serves_the_next_one_that_is_no_longer() {
    let mut bench = bench();
    let (target, request) = (bench.target, bench.created());
    let long = memory(&mut bench, b"a long text");
    let short = memory(&mut bench, b"short");
    let longer = memory(&mut bench, b"a text that is longer");
    let mut buffer = |memory| {
        bench.run(|m| {
            target.format_ioctl(m, request, BUFFERED, Data::Memory(memory), Data::None).unwrap();
            request.send(m, target, SendOptions::synchronous());
            request.reuse(m, ReuseParams::default()).unwrap();
            target.format_ioctl(m, request, BUFFERED, Data::Memory(memory), Data::None).unwrap();
            let irp = request.irp(m).unwrap();
            let span = m[irp].system_buffer.unwrap();
            (span.address(), m.bytes(span).to_vec())
        })
    };
    let (first, text) = buffer(long);
    assert_eq!(text, b"a long text");
    assert_eq!(buffer(short), (first, b"short".to_vec()));
    let (third, text) = buffer(longer);
    assert_eq!((third == first, &text[..]), (false, &b"a text that is longer"[..]));
}

#[test]
fn what_a_request_wanted_back_that_was_never_sent_is_copied_over_the_output_of_the_next() {
    let mut bench = bench();
    bench.lower_is(Lower::Does(|m, _, irp| {
        let output = m[irp].user_buffer.unwrap();
        m.bytes_mut(output).fill(0x5A);
        irp.complete_with(m, STATUS_SUCCESS, 4)
    }));
    let (target, request) = (bench.target, bench.created());
    let (input, output) = (memory(&mut bench, b"lost"), memory(&mut bench, &[0; 4]));
    bench.run(|m| {
        target.purge(m, false);
        target.format_ioctl(m, request, BUFFERED, Data::Memory(input), Data::Memory(output)).unwrap();
        assert!(!request.send(m, target, SendOptions::none()));
        target.start(m).unwrap();
        target.format_ioctl(m, request, NEITHER, Data::None, Data::Memory(output)).unwrap();
        assert!(request.send(m, target, SendOptions::none()));
    });
    let span = span(&mut bench, output);
    assert_eq!(bench.machine.bytes(span), b"lost", "the framework's own copy came last");
}

#[test]
fn what_was_copied_back_once_is_not_copied_again() {
    let mut bench = bench();
    bench.lower_is(Lower::Does(|m, _, irp| {
        let buffer = m[irp].system_buffer.or(m[irp].user_buffer).unwrap();
        m.bytes_mut(buffer).fill(0x5A);
        irp.complete_with(m, STATUS_SUCCESS, 4)
    }));
    let (target, request, output) = (bench.target, bench.created(), memory(&mut bench, &[0; 4]));
    let span = span(&mut bench, output);
    for code in [BUFFERED, NEITHER] {
        bench.machine.bytes_mut(span).fill(0);
        bench.run(|m| {
            target.format_ioctl(m, request, code, Data::None, Data::Memory(output)).unwrap();
            assert!(request.send(m, target, SendOptions::none()));
            m.bytes_mut(span)[0] = 1;
            let params = request.completion_params(m);
            assert_eq!(params.output_length, 4);
        });
        assert_eq!(bench.machine.bytes(span), [1, 0x5A, 0x5A, 0x5A]);
    }
    // The buffer of the first is still there; were it copied again, it would bring its first byte.
    bench.lower_is(Lower::Completes(STATUS_SUCCESS, 4));
    bench.machine.bytes_mut(span).fill(2);
    bench.run(|m| {
        target.format_ioctl(m, request, NEITHER, Data::None, Data::Memory(output)).unwrap();
        assert!(request.send(m, target, SendOptions::none()));
    });
    assert_eq!(bench.machine.bytes(span), [2; 4]);
}

#[test]
fn a_buffered_request_brings_back_as_many_bytes_as_it_is_told_even_when_it_failed() {
    let mut bench = bench();
    bench.lower_is(Lower::Does(|m, _, irp| {
        let buffer = m[irp].system_buffer.unwrap();
        m.bytes_mut(buffer).copy_from_slice(b"answer");
        irp.complete_with(m, STATUS_UNSUCCESSFUL, 3)
    }));
    let (target, request, output) = (bench.target, bench.created(), memory(&mut bench, &[0; 6]));
    bench.run(|m| {
        target.format_ioctl(m, request, BUFFERED, Data::None, Data::Memory(output)).unwrap();
        request.send(m, target, SendOptions::none());
    });
    let span = span(&mut bench, output);
    assert_eq!(bench.machine.bytes(span), b"ans\0\0\0");
}

#[test]
fn more_information_than_the_output_has_room_for_is_copied_all_the_same() {
    let mut bench = bench();
    bench.lower_is(Lower::Completes(STATUS_SUCCESS, 7));
    let (target, request, output) = (bench.target, bench.created(), memory(&mut bench, &[0; 6]));
    let rule = bench.broken_rule(|m| {
        target.format_ioctl(m, request, BUFFERED, Data::None, Data::Memory(output)).unwrap();
        request.send(m, target, SendOptions::none());
    });
    assert!(rule.contains("copies that many bytes without another look"), "{rule}");
}

#[test]
fn a_formatted_request_keeps_the_memory_it_uses_alive_until_it_is_formatted_no_longer() {
    let mut bench = bench();
    let (driver, target, request) = (bench.driver, bench.target, bench.created());
    let attributes = Attributes::none().context(()).on_destroy(|m, _| note(m, "the memory is gone"));
    let memory = bench.run(|m| Memory::create(m, driver, 4, attributes)).unwrap();
    let Memory::Own(object) = memory else { panic!("an object of its own") };
    bench.run(|m| {
        target.format_write(m, request, Data::Memory(memory), 0).unwrap();
        object.delete(m);
        note(m, "deleted");
        request.send(m, target, SendOptions::none());
        note(m, "completed");
        request.reuse(m, ReuseParams::default()).unwrap();
    });
    assert_eq!(bench.world().notes, ["deleted", "completed", "the memory is gone"]);
}

#[test]
fn reads_and_writes_go_by_the_devices_own_flags() {
    for (io_type, expected) in
        [(IoType::Buffered, [1, 0, 0]), (IoType::Direct, [0, 1, 0]), (IoType::Neither, [0, 0, 1])]
    {
        let mut bench = Setup::default().closed();
        let lower = bench.lower;
        bench.machine[lower].io_type = io_type;
        let target = bench.target;
        bench.run(|m| target.open_existing_device(m, lower)).unwrap();
        let (request, memory) = (bench.created(), memory(&mut bench, b"data"));
        bench.run(|m| target.format_write(m, request, Data::Memory(memory), 0x1_0000_0000)).unwrap();
        let irp = bench.run(|m| request.irp(m)).unwrap();
        let data = &bench.machine[irp];
        let places = [data.system_buffer, data.mdl, data.user_buffer].map(|place| i32::from(place.is_some()));
        assert_eq!(places, expected, "{io_type:?}");
        assert_eq!(data.next().parameters, Parameters::Transfer { length: 4, offset: 0x1_0000_0000 });
    }
}

#[test]
fn what_a_format_call_did_to_the_irp_is_undone_by_the_next_one_and_by_reuse() {
    let mut bench = bench();
    let (target, request, memory) = (bench.target, bench.created(), memory(&mut bench, b"data"));
    bench.run(|m| target.format_ioctl(m, request, BUFFERED, Data::Memory(memory), Data::None)).unwrap();
    let irp = bench.run(|m| request.irp(m)).unwrap();
    assert!(bench.machine[irp].system_buffer.is_some());
    bench.run(|m| target.format_ioctl(m, request, NEITHER, Data::None, Data::Memory(memory))).unwrap();
    assert_eq!((bench.machine[irp].system_buffer, bench.machine[irp].user_buffer.is_some()), (None, true));
    bench.run(|m| request.reuse(m, ReuseParams::default())).unwrap();
    assert_eq!(bench.machine[irp].user_buffer, None);
}

#[test]
fn a_dispatched_request_brings_its_flags_and_its_file_along() {
    let mut bench = bench();
    let request = bench.dispatched(BUFFERED, b"input", 8);
    let (target, irp) = (bench.target, bench.run(|m| request.irp(m)).unwrap());
    let local = {
        let device = bench.device;
        bench.run(|m| IoTarget::default_of(m, device)).unwrap()
    };
    bench.machine[irp].current_mut().flags = 0x05;
    let file = bench.machine[irp].current().file;
    assert!(file.is_some());
    bench.run(|m| local.format_internal_ioctl(m, request, NEITHER, Data::Request, Data::Request)).unwrap();
    assert_eq!((bench.machine[irp].next().flags, bench.machine[irp].next().file), (0x05, file));
    // A remote target has a file of its own, or none.
    bench.run(|m| target.format_internal_ioctl(m, request, NEITHER, Data::Request, Data::Request)).unwrap();
    assert_eq!((bench.machine[irp].next().flags, bench.machine[irp].next().file), (0x05, None));
}

#[test]
fn a_requests_own_memories_stay_where_its_data_was_when_it_came() {
    let mut bench = bench();
    let request = bench.dispatched(BUFFERED, b"from the program", 8);
    let (target, irp) = (bench.target, bench.run(|m| request.irp(m)).unwrap());
    bench.run(|m| target.format_ioctl(m, request, BUFFERED, Data::RequestFrom(5), Data::Request)).unwrap();
    let system_buffer = bench.machine[irp].system_buffer.unwrap();
    assert_eq!(bench.machine.bytes(system_buffer), b"the program", "a copy, from the offset on");
    let own = bench.run(|m| request.input_buffer(m, 0)).unwrap();
    assert_eq!(bench.machine.bytes(own), b"from the program");
}

#[test]
fn three_arguments_of_its_own_reach_the_driver_below_and_the_completion_routine() {
    let mut bench = bench();
    bench.lower_is(Lower::Does(|m, _, irp| {
        let location = *m[irp].current();
        let Parameters::Others { argument1, argument2, code, argument4 } = location.parameters else {
            panic!("{location:?}")
        };
        let text =
            |m: &mut Machine, span: Option<Span>| span.map(|span| String::from_utf8_lossy(m.bytes(span)).into_owned());
        let seen = [text(m, argument1), text(m, argument2), text(m, argument4)];
        note(m, &format!("{} {code:?} {seen:?}", location.major.name()));
        irp.complete_with(m, STATUS_SUCCESS, 3)
    }));
    let (target, request) = (bench.target, bench.created());
    let (first, fourth) = (memory(&mut bench, b"first"), memory(&mut bench, b"the fourth"));
    bench.run(|m| {
        let arguments = [Data::Memory(first), Data::None, Data::Part { memory: fourth, offset: 4, length: 0 }];
        target.format_internal_ioctl_others(m, request, CODE, arguments).unwrap();
        request.set_completion_routine(m, came_back, Context(0));
        assert!(request.send(m, target, SendOptions::none()));
    });
    assert_eq!(
        bench.world().notes,
        [format!("IRP_MJ_INTERNAL_DEVICE_CONTROL {CODE:?} [Some(\"first\"), None, Some(\"fourth\")]")]
    );
    let CompletionParams { kind, others, output_length, .. } = bench.world().back[0];
    assert_eq!((kind, others, output_length), (SentKind::Other, [Some(first), None, Some(fourth)], 0));
}

#[test]
fn the_completion_routine_hears_what_the_request_was_formatted_with() {
    let mut bench = bench();
    bench.lower_is(Lower::Completes(STATUS_SUCCESS, 2));
    let (target, request, memory) = (bench.target, bench.created(), memory(&mut bench, &[0; 8]));
    let part = Data::Part { memory, offset: 3, length: 4 };
    let mut heard = |kind: SentKind| {
        bench.run(|m| {
            match kind {
                SentKind::Read => target.format_read(m, request, part, 0),
                SentKind::Write => target.format_write(m, request, part, 0),
                SentKind::Ioctl(code) => target.format_ioctl(m, request, code, part, Data::None),
                _ => target.format_internal_ioctl(m, request, CODE, Data::None, part),
            }
            .unwrap();
            request.set_completion_routine(m, came_back, Context(0));
            request.send(m, target, SendOptions::none());
            let params = request.completion_params(m);
            request.reuse(m, ReuseParams::default()).unwrap();
            assert_eq!(request.completion_params(m).kind, SentKind::NoFormat, "reuse forgets it");
            (
                params.kind,
                params.input.map(|_| params.input_offset),
                params.output.map(|_| params.output_offset),
                params.output_length,
            )
        })
    };
    assert_eq!(heard(SentKind::Read), (SentKind::Read, None, Some(3), 2));
    assert_eq!(heard(SentKind::Write), (SentKind::Write, Some(3), None, 2));
    assert_eq!(heard(SentKind::Ioctl(NEITHER)), (SentKind::Ioctl(NEITHER), Some(3), None, 2));
    assert_eq!(heard(SentKind::InternalIoctl(CODE)), (SentKind::InternalIoctl(CODE), None, Some(3), 2));
    assert_eq!(bench.world().back.len(), 4);
}

#[test]
fn nobody_is_told_what_was_sent_without_a_targets_format_call() {
    let mut bench = verified();
    let request = bench.created();
    bench.run(|m| request.format_using_current_type(m));
    bench.forget_log();
    assert_eq!(bench.run(|m| request.completion_params(m)), CompletionParams::default());
    assert_eq!(bench.breaks(), 1);
    assert_eq!(
        bench.messages(&[]),
        [
            "WdfRequestGetCompletionParams will not return valid information if the request is not formatted using WdfIoTargetFormatxxx DDIs"
        ]
    );
}

#[test]
fn a_stack_location_of_the_drivers_own_goes_into_the_next_one_but_for_its_completion_routine() {
    let mut bench = verified();
    let (target, request) = (bench.target, bench.created());
    let location = StackLocation {
        major: Major::Power,
        minor: 2,
        flags: 4,
        control: Control::PENDING_RETURNED,
        context: Context(99),
        ..StackLocation::default()
    };
    bench.run(|m| request.format_using_stack_location(m, location));
    let irp = bench.run(|m| request.irp(m)).unwrap();
    let next = *bench.machine[irp].next();
    assert_eq!((next.major, next.minor, next.flags), (Major::Power, 2, 4));
    assert_eq!((next.control, next.context), (Control::default(), Context(0)));
    assert!(bench.run(|m| request.send(m, target, SendOptions::none())));
    assert_eq!(bench.world().arrived, [Major::Power]);
}

#[test]
fn the_current_type_goes_on_whatever_the_targets_stack_size_is_and_only_the_verifier_minds() {
    for verifier in [false, true] {
        let mut bench = Setup { verifier, stack: 9, ..Setup::default() }.open();
        let (target, request) = (bench.target, bench.dispatched(BUFFERED, b"", 0));
        let sent = bench.run(|m| {
            request.format_using_current_type(m);
            request.set_completion_routine(m, came_back, Context(0));
            request.send(m, target, SendOptions::none())
        });
        assert_eq!((sent, bench.world().arrived.len()), (!verifier, usize::from(!verifier)));
    }
}

#[test]
fn changing_the_target_gets_a_bigger_irp_if_the_request_may_have_one() {
    let mut bench = bench();
    let (driver, device, target) = (bench.driver, bench.device, bench.target);
    let request = bench.run(|m| Request::create(m, driver, Attributes::none()).unwrap());
    bench.run(|m| request.change_target(m, target)).unwrap();
    let small = bench.run(|m| request.irp(m)).unwrap();
    assert_eq!(bench.machine[small].stack_count(), 1);
    let plain = bench.machine.create_driver("deep");
    let deep = bench.machine.create_device(plain);
    bench.machine[deep].stack_size = 5;
    let other = bench.run(|m| IoTarget::create(m, device, Attributes::none())).unwrap();
    bench.run(|m| other.open_existing_device(m, deep)).unwrap();
    bench.run(|m| request.change_target(m, other)).unwrap();
    let big = bench.run(|m| request.irp(m)).unwrap();
    assert_eq!((bench.machine[big].stack_count(), small.exists(&bench.machine)), (5, false));
    bench.run(|m| other.stop(m, SentIo::LeavePending));
    let dispatched = bench.dispatched(BUFFERED, b"", 0);
    let irp = bench.run(|m| dispatched.irp(m)).unwrap();
    while bench.machine[irp].current_location() > 5 {
        bench.machine[irp].set_next_location();
    }
    assert_eq!(bench.run(|m| dispatched.change_target(m, other)), Err(STATUS_REQUEST_NOT_ACCEPTED));
}
