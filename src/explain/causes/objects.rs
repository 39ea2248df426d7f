//! Handles, objects, queues and power: the framework's other bug checks.

use vbus_wdf::sites;

use super::Cause;

pub(super) static TABLE: &[Cause] = &[
    Cause {
        id: "wrong-handle",
        title: "a handle of the wrong type, or of an object that is gone, was passed to the framework",
        call: "any DDI",
        sites: &[&sites::OBJECT_TYPE_MISMATCH],
        stops: &[(0x10D, &[5])],
        why: &[
            "parameter 2 is the handle, parameter 3 the type that the DDI wanted (0x1200 is an I/O target); a handle of 0 is a NULL \
             that was passed on",
        ],
        help: &[
            "!wdfkd.wdfhandle <parameter 2> says what it is, if it still is something; look for a delete on another path",
        ],
        source: "S/object/fxobject*.cpp; wdfbugcodes.h",
        ..Cause::DEFAULT
    },
    Cause {
        id: "null-parameter",
        title: "NULL was passed where the framework requires a value",
        call: "any DDI",
        sites: &[&sites::NULL_PARAMETER],
        stops: &[(0x10D, &[4])],
        why: &["parameter 3 is the address of the caller"],
        help: &["ln <parameter 3> names the call; check what the call before it returned"],
        source: "S/object/fxverifierbugcheck.cpp:46-93",
        no_scenario: "the calls of a scenario's driver have all their parameters",
        ..Cause::DEFAULT
    },
    Cause {
        id: "object-freed",
        title: "a framework object was freed by its last reference instead of being deleted",
        call: "WdfObjectDereference, or WdfRequestComplete of a request that the driver created",
        sites: &[&sites::OBJECT_FREED],
        stops: &[(0x10D, &[7])],
        why: &["one reference more was dropped than was taken, or a request that the driver created was completed"],
        help: &[
            "take as many references as are dropped; delete requests of the driver's own (WdfObjectDelete), never complete them",
        ],
        source: "S/object/fxobject.cpp; S/core/fxrequest.cpp:379",
        ..Cause::DEFAULT
    },
    Cause {
        id: "queue-misused",
        title: "a queue was stopped or purged while another stop or purge of it was waiting, or after it was deleted",
        call: "WdfIoQueueStop, WdfIoQueuePurge, WdfIoQueueDrain or WdfIoQueueStopAndPurge",
        sites: &[
            &sites::QUEUE_STOP_TWICE,
            &sites::QUEUE_PURGE_TWICE,
            &sites::QUEUE_STOP_DELETED,
            &sites::QUEUE_PURGE_DELETED,
        ],
        stops: &[(0x10D, &[0xA])],
        why: &[
            "these calls return nothing, so the framework can only stop the machine when it cannot take the callback",
        ],
        help: &["wait for the first callback before the next call, or use the synchronous variants"],
        source: "S/irphandlers/io/fxioqueue.cpp:3577-4200",
        no_scenario: "the steps that stop a queue wait for it, so that no second one can come before the first is done",
        ..Cause::DEFAULT
    },
    Cause {
        id: "lock-misused",
        title: "a framework lock was acquired twice, or released by somebody who does not hold it",
        call: "WdfObjectAcquireLock, WdfSpinLockRelease, or a callback under the same lock",
        sites: &[
            &sites::ACQUIRE_WITHOUT_LOCK,
            &sites::RELEASE_WITHOUT_LOCK,
            &sites::LOCK_SPIN_TWICE,
            &sites::LOCK_MUTEX_TWICE,
        ],
        stops: &[(0x10D, &[2]), (0x10D, &[0xB])],
        why: &["the framework's locks are not recursive, and only devices and queues have one that a driver may take"],
        help: &[
            "look at the stack for two frames that take the same lock: a callback that runs under the device's synchronization \
                 scope already holds it",
        ],
        source: "S/core/fxdevicebase.cpp:130-171; wdfbugcodes.h",
        no_scenario: "the driver of a scenario takes no lock",
        ..Cause::DEFAULT
    },
    Cause {
        id: "power-timed-out",
        title: "a power callback did not return in time",
        call: "a power callback of the driver",
        stops: &[(0x10D, &[1])],
        why: &["the device's power transition waits for it; EvtIoStop that does not acknowledge is a usual reason"],
        help: &[
            "in EvtIoStop, acknowledge, requeue or complete each request; !wdfkd.wdfdevice <device> 2 shows what is waited for",
        ],
        source: "wdfbugcodes.h",
        no_scenario: "no clock runs against a callback of the model: what it keeps waiting ends in 0x9F (scenarios/io-stop-ignored.toml)",
        ..Cause::DEFAULT
    },
    Cause {
        id: "power-irp-blocked",
        title: "a driver has kept a power IRP for too long, usually ten minutes",
        call: "the power manager's watchdog (PopIrpWatchdog)",
        stops: &[(0x9F, &[3])],
        why: &[
            "parameter 2 is the stack's PDO, parameter 4 the IRP; the driver of the IRP's current location has it, not the one that \
             the analysis blames by the PDO",
            "a framework driver keeps it as long as a request of a power-managed queue is neither completed nor acknowledged in \
             EvtIoStop, or a power callback has not returned",
        ],
        help: &[
            "!irp <parameter 4> marks the current location with >: its device names the driver; !devstack <parameter 2> shows the \
             whole stack",
            "for a framework driver, !wdfkd.wdflogdump <driver> shows what its power machine waits for and \
             !wdfkd.wdfdevicequeues <device> the requests: complete, requeue or acknowledge each one in EvtIoStop",
        ],
        source: "bug check 0x9F; S/irphandlers/io/fxioqueue.cpp",
        ..Cause::DEFAULT
    },
    Cause {
        id: "power-waits-for-pnp",
        title: "a change of the system's power waited too long for the PnP manager",
        call: "the power manager",
        stops: &[(0x9F, &[4])],
        why: &[
            "parameter 2 is how many seconds it waited, parameter 3 the thread that has the PnP lock: a driver does not come back \
             from a PnP IRP, or from a wait inside it",
        ],
        help: &["!thread <parameter 3> shows the driver that it waits in"],
        source: "bug check 0x9F",
        no_scenario: "no step of a scenario keeps the PnP manager busy while the system's power changes",
        ..Cause::DEFAULT
    },
    Cause {
        id: "freed-with-power-irp",
        title: "a device object was freed while it had a power IRP",
        call: "IoDeleteDevice",
        stops: &[(0x9F, &[1])],
        why: &["parameter 2 is the device: its driver kept a power IRP and went away without completing it"],
        help: &["complete every power IRP that is kept before IRP_MN_REMOVE_DEVICE is passed on"],
        source: "bug check 0x9F",
        no_scenario: "no driver of a scenario frees a device that has a power IRP",
        ..Cause::DEFAULT
    },
    Cause {
        id: "two-power-policy-owners",
        title: "a power IRP came that the device's power policy owner did not ask for",
        call: "the framework's power package",
        stops: &[(0x10D, &[0xD])],
        why: &[
            "two drivers of the stack believe that they own its power policy; parameter 2 is the device, parameter 3 the IRP",
        ],
        help: &["let only one own it: WdfDeviceInitSetPowerPolicyOwnership(init, FALSE) in the other"],
        source: "wdfbugcodes.h",
        no_scenario: "the bus of a scenario is its stack's only owner of power policy",
        ..Cause::DEFAULT
    },
    Cause {
        id: "pnp-irp-too-early",
        title: "a second PnP IRP that changes the device's state came before the first was done",
        call: "the framework's PnP package",
        stops: &[(0x10D, &[0xC])],
        why: &["the PnP manager sends one at a time; a driver above completed one early or sent its own"],
        help: &["parameter 2 is the device, parameter 3 the new IRP: look who sent it (!irp)"],
        source: "wdfbugcodes.h",
        no_scenario: "the PnP manager of the model sends one IRP at a time, and no driver of a scenario sends any",
        ..Cause::DEFAULT
    },
    Cause {
        id: "irql-changed",
        title: "a callback returned at another IRQL, or with a critical region open",
        call: "a callback of the driver",
        sites: &[&sites::IRQL_TOO_HIGH],
        stops: &[(0x10D, &[0xE]), (0x10D, &[0xF])],
        verifier_only: true,
        why: &[
            "a callback must leave as it came; a lock that is taken and not released on one path is the usual reason",
        ],
        help: &["compare the paths of the callback for a lock that is held at a return"],
        source: "S/inc/private/common/fxverifier.h:180; wdfbugcodes.h",
        no_scenario: "the driver of a scenario raises no IRQL and enters no critical region",
        ..Cause::DEFAULT
    },
    Cause {
        id: "leaked",
        title: "the driver was unloaded with objects or memory that it had not freed",
        call: "the driver's unload",
        sites: &[&sites::POOL_LEAK],
        verifier_only: true,
        why: &["each line names an allocation that was still there when the framework's pool of the driver went"],
        help: &["turn TrackHandles on and look at !wdfkd.wdftagtracker for who holds the object"],
        source: "S/object/fxpool.cpp",
        no_scenario: "the driver of a scenario is not unloaded",
        ..Cause::DEFAULT
    },
];
