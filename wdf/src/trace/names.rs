//! The enumerations that log messages print by name.

use vbus_wdm::{DevicePowerState, Major, PnpMinor, PowerMinor, RelationType, SystemPowerState};

use crate::object::{DROPPED_NAMES, State};
use crate::pnp::callbacks::PowerDeviceState;
use crate::pnp::events::{PnpEvent, PolicyEvent, PowerEvent};
use crate::pnp::idle::IdleEvent;
use crate::pnp::states::{IdleState, PnpState, PowerPolicyState, PowerState, SelfManagedIoState};
use crate::queue::POWER_STATES;

/// The name of `word` in the enumeration that a format item `%!enumeration!` names.
pub(super) fn name(enumeration: &str, word: u64) -> Option<&'static str> {
    let list: &[&'static str] = match enumeration {
        "IRPMJ" => return major_name(word),
        "pnpmn" => {
            return Some(u8::try_from(word).ok().and_then(PnpMinor::from_code).map_or("IRP_MN_?", PnpMinor::name));
        }
        "DEVICE_RELATION_TYPE" => return relation_name(word),
        "WDF_DEVICE_PNP_STATE" => return PnpState::name_of(word),
        "WDF_DEVICE_POWER_STATE" => return PowerState::name_of(word),
        "WDF_DEVICE_POWER_POLICY_STATE" => return PowerPolicyState::name_of(word),
        "FxPowerIdleStates" => return IdleState::name_of(word),
        "FxSelfManagedIoStates" => return SelfManagedIoState::name_of(word),
        "FxPnpEvent" => return PnpEvent::name_of(word),
        "FxPowerEvent" => return PowerEvent::name_of(word),
        "FxPowerPolicyEvent" => return PolicyEvent::name_of(word),
        "FxPowerIdleEvents" => IdleEvent::NAMES,
        "WDF_POWER_DEVICE_STATE" => PowerDeviceState::NAMES,
        "WDF_DEVICE_FAILED_ACTION" => {
            &["WdfDeviceFailedUndefined", "WdfDeviceFailedAttemptRestart", "WdfDeviceFailedNoRestart"]
        }
        "SYSTEM_POWER_STATE" => return SystemPowerState::from_number(word).map(SystemPowerState::name),
        "DEVICE_POWER_STATE" => return DevicePowerState::from_number(word).map(DevicePowerState::name),
        "pwrmn" => return PowerMinor::from_number(word).map(PowerMinor::name),
        "BUS_QUERY_ID_TYPE" => ID_TYPES,
        "WDF_CHILD_LIST_RETRIEVE_DEVICE_STATUS" => RETRIEVE_STATUSES,
        "FxChildListModificationState" => MODIFICATIONS,
        "FxChildListDescriptionState" => DESCRIPTIONS,
        "FxRequestIrpOwnership" => &["FxRequestDoesNotOwnIrp", "FxRequestOwnsIrp"],
        "FxIoStopProcessingForPowerAction" => STOP_ACTIONS,
        "FxIoQueuePowerState" => POWER_STATES,
        "WDF_IO_TARGET_STATE" => TARGET_STATES,
        "WDF_IO_QUEUE_STATE" => return queue_state_name(word),
        "irql" => &["Low", "APC", "DPC"],
        "FxObjectState" => State::NAMES,
        "FxObjectDroppedEvent" => DROPPED_NAMES,
        "WDF_EXECUTION_LEVEL" => EXECUTION_LEVELS,
        "WDF_SYNCHRONIZATION_SCOPE" => SYNCHRONIZATION_SCOPES,
        "WDF_REQUEST_TYPE" => return request_type_name(word),
        _ => return None,
    };
    list.get(usize::try_from(word).ok()?).copied()
}

const EXECUTION_LEVELS: &[&str] = &[
    "WdfExecutionLevelInvalid",
    "WdfExecutionLevelInheritFromParent",
    "WdfExecutionLevelPassive",
    "WdfExecutionLevelDispatch",
];

const SYNCHRONIZATION_SCOPES: &[&str] = &[
    "WdfSynchronizationScopeInvalid",
    "WdfSynchronizationScopeInheritFromParent",
    "WdfSynchronizationScopeDevice",
    "WdfSynchronizationScopeQueue",
    "WdfSynchronizationScopeNone",
];

const STOP_ACTIONS: &[&str] = &[
    "FxIoStopProcessingForPowerInvalid",
    "FxIoStopProcessingForPowerHold",
    "FxIoStopProcessingForPowerPurgeManaged",
    "FxIoStopProcessingForPowerPurgeNonManaged",
];

const ID_TYPES: &[&str] = &[
    "BusQueryDeviceID",
    "BusQueryHardwareIDs",
    "BusQueryCompatibleIDs",
    "BusQueryInstanceID",
    "BusQueryDeviceSerialNumber",
    "BusQueryContainerID",
];

const RETRIEVE_STATUSES: &[&str] = &[
    "WdfChildListRetrieveDeviceUndefined",
    "WdfChildListRetrieveDeviceSuccess",
    "WdfChildListRetrieveDeviceNotYetCreated",
    "WdfChildListRetrieveDeviceNoSuchDevice",
];

const MODIFICATIONS: &[&str] = &[
    "ModificationUnspecified",
    "ModificationInsert",
    "ModificationRemove",
    "ModificationRemoveNotify",
    "ModificationClone",
    "ModificationNeedsPnpRemoval",
];

const DESCRIPTIONS: &[&str] = &[
    "DescriptionUnspecified",
    "DescriptionPresentNeedsInstantiation",
    "DescriptionInstantiatedHasObject",
    "DescriptionReportedMissing",
    "DescriptionNotPresent",
];

const TARGET_STATES: &[&str] = &[
    "WdfIoTargetStateUndefined",
    "WdfIoTargetStarted",
    "WdfIoTargetStopped",
    "WdfIoTargetClosedForQueryRemove",
    "WdfIoTargetClosed",
    "WdfIoTargetDeleted",
    "WdfIoTargetPurged",
];

/// What the framework's own `%s` arguments on this path are: a part that is put in or left out, or the name of a handle
/// type.
///
/// Source: S/irphandlers/io/fxioqueue.cpp:2319; S/object/fxobjectinfo*.cpp (handle names).
pub(super) fn string(word: u64) -> &'static str {
    match word {
        0 => "",
        1 => "power stopping (Drain) in progress,",
        2 => "with",
        3 => "without",
        0x1001 => "WDFDRIVER",
        0x1002 => "WDFDEVICE",
        0x1003 => "WDFQUEUE",
        0x1007 => "WDFSTRING",
        0x1008 => "WDFREQUEST",
        0x1009 => "WDFLOOKASIDE",
        0x100E => "WDFCOLLECTION",
        0x1015 => "WDFDPC",
        0x1018 => "WDFFILEOBJECT",
        0x1023 => "WDFWAITLOCK",
        0x1024 => "WDFSPINLOCK",
        0x1025 => "WDFWORKITEM",
        0x1028 => "WDFTIMER",
        0x1029 => "WDFCHILDLIST",
        0x1200 => "WDFIOTARGET",
        _ => "WDFOBJECT",
    }
}

fn major_name(word: u64) -> Option<&'static str> {
    use Major::*;
    let majors = [
        Create,
        CreateNamedPipe,
        Close,
        Read,
        Write,
        DeviceControl,
        InternalDeviceControl,
        Shutdown,
        Cleanup,
        QueryInformation,
        FlushBuffers,
        Power,
        SystemControl,
        Pnp,
    ];
    majors.into_iter().find(|&major| major as u64 == word).map(Major::name)
}

fn relation_name(word: u64) -> Option<&'static str> {
    use RelationType::*;
    [Bus, Ejection, Power, Removal, Target].into_iter().find(|&kind| kind as u64 == word).map(RelationType::name)
}

/// A queue's state is a set of bits; a set that is one enumerator prints by that name.
fn queue_state_name(word: u64) -> Option<&'static str> {
    match word {
        1 => Some("WdfIoQueueAcceptRequests"),
        2 => Some("WdfIoQueueDispatchRequests"),
        4 => Some("WdfIoQueueNoRequests"),
        8 => Some("WdfIoQueueDriverNoRequests"),
        0x10 => Some("WdfIoQueuePnpHeld"),
        _ => None,
    }
}

fn request_type_name(word: u64) -> Option<&'static str> {
    match word {
        0 => Some("WdfRequestTypeCreate"),
        3 => Some("WdfRequestTypeRead"),
        4 => Some("WdfRequestTypeWrite"),
        0xE => Some("WdfRequestTypeDeviceControl"),
        0xF => Some("WdfRequestTypeDeviceControlInternal"),
        0xFF => Some("WdfRequestTypeNoFormat"),
        _ => None,
    }
}
