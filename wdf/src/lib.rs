//! The Kernel-Mode Driver Framework, modelled on top of [`vbus_wdm`]: drivers, devices with their StackSize rules,
//! queues, requests, memory, child lists, the object tree, and the per-driver trace log.
//!
//! Handles are small and `Copy`; what a DDI does is a method of its handle that takes the machine:
//! `request.complete(machine, STATUS_SUCCESS)`. In `Source:` lines, `S/` is `src/framework/shared/` and `K/` is
//! `src/framework/kmdf/src/` of the public framework sources.

mod child_list;
mod collection;
mod compliance;
mod device;
mod dispatch;
mod driver;
mod file;
mod framework;
mod general;
mod io_package;
mod later;
mod lookaside;
mod object;
mod pnp;
mod pool;
mod queue;
mod request;
mod string;
mod sync;
mod trace;
mod unload;
mod verifier;
mod watch;
mod wdm_dispatch;
mod worker;

pub use child_list::{
    ChildList, ChildListConfig, ChildState, CreateChild, Iteration, Retrieved, ScanForChildren, Which,
};
pub use collection::Collection;
pub use compliance::{Rule, RuleBroken};
pub use device::{Device, DeviceInit, DeviceKind, Preprocess};
pub use driver::{DeviceAdd, Driver, DriverConfig, DriverUnload, ForwardProgressTest};
pub use file::{FileConfig, FileCreate, FileNotice, WdfFileObject};
pub use framework::object_count;
pub use io_package::InCallerContext;
pub use later::{Dpc, DpcConfig, Timer, TimerConfig, WorkItem, WorkItemConfig};
pub use lookaside::Lookaside;
pub use object::{
    Attributes, CustomType, Deletable, ExecutionLevel, Handle, HandleType, Object, ObjectCallback,
    SynchronizationScope, create_object,
};
pub use pnp::callbacks::{
    Notice, PnpCallbacks, PowerDeviceState, PowerTransition, ResourcesQuery, SetLock, SpecialFile, Transition,
};
pub use pnp::capabilities::{PnpCapabilities, PowerCapabilities};
pub use pnp::identity::{DeviceText, PdoIds};
pub use pnp::idle::IdleSettings;
pub use pnp::states::{PnpState, PowerPolicyState, PowerState};
pub use pnp::{DeviceState, FailedAction};
pub use queue::{
    AllocateResources, Dispatch, ExamineIrp, ForwardProgressAction, ForwardProgressPolicy, IoControl, Queue,
    QueueConfig, QueueEvent, QueueState, StopAction,
};
pub use request::{Memory, Ownership, Request, RequestCancel, RequestParameters, Transfer};
pub use string::WdfString;
pub use sync::{SpinLock, WaitLock};
pub use trace::{Level, Log, LogLine, Site, sites};
pub use watch::{Destination, RequestHook, RequestObservation, RequestStep, drivers, log_moment, on_request_step};
pub use wdm_dispatch::{DispatchIrpFlags, WdmIrp, WdmIrpDispatch};

/// What the framework's own upper layers, such as the I/O targets, build on. A driver has no business here.
pub mod layer {
    pub use crate::compliance::{Act, answered, checks_rules, comply};
    pub use crate::device::targets::{DISPOSE_EVENT, default_target, self_target, take_over};
    pub use crate::framework::{Fx, take_fx, trace};
    pub use crate::io_package::{dispatch_to_self, is_io, queue_for, queues_are_assignable};
    pub use crate::object::{Allowed, Class, body_of, check_handle, create_general, peek_body};
    pub use crate::request::{
        Parts, Release, UpperState, create_on_stack, create_prepared, parts_of, peek_state, release_formatting,
        replace_irp, reuse_irp,
    };
    pub use crate::trace::sites;
    pub use crate::verifier::{debug_break, passive_level, request_fatal_error, required, wdf_violation};
    pub use crate::watch::request_step;
}
