//! WDFDEVICE: creation, with every change of StackSize, and what a driver can ask of it.

use vbus_wdm::constants::*;
use vbus_wdm::{BusInformation, Context, DeviceObject, FileObject, Id, IoType, Irp, Machine, Major, NtStatus};

use crate::child_list::{self, ChildList};
use crate::device_init::{DeviceInit, InitKind, Preprocess};
use crate::device_targets::{self, DeviceTargets};
use crate::dispatch;
use crate::driver::Driver;
use crate::file::{FileConfig, WdfFileObject};
use crate::framework::{fx, fx_mut, take_fx, trace};
use crate::io_package::{InCallerContext, WdmIrpDispatch};
use crate::object::{Allowed, Attributes, DisposeList, Handle, HandleType, Header, Kind, Object};
use crate::pnp::callbacks::{Notice, PnpCallbacks};
use crate::pnp::identity::Identity;
use crate::pnp::interfaces::DeviceInterface;
use crate::pnp::{self, PnpData};
use crate::pool;
use crate::queue::{Queue, QueueConfig};
use crate::sync::presentation::{self, CallbackLock, Constraints};
use crate::trace::sites;
use crate::verifier;

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
    pub(crate) configured: [Option<Queue>; Major::COUNT],
    pub(crate) queues: Vec<Queue>,
    /// What looks at IRPs of a major function before they become requests.
    pub(crate) dynamic: [Option<(WdmIrpDispatch, Context)>; Major::COUNT],
    pub(crate) in_caller_context: Option<InCallerContext>,
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
    pub(crate) preprocess: [Option<Preprocess>; Major::COUNT],
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
    /// The device below, if create, cleanup and close go on to it.
    ///
    /// Source: S/core/fxdevice.cpp:909-981.
    pub(crate) fn forwards_files(&self) -> Option<DeviceObject> {
        let forwards = self.files.forward.unwrap_or(self.kind == DeviceKind::Filter);
        self.lower.filter(|_| forwards)
    }
}

impl DeviceInit {
    /// `WdfDeviceCreate`.
    ///
    /// StackSize comes from the I/O manager (1, or one more than the device below) and grows only here: by one for
    /// preprocess callbacks, however many; by one for the remove lock of I/O; by one for a self target; and for a PDO
    /// that may forward to its parent by the parent's StackSize of this moment.
    ///
    /// # Errors
    /// STATUS_NO_SUCH_DEVICE if the stack cannot be attached to, STATUS_INVALID_DEVICE_REQUEST for a self target of a
    /// PDO or control device, STATUS_OBJECT_NAME_COLLISION for a control device's name.
    ///
    /// Source: S/core/fxdevice.cpp:366-566, S/core/km/fxdevicekm.cpp:33-301, S/core/fxdeviceapi.cpp:948.
    pub fn create(self, m: &mut Machine, attributes: Attributes) -> Result<Device, NtStatus> {
        let driver = self.driver;
        self.refuse_misuse(m)?;
        attributes.validate(m, driver, Allowed::Both)?;
        let driver_object = driver.driver_object(m);
        let device_object = m.create_device(driver_object);
        let place = self.place(m, device_object).inspect_err(|_| device_object.delete(m))?;
        let device = self.allocate(m, device_object, &place, attributes).inspect_err(|_| {
            device_object.detach(m);
            device_object.delete(m);
        })?;
        let address = device.0.address() + PACKAGE_OFFSET;
        trace(m, driver, &sites::IO_CONSTRUCTED, [address]);
        pnp::package_created(m, device);
        let has_preprocess = self.preprocess.iter().any(Option::is_some);
        let remove_lock = self.takes_remove_lock();
        let extra = i8::from(has_preprocess) + i8::from(remove_lock) + i8::from(self.self_target);
        m[device_object].stack_size = m[device_object].stack_size.wrapping_add(extra);
        device.body(m).files_share_lock = self.files.shares_lock(m, device).inspect_err(|_| {
            clean_up(m, device);
            destroy(m, device);
        })?;
        match place.kind {
            DeviceKind::Fdo | DeviceKind::Filter => {
                if let Some(body) = fx_mut(m).drivers.get_mut(driver.id()) {
                    body.added = Some(device_object);
                }
                child_list::create(m, device, self.children)?;
                self.make_create_queue(m, device)?;
                device_targets::create(m, device)?;
            }
            DeviceKind::Pdo => {
                if self.name.is_some() {
                    trace(m, driver, &sites::DEVICE_NOT_SECURE, [driver.0.handle()]);
                }
                m[device_object].initializing = false;
                self.make_create_queue(m, device)?;
            }
            DeviceKind::Control => {
                self.make_create_queue(m, device)?;
                pool::init_freed(m, driver, self.name.as_deref());
                return Ok(device);
            }
        }
        match self.kind {
            InitKind::Child { described: Some((list, id)), .. } => list.device_created(m, id, device),
            InitKind::Child { described: None, .. } => pool::init_freed(m, driver, self.name.as_deref()),
            InitKind::Stack { .. } | InitKind::Control => {}
        }
        pnp::device_created(m, device);
        Ok(device)
    }

    fn make_create_queue(&self, m: &mut Machine, device: Device) -> Result<(), NtStatus> {
        if self.files.on_create.is_some() {
            let queue = QueueConfig::for_creates(m, device)?;
            device.body(m).create_queue = Some(queue);
        }
        Ok(())
    }

    /// What the init calls and WdfDeviceCreate complain of: options that this kind of device cannot have.
    fn refuse_misuse(&self, m: &mut Machine) -> Result<(), NtStatus> {
        if self.remove_lock_for_io && !self.takes_remove_lock() {
            trace(m, self.driver, &sites::DEVICE_REMOVE_LOCK_CONTROL, []);
            verifier::debug_break(m, self.driver);
        }
        if self.self_target && !matches!(self.kind, InitKind::Stack { .. }) {
            let status = STATUS_INVALID_DEVICE_REQUEST;
            trace(m, self.driver, &sites::DEVICE_SELF_TARGET, [status.0.into()]);
            return Err(status);
        }
        Ok(())
    }

    /// A control device takes no remove lock; the init call is ignored for it.
    fn takes_remove_lock(&self) -> bool {
        self.remove_lock_for_io && !matches!(self.kind, InitKind::Control)
    }

    /// Finds the device object its place: on a stack, below a bus, or beside the tree.
    fn place(&self, m: &mut Machine, device_object: DeviceObject) -> Result<Place, NtStatus> {
        let place = match self.kind {
            InitKind::Stack { pdo } => {
                let lower = device_object.attach_to_stack(m, pdo)?;
                let kind = if self.filter { DeviceKind::Filter } else { DeviceKind::Fdo };
                Place { kind, lower: Some(lower), pdo: Some(pdo), ..Place::default() }
            }
            InitKind::Child { parent, .. } => {
                m.auto_name_device(device_object);
                if self.forward_to_parent {
                    let parent_object = parent.device_object(m);
                    let parent_size = m[parent_object].stack_size;
                    m[device_object].stack_size = m[device_object].stack_size.wrapping_add(parent_size);
                }
                let static_list = parent.body(m).child_lists.first().copied();
                let (parent, pdo) = (Some(parent), Some(device_object));
                Place { kind: DeviceKind::Pdo, lower: None, pdo, parent, static_list }
            }
            InitKind::Control => {
                m.name_device(device_object, self.name.as_deref().unwrap_or_default())?;
                Place { kind: DeviceKind::Control, ..Place::default() }
            }
        };
        let data = &mut m[device_object];
        // A filter has the flags of the device below it.
        if place.kind != DeviceKind::Filter {
            data.io_type = self.io_type;
        }
        data.exclusive = self.exclusive;
        Ok(place)
    }

    fn allocate(
        &self,
        m: &mut Machine,
        device_object: DeviceObject,
        place: &Place,
        attributes: Attributes,
    ) -> Result<Device, NtStatus> {
        let driver = self.driver;
        let lower_stack_size = place.lower.map_or(0, |lower| m[lower].stack_size);
        let inherited = fx(m).drivers.get(driver.id()).map(|body| body.constraints).unwrap_or_default();
        let (id, body) = fx_mut(m).devices.take();
        let device = Device::from_id(id);
        let (mut header, mut package) = (std::mem::take(&mut body.header), std::mem::take(&mut body.package));
        header.initialize(driver);
        header.marks.passive_dispose = true;
        package.initialize(driver);
        *body = DeviceBody {
            header,
            package,
            constraints: Constraints::of(&attributes, inherited),
            kind: place.kind,
            device_object: Some(device_object),
            lower: place.lower,
            pdo: place.pdo,
            parent: place.parent,
            preprocess: self.preprocess,
            remove_lock_for_io: self.takes_remove_lock(),
            self_target: self.self_target,
            forward_to_parent: self.forward_to_parent,
            lower_stack_size,
            callbacks: self.callbacks,
            in_caller_context: self.in_caller_context,
            shutdown: self.shutdown,
            files: self.files,
            exclusive: self.exclusive,
            identity: self.identity.clone(),
            pnp: PnpData::new(&self.callbacks, self.owns_power_policy()),
            owning_list: self.owning_list(place),
            entry: self.described_by(),
            pdo_known: place.lower.is_some(),
            ..DeviceBody::default()
        };
        m[device_object].context = Context(id.to_word());
        if let Some(parent) = place.parent {
            parent.0.add_reference(m);
        }
        device.0.commit(m, driver.0, attributes)?;
        device.package().commit(m, device.0, Attributes::none())?;
        match place.kind {
            DeviceKind::Filter => device.copy_pageable_from_below(m),
            DeviceKind::Fdo | DeviceKind::Pdo => m[device_object].power_pageable = self.power_pageable,
            DeviceKind::Control => {}
        }
        let pageable = m[device_object].power_pageable;
        device.body(m).pnp.set_pageable_capable(pageable);
        Ok(device)
    }

    /// The list that a PDO belongs to: the one that asked for it, or its parent's for static children.
    fn owning_list(&self, place: &Place) -> Option<ChildList> {
        match self.kind {
            InitKind::Child { described: Some((list, _)), .. } => Some(list),
            _ => place.static_list,
        }
    }

    fn described_by(&self) -> Option<Id> {
        match self.kind {
            InitKind::Child { described, .. } => described.map(|(_, entry)| entry),
            _ => None,
        }
    }
}

/// Where a new device belongs.
#[derive(Default)]
struct Place {
    kind: DeviceKind,
    lower: Option<DeviceObject>,
    pdo: Option<DeviceObject>,
    parent: Option<Device>,
    /// The parent's list of static children.
    static_list: Option<ChildList>,
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

    /// The device that a device object belongs to, if it is the framework's.
    #[inline]
    pub(crate) fn of(m: &mut Machine, device_object: DeviceObject) -> Option<Device> {
        Id::from_word(m[device_object].context.0).map(Device::from_id)
    }
}

/// EvtDriverDeviceAdd failed after it created its device: the device leaves the stack again. A filter that fails does not
/// keep the rest of the stack from being built.
pub(crate) fn undo_failed_add(m: &mut Machine, device_object: DeviceObject, status: NtStatus) -> NtStatus {
    match Device::of(m, device_object) {
        Some(device) => delete_failed(m, device, status),
        None => status,
    }
}

/// DeleteDeviceFromFailedCreate: a device that its driver gave up on goes through its removal. The answer is the status
/// that this has become.
///
/// Source: S/core/fxdevice.cpp:586-660.
pub(crate) fn delete_failed(m: &mut Machine, device: Device, status: NtStatus) -> NtStatus {
    let driver = device.driver(m);
    let arguments = [device.0.handle(), device.device_object(m).address(), status.0.into()];
    trace(m, driver, &sites::DEVICE_ADD_FAILED, arguments);
    let filter = device.kind(m) == DeviceKind::Filter;
    if filter {
        trace(m, driver, &sites::DEVICE_ADD_FAILED_FILTER, arguments);
    }
    pnp::remove_failed_device(m, device);
    destroy(m, device);
    if filter { STATUS_SUCCESS } else { status }
}

/// The cleanup half of a device's end, and the whole end of everything below it.
///
/// Source: S/irphandlers/pnp/pnpstatemachine.cpp:2030-2062; S/core/fxdevice.cpp:636-645.
pub(crate) fn clean_up(m: &mut Machine, device: Device) {
    device.0.early_dispose(m);
    device.0.destroy_children(m);
    device.0.wait_for_dispose_list(m);
}

/// Takes the device off its stack and out of the machine, after its cleanup.
pub(crate) fn destroy(m: &mut Machine, device: Device) {
    delete_device_object(m, device);
    device.0.delete_object(m);
}

/// FxDevice::Destroy.
///
/// Source: S/core/km/fxdevicekm.cpp:320-392.
fn delete_device_object(m: &mut Machine, device: Device) {
    let driver: Driver = device.driver(m);
    let device_object = device.device_object(m);
    let lower = device.lower_device(m);
    let arguments = [device_object.address(), device.0.handle(), lower.map_or(0, DeviceObject::address)];
    trace(m, driver, &sites::DEVICE_DELETING, arguments);
    device_object.detach(m);
    device_object.delete(m);
}

/// The device's own disposal. A control device's is all of its end, as no PnP IRP comes for it.
///
/// Source: S/core/fxdevice.cpp:1284-1336.
pub(crate) fn disposed(m: &mut Machine, device: Device) {
    device.0.call_cleanup(m);
    if device.body(m).kind == DeviceKind::Control {
        device.0.destroy_children(m);
        device.0.wait_for_dispose_list(m);
        delete_device_object(m, device);
    }
}

/// The last reference is gone, and with it the device's I/O package.
pub(crate) fn destroyed(m: &mut Machine, device: Device) {
    let driver: Driver = device.driver(m);
    let parent = device.body(m).parent;
    fx_mut(m).devices.release(device.0.id);
    trace(m, driver, &sites::IO_DESTROYED, [device.package().address()]);
    // A PDO holds on to its bus.
    if let Some(parent) = parent {
        parent.0.release(m);
    }
}

/// `WdfObjectDelete` of a control device: nobody opens it any more, and it goes with its last file.
///
/// Source: S/core/fxdevice.cpp:1090-1130 (DeleteObject); S/irphandlers/general/fxpkggeneral.cpp:1985.
pub(crate) fn delete_control(m: &mut Machine, device: Device) {
    let device_object = device.device_object(m);
    device_object.refuse_opens(m);
    let body = device.body(m);
    body.deleted = true;
    if body.open_handles == 0 {
        device.0.delete_object(m);
    }
}

/// A file of the device was closed, or could not be opened.
pub(crate) fn handle_closed(m: &mut Machine, device: Device) {
    let body = device.body(m);
    body.open_handles = body.open_handles.saturating_sub(1);
    if body.deleted && body.open_handles == 0 {
        device.0.delete_object(m);
    }
}
