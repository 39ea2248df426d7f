//! The sites of a device's life: PnP, power, power policy, idle.

use super::site::{Level, Site};
use super::sites::sites;

sites! {
    ALL_PNP

    // S/irphandlers/pnp/eventqueue.cpp
    EVENT_QUEUE_EMPTY = Information TRACINGPNP "FxEventQueue::QueueToThreadWorker" "WDFDEVICE 0x%p !devobj 0x%p not queueing work item to process event queue";
    EVENT_QUEUE_DELAYED = Information TRACINGPNP "FxEventQueue::SetDelayedDeletion" "WDFDEVICE 0x%p !devobj 0x%p delaying deletion to outside state machine";

    // S/irphandlers/pnp/pnpstatemachine.cpp
    PNP_CLOSED = Information TRACINGPNP "FxPkgPnp::PnpProcessEvent" "WDFDEVICE 0x%p !devobj 0x%p current pnp state %!WDF_DEVICE_PNP_STATE! dropping event %!FxPnpEvent! because of a closed queue";
    PNP_DROPPED = Verbose TRACINGPNP "FxPkgPnp::PnpProcessEventInner" "WDFDEVICE 0x%p !devobj 0x%p current pnp state %!WDF_DEVICE_PNP_STATE! dropping event %!FxPnpEvent!";
    PNP_DROPPED_UNKNOWN = Warning TRACINGPNP "FxPkgPnp::PnpProcessEventInner" "WDFDEVICE 0x%p !devobj %p current state %!WDF_DEVICE_PNP_STATE!, policy event %!FxPnpEvent! is not a known dropped event, known dropped events are %!FxPnpEvent!";
    RESTART_WORK_ITEM_REUSED = Information TRACINGPNP "FxPkgPnp::AllocateWorkItemForSetDeviceFailed" "Reusing previously created workitem forSetDeviceFailedAttemptRestart";
    STACK_CAPABILITIES_FAILED = Error TRACINGPNP "GetStackCapabilities" "Failed to get DEVICE_CAPABILITIES from !devobj %p, %!STATUS!";
    PNP_NO_CAPABILITIES = Error TRACINGPNP "FxPkgPnp::PnpEventHardwareAvailable" "could not query caps for stack, %!STATUS!";
    PNP_QUERY_REMOVE_FAILED = Error TRACINGPNP "FxPkgPnp::PnpEventQueryRemoveAskDriver" "EvtDeviceQueryRemove failed, %!STATUS!";
    PNP_QUERY_REMOVE_BAD_STATUS = Error TRACINGPNP "FxPkgPnp::PnpEventQueryRemoveAskDriver" "EvtDeviceQueryRemove returned an invalid status STATUS_NOT_SUPPORTED";
    PNP_QUERY_REMOVE_STOP_COUNT = Information TRACINGPNP "FxPkgPnp::PnpEventQueryRemoveStaticCheck" "Failing QueryRemoveDevice because the driver has indicated that it cannot be stopped, count %d";
    PNP_QUERY_REMOVE_SPECIAL = Information TRACINGPNP "FxPkgPnp::PnpEventQueryRemoveStaticCheck" "Failing QueryRemoveDevice due to open special file counts (paging %d, hiber %d, dump %d, boot %d, guest assigned %d)";
    PNP_QUERY_STOP_FAILED = Error TRACINGPNP "FxPkgPnp::PnpEventQueryStopAskDriver" "EvtDeviceQueryStop failed, %!STATUS!";
    PNP_QUERY_STOP_BAD_STATUS = Error TRACINGPNP "FxPkgPnp::PnpEventQueryStopAskDriver" "EvtDeviceQueryStop returned an invalid status STATUS_NOT_SUPPORTED";
    PNP_QUERY_STOP_STOP_COUNT = Information TRACINGPNP "FxPkgPnp::PnpEventQueryStopStaticCheck" "Failing QueryStopDevice because the driver has indicated that it cannot be stopped, count %d";
    PNP_QUERY_STOP_SPECIAL = Information TRACINGPNP "FxPkgPnp::PnpEventQueryStopStaticCheck" "Failing QueryStopDevice due to open special file counts (paging %d, hiber %d, dump %d, boot %d, guest assigned %d)";
    PNP_PREPARE_BAD_STATUS = Error TRACINGPNP "FxPkgPnp::PnpPrepareHardware" "EvtDevicePrepareHardware returned an invalid status STATUS_NOT_SUPPORTED";
    PNP_RELEASE_BAD_STATUS = Error TRACINGPNP "FxPkgPnp::PnpReleaseHardware" "EvtDeviceReleaseHardware returned an invalid status STATUS_NOT_SUPPORTED";

    // S/irphandlers/pnp/pnpcallbacks.cpp
    D0_ENTRY_FAILED = Error TRACINGPNP "FxPnpDeviceD0Entry::InvokeClient" "EvtDeviceD0Entry WDFDEVICE 0x%p !devobj 0x%p, old state %!WDF_POWER_DEVICE_STATE! failed, %!STATUS!";
    D0_EXIT_FAILED = Error TRACINGPNP "FxPnpDeviceD0Exit::InvokeClient" "EvtDeviceD0Exit WDFDEVICE 0x%p !devobj 0x%p, new state %!WDF_POWER_DEVICE_STATE! failed, %!STATUS!";
    PREPARE_HARDWARE_FAILED = Error TRACINGPNP "FxPnpDevicePrepareHardware::InvokeClient" "EvtDevicePrepareHardware WDFDEVICE 0x%p !devobj 0x%p failed, %!STATUS!";
    RELEASE_HARDWARE_FAILED = Error TRACINGPNP "FxPnpDeviceReleaseHardware::InvokeClient" "EvtDeviceReleaseHardware WDFDEVICE 0x%p !devobj 0x%p failed, %!STATUS!";
    SELF_MANAGED_IO_INIT_FAILED = Information TRACINGPNP "FxPnpDeviceSelfManagedIoInit::InvokeClient" "EvtDeviceSelfManagedIoInit WDFDEVICE 0x%p !devobj 0x%p failed, %!STATUS!";
    SELF_MANAGED_IO_SUSPEND_FAILED = Information TRACINGPNP "FxPnpDeviceSelfManagedIoSuspend::InvokeClient" "EvtDeviceSelfManagedIoInit WDFDEVICE 0x%p !devobj 0x%p failed, %!STATUS!";
    SELF_MANAGED_IO_RESTART_FAILED = Information TRACINGPNP "FxPnpDeviceSelfManagedIoRestart::InvokeClient" "EvtDeviceSelfManagedIoRestart WDFDEVICE 0x%p !devobj 0x%p failed, %!STATUS!";

    // S/irphandlers/pnp/powerstatemachine.cpp
    POWER_DOUBLED = Information TRACINGPNP "FxPkgPnp::PowerProcessEvent" "WDFDEVICE 0x%p !devobj 0x%p current pwr pol state %!WDF_DEVICE_POWER_STATE! dropping event %!FxPowerEvent! because the Event is already enqueued.";
    POWER_CLOSED = Information TRACINGPNP "FxPkgPnp::PowerProcessEvent" "WDFDEVICE 0x%p !devobj 0x%p current pwr pol state %!WDF_DEVICE_POWER_STATE! dropping event %!FxPowerEvent! because of a closed queue";
    POWER_DROPPED = Verbose TRACINGPNP "FxPkgPnp::PowerProcessEventInner" "WDFDEVICE 0x%p !devobj 0x%p current power state %!WDF_DEVICE_POWER_STATE! dropping event %!FxPowerEvent!";
    POWER_DROPPED_UNKNOWN = Warning TRACINGPNP "FxPkgPnp::PowerProcessEventInner" "WDFDEVICE %p !devobj 0x%p current state %!WDF_DEVICE_POWER_STATE! event %!FxPowerEvent! is not a known dropped event, known dropped events are %!FxPowerEvent!";
    POST_INTERRUPTS_FAILED = Error TRACINGPNP "FxPkgPnp::PowerD0StartingConnectInterrupt" "EvtDeviceD0EntryPostInterruptsEnabled WDFDEVICE 0x%p !devobj 0x%p, old state %!WDF_POWER_DEVICE_STATE! failed, %!STATUS!";
    WAKING_POST_INTERRUPTS_FAILED = Error TRACINGPNP "FxPkgPnp::PowerWakingConnectInterrupt" "EvtDeviceD0EntryPostInterruptsEnabled WDFDEVICE 0x%p !devobj 0x%p, old state %!WDF_POWER_DEVICE_STATE! failed, %!STATUS!";
    WAKING_POST_INTERRUPTS_NP_FAILED = Error TRACINGPNP "FxPkgPnp::PowerWakingConnectInterruptNP" "EvtDeviceD0EntryPostInterruptsEnabled WDFDEVICE 0x%p !devobj 0x%p, old state %!WDF_POWER_DEVICE_STATE! failed, %!STATUS!";
    STOPPED_SUSPEND_FAILED = Error TRACINGPNP "FxPkgPnp::PowerGotoD3Stopped" "EvtDeviceSelfManagedIoStop failed %!STATUS!";
    STOPPED_PRE_INTERRUPTS_FAILED = Error TRACINGPNP "FxPkgPnp::PowerGotoD3Stopped" "EvtDeviceD0ExitPreInterruptsDisabled WDFDEVICE 0x%p !devobj 0x%p, new state %!WDF_POWER_DEVICE_STATE! failed, %!STATUS!";
    POWER_NO_PARENT = Error TRACINGPNP "FxPkgPnp::PowerStartingChild" "PowerReference on parent WDFDEVICE %p for child WDFDEVICE %p failed, %!STATUS!";
    DX_SUSPEND_FAILED = Error TRACINGPNP "FxPkgPnp::PowerGotoDx" "EvtDeviceSelfManagedIoStop failed %!STATUS!";
    DX_PRE_INTERRUPTS_FAILED = Error TRACINGPNP "FxPkgPnp::PowerGotoDxIoStoppedCommon" "EvtDeviceD0ExitPreInterruptsDisabled WDFDEVICE 0x%p !devobj 0x%p, new state %!WDF_POWER_DEVICE_STATE! failed, %!STATUS!";
    WAKING_DISCONNECT_NP = Error TRACINGPNP "FxPkgPnp::PowerWakingConnectInterruptFailedNP" "Force disconnecting interupts on !devobj %p, WDFDEVICE %p";
    WAKING_DMA_PRE_INTERRUPTS_FAILED = Error TRACINGPNP "FxPkgPnp::PowerWakingDmaEnableFailed" "EvtDeviceD0ExitPreInterruptsDisabled WDFDEVICE 0x%p !devobj 0x%p new state %!WDF_POWER_DEVICE_STATE! failed, %!STATUS!";
    WAKING_DMA_PRE_INTERRUPTS_NP_FAILED = Error TRACINGPNP "FxPkgPnp::PowerWakingDmaEnableFailedNP" "EvtDeviceD0ExitPreInterruptsDisabled WDFDEVICE 0x%p !devobj 0x%p new state %!WDF_POWER_DEVICE_STATE! failed, %!STATUS!";
    INITIAL_DMA_PRE_INTERRUPTS_FAILED = Error TRACINGPNP "FxPkgPnp::PowerInitialDmaEnableFailed" "EvtDeviceD0ExitPreInterruptsDisabled WDFDEVICE 0x%p !devobj 0x%p new state %!WDF_POWER_DEVICE_STATE! failed, %!STATUS!";
    DISCONNECT_NP = Error TRACINGPNP "FxPkgPnp::DisconnectInterruptNP" "Force disconnecting interrupts on !devobj 0x%p, WDFDEVICE %p";

    // S/irphandlers/pnp/powerpolicystatemachine.cpp
    POLICY_DOUBLED = Information TRACINGPNP "FxPkgPnp::PowerPolicyProcessEvent" "WDFDEVICE 0x%p !devobj 0x%p current pwr pol state %!WDF_DEVICE_POWER_POLICY_STATE! dropping event %!FxPowerPolicyEvent! because the Event is already enqueued.";
    POLICY_CLOSED = Information TRACINGPNP "FxPkgPnp::PowerPolicyProcessEvent" "WDFDEVICE 0x%p !devobj 0x%p current pwr pol state %!WDF_DEVICE_POWER_POLICY_STATE! dropping event %!FxPowerPolicyEvent! because of a closed queue";
    POLICY_DROPPED = Verbose TRACINGPNP "FxPkgPnp::PowerPolicyProcessEventInner" "WDFDEVICE 0x%p !devobj 0x%p current pwr pol state %!WDF_DEVICE_POWER_POLICY_STATE! dropping event %!FxPowerPolicyEvent!";
    POLICY_DROPPED_UNKNOWN = Error TRACINGPNP "FxPkgPnp::PowerPolicyProcessEventInner" "WDFDEVICE 0x%p !devobj 0x%p current state %!WDF_DEVICE_POWER_POLICY_STATE!, policy event %!FxPowerPolicyEvent! is not a known dropped event, known dropped events are %!FxPowerPolicyEvent!";
    POLICY_CHILDREN_STILL_UP = Error TRACINGPNP "FxPkgPnp::PowerPolSleeping" "WDFDEVICE %p powering down before child devices have powered down. This usually indicates a faulty child device that completed the Sx irp before sending the Dx irp";
    POLICY_D0_NOT_SEEN = Error TRACINGPNP "FxPkgPnp::_PowerPolDevicePowerUpComplete" "PowerDeviceD0 requested by WDFDEVICE 0x%p !devobj 0x%p, is being completed by upper driver without sending it to driver that requested it";
    POLICY_REQUEST_FAILED = Error TRACINGPNP "FxPkgPnp::PowerPolicySendDevicePowerRequest" "Could not request D%d irp for device %p (WDFDEVICE %p), %!STATUS!";
    POLICY_REQUESTING = Verbose TRACINGPNP "FxPkgPnp::PowerPolicySendDevicePowerRequest" "Requesting D%d irp, %!STATUS!";
    POLICY_COMPLETING_SYSTEM = Verbose TRACINGPNP "FxPkgPnp::PowerPolicyCompleteSystemPowerIrp" "Completing system power irp %p (S%d), %!STATUS!";
    POLICY_CHILDREN_UP = Information TRACINGPNP "FxPkgPnp::PowerPolicyCanIdlePowerDown" "WDFDEVICE %p !devobj 0x%p not idling out because there are %d children who are powered up";

    // S/irphandlers/pnp/poweridlestatemachine.cpp, selfmanagediostatemachine.cpp
    IDLE_PRESENT_SENT_IN_D0 = Information TRACINGPNP "FxPowerIdleMachine::TimedOutIoIncrement" "WDFDEVICE %p idle (in D0) not sending io present event (already sent)";
    IDLE_PRESENT_SENT_IN_DX = Information TRACINGPNP "FxPowerIdleMachine::InDxIoIncrement" "WDFDEVICE %p idle (in Dx) not sending io present event (already sent)";
    IDLE_WAITING = Verbose TRACINGPNP "FxPowerIdleMachine::PowerReferenceWorker" "WDFDEVICE %p in thread %p waiting synchronously for Dx to D0 transition";
    IDLE_WAIT_POWER_FAILED = Verbose TRACINGPNP "FxPowerIdleMachine::PowerReferenceWorker" "WDFDEVICE %p waiting for D0 in thread %p failed because of power failure, %!STATUS!";
    IDLE_WAIT_BAD_STATE = Verbose TRACINGPNP "FxPowerIdleMachine::PowerReferenceWorker" "WDFDEVICE %p waiting for D0 in thread %p failed because of invalid state , %!STATUS!";
    IDLE_NO_REFERENCE = Error TRACINGPNP "FxPowerIdleMachine::IoDecrement" "WDFDEVICE 0x%p !devobj 0x%p The device is being power-dereferenced without a matching power-reference. This could occur if driver incorrectly calls WdfDeviceResumeIdle without a matching call to WdfDeviceStopIdle.";
    IDLE_DROPPED = Information TRACINGPNP "FxPowerIdleMachine::ProcessEventLocked" "WDFDEVICE 0x%p !devobj 0x%p power idle state %!FxPowerIdleStates! dropping event %!FxPowerIdleEvents!";
    SELF_MANAGED_IO_STATE = Information TRACINGPNP "FxSelfManagedIoMachine::ProcessEvent" "WDFDEVICE 0x%p !devobj 0x%p entering self managed io state %!FxSelfManagedIoStates! from %!FxSelfManagedIoStates!";

    // S/irphandlers/pnp/fdopower.cpp, pdopower.cpp
    FDO_POWER_NOT_REQUESTED = Error TRACINGPNP "FxPkgFdo::DispatchDeviceSetPower" "Received set device power irp 0x%p on WDFDEVICE 0x%p !devobj 0x%p, but the irp was not requested by the device (the power policy owner)";
    PDO_POWER_NOT_REQUESTED = Error TRACINGPNP "FxPkgPdo::DispatchDeviceSetPower" "Received set device power irp 0x%p on WDFDEVICE 0x%p !devobj 0x%p, but the irp was not requested by the device (the power policy owner)";

    // S/irphandlers/pnp/fxpkgpnp.cpp
    POWER_DISPATCH_SYSTEM = Information TRACINGPNP "FxPkgPnp::Dispatch" "WDFDEVICE 0x%p !devobj 0x%p IRP_MJ_POWER, %!pwrmn! IRP 0x%p for %!SYSTEM_POWER_STATE! (S%d)";
    POWER_DISPATCH_DEVICE = Information TRACINGPNP "FxPkgPnp::Dispatch" "WDFDEVICE 0x%p !devobj 0x%p IRP_MJ_POWER, %!pwrmn! IRP 0x%p for %!DEVICE_POWER_STATE!";
    POWER_DISPATCH = Verbose TRACINGPNP "FxPkgPnp::Dispatch" "WDFDEVICE 0x%p !devobj 0x%p IRP_MJ_POWER, %!pwrmn! IRP 0x%p";
    PNP_DELAYED_DELETION = Information TRACINGPNP "FxPkgPnp::ProcessDelayedDeletion" "WDFDEVICE %p, !devobj %p processing delayed deletion from pnp state machine";
    PNP_WAIT_FOR_PNP = Information TRACINGPNP "FxPkgPnp::CleanupStateMachines" "WDFDEVICE %p, !devobj %p waiting for pnp state machine to finish";
    PNP_WAIT_FOR_POLICY = Information TRACINGPNP "FxPkgPnp::CleanupStateMachines" "WDFDEVICE %p, !devobj %p waiting for pwr pol state machine to finish";
    PNP_WAIT_FOR_POWER = Information TRACINGPNP "FxPkgPnp::CleanupStateMachines" "WDFDEVICE %p, !devobj %p waiting for pwr state machine to finish";
    IDLE_POWER_UP_ON_WAKE = Verbose TRACINGPNP "FxPkgPnp::PowerPolicySetS0IdleSettings" "Driver turned off S0Idle optimization. Device will be powered up on resume from Sx even when it is idle";
    IDLE_STAY_DOWN_ON_WAKE = Verbose TRACINGPNP "FxPkgPnp::PowerPolicySetS0IdleSettings" "Driver turned on S0Idle optimization. Device will remain powered off if idle when resuming from Sx";
    USAGE_ENTER = Verbose TRACINGPNP "FxPkgPnp::PnpDeviceUsageNotification" "Entering DeviceUsageNotification handler";
    USAGE_ASKED = Verbose TRACINGPNP "FxPkgPnp::PnpDeviceUsageNotification" "type %x, in path %x, can support paging %x, dump file %x, hiber file %x, boot file %x, guest assigned %x";
    USAGE_NOT_SUPPORTED = Verbose TRACINGPNP "FxPkgPnp::PnpDeviceUsageNotification" "Usage type %x not supported, %!STATUS!";
    USAGE_EXIT = Verbose TRACINGPNP "FxPkgPnp::PnpDeviceUsageNotification" "Exit %!STATUS!";
    USAGE_BEFORE = Verbose TRACINGPNP "FxPkgPnp::SetUsageNotificationFlags" "Before:  type %d, in path %d, special count %d, flags 0x%x, device %p (WDFDEVICE %p), is pageable capable %d";
    USAGE_AFTER = Verbose TRACINGPNP "FxPkgPnp::CommitUsageNotification" "After:  special count %d, flags 0x%x, device %p (WDFDEVICE %p)";
    PNP_IRP_WHILE_PENDING = Error TRACINGPNP "FxPkgPnp::SetPendingPnpIrp" "A new state changing pnp irp %!pnpmn! IRP %p arrived while another pnp irp %!pnpmn! IRP %p is still pending WDFDEVICE %p\n";
    PNP_REMOVE_CHILD_LIST = Verbose TRACINGPNP "FxPkgPnp::RemoveChildList" "Removing FxChildList %p, WDFCHILDLIST %p";

    // S/irphandlers/pnp/fxpkgfdo.cpp
    FDO_INTERFACE_ENTER = Verbose TRACINGPNP "FxPkgFdo::_PnpQueryInterface" "Entering QueryInterface handler";
    FDO_INTERFACE_EXIT = Verbose TRACINGPNP "FxPkgFdo::_PnpQueryInterface" "Exiting QueryInterface handler, %!STATUS!";
    FDO_STATE_ENTER = Verbose TRACINGPNP "FxPkgFdo::HandleQueryPnpDeviceStateCompletion" "Entering QueryPnpDeviceState completion handler";
    FDO_STATE = Information TRACINGPNP "FxPkgFdo::HandleQueryPnpDeviceStateCompletion" "WDFDEVICE 0x%p !devobj 0x%p returning PNP_DEVICE_STATE 0x%d IRP 0x%p";
    FDO_STATE_EXIT = Verbose TRACINGPNP "FxPkgFdo::HandleQueryPnpDeviceStateCompletion" "Exiting QueryPnpDeviceState completion handler";
    FDO_STATE_FAILED = Error TRACINGPNP "FxPkgFdo::_PnpQueryPnpDeviceState" "Lower stack returned error for query pnp device state, %!STATUS!";
    FDO_FILTER_ENTER = Verbose TRACINGPNP "FxPkgFdo::PnpFilterResourceRequirements" "Entering FilterResourceRequirements handler";
    FDO_FILTER_EXIT = Verbose TRACINGPNP "FxPkgFdo::PnpFilterResourceRequirements" "Exiting FilterResourceRequirements handler, %!STATUS!";
    FDO_START_FAILED = Error TRACINGPNP "FxPkgFdo::_PnpStartDeviceCompletionRoutine" "PNP start failed with %!STATUS!";

    // S/irphandlers/pnp/fxpkgpdo.cpp
    PDO_EJECTED = Information TRACINGPNP "FxPkgPdo::PnpEventEjectHardwareOverload" "PDO WDFDEVICE %p !devobj %p marked missing as a result of eject";
    PDO_EJECT_NOT_MISSING = Error TRACINGPNP "FxPkgPdo::PnpEventEjectHardwareOverload" "Failed to mark PDO WDFDEVICE %p !devobj %p missing after eject %!STATUS!";
    PDO_EJECT_SCANNING = Verbose TRACINGPNP "FxPkgPdo::PnpEventEjectHardwareOverload" "waiting on event %p for device to finish scanning";
    PDO_EJECT_FAILED = Error TRACINGPNP "FxPkgPdo::PnpEventEjectHardwareOverload" "Eject failed since driver's EvtDeviceEject returned %!STATUS!";
    PDO_EJECT_BAD_STATUS = Error TRACINGDEVICE "FxPkgPdo::PnpEventEjectHardwareOverload" "EvtDeviceEject returned an invalid status STATUS_NOT_SUPPORTED";
    INTERFACE_NOT_PNP = Error TRACINGERROR "imp_WdfDeviceCreateDeviceInterface" "WDFDEVICE %p is not a PNP device, device interface creation not allowed %!STATUS!";
    INTERFACE_STATE_NOT_PNP = Error TRACINGERROR "WdfDeviceSetDeviceInterfaceStateWorker" "WDFDEVICE %p is not a PNP device, device interfaces not allowed";
    PDO_INTERFACE_NOT_REGISTERED = Error TRACINGPNP "FxPkgPdo::PnpQueryResourceRequirements" "could not register device interface on PDO WDFDEVICE %p, !devobj %p, failing IRP_MN_QUERY_RESOURCE_REQUIREMENTS %!STATUS!";
    PDO_NO_ID = Error TRACINGPNP "FxPkgPdo::_PnpQueryId" "WDFDEVICE %p does not have a string for PnP query IdType %!BUS_QUERY_ID_TYPE!, %!STATUS!";
    PDO_STATE_ENTER = Verbose TRACINGPNP "FxPkgPdo::_PnpQueryPnpDeviceState" "Entering QueryPnpDeviceState handler";
    PDO_STATE = Information TRACINGPNP "FxPkgPdo::_PnpQueryPnpDeviceState" "WDFDEVICE 0x%p !devobj 0x%p returning PNP_DEVICE_STATE 0x%d IRP 0x%p";
    PDO_STATE_EXIT = Verbose TRACINGPNP "FxPkgPdo::_PnpQueryPnpDeviceState" "Exiting QueryPnpDeviceState handler";

    // S/core/fxdevice.cpp, fxdeviceapi.cpp
    SET_FAILED = Information TRACINGDEVICE "imp_WdfDeviceSetFailed" "WDFDEVICE %p, !devobj %p SetFailed %!WDF_DEVICE_FAILED_ACTION!";
    STOP_IDLE = Verbose TRACINGDEVICE "StopIdleWorker" "WDFDEVICE %p WdfDeviceStopIdle, WaitForD0 %d %!STATUS!";
    DEVICE_ADD_FAILED = Error TRACINGPNP "FxDevice::DeleteDeviceFromFailedCreateNoDelete" "WDFDEVICE %p !devobj %p created, but EvtDriverDeviceAdd returned status %!STATUS! or failure in creation";
    DEVICE_ADD_FAILED_FILTER = Information TRACINGPNP "FxDevice::DeleteDeviceFromFailedCreateNoDelete" "WDFDEVICE %p, !devobj %p is a filter, converting %!STATUS! to STATUS_SUCCESS";
}
