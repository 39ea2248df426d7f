//! The target object, and what a driver can ask of it.

use std::collections::VecDeque;

use vbus_wdf::layer::{
    Allowed, Class, Fx, body_of, check_handle, create_general, create_prepared, default_target, passive_level,
    peek_body, sites, take_over, trace,
};
use vbus_wdf::{Attributes, Destination, Device, Driver, Handle, HandleType, Object, Request, Site};
use vbus_wdm::constants::*;
use vbus_wdm::{DeviceObject, FileObject, IoType, Machine, NtStatus};

use crate::close::CloseReason;
use crate::remote::Remote;
use crate::validate::validate;

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

/// FX_TYPE_IO_TARGET, which every target answers to.
pub(crate) const TYPE_NUMBER: u16 = 0x1200;

/// FX_TYPE_IO_TARGET_REMOTE, which only those answer to that a driver opens.
const REMOTE_TYPE_NUMBER: u16 = 0x1201;

/// FX_TYPE_IO_TARGET_SELF.
pub(crate) const SELF_TYPE_NUMBER: u16 = 0x1205;

/// A target waits for its requests when it goes, which needs PASSIVE_LEVEL.
///
/// Source: S/targets/general/fxiotarget.cpp:87.
static CLASS: Class = Class { dispose, passive: true, ..Class::new(TYPE_NUMBER) };
static REMOTE_CLASS: Class = Class { dispose, passive: true, ..Class::new(REMOTE_TYPE_NUMBER) };
pub(crate) static SELF_CLASS: Class = Class { dispose, passive: true, ..Class::new(SELF_TYPE_NUMBER) };

/// A notification event. Setting it releases whoever waits, even if it is cleared again before they look.
#[derive(Clone, Copy, Default)]
pub(crate) struct Event {
    pub(crate) signalled: bool,
    pub(crate) sets: u32,
}

impl Event {
    pub(crate) fn set(&mut self) {
        self.signalled = true;
        self.sets = self.sets.wrapping_add(1);
    }

    pub(crate) fn set_to(&mut self, signalled: bool) {
        if signalled {
            self.set();
        } else {
            self.signalled = false;
        }
    }
}

/// What sort of target it is, with what only that sort has.
pub(crate) enum Kind {
    /// The device below, for as long as the target's own device lives.
    Local,
    /// The device itself.
    ToSelf(crate::to_self::ToSelf),
    /// What a driver opens and closes.
    Remote(Remote),
}

pub(crate) struct TargetBody {
    pub(crate) driver: Driver,
    /// The device whose target it is.
    pub(crate) owner: Device,
    pub(crate) kind: Kind,
    pub(crate) state: TargetState,
    /// The StackSize of the device, copied when it was opened; 0 means that there is none.
    pub(crate) stack_size: i8,
    /// Where requests go: exactly this device, whoever attaches above it later.
    pub(crate) device: Option<DeviceObject>,
    pub(crate) pdo: Option<DeviceObject>,
    /// What requests to a remote target carry.
    pub(crate) file: Option<FileObject>,
    pub(crate) io_type: IoType,
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
    /// Nothing is out of what a stop, purge or close waits for.
    pub(crate) sent_event: Event,
    /// One for the target itself, and one for each request from its submission until everything about it is done.
    pub(crate) io_count: u32,
}

impl TargetBody {
    /// A target that is open on nothing.
    pub(crate) fn new(driver: Driver, owner: Device, kind: Kind) -> TargetBody {
        TargetBody {
            driver,
            owner,
            kind,
            state: TargetState::Started,
            stack_size: 0,
            device: None,
            pdo: None,
            file: None,
            io_type: IoType::Neither,
            sent: Vec::new(),
            ignored: Vec::new(),
            pended: VecDeque::new(),
            waiting: false,
            removing: false,
            sent_event: Event::default(),
            io_count: 1,
        }
    }

    /// A request is out no more. One that once ignored a state and was refused is said to have ignored the next one, too,
    /// and still is among the others.
    pub(crate) fn forget(&mut self, request: Request, ignored: bool) {
        let lists = if ignored { [&mut self.ignored, &mut self.sent] } else { [&mut self.sent, &mut self.ignored] };
        for list in lists {
            // The youngest is the likeliest: look from the end.
            if let Some(at) = list.iter().rposition(|&sent| sent == request) {
                list.remove(at);
                return;
            }
        }
    }

    pub(crate) fn remote(&mut self) -> Option<&mut Remote> {
        match &mut self.kind {
            Kind::Remote(remote) => Some(remote),
            Kind::Local | Kind::ToSelf(_) => None,
        }
    }
}

impl IoTarget {
    /// `WdfIoTargetCreate`: a remote target, open on nothing. Its parent is the device unless `attributes` say
    /// otherwise.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_REQUEST for a parent that does not belong to the device and, under the verifier, above
    /// PASSIVE_LEVEL; STATUS_WDF_EXECUTION_LEVEL_INVALID and STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID for attributes
    /// with those, STATUS_DELETE_PENDING for a parent that is being deleted.
    ///
    /// Source: S/targets/general/fxiotargetapi.cpp:380-470; S/targets/general/fxiotargetremote.cpp:64-165.
    pub fn create(m: &mut Machine, device: Device, attributes: Attributes) -> Result<IoTarget, NtStatus> {
        let driver = device.driver(m);
        trace(m, driver, &sites::TARGET_CREATE, [device.object().handle()]);
        if !passive_level(m, device) {
            return Err(STATUS_INVALID_DEVICE_REQUEST);
        }
        attributes.validate(m, driver, Allowed::Neither)?;
        crate::remote::check_parent(m, driver, device, &attributes)?;
        let body = TargetBody::new(driver, device, Kind::Remote(Remote::default()));
        create_general(m, driver, &REMOTE_CLASS, body, device, attributes).map(IoTarget)
    }

    /// `WdfDeviceGetIoTarget`: the device below, with the StackSize that it had when `device` was created.
    ///
    /// Source: S/targets/general/fxiotarget.cpp:1130-1180.
    pub fn default_of(m: &mut Machine, device: Device) -> Option<IoTarget> {
        let object = default_target(m, device)?;
        let lower = device.lower_device(m)?;
        if peek_body::<TargetBody>(m, object).is_none() {
            let driver = device.driver(m);
            let body = TargetBody {
                stack_size: device.lower_stack_size(m),
                device: Some(lower),
                pdo: device.pdo(m),
                io_type: m[lower].io_type,
                ..TargetBody::new(driver, device, Kind::Local)
            };
            take_over(m, object, &CLASS, body);
        }
        Some(IoTarget(object))
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
        if vbus_wdf::layer::peek_body::<TargetBody>(m, handle).is_none() {
            check_handle(m, driver, handle, TYPE_NUMBER);
        }
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

    /// What the calls that open and close begin with: a target that no driver opens is bug check 0x10D/5.
    pub(crate) fn require_remote(self, m: &mut Machine) -> &mut Remote {
        let body = self.body(m);
        let driver = body.driver;
        if body.remote().is_none() {
            check_handle(m, driver, self.0, REMOTE_TYPE_NUMBER);
        }
        let exit = m.exit();
        match self.body(m).remote() {
            Some(remote) => remote,
            None => exit.undefined("WdfIoTargetOpen", "only a remote target is opened and closed"),
        }
    }

    /// `WdfRequestCreate` with this target: the request gets its IRP, of the target's stack size, at once.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_STATE for a target that is not open, STATUS_INSUFFICIENT_RESOURCES for one that no IRP is
    /// deep enough for.
    ///
    /// Source: S/core/fxrequest.cpp:168-233.
    pub fn create_request(self, m: &mut Machine, attributes: Attributes) -> Result<Request, NtStatus> {
        let driver = self.body(m).driver;
        create_prepared(m, driver, attributes, |m, request| validate(m, request, self).map(|_| ()))
    }

    /// `WdfIoTargetGetState`.
    pub fn state(self, m: &mut Machine) -> TargetState {
        self.body(m).state
    }

    /// The stack size that requests are checked against; 0 for a target that is not open. No call tells a driver.
    pub fn stack_size(self, m: &mut Machine) -> i8 {
        self.body(m).stack_size
    }

    /// `WdfIoTargetGetDevice`: the device whose target it is.
    pub fn device(self, m: &mut Machine) -> Device {
        let owner = self.body(m).owner;
        self.tell(m, &sites::GET_DEVICE_ENTER, &sites::GET_DEVICE_EXIT, owner.object().handle());
        owner
    }

    /// `WdfIoTargetWdmGetTargetDeviceObject`: where requests go.
    pub fn device_object(self, m: &mut Machine) -> Option<DeviceObject> {
        let device = self.body(m).device;
        let address = device.map_or(0, DeviceObject::address);
        self.tell(m, &sites::GET_DEVICE_OBJECT_ENTER, &sites::GET_DEVICE_OBJECT_EXIT, address);
        device
    }

    /// `WdfIoTargetWdmGetTargetPhysicalDevice`: the PDO of the stack that requests go to.
    pub fn physical_device(self, m: &mut Machine) -> Option<DeviceObject> {
        let pdo = self.body(m).pdo;
        let address = pdo.map_or(0, DeviceObject::address);
        self.tell(m, &sites::GET_PDO_ENTER, &sites::GET_PDO_EXIT, address);
        pdo
    }

    /// `WdfIoTargetWdmGetTargetFileObject`.
    pub fn file_object(self, m: &mut Machine) -> Option<FileObject> {
        let file = self.body(m).file;
        let address = file.map_or(0, FileObject::address);
        self.tell(m, &sites::GET_FILE_ENTER, &sites::GET_FILE_EXIT, address);
        file
    }

    /// `WdfIoTargetWdmGetTargetFileHandle`: only a remote target that was opened by name has one.
    pub fn file_handle(self, m: &mut Machine) -> Option<FileObject> {
        let handle = self.require_remote(m).handle;
        let address = handle.map_or(0, FileObject::address);
        self.tell(m, &sites::GET_HANDLE_ENTER, &sites::GET_HANDLE_EXIT, address);
        handle
    }

    fn tell(self, m: &mut Machine, enter: &'static Site, exit: &'static Site, answer: u64) {
        let (driver, handle) = (self.body(m).driver, self.0.handle());
        trace(m, driver, enter, [handle]);
        trace(m, driver, exit, [handle, answer]);
    }

    /// How many requests are out. No call tells a driver.
    pub fn sent_count(self, m: &mut Machine) -> usize {
        let body = self.body(m);
        body.sent.len() + body.ignored.len()
    }

    /// What whoever watches a request is told of its target. Nothing is logged.
    pub(crate) fn destination(self, m: &mut Machine) -> Destination {
        let body = self.body(m);
        Destination { target: self.0, owner: body.owner, device: body.device, stack_size: body.stack_size }
    }

    /// The address of the event that a waiting stop, purge or close waits for; it lies inside the object.
    pub(crate) fn stop_event(self) -> u64 {
        self.0.address() + 0x98
    }
}

fn dispose(m: &mut Machine, object: Object) {
    IoTarget(object).close_for(m, CloseReason::Delete);
}
