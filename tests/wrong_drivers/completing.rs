//! Completing: once, what is the driver's, with what is true.

use vbus::iotarget::{Data, SendOptions, SendRequest};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, Machine};

use crate::framework::{FRAMEWORK, Framework, Lower, answer, format, target};
use crate::rig::{PONG, Party, WrongDriver, wrong_drivers};

wrong_drivers! {
    "Completing"
    completes_a_request_twice = TWICE;
    forgets_to_complete_on_an_error_path = ERROR_PATH;
    says_that_it_returned_more_than_there_is_room_for = TOO_MUCH;
    completes_a_request_that_it_made_itself = OWN;
    completes_a_request_whose_memory_another_one_still_uses = MEMORY;
    completes_a_request_that_is_still_out = STILL_OUT;
    asks_a_request_that_it_has_completed = ASKS;
}

const TWICE: WrongDriver = WrongDriver {
    rules: &["DoubleCompletion", "DoubleCompletionLocal"],
    windows: "The second WdfRequestComplete gets a handle whose object is gone: whatever is in that memory now is taken \
              for a request. The verifier refuses the call, as long as somebody's reference keeps the object.",
    wrong: Party::Framework(Framework {
        serve: |m, queue, request| {
            // Somebody has a reference, which is what the verifier needs to see anything.
            request.object().reference(m);
            if request.ioctl_code(m).is_some() {
                answer(m, queue, request);
            }
            request.complete(m, STATUS_INVALID_DEVICE_REQUEST);
        },
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework {
        serve: |m, queue, request| match request.ioctl_code(m) {
            Some(_) => answer(m, queue, request),
            None => request.complete(m, STATUS_INVALID_DEVICE_REQUEST),
        },
        ..FRAMEWORK
    }),
};

const ERROR_PATH: WrongDriver = WrongDriver {
    rules: &["RequestCompleted", "RequestCompletedLocal"],
    windows: "Nothing happens any more: the program waits, cannot be ended, and its device cannot be removed.",
    wrong: Party::Framework(Framework {
        serve: |m, queue, request| {
            if request.input_buffer(m, 64).is_err() {
                return;
            }
            answer(m, queue, request);
        },
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework {
        serve: |m, queue, request| match request.input_buffer(m, 64) {
            Ok(_) => answer(m, queue, request),
            Err(status) => request.complete(m, status),
        },
        ..FRAMEWORK
    }),
};

const TOO_MUCH: WrongDriver = WrongDriver {
    rules: &["WDF_VIOLATION 6/4"],
    windows: "The I/O manager copies as many bytes of the system buffer to the program as Information says, behind the \
              end of both: kernel memory leaks. The verifier stops with WDF_VIOLATION 6/4.",
    wrong: Party::Framework(Framework {
        serve: |m, _, request| request.complete_with_information(m, STATUS_SUCCESS, 64),
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework { serve: answer, ..FRAMEWORK }),
};

/// A second request that the driver sends for the program's one, which is completed in the routine.
fn sends_its_own(m: &mut Machine, request: Request, routine: vbus::iotarget::CompletionRoutine) {
    let target = target(m);
    let own = target.create_request(m, Attributes::none()).expect("there is memory");
    let (input, output) = (request.input_memory(m), request.output_memory(m));
    let data = |memory: Result<Memory, _>| memory.map_or(Data::None, Data::Memory);
    let code = request.ioctl_code(m).expect("the program sends a control request");
    target.format_ioctl(m, own, code, data(input), data(output)).expect("an IRP of its own is deep enough");
    own.set_completion_routine(m, routine, request.to_context());
    assert!(own.send(m, target, SendOptions::none()), "the target is open");
}

fn program_request(context: Context) -> Request {
    Request::from_context(context).expect("the routine was given a request")
}

const OWN: WrongDriver = WrongDriver {
    rules: &["ReqDelete"],
    windows: "WDF_VIOLATION 7: completing takes away the reference that keeps a created request, under whoever uses it. \
              The verifier refuses the call.",
    wrong: Party::Framework(Framework {
        serve: |m, _, request| {
            sends_its_own(m, request, |m, own, _, params, context| {
                let (status, information) = (params.io_status.status, params.io_status.information);
                own.complete(m, status);
                program_request(context).complete_with_information(m, status, information);
            });
        },
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework {
        serve: |m, _, request| {
            sends_its_own(m, request, |m, own, _, params, context| {
                let (status, information) = (params.io_status.status, params.io_status.information);
                own.delete(m);
                program_request(context).complete_with_information(m, status, information);
            });
        },
        ..FRAMEWORK
    }),
};

const MEMORY: WrongDriver = WrongDriver {
    rules: &["MemAfterReqCompletedIoctl", "BufAfterReqCompletedIoctl", "MdlAfterReqCompletedIoctl"],
    windows: "WDF_VIOLATION 3 with how many references there are, always: the device below would write into the \
              program's buffer after it is gone.",
    wrong: Party::Framework(Framework {
        serve: |m, _, request| {
            sends_its_own(m, request, |m, own, _, _, _| own.delete(m));
            request.complete_with_information(m, STATUS_SUCCESS, PONG.len() as u64);
        },
        lower: Lower::AnswersLater,
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework {
        serve: |m, _, request| {
            sends_its_own(m, request, |m, own, _, params, context| {
                let (status, information) = (params.io_status.status, params.io_status.information);
                own.delete(m);
                program_request(context).complete_with_information(m, status, information);
            });
        },
        lower: Lower::AnswersLater,
        ..FRAMEWORK
    }),
};

/// Sends the request on, and completes it if that fails.
pub fn forward(m: &mut Machine, _: Queue, request: Request) {
    let target = target(m);
    let sent = format(m, request).is_ok() && request.send(m, target, SendOptions::none());
    if !sent {
        let status = request.status(m);
        request.complete(m, status);
    }
}

const STILL_OUT: WrongDriver = WrongDriver {
    rules: &["InvalidReqAccess", "IrpProcessingComplete"],
    windows: "Nobody looks: the IRP goes up from where it is, so that the driver's own completion routine comes and \
              completes the request a second time. The verifier refuses that one.",
    wrong: Party::Framework(Framework {
        serve: |m, queue, request| {
            forward(m, queue, request);
            request.complete_with_information(m, STATUS_SUCCESS, 0);
        },
        lower: Lower::AnswersLater,
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework { serve: forward, lower: Lower::AnswersLater, ..FRAMEWORK }),
};

const ASKS: WrongDriver = WrongDriver {
    rules: &["InvalidReqAccess", "InvalidReqAccessLocal"],
    windows: "The handle's memory may be another request's by now, and the call answers from it. The verifier refuses \
              the question, as long as somebody's reference keeps the object.",
    wrong: Party::Framework(Framework {
        serve: |m, queue, request| {
            request.object().reference(m);
            answer(m, queue, request);
            // It wants to count what it returned.
            _ = request.information(m);
            request.object().dereference(m);
        },
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework {
        serve: |m, queue, request| {
            _ = request.information(m);
            answer(m, queue, request);
        },
        ..FRAMEWORK
    }),
};
