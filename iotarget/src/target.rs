//! The target object.

use std::collections::VecDeque;

use vbus_wdf::layer::{
    Allowed, Class, Fx, body_of, check_handle, create_general, default_target, passive_level, replace_irp,
    set_default_target, sites, trace,
};
use vbus_wdf::{Attributes, Device, Driver, Handle, HandleType, Object, Ownership, Request};
use vbus_wdm::constants::*;
use vbus_wdm::{DeviceObject, FileObject, IoType, Machine, NtStatus};

/// A WDFIOTARGET.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IoTarget(pub(crate) Object);

impl Handle for IoTarget {
    fn object(self) -> Object {
        self.0
    }
}

/// WDF_IO_TARGET_STATE.
///
/// A target that was created and never opened is Started already; only its stack size tells.
///
/// Source: S/targets/general/fxiotarget.cpp:54-89.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum TargetState {
    /// Requests are sent on.
    Started = 1,
    /// Requests wait until it is started.
    Stopped = 2,
    /// Closed, to be opened again if the removal of its device is cancelled.
    ClosedForQueryRemove = 3,
    /// Closed by the driver.
    Closed = 4,
    /// Being deleted.
    Deleted = 5,
    /// Requests are refused until it is started.
    Purged = 6,
}

impl TargetState {
    /// Whether the target has let go of its device, for good or until it is opened again.
    pub(crate) fn is_closed(self) -> bool {
        matches!(self, TargetState::ClosedForQueryRemove | TargetState::Closed | TargetState::Deleted)
    }
}

/// FX_TYPE_IO_TARGET.
const TYPE_NUMBER: u16 = 0x1200;

/// A target waits for its requests when it goes, which needs PASSIVE_LEVEL.
///
/// Source: S/targets/general/fxiotarget.cpp:87.
pub(crate) static CLASS: Class = Class { dispose, passive: true, ..Class::new(TYPE_NUMBER) };

pub(crate) struct TargetBody {
    pub(crate) driver: Driver,
    pub(crate) state: TargetState,
    /// The StackSize of the device, copied when it was opened; 0 means that there is none.
    pub(crate) stack_size: i8,
    /// Where requests go: exactly this device, whoever attaches above it later.
    pub(crate) device: Option<DeviceObject>,
    pub(crate) pdo: Option<DeviceObject>,
    /// The file object of a target that was opened by name.
    pub(crate) file: Option<FileObject>,
    pub(crate) io_type: IoType,
    pub(crate) remote: bool,
    /// Requests that are out, oldest first.
    pub(crate) sent: Vec<Request>,
    /// Requests that were sent whatever the target's state was: stop and purge leave them alone.
    pub(crate) ignored: Vec<Request>,
    /// Requests that wait for the target to be started, oldest first.
    pub(crate) pended: VecDeque<Request>,
    /// A stop or purge waits until nothing is out.
    pub(crate) waiting: bool,
    /// A close waits until nothing is out; the pointers are cleared then.
    pub(crate) removing: bool,
}

impl TargetBody {
    /// A target that is open on nothing.
    fn new(driver: Driver, remote: bool) -> TargetBody {
        TargetBody {
            driver,
            state: TargetState::Started,
            stack_size: 0,
            device: None,
            pdo: None,
            file: None,
            io_type: IoType::Neither,
            remote,
            sent: Vec::new(),
            ignored: Vec::new(),
            pended: VecDeque::new(),
            waiting: false,
            removing: false,
        }
    }
}

impl IoTarget {
    /// `WdfIoTargetCreate`: a remote target, open on nothing. Its parent is the device unless `attributes` say
    /// otherwise.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_REQUEST for a parent that is not below the device and, under the verifier, above
    /// PASSIVE_LEVEL; STATUS_WDF_EXECUTION_LEVEL_INVALID and
    /// STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID for attributes with those, STATUS_DELETE_PENDING for a parent that is
    /// being deleted.
    ///
    /// Source: S/targets/general/fxiotargetapi.cpp:380-470, S/targets/general/fxiotargetremote.cpp:80-165.
    pub fn create(m: &mut Machine, device: Device, attributes: Attributes) -> Result<IoTarget, NtStatus> {
        let driver = device.driver(m);
        trace(m, driver, &sites::TARGET_CREATE, [device.object().handle()]);
        if !passive_level(m, device) {
            return Err(STATUS_INVALID_DEVICE_REQUEST);
        }
        attributes.validate(m, driver, Allowed::Neither)?;
        if let Some(parent) = attributes.parent_object() {
            below_device(m, driver, device, parent)?;
        }
        let body = TargetBody::new(driver, true);
        create_general(m, driver, &CLASS, body, device, attributes).map(IoTarget)
    }

    /// `WdfDeviceGetIoTarget`: the device below, with the StackSize that it had when `device` was created.
    ///
    /// Source: S/targets/general/fxiotarget.cpp:1177.
    pub fn default_of(m: &mut Machine, device: Device) -> Option<IoTarget> {
        if let Some(known) = default_target(m, device) {
            return Some(IoTarget(known));
        }
        let lower = device.lower_device(m)?;
        let driver = device.driver(m);
        let body = TargetBody {
            stack_size: device.lower_stack_size(m),
            device: Some(lower),
            pdo: device.pdo(m),
            io_type: m[lower].io_type,
            ..TargetBody::new(driver, false)
        };
        let target = create_general(m, driver, &CLASS, body, device, Attributes::none()).map(IoTarget).ok()?;
        set_default_target(m, device, target.0);
        Some(target)
    }

    /// `WdfDeviceGetIoTarget` with a handle that a driver took for a device's: a cast in C.
    pub fn of_handle(m: &mut Machine, driver: Driver, handle: Object) -> Option<IoTarget> {
        handle.expect_type(m, driver, HandleType::DeviceBase);
        let device = Device::from_handle(m, driver, handle);
        IoTarget::default_of(m, device)
    }

    /// A handle that a driver took for an I/O target's: a cast in C.
    ///
    /// NULL, or another type's handle, is bug check 0x10D/5, as in every call that is given a target.
    ///
    /// Source: S/object/handleapi.cpp:400-450.
    pub fn from_handle(m: &mut Machine, driver: Driver, handle: Object) -> IoTarget {
        check_handle(m, driver, handle, TYPE_NUMBER);
        IoTarget(handle)
    }

    #[inline]
    pub(crate) fn body(self, m: &mut Machine) -> &mut TargetBody {
        body_of(m, self.0, TYPE_NUMBER)
    }

    #[inline]
    pub(crate) fn body_in<'m>(self, fx: &'m mut Fx<'_>) -> &'m mut TargetBody {
        fx.body(self.0, TYPE_NUMBER)
    }

    /// `WdfRequestCreate` with this target: the request gets its IRP, of the target's stack size, at once.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_STATE for a target that is not open.
    ///
    /// Source: S/core/fxrequest.cpp:168-233.
    pub fn create_request(self, m: &mut Machine, attributes: Attributes) -> Result<Request, NtStatus> {
        let body = self.body(m);
        let (driver, stack_size) = (body.driver, body.stack_size);
        if stack_size == 0 {
            return Err(STATUS_INVALID_DEVICE_STATE);
        }
        let irp = m.allocate_irp(stack_size)?;
        let request = Request::create(m, driver, attributes).inspect_err(|_| irp.free(m))?;
        replace_irp(m, request, irp, Ownership::Internal);
        Ok(request)
    }

    /// `WdfIoTargetGetState`.
    pub fn state(self, m: &mut Machine) -> TargetState {
        self.body(m).state
    }

    /// The stack size that requests are checked against; 0 for a target that is not open.
    pub fn stack_size(self, m: &mut Machine) -> i8 {
        self.body(m).stack_size
    }

    /// `WdfIoTargetWdmGetTargetDeviceObject`.
    pub fn device_object(self, m: &mut Machine) -> Option<DeviceObject> {
        self.body(m).device
    }

    /// `WdfIoTargetWdmGetTargetFileObject`.
    pub fn file_object(self, m: &mut Machine) -> Option<FileObject> {
        self.body(m).file
    }

    /// How many requests are out.
    pub fn sent_count(self, m: &mut Machine) -> usize {
        let body = self.body(m);
        body.sent.len() + body.ignored.len()
    }

    /// The address of the event that a waiting stop, purge or close waits for; it lies inside the object.
    pub(crate) fn stop_event(self) -> u64 {
        self.0.address() + 0x98
    }
}

/// A target's parent must be its device, or below it.
///
/// Source: S/targets/general/fxiotargetremote.cpp:92-125.
fn below_device(m: &mut Machine, driver: Driver, device: Device, parent: Object) -> Result<(), NtStatus> {
    let status = STATUS_INVALID_DEVICE_REQUEST;
    parent.expect_type(m, driver, HandleType::Object);
    match parent.search_for_device(m) {
        Some(above) if above == device => return Ok(()),
        Some(above) => {
            let handles = [parent.handle(), above.object().handle(), device.object().handle()];
            trace(m, driver, &sites::TARGET_OTHER_DEVICE, [handles[0], handles[1], handles[2], status.0.into()]);
        }
        None => trace(m, driver, &sites::TARGET_NO_DEVICE, [parent.handle(), status.0.into()]),
    }
    Err(status)
}

fn dispose(m: &mut Machine, object: Object) {
    IoTarget(object).close_for(m, crate::open::CloseReason::Delete);
}
