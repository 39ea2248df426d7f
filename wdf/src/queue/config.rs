//! WDF_IO_QUEUE_CONFIG and the creation of queues.

use vbus_wdm::constants::*;
use vbus_wdm::{IoctlCode, Machine, Major, NtStatus};

use super::{PowerState, Queue, QueueBody, StopAction};
use crate::device::{Device, DeviceKind};
use crate::driver::Driver;
use crate::framework::{fx_mut, trace};
use crate::object::{Allowed, Attributes, Handle, HandleType, Kind, Object, SynchronizationScope, parent_of};
use crate::request::Request;
use crate::sync::presentation::Constraints;
use crate::trace::sites;

/// WDF_IO_QUEUE_DISPATCH_TYPE.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Dispatch {
    /// One request at a time: the next comes when the driver completed or handed on the last.
    Sequential,
    /// Every request as it comes.
    #[default]
    Parallel,
    /// Nothing is presented: the driver takes requests with [`Queue::retrieve_next`].
    Manual,
}

/// What EvtIoDeviceControl and EvtIoInternalDeviceControl are told besides the request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IoControl {
    /// The control code.
    pub code: IoctlCode,
    /// InputBufferLength.
    pub input_length: u32,
    /// OutputBufferLength.
    pub output_length: u32,
}

pub(super) type OnDefault = fn(&mut Machine, Queue, Request);
pub(super) type OnTransfer = fn(&mut Machine, Queue, Request, u32);
pub(super) type OnControl = fn(&mut Machine, Queue, Request, IoControl);
pub(super) type OnStop = fn(&mut Machine, Queue, Request, StopAction);

#[derive(Clone, Copy, Default)]
pub(super) struct Callbacks {
    pub(super) default: Option<OnDefault>,
    pub(super) read: Option<OnTransfer>,
    pub(super) write: Option<OnTransfer>,
    pub(super) device_control: Option<OnControl>,
    pub(super) internal_device_control: Option<OnControl>,
    pub(super) stop: Option<OnStop>,
    pub(super) resume: Option<OnDefault>,
    pub(super) cancelled_on_queue: Option<OnDefault>,
}

impl Callbacks {
    pub(super) fn any(&self) -> bool {
        self.default.is_some()
            || self.read.is_some()
            || self.write.is_some()
            || self.device_control.is_some()
            || self.internal_device_control.is_some()
    }

    pub(super) fn handles(&self, major: Major) -> bool {
        self.default.is_some()
            || match major {
                Major::Read => self.read.is_some(),
                Major::Write => self.write.is_some(),
                Major::DeviceControl => self.device_control.is_some(),
                Major::InternalDeviceControl => self.internal_device_control.is_some(),
                _ => false,
            }
    }
}

/// WDF_IO_QUEUE_CONFIG: begin with [`Queue::config`].
#[derive(Clone, Copy)]
pub struct QueueConfig {
    dispatch: Dispatch,
    presented_limit: u32,
    power_managed: Option<bool>,
    allow_zero_length: bool,
    callbacks: Callbacks,
}

impl Queue {
    /// A configuration of this dispatch type, without callbacks.
    pub fn config(dispatch: Dispatch) -> QueueConfig {
        QueueConfig {
            dispatch,
            presented_limit: u32::MAX,
            power_managed: None,
            allow_zero_length: false,
            callbacks: Callbacks::default(),
        }
    }
}

impl QueueConfig {
    /// EvtIoDefault: everything that has no callback of its own.
    pub fn on_default(mut self, callback: OnDefault) -> QueueConfig {
        self.callbacks.default = Some(callback);
        self
    }

    /// EvtIoRead.
    pub fn on_read(mut self, callback: OnTransfer) -> QueueConfig {
        self.callbacks.read = Some(callback);
        self
    }

    /// EvtIoWrite.
    pub fn on_write(mut self, callback: OnTransfer) -> QueueConfig {
        self.callbacks.write = Some(callback);
        self
    }

    /// EvtIoDeviceControl.
    pub fn on_device_control(mut self, callback: OnControl) -> QueueConfig {
        self.callbacks.device_control = Some(callback);
        self
    }

    /// EvtIoInternalDeviceControl.
    pub fn on_internal_device_control(mut self, callback: OnControl) -> QueueConfig {
        self.callbacks.internal_device_control = Some(callback);
        self
    }

    /// EvtIoResume: the device is in D0 again, and the driver kept this request meanwhile.
    pub fn on_resume(mut self, callback: OnDefault) -> QueueConfig {
        self.callbacks.resume = Some(callback);
        self
    }

    /// EvtIoStop: the device leaves D0, or goes, while the driver holds this request. The driver acknowledges, gives
    /// the request back or completes it, then or later: until it did, the change of power waits.
    pub fn on_stop(mut self, callback: OnStop) -> QueueConfig {
        self.callbacks.stop = Some(callback);
        self
    }

    /// EvtIoCanceledOnQueue: a request was cancelled while it waited here, after the driver had it once (it forwarded
    /// or requeued it). The driver completes it. Others the framework completes by itself.
    ///
    /// Source: S/irphandlers/io/fxioqueue.cpp:4353-4440.
    pub fn on_cancelled_on_queue(mut self, callback: OnDefault) -> QueueConfig {
        self.callbacks.cancelled_on_queue = Some(callback);
        self
    }

    /// AllowZeroLengthRequests: reads and writes of nothing reach the driver. Else the framework completes them with
    /// success.
    pub fn allow_zero_length(mut self) -> QueueConfig {
        self.allow_zero_length = true;
        self
    }

    /// PowerManaged; the default is yes for function devices and PDOs, no for filters and control devices.
    pub fn power_managed(mut self, power_managed: bool) -> QueueConfig {
        self.power_managed = Some(power_managed);
        self
    }

    /// NumberOfPresentedRequests of a parallel queue.
    pub fn presented_limit(mut self, limit: u32) -> QueueConfig {
        self.presented_limit = limit;
        self
    }

    /// `WdfIoQueueCreate` without attributes.
    ///
    /// # Errors
    /// As [`QueueConfig::create_with`].
    pub fn create(self, m: &mut Machine, device: Device) -> Result<Queue, NtStatus> {
        self.create_with(m, device, Attributes::none())
    }

    /// `WdfIoQueueCreate`. The queue's execution level and synchronization scope are the attributes' or the device's; its
    /// parent is the attributes', which must be the device or below it, or else the device's I/O package.
    ///
    /// # Errors
    /// STATUS_WDF_NO_CALLBACK for a sequential or parallel queue that calls nobody; STATUS_INVALID_PARAMETER for a
    /// manual one that would, and for a queue that shares its device's lock at another execution level;
    /// STATUS_INVALID_DEVICE_REQUEST for a parent that is not below the device; STATUS_DELETE_PENDING.
    ///
    /// Source: S/irphandlers/io/fxioqueue.cpp:217-467, S/irphandlers/io/fxpkgio.cpp:985-1070.
    pub fn create_with(self, m: &mut Machine, device: Device, attributes: Attributes) -> Result<Queue, NtStatus> {
        let driver = device.driver(m);
        attributes.validate(m, driver, Allowed::Both)?;
        match self.dispatch {
            Dispatch::Manual if self.callbacks.any() => return Err(STATUS_INVALID_PARAMETER),
            Dispatch::Sequential | Dispatch::Parallel if !self.callbacks.any() => return Err(STATUS_WDF_NO_CALLBACK),
            _ => {}
        }
        if let Some(parent) = attributes.parent {
            below_device(m, driver, device, parent)?;
        }
        let queue = self.build(m, device, device.package(), attributes)?;
        trace(m, driver, &sites::QUEUE_CREATED, [queue.0.handle()]);
        Ok(queue)
    }

    /// The manual queue through which creates reach EvtDeviceFileCreate: the framework's own.
    ///
    /// Source: S/irphandlers/general/fxpkggeneral.cpp:340-420.
    pub(crate) fn for_creates(m: &mut Machine, device: Device) -> Result<Queue, NtStatus> {
        Queue::config(Dispatch::Manual).power_managed(false).build(m, device, device.package(), Attributes::none())
    }

    fn build(self, m: &mut Machine, device: Device, parent: Object, attributes: Attributes) -> Result<Queue, NtStatus> {
        let driver = device.driver(m);
        m.allocation_point("FxIoQueue::_Create")?;
        let parent = parent_of(m, driver, &attributes, parent);
        let inherited = device.body(m).constraints;
        let constraints = Constraints::of(&attributes, inherited);
        let kind = device.kind(m);
        let managed_by_default = matches!(kind, DeviceKind::Fdo | DeviceKind::Pdo);
        // A control device has no power to follow, whatever is asked.
        let power_managed = self.power_managed.unwrap_or(managed_by_default) && kind != DeviceKind::Control;
        let powered = !power_managed || device.body(m).pnp.in_d0;
        let power = if powered { PowerState::On } else { PowerState::Off };
        let owner = device.is_policy_owner(m);
        let (id, body) = fx_mut(m).queues.take();
        let mut header = std::mem::take(&mut body.header);
        header.initialize(driver);
        header.marks.passive_dispose = true;
        if constraints.is_passive() {
            header.mark_passive_callbacks();
        }
        *body = QueueBody {
            header,
            constraints,
            device: Some(device),
            dispatch: self.dispatch,
            presented_limit: self.presented_limit,
            allow_zero_length: self.allow_zero_length,
            callbacks: self.callbacks,
            power_managed,
            power,
            holds_power: power_managed && owner,
            accepting: true,
            dispatching: true,
            ..QueueBody::default()
        };
        let queue = Queue(Object { kind: Kind::Queue, id });
        let shared = constraints.scope == SynchronizationScope::Device;
        if shared && constraints.level != inherited.level {
            let status = STATUS_INVALID_PARAMETER;
            let levels = [inherited.level as u64, constraints.level as u64];
            let arguments = [queue.0.handle(), levels[0], levels[1], status.0.into()];
            trace(m, driver, &sites::QUEUE_OTHER_LEVEL, arguments);
            fx_mut(m).queues.release(id);
            return Err(status);
        }
        if let Err(status) = queue.0.commit(m, parent, attributes) {
            fx_mut(m).queues.release(id);
            return Err(status);
        }
        device.body(m).queues.push(queue);
        self.trace_creation(m, driver, queue);
        Ok(queue)
    }

    /// The lines of a new queue. Callbacks have addresses in Windows; here each kind has one of its own.
    fn trace_creation(&self, m: &mut Machine, driver: Driver, queue: Queue) {
        const CODE: u64 = 0xFFFF_F801_5C3A_1000;
        let callbacks = &self.callbacks;
        let address = |kind: u64, is_some: bool| if is_some { CODE + kind * 0x40 } else { 0 };
        let arguments = [
            address(0, callbacks.default.is_some()),
            address(1, callbacks.read.is_some()),
            address(2, callbacks.write.is_some()),
            address(3, callbacks.device_control.is_some()),
            queue.0.handle(),
        ];
        trace(m, driver, &sites::QUEUE_INITIALIZE, arguments);
    }

    /// `WdfIoQueueCreate` with DefaultQueue set.
    ///
    /// # Errors
    /// As [`QueueConfig::create`], and STATUS_UNSUCCESSFUL for a device that has a default queue.
    ///
    /// Source: S/irphandlers/io/fxpkgio.cpp:491.
    pub fn create_default(self, m: &mut Machine, device: Device) -> Result<Queue, NtStatus> {
        self.create_default_with(m, device, Attributes::none())
    }

    /// As [`QueueConfig::create_default`], with attributes.
    ///
    /// # Errors
    /// As [`QueueConfig::create_default`].
    pub fn create_default_with(
        self,
        m: &mut Machine,
        device: Device,
        attributes: Attributes,
    ) -> Result<Queue, NtStatus> {
        if device.default_queue(m).is_some() {
            return Err(STATUS_UNSUCCESSFUL);
        }
        let queue = self.create_with(m, device, attributes)?;
        queue.0.protect(m);
        device.body(m).default_queue = Some(queue);
        Ok(queue)
    }
}

/// A queue's parent must be its device, or below it.
///
/// Source: S/irphandlers/io/fxpkgio.cpp:1002-1036.
fn below_device(m: &mut Machine, driver: Driver, device: Device, parent: Object) -> Result<(), NtStatus> {
    let status = STATUS_INVALID_DEVICE_REQUEST;
    parent.expect_type(m, driver, HandleType::Object);
    match parent.search_for_device(m) {
        Some(above) if above == device => Ok(()),
        Some(above) => {
            let arguments = [parent.handle(), above.0.handle(), device.0.handle(), status.0.into()];
            trace(m, driver, &sites::QUEUE_OTHER_DEVICE, arguments);
            Err(status)
        }
        None => {
            trace(m, driver, &sites::QUEUE_NO_DEVICE, [parent.handle(), status.0.into()]);
            Err(status)
        }
    }
}
