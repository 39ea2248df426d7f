//! A device's own target: requests that a driver sends to its own queues.
//!
//! Source: S/targets/general/fxiotargetself.cpp:75-175, S/targets/general/fxiotargetselfapi.cpp;
//! S/core/fxdeviceapi.cpp (WdfDeviceGetSelfIoTarget).

use vbus_wdf::layer::{
    check_handle, debug_break, dispatch_to_self, is_io, peek_body, queue_for, queues_are_assignable, self_target,
    sites, take_over, trace,
};
use vbus_wdf::{Device, Handle, Queue};
use vbus_wdm::constants::*;
use vbus_wdm::{IoStatus, Irp, Machine, NtStatus};

use crate::target::{IoTarget, Kind, SELF_CLASS, SELF_TYPE_NUMBER, TargetBody};

/// What only a device's own target has.
#[derive(Clone, Copy, Default)]
pub(crate) struct ToSelf {
    /// Where its requests go; without one, where the device's others would.
    pub(crate) queue: Option<Queue>,
}

impl IoTarget {
    /// `WdfDeviceGetSelfIoTarget`: the device itself, for a driver that asked for it with
    /// WdfDeviceInitAllowSelfIoTarget. Only a function or filter device has one.
    ///
    /// Its stack size is the one that attaching gave the device: the locations that the framework adds afterwards, for
    /// this target and for a remove lock, are not counted.
    ///
    /// Source: S/irphandlers/pnp/fxpkgfdo.cpp:1557-1580, S/core/fxdevice.cpp:493-508.
    pub fn self_of(m: &mut Machine, device: Device) -> Option<IoTarget> {
        let object = self_target(m, device)?;
        if peek_body::<TargetBody>(m, object).is_some() {
            return Some(IoTarget(object));
        }
        let (driver, own) = (device.driver(m), device.device_object(m));
        let body = TargetBody {
            stack_size: device.lower_stack_size(m) + 1,
            device: Some(own),
            pdo: device.pdo(m),
            io_type: m[own].io_type,
            ..TargetBody::new(driver, device, Kind::ToSelf(ToSelf::default()))
        };
        take_over(m, object, &SELF_CLASS, body);
        Some(IoTarget(object))
    }

    /// `WdfIoTargetSelfAssignDefaultIoQueue`: what is sent to the device itself goes to this queue, whatever its kind. A
    /// target that is not a device's own is bug check 0x10D/5.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_REQUEST for another device's queue; STATUS_INVALID_DEVICE_STATE once the device is started.
    pub fn assign_default_queue(self, m: &mut Machine, queue: Queue) -> Result<(), NtStatus> {
        let body = self.body(m);
        let (driver, device) = (body.driver, body.owner);
        if !matches!(body.kind, Kind::ToSelf(_)) {
            check_handle(m, driver, self.0, SELF_TYPE_NUMBER);
        }
        let (owner, handle) = (queue.device(m), device.object().handle());
        if owner != device {
            let status = STATUS_INVALID_DEVICE_REQUEST;
            let arguments =
                [queue.object().handle(), owner.object().handle(), self.0.handle(), handle, status.0.into()];
            trace(m, driver, &sites::SELF_OTHER_DEVICE, arguments);
            return Err(status);
        }
        if let Err(control) = queues_are_assignable(m, device) {
            let status = STATUS_INVALID_DEVICE_STATE;
            let site = if control { &sites::SELF_FINISHED } else { &sites::SELF_STARTED };
            trace(m, driver, site, [handle, status.0.into()]);
            return Err(status);
        }
        if let Kind::ToSelf(to_self) = &mut self.body(m).kind {
            to_self.queue = Some(queue);
        }
        Ok(())
    }

    /// FxIoTargetSelf::Send: the IRP never leaves the device. It moves to its next location, and its request is a new one.
    pub(crate) fn send_to_self(self, m: &mut Machine, irp: Irp, queue: Option<Queue>) {
        let body = self.body(m);
        let (driver, device) = (body.driver, body.owner);
        let own = device.device_object(m);
        let data = &mut m[irp];
        data.set_next_location();
        if data.current_location() < 1 {
            m.undefined(
                "WdfRequestSend",
                "a request that is sent to its own device has a stack location left for that",
            );
        }
        let data = &mut m[irp];
        data.current_mut().device = Some(own);
        let (major, minor) = (data.current().major, data.current().minor);
        let queue = queue.or_else(|| queue_for(m, device, major));
        let status = match queue {
            Some(queue) if is_io(major) => return dispatch_to_self(m, device, irp, queue),
            Some(_) => {
                let status = STATUS_INVALID_PARAMETER;
                let arguments =
                    [self.0.handle(), major as u64, minor.into(), device.object().handle(), status.0.into()];
                trace(m, driver, &sites::SELF_NOT_IO, arguments);
                debug_break(m, driver);
                status
            }
            None => {
                trace(m, driver, &sites::SELF_NO_QUEUE, [self.0.handle(), major as u64]);
                STATUS_INVALID_DEVICE_STATE
            }
        };
        m[irp].io_status = IoStatus { status, information: 0 };
        irp.complete(m);
    }
}
