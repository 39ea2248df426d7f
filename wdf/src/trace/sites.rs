//! Every trace site that the model reaches, with the framework's own texts.
//!
//! Texts, functions, levels and flags are observable output of the framework and therefore verbatim.

use super::site::{Level, Site};

macro_rules! sites {
    ($all:ident $($name:ident = $level:ident $flag:ident $function:literal $message:literal;)+) => {
        $(
            #[doc = concat!("`", $function, "`")]
            pub static $name: Site = Site::new($function, Level::$level, stringify!($flag), $message);
        )+

        /// All of them, in the order of the framework's source files.
        pub static $all: &[&Site] = &[$(&$name),+];
    };
}
pub(super) use sites;

pub use super::child_sites::*;
pub use super::pnp_sites::*;

sites! {
    ALL

    // K/core/tracing.cpp
    IFR_START = Information TRACINGDRIVER "FxIFRStart" "FxIFR logging started";

    // S/object/*.cpp, S/inc/private/common/fxobject.hpp, fxvalidatefunctions.hpp, fxcallback*lock.hpp
    OBJECT_STATE = Verbose TRACINGOBJECT "FxObject::SetObjectStateLocked" "Object %p, WDFOBJECT %p transitioning from %!FxObjectState! to %!FxObjectState!";
    OBJECT_DROPPED = Information TRACINGOBJECT "FxObject::TraceDroppedEvent" "Object %p, WDFOBJECT %p, state %!FxObjectState! dropping event %!FxObjectDroppedEvent!";
    USER_OBJECT_CREATED = Verbose TRACINGUSEROBJECT "imp_WdfObjectCreate" "Created UserObject Handle 0x%p";
    USER_OBJECT_FAILED = Error TRACINGOBJECT "FxUserObject::_Create" "FxObject::Commit failed %!STATUS!";
    CONTEXT_MISSING = Warning TRACINGHANDLE "FxObjectGetTypedContext" "Attempting to get context type %s from FxObject 0x%p";
    CONTEXT_WITHOUT_TYPE = Warning TRACINGHANDLE "FxObjectAllocateContext" "Attributes %p ContextTypeInfo is NULL, %!STATUS!";
    NULL_PARAMETER = Fatal TRACINGERROR "FxVerifierNullBugCheck" "NULL Required Parameter Passed to a DDI\nFxDriverGlobals 0x%p";
    ATTRIBUTES_PARENT_REQUIRED = Error TRACINGDEVICE "FxValidateObjectAttributesForParentHandle" "ParentObject required in WDF_OBJECT_ATTRIBUTES %p, %!STATUS!";
    ATTRIBUTES_PARENT_NOT_ALLOWED = Error TRACINGAPIERROR "FxValidateObjectAttributes" "Attributes %p does not allow a parent object to be set, set to %p, %!STATUS!";
    ATTRIBUTES_SCOPE = Error TRACINGAPIERROR "FxValidateObjectAttributes" "Attributes %p does not allow synchronization scope too be set, but was set to %!WDF_SYNCHRONIZATION_SCOPE!, %!STATUS!";
    ATTRIBUTES_LEVEL = Error TRACINGAPIERROR "FxValidateObjectAttributes" "Attributes %p does not allow execution level to be set, but was set to %!WDF_EXECUTION_LEVEL!, %!STATUS!";
    ACQUIRE_WITHOUT_LOCK = Error TRACINGDEVICE "imp_WdfObjectAcquireLock" "Invalid to call on WDFOBJECT 0x%p";
    RELEASE_WITHOUT_LOCK = Error TRACINGDEVICE "imp_WdfObjectReleaseLock" "Invalid to call on WDFOBJECT 0x%p";
    LOCK_SPIN_TWICE = Fatal TRACINGDEVICE "FxCallbackSpinLock::Lock" "Recursive acquire of callback lock! 0x%p";
    LOCK_MUTEX_TWICE = Fatal TRACINGDEVICE "FxCallbackMutexLock::Lock" "Recursive acquire of callback lock 0x%p";
    LOCK_NOT_OWNED = Error TRACINGDEVICE "FxCallbackLock::CheckOwnership" "Callback: Driver released the callback lock 0x%p";
    VERIFIED_LOCK_NOT_OWNED = Error TRACINGDEVICE "FxVerifierLock::Unlock" "Thread 0x%p Is Attempting to release a Lock 0x%p for Object 0x%p it does not own!";
    POOL_DESTROY = Verbose TRACINGPOOL "FxPoolDestroy" "Destroying Pool 0x%p";
    POOL_DUMP = Error TRACINGDEVICE "FxPoolDump" "FxPoolDump: NonPagedBytes %I64d, PagedBytes %I64d, NonPagedAllocations %d, PagedAllocations %d,PeakNonPagedBytes %I64d, PeakPagedBytes %I64d,FxPoolDump: PeakNonPagedAllocations %d, PeakPagedAllocations %d";
    POOL_LEAK = Error TRACINGDEVICE "FxPoolDump" "FX_POOL 0x%p leaked non-paged memory alloc 0x%p (tracking block %p)";
    VERIFIER_SECTION_UNLOCKED = Information TRACINGDRIVER "UnlockVerifierSection" "Decrement UnLock counter (%d) for Verifier Paged Memory with driver globals %p";

    // S/core/fxdriver.cpp, fxdevicebase.cpp
    DRIVER_UNLOADING = Verbose TRACINGDRIVER "FxDriver::Unload" "Unloading WDFDRIVER %p, PDRIVER_OBJECT_UM %p";
    DRIVER_UNLOADED = Verbose TRACINGDRIVER "FxDriver::Unload" "Driver unload routine Exit WDFDRIVER %p, PDRIVER_OBJECT_UM %p";
    NO_DEVICE_ABOVE = Error TRACINGOBJECT "FxDeviceBase::_SearchForDevice" "WDFHANDLE %p does not have a WDFDEVICE as an ancestor";

    // S/core/fxtimer.cpp, fxtimerapi.cpp, fxworkitem.cpp; K/core/fxdpc.cpp
    TIMER_PERIOD = Error TRACINGDEVICE "imp_WdfTimerCreate" "Period value %u for a periodic timer cannot be greater than MAXLONG, %!STATUS!";
    TIMER_RESOLUTION = Error TRACINGDEVICE "imp_WdfTimerCreate" "UseHighResolutionTimer option sepcified with non zero tolerable delay %u %!STATUS!";
    TIMER_PASSIVE_PERIODIC = Error TRACINGDEVICE "imp_WdfTimerCreate" "Passive level periodic timer is not supported. Use one shot timer and queue the next timer from the callback or use a dedicated thread, %!STATUS!";
    TIMER_INCOMPATIBLE = Error TRACINGDEVICE "FxTimer::Initialize" "ParentObject %p cannot automatically synchronize callbacks with a Timer since it is configured for passive level callback constraints. Set AutomaticSerialization to FALSE. %!STATUS!";
    TIMER_RUNNING_DOWN = Error TRACINGDEVICE "FxTimer::Start" "Calling WdfTimerStart when the timer object %p is running down will lead to a crash";
    TIMER_BEING_STOPPED = Error TRACINGDEVICE "FxTimer::Start" "WDFTIMER 0x%p is been stopped by PRKTHREAD 0x%p. Ignoring the request to start timer";
    TIMER_STOP_INSIDE = Error TRACINGDEVICE "FxTimer::Stop" "Calling WdfTimerStop from within the WDFTIMER %p callback will lead to deadlock, PRKTHREAD %p";
    TIMER_STOPPED_TWICE = Error TRACINGDEVICE "FxTimer::Stop" "Detected multiple calls to WdfTimerStop for WDFTIMER 0x%p, stop in progress on PRKTHREAD 0x%p, current PRKTHREAD 0x%p";
    TIMER_DELETED_INSIDE = Error TRACINGDEVICE "FxTimer::FlushAndRundown" "Deleting WDFTIMER %p from with in the callback will lead to deadlock, PRKTHREAD %p";
    WORK_ITEM_INCOMPATIBLE = Error TRACINGDEVICE "FxWorkItem::Initialize" "ParentObject %p cannot automatically synchronize callbacks with a WorkItem since it is not configured for passive level callback constraints.  Use a WDFDPC instead or set AutomaticSerialization to FALSE.%!STATUS!";
    WORK_ITEM_QUEUED = Verbose TRACINGDEVICE "FxWorkItem::Enqueue" "Previously queued WDFWORKITEM 0x%p is already pending. Ignoring the request to queue again";
    WORK_ITEM_DELETED = Error TRACINGDEVICE "FxWorkItem::Enqueue" "WDFWORKITEM 0x%p is already deleted";
    WORK_ITEM_FLUSH_INSIDE = Error TRACINGDEVICE "FxWorkItem::FlushAndWait" "Calling WdfWorkItemFlush from within the WDFWORKITEM %p callback will lead to deadlock, PRKTHREAD %p";
    DPC_INCOMPATIBLE = Error TRACINGDEVICE "FxDpc::Initialize" "ParentObject %p can not automatically synchronize callbacks with a DPC since it is configured for passive level callback constraints. Set AutomaticSerialization to FALSE. %!STATUS!";

    // S/core/fxmemory*.cpp, fxlookasidelistapi.cpp; S/support/fxcollectionapi.cpp, fxspinlock.cpp
    MEMORY_EMPTY = Error TRACINGDEVICE "imp_WdfMemoryCreate" "BufferSize == 0 not allowed,  %!STATUS!";
    MEMORY_COPY_TO_NOTHING = Error TRACINGDEVICE "imp_WdfMemoryCopyToBuffer" "Zero bytes to copy not allowed, %!STATUS!";
    MEMORY_COPY_FROM_NOTHING = Error TRACINGDEVICE "imp_WdfMemoryCopyFromBuffer" "Zero bytes to copy not allowed, %!STATUS!";
    MEMORY_READ_ONLY = Error TRACINGDEVICE "IFxMemory::CopyFromPtr" "Target WDFMEMORY 0x%p is ReadOnly";
    MEMORY_PREALLOCATED_EMPTY = Error TRACINGDEVICE "imp_WdfMemoryCreatePreallocated" "Zero BufferSize not allowed, %!STATUS!";
    MEMORY_ASSIGN_EMPTY = Error TRACINGDEVICE "imp_WdfMemoryAssignBuffer" "Zero BufferSize not allowed, %!STATUS!";
    LOOKASIDE_EMPTY = Error TRACINGDEVICE "imp_WdfLookasideListCreate" "Zero BufferSize not allowed, %!STATUS!";
    COLLECTION_NOT_CREATED = Error TRACINGERROR "imp_WdfCollectionCreate" "Could not create collection object: %!STATUS!";
    COLLECTION_NO_INDEX = Error TRACINGERROR "imp_WdfCollectionRemoveItem" "Index %d is not valid in WDFCOLLECTION %p (count is %d), %!STATUS!";
    COLLECTION_NOT_IN = Error TRACINGERROR "imp_WdfCollectionRemove" "WDFOBJECT %p not in WDFCOLLECTION %p, %!STATUS!";
    SPIN_LOCK_NOT_HELD = Error TRACINGERROR "FxSpinLock::ReleaseLock" "WDFSPINLOCK %p being released by thread 0x%p, but was never acquired!";

    // S/core/fxdevice*.cpp, S/inc/private/common/FxVerifierLock.hpp, S/irphandlers/pnp
    DEVICE_REMOVE_LOCK_CONTROL = Error TRACINGAPIERROR "imp_WdfDeviceInitSetRemoveLockOptions" "WdfDeviceInitSetRemoveLockOptions is not supported on control devices";
    DEVICE_SELF_TARGET = Error TRACINGDEVICE "imp_WdfDeviceCreate" "Client called WdfDeviceInitAllowSelfTarget. Self IO Targets are supported only for FDOs, %!STATUS!";
    DEVICE_NOT_SECURE = Warning TRACINGDEVICE "WDFDEVICE_INIT::ShouldCreateSecure" "WDFDRIVER 0x%p asked for a named device object, but the PDO will be created without a name because an SDDL string has not been specified for the PDO.";
    LOCK_WITHOUT_ORDER = Information TRACINGDEVICE "FxVerifierLock::InitializeLockOrder" "Object Type 0x%x does not have a lock order defined in fx\\inc\\FxVerifierLock.hpp";
    PNP_NO_D3COLD = Verbose TRACINGPNP "FxPkgPnp::QueryForD3ColdInterface" "!devobj %p declined to supply D3COLD_SUPPORT_INTERFACE";
    IRQL_TOO_HIGH = Error TRACINGDEVICE "FxVerifierCheckIrqlLevel" "Called at wrong IRQL; at level %d, should be at level %d";
    OBJECT_TYPE_MISMATCH = Error TRACINGDEVICE "FxObjectHandleGetPtrQI" "Object Type Mismatch, Handle 0x%p, Type 0x%x, Obj 0x%p, SB 0x%x";
    DELETE_WHILE_SENT = Error TRACINGREQUEST "FxRequestBase::Vf_VerifyDispose" "Driver is trying to delete WDFREQUEST 0x%p while it is still active on WDFIOTARGET 0x%p. ";
    OBJECT_NO_DELETE = Error TRACINGDEVICE "imp_WdfObjectDelete" "Attempt to Delete an Object Which does not allow WdfDeleteObject Handle 0x%p, %!STATUS!";
    PNP_REMOVE_CHILD_LIST = Verbose TRACINGPNP "FxPkgPnp::RemoveChildList" "Removing FxChildList %p, WDFCHILDLIST %p";
    PNP_ADD_CHILD_LIST = Verbose TRACINGPNP "FxPkgPnp::AddChildList" "Adding FxChildList %p, WDFCHILDLIST %p";

    // S/irphandlers/io/fxpkgio.cpp
    IO_CONSTRUCTED = Verbose TRACINGIO "FxPkgIo::FxPkgIo" "Constructed FxPkgIo 0x%p";
    IO_DESTROYED = Verbose TRACINGIO "FxPkgIo::~FxPkgIo" "Destroyed FxPkgIo 0x%p";
    IO_RESTART = Information TRACINGIO "FxPkgIo::ResetStateForRestart" "Restart queues from purged state for WDFDEVICE 0x%p due to device restart";
    IO_DISPATCH = Verbose TRACINGIO "FxPkgIo::Dispatch" "WDFDEVICE 0x%p !devobj 0x%p %!IRPMJ!, IRP_MN %x, IRP 0x%p";
    IO_NO_QUEUE = Error TRACINGIO "FxPkgIo::DispatchStep1" "No queue configured for WDFDEVICE 0x%p, failing IRP 0x%p, %!STATUS!";
    IO_ENQUEUE = Verbose TRACINGIO "FxPkgIo::EnqueueRequest" "WDFREQUEST 0x%p";
    IO_ENQUEUE_NO_QUEUE = Error TRACINGIO "FxPkgIo::EnqueueRequest" "No queue configured for WDFDEVICE 0x%p, failing WDFREQUEST 0x%p %!STATUS!";
    IO_CONFIGURE_NO_HANDLER = Error TRACINGIO "FxPkgIo::ConfigureForwarding" "Must have EvtIoDefault or %!WDF_REQUEST_TYPE! specific dispatch event registered for WDFQUEUE 0x%p, %!STATUS!";
    IO_CONFIGURE_DEFAULT = Error TRACINGIO "FxPkgIo::ConfigureForwarding" "Default WDFQUEUE 0x%p cannot be configured to dispatch specific type of request, %!STATUS!";
    IO_CONFIGURE_BUSY = Error TRACINGIO "FxPkgIo::ConfigureForwarding" "%!WDF_REQUEST_TYPE! is already configured forWDFQUEUE 0x%p, %!STATUS!";
    IO_DYNAMIC_TWICE = Error TRACINGDEVICE "FxPkgIo::ConfigureDynamicDispatching" "Driver %p has already set a dispatch callback for %!IRPMJ!, %!STATUS!";
    IO_STOP_FOR_POWER = Information TRACINGIO "FxPkgIo::StopProcessingForPower" "Perform %!FxIoStopProcessingForPowerAction! for all queues of WDFDEVICE 0x%p";
    IO_RESUME_FOR_POWER = Information TRACINGIO "FxPkgIo::ResumeProcessingForPower" "Power resume all queues of WDFDEVICE 0x%p";

    // S/irphandlers/io/fxioqueue.cpp
    QUEUE_INITIALIZE = Verbose TRACINGIO "FxIoQueue::Initialize" "EvtIoDefault 0x%p, EvtIoRead 0x%p, EvtIoWrite 0x%p, EvtIoDeviceControl 0x%p for WDFQUEUE 0x%p";
    QUEUE_NO_DEVICE = Error TRACINGIO "FxPkgIo::CreateQueue" "QueueAttributes->ParentObject 0x%p must have WDFDEVICE as an eventual ancestor, %!STATUS!";
    QUEUE_OTHER_DEVICE = Error TRACINGIO "FxPkgIo::CreateQueue" "Attributes->ParentObject 0x%p ancestor is WDFDEVICE %p, but not the same WDFDEVICE 0x%p passed to WdfIoQueueCreate, %!STATUS!";
    QUEUE_OTHER_LEVEL = Error TRACINGIO "FxIoQueue::ConfigureConstraints" "WDFQUEUE 0x%p Synchronization scope is set to device but the Device ExecutionLevel: 0x%x doesn't match Queue ExecutionLevel: 0x%x, %!STATUS!";
    QUEUE_NOT_PASSIVE = Warning TRACINGIO "FxIoQueue::CanThreadDispatchEventsLocked" "Current thread 0x%p is not at the passive-level %!irql!, posting to worker thread for WDFQUEUE 0x%p";
    QUEUE_LOCK_HELD = Warning TRACINGIO "FxIoQueue::CanThreadDispatchEventsLocked" "Presentation lock for WDFQUEUE 0x%p is already held, deferring to dpc or workitem";
    QUEUE_CREATED = Verbose TRACINGIO "imp_WdfIoQueueCreate" "Created WDFQUEUE 0x%p";
    QUEUE_STOP_DELETED = Error TRACINGIO "FxIoQueue::QueueIdle" "WDFQUEUE 0x%p is already deleted, %!STATUS!";
    QUEUE_PURGE_DELETED = Error TRACINGIO "FxIoQueue::QueuePurge" "WDFQUEUE 0x%p is already deleted %!STATUS!";
    QUEUE_POWER_TRANSITION = Verbose TRACINGIO "FxIoQueue::DispatchEvents" "WDFQUEUE 0x%p Power Transition State %!FxIoQueuePowerState!";
    POWER_STOP_IN_FLIGHT = Verbose TRACINGIO "FxIoQueue::ProcessPowerEvents" "Power Stop: WDFQUEUE 0x%p is powering off with in-flight requests";
    POWER_STOP_NOT_IN_FLIGHT = Verbose TRACINGIO "FxIoQueue::ProcessPowerEvents" "Power Stop: WDFQUEUE 0x%p is powering off without in-flight requests";
    POWER_PURGE_IN_FLIGHT = Verbose TRACINGIO "FxIoQueue::ProcessPowerEvents" "Power Stop: WDFQUEUE 0x%p is purging with in-flight requests";
    POWER_PURGE_NOT_IN_FLIGHT = Verbose TRACINGIO "FxIoQueue::ProcessPowerEvents" "Power purge: WDFQUEUE 0x%p is purging without in-flight requests";
    POWER_STOP_NOTIFYING = Verbose TRACINGIO "FxIoQueue::ProcessPowerEvents" "Power Stop Notifying Driver, WDFQUEUE 0x%p, WDFREQUEST 0x%p";
    POWER_PURGE_NOTIFYING = Verbose TRACINGIO "FxIoQueue::ProcessPowerEvents" "Power Purge Notifying Driver WDFQUEUE 0x%p, WDFREQUEST 0x%p";
    POWER_WAITING_FOR_DRIVER = Verbose TRACINGIO "FxIoQueue::ProcessPowerEvents" "Power Stop: Waiting for Driver to complete or acknowledge in-flight requests on WDFQUEUE 0x%p";
    POWER_OFF = Verbose TRACINGIO "FxIoQueue::ProcessPowerEvents" "Power Stop: WDFQUEUE 0x%p is now powered off with no in-flight requests";
    POWER_OUTSTANDING = Verbose TRACINGIO "FxIoQueue::ProcessPowerEvents" "Power Stop: Driver has acknowledged all in-flight requests, but WDFQUEUE 0x%p has outstanding callbacks";
    POWER_RESUME_PAUSED = Verbose TRACINGIO "FxIoQueue::ProcessPowerEvents" "Power Resume: Driver has power paused requests on WDFQUEUE 0x%p";
    POWER_RESUME_NONE = Verbose TRACINGIO "FxIoQueue::ProcessPowerEvents" "Power Resume: Driver has no power paused requests on WDFQUEUE 0x%p";
    POWER_RESUME_NOTIFYING = Verbose TRACINGIO "FxIoQueue::ProcessPowerEvents" "Power Resume, Notifying Driver, WDFQUEUE 0x%p, WDFREQUEST 0x%p";
    POWER_RESUME_NO_CALLBACK = Verbose TRACINGIO "FxIoQueue::ProcessPowerEvents" "Power Resume: Driver has no callback for EvtIoResume registered on WDFQUEUE 0x%p";
    POWER_RESUMED = Verbose TRACINGIO "FxIoQueue::ProcessPowerEvents" "Power Resume: WDFQUEUE 0x%p is now powered on and I/O has resumed";
    POWER_ACKNOWLEDGING = Verbose TRACINGIO "FxIoQueue::ProcessAcknowledgedRequests" "Acknowledging WDFREQUEST %p on WDFQUEUE %p %s requeue option";
    POWER_WAIT_FOR_THREADS = Verbose TRACINGIO "FxIoQueue::StartPowerTransitionOff" "Waiting for all threads to stop dispatching requests so that WDFQUEUE 0x%p can be powered off";
    POWER_WAIT_FOR_DRIVER = Verbose TRACINGIO "FxIoQueue::StopProcessingForPower" "Waiting for all inflight requests to be acknowledged  on WDFQUEUE 0x%p";
    QUEUE_REFUSES = Verbose TRACINGIO "FxIoQueue::QueueRequest" "WDFQUEUE 0x%p is not accepting requests, state is %!WDF_IO_QUEUE_STATE!, %scompleting WDFREQUEST 0x%p %!STATUS!";
    QUEUE_REQUEST = Verbose TRACINGIO "FxIoQueue::QueueRequest" "Queuing WDFREQUEST 0x%p on WDFQUEUE 0x%p";
    QUEUE_DISPATCH_EVENTS = Verbose TRACINGIO "FxIoQueue::DispatchEvents" "Thread %p is processing WDFQUEUE 0x%p";
    QUEUE_ZERO_LENGTH = Verbose TRACINGIO "FxIoQueue::DispatchRequestToDriver" "Zero length WDFREQUEST 0x%p completed automatically by WDFQUEUE 0x%p";
    QUEUE_CALL_READ = Verbose TRACINGIO "FxIoQueue::DispatchRequestToDriver" "Calling driver EvtIoRead for WDFREQUEST 0x%p";
    QUEUE_CALL_WRITE = Verbose TRACINGIO "FxIoQueue::DispatchRequestToDriver" "Calling driver EvtIoWrite for WDFREQUEST 0x%p";
    QUEUE_CALL_DEVICE_CONTROL = Verbose TRACINGIO "FxIoQueue::DispatchRequestToDriver" "Calling driver EvtIoDeviceControl for WDFREQUEST 0x%p";
    QUEUE_CALL_INTERNAL = Verbose TRACINGIO "FxIoQueue::DispatchRequestToDriver" "Calling driver EvtIoInternalDeviceControl for WDFREQUEST 0x%p";
    QUEUE_CALL_DEFAULT = Verbose TRACINGIO "FxIoQueue::DispatchRequestToDriver" "Calling driver EvtIoDefault for WDFREQUEST 0x%p";
    QUEUE_NO_CALLBACK = Error TRACINGIO "FxIoQueue::DispatchRequestToDriver" "Driver has no event callback for %!WDF_REQUEST_TYPE!, completing WDFREQUEST 0x%p with %!STATUS!";
    QUEUE_PURGE_WAITING = Verbose TRACINGIO "FxIoQueue::QueuePurge" "All WDFQUEUE 0x%p requests cancelled";
    QUEUE_PURGE_CANCEL = Information TRACINGIO "FxIoQueue::QueuePurge" "Cancelling WDFREQUEST 0x%p, WDFQUEUE 0x%p";
    QUEUE_PURGE_OWNED = Verbose TRACINGIO "FxIoQueue::QueuePurge" "All driver cancellable requests cancelled  in WDFQUEUE 0x%p";
    QUEUE_STOP_WAITING = Verbose TRACINGIO "FxIoQueue::QueueIdle" "All WDFQUEUE 0x%p requests cancelled";
    QUEUE_STOP_CANCEL = Information TRACINGIO "FxIoQueue::QueueIdle" "Cancelling WDFREQUEST 0x%p, WDFQUEUE 0x%p";
    QUEUE_STOP_OWNED = Verbose TRACINGIO "FxIoQueue::QueueIdle" "All driver cancellable requests cancelled  in WDFQUEUE 0x%p";
    QUEUE_STOP_TWICE = Error TRACINGIO "FxIoQueue::QueueIdle" "WDFQUEUE 0x%p already has a IdleComplete callback registered 0x%p, %!STATUS!";
    QUEUE_PURGE_TWICE = Error TRACINGIO "FxIoQueue::QueuePurge" "WDFQUEUE 0x%p already has a PurgeComplete callback registered 0x%p %!STATUS!";
    QUEUE_STOP_WAIT = Verbose TRACINGIO "FxIoQueue::QueueIdleSynchronously" "Waiting for %d requests to complete on WDFQUEUE 0x%p";
    QUEUE_PURGE_WAIT = Verbose TRACINGIO "FxIoQueue::QueuePurgeSynchronously" "Waiting for %d requests to complete on WDFQUEUE 0x%p";
    QUEUE_DRAIN_WAIT = Verbose TRACINGIO "FxIoQueue::QueueDrainSynchronously" "Waiting for %d requests to complete on WDFQUEUE 0x%p";
    QUEUE_IS_SHUT_DOWN = Information TRACINGIO "FxIoQueue::SetState" "WDFQUEUE 0x%p is shut down, preventing queue from accepting requests";
    QUEUE_NOTIFY_NOT_MANUAL = Error TRACINGIO "FxIoQueue::ReadyNotify" "WDFQUEUE 0x%p is not a Manual queue, ReadyNotify is only valid on a manual Queue, %!STATUS!";
    QUEUE_NOTIFY_TWICE = Error TRACINGIO "FxIoQueue::ReadyNotify" "WDFQUEUE 0x%p already has a ReadyNotify callback 0x%pregistered, %!STATUS!";
    QUEUE_NOTIFY_NONE = Error TRACINGIO "FxIoQueue::ReadyNotify" "WDFQUEUE 0x%p does not have a ReadyNotify to cancel, %!STATUS!";
    QUEUE_NOTIFY_DISPATCHING = Error TRACINGIO "FxIoQueue::ReadyNotify" "WDFQUEUE 0x%p should be stopped before clearing ReadyNotify callback 0x%p registered, %!STATUS!";
    QUEUE_IDLE = Verbose TRACINGIO "FxIoQueue::ProcessIdleComplete" "WDFQUEUE 0x%p is idle, calling driver callback";
    QUEUE_PURGED = Verbose TRACINGIO "FxIoQueue::ProcessPurgeComplete" "WDFQUEUE 0x%p is purged, calling driver callback";
    QUEUE_NOT_DISPATCHING = Warning TRACINGIO "FxIoQueue::DispatchEvents" "WDFQUEUE 0x%p not in dispatching state, current state is %!WDF_IO_QUEUE_STATE!";
    QUEUE_FOUND_NOT_MANUAL = Error TRACINGIO "FxIoQueue::Vf_VerifyGetRequestUpdateFlags" "WdfIoQueueRetrieveFoundRequest is allowed only on a manual queue 0x%p, %!STATUS!";
    QUEUE_RETRIEVE_RACE = Error TRACINGIO "FxIoQueue::Vf_VerifyGetRequestUpdateFlags" "Driver called WdfIoQueueRetrieveNextRequest on a sequential WDFQUEUE 0x%p with no outstanding requests. This can cause a race with automatically dispatched requests. Call WdfIoQueueRetrieveNextRequest before completing the current request(s)";
    QUEUE_RETRIEVE_PARALLEL = Error TRACINGIO "FxIoQueue::GetRequest" "Cannot be called on a parallel WDFQUEUE 0x%p, %!STATUS!";
    QUEUE_RETRIEVE_POWERED_OFF = Error TRACINGIO "FxIoQueue::GetRequest" "WDFQUEUE 0x%p is powered off, %!STATUS!";
    QUEUE_RETRIEVE_STOPPED = Error TRACINGIO "FxIoQueue::GetRequest" "WDFQUEUE 0x%p is stopped, %!STATUS!";
    QUEUE_RETRIEVE_ZERO_LENGTH = Verbose TRACINGIO "FxIoQueue::GetRequest" "Zero length WDFREQUEST 0x%p completed automatically by WDFQUEUE 0x%p";
    QUEUE_FIND_NOT_MANUAL = Error TRACINGIO "FxIoQueue::PeekRequest" "FindRequest is allowed only on a manaul queue 0x%p, %!STATUS!";
    FORWARD_NO_PARENT = Error TRACINGIO "FxIoQueue::Vf_VerifyForwardRequestToParent" "No parent device for WDFQUEUE 0x%p Device, %!STATUS!";
    FORWARD_PARENT_TO_ITSELF = Error TRACINGIO "FxIoQueue::Vf_VerifyForwardRequestToParent" "Cannot forward a request to the same WDFQUEUE 0x%p %!STATUS!";
    FORWARD_NOT_PARENT = Error TRACINGIO "FxIoQueue::Vf_VerifyForwardRequestToParent" "Cannot forward a request to a different WDFDEVICE 0x%p which is not the parent, %!STATUS!";
    FORWARD_NOT_ALLOWED = Error TRACINGIO "FxIoQueue::Vf_VerifyForwardRequestToParent" "WdfPdoInitSetForwardRequestToParent not called on WDFDEVICE 0x%p, %!STATUS!";
    FORWARD_TO_ITSELF = Error TRACINGIO "FxIoQueue::Vf_VerifyForwardRequest" "Cannot forward a request to the same WDFQUEUE 0x%p %!STATUS!";
    FORWARD_TO_OTHER_DEVICE = Error TRACINGIO "FxIoQueue::Vf_VerifyForwardRequest" "Cannot forward a request to a different WDFDEVICE 0x%p";
    REQUEUE_NOT_MANUAL = Error TRACINGIO "FxIoQueue::Requeue" "Requeue is allowed only for a manual queue, WDFREQUEST 0x%p %!STATUS!";
    REQUEUE = Verbose TRACINGIO "FxIoQueue::Requeue" "WDFREQUEST 0x%p";
    QUEUE_REFUSES_FORWARDED = Warning TRACINGIO "FxIoQueue::QueueRequestFromForward" "WDFQUEUE 0x%p is not accepting requests state is %!WDF_IO_QUEUE_STATE!, %sWDFREQUEST 0x%p %!STATUS!";
    QUEUE_CANCELLED_IN_DRIVER = Warning TRACINGIO "FxIoQueue::Vf_VerifyCancelForDriver" "WDFREQUEST 0x%p was cancelled in driver for WDFQUEUE 0x%p";
    QUEUE_CALL_CANCELLED_ON_QUEUE = Information TRACINGIO "FxIoQueue::ProcessCancelledRequestsOnQueue" "Calling CanceledOnQueue routine for WDFREQUEST 0x%p on WDFQUEUE 0x%p";
    QUEUE_CANCELLED_WAITING = Warning TRACINGIO "FxIoQueue::CancelForQueue" "WDFREQUEST 0x%p was cancelled while on WDFQUEUE 0x%p";
    QUEUE_CALL_CANCEL = Information TRACINGIO "FxIoQueue::ProcessCancelledRequests" "Calling CancelRoutine routine for WDFREQUEST 0x%p on WDFQUEUE 0x%p";

    // S/irphandlers/general/fxpkggeneral.cpp
    FILE_SCOPE_QUEUE = Error TRACINGDEVICE "FxPkgGeneral::ConfigureConstraints" "WdfSynchronizationScopeQueue is not allowed on FileObject, %!STATUS!";
    FILE_SCOPE_DEVICE = Error TRACINGDEVICE "FxPkgGeneral::ConfigureConstraints" "WdfSynchronizationScopeDevice or WdfSynchronizationScopeInheritFromParent allowed only if the parent WDFDEVICE 0x%p, ExecutionLevel is passive, %!STATUS!";
    GENERAL_NO_FILE = Error TRACINGIO "FxPkgGeneral::OnCreate" "Could not create WDFFILEOBJECT for WDFDEVICE 0x%p, failing IRP_MJ_CREATE %!STATUS!";
    GENERAL_EXCLUSIVE = Error TRACINGIO "FxPkgGeneral::OnCreate" "Exclusive WDFDEVICE 0x%p, only one open handle is allowed";
    GENERAL_NOT_QUEUED = Error TRACINGIO "FxPkgGeneral::OnCreate" "Couldn't forward request to the WDFQUEUE 0x%p, %!STATUS!";
    FILE_CREATE_WITHOUT = Verbose TRACINGIO "FxFileObject::_CreateFileObject" "WdfFileObjectWdfCanUseFsContexts is specified, but the Create IRP %p doesn't have a fileObject\n";
    FILE_NULL = Error TRACINGDEVICE "FxFileObject::_GetFileObjectFromWdm" "NULL passed for PFILE_OBJECT when FileObject support is requested in an I/O request";
    FILE_UNKNOWN = Error TRACINGDEVICE "FxFileObject::_GetFileObjectFromWdm" "Could not locate WDFFILEOBJECT for PFILE_OBJECT 0x%p";
    FILE_UNKNOWN_HINT = Error TRACINGDEVICE "FxFileObject::_GetFileObjectFromWdm" "Did a different PFILE_OBJECT get passed to the request than was to IRP_MJ_CREATE?";
    FILE_DESTROY_UNKNOWN = Error TRACINGDEVICE "FxFileObject::_DestroyFileObject" "Could not find WDFFILEOBJECT for PFILE_OBJECT 0x%p";
    FILE_DESTROY_UNKNOWN_HINT = Error TRACINGDEVICE "FxFileObject::_DestroyFileObject" "Did a different PFILE_OBJECT get passed to IRP_MJ_CLOSE than did to IRP_MJ_CREATE?";
    GENERAL_CONFIGURE_NO_HANDLER = Error TRACINGIO "FxPkgGeneral::ConfigureForwarding" "Must have EvtIoDefault registered to receive WdfRequestTypeCreate requests for WDFQUEUE 0x%p, %!STATUS!";
    GENERAL_CONFIGURE_TWICE = Error TRACINGIO "FxPkgGeneral::ConfigureForwarding" "Another WDFQUEUE 0x%p is already configured for auto dispatching create request, %!STATUS!";
    CONFIGURE_TYPE = Error TRACINGIO "imp_WdfDeviceConfigureRequestDispatching" "Invalid RequestType %!WDF_REQUEST_TYPE!, %!STATUS!";
    CONFIGURE_OTHER_DEVICE = Error TRACINGIO "imp_WdfDeviceConfigureRequestDispatching" "Input WDFQUEUE 0x%p doesn't belong to the WDFDEVICE 0x%p, %!STATUS!";
    CONFIGURE_FINISHED = Error TRACINGPNP "imp_WdfDeviceConfigureRequestDispatching" "Queue cannot be configured for automatic dispatching after WdfControlDeviceFinishInitializingis called on the WDFDEVICE %p is called %!STATUS!";
    CONFIGURE_STARTED = Error TRACINGPNP "imp_WdfDeviceConfigureRequestDispatching" "Queue cannot be configured for automatic dispatchingafter the WDFDEVICE %p is started, %!STATUS!";
    DYNAMIC_MAJOR = Error TRACINGPNP "imp_WdfDeviceConfigureWdmIrpDispatchCallback" "Invalid MajorFunction provided %!IRPMJ!, %!STATUS!";
    DYNAMIC_FINISHED = Error TRACINGPNP "imp_WdfDeviceConfigureWdmIrpDispatchCallback" "Driver cannot set IRP dispatch callback after WdfControlDeviceFinishInitializing is called on the WDFDEVICE %p, %!STATUS!";
    DYNAMIC_STARTED = Error TRACINGPNP "imp_WdfDeviceConfigureWdmIrpDispatchCallback" "Driver cannot set IRP dispatch callback after the WDFDEVICE %p is started, %!STATUS!";
    DISPATCH_TO_QUEUE = Verbose TRACINGIO "Vf_VerifyWdfDeviceWdmDispatchIrpToIoQueue" "WDFDEVICE 0x%p !devobj 0x%p %!IRPMJ!, IRP_MN %x, IRP 0x%p";
    DISPATCH_TO_QUEUE_NO_HANDLER = Error TRACINGIO "Vf_VerifyWdfDeviceWdmDispatchIrpToIoQueue" "I/O Queue 0x%p cannot handle Irp 0x%p, %!IRPMJ!, IRP_MN %x, Device 0x%p, %!STATUS!";
    DISPATCH_TO_QUEUE_OTHER_DEVICE = Error TRACINGIO "Vf_VerifyWdfDeviceWdmDispatchIrpToIoQueue" "Cannot forward a request to a different Device 0x%p, %!STATUS!";
    WMI_DISPATCH = Verbose TRACINGIO "FxWmiIrpHandler::Dispatch" "WDFDEVICE 0x%p !devobj 0x%p IRP_MJ_SYSTEM_CONTROL, %!sysctrl! IRP 0x%p";
    GENERAL_DISPATCH = Verbose TRACINGIO "FxPkgGeneral::Dispatch" "WDFDEVICE 0x%p !devobj 0x%p %!IRPMJ! IRP 0x%p";

    // S/core/fxrequest.cpp, S/inc/private/common/fxrequest.hpp, S/core/fxrequestbase.cpp, S/core/fxrequestapi.cpp
    REQUEST_NOT_CREATED = Error TRACINGREQUEST "FxRequest::_Create" "Handle create failed %!STATUS!";
    REQUEST_CREATE = Verbose TRACINGREQUEST "FxRequest::_Create" "Irp %p Ownership %!FxRequestIrpOwnership! FxRequest %p, status %!STATUS!";
    REQUEST_COMPLETE = Verbose TRACINGREQUEST "FxRequest::Complete" "Completing WDFREQUEST 0x%p for IRP 0x%p with Information 0x%I64x, %!STATUS!";
    REQUEST_COMPLETE_BOOST = Verbose TRACINGREQUEST "FxRequest::CompleteWithPriority" "Completing WDFREQUEST 0x%p for IRP 0x%p with Information 0x%I64x, %!STATUS!";
    OBJECT_FREED = Fatal TRACINGOBJECT "FxObject::~FxObject" "Handle %s %p (raw object %p) was freed using WdfObjectDereference(), not WdfObjectDelete()";
    REQUEST_NOT_OWNED = Error TRACINGREQUEST "FxRequest::Vf_VerifyRequestIsDriverOwned" "WDFREQUEST 0x%p is not owned by the driver, %!STATUS!";
    REQUEST_IS_TAG = Error TRACINGREQUEST "FxRequest::Vf_VerifyRequestIsDriverOwned" "WDFREQUEST 0x%p has been used as a TagRequest in WdfIoQueueFindRequest. A TagRequest cannot be used until it is retrieved by WdfIoQueueRetrieveFoundRequest";
    REQUEST_CANCELABLE = Error TRACINGREQUEST "FxRequest::Vf_VerifyRequestIsNotCancelable" "WDFREQUEST 0x%p should be unmarked cancelable by calling WdfRequestUnmarkCancelable, %!STATUS!";
    REQUEST_COMPLETED_CANCELABLE = Error TRACINGREQUEST "FxRequest::Vf_VerifyCompleteInternal" "Completing Cancelable WDFREQUEST %p.  This results in a race condition in the device driver that can cause double completions.  Call WdfRequestUnmarkCancelable before WdfRequestComplete.  If WdfRequestUnmarkCancelable returns STATUS_CANCELLED, do not complete the request until the EvtIoCancel handler is called.  The straightforward way to ensure this is to complete a canceled request from the EvIoCancel callback.";
    REQUEST_TOO_MUCH_INFORMATION = Error TRACINGREQUEST "FxRequest::Vf_VerifyCompleteInternal" "WDFREQUEST %p, MJ 0x%x, Information 0x%I64x is greater then buffer length 0x%x";
    REQUEST_NOT_FOUND = Error TRACINGIO "FxRequest::Vf_VerifyRequestIsTagRequest" "Request 0x%p is not returned by WdfIoQueueFindRequest, %!STATUS!";
    REQUEST_WITHOUT_IRP = Error TRACINGREQUEST "FxRequest::Vf_VerifyRequestIsCurrentStackValid" "WDFREQUEST %p doesn't have an IRP, %!STATUS!";
    REQUEST_BAD_LOCATION = Error TRACINGREQUEST "FxRequest::Vf_VerifyRequestIsCurrentStackValid" "IRP %p of WDFREQUEST %p doesn't have a valid stack location, %!STATUS!";
    REQUEST_CANNOT_COMPLETE = Error TRACINGREQUEST "FxRequest::Vf_VerifyRequestCanBeCompleted" "IRP %p of WDFREQUEST %p cannot be completed, %!STATUS!";
    GET_FILE_OBJECT_FAILED = Error TRACINGREQUEST "imp_WdfRequestGetFileObject" "GetFileobject failed with %!STATUS!";
    REQUEUE_WITHOUT_QUEUE = Error TRACINGREQUEST "imp_WdfRequestRequeue" "WDFREQUEST %p doesn't belong to any queue %!STATUS!";
    FORWARD_WITHOUT_QUEUE = Error TRACINGREQUEST "Vf_VerifyWdfRequestForwardToIoQueue" "WDFREQUEST %p doesn't belong to any queue, %!STATUS!";
    FORWARD_PARENT_WITHOUT_QUEUE = Error TRACINGREQUEST "Vf_VerifyWdfRequestForwardToParentDeviceIoQueue" "WDFREQUEST %p doesn't belong to any queue, %!STATUS!";
    REQUEST_NOT_CANCELABLE = Error TRACINGREQUEST "FxRequest::Vf_VerifyRequestIsCancelable" "WDFREQUEST 0x%p is not cancelable, %!STATUS!";
    REQUEST_NOT_IN_IO_STOP = Error TRACINGIO "FxRequest::Vf_VerifyRequestIsInEvtIoStopContext" "This call is valid only in EvtIoStop callback, WDFREQUEST 0x%p, %!STATUS!";
    MARK_WITHOUT_QUEUE = Error TRACINGREQUEST "imp_WdfRequestMarkCancelable" "WDFREQUEST %p doesn't belong to any queue";
    MARK_EX_WITHOUT_QUEUE = Error TRACINGREQUEST "imp_WdfRequestMarkCancelableEx" "WDFREQUEST %p doesn't belong to any queue %!STATUS!";
    UNMARK_WITHOUT_QUEUE = Error TRACINGREQUEST "imp_WdfRequestUnmarkCancelable" "WDFREQUEST %p doesn't belong to any queue %!STATUS!";
    REQUEST_MEMORY_LENT = Fatal TRACINGREQUEST "FxRequest::CompleteInternal" "WDFREQUEST 0x%p, PIRP 0x%p, Major Function 0x%x,  completed with outstanding references on WDFMEMORY 0x%p or 0x%p retrieved from this request";
    REQUEST_INPUT_LENT = Fatal TRACINGREQUEST "FxRequest::CompleteInternal" "WDFMEMORY 0x%p, buffer %p, PMDL %p, length %I64d bytes";
    REQUEST_OUTPUT_LENT = Fatal TRACINGREQUEST "FxRequest::CompleteInternal" "IOCTL output WDFMEMORY 0x%p, buffer %p, PMDL %p, length %I64d bytes";
    REQUEST_DISPOSE_DEFERRED = Error TRACINGREQUEST "FxRequest::Vf_VerifierBreakpoint_RequestEarlyDisposeDeferred" "WDFREQUEST %p deferred the dispose operation. Usually this indicates that some child object of the WDFREQUEST requires passive level disposal (e.g. WDFTIMER). This is not supported. Either ensure that the WDFREQUEST always completes at passive level, or do not parent the object to the WDFREQUEST.";
    REQUEST_CONVERT = Error TRACINGREQUEST "FxRequest::CompleteInternal" "Converting WDF NTSTATUS value 0x%x...";
    REQUEST_CONVERT_UNKNOWN = Error TRACINGREQUEST "FxRequest::CompleteInternal" "Unknown WDF NTSTATUS 0x%x";
    REQUEST_CONVERTED = Error TRACINGREQUEST "FxRequest::CompleteInternal" "... to %!STATUS!";
    REQUEST_IS_COMPLETED = Error TRACINGREQUEST "FxRequest::Vf_VerifyRequestIsNotCompleted" "WDFREQUEST 0x%p is already completed, %!STATUS!";
    GET_IRP_COMPLETED = Error TRACINGREQUEST "imp_WdfRequestWdmGetIrp" "WDFREQUEST is already completed 0x%p, %!STATUS!";
    REUSE_WHILE_SENT = Error TRACINGREQUEST "FxRequest::Reuse" "Driver is trying to reuse WDFREQUEST 0x%p while it is still active on WDFIOTARGET 0x%p. ";
    TARGET_CLOSED = Error TRACINGIOTARGET "FxRequestBase::ValidateTarget" "WDFIOTARGET %p is closed, cannot validate, %!STATUS!";
    IRP_NOT_ALLOCATED = Error TRACINGIOTARGET "FxRequestBase::ValidateTarget" "Could not allocate irp for WDFREQUEST %p for WDFIOTARGET %p, %!STATUS!";
    CANNOT_REALLOCATE = Error TRACINGIOTARGET "FxRequestBase::ValidateTarget" "Cannot reallocate PIRP for WDFREQUEST %p using WDFIOTARGET %p, %!STATUS!";
    FREEING_IRP = Verbose TRACINGIO "FxRequestBase::ValidateTarget" "Freeing irp %p from WDFREQUEST %p\n";
    CANCEL_REQUEST = Verbose TRACINGIO "FxRequestBase::Cancel" "Request %p";
    CANCEL_RESULT = Verbose TRACINGIO "FxRequestBase::Cancel" "Request %p, PIRP %p, cancel result %d";
    CANCEL_COMPLETED = Verbose TRACINGIO "FxRequestBase::Cancel" "Request %p, PIRP %p, completed synchronously in cancel call, completing request on target %p";
    CANCEL_TOO_LATE = Verbose TRACINGIO "FxRequestBase::Cancel" "Could not cancel request %p, already completed";
    SEND_FORGET_NOT_QUEUED = Error TRACINGIOTARGET "imp_WdfRequestSend" "WDFREQUEST %p must be a WDFQUEUE presented request";
    SEND_FORGET_FORMATTED = Error TRACINGIOTARGET "imp_WdfRequestSend" "Cannot send-and-forget WDFREQUEST 0x%p with formatted IO context, %!STATUS!";
    SEND_NO_ROUTINE = Error TRACINGIOTARGET "imp_WdfRequestSend" "WDFREQUEST %p is a WDFQUEUE presented request with no completion routine, %!STATUS!";

    // S/core/fxrequest.cpp, S/core/km/fxrequestkm.cpp, S/core/fxrequestapi.cpp: buffers
    INPUT_BUFFER_OF_READ = Verbose TRACINGREQUEST "imp_WdfRequestRetrieveInputBuffer" "This call is not valid on the read request, you should call WdfRequestRetrieveOutputBuffer to get the buffer for WDFREQUEST 0x%p, %!STATUS!";
    INPUT_BUFFER_TOO_SHORT = Verbose TRACINGREQUEST "imp_WdfRequestRetrieveInputBuffer" "WDFREQUEST 0x%p buffer size %I64d is less than RequiredLength %I64d, %!STATUS!";
    OUTPUT_BUFFER_OF_WRITE = Verbose TRACINGREQUEST "imp_WdfRequestRetrieveOutputBuffer" "This call is not valid on write request, you should call WdfRequestRetrieveInputBuffer to get the buffer for WDFREQUEST 0x%p, %!STATUS!";
    OUTPUT_BUFFER_TOO_SHORT = Verbose TRACINGREQUEST "imp_WdfRequestRetrieveOutputBuffer" "WDFREQUEST 0x%p buffer size %I64d is less than RequiredLength %I64d, %!STATUS!";
    INPUT_MEMORY_OF_READ = Verbose TRACINGREQUEST "imp_WdfRequestRetrieveInputMemory" "This call is not valid on the Read request, you should call WdfRequestRetrieveOutputMemory to get the Memory for WDFREQUEST 0x%p, %!STATUS!";
    OUTPUT_MEMORY_OF_WRITE = Verbose TRACINGREQUEST "imp_WdfRequestRetrieveOutputMemory" "This call is not valid on the Write request, you should call WdfRequestRetrieveInputMemory to get the Memory for WDFREQUEST 0x%p, %!STATUS!";
    TRANSFER_USER_POINTER = Error TRACINGREQUEST "FxRequest::GetMemoryObject" "Attempt to get UserMode Buffer Pointer for WDFDEVICE 0x%p, WDFREQUEST 0x%p, %!STATUS!";
    TRANSFER_USER_POINTER_HINT = Error TRACINGREQUEST "FxRequest::GetMemoryObject" "Driver must use buffered or direct I/O for this call, or use WdfDeviceInitSetIoInCallerContextCallback to probe and lock user mode memory";
    INPUT_LENGTH_ZERO = Error TRACINGREQUEST "FxRequest::GetMemoryObject" "WDFREQUEST %p InputBufferLength length is zero, %!STATUS!";
    INPUT_USER_POINTER = Error TRACINGREQUEST "FxRequest::GetMemoryObject" "Attempt to get UserMode Buffer Pointer for METHOD_NEITHER DeviceControl 0x%x, WDFDEVICE 0x%p, WDFREQUEST 0x%p, %!STATUS!";
    INPUT_USER_POINTER_HINT = Error TRACINGREQUEST "FxRequest::GetMemoryObject" "Driver must use METHOD_BUFFERED or METHOD_xx_DIRECT I/O for this call, or use WdfDeviceInitSetIoInCallerContextCallback to probe and lock user mode memory %!STATUS!";
    MEMORY_OTHER_MAJOR = Error TRACINGREQUEST "FxRequest::GetMemoryObject" "Unrecognized Major Function 0x%x on WDFDEVICE 0x%p WDFREQUEST 0x%p";
    TRANSFER_LENGTH_ZERO = Error TRACINGREQUEST "FxRequest::GetMemoryObject" "WDFREQUEST 0x%p length is zero, %!STATUS!";
    TRANSFER_NO_MDL = Error TRACINGREQUEST "FxRequest::GetMemoryObject" "WDFREQUEST 0x%p, direct io device, PMDL is NULL, %!STATUS!";
    OUTPUT_LENGTH_ZERO = Error TRACINGREQUEST "FxRequest::GetDeviceControlOutputMemoryObject" "WDFREQUEST 0x%p IOCTL output buffer length is zero, %!STATUS!";
    OUTPUT_USER_POINTER = Error TRACINGREQUEST "FxRequest::GetDeviceControlOutputMemoryObject" "Attempt to get UserMode Buffer Pointer for METHOD_NEITHER DeviceControl 0x%x, WDFDEVICE 0x%p, WDFREQUEST 0x%p, %!STATUS!";
    OUTPUT_USER_POINTER_HINT = Error TRACINGREQUEST "FxRequest::GetDeviceControlOutputMemoryObject" "Driver must use METHOD_BUFFERED or METHOD_xx_DIRECT I/O for this call, or use WdfDeviceInitSetIoInCallerContextCallback to probe and lock user mode memory";
    OUTPUT_NO_MDL = Error TRACINGREQUEST "FxRequest::GetDeviceControlOutputMemoryObject" "WDFREQUEST 0x%p, METHOD_IN_DIRECT IOCTL PMDL is NULL, %!STATUS!";
    MDL_USER_POINTER = Error TRACINGREQUEST "FxRequest::GetMdl" "Attempt to get UserMode MDL for METHOD_NEITHER DeviceControl 0x%x, WDFDEVICE 0x%p, WDFREQUEST 0x%p, %!STATUS!";
    MDL_USER_POINTER_HINT = Error TRACINGREQUEST "FxRequest::GetMdl" "Driver must use METHOD_BUFFERED or METHOD_xx_DIRECT I/O for this call, or use WdfDeviceInitSetIoInCallerContextCallback to probe and lock user mode memory";
    MDL_DIRECT_NONE = Error TRACINGREQUEST "FxRequest::GetMdl" "WDFREQUEST 0x%p for a direct io device, PMDL is NULL, %!STATUS!";
    MDL_NEITHER = Error TRACINGREQUEST "FxRequest::GetMdl" "Attempt to get UserMode Buffer Pointer for WDFDEVICE 0x%p, WDFREQUEST 0x%p, %!STATUS!";
    MDL_NEITHER_HINT = Error TRACINGREQUEST "FxRequest::GetMdl" "Driver must use buffered or direct I/O for this call, or use WdfDeviceInitSetIoInCallerContextCallback to probe and lock user mode memory";
    MDL_NO_BUFFER = Error TRACINGREQUEST "FxRequest::GetMdl" "WDFREQUEST 0x%p, SystemBuffer is NULL, %!STATUS!";
    MDL_EMPTY = Error TRACINGREQUEST "FxRequest::GetMdl" "WDFREQUEST 0x%p, SystemBuffer length is 0, %!STATUS!";
    OUTPUT_MDL_IN_DIRECT = Error TRACINGREQUEST "FxRequest::GetDeviceControlOutputMdl" "WDFREQUEST 0x%p, METHOD_IN_DIRECT IOCTL, PMDL is NULL, %!STATUS!";
    OUTPUT_MDL_OUT_DIRECT = Error TRACINGREQUEST "FxRequest::GetDeviceControlOutputMdl" "WDFREQUEST 0x%p, METHOD_OUT_DIRECT IOCTL, PMDL is NULL, %!STATUS!";
    OUTPUT_MDL_USER_POINTER = Error TRACINGREQUEST "FxRequest::GetDeviceControlOutputMdl" "Attempt to get UserMode Buffer Pointer for METHOD_NEITHER DeviceControl 0x%x, WDFDEVICE 0x%p, WDFREQUEST 0x%p, %!STATUS!";
    OUTPUT_MDL_USER_POINTER_HINT = Error TRACINGREQUEST "FxRequest::GetDeviceControlOutputMdl" "Driver must use METHOD_BUFFERED or METHOD_xx_DIRECT I/O for this call, or use WdfDeviceInitSetIoInCallerContextCallback to probe and lock user mode memory";
    OUTPUT_MDL_NO_BUFFER = Error TRACINGREQUEST "FxRequest::GetDeviceControlOutputMdl" "WDFREQUEST 0x%p, SystemBuffer is NULL, %!STATUS!";
    OUTPUT_MDL_EMPTY = Error TRACINGREQUEST "FxRequest::GetDeviceControlOutputMdl" "WDFREQUEST 0x%p, SystemBuffer length is 0, %!STATUS!";
    INPUT_MDL_OF_READ = Verbose TRACINGREQUEST "imp_WdfRequestRetrieveInputWdmMdl" "This call is not valid on the Read request, you should call WdfRequestRetrieveOutputMdl to get the Mdl for WFDREQUEST 0x%p,  %!STATUS!";
    OUTPUT_MDL_OF_WRITE = Verbose TRACINGREQUEST "imp_WdfRequestRetrieveOutputWdmMdl" "This call is not valid on the Write request, you should call WdfRequestRetrieveInputMemory to get the Memory for WDFREQUEST 0x%p, %!STATUS!";
    UNSAFE_INPUT_OF_READ = Verbose TRACINGREQUEST "imp_WdfRequestRetrieveUnsafeUserInputBuffer" "This call is not valid on read request, you should call WdfRequestRetrieveUnsafeUserOutputBuffer to get the buffer for WDFREQUEST 0x%p, %!STATUS!";
    UNSAFE_INPUT_INTERNAL = Verbose TRACINGREQUEST "imp_WdfRequestRetrieveUnsafeUserInputBuffer" "This call is not valid on internal-ioctl request, you should call safer WdfRequestRetrieveInputBuffer to get the buffer for WDFREQUEST 0x%p, %!STATUS!";
    UNSAFE_CONTROL_INPUT_TOO_SHORT = Verbose TRACINGREQUEST "imp_WdfRequestRetrieveUnsafeUserInputBuffer" "WDFREQUEST %p buffer size %d is less than RequiredLength %I64d, %!STATUS!";
    UNSAFE_INPUT_TOO_SHORT = Verbose TRACINGREQUEST "imp_WdfRequestRetrieveUnsafeUserInputBuffer" "WDFREQUEST 0x%p buffer size %d is less than RequiredLength %I64d, %!STATUS!";
    UNSAFE_INPUT_NOT_NEITHER = Error TRACINGREQUEST "imp_WdfRequestRetrieveUnsafeUserInputBuffer" "Error: This call is valid only on method-neither ioctl and write WDFREQUEST %p, %!STATUS!";
    UNSAFE_OUTPUT_OF_WRITE = Verbose TRACINGREQUEST "imp_WdfRequestRetrieveUnsafeUserOutputBuffer" "This call is not valid on Write request, you should call WdfRequestRetrieveUnsafeUserInputBuffer to get the buffer for WDFREQUEST 0x%p, %!STATUS!";
    UNSAFE_OUTPUT_INTERNAL = Verbose TRACINGREQUEST "imp_WdfRequestRetrieveUnsafeUserOutputBuffer" "This call is not valid on an internal IOCTL request, you should call safer WdfRequestRetrieveOutputBuffer to get the buffer for WDFREQUEST 0x%p, %!STATUS!";
    UNSAFE_OUTPUT_TOO_SHORT = Verbose TRACINGREQUEST "imp_WdfRequestRetrieveUnsafeUserOutputBuffer" "WDFREQUEST 0x%p buffer size %d is less than RequiredLength %I64d, %!STATUS!";
    UNSAFE_OUTPUT_NOT_NEITHER = Error TRACINGREQUEST "imp_WdfRequestRetrieveUnsafeUserOutputBuffer" "Error: This call is valid only on method-neither ioctl and read WDFREQUEST 0x%p, %!STATUS!";
    REQUEST_NOT_IN_CALLER_CONTEXT = Error TRACINGREQUEST "FxRequest::Vf_VerifyRequestIsInCallerContext" "This call is valid only in EvtIoInCallerContext callback, WDFREQUEST 0x%p, %!STATUS!";

    // S/targets/general/fxiotarget.cpp, fxiotargetapi.cpp, fxiotargetremote.cpp
    NOT_FORMATTED = Error TRACINGIOTARGET "FxIoTarget::Vf_VerifySubmitLocked" "WDFREQUEST %p has not been formatted, cannot send, %!STATUS!";
    TOO_FEW_LOCATIONS = Error TRACINGIOTARGET "FxIoTarget::Vf_VerifySubmitLocked" "WDFREQUEST %p, PIRP %p does not have enough stack locations %d for this WDFIOTARGET %p (requires %d locations),  %!STATUS!";
    ALREADY_SENT = Error TRACINGIOTARGET "FxIoTarget::SubmitLocked" "WDFREQUEST %p already sent to a target";
    CANCEL_TIMER = Verbose TRACINGIO "FxRequestBase::CancelTimer" "Request %p, canceled timer successfully";
    CANCEL_SENT_ENTER = Verbose TRACINGREQUEST "imp_WdfRequestCancelSentRequest" "Enter: WDFREQUEST %p to be cancelled";
    SEND_OPTIONS = Error TRACINGAPIERROR "FxValidateRequestOptions" "Options %p, if WDF_REQUEST_SEND_OPTION_SEND_AND_FORGET (0x%x) is set, no other Flags 0x%x can be set";
    CANNOT_IGNORE_STATE = Information TRACINGIOTARGET "FxIoTarget::SubmitLocked" "WDFIOTARGET %p state %!WDF_IO_TARGET_STATE!, sending WDFREQUEST %p cannot ignore current state, %!STATUS!";
    IGNORING_STATE = Information TRACINGIOTARGET "FxIoTarget::SubmitLocked" "ignoring WDFIOTARGET %p state, sending WDFREQUEST %p, state %!WDF_IO_TARGET_STATE!";
    PENDING = Information TRACINGIOTARGET "FxIoTarget::SubmitLocked" "Pending WDFREQUEST %p, WDFIOTARGET %p is paused, %!STATUS!";
    STARTING_TIMER = Verbose TRACINGIOTARGET "FxIoTarget::SubmitLocked" "Starting timer on WDFREQUEST %p";
    PENDED_SENDING = Verbose TRACINGIOTARGET "FxIoTarget::SubmitPendedRequest" "Sending Pended WDFREQUEST %p, Irp %p";
    PENDED_COMPLETING = Verbose TRACINGIOTARGET "FxIoTarget::SubmitPendedRequest" "Completing Pended WDFREQUEST %p, Irp %p, %!STATUS!";
    PENDED_CANCELLED = Information TRACINGIOTARGET "FxIoTarget::_RequestCancelled" "Pended WDFREQUEST %p canceled";
    RESUBMIT_FAILED = Verbose TRACINGIOTARGET "FxIoTarget::HandleFailedResubmit" "WDFREQUEST %p";
    RESUBMIT_COMPLETED = Verbose TRACINGIOTARGET "FxIoTarget::HandleFailedResubmit" "WDFREQUEST %p completed in completion routine";
    TARGET_STARTED = Verbose TRACINGIOTARGET "FxIoTarget::Start" "WDFIOTARGET %p started status %!STATUS!";
    TARGET_STOP_STATE = Information TRACINGIOTARGET "FxIoTarget::GotoStopState" "WDFIOTARGET %p stopped, but it is currently in the %!WDF_IO_TARGET_STATE! state, not started or stopped";
    TARGET_STOPPED = Verbose TRACINGIOTARGET "FxIoTarget::Stop" "WDFIOTARGET %p stopped ";
    TARGET_PURGE_STATE = Information TRACINGIOTARGET "FxIoTarget::GotoPurgeState" "WDFIOTARGET %p purged, but it is currently in the %!WDF_IO_TARGET_STATE! state, not started, stopped or purged";
    TARGET_PURGED = Verbose TRACINGIOTARGET "FxIoTarget::Purge" "WDFIOTARGET %p purged ";
    TARGET_WAIT_DISPOSE = Information TRACINGIOTARGET "FxIoTarget::WaitForDisposeEvent" "WDFIOTARGET %p, Waiting on Dispose event %p";
    TIMER_FIRED = Verbose TRACINGIOTARGET "FxIoTarget::TimerCallback" "WDFIOTARGET %p, WDFREQUEST %p";
    TIMER_COMPLETED = Verbose TRACINGIOTARGET "FxIoTarget::TimerCallback" "WDFREQUEST %p completed in timer callback";
    TIMER_STOP_EVENT = Information TRACINGIOTARGET "FxIoTarget::TimerCallback" "WDFIOTARGET %p, setting stop event %p in timer callback";
    COMPLETION_STOP_EVENT = Verbose TRACINGIOTARGET "FxIoTarget::RequestCompletionRoutine" "WDFIOTARGET %p, setting stop event %p";
    CANCEL_STOP_EVENT = Verbose TRACINGIOTARGET "FxIoTarget::CompleteCanceledRequest" "WDFIOTARGET %p, setting stop event %p";
    RESUBMIT_STOP_EVENT = Verbose TRACINGIOTARGET "FxIoTarget::HandleFailedResubmit" "WDFIOTARGET %p, setting stop event %p";
    TARGET_CLOSE_QUERY_REMOVE = Verbose TRACINGIOTARGET "imp_WdfIoTargetCloseForQueryRemove" "enter WDFIOTARGET 0x%p";
    REMOTE_CLOSE_QUERY_REMOVE = Verbose TRACINGIOTARGET "FxIoTargetRemote::Close" "Closing WDFIOTARGET %p, reason:   query remove";
    NOT_ACCEPTING = Error TRACINGIOTARGET "FxIoTarget::SubmitLocked" "failing WDFREQUEST %p, WDFIOTARGET %p not accepting requests, state %!WDF_IO_TARGET_STATE!";
    SUBMIT_SYNC = Verbose TRACINGIOTARGET "FxIoTarget::SubmitSync" "WDFIOTARGET %p, WDFREQUEST %p";
    SUBMIT_SYNC_ACTION = Verbose TRACINGIOTARGET "FxIoTarget::SubmitSync" "WDFREQUEST %p, Action 0x%x";
    SUBMIT_SYNC_SENDING = Verbose TRACINGIOTARGET "FxIoTarget::SubmitSync" "Sending WDFREQUEST %p, Irp %p";
    REMOVE_COMPLETED = Verbose TRACINGIOTARGET "FxIoTarget::RemoveCompletedRequestLocked" "WDFIOTARGET %p, WDFREQUEST %p";
    COMPLETION = Verbose TRACINGIOTARGET "FxIoTarget::RequestCompletionRoutine" "WDFREQUEST %p";
    COMPLETION_DEFERRED = Information TRACINGIOTARGET "FxIoTarget::RequestCompletionRoutine" "WDFREQUEST %p deferring completion due to outstanding completion references";
    COMPLETION_DONE = Verbose TRACINGIOTARGET "FxIoTarget::RequestCompletionRoutine" "WDFREQUEST %p completed in completion routine";
    COMPLETED_FROM_CANCEL = Verbose TRACINGIOTARGET "FxIoTarget::CompleteCanceledRequest" "WDFREQUEST %p completed in from cancel";
    TARGET_NO_DEVICE = Error TRACINGIOTARGET "FxIoTargetRemote::_Create" "Attributes->ParentObject 0x%p must have WDFDEVICE as an eventual ancestor, %!STATUS!";
    TARGET_OTHER_DEVICE = Error TRACINGIOTARGET "FxIoTargetRemote::_Create" "Attributes->ParentObject 0x%p ancestor is WDFDEVICE %p, but not the same WDFDEVICE 0x%p passed to WdfIoTargetCreate, %!STATUS!";
    TARGET_CREATE = Verbose TRACINGIOTARGET "imp_WdfIoTargetCreate" "WDFDEVICE 0x%p";
    TARGET_OPEN_ENTER = Verbose TRACINGIOTARGET "imp_WdfIoTargetOpen" "enter WDFIOTARGET 0x%p";
    TARGET_OPEN_EXIT = Verbose TRACINGIOTARGET "imp_WdfIoTargetOpen" "exit WDFIOTARGET 0x%p, %!STATUS!";
    TARGET_CLOSE_ENTER = Verbose TRACINGIOTARGET "imp_WdfIoTargetClose" "enter WDFIOTARGET 0x%p";
    FORMAT_IO_ENTER = Verbose TRACINGIOTARGET "FxIoTargetFormatIo" "enter: WDFIOTARGET 0x%p, WDFREQUEST 0x%p, MJ code 0x%x, WDFMEMORY 0x%p";
    FORMAT_IO_OFFSETS = Error TRACINGIOTARGET "FxIoTargetFormatIo" "invalid memory offsets, %!STATUS!";
    FORMAT_IO_EXIT = Verbose TRACINGIOTARGET "FxIoTargetFormatIo" "exit WDFIOTARGET 0x%p, WDFREQUEST 0x%p, %!STATUS!";
    FORMAT_IOCTL_ENTER = Verbose TRACINGIOTARGET "FxIoTargetFormatIoctl" "enter: WDFIOTARGET 0x%p, WDFREQUEST 0x%p, IOCTL 0x%x, internal %d, input WDFMEMORY 0x%p, output WDFMEMORY 0x%p";
    FORMAT_IOCTL_INPUT = Error TRACINGIOTARGET "FxIoTargetFormatIoctl" "Invalid input memory offsets, %!STATUS!";
    FORMAT_IOCTL_OUTPUT = Error TRACINGIOTARGET "FxIoTargetFormatIoctl" "Invalid output memory offsets, %!STATUS!";
    FORMAT_IOCTL_EXIT = Verbose TRACINGIOTARGET "FxIoTargetFormatIoctl" "Exit WDFIOTARGET 0x%p, WDFREQUEST 0x%p, %!STATUS!";
    REMOTE_REMOVED = Error TRACINGIOTARGET "FxIoTargetRemote::Open" "Opening WDFIOTARGET %p which is removed, state %d";
    REMOTE_ALREADY_OPEN = Error TRACINGIOTARGET "FxIoTargetRemote::Open" "Opening an already open WDFIOTARGET %p, open state %d";
    REMOTE_OPENING = Verbose TRACINGIOTARGET "FxIoTargetRemote::Open" "Opening WDFIOTARGET %p";
    REMOTE_CREATE_FILE = Warning TRACINGIOTARGET "FxIoTargetRemote::OpenTargetHandle" "ZwCreateFile for WDFIOTARGET %p returned status %!STATUS!, info 0x%x";
    REMOTE_CREATE_FILE_FAILED = Error TRACINGIOTARGET "FxIoTargetRemote::OpenTargetHandle" "ZwCreateFile for WDFIOTARGET %p returned status %!STATUS!, info 0x%x";
    REMOTE_CLOSE = Verbose TRACINGIOTARGET "FxIoTargetRemote::Close" "enter:  WDFIOTARGET %p, reason %d";
    REMOTE_CLOSE_DELETE = Verbose TRACINGIOTARGET "FxIoTargetRemote::Close" "Closing WDFIOTARGET %p, reason:   delete";
    REMOTE_CLOSE_CLOSE = Verbose TRACINGIOTARGET "FxIoTargetRemote::Close" "Closing WDFIOTARGET %p, reason:   close";
    REMOTE_CLOSE_NOT_OPEN = Verbose TRACINGIOTARGET "FxIoTargetRemote::Close" "Closing WDFIOTARGET %p which is not open";
    REMOTE_CLOSE_OBJECTS = Verbose TRACINGIOTARGET "FxIoTargetRemote::Close" "WDFIOTARGET %p:  fileobj %p, devobj %p, handle %p, notify handle %I64d";
    REMOTE_CLOSE_WAIT = Verbose TRACINGIOTARGET "FxIoTargetRemote::Close" "WDFIOTARGET %p, waiting for stop to complete";
    REMOTE_DEREF_PDO = Information TRACINGIOTARGET "FxIoTargetRemote::Close" "WDFIOTARGET %p derefing PDO %p on close";
    REMOTE_DEREF_FILE = Information TRACINGIOTARGET "FxIoTargetRemote::Close" "WDFIOTARGET %p derefing FileObj %p on close";
    REMOTE_CLOSE_HANDLE = Information TRACINGIOTARGET "FxIoTargetRemote::Close" "WDFIOTARGET %p closing handle %p on close";
    REMOTE_CLEARED = Information TRACINGIOTARGET "FxIoTargetRemote::ClearTargetPointers" "WDFIOTARGET %p cleared pointers %p state %!WDF_IO_TARGET_STATE!, open state %d, pdo %p, fileobj %p, handle %p";

    // S/irphandlers/pnp
    PNP_DISPATCH = Information TRACINGPNP "FxPkgPnp::Dispatch" "WDFDEVICE 0x%p !devobj 0x%p, IRP_MJ_PNP, %!pnpmn! IRP 0x%p";
    PNP_DISPATCH_RELATIONS = Information TRACINGPNP "FxPkgPnp::Dispatch" "WDFDEVICE 0x%p !devobj 0x%p, IRP_MJ_PNP, %!pnpmn! type %!DEVICE_RELATION_TYPE! IRP 0x%p";
    PNP_DISPATCH_QUIET = Verbose TRACINGPNP "FxPkgPnp::Dispatch" "WDFDEVICE 0x%p !devobj 0x%p, IRP_MJ_PNP, %!pnpmn! IRP 0x%p";
    PNP_MATCH_ENTER = Verbose TRACINGPNP "FxPkgPnp::PnpMatchResources" "Entering PnpMatchResources";
    PNP_MATCH_EXIT = Verbose TRACINGPNP "FxPkgPnp::PnpMatchResources" "Exiting PnpMatchResources %!STATUS!";
    FDO_CAPABILITIES_ENTER = Verbose TRACINGPNP "FxPkgFdo::HandleQueryCapabilities" "Entering QueryCapabilities handler";
    FDO_CAPABILITIES_EXIT = Verbose TRACINGPNP "FxPkgFdo::HandleQueryCapabilities" "Exiting QueryCapabilities handler";
    FDO_CAPABILITIES_BACK = Verbose TRACINGPNP "FxPkgFdo::HandleQueryCapabilitiesCompletion" "Entering QueryCapabilities completion handler";
    FDO_CAPABILITIES_DONE = Verbose TRACINGPNP "FxPkgFdo::HandleQueryCapabilitiesCompletion" "Exiting QueryCapabilities completion handler";
    PDO_ENTRY_REMOVED = Verbose TRACINGPNP "FxPkgPdo::PnpEventPdoRemovedOverload" "Removing entry reference %p on FxPkgPnp %p";
    PNP_STATE = Information TRACINGPNPPOWERSTATES "FxPkgPnp::PnpEnterNewState" "WDFDEVICE 0x%p !devobj 0x%p entering PnP State %!WDF_DEVICE_PNP_STATE! from %!WDF_DEVICE_PNP_STATE!";
    POWER_STATE = Information TRACINGPNPPOWERSTATES "FxPkgPnp::PowerEnterNewState" "WDFDEVICE 0x%p !devobj 0x%p entering Power State %!WDF_DEVICE_POWER_STATE! from %!WDF_DEVICE_POWER_STATE!";
    POWER_POLICY_STATE = Information TRACINGPNPPOWERSTATES "FxPkgPnp::PowerPolicyEnterNewState" "WDFDEVICE 0x%p !devobj 0x%p entering power policy state %!WDF_DEVICE_POWER_POLICY_STATE! from %!WDF_DEVICE_POWER_POLICY_STATE!";
    NOT_OWNER_STATE = Information TRACINGPNPPOWERSTATES "FxPkgPnp::NotPowerPolicyOwnerEnterNewState" "WDFDEVICE 0x%p !devobj 0x%p entering not power policy owner state %!WDF_DEVICE_POWER_POLICY_STATE! from %!WDF_DEVICE_POWER_POLICY_STATE!";
    IDLE_STATE = Information TRACINGPNPPOWERSTATES "FxPowerIdleMachine::ProcessEventLocked" "WDFDEVICE 0x%p !devobj 0x%p entering power idle state %!FxPowerIdleStates! from %!FxPowerIdleStates!";
    PNP_REMOVE_WAIT = Information TRACINGPNP "FxPkgPnp::_PnpRemoveDevice" "WDFDEVICE %p, !devobj %p waiting for remove event to finish processing";
    PNP_BUS_RELATIONS_STATUS = Verbose TRACINGPNP "FxPkgPnp::HandleQueryBusRelations" "WDFDEVICE %p, returning %!STATUS! from processing bus relations";
    PNP_BUS_RELATIONS = Information TRACINGPNP "FxPkgPnp::HandleQueryBusRelations" "WDFDEVICE %p returning %d devices in relations %p";
    PNP_BUS_RELATIONS_1 = Verbose TRACINGPNP "FxPkgPnp::HandleQueryBusRelations" "PDO %p";
    PNP_BUS_RELATIONS_2 = Verbose TRACINGPNP "FxPkgPnp::HandleQueryBusRelations" "PDO %p PDO %p";
    PNP_BUS_RELATIONS_3 = Verbose TRACINGPNP "FxPkgPnp::HandleQueryBusRelations" "PDO %p PDO %p PDO %p";
    PNP_BUS_RELATIONS_4 = Verbose TRACINGPNP "FxPkgPnp::HandleQueryBusRelations" "PDO %p PDO %p PDO %p PDO %p";
    FDO_RELATIONS_ENTER = Verbose TRACINGPNP "FxPkgFdo::PnpQueryDeviceRelations" "Entering QueryDeviceRelations handler, type %!DEVICE_RELATION_TYPE!";
    FDO_RELATIONS_EXIT = Verbose TRACINGPNP "FxPkgFdo::PnpQueryDeviceRelations" "Exiting QueryDeviceRelations handler, status %!STATUS!";
    DEVICE_DELETING = Information TRACINGDEVICE "FxDevice::Destroy" "Deleting !devobj %p, WDFDEVICE %p, attached to !devobj %p";
    ADD_DEVICE_ENTER = Verbose TRACINGPNP "FxDriver::AddDevice" "Enter AddDevice PDO %p";
    ADD_DEVICE_EXIT = Verbose TRACINGPNP "FxDriver::AddDevice" "Exit, status %!STATUS!";

}
