//! Cancelling: whoever takes the cancel routine away completes the request, and nobody else.

use vbus::iotarget::{SendOptions, SendRequest};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, Machine, Ticks};

use crate::framework::{FRAMEWORK, Framework, Lower, answer, format, target};
use crate::rig::{Party, Program, WrongDriver, wrong_drivers};

wrong_drivers! {
    "Cancelling"
    completes_a_request_that_is_still_cancelable = STILL_MARKED;
    completes_although_unmarking_said_cancelled = SAID_CANCELLED;
    marks_a_request_cancelable_twice = TWICE;
    sends_a_request_that_it_marked_cancelable = SENT;
    does_not_complete_what_was_cancelled = NEVER;
    asks_whether_a_cancelable_request_is_cancelled = ASKS;
}

/// EvtRequestCancel.
fn cancelled(m: &mut Machine, request: Request) {
    request.complete(m, STATUS_CANCELLED);
}

/// What the driver does with the request half a second later.
fn soon(m: &mut Machine, request: Request, act: fn(&mut Machine, Context)) {
    m.set_timer(Ticks::from_millis(500), act, request.to_context());
}

fn request(context: Context) -> Request {
    Request::from_context(context).expect("the timer was given a request")
}

const STILL_MARKED: WrongDriver = WrongDriver {
    rules: &["ReqNotCanceledLocal", "IrpCancelField"],
    windows: "The IRP is completed with its cancel routine set: a cancel that comes in between calls it for a request \
              that is gone. The verifier says so and goes on.",
    wrong: Party::Framework(Framework {
        serve: |m, queue, request| {
            request.mark_cancelable(m, cancelled);
            answer(m, queue, request);
        },
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework {
        serve: |m, queue, request| {
            request.mark_cancelable(m, cancelled);
            if request.unmark_cancelable(m).is_ok() {
                answer(m, queue, request);
            }
        },
        ..FRAMEWORK
    }),
};

const SAID_CANCELLED: WrongDriver = WrongDriver {
    rules: &["CompleteCanceledReq"],
    windows: "WdfRequestUnmarkCancelable says STATUS_CANCELLED, which means that EvtRequestCancel has or will have the \
              request: it is completed twice.",
    wrong: Party::Framework(Framework {
        serve: |m, _, request| {
            request.object().reference(m);
            request.mark_cancelable(m, cancelled);
            soon(m, request, |m, context| {
                let request = self::request(context);
                _ = request.unmark_cancelable(m);
                request.complete(m, STATUS_SUCCESS);
                request.object().dereference(m);
            });
        },
        program: Program::Cancels,
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework {
        serve: |m, _, request| {
            request.mark_cancelable(m, |m, request| {
                request.object().reference(m);
                cancelled(m, request);
            });
            request.object().reference(m);
            request.object().dereference(m);
        },
        program: Program::Cancels,
        ..FRAMEWORK
    }),
};

const TWICE: WrongDriver = WrongDriver {
    rules: &["MarkCancOnCancReqLocal"],
    windows: "Without the verifier the second routine replaces the first, unseen; with it the call is refused with a line \
              and a break.",
    wrong: Party::Framework(Framework {
        serve: |m, _, request| {
            request.mark_cancelable(m, cancelled);
            request.mark_cancelable(m, |m, request| request.complete(m, STATUS_UNSUCCESSFUL));
        },
        program: Program::Cancels,
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework {
        serve: |m, _, request| request.mark_cancelable(m, cancelled),
        program: Program::Cancels,
        ..FRAMEWORK
    }),
};

fn send(m: &mut Machine, request: Request) {
    let target = target(m);
    if !(format(m, request).is_ok() && request.send(m, target, SendOptions::none())) {
        request.complete(m, STATUS_UNSUCCESSFUL);
    }
}

const SENT: WrongDriver = WrongDriver {
    rules: &["ReqMarkCancelableSend"],
    windows: "Nobody looks. The cancel routine of the driver below replaces the framework's, so that EvtRequestCancel \
              never comes; with a driver below that sets none, it comes for a request that is out.",
    wrong: Party::Framework(Framework {
        serve: |m, _, request| {
            request.mark_cancelable(m, cancelled);
            send(m, request);
        },
        lower: Lower::AnswersLater,
        program: Program::Cancels,
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework {
        serve: |m, _, request| send(m, request),
        lower: Lower::AnswersLater,
        program: Program::Cancels,
        ..FRAMEWORK
    }),
};

const NEVER: WrongDriver = WrongDriver {
    rules: &["DeferredRequestCompleted"],
    windows: "The cancel is a request to complete, and nothing does: the program cannot end.",
    wrong: Party::Framework(Framework {
        serve: |m, _, request| request.mark_cancelable(m, |_, _| {}),
        program: Program::Cancels,
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework {
        serve: |m, _, request| request.mark_cancelable(m, cancelled),
        program: Program::Cancels,
        ..FRAMEWORK
    }),
};

const ASKS: WrongDriver = WrongDriver {
    rules: &["ReqIsCancOnCancReq"],
    windows: "The answer may be wrong a moment later, and EvtRequestCancel runs anyway. The verifier refuses the \
              question with a line and a break.",
    wrong: Party::Framework(Framework {
        serve: |m, queue, request| {
            request.mark_cancelable(m, cancelled);
            if !request.is_cancelled(m) && request.unmark_cancelable(m).is_ok() {
                answer(m, queue, request);
            }
        },
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework {
        serve: |m, queue, request| {
            if request.is_cancelled(m) {
                return request.complete(m, STATUS_CANCELLED);
            }
            answer(m, queue, request);
        },
        ..FRAMEWORK
    }),
};
