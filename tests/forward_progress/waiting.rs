//! IRPs that wait for a reserved request, and how they end.

use super::*;

#[test]
fn whoever_waits_for_a_reserved_request_can_be_cancelled() {
    let mut bench = bench(Wanted::default());
    assign(&mut bench, ForwardProgressPolicy::always(1));
    short(&mut bench);
    let [_, second, _] = [(); 3].map(|()| send(&mut bench));
    bench.run(|m, _, _| assert!(second.cancel(m)));
    bench.run(|m, _, device| {
        let top = device.device_object(m);
        let irp = m.allocate_irp(m[top].stack_size).unwrap();
        let location = m[irp].next_mut();
        (location.major, m[irp].cancel) = (Major::Read, true);
        m[irp].set_completion_routine(ended, Context(4), Control::INVOKE_ALWAYS);
        assert_eq!(irp.call_driver(m, top), STATUS_CANCELLED, "cancelled before it came");
    });
    complete(&mut bench);
    assert_eq!(
        bench.notes(),
        [
            "presented reserved 1",
            "IRP 2 ends with STATUS_CANCELLED",
            "IRP 4 ends with STATUS_CANCELLED",
            "IRP 1 ends with STATUS_SUCCESS",
            "presented reserved 1",
        ]
    );
}

#[test]
fn closing_a_file_cancels_what_waits_of_it_and_of_no_other() {
    let mut bench = bench(Wanted::default());
    assign(&mut bench, ForwardProgressPolicy::always(1));
    let files = [(); 3].map(|()| open(&mut bench));
    let m = &mut bench.machine;
    m.fail_allocations_of(CREATE);
    let code = IoctlCode(0x0022_0003);
    let sent = files.map(|file| m.start_io_control(file, code, &[], &[]).unwrap().unwrap());
    m.close_handle(files[1]).unwrap();
    let mut statuses = || sent.map(|request| m.overlapped_result(request, &mut []).map(|result| result.status));
    assert_eq!(statuses(), [None, Some(STATUS_CANCELLED), None]);
    complete(&mut bench);
    complete(&mut bench);
    assert_eq!(bench.notes(), ["presented reserved 1", "presented reserved 1"]);
}

/// One request that the driver holds, and two IRPs that wait for it.
fn two_wait(bench: &mut Workbench) -> Queue {
    let queue = assign(bench, ForwardProgressPolicy::always(1));
    short(bench);
    (0..3).for_each(|_| _ = send(bench));
    assert_eq!(bench.notes(), ["presented reserved 1"]);
    queue
}

fn purged(m: &mut Machine, _: Queue, _: Context) {
    note(m, "all is gone");
}

#[test]
fn a_purge_cancels_who_waits_even_one_that_only_drains() {
    for cancels in [true, false] {
        let mut bench = bench(Wanted::default());
        let queue = two_wait(&mut bench);
        bench.run(|m, _, _| match cancels {
            true => queue.purge(m, Some(purged), Context(0)),
            false => queue.drain(m, Some(purged), Context(0)),
        });
        complete(&mut bench);
        assert_eq!(
            bench.notes(),
            [
                "IRP 2 ends with STATUS_CANCELLED",
                "IRP 3 ends with STATUS_CANCELLED",
                "IRP 1 ends with STATUS_SUCCESS",
                "all is gone"
            ]
        );
    }
}

/// EvtRequestCancel.
fn cancelled(m: &mut Machine, request: Request) {
    world(m).held.retain(|&held| held != request);
    request.complete(m, STATUS_CANCELLED);
}

#[test]
fn a_purge_that_cancels_a_reserved_request_has_the_queue_refuse_who_waits_for_it() {
    let mut bench = bench(Wanted::default());
    let queue = two_wait(&mut bench);
    bench.run(|m, _, _| {
        world(m).held[0].mark_cancelable(m, cancelled);
        queue.purge(m, Some(purged), Context(0));
    });
    assert_eq!(
        bench.notes(),
        [
            "IRP 1 ends with STATUS_CANCELLED",
            "IRP 2 ends with STATUS_INVALID_DEVICE_STATE",
            "IRP 3 ends with STATUS_INVALID_DEVICE_STATE",
            "all is gone"
        ]
    );
}

#[test]
fn a_stop_and_purge_takes_who_waits_out_before_it_cancels_anything() {
    let mut bench = bench(Wanted::default());
    let queue = two_wait(&mut bench);
    bench.run(|m, _, _| {
        world(m).held[0].mark_cancelable(m, cancelled);
        queue.stop_and_purge(m, Some(purged), Context(0));
    });
    assert_eq!(
        bench.notes(),
        [
            "IRP 1 ends with STATUS_CANCELLED",
            "all is gone",
            "IRP 2 ends with STATUS_CANCELLED",
            "IRP 3 ends with STATUS_CANCELLED",
        ]
    );
}

#[test]
fn a_stopped_queue_keeps_an_irp_that_got_its_reserved_request() {
    let mut bench = bench(Wanted::default());
    let queue = two_wait(&mut bench);
    bench.run(|m, _, _| queue.stop(m, None, Context(0)));
    complete(&mut bench);
    assert_eq!(bench.run(|m, _, _| queue.counts(m)), (1, 0), "the other one goes on waiting outside");
    assert_eq!(bench.notes(), ["IRP 1 ends with STATUS_SUCCESS"]);
    bench.run(|m, _, _| queue.start(m));
    complete(&mut bench);
    assert_eq!(bench.notes(), ["presented reserved 1", "IRP 2 ends with STATUS_SUCCESS", "presented reserved 1"]);
}

#[test]
fn a_drained_queue_refuses_an_irp_that_gets_a_reserved_request_now() {
    let mut bench = bench(Wanted::default());
    let queue = assign(&mut bench, ForwardProgressPolicy::always(1));
    bench.run(|m, _, _| queue.drain(m, None, Context(0)));
    short(&mut bench);
    let log = bench.log_of(|m, _, device| _ = send_to(m, device, 0));
    assert!(log.contains("is not accepting requests, state is"), "{log}");
    assert_eq!(
        bench.notes(),
        ["IRP 1 ends with STATUS_INVALID_DEVICE_STATE", "IRP 1 was refused with STATUS_INVALID_DEVICE_STATE"]
    );
    // The reserved request is free again.
    bench.run(|m, _, _| queue.start(m));
    send(&mut bench);
    assert_eq!(bench.notes(), ["presented reserved 1"]);
}

/// A queue whose driver keeps its requests over a loss of power, and gives them up at a removal.
fn stops(m: &mut Machine, init: DeviceInit, attributes: Attributes) -> Result<Device, NtStatus> {
    let device = init.create(m, attributes)?;
    let queue = Queue::config(Dispatch::Parallel).on_default(presented).on_stop(|m, _, request, action| {
        let name = name(m, request);
        note(m, format!("asked to stop {name}"));
        if action.contains(StopAction::PURGE) {
            cancelled(m, request);
        } else {
            request.stop_acknowledge(m, false);
        }
    });
    queue.create_default(m, device)?;
    Ok(device)
}

#[test]
fn who_waits_for_a_reserved_request_goes_on_waiting_while_the_device_sleeps() {
    let mut bench = bench(Wanted { build: Some(stops), ..Wanted::default() });
    let queue = two_wait(&mut bench);
    bench.machine.sleep(SystemPowerState::Sleeping3).unwrap().unwrap();
    complete(&mut bench);
    assert_eq!(bench.run(|m, _, _| queue.counts(m)), (1, 0));
    bench.machine.wake().unwrap();
    assert_eq!(bench.notes(), ["asked to stop reserved 1", "IRP 1 ends with STATUS_SUCCESS", "presented reserved 1"]);
}

#[test]
fn a_device_that_goes_takes_its_reserved_requests_along_and_leaves_no_irp_waiting() {
    let mut bench = bench(Wanted { build: Some(stops), ..Wanted::default() });
    let objects = object_count(&bench.machine);
    two_wait(&mut bench);
    assert_eq!(object_count(&bench.machine), objects + 1);
    bench.remove_device();
    assert_eq!(
        bench.notes(),
        [
            "asked to stop reserved 1",
            "IRP 2 ends with STATUS_CANCELLED",
            "IRP 3 ends with STATUS_CANCELLED",
            "asked to stop reserved 1",
            "IRP 1 ends with STATUS_CANCELLED",
        ]
    );
    assert_eq!(bench.machine.census().irps, 0);
    assert!(object_count(&bench.machine) < objects);
}

/// A queue whose driver completes what it gets, and says when its callback returns.
fn completes_inside(m: &mut Machine, init: DeviceInit, attributes: Attributes) -> Result<Device, NtStatus> {
    let device = init.create(m, attributes)?;
    let queue = Queue::config(Dispatch::Parallel).on_default(|m, queue, request| {
        let name = name(m, request);
        note(m, format!("presented {name}"));
        request.complete(m, STATUS_SUCCESS);
        if world(m).irps < 3 {
            let device = queue.device(m);
            send_to(m, device, 0);
        }
        let (waiting, _) = queue.counts(m);
        note(m, format!("returns, {waiting} in the queue"));
    });
    queue.create_default(m, device)?;
    Ok(device)
}

#[test]
fn a_reserved_request_that_is_completed_in_its_callback_comes_back_without_recursion() {
    let story = |wanted: Wanted| {
        let mut bench = bench(Wanted { build: Some(completes_inside), ..wanted });
        assign(&mut bench, ForwardProgressPolicy::always(1));
        short(&mut bench);
        send(&mut bench);
        bench.notes()
    };
    let expected = |waiting: [&str; 3]| {
        (1..=3)
            .zip(waiting)
            .flat_map(|(n, waiting)| {
                let ends = format!("IRP {n} ends with STATUS_SUCCESS");
                ["presented reserved 1".to_owned(), ends, format!("returns, {waiting} in the queue")]
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(story(Wanted::default()), expected(["1", "1", "0"]));
    let verified = Wanted { verifier: true, ..Wanted::default() };
    assert_eq!(story(verified), expected(["0", "0", "0"]), "the verifier holds on to the request until then");
}
