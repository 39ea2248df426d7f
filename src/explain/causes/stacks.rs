//! Stack locations, and what looks like a lack of them: 0xC00000D0 and its neighbours.

use vbus_wdf::sites;
use vbus_wdm::constants::*;

use super::{Cause, Numbers};
use crate::explain::template::{ALREADY_PENDING, NO_TIMER};

pub(super) static TABLE: &[Cause] = &[
    Cause {
        id: "irp-too-small",
        title: "the request's IRP has too few stack locations for the target, and is not the framework's to replace",
        call: "a format call (WdfIoTargetFormatRequestFor…), WdfRequestChangeTarget or a synchronous sender",
        status: Some(STATUS_REQUEST_NOT_ACCEPTED),
        sites: &[&sites::CANNOT_REALLOCATE],
        numbers: Numbers::Locations,
        why: &[
            "a target takes a request when the IRP's CurrentLocation - 1 is at least the StackSize that the target copied from its \
             device when it was opened",
            "the framework replaces an IRP that is too small by a bigger one, but only one that it allocated itself; this one came \
             from a queue (the I/O manager allocated it) or from WdfRequestCreateFromIrp",
            "nothing was sent, so the target's driver has nothing in its log",
        ],
        help: &[
            "or send a request that the driver creates (WdfRequestCreate with the target) and complete the original from its \
             completion routine: the framework gives such a request an IRP that is big enough",
        ],
        source: "S/core/fxrequestbase.cpp:299-379, S/inc/private/common/fxiotarget.hpp:396",
        ..Cause::DEFAULT
    },
    Cause {
        id: "never-formatted",
        title: "the request was sent without having been formatted",
        call: "WdfRequestSend",
        status: Some(STATUS_REQUEST_NOT_ACCEPTED),
        sites: &[&sites::NOT_FORMATTED],
        verifier_only: true,
        why: &[
            "a request is formatted once for each send: completing, failing to format and WdfRequestReuse all undo it",
            "this has nothing to do with stack sizes, although the status is the same",
            "without the verifier the request would have been sent with an empty stack location (IRP_MJ_CREATE)",
        ],
        help: &[
            "call a WdfIoTargetFormatRequestFor… function, check what it returns, and only then send; to pass a request on \
             unchanged, call WdfRequestFormatRequestUsingCurrentType first",
        ],
        source: "S/targets/general/fxiotarget.cpp:1204-1211",
        ..Cause::DEFAULT
    },
    Cause {
        id: "formatted-for-smaller-target",
        title: "the request has too few stack locations for the target that it was sent to",
        call: "WdfRequestSend",
        status: Some(STATUS_REQUEST_NOT_ACCEPTED),
        sites: &[&sites::TOO_FEW_LOCATIONS],
        verifier_only: true,
        numbers: Numbers::Locations,
        why: &[
            "the format call did not find this: it was made for another target with a smaller stack, or was \
             WdfRequestFormatRequestUsingCurrentType, which does not look at the target at all",
            "without the verifier the request would have been sent, and the stack would run out of locations further down \
             (bug check 0x35) if a driver there really needs them",
        ],
        help: &["format the request for the target that it is sent to, after WdfRequestChangeTarget if need be"],
        source: "S/targets/general/fxiotarget.cpp:1224-1238",
        ..Cause::DEFAULT
    },
    Cause {
        id: "target-closed",
        title: "the I/O target is not open",
        call: "a format call (WdfIoTargetFormatRequestFor…), WdfRequestChangeTarget or WdfRequestCreate",
        status: Some(STATUS_INVALID_DEVICE_STATE),
        sites: &[&sites::TARGET_CLOSED],
        numbers: Numbers::TargetState,
        why: &[
            "the target has no stack size: it was never opened, or it was closed since (by the driver, or because its device was \
             about to be removed)",
            "WdfIoTargetGetState is no help: a target that was never opened, or was started after it was closed, says Started",
            "this is tested before the stack sizes, so it says nothing of those",
        ],
        help: &[
            "open the target (WdfIoTargetOpen) before the first request and check what that returns; where the target can be \
             closed for a removal, hold requests back until it is open again",
        ],
        source: "S/core/fxrequestbase.cpp:318-330, S/targets/general/fxiotarget.cpp:54-89",
        ..Cause::DEFAULT
    },
    Cause {
        id: "no-memory-for-irp",
        title: "there was no memory for the bigger IRP that the target needs",
        call: "a format call (WdfIoTargetFormatRequestFor…) or WdfRequestCreate",
        status: Some(STATUS_INSUFFICIENT_RESOURCES),
        sites: &[&sites::IRP_NOT_ALLOCATED],
        why: &[
            "the framework owns this request's IRP and was about to replace it by one with as many locations as the target needs; \
             IoAllocateIrp had no memory",
        ],
        help: &[
            "complete the request with the status, or try again later; Driver Verifier's low resources simulation makes this \
             happen on purpose. A request that is created for its target in advance (WdfRequestCreate with the target) has its IRP",
        ],
        source: "S/core/fxrequestbase.cpp:332-350",
        ..Cause::DEFAULT
    },
    Cause {
        id: "already-sent",
        title: "the request was sent while it was still out at a target",
        call: "WdfRequestSend",
        sites: &[&sites::ALREADY_SENT, &ALREADY_PENDING],
        stops: &[(0x10D, &[6, 3])],
        why: &[
            "between WdfRequestSend (TRUE) and the completion routine a request belongs to the target; sending it again stops the \
             machine, with the verifier and without it",
            "a typical way here: the request is kept across a power-down or a timeout and sent again before the first send came back",
        ],
        help: &["send it again only from its completion routine, or after that has run; to get it back early, call \
             WdfRequestCancelSentRequest and wait for the completion routine. !wdfkd.wdfrequest {request} shows where it is"],
        source: "S/targets/general/fxiotarget.cpp:1213-1223, 1300-1320",
        ..Cause::DEFAULT
    },
    Cause {
        id: "no-locations-left",
        title: "a driver passed an IRP down that has no stack location left for the driver below",
        call: "IoCallDriver",
        stops: &[(0x35, &[])],
        numbers: Numbers::Irp,
        why: &[
            "the I/O manager looks only when the locations are used up: the driver that called is where it ended, not where it went \
             wrong",
            "some device above has a StackSize that is not the StackSize below it + 1, or the IRP was sent to another, deeper stack \
             than the one that it was allocated for",
        ],
        help: &[
            "compare the StackSize of each device of the stack: dt nt!_DEVICE_OBJECT <address> StackSize for each line of !devstack; \
             each must be at least the one below it + 1",
            "an IRP for another stack must have been allocated with that stack's StackSize, or have come in with one location more",
        ],
        source: "bug check 0x35; IofCallDriver",
        ..Cause::DEFAULT
    },
    Cause {
        id: "about-to-run-out",
        title: "Driver Verifier saw an IRP that is about to run out of stack locations",
        call: "IoCallDriver",
        stops: &[(0xC9, &[0x208])],
        verifier_only: true,
        numbers: Numbers::Irp,
        why: &[
            "the IRP has fewer locations left than the stack that it was sent to is deep: it was forwarded from another stack",
            "without Driver Verifier it goes on until the last location is used up, which is bug check 0x35",
        ],
        help: &[
            "raise the StackSize of the device that the IRP first came to, to the StackSize of the device that it is passed to + 1; \
             or allocate an IRP of the driver's own with that StackSize",
        ],
        source: "bug check 0xC9, parameter 0x208",
        ..Cause::DEFAULT
    },
    Cause {
        id: "formatted-below-last-location",
        title: "the request was formatted below its last stack location",
        call: "WdfRequestFormatRequestUsingCurrentType or WdfRequestWdmFormatUsingStackLocation",
        stops: &[(0x10D, &[6, 1])],
        numbers: Numbers::Irp,
        why: &[
            "these calls fill the next location without asking the target how many it needs, and there is no next location: \
             CurrentLocation is 1",
            "the framework writes no line of its own before it stops",
        ],
        help: &[
            "a device at the bottom of its stack (a PDO, a control device) gets IRPs with one location: it cannot pass them on. \
             Raise its StackSize, forward to the parent (WdfRequestForwardToParentDeviceIoQueue), or send a request of its own",
        ],
        source: "S/core/fxrequestapi.cpp:2224-2294; wdfbugcodes.h",
        ..Cause::DEFAULT
    },
    Cause {
        id: "no-irp",
        title: "a request without an IRP was formatted as it is",
        call: "WdfRequestFormatRequestUsingCurrentType or WdfRequestWdmFormatUsingStackLocation",
        stops: &[(0x10D, &[6, 2])],
        why: &[
            "a request from WdfRequestCreate without a target has no IRP until a format function of the target gives it one",
        ],
        help: &["create it with its target, or use a WdfIoTargetFormatRequestFor… function"],
        source: "S/core/fxrequestapi.cpp:2224-2294; wdfbugcodes.h",
        ..Cause::DEFAULT
    },
    Cause {
        id: "no-timer",
        title: "there was no memory for the request's timeout",
        call: "WdfRequestSend",
        status: Some(STATUS_INSUFFICIENT_RESOURCES),
        sites: &[&NO_TIMER],
        why: &[
            "a request that is sent with WDF_REQUEST_SEND_OPTION_TIMEOUT needs a timer, which is allocated when it is sent",
        ],
        help: &["allocate it in advance: WdfRequestAllocateTimer"],
        source: "S/targets/general/fxiotarget.cpp:1340-1355",
        no_scenario: "in the model a request's timer is part of the request: there is no allocation of its own that could fail",
        ..Cause::DEFAULT
    },
];
