//! Formatting: before every send, with what the target needs, and not afterwards.

use vbus::iotarget::{Data, SendOptions, SendRequest};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, Machine};

use crate::completing::forward;
use crate::framework::{FRAMEWORK, Framework, Lower, came_back, driver, target};
use crate::rig::{Party, WrongDriver, wrong_drivers};

wrong_drivers! {
    "Formatting"
    formats_a_request_that_is_out = WHILE_OUT;
    sends_what_its_format_call_refused = IGNORED;
    forwards_with_too_few_locations_through_a_format_call = TOO_FEW;
    forwards_with_too_few_locations_by_hand = BY_HAND;
    formats_a_request_of_its_own_that_has_no_irp = NO_IRP;
}

/// A second request that the driver sends for the program's one.
fn own_request(m: &mut Machine, request: Request) -> Request {
    let target = target(m);
    let own = target.create_request(m, Attributes::none()).expect("there is memory");
    format_own(m, own);
    own.set_completion_routine(
        m,
        |m, own, _, params, context| {
            let request = Request::from_context(context).expect("the routine was given a request");
            own.delete(m);
            request.complete(m, params.io_status.status);
        },
        request.to_context(),
    );
    own
}

fn format_own(m: &mut Machine, own: Request) {
    const CODE: vbus::wdm::IoctlCode = vbus::wdm::IoctlCode(0x0022_2000);
    let target = target(m);
    target.format_ioctl(m, own, CODE, Data::None, Data::None).expect("an IRP of its own is deep enough");
}

const WHILE_OUT: WrongDriver = WrongDriver {
    rules: &["InvalidReqAccess"],
    windows: "The format call finds the IRP too far down, frees it under the driver below, and makes a new one; the \
              driver below completes what is not there.",
    wrong: Party::Framework(Framework {
        serve: |m, _, request| {
            let (own, target) = (own_request(m, request), target(m));
            own.send(m, target, SendOptions::none());
            format_own(m, own);
        },
        lower: Lower::AnswersLater,
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework {
        serve: |m, _, request| {
            let (own, target) = (own_request(m, request), target(m));
            own.send(m, target, SendOptions::none());
        },
        lower: Lower::AnswersLater,
        ..FRAMEWORK
    }),
};

/// The driver's device gets the locations that its target's stack needs, as WdfDeviceWdmGetDeviceObject allows.
fn raise_stack_size(m: &mut Machine, device: Device) {
    let object = device.device_object(m);
    m[object].stack_size += 2;
}

const IGNORED: WrongDriver = WrongDriver {
    rules: &["RequestFormattedValid"],
    windows: "Without the verifier the request goes out as it is: a location of zeros is IRP_MJ_CREATE, for which \
              the stack below has as few locations as for anything else. The verifier refuses the send.",
    wrong: Party::Framework(Framework {
        serve: |m, _, request| {
            let (target, code) = (target(m), request.ioctl_code(m).expect("the program sends a control request"));
            _ = target.format_ioctl(m, request, code, Data::Request, Data::Request);
            request.set_completion_routine(m, came_back, Context(0));
            if !request.send(m, target, SendOptions::none()) {
                let status = request.status(m);
                request.complete(m, status);
            }
        },
        filters: 1,
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework { add: raise_stack_size, serve: forward, filters: 1, ..FRAMEWORK }),
};

const TOO_FEW: WrongDriver = WrongDriver {
    rules: &["RequestFormattedValid"],
    windows: "The format call fails with STATUS_REQUEST_NOT_ACCEPTED: the framework did not allocate the IRP and may not \
              replace it by a bigger one.",
    wrong: Party::Framework(Framework {
        serve: |m, _, request| {
            let (target, code) = (target(m), request.ioctl_code(m).expect("the program sends a control request"));
            if let Err(status) = target.format_ioctl(m, request, code, Data::Request, Data::Request) {
                return request.complete(m, status);
            }
            request.set_completion_routine(m, came_back, Context(0));
            request.send(m, target, SendOptions::none());
        },
        filters: 2,
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework { add: raise_stack_size, serve: forward, filters: 2, ..FRAMEWORK }),
};

/// WdfRequestFormatRequestUsingCurrentType looks at no target.
fn forward_by_hand(m: &mut Machine, _: Queue, request: Request) {
    let target = target(m);
    request.format_using_current_type(m);
    request.set_completion_routine(m, came_back, Context(0));
    if !request.send(m, target, SendOptions::none()) {
        let status = request.status(m);
        request.complete(m, status);
    }
}

const BY_HAND: WrongDriver = WrongDriver {
    rules: &["IRP stack locations (0xC9/0x208)"],
    windows: "The driver that finds no location left writes in front of the array, into the IRP itself, and \
              IoCallDriver stops with bug check 0x35. The verifier refuses the send.",
    wrong: Party::Framework(Framework { serve: forward_by_hand, filters: 2, ..FRAMEWORK }),
    repaired: Party::Framework(Framework { add: raise_stack_size, serve: forward_by_hand, filters: 2, ..FRAMEWORK }),
};

const NO_IRP: WrongDriver = WrongDriver {
    rules: &["RequestFormattedValid"],
    windows: "WDF_VIOLATION 6/2, always: a request that was created without a target has no IRP before the first format \
              call of a target.",
    wrong: Party::Framework(Framework {
        serve: |m, _, request| {
            let (driver, target) = (driver(m), target(m));
            let own = Request::create(m, driver, Attributes::none()).expect("there is memory");
            own.format_using_current_type(m);
            own.send(m, target, SendOptions::synchronous());
            own.delete(m);
            request.complete(m, STATUS_SUCCESS);
        },
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework {
        serve: |m, _, request| {
            let (driver, target) = (driver(m), target(m));
            let own = Request::create(m, driver, Attributes::none()).expect("there is memory");
            format_own(m, own);
            own.send(m, target, SendOptions::synchronous());
            own.delete(m);
            request.complete(m, STATUS_SUCCESS);
        },
        ..FRAMEWORK
    }),
};
