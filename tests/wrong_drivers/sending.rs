//! Sending: TRUE means that the request is somebody else's, FALSE that it is not.

use vbus::iotarget::{SendOptions, SendRequest};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, Machine, Ticks};

use crate::completing::forward;
use crate::framework::{FRAMEWORK, Framework, Lower, answer, driver, format, parts, target};
use crate::rig::{Party, WrongDriver, wrong_drivers};

wrong_drivers! {
    "Sending"
    loses_the_request_that_a_target_refuses = REFUSED;
    sends_a_request_that_is_out_already = TWICE;
    sends_the_programs_request_without_a_completion_routine = NO_ROUTINE;
    sends_a_request_that_it_has_completed = AFTER_COMPLETE;
    waits_without_a_limit_for_a_device_that_does_not_answer = NO_LIMIT;
    sends_while_it_holds_the_lock_that_its_routine_takes = UNDER_LOCK;
}

/// The target is purged, as before the device below is stopped.
fn purged(m: &mut Machine) {
    let target = target(m);
    target.purge(m, false);
}

const REFUSED: WrongDriver = WrongDriver {
    rules: &["ReqSendFail"],
    windows: "WdfRequestSend says FALSE and the request is still the driver's, which forgets it: the program waits for \
              ever.",
    wrong: Party::Framework(Framework {
        serve: |m, queue, request| {
            if format(m, request).is_err() {
                return answer(m, queue, request);
            }
            purged(m);
            let target = target(m);
            request.send(m, target, SendOptions::none());
        },
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework {
        serve: |m, queue, request| {
            if format(m, request).is_err() {
                return answer(m, queue, request);
            }
            let target = target(m);
            if !request.send(m, target, SendOptions::none()) {
                let status = request.status(m);
                request.complete(m, status);
            }
        },
        ..FRAMEWORK
    }),
};

const TWICE: WrongDriver = WrongDriver {
    rules: &["WDF_VIOLATION 6/3", "InvalidReqAccess"],
    windows: "WDF_VIOLATION 6/3, always.",
    wrong: Party::Framework(Framework {
        serve: |m, queue, request| {
            forward(m, queue, request);
            let target = target(m);
            request.send(m, target, SendOptions::none());
        },
        lower: Lower::AnswersLater,
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework { serve: forward, lower: Lower::AnswersLater, ..FRAMEWORK }),
};

const NO_ROUTINE: WrongDriver = WrongDriver {
    rules: &["ReqCompletionRoutine"],
    windows: "The send is refused with STATUS_INVALID_DEVICE_REQUEST and a line: the IRP would go past its request on \
              the way back.",
    wrong: Party::Framework(Framework {
        serve: |m, _, request| {
            let target = target(m);
            request.format_using_current_type(m);
            if !request.send(m, target, SendOptions::none()) {
                let status = request.status(m);
                request.complete(m, status);
            }
        },
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework {
        serve: |m, _, request| {
            let target = target(m);
            if !request.send(m, target, SendOptions::send_and_forget()) {
                let status = request.status(m);
                request.complete(m, status);
            }
        },
        ..FRAMEWORK
    }),
};

const AFTER_COMPLETE: WrongDriver = WrongDriver {
    rules: &["InvalidReqAccess"],
    windows: "The request has no IRP any more, if the handle's memory still is a request: undefined, with the verifier \
              too.",
    wrong: Party::Framework(Framework {
        serve: |m, queue, request| {
            if format(m, request).is_ok() {
                answer(m, queue, request);
            }
            let target = target(m);
            request.send(m, target, SendOptions::none());
        },
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework { serve: forward, ..FRAMEWORK }),
};

fn send_and_wait(m: &mut Machine, request: Request, options: SendOptions) {
    let target = target(m);
    if format(m, request).is_ok() {
        request.clear_completion_routine(m);
        request.send(m, target, options);
    }
    let (status, information) = (request.status(m), request.information(m));
    request.complete_with_information(m, status, information);
}

const NO_LIMIT: WrongDriver = WrongDriver {
    rules: &["SyncReqSend", "SyncReqSend2"],
    windows: "The driver's thread waits for ever, and whoever waits for it.",
    wrong: Party::Framework(Framework {
        serve: |m, _, request| send_and_wait(m, request, SendOptions::synchronous()),
        lower: Lower::Holds,
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework {
        serve: |m, _, request| {
            send_and_wait(m, request, SendOptions::synchronous().with_timeout(Ticks::from_millis(100)));
        },
        lower: Lower::Holds,
        ..FRAMEWORK
    }),
};

fn create_lock(m: &mut Machine, _: Device) {
    let driver = driver(m);
    let lock = SpinLock::create(m, driver, Attributes::none()).expect("there is memory");
    parts(m).lock = Some(lock);
}

fn lock(m: &mut Machine) -> SpinLock {
    parts(m).lock.expect("EvtDriverDeviceAdd made the lock")
}

/// Formats the request to come back under the lock.
fn format_to_count(m: &mut Machine, request: Request) -> bool {
    let formatted = format(m, request).is_ok();
    request.set_completion_routine(
        m,
        |m, request, _, params, _| {
            let lock = lock(m);
            lock.acquire(m);
            lock.release(m);
            request.complete_with_information(m, params.io_status.status, params.io_status.information);
        },
        Context(0),
    );
    formatted
}

const UNDER_LOCK: WrongDriver = WrongDriver {
    rules: &["ReqSendWhileSpinlock", "WdfSpinlock"],
    windows: "A device that answers at once calls the completion routine inside WdfRequestSend, which takes the lock \
              again: the processor hangs.",
    wrong: Party::Framework(Framework {
        add: create_lock,
        serve: |m, queue, request| {
            if !format_to_count(m, request) {
                return answer(m, queue, request);
            }
            let (lock, target) = (lock(m), target(m));
            lock.acquire(m);
            let sent = request.send(m, target, SendOptions::none());
            lock.release(m);
            if !sent {
                request.complete(m, STATUS_UNSUCCESSFUL);
            }
        },
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework {
        add: create_lock,
        serve: |m, queue, request| {
            if !format_to_count(m, request) {
                return answer(m, queue, request);
            }
            let target = target(m);
            if !request.send(m, target, SendOptions::none()) {
                request.complete(m, STATUS_UNSUCCESSFUL);
            }
        },
        ..FRAMEWORK
    }),
};
