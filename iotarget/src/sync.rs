//! Sending and waiting.
//!
//! Source: S/targets/general/fxiotarget.cpp:1496-1635 (SubmitSync), 2580-2610 (its completion routine).

use vbus_wdf::layer::{Parts, peek_state, sites, take_fx, trace};
use vbus_wdf::{Handle, Request};
use vbus_wdm::{Machine, NtStatus};

use crate::cancel;
use crate::options::SendOptions;
use crate::state::{CompletionParams, Routine, SendState, Waiter, parts, parts_of};
use crate::stop::require_passive;
use crate::submit::{Submitted, submit};
use crate::target::IoTarget;

/// The bits of a submission's action that its line prints.
const SEND: u64 = 1;
const QUEUED: u64 = 2;
const TIMEOUT: u64 = 0x10;
const CALL_COMPLETION: u64 = 0x20;

/// Sends a request and waits until it is back; returns how it ended. With `calls_routine` the driver's completion routine
/// is called as well, else it is forgotten.
///
/// The wait is a routine of the framework's own in the request. If the request is refused, a call that leaves the driver's
/// aside leaves its own behind: whoever sends the request then has it call into a stack that is gone.
///
/// # Errors
/// What refuses the request.
pub(crate) fn submit_sync(
    m: &mut Machine,
    request: Request,
    target: IoTarget,
    options: SendOptions,
    calls_routine: bool,
) -> Result<NtStatus, NtStatus> {
    let driver = target.body(m).driver;
    let state = parts_of(m, request).state;
    let shown = state.shown(request);
    trace(m, driver, &sites::SUBMIT_SYNC, [target.object().handle(), shown]);
    let state = parts_of(m, request).state;
    let before = std::mem::replace(&mut state.routine, Routine::Waiter);
    let original = if calls_routine { before } else { Routine::None };
    let outer = state.waiter.replace(Waiter { original, status: None });
    let submitted = submit(m, request, target, options.without_timeout());
    let mut action = match submitted {
        Ok(Submitted::Send(_)) => SEND,
        Ok(Submitted::Queued) => QUEUED,
        Err(_) => 0,
    };
    action |= if options.limit(m).is_some() { TIMEOUT } else { 0 };
    action |= if calls_routine { CALL_COMPLETION } else { 0 };
    trace(m, driver, &sites::SUBMIT_SYNC_ACTION, [shown, action]);
    let submitted = submitted.inspect_err(|_| {
        let state = parts_of(m, request).state;
        state.waiter = outer;
        if calls_routine {
            state.routine = before;
        }
    })?;
    // Its own reference, so that its completion routine may delete it.
    request.object().add_reference(m);
    if let Submitted::Send(irp) = submitted {
        trace(m, driver, &sites::SUBMIT_SYNC_SENDING, [shown, irp.address()]);
        target.send_irp(m, irp);
    }
    wait_until_back(m, request, options);
    let ended = std::mem::replace(&mut parts_of(m, request).state.waiter, outer);
    request.release(m);
    Ok(ended.and_then(|waiter| waiter.status).unwrap_or_default())
}

fn wait_until_back(m: &mut Machine, request: Request, options: SendOptions) {
    let is_back = move |m: &Machine| {
        let waiter = peek_state::<SendState>(m, request).and_then(|state| state.waiter.as_ref());
        waiter.is_none_or(|waiter| waiter.status.is_some())
    };
    if is_back(m) {
        return;
    }
    require_passive(m);
    let limit = options.limit(m);
    if limit.is_some_and(|after| !m.wait_at_most(after, is_back)) {
        parts_of(m, request).state.timed_out = true;
        cancel::cancel(m, request);
    }
    m.wait("a request that was sent synchronously", is_back);
}

/// _SyncCompletionRoutine.
pub(crate) fn waiter_called(m: &mut Machine, request: Request, target: IoTarget, params: &CompletionParams) {
    let exit = m.exit();
    let mut fx = take_fx(m);
    let Parts { state, .. } = parts(&mut fx, request);
    let Some(mut waiter) = state.waiter.take() else { exit.undefined("WdfRequestSend", DANGLING) };
    waiter.status = Some(params.io_status.status);
    match waiter.original {
        Routine::None => {}
        // It may send the request again, even synchronously.
        Routine::Driver(routine, context) => routine(m, request, target, params, context),
        Routine::Waiter => exit.undefined("WdfRequestSend", DANGLING),
    }
    parts_of(m, request).state.waiter = Some(waiter);
}

const DANGLING: &str = "a request that a synchronous call could not send gets a completion routine before it is sent \
                        again: the framework's own is still in it, with a context on a stack that is gone";
