//! IRPs that drivers build for drivers below, and the threads that wait for them.

use vbus::wdm::constants::*;
use vbus::wdm::{
    Access, Context, Control, ControlRequest, DeviceObject, Event, IoStatus, IoStatusBlock, IoType, IoctlCode, Irp,
    Irql, LoggedError, Machine, Major, Method, NtStatus, OpenOptions, Parameters, Span, Step, Stop, Thread, Ticks,
    TransferRequest, VerifierOptions,
};

/// What the lower device does with what it gets.
#[derive(Clone, Copy)]
enum Lower {
    Completes(NtStatus, u64),
    Holds,
    /// Never looks at the cancel flag.
    HoldsDeaf,
}

struct World {
    lower: Lower,
    held: Vec<Irp>,
    notes: Vec<String>,
}

fn note(m: &mut Machine, what: impl Into<String>) {
    m.extension_mut::<World>().notes.push(what.into());
}

/// A machine with one device, which fills the output with 0xEE.
fn machine(lower: Lower) -> (Machine, DeviceObject) {
    let mut m = Machine::new();
    m.add_extension(World { lower, held: Vec::new(), notes: Vec::new() });
    let driver = m.create_driver("lower");
    driver.set_all_majors(&mut m, arrive);
    for major in [Major::Create, Major::Cleanup, Major::Close] {
        driver.set_major(&mut m, major, |m, _, irp| irp.complete_with(m, STATUS_SUCCESS, 0));
    }
    let device = m.create_device(driver);
    m[device].stack_size = 2;
    m[device].initializing = false;
    m.create_symbolic_link("\\??\\LOWER", device).unwrap();
    (m, device)
}

fn arrive(m: &mut Machine, _: DeviceObject, irp: Irp) -> NtStatus {
    let code = match m[irp].current().parameters {
        Parameters::DeviceIoControl { code, .. } => code,
        _ => IoctlCode(0),
    };
    let (system, mdl, user) = (m[irp].system_buffer, m[irp].mdl, m[irp].user_buffer);
    let output = if code.method() == Method::Buffered { system.or(mdl).or(user) } else { mdl.or(user) };
    if let Some(output) = output {
        m.bytes_mut(output).fill(0xEE);
    }
    match m.extension::<World>().lower {
        Lower::Completes(status, information) => irp.complete_with(m, status, information),
        lower => {
            irp.mark_pending(m);
            if matches!(lower, Lower::Holds) {
                irp.set_cancel_routine(m, Some(cancelled));
            }
            m.extension_mut::<World>().held.push(irp);
            STATUS_PENDING
        }
    }
}

fn cancelled(m: &mut Machine, _: Option<DeviceObject>, irp: Irp) {
    let level = m.irql();
    irp.release_cancel_spin_lock(m);
    let which = m.extension::<World>().held.iter().position(|&held| held == irp).unwrap();
    note(m, format!("request {which} cancelled, lock at {level:?}, then {:?}", m.irql()));
    irp.complete_with(m, STATUS_CANCELLED, 0);
}

fn code(method: Method) -> IoctlCode {
    IoctlCode::new(0x8000, 0x801, method, Access::ANY)
}

/// What a driver that asks and waits sees: what IoCallDriver returned, the event, the status block, and its output buffer.
fn asks(m: &mut Machine, device: DeviceObject, method: Method) -> (NtStatus, bool, Option<IoStatus>, Vec<u8>) {
    let (input, output) = (m.allocate_block(&[1, 2], 2), m.allocate_block(&[0x11; 4], 4));
    let (event, block) = (m.create_event(), m.create_status_block());
    let request = ControlRequest { code: code(method), internal: true, input: Some(input), output: Some(output) };
    let irp = m.build_device_io_control_request(device, request, Some(event), block).unwrap();
    let returned = irp.call_driver(m, device);
    if returned == STATUS_PENDING {
        event.wait(m, "the lower driver");
    }
    m.run_ready();
    assert!(!irp.exists(m), "the I/O manager frees it");
    let seen = (returned, event.is_signalled(m), block.read(m), m.bytes(output).to_vec());
    event.delete(m);
    block.delete(m);
    seen
}

fn complete_held_soon(m: &mut Machine, status: NtStatus, information: u64) {
    m.extension_mut::<World>().lower = Lower::Holds;
    m.add_extension(IoStatus { status, information });
    m.set_timer(
        Ticks::from_millis(1),
        |m, _| {
            let irp = m.extension_mut::<World>().held.remove(0);
            let IoStatus { status, information } = *m.extension::<IoStatus>();
            irp.set_cancel_routine(m, None);
            irp.complete_with(m, status, information);
        },
        Context(0),
    );
}

#[test]
fn a_built_control_request_brings_status_event_and_output_to_the_thread_that_waits() {
    for method in [Method::Buffered, Method::OutDirect, Method::Neither] {
        for pends in [false, true] {
            let (mut m, device) = machine(Lower::Completes(STATUS_SUCCESS, 3));
            let (returned, signalled, block, output) = m
                .run(|m| {
                    if pends {
                        complete_held_soon(m, STATUS_SUCCESS, 3);
                    }
                    asks(m, device, method)
                })
                .unwrap();
            assert_eq!(returned, if pends { STATUS_PENDING } else { STATUS_SUCCESS });
            assert_eq!((signalled, block), (true, Some(IoStatus { status: STATUS_SUCCESS, information: 3 })));
            let expected: &[u8] = if method == Method::Buffered { &[0xEE, 0xEE, 0xEE, 0x11] } else { &[0xEE; 4] };
            assert_eq!(output, expected, "{method:?}");
        }
    }
}

#[test]
fn an_error_that_did_not_pend_writes_no_status_block_and_signals_no_event() {
    let (mut m, device) = machine(Lower::Completes(STATUS_UNSUCCESSFUL, 3));
    let seen = m.run(|m| asks(m, device, Method::Buffered)).unwrap();
    assert_eq!(seen, (STATUS_UNSUCCESSFUL, false, None, vec![0x11; 4]));
    let seen = m
        .run(|m| {
            complete_held_soon(m, STATUS_UNSUCCESSFUL, 3);
            asks(m, device, Method::Buffered)
        })
        .unwrap();
    let block = Some(IoStatus { status: STATUS_UNSUCCESSFUL, information: 3 });
    assert_eq!(seen, (STATUS_PENDING, true, block, vec![0x11; 4]), "one that pended does both, and copies nothing");
}

#[test]
fn a_driver_that_waits_for_an_error_that_did_not_pend_waits_for_ever() {
    let (mut m, device) = machine(Lower::Completes(STATUS_UNSUCCESSFUL, 0));
    let stop = m.run(|m| {
        let (event, block) = (m.create_event(), m.create_status_block());
        let irp = m.build_device_io_control_request(device, ControlRequest::default(), Some(event), block).unwrap();
        irp.call_driver(m, device);
        event.wait(m, "an answer that came long ago");
    });
    assert_eq!(stop, Err(Stop::Hang { waiting_for: "an answer that came long ago" }));
}

#[test]
fn a_thread_at_apc_level_waits_in_vain_for_a_request_of_its_own() {
    let (mut m, device) = machine(Lower::Completes(STATUS_SUCCESS, 0));
    let stop = m.run(|m| {
        let (event, block) = (m.create_event(), m.create_status_block());
        let irp = m.build_device_io_control_request(device, ControlRequest::default(), Some(event), block).unwrap();
        m.set_irql(Irql::Apc);
        irp.call_driver(m, device);
        event.wait(m, "the APC that the level keeps out");
    });
    assert_eq!(stop, Err(Stop::Hang { waiting_for: "the APC that the level keeps out" }));
}

#[test]
fn a_built_irp_has_the_devices_locations_and_its_buffers_by_method() {
    let (mut m, device) = machine(Lower::Completes(STATUS_SUCCESS, 0));
    m.run(|m| {
        let (input, output) = (m.allocate_block(&[1, 2], 2), m.allocate_block(&[0; 5], 5));
        let block = m.create_status_block();
        for (method, system, mdl, user, type3, flags) in [
            (Method::Buffered, Some(5), false, true, false, 0x70),
            (Method::InDirect, Some(2), true, false, false, 0x30),
            (Method::OutDirect, Some(2), true, false, false, 0x30),
            (Method::Neither, None, false, true, true, 0),
        ] {
            let request =
                ControlRequest { code: code(method), internal: false, input: Some(input), output: Some(output) };
            let irp = m.build_device_io_control_request(device, request, None, block).unwrap();
            let data = &m[irp];
            assert_eq!((data.stack_count(), data.current_location()), (2, 3));
            assert_eq!((data.system_buffer.map(Span::len), data.flags), (system, flags), "{method:?}");
            assert_eq!((data.mdl.is_some(), data.user_buffer.is_some()), (mdl, user), "{method:?}");
            let Parameters::DeviceIoControl { type3_input, .. } = data.next().parameters else { panic!() };
            assert_eq!((type3_input.is_some(), data.next().major), (type3, Major::DeviceControl));
        }
    })
    .unwrap();
}

#[test]
fn a_transfer_follows_the_flags_of_the_device_that_it_is_built_for() {
    let (mut m, device) = machine(Lower::Completes(STATUS_SUCCESS, 0));
    m.run(|m| {
        let buffer = m.allocate_block(&[7; 4], 4);
        for (io_type, major, system, mdl, user, flags) in [
            (IoType::Buffered, Major::Write, Some(7), false, false, 0x30),
            (IoType::Buffered, Major::Read, Some(0), false, true, 0x70),
            (IoType::Direct, Major::Read, None, true, false, 0),
            (IoType::Neither, Major::Write, None, false, true, 0),
        ] {
            m[device].io_type = io_type;
            let request = TransferRequest { major, buffer: Some(buffer), offset: 512 };
            let irp = m.build_asynchronous_fsd_request(device, request).unwrap();
            let first = m[irp].system_buffer.map(|span| m.bytes(span)[0]);
            let data = &m[irp];
            assert_eq!((first, data.flags), (system, flags), "{io_type:?} {major:?}");
            assert_eq!((data.mdl.is_some(), data.user_buffer.is_some()), (mdl, user));
            assert_eq!(data.next().parameters, Parameters::Transfer { length: 4, offset: 512 });
        }
        let flush = TransferRequest { major: Major::FlushBuffers, ..TransferRequest::default() };
        let irp = m.build_asynchronous_fsd_request(device, flush).unwrap();
        assert_eq!((m[irp].next().major, m[irp].next().parameters), (Major::FlushBuffers, Parameters::None));
    })
    .unwrap();
}

#[test]
fn only_what_is_built_for_a_thread_is_in_its_list() {
    let (mut m, device) = machine(Lower::Holds);
    m.run(|m| {
        let block = m.create_status_block();
        let read = TransferRequest { major: Major::Read, ..TransferRequest::default() };
        let first = m.build_synchronous_fsd_request(device, read, None, block).unwrap();
        let second = m.build_device_io_control_request(device, ControlRequest::default(), None, block).unwrap();
        m.build_asynchronous_fsd_request(device, read).unwrap();
        let thread = m.thread();
        assert_eq!(thread.irps(m), [second, first], "the newest first");
        first.call_driver(m, device);
        let held = m.extension::<World>().held[0];
        held.set_cancel_routine(m, None);
        held.complete_with(m, STATUS_SUCCESS, 0);
        m.run_ready();
        assert_eq!(thread.irps(m), [second]);
    })
    .unwrap();
}

fn builds_two(m: &mut Machine, device: DeviceObject) -> [(Event, IoStatusBlock); 2] {
    [(); 2].map(|()| {
        let (event, block) = (m.create_event(), m.create_status_block());
        let irp = m.build_device_io_control_request(device, ControlRequest::default(), Some(event), block).unwrap();
        irp.call_driver(m, device);
        (event, block)
    })
}

#[test]
fn an_exiting_thread_cancels_what_is_in_its_list_the_newest_first() {
    let (mut m, device) = machine(Lower::Holds);
    let (thread, other) = (m.create_thread(), m.create_thread());
    let waiting = thread.run(&mut m, |m| builds_two(m, device)).unwrap();
    other.run(&mut m, |m| builds_two(m, device)).unwrap();
    thread.exit(&mut m).unwrap();
    let lines = [1, 0].map(|which| format!("request {which} cancelled, lock at Dispatch, then Passive"));
    assert_eq!(m.extension::<World>().notes, lines);
    assert_eq!((thread.irps(&m).len(), other.irps(&m).len()), (0, 2));
    for (event, block) in waiting {
        assert_eq!(block.read(&m).map(|block| block.status), Some(STATUS_CANCELLED));
        assert!(event.is_signalled(&m));
    }
}

#[test]
fn a_thread_gives_up_after_five_minutes_and_the_owner_of_the_irp_is_in_the_error_log() {
    let (mut m, device) = machine(Lower::HoldsDeaf);
    let thread = m.create_thread();
    let [(event, block), _] = thread.run(&mut m, |m| builds_two(m, device)).unwrap();
    thread.exit(&mut m).unwrap();
    assert_eq!(m.now(), Ticks::from_millis(300_000));
    let logged = LoggedError { device: Some(device), code: LoggedError::DRIVER_CANCEL_TIMEOUT };
    assert_eq!(m.error_log(), [logged, logged]);
    assert_eq!(thread.irps(&m), []);
    // What comes back then is freed, and told to nobody.
    let held = m.extension::<World>().held[0];
    m.run(|m| held.complete_with(m, STATUS_SUCCESS, 0)).unwrap();
    assert_eq!((held.exists(&m), event.is_signalled(&m), block.read(&m)), (false, false, None));
}

#[test]
fn driver_verifier_does_not_let_a_cancelled_irp_take_that_long() {
    let (mut m, device) = machine(Lower::HoldsDeaf);
    m.verify_drivers(VerifierOptions::default());
    let thread = m.create_thread();
    thread.run(&mut m, |m| builds_two(m, device)).unwrap();
    let Err(Stop::BugCheck(check)) = thread.exit(&mut m) else { panic!("a bug check") };
    let irp = m.extension::<World>().held[1];
    assert_eq!((check.code, check.parameters), (0xC4, [0x135, irp.address(), 300_000, 0]));
}

#[test]
fn a_programs_requests_are_cancelled_with_its_thread_as_well() {
    let (mut m, _) = machine(Lower::Holds);
    let thread = m.create_thread();
    let request = thread
        .run(&mut m, |m| {
            let file = m.create_file("\\\\.\\LOWER", OpenOptions::OVERLAPPED).unwrap().unwrap();
            m.start_io_control(file, code(Method::Buffered), &[], &[]).unwrap().unwrap()
        })
        .unwrap();
    assert_eq!(thread.irps(&m).len(), 1);
    thread.exit(&mut m).unwrap();
    assert_eq!(m.overlapped_result(request, &mut []).map(|result| result.status), Some(STATUS_CANCELLED));
}

#[test]
fn what_a_program_left_with_a_deaf_driver_is_freed_when_it_comes_back() {
    let (mut m, _) = machine(Lower::HoldsDeaf);
    let thread = m.create_thread();
    let (file, request) = thread
        .run(&mut m, |m| {
            let file = m.create_file("\\\\.\\LOWER", OpenOptions::OVERLAPPED).unwrap().unwrap();
            (file, m.start_io_control(file, code(Method::Buffered), &[1], &[0; 4]).unwrap().unwrap())
        })
        .unwrap();
    thread.exit(&mut m).unwrap();
    m.close_handle(file).unwrap();
    m.watch_irps();
    let held = m.extension::<World>().held[0];
    m.run(|m| held.complete_with(m, STATUS_SUCCESS, 4)).unwrap();
    assert_eq!((m.overlapped_result(request, &mut [0; 4]), m.next_completion()), (None, None));
    // The last reference of the file was the request's: its close comes now.
    let majors = m.take_observations().into_iter().filter_map(|seen| match seen.step {
        Step::Call { major, .. } => Some(major),
        _ => None,
    });
    assert_eq!(majors.collect::<Vec<_>>(), [Major::Close]);
}

/// A highest driver that splits what it gets in three.
fn splits(m: &mut Machine, device: DeviceObject, master: Irp) -> NtStatus {
    master.mark_pending(m);
    m[master].irp_count = 3;
    m[master].io_status = IoStatus { status: STATUS_SUCCESS, information: 12 };
    let lower = device.lower_device(m).unwrap();
    for _ in 0..3 {
        let part = m.make_associated_irp(master, m[lower].stack_size).unwrap();
        m[part].next_mut().major = Major::Read;
        part.call_driver(m, lower);
    }
    STATUS_PENDING
}

fn splitting(lower: Lower) -> (Machine, DeviceObject) {
    let (mut m, lower) = machine(lower);
    let driver = m.create_driver("highest");
    driver.set_all_majors(&mut m, splits);
    let highest = m.create_device(driver);
    highest.attach_to_stack(&mut m, lower).unwrap();
    m[highest].initializing = false;
    (m, highest)
}

fn came_back(m: &mut Machine, _: Option<DeviceObject>, irp: Irp, _: Context) -> NtStatus {
    let IoStatus { status, information } = m[irp].io_status;
    note(m, format!("master back: {status}, {information}"));
    STATUS_MORE_PROCESSING_REQUIRED
}

fn send_master(m: &mut Machine, highest: DeviceObject) -> (Irp, NtStatus) {
    let master = m.allocate_irp(m[highest].stack_size).unwrap();
    m[master].next_mut().major = Major::Read;
    m[master].set_completion_routine(came_back, Context(0), Control::INVOKE_ALWAYS);
    (master, master.call_driver(m, highest))
}

#[test]
fn a_master_irp_is_complete_with_the_last_of_its_associated_irps() {
    let (mut m, highest) = splitting(Lower::HoldsDeaf);
    let (_, returned) = m.run(|m| send_master(m, highest)).unwrap();
    assert_eq!(returned, STATUS_PENDING);
    for back in [0, 0, 1] {
        m.run(|m| {
            let part = m.extension_mut::<World>().held.remove(0);
            part.complete_with(m, STATUS_UNSUCCESSFUL, 0);
            assert!(!part.exists(m), "the I/O manager frees it");
        })
        .unwrap();
        assert_eq!(m.extension::<World>().notes.len(), back);
    }
    // The master's status is its own: nobody merges what the parts came back with.
    assert_eq!(m.extension::<World>().notes, ["master back: STATUS_SUCCESS, 12"]);
}

#[test]
fn a_part_that_its_driver_keeps_does_not_count_for_the_master() {
    fn keeps(_: &mut Machine, _: Option<DeviceObject>, _: Irp, _: Context) -> NtStatus {
        STATUS_MORE_PROCESSING_REQUIRED
    }
    let (mut m, lower) = machine(Lower::Completes(STATUS_SUCCESS, 0));
    m.run(|m| {
        let master = m.allocate_irp(1).unwrap();
        m[master].irp_count = 1;
        let part = m.make_associated_irp(master, 2).unwrap();
        m[part].next_mut().major = Major::Read;
        m[part].set_completion_routine(keeps, Context(0), Control::INVOKE_ALWAYS);
        part.call_driver(m, lower);
        assert_eq!((m[master].irp_count, m[master].is_completed()), (1, false));
        part.free(m);
    })
    .unwrap();
}

#[test]
fn an_associated_or_buffered_irp_is_no_master() {
    let (mut m, _) = machine(Lower::Completes(STATUS_SUCCESS, 0));
    let stop = m.run(|m| {
        let master = m.allocate_irp(1).unwrap();
        let part = m.make_associated_irp(master, 1).unwrap();
        _ = m.make_associated_irp(part, 1);
    });
    assert!(stop.unwrap_err().to_string().contains("not itself an associated one"));
    let (mut m, _) = machine(Lower::Completes(STATUS_SUCCESS, 0));
    let stop = m.run(|m| {
        let master = m.allocate_irp(1).unwrap();
        m[master].system_buffer = Some(m.allocate_block(&[], 4));
        _ = m.make_associated_irp(master, 1);
    });
    assert!(stop.unwrap_err().to_string().contains("one field"));
}

#[test]
fn memory_that_is_short_fails_a_build_and_leaves_nothing_behind() {
    for n in 1..=2 {
        let (mut m, device) = machine(Lower::Completes(STATUS_SUCCESS, 0));
        m.run(|m| {
            let (input, block) = (m.allocate_block(&[1], 1), m.create_status_block());
            let request = ControlRequest { code: code(Method::Buffered), input: Some(input), ..Default::default() };
            m.fail_allocation(n);
            let built = m.build_device_io_control_request(device, request, None, block);
            assert_eq!(built, Err(STATUS_INSUFFICIENT_RESOURCES));
            assert_eq!(m.failed_allocation(), Some(["IoAllocateIrp", "ExAllocatePool2"][n as usize - 1]));
            assert_eq!(m.thread().irps(m), []);
            assert!(m.build_device_io_control_request(device, request, None, block).is_ok());
        })
        .unwrap();
    }
}

#[test]
fn threads_have_addresses_of_their_own() {
    let mut m = Machine::new();
    let first: Thread = m.thread();
    let (second, third) = (m.create_thread(), m.create_thread());
    let seen = second.run(&mut m, |m| m.current_thread()).unwrap();
    assert_eq!(seen, second.address());
    assert!(first.address() < second.address() && second.address() < third.address());
}
