//! Target states and send options: a target is started, stopped, purged or closed, with a request out or not, before a
//! request is sent, and perhaps started or closed after it.

use vbus::iotarget::{CompletionParams, Data, IoTarget, SendOptions, SendRequest, SentIo, TargetState};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, Irp, Machine, NtStatus, Ticks};

use super::case::{Case, Event};
use super::world::*;

/// The target that is looked at, and whether the request was presented by a queue and is the driver's to complete.
struct Scene {
    target: IoTarget,
    presented: Option<Request>,
    /// The target was started because somebody waited; it is not started again.
    started: bool,
}

pub fn run(case: &Case) -> Vec<Event> {
    let mut m = machine(Behaviour::succeed(4));
    let Fixture { driver, device } = fixture(&mut m, case.is_set("ver"), Some(hold));
    let on = target_device(&mut m, 2, "<TDEV>");
    let target = if case.text_of("state") == "neverOpened" {
        m.run(|m| IoTarget::create(m, device, Attributes::none())).unwrap().unwrap()
    } else {
        m.run(|m| open_target(m, device, on, "<TGT>")).unwrap()
    };
    name_target(&mut m, target);
    m.add_extension(Scene { target, presented: None, started: false });
    let outcome = m.run(|m| play(m, case, driver, device, target));
    finish(m, outcome)
}

/// The target and its object have names.
fn name_target(m: &mut Machine, target: IoTarget) {
    name(m, target.object().handle(), "<TGT>");
    name(m, target.object().address(), "<TGT.obj>");
}

fn hold(m: &mut Machine, _: Queue, request: Request) {
    m.extension_mut::<Scene>().presented = Some(request);
}

fn play(m: &mut Machine, case: &Case, driver: Driver, device: Device, target: IoTarget) {
    let dispatched = case.text_of("req") == "dispatched";
    let request = if dispatched {
        send_down(m, device, 8, 6);
        m.extension::<Scene>().presented.unwrap()
    } else {
        create(m, driver, target)
    };
    request_name(m, request);
    let irp = request.irp(m);
    irp.map(|irp| irp_name(m, irp));
    for _ in driver.debugger_breaks(m).to_vec() {
        record(m, "DbgBreakPoint".to_owned());
    }
    if case.is_set("prior") {
        m.extension_mut::<Targets>().behaviour.pends = Pends::Cancelable;
        send_prior(m, driver, target);
    }
    m.extension_mut::<Targets>().behaviour.pends =
        if case.text_of("target") == "pend" { Pends::Cancelable } else { Pends::Never };
    start(m, driver);
    m.on_idle(act_when_idle);
    if send_one(m, case, request, target, irp.filter(|_| dispatched)) {
        after(m, case, target);
    }
    targets_complete(m, STATUS_SUCCESS, 5);
}

/// A request made for the target, or for none if that cannot be.
fn create(m: &mut Machine, driver: Driver, target: IoTarget) -> Request {
    target.create_request(m, Attributes::none()).unwrap_or_else(|status| {
        record(m, format!("createWithTarget {}", hex(status)));
        Request::create(m, driver, Attributes::none()).unwrap()
    })
}

/// Puts the target into its state, formats and sends, in the case's order. Returns whether it came to the send.
fn send_one(m: &mut Machine, case: &Case, request: Request, target: IoTarget, presented: Option<Irp>) -> bool {
    let state = case.text_of("state");
    let closed = state.starts_with("closed") || state == "neverOpened";
    if closed {
        change_state(m, state, target);
    }
    if let Err(status) = format(m, case.number_of("formatted"), request, target) {
        complete_if_presented(m, request, status);
        return false;
    }
    if !closed {
        change_state(m, state, target);
    }
    send(m, request, target, case.text_of("opt"), presented.is_some());
    true
}

fn change_state(m: &mut Machine, state: &str, target: IoTarget) {
    match state {
        "stoppedLeavePending" => target.stop(m, SentIo::LeavePending),
        "stoppedCancelSent" => target.stop(m, SentIo::Cancel),
        "stoppedWait" => target.stop(m, SentIo::WaitForCompletion),
        "purged" => target.purge(m, false),
        "purgedAndWait" => target.purge(m, true),
        "closed" => target.close(m),
        "closedForQueryRemove" => target.close_for_query_remove(m),
        _ => {}
    }
    let state = target.state(m);
    record(m, format!("state {state:?}"));
}

fn format(m: &mut Machine, how: i8, request: Request, target: IoTarget) -> Result<(), NtStatus> {
    match how {
        0 => Ok(()),
        1 => {
            let formatted = target.format_internal_ioctl(m, request, CODE, Data::None, Data::None);
            record(m, format!("format intioctl {}", hex(NtStatus::from(formatted))));
            formatted
        }
        _ => {
            request.format_using_current_type(m);
            record(m, "format current void".to_owned());
            Ok(())
        }
    }
}

/// Options as their names are joined.
pub fn options(named: &str) -> SendOptions {
    named.split('|').fold(SendOptions::none(), |options, name| match name {
        "sync" => options.and_synchronous(),
        "sendAndForget" => options.and_send_and_forget(),
        "ignoreState" => options.ignoring_target_state(),
        "timeout" => options.with_timeout(Ticks::from_millis(100)),
        _ => options,
    })
}

fn send(m: &mut Machine, request: Request, target: IoTarget, named: &str, presented: bool) {
    let forgets = named.contains("sendAndForget");
    if !(forgets && presented) {
        request.set_completion_routine(m, completed, Context(0));
    }
    let sent = request.send(m, target, options(named));
    let gone = presented && (forgets || m.extension::<Scene>().presented.is_none());
    if gone {
        record(m, format!("send {}", u8::from(sent)));
    } else {
        let status = hex(request.status(m));
        record(m, format!("send {} {status}", u8::from(sent)));
    }
    if presented && !sent {
        let status = request.status(m);
        if gone {
            record(m, format!("getStatus {}", hex(status)));
        }
        complete_if_presented(m, request, status);
    }
}

fn complete_if_presented(m: &mut Machine, request: Request, status: NtStatus) {
    if m.extension_mut::<Scene>().presented.take_if(|presented| *presented == request).is_some() {
        request.complete(m, status);
    }
}

fn completed(m: &mut Machine, request: Request, target: IoTarget, params: &CompletionParams, _: Context) {
    record_completion(m, request, target, params);
    if m.extension_mut::<Scene>().presented.take_if(|presented| *presented == request).is_some() {
        request.complete_with_information(m, params.io_status.status, params.io_status.information);
    }
}

/// Another request is out at the target. Its log lines are not recorded.
fn send_prior(m: &mut Machine, driver: Driver, target: IoTarget) {
    let prior = Request::create(m, driver, Attributes::none()).unwrap();
    name(m, prior.object().handle(), "<PRIOR>");
    name(m, prior.object().address(), "<PRIOR.obj>");
    let formatted = target.format_internal_ioctl(m, prior, CODE, Data::None, Data::None);
    if let Some(irp) = prior.current_irp(m) {
        name(m, irp.address(), "<IRPP>");
    }
    record(m, format!("format intioctl {}", hex(NtStatus::from(formatted))));
    prior.set_completion_routine(m, completed, Context(0));
    let sent = prior.send(m, target, SendOptions::none());
    record(m, format!("priorSend {}", u8::from(sent)));
}

/// Somebody waits: the targets complete what they hold, or the target is started.
fn act_when_idle(m: &mut Machine) -> bool {
    if m.extension::<Targets>().hold_some() {
        record(m, "idle completePending".to_owned());
        target_completes(m, STATUS_SUCCESS, 9);
        return true;
    }
    let target = m.extension::<Scene>().target;
    let stopped = target.state(m) == TargetState::Stopped;
    if stopped {
        m.extension_mut::<Scene>().started = true;
        record(m, "idle start".to_owned());
        start_target(m, target);
    }
    stopped
}

/// Starts the target, and writes down how that ended.
pub fn start_target(m: &mut Machine, target: IoTarget) {
    let started = hex(NtStatus::from(target.start(m)));
    let state = target.state(m);
    record(m, format!("start {started} {state:?}"));
}

fn after(m: &mut Machine, case: &Case, target: IoTarget) {
    match case.text_of("after") {
        "start" if m.extension::<Scene>().started => {}
        "start" => start_target(m, target),
        "close" => {
            record(m, "close".to_owned());
            target.close(m);
            let state = target.state(m);
            record(m, format!("state {state:?}"));
        }
        _ => {}
    }
    if case.text_of("opt").contains("timeout") {
        record(m, "advance 200ms".to_owned());
        m.advance(Ticks::from_millis(200)).unwrap();
    }
}
