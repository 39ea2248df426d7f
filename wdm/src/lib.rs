//! The Windows I/O manager, modelled: driver and device objects, IRPs with their stack locations, dispatch and
//! completion, cancellation, buffers, files, the PnP manager's tree, power, and virtual time.
//!
//! Everything hangs off one [`Machine`], which is passed by `&mut`; objects are small `Copy` handles with a
//! generation. Fields read as `machine[irp].io_status` and `machine[device].stack_size`; the DDIs that move an IRP
//! are methods of its handle: `irp.call_driver(machine, device)`.
//!
//! The accounting is kept as Windows keeps it and nothing is computed from the topology: `StackSize` is a number that
//! attaching copies, `CurrentLocation` begins at `StackCount` + 1, and the only check is in IoCallDriver.

mod address;
mod allocation;
mod build;
mod call;
mod cancel;
mod device;
mod enumeration;
mod event;
mod file;
mod filter;
mod interfaces;
mod ioctl;
mod irp;
mod irql;
mod machine;
mod memory;
mod names;
mod observe;
mod pnp;
mod power;
mod processors;
mod remove_lock;
mod schedule;
mod slab;
mod status;
mod stop;
mod thread;
mod user;
mod verifier;

pub use address::Pool;
pub use build::{ControlRequest, IoStatusBlock, TransferRequest};
pub use cancel::CancelRoutine;
pub use device::{AddDevice, DeviceData, DeviceObject, Dispatch, DriverData, DriverObject, IoType};
pub use event::Event;
pub use file::{FileObject, OpenOptions};
pub use filter::{FilterStyle, attach_filter, create_filter};
pub use ioctl::{Access, IoctlCode, Method};
pub use irp::{CompletionRoutine, Control, IoStatus, Irp, IrpData, Major, Parameters, RequestorMode, StackLocation};
pub use irql::IRQL_LIMITS;
pub use machine::{Census, Exit, Machine};
pub use memory::Span;
pub use names::Guid;
pub use observe::{Observation, Step, StepHook};
pub use pnp::{
    BusInformation, CapabilityFlags, DevNode, DeviceCapabilities, DeviceInfo, IdType, Installation, Interface,
    InterfaceCount, InterfaceQuery, NodeState, NotificationCallback, NotificationEntry, PnpAnswer, PnpDeviceState,
    PnpMinor, PnpNotification, PnpParameters, PnpRequest, PnpRequestHook, Problem, Rebalance, RelationType, Resource,
    ResourceKind, TargetEvent, TextType, UsageType, Veto, VetoType,
};
pub use power::{
    DevicePowerState, PowerAction, PowerCompletion, PowerMinor, PowerParameters, PowerState, SystemPowerContext,
    SystemPowerState,
};
pub use processors::{Pause, Processor, Processors, Ready, ReadyKind, Until};
pub use remove_lock::{RemoveLock, RemoveLockLimits};
pub use schedule::{Context, Irql, Routine, Ticks, Timer};
pub use slab::{Id, Slab};
pub use status::{NtStatus, constants};
pub use stop::{BugCheck, Stop};
pub use thread::{LoggedError, Thread};
pub use user::Overlapped;
pub use verifier::{Finding, Severity, VerifierOptions};
