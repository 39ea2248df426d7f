//! Requests of a device that leaves D0 or goes: what power-managed queues hold, and EvtIoStop's answers.

use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Irp, Machine, NtStatus, Rebalance};

use crate::bench::{Bench, Build, Kind, Plan, note};

/// What EvtIoStop does.
#[derive(Clone, Copy)]
enum Answer {
    Acknowledge,
    Requeue,
    Complete,
}

/// The requests that the driver holds.
#[derive(Default)]
struct Held(Vec<Request>);

fn hold(m: &mut Machine, _: Queue, request: Request) {
    note(m, "EvtIoDefault");
    m.extension_mut::<Held>().0.push(request);
}

fn stopping(m: &mut Machine, _: Queue, request: Request, action: StopAction) {
    note(m, format!("EvtIoStop({action:?})"));
    match *m.extension::<Answer>() {
        Answer::Acknowledge => request.stop_acknowledge(m, false),
        Answer::Requeue => {
            m.extension_mut::<Held>().0.retain(|&held| held != request);
            request.stop_acknowledge(m, true);
        }
        Answer::Complete => {
            m.extension_mut::<Held>().0.retain(|&held| held != request);
            request.complete(m, STATUS_DEVICE_BUSY);
        }
    }
}

fn sequential(m: &mut Machine, device: Device) -> Result<(), NtStatus> {
    queue(Dispatch::Sequential).create_default(m, device).map(|_| ())
}

fn parallel(m: &mut Machine, device: Device) -> Result<(), NtStatus> {
    queue(Dispatch::Parallel).create_default(m, device).map(|_| ())
}

fn unmanaged(m: &mut Machine, device: Device) -> Result<(), NtStatus> {
    queue(Dispatch::Sequential).power_managed(false).create_default(m, device).map(|_| ())
}

fn without_stop(m: &mut Machine, device: Device) -> Result<(), NtStatus> {
    Queue::config(Dispatch::Sequential).on_default(hold).create_default(m, device).map(|_| ())
}

fn queue(dispatch: Dispatch) -> QueueConfig {
    Queue::config(dispatch).on_default(hold).on_stop(stopping).on_resume(|m, _, _| note(m, "EvtIoResume"))
}

fn of(build: Build) -> Plan {
    Plan { build: Some(build), ..Plan::default() }
}

/// A started device with two requests sent to it.
fn with_requests(plan: Plan, answer: Answer) -> (Bench, [Irp; 2]) {
    let mut bench = Bench::new(plan);
    bench.machine.add_extension(Held::default());
    bench.machine.add_extension(answer);
    let irps = [bench.send(), bench.send()];
    bench.story();
    (bench, irps)
}

fn rebalanced(build: Build, answer: Answer) -> String {
    let (mut bench, _) = with_requests(of(build), answer);
    bench.machine.rebalance(&[bench.node], Rebalance::Done).unwrap();
    bench
        .callbacks()
        .into_iter()
        .filter(|callback| callback.starts_with("EvtIo") || callback.contains("D0E"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn an_acknowledged_request_stays_with_the_driver_and_is_resumed() {
    approve!("stop_acknowledged", rebalanced(sequential, Answer::Acknowledge));
}

#[test]
fn a_requeued_request_is_presented_again_and_not_resumed() {
    approve!("stop_requeued", rebalanced(sequential, Answer::Requeue));
}

#[test]
fn a_request_that_is_completed_in_the_callback_makes_room_for_the_next() {
    approve!("stop_completed", rebalanced(sequential, Answer::Complete));
}

#[test]
fn requeued_requests_of_a_parallel_queue_come_back_in_reverse_order() {
    let (mut bench, [first, second]) = with_requests(of(parallel), Answer::Requeue);
    bench.machine.rebalance(&[bench.node], Rebalance::Done).unwrap();
    let held = bench.machine.extension::<Held>().0.clone();
    let m = &mut bench.machine;
    let irps: Vec<_> = held.into_iter().map(|request| request.irp(m).unwrap()).collect();
    assert_eq!(irps, [second, first]);
}

#[test]
fn a_queue_that_is_not_power_managed_goes_on_through_a_stop() {
    let callbacks = rebalanced(unmanaged, Answer::Acknowledge);
    assert!(!callbacks.contains("EvtIo"), "{callbacks}");
}

#[test]
fn without_evt_io_stop_the_stop_waits_until_the_driver_completes_the_request() {
    let (mut bench, [first, _]) = with_requests(of(without_stop), Answer::Acknowledge);
    bench.machine.on_idle(|m| {
        let Some(request) = m.extension_mut::<Held>().0.pop() else { return false };
        note(m, "the driver completes the request at last");
        request.complete(m, STATUS_SUCCESS);
        true
    });
    bench.machine.rebalance(&[bench.node], Rebalance::Done).unwrap();
    assert_eq!(bench.machine[first].io_status.status, STATUS_SUCCESS);
    approve!("stop_waits", bench.story());
}

#[test]
fn at_removal_what_waits_is_cancelled_and_what_the_driver_keeps_is_stopped_once_more() {
    let (mut bench, [first, second]) = with_requests(of(sequential), Answer::Acknowledge);
    bench.machine.on_idle(|m| {
        let Some(request) = m.extension_mut::<Held>().0.pop() else { return false };
        note(m, "the driver completes the request at last");
        request.complete(m, STATUS_DEVICE_BUSY);
        true
    });
    bench.machine.remove_device(bench.node).unwrap().unwrap();
    assert_eq!(bench.machine[second].io_status.status, STATUS_CANCELLED);
    assert_eq!(bench.machine[first].io_status.status, STATUS_DEVICE_BUSY);
    approve!("stop_at_removal", bench.story());
}

#[test]
fn the_queue_of_a_filter_is_not_power_managed_unless_it_is_asked_to_be() {
    for (kind, managed) in [(Kind::Filter, false), (Kind::Function, true), (Kind::NotPolicyOwner, true)] {
        let (mut bench, _) =
            with_requests(Plan { kind, build: Some(sequential), ..Plan::default() }, Answer::Acknowledge);
        bench.machine.rebalance(&[bench.node], Rebalance::Done).unwrap();
        assert_eq!(bench.story().contains("EvtIoStop"), managed);
    }
}
