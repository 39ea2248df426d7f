//! Targets that do not take a request, and sends that break a rule of their own.

use vbus_wdf::sites;
use vbus_wdm::constants::*;

use super::{Cause, Numbers};

pub(super) static TABLE: &[Cause] = &[
    Cause {
        id: "target-not-accepting",
        title: "the I/O target was {state} when the request was sent",
        call: "WdfRequestSend",
        status: Some(STATUS_INVALID_DEVICE_STATE),
        sites: &[&sites::NOT_ACCEPTING, &sites::CANNOT_IGNORE_STATE],
        numbers: Numbers::TargetState,
        why: &[
            "a started target sends, a stopped one keeps the request until it is started, and one in any other state refuses it: \
             WdfRequestSend returns FALSE and the request is still the driver's",
            "formatting looked only at the target's stack size, so it may have succeeded just before",
        ],
        help: &[
            "complete the request when WdfRequestSend returns FALSE; look for who closed or purged the target (its life is below), \
             and start or open it again before requests are sent",
        ],
        source: "S/targets/general/fxiotarget.cpp:1246-1440",
        ..Cause::DEFAULT
    },
    Cause {
        id: "no-completion-routine",
        title: "a request from a queue was sent without a completion routine",
        call: "WdfRequestSend",
        status: Some(STATUS_INVALID_DEVICE_REQUEST),
        sites: &[&sites::SEND_NO_ROUTINE],
        why: &[
            "the framework keeps the IRP when the lower driver completes it, so somebody must complete the request: a completion \
             routine. Every completion and WdfRequestReuse clear the routine",
        ],
        help: &[
            "call WdfRequestSetCompletionRoutine before each send, or send with WDF_REQUEST_SEND_OPTION_SEND_AND_FORGET or \
             WDF_REQUEST_SEND_OPTION_SYNCHRONOUS",
        ],
        source: "S/core/fxrequestapi.cpp:2000-2020",
        ..Cause::DEFAULT
    },
    Cause {
        id: "forget-own-request",
        title: "a request that the driver created was sent to be forgotten",
        call: "WdfRequestSend with WDF_REQUEST_SEND_OPTION_SEND_AND_FORGET",
        status: Some(STATUS_INVALID_DEVICE_STATE),
        sites: &[&sites::SEND_FORGET_NOT_QUEUED],
        why: &["only a request from a queue has somebody above it who gets the IRP back"],
        help: &["set a completion routine and delete the request there"],
        source: "S/core/fxrequestapi.cpp:1935-1950",
        ..Cause::DEFAULT
    },
    Cause {
        id: "forget-formatted-request",
        title: "a request that was formatted for a target was sent to be forgotten",
        call: "WdfRequestSend with WDF_REQUEST_SEND_OPTION_SEND_AND_FORGET",
        status: Some(STATUS_INVALID_DEVICE_REQUEST),
        sites: &[&sites::SEND_FORGET_FORMATTED],
        why: &[
            "what a format function put into the IRP has to be taken out again when it is done, and nobody would be there",
        ],
        help: &[
            "pass it on as it is (no format, or WdfRequestFormatRequestUsingCurrentType), or send it with a completion routine",
        ],
        source: "S/core/fxrequestapi.cpp:1952-1970",
        ..Cause::DEFAULT
    },
    Cause {
        id: "send-options",
        title: "the options of the send contradict each other",
        call: "WdfRequestSend",
        status: Some(STATUS_INVALID_PARAMETER),
        sites: &[
            &sites::SEND_OPTIONS,
            &sites::SEND_IO_OPTIONS,
            &sites::SEND_IOCTL_OPTIONS,
            &sites::SEND_OTHERS_OPTIONS,
        ],
        why: &[
            "WDF_REQUEST_SEND_OPTION_SEND_AND_FORGET goes with no other option, and the structure's size must be right",
        ],
        help: &["initialise it with WDF_REQUEST_SEND_OPTIONS_INIT and take one of the two"],
        source: "S/inc/private/common/fxrequestvalidatefunctions.hpp:60-110",
        ..Cause::DEFAULT
    },
    Cause {
        id: "memory-offsets",
        title: "the offsets of a buffer go beyond its memory",
        call: "a format call (WdfIoTargetFormatRequestFor…)",
        status: Some(STATUS_INTEGER_OVERFLOW),
        sites: &[
            &sites::FORMAT_IOCTL_INPUT,
            &sites::FORMAT_IOCTL_OUTPUT,
            &sites::FORMAT_IO_OFFSETS,
            &sites::OTHERS_OFFSETS,
            &sites::DESCRIPTOR_OFFSETS,
        ],
        why: &["BufferOffset + BufferLength of a WDFMEMORY_OFFSET is more than the WDFMEMORY holds"],
        help: &["a BufferLength of 0 means the rest of the memory; compare with WdfMemoryGetBuffer's size"],
        source: "S/targets/general/fxiotargetapi.cpp:1300-1335",
        ..Cause::DEFAULT
    },
    Cause {
        id: "open-failed",
        title: "the I/O target could not be opened by its name",
        call: "WdfIoTargetOpen",
        sites: &[&sites::REMOTE_CREATE_FILE, &sites::REMOTE_CREATE_FILE_FAILED],
        why: &[
            "the status is that of the open itself (ZwCreateFile), unchanged: the name is not there, or the device's driver refused \
             the IRP_MJ_CREATE",
        ],
        help: &[
            "for STATUS_OBJECT_NAME_NOT_FOUND, look whether the interface is there and enabled (!object \\GLOBAL??); for anything \
             else, look in the log of the device's driver",
        ],
        source: "S/targets/general/km/fxiotargetremotekm.cpp:174-249",
        ..Cause::DEFAULT
    },
    Cause {
        id: "open-twice",
        title: "an I/O target was opened that is open, or is going away",
        call: "WdfIoTargetOpen",
        status: Some(STATUS_INVALID_DEVICE_STATE),
        sites: &[&sites::REMOTE_ALREADY_OPEN, &sites::REMOTE_REMOVED],
        numbers: Numbers::TargetState,
        why: &["a target is opened once; after that only WdfIoTargetClose or a removal ends it"],
        help: &["close it first (WdfIoTargetClose), or use one target for each device"],
        source: "S/targets/general/fxiotargetremote.cpp:201",
        ..Cause::DEFAULT
    },
    Cause {
        id: "self-target-without-queue",
        title: "a request was sent to the device itself, which has no queue for it",
        call: "WdfRequestSend",
        status: Some(STATUS_INVALID_DEVICE_STATE),
        sites: &[&sites::SELF_NO_QUEUE, &sites::SELF_NOT_IO],
        why: &[
            "a self target hands the request to the queue that was assigned to it, or else to the device's own dispatching",
        ],
        help: &["call WdfIoTargetSelfAssignDefaultIoQueue, or configure a queue for this type of request"],
        source: "S/targets/general/fxiotargetself.cpp:75-175",
        no_scenario: "the bus of a scenario has no I/O target of its own device",
        ..Cause::DEFAULT
    },
];
