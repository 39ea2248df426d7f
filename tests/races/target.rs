//! Stop target × send, and remove child × forward, for a driver with a table of targets.

use vbus::explore::{Failure, Race};
use vbus::iotarget::{CompletionParams, Data, IoTarget, SendOptions, SendRequest, SentIo};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, Machine};

use crate::common::bench::{self, Bench, CODE, Lower};
use crate::stage::Twin;
use crate::stage::{falls, survives};

/// What the driver knows.
struct Driving {
    twin: Twin,
    stopped: bool,
    /// The device got a request while it was off.
    disturbed: bool,
    /// The child's target, while there is a child.
    target: Option<IoTarget>,
}

fn driving(m: &mut Machine) -> &mut Driving {
    m.extension_mut::<Driving>()
}

fn done(m: &mut Machine, request: Request, _: IoTarget, _: &CompletionParams, _: Context) {
    request.delete(m);
}

fn prepared(twin: Twin) -> Bench {
    let mut bench = bench::bench();
    let target = Some(bench.target);
    bench.machine.add_extension(Driving { twin, stopped: false, disturbed: false, target });
    bench.lower_is(Lower::Does(|m, _, irp| {
        if driving(m).stopped {
            driving(m).disturbed = true;
        }
        irp.complete_with(m, STATUS_SUCCESS, 0)
    }));
    bench
}

/// Sends to a device that may be switched off. The wrong driver looks at a flag of its own, and sends whatever the target's
/// state is; the repaired one leaves the decision to the target.
fn send_unless_stopped(m: &mut Machine, request: Request, target: IoTarget) {
    let Driving { twin, stopped, .. } = *driving(m);
    let options = match twin {
        Twin::Wrong if stopped => return request.delete(m),
        Twin::Wrong => SendOptions::none().ignoring_target_state(),
        Twin::Repaired => SendOptions::none(),
    };
    if !request.send(m, target, options) {
        request.delete(m);
    }
}

fn stop_and_send(race: &mut Race, twin: Twin) -> Result<(), Failure> {
    let mut bench = prepared(twin);
    let request = bench.formatted();
    let target = bench.target;
    bench.run(|m| request.set_completion_routine(m, done, Context(0)));
    race.thread("the sender", move |m| send_unless_stopped(m, request, target));
    race.thread("the stopper", move |m| {
        target.stop(m, SentIo::WaitForCompletion);
        driving(m).stopped = true;
    });
    race.leaves_requests();
    race.run(&mut bench.machine)?;
    if driving(&mut bench.machine).disturbed { Err("a device that is off got a request".into()) } else { Ok(()) }
}

#[test]
fn a_request_that_is_sent_whatever_the_targets_state_reaches_a_device_that_is_off() {
    approve!("race_stop_send", falls(stop_and_send));
}

#[test]
fn a_request_that_is_sent_to_a_stopped_target_waits_there() {
    survives(stop_and_send);
}

/// Forwards to the child. The wrong driver uses the target that it found; the repaired one holds it meanwhile.
fn forward(m: &mut Machine, request: Request) {
    let Driving { twin, target, .. } = *driving(m);
    let Some(target) = target else { return request.delete(m) };
    if twin == Twin::Repaired {
        target.reference(m);
    }
    let formatted = target.format_internal_ioctl(m, request, CODE, Data::None, Data::None);
    request.set_completion_routine(m, done, Context(0));
    if formatted.is_err() || !request.send(m, target, SendOptions::none()) {
        request.delete(m);
    }
    if twin == Twin::Repaired {
        target.dereference(m);
    }
}

fn remove_and_forward(race: &mut Race, twin: Twin) -> Result<(), Failure> {
    let mut bench = prepared(twin);
    let request = bench.created();
    race.thread("the forwarder", move |m| forward(m, request));
    race.thread("the removal", |m| {
        if let Some(target) = driving(m).target.take() {
            target.close(m);
            target.delete(m);
        }
    });
    race.run(&mut bench.machine)
}

#[test]
fn a_target_that_is_found_may_be_gone_before_it_is_used() {
    approve!("race_remove_forward", falls(remove_and_forward));
}

#[test]
fn a_target_that_is_held_is_closed_but_there() {
    survives(remove_and_forward);
}
