//! The Kernel-Mode Driver Framework, modelled on top of [`vbus_wdm`]: drivers, devices with their StackSize rules,
//! queues, requests, memory, child lists, the object tree, and the per-driver trace log.
//!
//! Handles are small and `Copy`; what a DDI does is a method of its handle that takes the machine:
//! `request.complete(machine, STATUS_SUCCESS)`. In `Source:` lines, `S/` is `src/framework/shared/` and `K/` is
//! `src/framework/kmdf/src/` of the public framework sources.

mod child_list;
mod device;
mod device_init;
mod dispatch;
mod driver;
mod file;
mod framework;
mod general;
mod io_package;
mod object;
mod pnp;
mod queue;
mod request;
mod trace;
mod tree;
mod verifier;

pub use child_list::{ChildList, ChildState, CreateChild};
pub use device::{Device, DeviceKind};
pub use device_init::{DeviceInit, Notice, PdoIds, PnpCallbacks, Preprocess, Transition};
pub use driver::{DeviceAdd, Driver, DriverConfig};
pub use file::{FileConfig, FileCreate, FileNotice, WdfFileObject};
pub use io_package::{InCallerContext, WdmIrp, WdmIrpDispatch};
pub use object::{Attributes, Handle, Object, ObjectCallback, create_object};
pub use queue::{Dispatch, IoControl, Queue, QueueConfig, QueueEvent, QueueState, StopAction};
pub use request::{Memory, Ownership, Request, RequestCancel, RequestParameters, Transfer};
pub use trace::{Level, Log, LogLine, Site};
pub use tree::Deletable;

/// What the framework's own upper layers, such as the I/O targets, build on. A driver has no business here.
pub mod layer {
    pub use crate::framework::{Fx, take_fx, trace};
    pub use crate::io_package::{dispatch_to_self, is_io, queue_for, queues_are_assignable};
    pub use crate::object::{Class, body_of, check_handle, create_general, peek_body};
    pub use crate::request::{
        Parts, Release, create_on_stack, create_prepared, device_of, parent_in, parts_of, peek_state,
        release_formatting, replace_irp, reuse_irp,
    };
    pub use crate::trace::sites;
    pub use crate::verifier::{debug_break, passive_level, request_fatal_error, required, wdf_violation};
}
