//! Requests that are completed, reused, deleted or handed on in the wrong state.

use vbus_wdf::sites;
use vbus_wdm::constants::*;

use super::{Cause, Numbers};

pub(super) static TABLE: &[Cause] = &[
    Cause {
        id: "completed-twice",
        title: "a request was used that the driver no longer owns",
        call: "WdfRequestComplete or another call on the request",
        status: Some(STATUS_INVALID_DEVICE_REQUEST),
        sites: &[&sites::REQUEST_NOT_OWNED, &sites::REQUEST_IS_COMPLETED, &sites::GET_IRP_COMPLETED],
        verifier_only: true,
        why: &[
            "the request was completed, handed to a queue or is out at a target; the verifier ignores the call",
            "without the verifier this is undefined, and bug check 0x44 (an IRP completed twice) if it gets that far",
        ],
        help: &[
            "find the two paths that both complete it: typically a cancel or timeout callback and the ordinary one. \
             WdfRequestUnmarkCancelable decides who may",
        ],
        source: "S/core/fxrequest.cpp:2785-2812",
        ..Cause::DEFAULT
    },
    Cause {
        id: "irp-completed-twice",
        title: "an IRP was completed twice",
        call: "IoCompleteRequest",
        stops: &[(0x44, &[])],
        numbers: Numbers::Irp,
        why: &[
            "two drivers believe that they own the IRP, or one completed it and then its copy; the one that the debugger shows is \
             the second",
        ],
        help: &[
            "turn the framework's verifier on for the KMDF drivers of the stack (VerifierOn = 1): it finds the second completion \
             before the I/O manager does, with the request in its line. For WDM drivers, Driver Verifier's I/O verification",
        ],
        source: "bug check 0x44; IofCompleteRequest",
        ..Cause::DEFAULT
    },
    Cause {
        id: "completed-cancelable",
        title: "a request was completed while it was marked cancelable",
        call: "WdfRequestComplete",
        sites: &[&sites::REQUEST_COMPLETED_CANCELABLE, &sites::REQUEST_CANCELABLE],
        verifier_only: true,
        why: &["its cancel callback may run at any moment until it is unmarked, and would complete it a second time"],
        help: &[
            "call WdfRequestUnmarkCancelable first, and complete only if that did not return STATUS_CANCELLED: then the cancel \
             callback does it",
        ],
        source: "S/core/fxrequest.cpp:379-430",
        ..Cause::DEFAULT
    },
    Cause {
        id: "memory-still-used",
        title: "a request was completed while somebody uses its buffer",
        call: "WdfRequestComplete",
        sites: &[&sites::REQUEST_MEMORY_LENT],
        stops: &[(0x10D, &[3])],
        why: &[
            "the WDFMEMORY of a request's buffer goes with its IRP; another request that was formatted with it, or a reference, still \
             holds it",
        ],
        help: &[
            "complete the original only in the completion routine of the request that uses its memory, and after WdfRequestReuse or \
             WdfObjectDelete of that one; drop references that WdfObjectReference took",
        ],
        source: "S/core/fxrequest.cpp:775-814",
        ..Cause::DEFAULT
    },
    Cause {
        id: "too-much-information",
        title: "a request was completed with more bytes than its buffer has",
        call: "WdfRequestCompleteWithInformation",
        sites: &[&sites::REQUEST_TOO_MUCH_INFORMATION],
        stops: &[(0x10D, &[6, 4])],
        verifier_only: true,
        why: &["Information says how many bytes are copied back; it is more than the output length"],
        help: &[
            "limit it to the length that WdfRequestRetrieveOutputBuffer gave; a needed size goes into the buffer, not here",
        ],
        source: "S/core/fxrequest.cpp:440-510",
        ..Cause::DEFAULT
    },
    Cause {
        id: "used-while-sent",
        title: "a request was reused or deleted while it was out at a target",
        call: "WdfRequestReuse or WdfObjectDelete",
        sites: &[&sites::REUSE_WHILE_SENT, &sites::DELETE_WHILE_SENT],
        verifier_only: true,
        why: &["its IRP belongs to the drivers below until the completion routine runs"],
        help: &["cancel it (WdfRequestCancelSentRequest), and reuse or delete it in its completion routine"],
        source: "S/core/fxrequest.cpp:2160-2175, S/core/fxrequestbase.cpp:185-200",
        ..Cause::DEFAULT
    },
    Cause {
        id: "not-in-a-queue",
        title: "a request that is in no queue was handled as if it were",
        call: "WdfRequestMarkCancelable, WdfRequestUnmarkCancelable, WdfRequestRequeue or a forward",
        status: Some(STATUS_INVALID_DEVICE_REQUEST),
        sites: &[
            &sites::MARK_WITHOUT_QUEUE,
            &sites::MARK_EX_WITHOUT_QUEUE,
            &sites::UNMARK_WITHOUT_QUEUE,
            &sites::FORWARD_PARENT_WITHOUT_QUEUE,
        ],
        why: &[
            "only requests that a queue presented can be marked, requeued and forwarded; this one the driver created",
        ],
        help: &["cancel the driver's own request with WdfRequestCancelSentRequest instead"],
        source: "S/core/fxrequestapi.cpp:3030-3590",
        ..Cause::DEFAULT
    },
    Cause {
        id: "forward-not-allowed",
        title: "a child's request was forwarded to its parent without the child's consent",
        call: "WdfRequestForwardToParentDeviceIoQueue",
        status: Some(STATUS_INVALID_DEVICE_REQUEST),
        sites: &[&sites::FORWARD_NOT_ALLOWED],
        verifier_only: true,
        why: &[
            "the PDO needs as many more stack locations as its parent's stack has, and gets them only when it asks for them",
        ],
        help: &["call WdfPdoInitAllowForwardingRequestToParent before the child's WdfDeviceCreate"],
        source: "S/irphandlers/io/fxioqueue.cpp:1594; S/core/km/fxdevicekm.cpp:301",
        ..Cause::DEFAULT
    },
    Cause {
        id: "forward-elsewhere",
        title: "a request was forwarded to a queue that it cannot go to",
        call: "WdfRequestForwardToIoQueue or WdfRequestForwardToParentDeviceIoQueue",
        status: Some(STATUS_INVALID_DEVICE_REQUEST),
        sites: &[
            &sites::FORWARD_TO_OTHER_DEVICE,
            &sites::FORWARD_NOT_PARENT,
            &sites::FORWARD_TO_ITSELF,
            &sites::FORWARD_PARENT_TO_ITSELF,
            &sites::FORWARD_NO_PARENT,
        ],
        verifier_only: true,
        why: &[
            "a request's IRP is in the stack of the device that it came to: it can go to another queue of that device, to the \
             parent's if the child allows it, and to any other device only through an I/O target",
        ],
        help: &["send it through an I/O target of the other device, or forward it within its own"],
        source: "S/irphandlers/io/fxioqueue.cpp:1379-1620",
        ..Cause::DEFAULT
    },
    Cause {
        id: "forward-reserved",
        title: "a reserved request was forwarded to the parent's queue",
        call: "WdfRequestForwardToParentDeviceIoQueue",
        status: Some(STATUS_INVALID_DEVICE_REQUEST),
        sites: &[&sites::FORWARD_RESERVED],
        verifier_only: true,
        why: &[
            "the child's queue keeps this request for when memory is short and uses it again; it cannot become the parent's",
        ],
        help: &[
            "handle a request that WdfRequestIsReserved says it of in the child, and give the parent's queue a forward progress \
             policy of its own",
        ],
        source: "S/irphandlers/io/fxioqueue.cpp:1552-1563",
        ..Cause::DEFAULT
    },
    Cause {
        id: "requeue-not-manual",
        title: "a request was put back into a queue that is not manual",
        call: "WdfRequestRequeue",
        status: Some(STATUS_INVALID_DEVICE_REQUEST),
        sites: &[&sites::REQUEUE_NOT_MANUAL],
        why: &[
            "a queue that presents by itself would present it again at once; only a manual queue takes requests back",
        ],
        help: &["forward it to a manual queue (WdfRequestForwardToIoQueue) and retrieve it from there"],
        source: "S/irphandlers/io/fxioqueue.cpp:1958",
        ..Cause::DEFAULT
    },
    Cause {
        id: "wdf-status",
        title: "a request was completed with a status of the framework's own, which is not for programs",
        call: "WdfRequestComplete",
        sites: &[&sites::REQUEST_CONVERT],
        why: &[
            "statuses 0xC02002xx are between the framework and the driver; on the way out they are translated, and the one that the \
             program sees (the line after this one) is another",
        ],
        help: &[
            "complete with a status that means something to the program: such a status is usually one that a DDI returned",
        ],
        source: "S/core/fxrequest.cpp:632-669",
        ..Cause::DEFAULT
    },
    Cause {
        id: "no-handler",
        title: "the device has no queue or no callback for this request",
        call: "the framework's own dispatching",
        status: Some(STATUS_INVALID_DEVICE_REQUEST),
        sites: &[&sites::IO_NO_QUEUE, &sites::IO_ENQUEUE_NO_QUEUE, &sites::QUEUE_NO_CALLBACK],
        why: &[
            "the framework looks for a queue configured for the request's type, then for the default queue, then in that queue for a \
             callback of the type or EvtIoDefault; an FDO without one fails the request",
        ],
        help: &[
            "create a default queue, or set the callback. An internal IOCTL needs EvtIoInternalDeviceControl: EvtIoDeviceControl is \
             not called for it",
        ],
        source: "S/irphandlers/io/fxpkgio.cpp:166-300, S/irphandlers/io/fxioqueue.cpp:3135",
        ..Cause::DEFAULT
    },
    Cause {
        id: "no-memory-for-request",
        title: "there was no memory for a request, and its queue has none in reserve",
        call: "the framework's own dispatching",
        status: Some(STATUS_INSUFFICIENT_RESOURCES),
        sites: &[&sites::IO_NO_REQUEST, &sites::GENERAL_NO_REQUEST],
        why: &[
            "the framework makes a WDFREQUEST for every IRP that comes; without memory for it the IRP fails before the driver hears of \
             it",
        ],
        help: &[
            "a device that memory itself depends on, as one that is paged to, assigns its queue a forward progress policy \
             (WdfIoQueueAssignForwardProgressPolicy): reserved requests for reads, writes and controls. A create has none",
        ],
        source: "S/irphandlers/io/fxpkgio.cpp:402-424, S/irphandlers/general/fxpkggeneral.cpp:1061-1070",
        ..Cause::DEFAULT
    },
    Cause {
        id: "reserve-refused",
        title: "there was no memory for a request, and its queue's policy keeps the reserved ones for others",
        call: "the framework's own dispatching",
        sites: &[&sites::PROGRESS_FAILS, &sites::PROGRESS_INVALID_ACTION],
        why: &[
            "a queue with WdfIoForwardProgressReservedPolicyPagingIO has reserved requests for IRPs with IRP_PAGING_IO only, one with \
             UseExamine for those that the driver's EvtIoWdmIrpForForwardProgress says it of; the others fail",
        ],
        help: &[
            "if this IRP has to go on: return WdfIoForwardProgressActionUseReservedRequest for it, or use the policy \
             AlwaysUseReservedRequest. No other value than that and WdfIoForwardProgressActionFailRequest is an answer",
        ],
        source: "S/irphandlers/io/km/fxioqueuekm.cpp:353-416",
        ..Cause::DEFAULT
    },
];
