//! Which IRPs get a reserved request.

use super::*;

#[test]
fn paging_io_gets_a_reserved_request_and_everything_else_fails() {
    let mut bench = bench(Wanted::default());
    let queue = assign(&mut bench, ForwardProgressPolicy::paging_io(1));
    short(&mut bench);
    let log = bench.log_of(|m, _, device| {
        for flags in [0, IrpData::INPUT_OPERATION, IrpData::PAGING_IO] {
            send_to(m, device, flags);
        }
    });
    assert_eq!(
        bench.notes(),
        [
            "IRP 1 ends with STATUS_UNSUCCESSFUL",
            "IRP 1 was refused with STATUS_UNSUCCESSFUL",
            "IRP 2 ends with STATUS_UNSUCCESSFUL",
            "IRP 2 was refused with STATUS_UNSUCCESSFUL",
            "presented reserved 1",
        ]
    );
    let handle = format!("{:016X}", queue.object().handle());
    let refusal = log.lines().find(|line| line.starts_with("Forward action on WDFQUEUE")).unwrap();
    assert!(refusal.contains(&handle) && refusal.contains("says that framework should fail the Irp"), "{refusal}");
    assert!(refusal.ends_with("0xc0000001(STATUS_UNSUCCESSFUL)"), "{refusal}");
    assert!(!log.contains("Could not create WDFREQUEST"), "{log}");
}

#[test]
fn a_driver_that_examines_irps_decides_about_each() {
    let mut bench = verified();
    let examine: ExamineIrp = |m, _, irp| {
        let action = match m[irp].flags {
            0 => ForwardProgressAction::UseReservedRequest,
            1 => ForwardProgressAction::FailRequest,
            _ => ForwardProgressAction::Invalid,
        };
        note(m, format!("{action:?}"));
        action
    };
    assign(&mut bench, ForwardProgressPolicy::examine(1, examine));
    send(&mut bench);
    short(&mut bench);
    let log = bench.log_of(|m, _, device| {
        for flags in [2, 1, 0] {
            send_to(m, device, flags);
        }
    });
    assert_eq!(
        bench.notes(),
        [
            "presented a request",
            "Invalid",
            "IRP 2 ends with STATUS_UNSUCCESSFUL",
            "IRP 2 was refused with STATUS_UNSUCCESSFUL",
            "FailRequest",
            "IRP 3 ends with STATUS_UNSUCCESSFUL",
            "IRP 3 was refused with STATUS_UNSUCCESSFUL",
            "UseReservedRequest",
            "presented reserved 1",
        ]
    );
    assert!(log.contains("returned an invalid action 0, 0xc0000001(STATUS_UNSUCCESSFUL)"), "{log}");
    assert_eq!(bench.breaks(), 1);
}

/// EvtIoAllocateRequestResources.
fn allocate_resources(m: &mut Machine, _: Queue, request: Request) -> Result<(), NtStatus> {
    assert!(!request.is_reserved(m));
    request.allocate_context(m, named("a request"))?;
    note(m, "allocates");
    if world(m).fails { Err(STATUS_DEVICE_NOT_READY) } else { Ok(()) }
}

#[test]
fn a_request_that_the_driver_has_no_resources_for_goes_and_its_irp_gets_a_reserved_one() {
    let mut bench = bench(Wanted::default());
    assign(&mut bench, ForwardProgressPolicy::always(1).on_allocate_for_request(allocate_resources));
    send(&mut bench);
    world(&mut bench.machine).fails = true;
    let irp = send(&mut bench);
    let request = *bench.machine.extension::<World>().held.last().unwrap();
    assert_eq!(bench.run(|m, _, _| request.irp(m)), Some(irp));
    short(&mut bench);
    send(&mut bench);
    assert_eq!(
        bench.notes(),
        [
            "allocates",
            "presented a request",
            "allocates",
            "cleanup of a request",
            "destroy of a request",
            "presented reserved 1"
        ],
        "without a request there is nothing to allocate for"
    );
    complete(&mut bench);
    assert_eq!(bench.notes(), ["cleanup of a request", "IRP 1 ends with STATUS_SUCCESS", "destroy of a request"]);
}

#[test]
fn a_request_that_is_completed_before_it_is_queued_is_where_windows_is_undefined() {
    let mut bench = bench(Wanted::default());
    let policy = ForwardProgressPolicy::always(1).on_allocate_for_request(|m, _, request| {
        request.complete(m, STATUS_SUCCESS);
        Ok(())
    });
    assign(&mut bench, policy);
    let stop = bench.try_run(|m, _, device| send_to(m, device, 0)).unwrap_err();
    assert!(matches!(stop, Stop::Undefined { ddi: "EvtIoAllocateRequestResources", .. }), "{stop}");
}

/// A device that looks at requests in the context of who sent them.
fn in_caller_context(m: &mut Machine, init: DeviceInit, attributes: Attributes) -> Result<Device, NtStatus> {
    let init = init.in_caller_context(|m, device, request| {
        note(m, "EvtIoInCallerContext");
        device.enqueue_request(m, request).unwrap();
    });
    parallel(m, init, attributes)
}

#[test]
fn a_reserved_request_skips_the_callback_in_its_callers_context() {
    let mut bench = bench(Wanted { build: Some(in_caller_context), ..Wanted::default() });
    assign(&mut bench, ForwardProgressPolicy::always(1));
    send(&mut bench);
    short(&mut bench);
    send(&mut bench);
    assert_eq!(bench.notes(), ["EvtIoInCallerContext", "presented a request", "presented reserved 1"]);
}

#[test]
fn the_verifier_can_have_every_request_of_such_a_queue_fail_or_one_in_seventeen() {
    let reserved = |forward_progress_test| {
        let mut bench = bench(Wanted { forward_progress_test, ..Wanted::default() });
        world(&mut bench.machine).answers = true;
        send(&mut bench);
        assert_eq!(bench.notes()[0], "presented a request", "a queue without reserved requests is left alone");
        assign(&mut bench, ForwardProgressPolicy::always(1));
        (0..340).for_each(|_| _ = send(&mut bench));
        let notes = bench.notes();
        assert_eq!(notes.iter().filter(|note| note.ends_with("ends with STATUS_SUCCESS")).count(), 340);
        notes.iter().filter(|note| *note == "presented reserved 1").count()
    };
    assert_eq!(reserved(ForwardProgressTest::Off), 0);
    assert_eq!(reserved(ForwardProgressTest::FailAll), 340);
    // The framework's own numbers, from a machine that was started at this moment.
    assert_eq!(reserved(ForwardProgressTest::FailRandom), 23);
}

/// A device whose default queue gets creates as well.
fn with_creates(m: &mut Machine, init: DeviceInit, attributes: Attributes) -> Result<Device, NtStatus> {
    let device = init.file_objects(FileConfig::new()).create(m, attributes)?;
    let queue = Queue::config(Dispatch::Parallel).on_default(|m, _, request| request.complete(m, STATUS_SUCCESS));
    let queue = queue.create_default(m, device)?;
    device.configure_request_dispatching(m, queue, Major::Create)?;
    queue.assign_forward_progress_policy(m, ForwardProgressPolicy::always(1))?;
    Ok(device)
}

#[test]
fn a_create_gets_no_reserved_request() {
    let mut bench = bench(Wanted { build: Some(with_creates), ..Wanted::default() });
    let file = open(&mut bench);
    let before = bench.driver.log_sequence(&bench.machine);
    let m = &mut bench.machine;
    m.close_handle(file).unwrap();
    let objects = object_count(m);
    m.fail_allocations_of(CREATE);
    let refused = m.create_file("\\\\.\\BENCH", OpenOptions::OVERLAPPED).unwrap();
    assert_eq!(refused.map(|_| ()), Err(STATUS_INSUFFICIENT_RESOURCES));
    assert_eq!((m.census().files, object_count(m)), (0, objects));
    let device = format!("{:016X}", bench.device.object().handle());
    let log = bench.log_after(before);
    let expected = format!(
        "Memory allocation failed 0xc000009a(STATUS_INSUFFICIENT_RESOURCES)\n\
         Could not create request for WDFDEVICE 0x{device}, 0xc000009a(STATUS_INSUFFICIENT_RESOURCES)\n"
    );
    assert!(log.contains(&expected), "{log}");
}
