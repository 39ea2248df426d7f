//! What a reserved request is from one IRP to the next, and what a driver may not do with it.

use super::*;

fn reserve_context(m: &mut Machine, _: Queue, request: Request) -> Result<(), NtStatus> {
    request.allocate_context(m, named("the context"))?;
    let driver = request.driver(m);
    create_object(m, driver, named("the child").parent(request)).map(|_| ())
}

#[test]
fn contexts_and_children_of_a_reserved_request_stay_until_its_queue_goes() {
    let mut bench = bench(Wanted::default());
    assign(&mut bench, ForwardProgressPolicy::always(1).on_allocate_for_reserved(reserve_context));
    short(&mut bench);
    for n in 1..=2 {
        send(&mut bench);
        complete(&mut bench);
        assert_eq!(bench.notes(), ["presented reserved 1".to_owned(), format!("IRP {n} ends with STATUS_SUCCESS")]);
    }
    bench.remove_device();
    assert_eq!(
        bench.notes(),
        ["cleanup of the child", "cleanup of the context", "destroy of the child", "destroy of the context"]
    );
}

#[test]
fn a_reference_keeps_a_completed_reserved_request_from_the_next_irp() {
    let mut bench = bench(Wanted::default());
    assign(&mut bench, ForwardProgressPolicy::always(1));
    short(&mut bench);
    send(&mut bench);
    let request = bench.machine.extension::<World>().held[0];
    bench.run(|m, _, _| request.reference(m));
    complete(&mut bench);
    assert_eq!(bench.run(|m, _, _| (request.is_reserved(m), request.io_queue(m))), (true, None));
    send(&mut bench);
    assert_eq!(bench.notes(), ["presented reserved 1", "IRP 1 ends with STATUS_SUCCESS"]);
    bench.run(|m, _, _| request.dereference(m));
    assert_eq!(bench.notes(), ["presented reserved 1"]);
}

#[test]
fn a_reference_that_outlives_the_queue_is_where_windows_is_undefined() {
    let mut bench = bench(Wanted::default());
    assign(&mut bench, ForwardProgressPolicy::always(1));
    short(&mut bench);
    send(&mut bench);
    let request = bench.machine.extension::<World>().held[0];
    bench.run(|m, _, _| request.reference(m));
    complete(&mut bench);
    bench.remove_device();
    let stop = bench.try_run(|m, _, _| request.dereference(m)).unwrap_err();
    assert!(matches!(stop, Stop::Undefined { ddi: "WdfObjectDereference", .. }), "{stop}");
}

#[test]
fn a_reserved_request_that_its_driver_deletes_is_where_windows_is_undefined() {
    let mut bench = bench(Wanted::default());
    assign(&mut bench, ForwardProgressPolicy::always(1));
    short(&mut bench);
    send(&mut bench);
    let stop = bench.try_run(|m, _, _| {
        world(m).held[0].delete(m);
        complete_oldest(m);
    });
    let stop = stop.unwrap_err();
    assert!(matches!(stop, Stop::Undefined { ddi: "WdfObjectDelete", .. }), "{stop}");
}

#[test]
fn each_irp_finds_its_own_data_in_the_reserved_request() {
    let mut bench = bench(Wanted::default());
    assign(&mut bench, ForwardProgressPolicy::always(1));
    let file = open(&mut bench);
    short(&mut bench);
    for input in [b"one", b"two"] {
        bench.machine.start_io_control(file, IoctlCode(0x0022_0000), input, &[]).unwrap().unwrap();
    }
    for input in [b"one", b"two"] {
        let request = bench.machine.extension::<World>().held[0];
        let data = bench.run(|m, _, _| {
            let buffer = request.input_buffer(m, 3).unwrap();
            m.bytes(buffer).to_vec()
        });
        assert_eq!(data, input);
        complete(&mut bench);
    }
}

#[test]
fn nothing_that_the_verifier_looks_at_is_left_from_one_irp_to_the_next() {
    let mut bench = verified();
    assign(&mut bench, ForwardProgressPolicy::always(1));
    short(&mut bench);
    let [first, ..] = [(); 3].map(|()| send(&mut bench));
    bench.run(|m, _, _| {
        let request = world(m).held[0];
        request.mark_cancelable(m, |m, request| {
            world(m).held.clear();
            request.complete(m, STATUS_CANCELLED);
        });
        assert!(first.cancel(m));
    });
    bench.run(|m, _, device| {
        let (request, target) = held(m, device);
        assert!(!request.is_cancelled(m));
        request.format_using_current_type(m);
        request.complete(m, STATUS_SUCCESS);
        let (request, _) = held(m, device);
        request.set_completion_routine(m, came_back, Context(0));
        assert!(!request.send(m, target, SendOptions::none()), "it is not formatted");
        assert_eq!(request.status(m), STATUS_REQUEST_NOT_ACCEPTED);
        request.complete(m, STATUS_SUCCESS);
    });
    assert_eq!(bench.breaks(), 0);
}

/// A second, manual queue, which says what is cancelled there.
fn two_queues(m: &mut Machine, init: DeviceInit, attributes: Attributes) -> Result<Device, NtStatus> {
    let device = init.create(m, attributes)?;
    let told = |m: &mut Machine, _: Queue, request: Request| {
        let name = name(m, request);
        note(m, format!("EvtIoCanceledOnQueue for {name}"));
        request.complete(m, STATUS_CANCELLED);
    };
    Queue::config(Dispatch::Parallel).on_default(presented).on_cancelled_on_queue(told).create_default(m, device)?;
    let second = Queue::config(Dispatch::Manual).on_cancelled_on_queue(told).create(m, device)?;
    world(m).second = Some(second);
    Ok(device)
}

#[test]
fn a_reserved_request_that_was_forwarded_comes_back_to_the_queue_that_it_is_of() {
    let mut bench = bench(Wanted { build: Some(two_queues), verifier: true, ..Wanted::default() });
    let queue = assign(&mut bench, ForwardProgressPolicy::always(1));
    short(&mut bench);
    (0..2).for_each(|_| _ = send(&mut bench));
    bench.run(|m, _, _| {
        let second = world(m).second.unwrap();
        let request = world(m).held.remove(0);
        request.forward_to(m, second).unwrap();
        let request = second.retrieve_next(m).unwrap();
        request.requeue(m).unwrap();
        let request = second.retrieve_next(m).unwrap();
        assert_eq!((request.is_reserved(m), request.io_queue(m)), (true, Some(second)));
        request.complete(m, STATUS_SUCCESS);
        let request = world(m).held[0];
        assert_eq!(request.io_queue(m), Some(queue));
    });
    assert_eq!(bench.notes(), ["presented reserved 1", "IRP 1 ends with STATUS_SUCCESS", "presented reserved 1"]);
    assert_eq!(bench.breaks(), 0);
}

#[test]
fn a_reserved_request_is_known_to_its_driver_from_its_first_irp_on() {
    let mut bench = bench(Wanted { build: Some(two_queues), ..Wanted::default() });
    let queue = assign(&mut bench, ForwardProgressPolicy::always(2));
    bench.run(|m, _, _| queue.stop(m, None, Context(0)));
    let other = send(&mut bench);
    short(&mut bench);
    let first = send(&mut bench);
    bench.run(|m, _, _| (other.cancel(m), first.cancel(m)));
    assert_eq!(
        bench.notes(),
        ["IRP 1 ends with STATUS_CANCELLED", "IRP 2 ends with STATUS_CANCELLED"],
        "neither was ever presented"
    );
    bench.run(|m, _, _| queue.start(m));
    // The reserved requests take turns.
    (0..2).for_each(|_| (_ = send(&mut bench), complete(&mut bench)).0);
    bench.notes();
    bench.run(|m, _, _| queue.stop(m, None, Context(0)));
    let second = send(&mut bench);
    bench.run(|m, _, _| second.cancel(m));
    let notes = bench.notes();
    assert!(notes[0].starts_with("EvtIoCanceledOnQueue for reserved "), "{notes:?}");
}

#[test]
fn a_reserved_request_has_no_irp_and_no_driver_before_it_is_used() {
    let mut bench = verified();
    let policy = ForwardProgressPolicy::always(1).on_allocate_for_reserved(|m, queue, request| {
        assert_eq!((request.irp(m), request.io_queue(m)), (None, Some(queue)));
        request.complete(m, STATUS_SUCCESS);
        Ok(())
    });
    let log = bench.log_of(|m, _, device| {
        let queue = queue_of(m, device);
        queue.assign_forward_progress_policy(m, policy).unwrap();
    });
    assert!(log.contains("is not owned by the driver, 0xc0000010(STATUS_INVALID_DEVICE_REQUEST)"), "{log}");
    assert_eq!(bench.breaks(), 1);
}

fn came_back(m: &mut Machine, request: Request, _: IoTarget, _: &CompletionParams, _: Context) {
    note(m, "back");
    request.complete(m, STATUS_SUCCESS);
}

/// The one request that the driver holds, and the target below.
fn held(m: &mut Machine, device: Device) -> (Request, IoTarget) {
    (world(m).held.remove(0), IoTarget::default_of(m, device).unwrap())
}

#[test]
fn a_reserved_request_that_is_sent_and_forgotten_is_free_for_the_next_irp() {
    let mut bench = bench(Wanted::default());
    assign(&mut bench, ForwardProgressPolicy::always(1));
    short(&mut bench);
    (0..2).for_each(|_| _ = send(&mut bench));
    bench.run(|m, _, device| {
        let (request, target) = held(m, device);
        assert!(request.send(m, target, SendOptions::send_and_forget()));
    });
    assert_eq!(
        bench.notes(),
        ["presented reserved 1", "IRP 1 ends with STATUS_INVALID_DEVICE_REQUEST", "presented reserved 1"]
    );
}

#[test]
fn a_reserved_request_that_was_formatted_once_is_never_sent_and_forgotten_again() {
    let mut bench = bench(Wanted::default());
    assign(&mut bench, ForwardProgressPolicy::always(1));
    short(&mut bench);
    (0..2).for_each(|_| _ = send(&mut bench));
    bench.run(|m, _, device| {
        let (request, target) = held(m, device);
        target.format_internal_ioctl(m, request, IoctlCode(0x0022_0003), Data::None, Data::None).unwrap();
        request.set_completion_routine(m, came_back, Context(0));
        assert!(request.send(m, target, SendOptions::none()));
    });
    assert_eq!(
        bench.notes(),
        ["presented reserved 1", "back", "IRP 1 ends with STATUS_SUCCESS", "presented reserved 1"]
    );
    let log = bench.log_of(|m, _, device| {
        let (request, target) = held(m, device);
        assert!(!request.send(m, target, SendOptions::send_and_forget()));
        assert_eq!(request.status(m), STATUS_INVALID_DEVICE_REQUEST);
        request.complete(m, STATUS_SUCCESS);
    });
    assert!(log.contains("Cannot send-and-forget WDFREQUEST"), "{log}");
}

#[test]
fn a_completion_routine_that_was_set_and_never_called_is_there_for_the_next_irp() {
    let mut bench = bench(Wanted::default());
    assign(&mut bench, ForwardProgressPolicy::always(1));
    short(&mut bench);
    (0..2).for_each(|_| _ = send(&mut bench));
    bench.run(|m, _, device| {
        let (request, _) = held(m, device);
        request.set_completion_routine(m, came_back, Context(0));
        request.complete(m, STATUS_SUCCESS);
        let (request, target) = held(m, device);
        request.format_using_current_type(m);
        assert!(request.send(m, target, SendOptions::none()), "one without a routine is not sent");
    });
    assert_eq!(
        bench.notes(),
        [
            "presented reserved 1",
            "IRP 1 ends with STATUS_SUCCESS",
            "presented reserved 1",
            "back",
            "IRP 2 ends with STATUS_SUCCESS"
        ]
    );
}
