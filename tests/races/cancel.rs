//! Cancel × complete, and cancel × send.

use vbus::explore::{Failure, Race};
use vbus::iotarget::{CompletionParams, IoTarget, SendOptions, SendRequest};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, Machine, NtStatus};

use crate::common::bench::{self, Lower, World};
use crate::stage::*;

/// The driver keeps each request, marked cancelable, until its device answers.
fn build(m: &mut Machine, init: DeviceInit, attributes: Attributes) -> Result<Device, NtStatus> {
    let device = init.create(m, attributes)?;
    Queue::config(Dispatch::Parallel).on_default(|m, _, request| keep(m, request)).create_default(m, device)?;
    Ok(device)
}

fn keep(m: &mut Machine, request: Request) {
    request.mark_cancelable(m, |m, request| {
        kept(m).request = None;
        request.complete(m, STATUS_CANCELLED);
    });
    kept(m).request = Some(request);
    m.queue_work_item(answer, Context(0));
}

/// The device answers. The wrong driver does not heed that the cancel routine has the request by now.
fn answer(m: &mut Machine, _: Context) {
    let Some(request) = kept(m).request else { return };
    request.reference(m);
    if request.unmark_cancelable(m).is_ok() || !is_repaired(m) {
        kept(m).request = None;
        request.complete(m, STATUS_SUCCESS);
    }
    request.dereference(m);
}

fn cancel_and_complete(race: &mut Race, twin: Twin) -> Result<(), Failure> {
    let (mut machine, Stage { file, .. }) = stage(twin, build);
    race.thread("the program", issue(file));
    race.thread("the canceller", move |m| _ = m.cancel_file_io(file));
    race.run(&mut machine)?;
    verdict(machine)
}

#[test]
fn a_request_that_is_completed_without_heed_to_its_cancel_routine_is_completed_twice() {
    approve!("race_cancel_complete", falls(cancel_and_complete));
}

#[test]
fn a_driver_that_leaves_a_cancelled_request_to_its_cancel_routine_survives() {
    survives(cancel_and_complete);
}

/// The request that was sent, for whoever wants it cancelled.
struct Sent {
    twin: Twin,
    request: Option<Request>,
}

fn came_back(m: &mut Machine, request: Request, _: IoTarget, _: &CompletionParams, _: Context) {
    m.extension_mut::<Sent>().request = None;
    request.delete(m);
}

/// Cancels what was sent. The wrong driver has only a handle, which the completion routine deletes; the repaired one takes
/// a reference while it knows that the request is there.
fn cancel_sent(m: &mut Machine) {
    let Sent { twin, request } = *m.extension::<Sent>();
    let Some(request) = request else { return };
    if twin == Twin::Repaired {
        request.reference(m);
    }
    request.cancel_sent(m);
    if twin == Twin::Repaired {
        request.dereference(m);
    }
}

fn cancel_and_send(race: &mut Race, twin: Twin) -> Result<(), Failure> {
    let mut bench = bench::bench();
    bench.lower_is(Lower::Holds);
    bench.machine.add_extension(Sent { twin, request: None });
    let request = bench.formatted();
    let target = bench.target;
    race.thread("the sender", move |m| {
        request.set_completion_routine(m, came_back, Context(0));
        m.extension_mut::<Sent>().request = Some(request);
        if !request.send(m, target, SendOptions::none()) {
            m.extension_mut::<Sent>().request = None;
            request.delete(m);
        }
    });
    race.thread("the canceller", cancel_sent);
    race.thread("the device below", |m| {
        let irp = m.extension::<World>().held.first().copied();
        // Both under the lock of its list.
        if let Some(irp) = irp
            && irp.exchange_cancel_routine(m, None).is_some()
        {
            m.extension_mut::<World>().held.retain(|&held| held != irp);
            irp.complete_with(m, STATUS_SUCCESS, 0);
        }
    });
    race.leaves_requests();
    race.run(&mut bench.machine)
}

#[test]
fn a_sent_request_that_is_cancelled_without_a_reference_may_be_gone_by_then() {
    approve!("race_cancel_send", falls(cancel_and_send));
}

#[test]
fn a_sent_request_that_is_cancelled_with_a_reference_on_it_survives() {
    survives(cancel_and_send);
}
