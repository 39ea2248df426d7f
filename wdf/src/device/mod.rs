//! WDFDEVICE: its state, and what a driver can ask of it.

mod create;
pub(crate) mod end;
mod init;
mod per_major;
pub(crate) mod targets;

pub use init::{DeviceInit, Preprocess};
use per_major::PerMajor;
use targets::DeviceTargets;

use vbus_wdm::{BusInformation, Context, DeviceObject, FileObject, Id, IoType, Irp, Machine, NtStatus};

use crate::child_list::ChildList;
use crate::dispatch;
use crate::driver::Driver;
use crate::file::{FileConfig, WdfFileObject};
use crate::framework::{fx, take_fx};
use crate::io_package::InCallerContext;
use crate::object::{DisposeList, Handle, HandleType, Header, Kind, Object};
use crate::pnp::PnpData;
use crate::pnp::callbacks::{Notice, PnpCallbacks};
use crate::pnp::identity::Identity;
use crate::pnp::interfaces::DeviceInterface;
use crate::queue::Queue;
use crate::sync::presentation::{self, CallbackLock, Constraints};
use crate::wdm_dispatch::WdmIrpDispatch;

/// A WDFDEVICE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Device(pub(crate) Object);

impl Handle for Device {
    #[inline]
    fn object(self) -> Object {
        self.0
    }

    #[inline]
    fn driver(self, m: &mut Machine) -> Driver {
        self.body(m).header.driver()
    }
}

/// What part a device plays.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DeviceKind {
    /// A function device.
    #[default]
    Fdo,
    /// A filter.
    Filter,
    /// A child that its bus enumerates.
    Pdo,
    /// Beside the PnP tree.
    Control,
}

#[derive(Default)]
pub(crate) struct DeviceBody {
    pub(crate) header: Header,
    /// The I/O package, which the device's queues are children of unless their attributes say otherwise.
    pub(crate) package: Header,
    pub(crate) dispose_list: DisposeList,
    pub(crate) constraints: Constraints,
    pub(crate) lock: CallbackLock,
    pub(crate) kind: DeviceKind,
    pub(crate) device_object: Option<DeviceObject>,
    pub(crate) lower: Option<DeviceObject>,
    /// The PDO of the device's stack: its own device object for a PDO.
    pub(crate) pdo: Option<DeviceObject>,
    pub(crate) parent: Option<Device>,
    pub(crate) default_queue: Option<Queue>,
    /// Queues that were configured for a major function.
    pub(crate) configured: PerMajor<Queue>,
    pub(crate) queues: Vec<Queue>,
    /// What looks at IRPs of a major function before they become requests.
    pub(crate) dynamic: PerMajor<(WdmIrpDispatch, Context)>,
    pub(crate) in_caller_context: Option<InCallerContext>,
    /// Where the random numbers of [`crate::ForwardProgressTest::FailRandom`] are.
    pub(crate) random_seed: u32,
    /// EvtDeviceShutdownNotification.
    pub(crate) shutdown: Option<Notice>,
    pub(crate) files: FileConfig,
    /// File callbacks run under the device's presentation lock.
    files_share_lock: bool,
    /// The manual queue through which creates reach EvtDeviceFileCreate.
    pub(crate) create_queue: Option<Queue>,
    pub(crate) open_files: Vec<(Option<FileObject>, WdfFileObject)>,
    pub(crate) open_handles: u32,
    /// A control device that its driver deleted.
    pub(crate) deleted: bool,
    pub(crate) exclusive: bool,
    pub(crate) preprocess: PerMajor<Preprocess>,
    pub(crate) remove_lock_for_io: bool,
    /// WdfDeviceInitAllowSelfIoTarget.
    pub(crate) self_target: bool,
    pub(crate) forward_to_parent: bool,
    /// StackSize of the lower device when this one was created: what the default I/O target caches.
    pub(crate) lower_stack_size: i8,
    pub(crate) callbacks: PnpCallbacks,
    pub(crate) pnp: PnpData,
    /// First the list of children that the driver adds one by one, which every FDO and filter has.
    pub(crate) child_lists: Vec<ChildList>,
    pub(crate) default_child_list: Option<ChildList>,
    pub(crate) targets: DeviceTargets,
    /// The list that a PDO belongs to, and what that knows of it.
    pub(crate) owning_list: Option<ChildList>,
    pub(crate) entry: Option<Id>,
    /// The PnP manager knows the PDO.
    pub(crate) pdo_known: bool,
    pub(crate) identity: Identity,
    pub(crate) bus_information: Option<BusInformation>,
    pub(crate) interfaces: Vec<DeviceInterface>,
}

impl DeviceBody {
    /// Whether the driver may delete the device: a control device, or a PDO that it made itself and has not listed yet.
    ///
    /// Source: S/core/km/fxdevicekm.cpp:62, 237.
    pub(crate) fn is_the_drivers(&self) -> bool {
        match self.kind {
            DeviceKind::Control => true,
            DeviceKind::Pdo => self.entry.is_none(),
            DeviceKind::Fdo | DeviceKind::Filter => false,
        }
    }

    /// The device below, if create, cleanup and close go on to it.
    ///
    /// Source: S/core/fxdevice.cpp:909-981.
    pub(crate) fn forwards_files(&self) -> Option<DeviceObject> {
        let forwards = self.files.forward.unwrap_or(self.kind == DeviceKind::Filter);
        self.lower.filter(|_| forwards)
    }
}

/// The I/O package lies behind its device in the same allocation.
pub(crate) const PACKAGE_OFFSET: u64 = 0x150;

impl Device {
    #[inline]
    pub(crate) fn from_id(id: Id) -> Device {
        Device(Object { kind: Kind::Device, id })
    }

    /// A handle that a driver took for a WDFDEVICE: a cast in C. See [`Object::expect_type`].
    pub fn from_handle(m: &mut Machine, driver: Driver, handle: Object) -> Device {
        handle.expect_type(m, driver, HandleType::Device);
        Device(handle)
    }

    /// The I/O package: the parent of the device's queues.
    pub(crate) fn package(self) -> Object {
        Object { kind: Kind::IoPackage, id: self.0.id }
    }

    /// The device object, where only the framework's state can be looked at.
    pub(crate) fn peek_device_object(self, m: &Machine) -> Option<DeviceObject> {
        fx(m).devices.get(self.0.id)?.device_object
    }

    #[inline]
    pub(crate) fn body(self, m: &mut Machine) -> &mut DeviceBody {
        take_fx(m).into_device(self)
    }

    /// `WdfDeviceWdmGetDeviceObject`. Its StackSize is the driver's to raise before anybody attaches above.
    pub fn device_object(self, m: &mut Machine) -> DeviceObject {
        // Every device gets its device object when it is created and keeps it for life.
        self.body(m).device_object.expect("a device has a device object")
    }

    /// `WdfDeviceWdmGetAttachedDevice`: the device below.
    pub fn lower_device(self, m: &mut Machine) -> Option<DeviceObject> {
        self.body(m).lower
    }

    /// `WdfDeviceWdmGetPhysicalDevice`.
    pub fn pdo(self, m: &mut Machine) -> Option<DeviceObject> {
        self.body(m).pdo
    }

    /// What part the device plays.
    pub fn kind(self, m: &mut Machine) -> DeviceKind {
        self.body(m).kind
    }

    /// `WdfPdoGetParent`: the bus of a PDO.
    pub fn parent(self, m: &mut Machine) -> Option<Device> {
        self.body(m).parent
    }

    /// Whether the PDO was created with WdfPdoInitAllowForwardingRequestToParent.
    pub(crate) fn forwards_to_parent(self, m: &mut Machine) -> bool {
        self.body(m).forward_to_parent
    }

    /// Calls a driver's file callback, under the presentation lock if the synchronization scope asks for that.
    pub(crate) fn call_for_file<R>(self, m: &mut Machine, callback: impl FnOnce(&mut Machine) -> R) -> R {
        let owner = self.body(m).files_share_lock.then_some(self.0);
        presentation::hold(m, owner, callback)
    }

    /// `WdfDeviceGetDefaultQueue`.
    pub fn default_queue(self, m: &mut Machine) -> Option<Queue> {
        self.body(m).default_queue
    }

    /// `WdfFdoGetDefaultChildList`.
    pub fn default_child_list(self, m: &mut Machine) -> Option<ChildList> {
        self.body(m).default_child_list
    }

    /// What the default I/O target of the device caches: the StackSize of the device below when this one was created.
    pub fn lower_stack_size(self, m: &mut Machine) -> i8 {
        self.body(m).lower_stack_size
    }

    /// Whether the device was created with WdfDeviceInitAllowSelfIoTarget.
    pub fn allows_self_target(self, m: &mut Machine) -> bool {
        self.body(m).self_target
    }

    /// How reads and writes carry their data.
    pub fn io_type(self, m: &mut Machine) -> IoType {
        let device_object = self.device_object(m);
        m[device_object].io_type
    }

    /// GetSafePhysicalDevice: the device's PDO, once the PnP manager knows it.
    pub(crate) fn known_pdo(self, m: &mut Machine) -> Option<DeviceObject> {
        let body = self.body(m);
        body.pdo.filter(|_| body.pdo_known)
    }

    /// The device whose id a word is.
    pub(crate) fn from_word(word: u64) -> Option<Device> {
        Id::from_word(word).map(|id| Device(Object { kind: Kind::Device, id }))
    }

    /// `WdfDeviceCreateSymbolicLink`.
    ///
    /// # Errors
    /// STATUS_OBJECT_NAME_COLLISION if the name is taken.
    pub fn create_symbolic_link(self, m: &mut Machine, link: &str) -> Result<(), NtStatus> {
        let named = match self.pdo(m) {
            Some(pdo) => pdo,
            None => self.device_object(m),
        };
        m.create_symbolic_link(link, named)
    }

    /// `WdfControlFinishInitializing`: the control device can be opened from now on.
    pub fn finish_initializing(self, m: &mut Machine) {
        let device_object = self.device_object(m);
        m[device_object].initializing = false;
    }

    /// `WdfDeviceWdmDispatchPreprocessedIrp`: gives an IRP that a preprocess callback looked at to the framework. The
    /// callback must have skipped its location, or copied it to the next: this call moves on to that one.
    ///
    /// Source: S/core/fxdevice.cpp:1608-1652.
    pub fn dispatch_preprocessed(self, m: &mut Machine, irp: Irp) -> NtStatus {
        m[irp].set_next_location();
        dispatch::to_package(m, self, irp)
    }

    /// `WdfWdmDeviceGetWdfDeviceHandle`: the device that a device object belongs to, if it is the framework's.
    #[inline]
    pub fn of(m: &mut Machine, device_object: DeviceObject) -> Option<Device> {
        Id::from_word(m[device_object].context.0).map(Device::from_id)
    }
}
