//! WDFDEVICE: creation, with every change of StackSize, and what a driver can ask of it.

use vbus_wdm::constants::*;
use vbus_wdm::{Context, DeviceObject, FileObject, Guid, Id, IoType, Irp, Machine, Major, NtStatus};

use crate::child_list::{self, ChildList};
use crate::device_end;
use crate::device_init::{DeviceInit, InitKind, PdoIds, PnpCallbacks, Preprocess};
use crate::dispatch;
use crate::driver::Driver;
use crate::file::{FileConfig, WdfFileObject};
use crate::framework::{fx, fx_mut, take_fx, trace};
use crate::io_package::{InCallerContext, WdmIrpDispatch};
use crate::object::{Allowed, Attributes, DisposeList, Handle, HandleType, Header, Kind, Object};
use crate::pnp::{self, PnpData};
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
    /// The default I/O target, which the layer above makes.
    pub(crate) default_target: Option<Object>,
    pub(crate) default_queue: Option<Queue>,
    /// Queues that were configured for a major function.
    pub(crate) configured: [Option<Queue>; Major::COUNT],
    pub(crate) queues: Vec<Queue>,
    /// What looks at IRPs of a major function before they become requests.
    pub(crate) dynamic: [Option<(WdmIrpDispatch, Context)>; Major::COUNT],
    pub(crate) in_caller_context: Option<InCallerContext>,
    pub(crate) files: FileConfig,
    /// File callbacks run under the device's presentation lock.
    files_share_lock: bool,
    /// The manual queue through which creates reach EvtDeviceFileCreate.
    pub(crate) create_queue: Option<Queue>,
    pub(crate) open_files: Vec<(Option<FileObject>, WdfFileObject)>,
    pub(crate) open_handles: u32,
    pub(crate) exclusive: bool,
    pub(crate) preprocess: [Option<Preprocess>; Major::COUNT],
    pub(crate) remove_lock_for_io: bool,
    pub(crate) forward_to_parent: bool,
    /// StackSize of the lower device when this one was created: what the default I/O target caches.
    pub(crate) lower_stack_size: i8,
    pub(crate) callbacks: PnpCallbacks,
    pub(crate) pnp: PnpData,
    pub(crate) child_list: Option<ChildList>,
    /// The list of children that the driver adds one by one; every FDO and filter has it.
    pub(crate) static_list: Option<ChildList>,
    pub(crate) ids: PdoIds,
    /// Links of the device interfaces it registered.
    pub(crate) interfaces: Vec<String>,
    /// The links are enabled: from the start of the device to its removal.
    pub(crate) interfaces_enabled: bool,
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
        self.furnish(m, device, device_object).inspect_err(|_| device_end::undo(m, device))?;
        if let (DeviceKind::Fdo | DeviceKind::Filter, Some(body)) = (place.kind, fx_mut(m).drivers.get_mut(driver.id()))
        {
            body.added = Some(device_object);
        }
        Ok(device)
    }

    /// Gives a device that is there its packages, its locations, its queue for creates and its child list.
    fn furnish(&self, m: &mut Machine, device: Device, device_object: DeviceObject) -> Result<(), NtStatus> {
        let (driver, kind) = (self.driver, device.kind(m));
        trace(m, driver, &sites::IO_CONSTRUCTED, [device.package().address()]);
        pnp::package_created(m, device);
        let has_preprocess = self.preprocess.iter().any(Option::is_some);
        let extra = i8::from(has_preprocess) + i8::from(self.takes_remove_lock()) + i8::from(self.self_target);
        m[device_object].stack_size = m[device_object].stack_size.wrapping_add(extra);
        device.body(m).files_share_lock = self.files.shares_lock(m, device)?;
        if self.files.on_create.is_some() {
            let queue = QueueConfig::for_creates(m, device)?;
            device.body(m).create_queue = Some(queue);
        }
        match kind {
            DeviceKind::Fdo | DeviceKind::Filter => child_list::create(m, device, self.create_child)?,
            DeviceKind::Pdo => {
                if self.name.is_some() {
                    trace(m, driver, &sites::DEVICE_NOT_SECURE, [driver.0.handle()]);
                }
                m[device_object].initializing = false;
            }
            DeviceKind::Control => return Ok(()),
        }
        if let InitKind::Child { described: Some((list, id)), .. } = self.kind {
            child_list::created(m, list, id, device);
        }
        pnp::device_created(m, device);
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
                Place { kind, lower: Some(lower), pdo: Some(pdo), parent: None }
            }
            InitKind::Child { parent, .. } => {
                m.auto_name_device(device_object);
                if self.forward_to_parent {
                    let parent_object = parent.device_object(m);
                    let parent_size = m[parent_object].stack_size;
                    m[device_object].stack_size = m[device_object].stack_size.wrapping_add(parent_size);
                }
                Place { kind: DeviceKind::Pdo, lower: None, pdo: Some(device_object), parent: Some(parent) }
            }
            InitKind::Control => {
                m.name_device(device_object, self.name.as_deref().unwrap_or_default())?;
                Place { kind: DeviceKind::Control, lower: None, pdo: None, parent: None }
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
            forward_to_parent: self.forward_to_parent,
            lower_stack_size,
            callbacks: self.callbacks,
            in_caller_context: self.in_caller_context,
            files: self.files,
            exclusive: self.exclusive,
            ids: self.ids.clone(),
            ..DeviceBody::default()
        };
        m[device_object].context = Context(id.to_word());
        device.0.commit(m, driver.0, attributes)?;
        device.package().commit(m, device.0, Attributes::none())?;
        Ok(device)
    }
}

/// Where a new device belongs.
struct Place {
    kind: DeviceKind,
    lower: Option<DeviceObject>,
    pdo: Option<DeviceObject>,
    parent: Option<Device>,
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
        self.body(m).child_list
    }

    /// What the default I/O target of the device caches: the StackSize of the device below when this one was created.
    pub fn lower_stack_size(self, m: &mut Machine) -> i8 {
        self.body(m).lower_stack_size
    }

    /// How reads and writes carry their data.
    pub fn io_type(self, m: &mut Machine) -> IoType {
        let device_object = self.device_object(m);
        m[device_object].io_type
    }

    /// `WdfDeviceCreateDeviceInterface`: enabled when the device is started, disabled when it goes.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_REQUEST for a device outside the PnP tree.
    ///
    /// Source: S/irphandlers/pnp/pnpstatemachine.cpp:1462, 3434, 3850.
    pub fn create_interface(self, m: &mut Machine, class: Guid) -> Result<(), NtStatus> {
        let pdo = self.pdo(m).ok_or(STATUS_INVALID_DEVICE_REQUEST)?;
        let link = m.register_interface(pdo, class)?;
        self.body(m).interfaces.push(link);
        Ok(())
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

/// The device's default I/O target, if the layer above has made it.
pub fn default_target(m: &mut Machine, device: Device) -> Option<Object> {
    device.body(m).default_target
}

/// Remembers the device's default I/O target, which stays as long as the device does.
pub fn set_default_target(m: &mut Machine, device: Device, target: Object) {
    target.add_reference(m);
    device.body(m).default_target = Some(target);
}
